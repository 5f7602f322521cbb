"""Years of increase and decrease: brute force, laws, gaps, and the mean of a region."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from drivers.stats.frequency import adjacent_years, change_frequency, region_changes

CELLS = hnp.arrays(
    np.float64, (8, 5), elements=st.one_of(st.integers(-3, 3).map(float), st.just(float("nan")))
)


@given(y=CELLS)
def test_as_brute_force(y: NDArray[np.float64]) -> None:
    found = change_frequency(y, range(8))
    for i in range(5):
        pairs = [(a, b) for a, b in zip(y[:-1, i], y[1:, i], strict=True) if not np.isnan(a + b)]
        assert found.increases[i] == sum(b > a for a, b in pairs)
        assert found.decreases[i] == sum(b < a for a, b in pairs)
        assert found.unchanged[i] == sum(b == a for a, b in pairs)
        assert found.pairs[i] == len(pairs)


@given(y=CELLS)
def test_time_reversed_swaps_the_two(y: NDArray[np.float64]) -> None:
    one, back, mirror = (change_frequency(v, range(8)) for v in (y, y[::-1], -y))
    for other in (back, mirror):
        np.testing.assert_array_equal(one.increases, other.decreases)
        np.testing.assert_array_equal(one.decreases, other.increases)
        np.testing.assert_array_equal(one.unchanged, other.unchanged)


def test_a_jump_of_the_years_is_no_pair() -> None:
    y = np.arange(5.0)[:, None]
    assert change_frequency(y, [2000, 2001, 2003, 2004, 2005]).pairs.tolist() == [3]
    assert change_frequency(y, [2000, 2005, 2010, 2015, 2020]).pairs.tolist() == [4]
    assert change_frequency(y[:1], [2000]).pairs.tolist() == [0]
    assert adjacent_years([2000.0, 2000.08, 2000.17, 2000.25, 2000.5], 5).tolist() == [
        True,
        True,
        True,
        False,
    ]


def test_tolerance() -> None:
    y = np.array([[0.0, 0.5, 0.0, 2.0, -2.0]]).T
    found = change_frequency(y, range(5), tolerance=0.5)
    assert (found.increases[0], found.decreases[0], found.unchanged[0]) == (1, 1, 2)
    for fault in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="tolerance"):
            change_frequency(y, range(5), tolerance=fault)


def test_region_is_the_weighted_mean() -> None:
    rng = np.random.default_rng(1)
    y, area = rng.normal(size=(10, 50)), rng.uniform(1, 2, 50)
    found = region_changes(y, range(10), area)
    mean = y @ area / area.sum()
    np.testing.assert_allclose(found.mean_change, np.diff(mean), atol=1e-14)
    counts = found.frequency()
    assert counts.increases[0] == (np.diff(mean) > 0).sum()
    assert counts.pairs[0] == 9
    np.testing.assert_allclose(found.rising_share, (np.diff(y, axis=0) > 0) @ area / area.sum())
    np.testing.assert_allclose(found.rising_share + found.falling_share, 1)


def test_pixels_that_come_and_go_are_no_change() -> None:
    y = np.array([[1.0, 1.0, 1.0], [100.0, np.nan, 100.0]]).T
    found = region_changes(y, range(3))
    assert found.mean_change.tolist() == [0, 0]
    assert found.frequency().unchanged.tolist() == [2]


@given(y=CELLS)
def test_parts_of_a_region_add_up(y: NDArray[np.float64]) -> None:
    whole = region_changes(y, range(8))
    parts = region_changes(y[:, :2], range(8)) + region_changes(y[:, 2:], range(8))
    np.testing.assert_array_equal(whole.change, parts.change)
    np.testing.assert_array_equal(whole.weight, parts.weight)
    np.testing.assert_array_equal(whole.rising_share, parts.rising_share)


def test_region_edges() -> None:
    found = region_changes(np.full((3, 2), np.nan), [1, 2, 4])
    assert np.isnan(found.mean_change).all()
    assert found.frequency().pairs.tolist() == [0]
    with pytest.raises(ValueError, match="more than once"):
        region_changes(np.ones((2, 1)), [1, 1])
    with pytest.raises(ValueError, match="tolerance"):
        found.frequency(tolerance=-1)
