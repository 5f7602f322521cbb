"""Errors between slopes, and of standardised slopes, where neighbours are alike."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.stats.effective import Dependence, effective_n
from drivers.stats.lagged import lagged_moments
from drivers.stats.lattice import make_lattice
from drivers.stats.linear import least_squares, standardised_error
from drivers.stats.moments import moments
from drivers.stats.slope_dependence import slope_correlation, standardised_slope_errors

SIDE = 36


def smooth(rng: np.random.Generator, reach: float) -> np.ndarray:
    """A Gaussian field on a torus, shape (SIDE²,); white where the reach is 0."""
    if reach == 0:
        return rng.normal(size=SIDE**2)
    lag = np.minimum(np.arange(SIDE), SIDE - np.arange(SIDE))
    spectrum = np.fft.fft2(np.exp(-np.hypot(lag[:, None], lag) / reach)).real
    noise = rng.normal(size=(SIDE, SIDE)) + 1j * rng.normal(size=(SIDE, SIDE))
    return np.fft.fft2(noise * np.sqrt(np.maximum(spectrum, 0.0) / SIDE**2)).real.ravel()


def fitted(columns: np.ndarray) -> tuple[Dependence, np.ndarray, np.ndarray, np.ndarray]:
    """The last column on the others: dependence, slopes, their covariance, standardised errors."""
    north, east = np.divmod(np.arange(SIDE**2), SIDE)
    near = Dependence(lagged_moments(columns, make_lattice(east * 1.0, north * 1.0)))
    y, x = len(columns) - 1, list(range(len(columns) - 1))
    whole = moments(columns)
    plain = least_squares(whole, y, x)
    error = plain.std_error * effective_n(near, y, x).std_error_factor
    covariance = slope_correlation(near, y, x) * np.outer(error, error)
    std = standardised_slope_errors(near, y, x, plain.coefficients, covariance, whole.covariance)
    return near, plain.coefficients, covariance, std


def test_independent_pixels_have_the_errors_of_textbooks() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, SIDE**2))
    x[1] += 0.6 * x[0]
    columns = np.vstack([x, 0.7 * x[0] - 0.3 * x[1] + rng.normal(size=SIDE**2)])
    _, slopes, covariance, std = fitted(columns)
    whole = moments(columns)
    plain = least_squares(whole, 2, [0, 1])
    correlation = plain.covariance / np.outer(plain.std_error, plain.std_error)
    assert covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]) == pytest.approx(
        correlation[0, 1], abs=0.03
    )
    unit = whole.sd[:2] / whole.sd[2]
    r = whole.covariance[:2, 2] / (whole.sd[:2] * whole.sd[2])
    wanted = standardised_error(slopes * unit, plain.std_error, unit, plain.r2, r, SIDE**2)
    np.testing.assert_allclose(std, wanted, rtol=0.1)


def test_rough_errors_leave_the_spread_of_a_smooth_driver_unknown() -> None:
    """The spread over worlds of a standardised slope, and of a sum of slopes, is what the errors say."""
    estimates, errors, sums, of_sums, naive = [], [], [], [], []
    for seed in range(80):
        rng = np.random.default_rng([seed, 7])
        x = np.array([smooth(rng, 6.0), smooth(rng, 0.0)])
        x[1] = 0.5 * x[1] + 0.8 * x[0]
        columns = np.vstack([x, x[0] + 0.5 * x[1] + 0.5 * smooth(rng, 0.0)])
        _, slopes, covariance, std = fitted(columns)
        sd = columns.std(axis=1)
        estimates.append(slopes[0] * sd[0] / sd[2])
        errors.append(std[0])
        sums.append(slopes.sum())
        of_sums.append(np.sqrt(covariance.sum()))
        naive.append(np.sqrt(np.trace(covariance)))
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.3)
    assert np.mean(of_sums) == pytest.approx(np.std(sums), rel=0.3)
    assert np.mean(naive) > 1.2 * np.mean(of_sums)


def test_what_varies_not_is_refused() -> None:
    north, east = np.divmod(np.arange(SIDE**2), SIDE)
    columns = np.array([np.ones(SIDE**2), np.random.default_rng(1).normal(size=SIDE**2)])
    near = Dependence(lagged_moments(columns, make_lattice(east * 1.0, north * 1.0)))
    with pytest.raises(np.linalg.LinAlgError, match="constant column"):
        slope_correlation(near, 1, [0])
