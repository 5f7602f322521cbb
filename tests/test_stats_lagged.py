"""Sums over pairs by distance: equal to a loop over all pairs, and blind to order, place and padding."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from drivers.stats import lagged as lagged_room
from drivers.stats import near_lags as near_room
from drivers.stats import pixel_rows as rows_room
from drivers.stats.correlogram import bin_edges, matern
from drivers.stats.lagged import begin_lagged, lagged_moments
from drivers.stats.lattice import Lattice, make_lattice
from drivers.stats.pixel_rows import pixel_rows

RTOL = 1e-10
"""FFTs of a few thousand cells lose two or three of sixteen digits."""

COARSER = {3000: 0.03, 1000: 0.05}
"""Sums Σ ρ(d) S(d) after one and after two coarsenings of a map of 90 × 110, against those on the map
itself: 0.029 and 0.046 were the worst of 5 columns × 15 correlograms × 2 masks. Odd numbers of rows leave
half-filled cells at the edge."""


def lattice_of(mask):
    north, east = np.nonzero(mask)
    return make_lattice(east * 1.0, north * 1.0, cell_size=1.0)


def by_pairs(columns, grid):
    """Distance and products of every ordered pair, the pixel with itself first: sums by bin."""
    x = np.vstack([np.ones(len(grid)), columns - columns.mean(axis=1, keepdims=True)])
    d = np.hypot(
        (grid.row[:, None] - grid.row) * grid.height, (grid.column[:, None] - grid.column) * grid.width
    )
    rows, cols = grid.shape
    farthest = np.hypot(grid.height * (2 * rows), grid.width * (2 * cols))
    bins = np.digitize(d, bin_edges(farthest, min(grid.height, grid.width))) + 1
    np.fill_diagonal(bins, 0)
    out = []
    for b in np.unique(bins):
        s, t = np.nonzero(bins == b)
        out.append((d[s, t].mean(), x[:, s] @ x[:, t].T))
    return np.array([o[0] for o in out]), np.array([o[1] for o in out])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.2, 1.0), st.integers(0, 2**32 - 1))
def test_equals_a_loop_over_all_pairs(rows, columns, filled, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, columns)) < filled
    mask.flat[0] = True
    grid = lattice_of(mask)
    x = rng.normal(size=(3, len(grid))) + np.array([[0.0], [5.0], [100.0]])
    found = lagged_moments(x, grid)
    distance, cross = by_pairs(x, grid)
    np.testing.assert_allclose(found.distance, distance, rtol=RTOL)
    np.testing.assert_allclose(found.cross, cross, rtol=RTOL, atol=RTOL * len(grid) ** 2)
    assert found.pairs.sum() == pytest.approx(len(grid) ** 2)


def test_pixels_that_share_a_cell_make_pairs_at_distance_zero():
    rng = np.random.default_rng(4)
    grid = Lattice(rng.integers(0, 4, 60), rng.integers(0, 5, 60), (4, 5), 2.0, 3.0, False)
    x = rng.normal(size=(2, 60))
    found = lagged_moments(x, grid)
    distance, cross = by_pairs(x, grid)
    assert found.distance[:2].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(found.distance, distance, rtol=RTOL)
    np.testing.assert_allclose(found.cross, cross, atol=RTOL * 3600)


def test_a_combination_of_columns_needs_no_pixel():
    rng = np.random.default_rng(1)
    grid = lattice_of(rng.random((12, 17)) < 0.6)
    x = rng.normal(size=(4, len(grid)))
    weights = rng.normal(size=(2, 4))
    wide, made = lagged_moments(x, grid).extend(weights), lagged_moments(np.vstack([x, weights @ x]), grid)
    np.testing.assert_allclose(wide.cross, made.cross, atol=1e-9)
    np.testing.assert_allclose(wide.cells.sums, made.cells.sums, atol=1e-12)
    alone = lagged_moments(weights @ x, grid).autocovariance(np.eye(2))
    np.testing.assert_allclose(lagged_moments(x, grid).autocovariance(weights), alone, atol=1e-10)


def test_order_place_and_padding_change_nothing():
    rng = np.random.default_rng(2)
    mask = np.zeros((30, 40), dtype=bool)
    mask[5:15, 7:22] = rng.random((10, 15)) < 0.7
    north, east = np.nonzero(mask)
    x = rng.normal(size=(2, len(north)))
    base = lagged_moments(x, make_lattice(east * 1.0, north * 1.0))
    order = rng.permutation(len(north))
    for other in (
        lagged_moments(x[:, order], make_lattice(east[order] * 1.0, north[order] * 1.0)),
        lagged_moments(x, make_lattice(east + 1e4, north - 3e5)),
        lagged_moments(x, Lattice(north, east, mask.shape, 1.0, 1.0, True)),
    ):
        filled = other.pairs > 0.5
        np.testing.assert_allclose(other.distance[filled], base.distance, rtol=1e-9)
        np.testing.assert_allclose(other.cross[filled], base.cross, atol=1e-9)


def test_longitude_and_latitude_are_kilometres():
    north, east = (v.ravel() for v in np.mgrid[0:6, 0:8])
    x = np.random.default_rng(3).normal(size=(1, 48))
    grid = make_lattice(110 + 0.1 * east, 42 + 0.1 * north, geographic=True)
    found = lagged_moments(x, grid)
    assert found.distance[1] == pytest.approx(0.1 * 111.195 * np.cos(np.deg2rad(42.25)), rel=1e-3)


@pytest.mark.parametrize("most", COARSER)
@pytest.mark.parametrize("shape", ["full", "sparse"])
def test_large_grids_are_made_coarser(shape, most):
    rng = np.random.default_rng(5)
    mask = np.ones((90, 110), dtype=bool) if shape == "full" else rng.random((90, 110)) < 0.4
    smooth = ndimage.gaussian_filter(rng.normal(size=(90, 110)), 4)
    x = np.vstack([smooth[mask] / smooth.std(), rng.normal(size=mask.sum())])
    grid = lattice_of(mask)
    whole, wider = lagged_moments(x, grid), lagged_moments(x, grid, most_cells=most)
    assert len(wider.cells.row) <= most
    assert wider.pairs.sum() == pytest.approx(len(grid) ** 2)
    np.testing.assert_allclose(wider.cross[0], whole.cross[0], rtol=RTOL, atol=1e-9)
    for reach in (1.0, 3.0, 10.0):
        # Of the pairs alone, and of the smooth column; the mean of a white one is only noise.
        a, b = (np.einsum("b,bjj->j", matern(m.distance / reach, 0.5), m.cross)[:2] for m in (whole, wider))
        np.testing.assert_allclose(b, a, rtol=COARSER[most])


@pytest.mark.parametrize("filled", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("oblong", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_near_lags_are_exact_on_the_finest_grid(filled, oblong, compiled, monkeypatch):
    monkeypatch.setattr(near_room, "COMPILED", 0 if compiled else 1000)
    monkeypatch.setattr(near_room, "SHARED", 150)
    rng = np.random.default_rng(8)
    row, column = np.nonzero(rng.random((24, 21)) < filled)
    grid = Lattice(row, column, (24, 21), 2.0 if oblong else 1.0, 1.0, True)
    x = rng.normal(size=(3, len(grid)))
    found = lagged_moments(x, grid, most_cells=150)
    ones = np.vstack([np.ones(len(grid)), x - x.mean(axis=1, keepdims=True)])
    apart = np.sort(np.abs([row[:, None] - row, column[:, None] - column]), axis=0)
    rings = [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 2)]
    if oblong:
        apart = np.abs([row[:, None] - row, column[:, None] - column])
        rings = [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 0), (2, 1), (2, 2), (2, 0), (3, 0)]
    for down, right in rings:
        s, t = np.nonzero((apart[0] == down) & (apart[1] == right))
        # Pixels with themselves, then nothing at distance 0, then the near lags; the coarser grid's follow.
        distance = np.hypot(down * grid.height, right * grid.width)
        bins = [2 + j for j in range(len(rings)) if found.distance[2 + j] == pytest.approx(distance)]
        near = next(j for j in bins if found.pairs[j] == len(s))
        np.testing.assert_allclose(found.cross[near], ones[:, s] @ ones[:, t].T, atol=1e-9)
    assert found.pairs.sum() == pytest.approx(len(grid) ** 2)


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (2, 1500)])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_line_longer_than_a_grid(shape, compiled, monkeypatch):
    monkeypatch.setattr(near_room, "COMPILED", 0 if compiled else 10_000)
    monkeypatch.setattr(near_room, "SHARED", 200)
    rng = np.random.default_rng(10)
    grid = lattice_of(np.ones(shape, dtype=bool))
    x = np.cumsum(rng.normal(size=(2, 3000)), axis=1)
    whole, wider = lagged_moments(x, grid), lagged_moments(x, grid, most_cells=1000)
    a, b = (np.einsum("b,bjj->j", matern(m.distance / 20.0, 0.5), m.cross) for m in (whole, wider))
    np.testing.assert_allclose(b, a, rtol=COARSER[1000])


def test_columns_may_be_a_list_and_pixels_in_any_order():
    rng = np.random.default_rng(12)
    mask = rng.random((40, 50)) < 0.7
    grid = lattice_of(mask)
    upside_down = Lattice(grid.row.max() - grid.row, grid.column, grid.shape, 1.0, 1.0, True)
    x = rng.normal(size=(3, len(grid)))
    for place in (grid, upside_down):
        for most in (10_000, 300):
            base = lagged_moments(x, place, most_cells=most)
            for columns in (list(x), x.astype(np.float64, order="F")):
                found = lagged_moments(columns, place, most_cells=most)
                np.testing.assert_array_equal(found.cross, base.cross)
                np.testing.assert_array_equal(found.cells.sums, base.cells.sums)


@pytest.mark.parametrize("most", [10_000, 300])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_strata_pick_their_rows_of_one_table(most, shared, compiled, monkeypatch):
    """From rows about the mean of all pixels, some of them far off it, the same numbers as from their own."""
    monkeypatch.setattr(near_room, "COMPILED", 0 if compiled else 10_000)
    rng = np.random.default_rng(14)
    row, column = np.nonzero(rng.random((40, 50)) < 0.7)
    if shared:
        row, column = (np.sort(np.concatenate([v, v[:200]])) for v in (row, column))
        order = np.lexsort([column, row])
        row, column = row[order], column[order]
    x = rng.normal(size=(3, len(row))) + 100.0 * (column > 25)
    centre = x.mean(axis=1)
    mine = (column > 25) & (rng.random(len(row)) < 0.8)
    codes = np.where(mine, rng.integers(0, 2, len(row)) * 2, 1).astype(np.int32)
    table = Lattice(row, column, (40, 50), 1.0, 1.0, True)
    pixels = pixel_rows(lambda start, stop: x[:, start:stop], table, centre, codes)
    at = np.flatnonzero(mine)
    grid = Lattice(row[at], column[at], (40, 50), 1.0, 1.0, True)
    with ThreadPoolExecutor(2) as pool:
        found = begin_lagged(pixels, np.array([True, False, True]), pool, most)()
    alone = lagged_moments(x[:, at], grid, most_cells=most)
    np.testing.assert_allclose(found.distance, alone.distance)
    np.testing.assert_allclose(found.centre, alone.centre)
    # Products of columns fifty deviations off their mean over all pairs are 1e9: 1e-15 of that.
    np.testing.assert_allclose(found.cross, alone.cross, atol=1e-6)
    np.testing.assert_allclose(found.cells.sums, alone.cells.sums, atol=1e-9)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_number_of_threads_changes_no_bit(compiled, monkeypatch):
    monkeypatch.setattr(near_room, "COMPILED", 0 if compiled else 10_000)
    monkeypatch.setattr(near_room, "SHARED", 500)
    monkeypatch.setattr(rows_room, "PART", 700)
    rng = np.random.default_rng(13)
    grid = lattice_of(rng.random((120, 90)) < 0.6)
    x = rng.normal(size=(4, len(grid)))
    found = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(lagged_room, "WORKERS", threads)
        monkeypatch.setattr(rows_room, "WORKERS", threads)
        found.append(lagged_moments(x, grid, most_cells=1000).cross)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_one_pixel_and_one_cell():
    one = Lattice(np.zeros(1, dtype=int), np.zeros(1, dtype=int), (1, 1), 1.0, 1.0, True)
    found = lagged_moments(np.array([[3.0]]), one)
    assert (found.n, found.distance.tolist(), found.pairs.tolist()) == (1, [0.0], [1.0])
    many = Lattice(np.zeros(4, dtype=int), np.zeros(4, dtype=int), (1, 1), 1.0, 1.0, False)
    assert lagged_moments(np.arange(4.0)[None], many).pairs.tolist() == [4.0, 12.0]


def test_messages():
    grid = lattice_of(np.ones((2, 2), dtype=bool))
    with pytest.raises(ValueError, match=r"^columns \[\(3,\)\] must be \(n,\) with a place on the lattice"):
        lagged_moments(np.zeros((1, 3)), grid)
    with pytest.raises(ValueError, match=r"^most_cells must be at least 1, not 0$"):
        lagged_moments(np.zeros((1, 4)), grid, most_cells=0)
    back = Lattice(grid.row[::-1], grid.column[::-1], grid.shape, 1.0, 1.0, True)
    with pytest.raises(ValueError, match=r"^pixels must follow each other as their cells do$"):
        pixel_rows(lambda start, stop: np.zeros((1, stop - start)), back, np.zeros(1))
