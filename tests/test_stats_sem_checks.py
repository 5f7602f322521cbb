"""What is wrong with a model, how badly it fits, and what its paths add up to."""

from __future__ import annotations

import lavaan_models as lm
import numpy as np
import pytest
from test_stats_sem_models import random_model

from drivers.stats.sem_checks import improper, unidentified
from drivers.stats.sem_errors import parameter_covariance
from drivers.stats.sem_fit import fit_moments
from drivers.stats.sem_indices import approximation
from drivers.stats.sem_moments import sample_moments
from drivers.stats.sem_scaling import ChiSquare, difference_test
from drivers.stats.sem_search import Outcome
from drivers.stats.sem_standardised import explained_variance, residuals
from drivers.stats.sem_structure import DIRECTED, SYMMETRIC, Cell, structure


def test_unidentified_parameters_are_named() -> None:
    """One factor of two indicators beside an identified path: only the factor's are named."""
    cells = [
        Cell(DIRECTED, 0, 4, 1.0),
        Cell(DIRECTED, 1, 4, number=0),
        Cell(SYMMETRIC, 0, 0, number=1),
        Cell(SYMMETRIC, 1, 1, number=2),
        Cell(SYMMETRIC, 4, 4, number=3),
        Cell(DIRECTED, 2, 3, number=4),
        Cell(SYMMETRIC, 2, 2, number=5),
        Cell(SYMMETRIC, 3, 3, number=6),
    ]
    cov = np.eye(4) + 0.5
    fit = fit_moments(structure(4, 1, cells), sample_moments(100, np.zeros(4), cov))
    assert unidentified(fit) == (0, 1, 2, 3)
    assert np.isnan(parameter_covariance(fit)).all()
    nowhere = [*cells, Cell(DIRECTED, 2, 5, number=7)]
    fit = fit_moments(structure(4, 2, nowhere), sample_moments(100, np.zeros(4), cov))
    assert unidentified(fit) == (0, 1, 2, 3, 7)


def test_heywood_cases_are_named() -> None:
    cov = np.array([[1.0, 0.8, 0.8], [0.8, 1.0, 0.5], [0.8, 0.5, 1.0]])
    cells = [Cell(DIRECTED, 0, 3, 1.0), Cell(DIRECTED, 1, 3, number=0), Cell(DIRECTED, 2, 3, number=1)]
    cells += [Cell(SYMMETRIC, i, i, number=2 + i) for i in range(4)]
    fit = fit_moments(structure(3, 1, cells), sample_moments(100, np.zeros(3), cov))
    found = improper(fit)
    assert fit.converged
    assert fit.estimates[2] == pytest.approx(1.0 - 0.64 / 0.5)
    assert (found.negative_variance, found.explained, found.errors, found.latent) == (
        ((0, 0),),
        ((0, 0),),
        (0,),
        (),
    )
    assert found.any
    assert explained_variance(fit)[0, 0] > 1.0


def test_latent_variables_beyond_correlation_one_are_named() -> None:
    within, between = 0.4, 0.55
    cov = np.full((6, 6), between)
    cov[:3, :3] = cov[3:, 3:] = within
    np.fill_diagonal(cov, 1.0)
    cells = [Cell(DIRECTED, i, 6 + i // 3, number=i) for i in range(6)]
    cells += [Cell(SYMMETRIC, i, i, number=6 + i) for i in range(6)]
    cells += [Cell(SYMMETRIC, 6, 6, 1.0), Cell(SYMMETRIC, 7, 7, 1.0), Cell(SYMMETRIC, 6, 7, number=12)]
    fit = fit_moments(structure(6, 2, cells), sample_moments(100, np.zeros(6), cov))
    found = improper(fit)
    assert fit.estimates[12] == pytest.approx(between / within, rel=1e-5)
    assert found.correlation == ((0, 6, 7),)
    assert found.latent == (0,)
    assert found.negative_variance == ()


def test_a_factor_without_an_optimum_runs_away() -> None:
    """Three correlations whose product is negative have no factor."""
    cov = np.array([[1.0, 0.3, 0.3], [0.3, 1.0, -0.3], [0.3, -0.3, 1.0]])
    cells = [Cell(DIRECTED, i, 3, number=i) for i in range(3)] + [Cell(SYMMETRIC, 3, 3, 1.0)]
    cells += [Cell(SYMMETRIC, i, i, number=3 + i) for i in range(3)]
    fit = fit_moments(structure(3, 1, cells), sample_moments(100, np.zeros(3), cov))
    assert fit.search.outcome in (Outcome.RUNAWAY, Outcome.STEPS)
    assert not fit.converged
    assert improper(fit).any


def test_residual_z_is_standard_normal() -> None:
    rng = np.random.default_rng(9)
    model, sigma = random_model(rng, "covariances")
    z = []
    for _ in range(150):
        rows = rng.multivariate_normal(np.zeros(model.observed), sigma, 500)
        found = residuals(fit_moments(model, lm.sample_of([rows]))).z[0]
        z.append(found[np.tril_indices(model.observed, -1)])
    spread = np.nanstd(np.array(z), axis=0)
    assert np.nanmean(spread) == pytest.approx(1.0, abs=0.06)


def test_interval_of_a_huge_misfit() -> None:
    """Far out the interval comes from the normal limit of the noncentral χ²; both agree where they meet."""
    for chisq in (0.9e5, 1.1e5):
        found = approximation(chisq, 20, 1000)
        value = np.sqrt((chisq - 20) / 20000)
        assert found.low < value < found.high
        half = 1.6449 * np.sqrt(2 * (20 + 2 * (chisq - 20))) / (2 * value * 20000)
        assert found.high - found.low == pytest.approx(2 * half, rel=0.02)


def test_close_fit_of_a_huge_misfit_has_a_finite_log_p() -> None:
    """Where the tail underflows a saddlepoint takes over; there it goes on as the exact one does."""
    chisq = np.array([1500.0, 1600.0, 1700.0, 1800.0, 1900.0, 2100.0, 2300.0])
    found = np.array([approximation(c, 24, 1000).log_p_close for c in chisq])
    assert np.isfinite(found).all()
    assert found[0] > -700 > found[-1]
    slopes = np.diff(found) / np.diff(chisq)
    assert (np.diff(slopes) < 0).all()
    assert slopes.min() == pytest.approx(slopes.max(), rel=0.15)


def test_difference_of_scaled_tests() -> None:
    found = difference_test(ChiSquare(50.0, 10, 0.0, 1.2), ChiSquare(30.0, 6, 0.0, 1.1))
    factor = (10 * 1.2 - 6 * 1.1) / 4
    assert found.scaling == pytest.approx(factor)
    assert found.chisq == pytest.approx((60.0 - 33.0) / factor)
    against_saturated = difference_test(ChiSquare(12.0, 3, 0.0, 1.5), ChiSquare(0.0, 0, 0.0, float("nan")))
    assert against_saturated.chisq == pytest.approx(12.0)
    assert np.isnan(difference_test(ChiSquare(12.0, 3, 0.0, 0.1), ChiSquare(1.0, 2, 0.0, 2.0)).chisq)
    with pytest.raises(ValueError, match="2 degrees of freedom are not more than 3"):
        difference_test(ChiSquare(1.0, 2, 0.0), ChiSquare(1.0, 3, 0.0))
