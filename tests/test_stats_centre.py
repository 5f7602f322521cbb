"""Centres of gravity: hand, directions, parts that add up, and weights that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from drivers.stats.centre import centre_sums, centre_track

EAST = np.array([0.0, 10.0, 0.0, 10.0])
NORTH = np.array([0.0, 0.0, 10.0, 10.0])


def at(*places: tuple[float, float]) -> NDArray[np.float64]:
    """Weights on the four corners whose centre is at each place of the unit square."""
    return np.array([[(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y] for x, y in places])


def test_directions() -> None:
    """North, east, south-west, and a year in which nothing moved."""
    track = centre_track(
        centre_sums(at((0.5, 0.5), (0.5, 0.7), (0.8, 0.7), (0.5, 0.4), (0.5, 0.4)), EAST, NORTH)
    )
    np.testing.assert_allclose(track.easting, [5, 5, 8, 5, 5])
    np.testing.assert_allclose(track.northing, [5, 7, 7, 4, 4])
    np.testing.assert_allclose(track.distance, [2, 3, np.hypot(3, 3), 0], atol=1e-14)
    np.testing.assert_allclose(track.azimuth[:3], [0, 90, 225], atol=1e-9)
    assert np.isnan(track.azimuth[3])


@given(seed=st.integers(0, 999), split=st.integers(0, 30))
def test_parts_add_up(seed: int, split: int) -> None:
    rng = np.random.default_rng(seed)
    values, x, y, area = rng.random((5, 30)), rng.random(30), rng.random(30), rng.random(30)
    values[rng.random(values.shape) < 0.02] = np.nan
    whole = centre_sums(values, x, y, area)
    parts = [centre_sums(values[:, s], x[s], y[s], area[s]) for s in (slice(split), slice(split, None))]
    both = parts[0] + parts[1]
    assert (whole.n, whole.missing) == (both.n, both.missing)
    np.testing.assert_allclose(centre_track(whole).easting, centre_track(both).easting, rtol=1e-12)


@given(scale=st.floats(0.01, 100), shift=st.floats(-1e6, 1e6))
def test_units(scale: float, shift: float) -> None:
    """Weights in other units change nothing; moved coordinates move the centre."""
    values = np.random.default_rng(5).random((3, 4))
    one = centre_track(centre_sums(values, EAST, NORTH))
    other = centre_track(centre_sums(scale * values, EAST + shift, NORTH))
    np.testing.assert_allclose(other.easting, one.easting + shift, rtol=1e-12, atol=1e-8)
    np.testing.assert_allclose(other.northing, one.northing, rtol=1e-12)
    areas = centre_track(centre_sums(values, EAST, NORTH, np.full(4, scale)))
    np.testing.assert_allclose(areas.distance, one.distance, rtol=1e-9)


def test_a_hole_in_one_year_moves_nothing() -> None:
    values = np.ones((3, 4))
    values[1, 3] = np.nan
    sums = centre_sums(values, EAST, NORTH)
    assert (sums.n, sums.missing) == (3, 1)
    assert centre_track(sums).distance.tolist() == [0, 0]


def test_negative_weights() -> None:
    values = np.array([[1.0, -1.0, 1.0, 0.0], [1.0, 1.0, -2.0, 0.0]])
    with pytest.raises(ValueError, match=r"2 of 8 values are negative.*`weights: positive`"):
        centre_sums(values, EAST, NORTH)
    track = centre_track(centre_sums(values, EAST, NORTH, weights="positive"))
    assert track.easting.tolist() == [0, 5]
    assert track.northing.tolist() == [5, 0]


def test_edges() -> None:
    values = np.array([[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    track = centre_track(centre_sums(values, EAST, NORTH))
    assert np.isnan(track.easting[0])
    assert np.isnan(track.distance[0])
    assert np.isnan(track.azimuth[0])
    gone = centre_sums(np.full((2, 4), np.nan), EAST, NORTH)
    assert (gone.n, gone.missing) == (0, 4)
    assert np.isnan(centre_track(gone).easting).all()
    assert centre_track(centre_sums(values[1:], EAST, NORTH)).distance.shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"easting": np.zeros(3)}, "easting has shape"),
        ({"northing": np.array([0, 0, 0, np.nan])}, "northing must be finite"),
        ({"areas": np.array([1.0, 1, 1, -1])}, "areas must not be negative"),
        ({"values": np.full((1, 4), np.inf)}, "infinite"),
        ({"values": np.ones(4)}, "need \\(years, pixels\\)"),
    ],
)
def test_faults(change: dict[str, NDArray[np.float64]], message: str) -> None:
    given_ = {"values": np.ones((2, 4)), "easting": EAST, "northing": NORTH, "areas": np.ones(4)} | change
    with pytest.raises(ValueError, match=message):
        centre_sums(**given_)
