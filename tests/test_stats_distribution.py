"""Quantiles and densities: against numpy and scipy, on cuts, and where nothing is spread."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from drivers.stats.distribution import POINTS, QUANTILES, find_distribution


def kernel_estimate(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    """scipy's estimate with R's bw.nrd0, mirrored at both ends."""
    sd, iqr = values.std(ddof=1), np.subtract(*np.quantile(values, [0.75, 0.25]))
    width = 0.9 * min(sd, iqr / 1.34) * len(values) ** -0.2
    kde = stats.gaussian_kde(values, bw_method=width / sd)
    return np.asarray(kde(x) + kde(2 * values.min() - x) + kde(2 * values.max() - x))


@pytest.mark.parametrize("seed", [1, 2])
def test_as_a_kernel_estimate_of_every_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(0, 1, 400), rng.normal(5, 2, 300)])
    found = find_distribution(np.concatenate([values, [np.nan]]))
    assert (found.n, found.lowest, found.highest) == (700, values.min(), values.max())
    assert found.quantiles.tolist() == np.quantile(values, QUANTILES).tolist()
    assert found.x[[0, -1]].tolist() == [values.min(), values.max()]
    want = kernel_estimate(values, found.x)
    np.testing.assert_allclose(found.density, want, atol=1e-4 * want.max())


def test_the_density_adds_up_to_one_and_a_cut_is_steep() -> None:
    values = np.random.default_rng(3).exponential(size=100_000)
    found = find_distribution(values)
    assert np.trapezoid(found.density, found.x) == pytest.approx(1.0, abs=0.01)
    assert found.density[0] == found.density.max() > 0.85


def test_a_long_tail_does_not_blur_the_bulk() -> None:
    values = np.random.default_rng(3).normal(size=20_000)
    values[:3] = 1e7, -1e8, 5e6
    found = find_distribution(values)
    assert (found.lowest, found.highest) == (-1e8, 1e7)
    assert -6 < found.x[0] < -4.5 < 4.5 < found.x[-1] < 6
    np.testing.assert_allclose(found.density, stats.norm.pdf(found.x), atol=0.02)


def test_units_scale_and_nothing_else() -> None:
    values = np.random.default_rng(4).normal(size=500)
    one, other = find_distribution(values), find_distribution(1e9 + 1000.0 * values)
    np.testing.assert_allclose(other.density * 1000.0, one.density, rtol=1e-4)
    np.testing.assert_allclose((other.quantiles - 1e9) / 1000.0, one.quantiles, rtol=1e-6, atol=1e-9)


def test_where_nothing_is_spread() -> None:
    equal = find_distribution(np.full(9, 2.5))
    assert (equal.n, equal.quantiles.tolist(), len(equal.x)) == (9, [2.5] * 5, 0)
    none = find_distribution(np.full(3, np.nan))
    assert (none.n, len(none.density)) == (0, 0)
    assert np.isnan(none.quantiles).all()
    mostly = find_distribution(np.array([0.0] * 99 + [1.0]))
    assert len(mostly.x) == POINTS
    assert np.isfinite(mostly.density).all()
    assert find_distribution(np.array([1.0, 2.0])).density.min() > 0
