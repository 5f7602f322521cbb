"""R/S: brute force, the expectation of Anis & Lloyd, white noise, memory that is there, gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from drivers.stats.persistence import (
    BlockRule,
    block_sizes,
    expected_rescaled_range,
    fit_persistence,
    no_memory,
    persistence_classes,
)

RULES: tuple[BlockRule, ...] = ("all", "halving", "expanding")


def brute(y: NDArray[np.float64], rule: BlockRule, smallest: int) -> float:
    """Hurst exponent of one series, block by block."""
    sizes, means = block_sizes(len(y), rule, smallest), []
    for size in sizes:
        many = 1 if rule == "expanding" else len(y) // size
        ratios = []
        for b in range(many):
            block = y[b * size : (b + 1) * size]
            path = np.cumsum(block - block.mean())
            ratios.append((path.max() - path.min()) / block.std())
        means.append(np.mean(ratios))
    return float(np.polyfit(np.log(sizes), np.log(means), 1)[0])


def fractional_noise(hurst: float, n: int, pixels: int) -> NDArray[np.float64]:
    """Fractional Gaussian noise by the Cholesky factor of its covariance."""
    k = np.arange(n)
    power = 2 * hurst
    lagged = 0.5 * ((k + 1.0) ** power - 2.0 * k**power + np.abs(k - 1.0) ** power)
    factor = np.linalg.cholesky(lagged[np.abs(k[:, None] - k)])
    return np.asarray(factor @ np.random.default_rng(9).normal(size=(n, pixels)))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("n", "smallest"), [(15, 3), (21, 4), (34, 2)])
def test_as_brute_force(rule: BlockRule, n: int, smallest: int) -> None:
    y = 500 + np.random.default_rng(n).normal(size=(n, 5))
    found = fit_persistence(y, range(n), rule=rule, smallest=smallest)
    want = [brute(y[:, i], rule, smallest) for i in range(5)]
    np.testing.assert_allclose(found.hurst, want, rtol=1e-9)


@pytest.mark.parametrize("size", [2, 3, 5, 10, 21])
def test_expected_rescaled_range(size: int) -> None:
    """Anis & Lloyd against 100,000 normal samples."""
    y = np.random.default_rng(size).normal(size=(size, 100_000))
    path = np.cumsum(y - y.mean(axis=0), axis=0)
    ratio = (path.max(axis=0) - path.min(axis=0)) / y.std(axis=0)
    error = ratio.std() / np.sqrt(ratio.size)
    assert abs(ratio.mean() - expected_rescaled_range(size)) <= 4 * error + 1e-12


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n", [15, 21, 34])
def test_white_noise_is_called_persistent_in_five_percent(rule: BlockRule, n: int) -> None:
    """The acceptance number: 5 % ± 1; and above 0.5 stands for nothing."""
    found = fit_persistence(np.random.default_rng(100 + n).normal(size=(n, 20_000)), range(n), rule=rule)
    classes = persistence_classes(found)
    assert 0.04 < (classes == 2).mean() < 0.06
    assert 0.04 < (classes == 0).mean() < 0.06
    assert (found.hurst > 0.5).mean() > 0.6
    assert found.corrected.mean() == pytest.approx(0.5, abs=0.04)


def test_memory_is_found() -> None:
    for hurst, low, high in ((0.9, 0.5, 0.75), (0.7, 0.2, 0.4)):
        found = fit_persistence(fractional_noise(hurst, 34, 4000), range(34))
        assert low < (found.p_persistent <= 0.05).mean() < high
    against = fit_persistence(fractional_noise(0.2, 34, 4000), range(34))
    assert (persistence_classes(against) == 0).mean() > 0.35
    assert (persistence_classes(against) == 2).mean() < 0.01


@given(scale=st.sampled_from([1e-6, -3.0, 1e5]), shift=st.integers(-1000, 1000), rule=st.sampled_from(RULES))
def test_units_change_nothing(scale: float, shift: int, rule: BlockRule) -> None:
    y = np.random.default_rng(11).normal(size=(21, 4))
    one = fit_persistence(y, range(21), rule=rule)
    other = fit_persistence(scale * (y + shift), 1990 + 5 * np.arange(21), rule=rule)
    np.testing.assert_allclose(other.hurst, one.hurst, rtol=1e-8)
    np.testing.assert_allclose(other.p_persistent, one.p_persistent, atol=1e-4)


def test_the_longest_run_is_used() -> None:
    rng = np.random.default_rng(12)
    y = rng.normal(size=(30, 4))
    y[12, 0] = np.nan  # rows 13 to 29 remain
    y[[10, 20], 1] = np.nan  # 10, 9 and 9 years
    y[:, 2] = np.nan
    y[15, 3] = np.nan
    y[0, 3] = np.nan  # two runs of 14: the later one
    found = fit_persistence(y, range(30))
    assert found.n_years.tolist() == [17, 10, 0, 14]
    assert found.hurst[0] == fit_persistence(y[13:, :1], range(17)).hurst[0]
    assert found.hurst[1] == fit_persistence(y[:10, 1:2], range(10)).hurst[0]
    assert np.isnan(found.hurst[2])
    assert found.hurst[3] == fit_persistence(y[16:, 3:], range(14)).hurst[0]
    short = fit_persistence(y, range(30), min_years=15)
    assert np.isnan(short.hurst).tolist() == [False, True, True, True]
    assert persistence_classes(short)[1:].tolist() == [-1, -1, -1]


def test_a_missing_row_is_a_gap_too() -> None:
    y = np.random.default_rng(13).normal(size=(22, 3))
    years = [*range(1990, 2000), *range(2001, 2013)]
    found = fit_persistence(y, years)
    assert found.n_years.tolist() == [12, 12, 12]
    np.testing.assert_array_equal(found.hurst, fit_persistence(y[10:], years[10:]).hurst)


def test_constants_have_no_exponent() -> None:
    y = np.random.default_rng(14).normal(size=(21, 3))
    y[:, 0] = 0.1
    y[:5, 1] = 0.3  # one block of five, others remain
    found = fit_persistence(y, range(21))
    assert np.isnan(found.hurst).tolist() == [True, False, False]
    assert np.isnan(found.p_persistent[0])
    assert np.isnan(found.corrected[0])
    prefix = fit_persistence(y, range(21), rule="expanding")
    assert np.isnan(prefix.hurst).tolist() == [True, True, False]


def test_the_null_is_made_once_and_the_same_each_time() -> None:
    assert no_memory(15) is no_memory(15)
    first = no_memory(15).hurst.copy()
    no_memory.cache_clear()
    np.testing.assert_array_equal(no_memory(15).hurst, first)
    assert (np.diff(first) >= 0).all()
    above, below = no_memory(15).p_values(np.array([9.0, -9.0, np.nan]))
    draws = len(first)
    np.testing.assert_allclose(above, [1 / (draws + 1), 1, np.nan])
    np.testing.assert_allclose(below, [1, 1 / (draws + 1), np.nan])


def test_faults() -> None:
    y = np.ones((12, 1))
    with pytest.raises(ValueError, match="no block rule `thirds`; known: all, halving, expanding"):
        fit_persistence(y, range(12), rule="thirds")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="5 years make 1 block sizes"):
        fit_persistence(y, range(12), min_years=5)
    with pytest.raises(ValueError, match="smallest block"):
        fit_persistence(y, range(12), smallest=1)
    with pytest.raises(ValueError, match="more than once"):
        fit_persistence(y, [0, *range(11)])
    with pytest.raises(ValueError, match="infinite"):
        fit_persistence(y * np.inf, range(12))
    with pytest.raises(ValueError, match="at least 2 values"):
        expected_rescaled_range(1)
    with pytest.raises(ValueError, match="need \\(years, pixels\\)"):
        fit_persistence(y[:, 0], range(12))
    assert fit_persistence(y[:, :0], range(12)).hurst.shape == (0,)
