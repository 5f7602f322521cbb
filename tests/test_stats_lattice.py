"""Pixels put back on the grid they came from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats.lattice import flat_coordinates, make_lattice


def pixels(rows, columns, share, seed):
    """Row and column of a random part of a grid, in random order, all four margins occupied."""
    rng = np.random.default_rng(seed)
    kept = rng.random((rows, columns)) < share
    kept[0, 0] = kept[-1, -1] = True
    row, column = np.nonzero(kept)
    order = rng.permutation(len(row))
    return row[order], column[order], rng


@given(
    st.integers(2, 40),
    st.integers(2, 40),
    st.floats(0.05, 1.0),
    st.sampled_from([30.0, 0.0083333333, 250.0, 1e-4]),
    st.sampled_from([0.0, 448_000.0, -120.25]),
    st.integers(0, 1000),
)
def test_shuffled_gapped_grids_come_back(rows, columns, share, step, origin, seed):
    row, column, _ = pixels(rows, columns, share, seed)
    # Lines without pixels are fine, but a grid of which every other column is empty is a coarser grid.
    lattice = make_lattice(origin + step * column, origin - step * row)
    gaps = np.diff(np.unique(np.r_[column, column]))
    if gaps.min() == 1 and np.diff(np.unique(row)).min() == 1:
        assert lattice.exact
        assert lattice.shape == (rows, columns)
        assert (lattice.column == column).all()
        assert (lattice.row == rows - 1 - row).all()
        assert lattice.width == pytest.approx(step, rel=1e-6)


def test_single_precision_degrees_and_noise_are_no_obstacle():
    row, column, rng = pixels(300, 400, 0.3, 1)
    easting = (120.0 + column * 0.0083333).astype(np.float32).astype(float) + rng.normal(0, 1e-6, len(column))
    lattice = make_lattice(easting, -28.0 + row * 0.0083333)
    assert lattice.exact
    assert lattice.shape == (300, 400)
    assert (lattice.column == column).all()


def test_missing_columns_do_not_widen_the_cell():
    lattice = make_lattice(np.array([0.0, 2.0, 5.0, 7.0]), np.array([0.0, 3.0, 3.0, 9.0]))
    assert lattice.column.tolist() == [0, 2, 5, 7]
    assert lattice.row.tolist() == [0, 1, 1, 3]


def test_degrees_become_kilometres_at_the_mean_latitude():
    longitude, latitude = (
        v.ravel() for v in np.meshgrid(120.0 + 0.01 * np.arange(5), 59.98 + 0.01 * np.arange(5))
    )
    lattice = make_lattice(longitude, latitude, geographic=True)
    assert lattice.height == pytest.approx(1.11195, rel=1e-4)
    assert lattice.width == pytest.approx(1.11195 * np.cos(np.deg2rad(60.0)), rel=1e-4)
    assert lattice.shape == (5, 5)


def test_the_date_line_does_not_tear_a_grid():
    lattice = make_lattice(np.array([179.0, 180.0, -179.0, -178.0]), np.zeros(4), geographic=True)
    assert lattice.shape == (1, 4)
    assert lattice.column.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("decimals", [None, 4])
def test_scattered_points_get_about_a_cell_each(decimals):
    rng = np.random.default_rng(3)
    x, y = rng.random((2, 2000))
    if decimals:
        x, y = x.round(decimals), y.round(decimals)
    lattice = make_lattice(x, y)
    assert not lattice.exact
    assert lattice.height == lattice.width
    assert 1000 < lattice.shape[0] * lattice.shape[1] < 4000
    # Nobody is farther than half a cell from the middle of the own one.
    moved = x - (x.min() + (lattice.column + 0.5) * lattice.width)
    assert np.abs(moved).max() <= 0.53 * lattice.width


def test_a_huge_grid_is_coarsened_evenly():
    y, x = (v.ravel() * 30.0 for v in np.mgrid[:200, :300])
    lattice = make_lattice(x, y, most_cells=10_000)
    assert not lattice.exact
    assert lattice.shape[0] * lattice.shape[1] <= 10_000
    assert lattice.height == lattice.width == 90.0
    assert set(np.bincount(lattice.cell)) <= {9, 6}


def test_a_cell_size_can_be_asked_for():
    y, x = (v.ravel() * 10.0 for v in np.mgrid[:6, :8])
    assert make_lattice(x, y, cell_size=10.0).exact
    coarse = make_lattice(x, y, cell_size=20.0)
    assert not coarse.exact
    assert coarse.shape == (3, 4)
    assert set(np.bincount(coarse.cell)) == {4}


@pytest.mark.parametrize(
    ("x", "y", "shape"),
    [
        ([4.0], [5.0], (1, 1)),
        ([4.0] * 3, [5.0] * 3, (1, 1)),
        ([0.0, 3.0, 6.0], [1.0] * 3, (1, 3)),
        ([1.0] * 3, [0.0, 3.0, 6.0], (3, 1)),
    ],
)
def test_a_place_and_a_line_are_grids_too(x, y, shape):
    lattice = make_lattice(np.array(x), np.array(y))
    assert lattice.shape == shape
    assert lattice.exact
    assert lattice.height == lattice.width > 0
    assert len(lattice) == len(x)


def test_messages():
    good = np.zeros(3)
    with pytest.raises(ValueError, match="a coordinate is NaN or infinite: drop these pixels first"):
        make_lattice(np.array([0.0, np.nan, 1.0]), good)
    with pytest.raises(ValueError, match="latitude -91 lies beyond 90 degrees"):
        make_lattice(good, np.array([0.0, -91.0, 2.0]), geographic=True)
    with pytest.raises(ValueError, match=r"easting \(3,\) and northing \(2,\) must be"):
        flat_coordinates(good, good[:2])
    with pytest.raises(ValueError, match="must be"):
        make_lattice(good[:0], good[:0])
    with pytest.raises(ValueError, match="cell_size must be positive, not 0"):
        make_lattice(good, good, cell_size=0.0)
    with pytest.raises(ValueError, match="most_cells must be at least 1, not 0"):
        make_lattice(good, good, most_cells=0)
