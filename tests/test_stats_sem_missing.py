"""Full-information maximum likelihood: complete rows, brute force, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import lavaan_models as lm
import numpy as np
import pytest
from scipy import stats
from test_stats_sem_models import random_model

from drivers.stats.sem_errors import influence, parameter_covariance, scores
from drivers.stats.sem_fit import Fit, fit_moments
from drivers.stats.sem_missing import (
    UnseenPair,
    fit_rows,
    incomplete_scaled_test,
    incomplete_scores,
    saturated,
    unrestricted,
)
from drivers.stats.sem_modification import modification_indices
from drivers.stats.sem_patterns import PatternDiscrepancy, pattern_discrepancy, patterns
from drivers.stats.sem_scaling import scaled_test
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Cell, Structure, structure


def holes(rng: np.random.Generator, rows: np.ndarray, share: float = 0.2) -> np.ndarray:
    """Values missing at random: more often where the first column, always seen, is large."""
    lost = rng.random(rows.shape) < share * (0.5 + (rows[:, :1] > rows[:, 0].mean()))
    lost[:, 0] = False
    return np.where(lost, np.nan, rows)


def case(seed: int = 1, n: int = 300) -> tuple[Structure, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    model, sigma = random_model(rng, "covariances", means=True)
    rows = rng.multivariate_normal(np.arange(float(model.observed)), sigma, n)
    return model, rows, holes(rng, rows)


def brute_force(table: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    found = []
    for row in table:
        there = ~np.isnan(row)
        found.append(stats.multivariate_normal.logpdf(row[there], mean[there], cov[np.ix_(there, there)]))
    return np.array(found)


def test_complete_rows_give_what_moments_give() -> None:
    model, rows, _ = case()
    d = 10.0 ** np.arange(-2, model.observed - 2) % 7 + 0.5
    a, b = fit_moments(model, lm.sample_of([rows * d])), fit_rows(model, [rows * d])
    assert b.converged
    assert b.chisq == pytest.approx(a.chisq, abs=1e-8)
    np.testing.assert_allclose(b.estimates, a.estimates, rtol=1e-7, atol=1e-9)
    assert b.log_likelihood == pytest.approx(a.log_likelihood)
    for kind in ("expected", "observed"):
        u, v = parameter_covariance(b, kind), parameter_covariance(a, kind)
        np.testing.assert_allclose(u, v, rtol=1e-6, atol=1e-8 * np.abs(v).max())
    np.testing.assert_allclose(
        incomplete_scores(b, [rows * d]).values, scores(a, [rows * d]).values, rtol=1e-4, atol=1e-5
    )


def test_likelihood_and_its_gradient_by_brute_force() -> None:
    model, _, table = case()
    fit = fit_rows(model, [table])
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(brute_force(table, fit.mean[0], fit.covariance[0]).sum())
    free = unrestricted([table])
    assert free.log_likelihood[0] == pytest.approx(
        brute_force(table, free.sample.mean[0], free.sample.covariance[0]).sum()
    )
    assert fit.unrestricted_log_likelihood == pytest.approx(free.log_likelihood[0])
    assert fit.chisq == pytest.approx(2 * (free.log_likelihood[0] - fit.log_likelihood))
    assert fit.chisq > 0
    found = incomplete_scores(fit, [table]).values
    np.testing.assert_allclose(found.sum(axis=0), 0.0, atol=1e-5)

    def densities(parameters: np.ndarray) -> np.ndarray:
        state, p = fit.scaled.state(fit.scaled.scaled(parameters)), model.observed
        d = fit.scaled.scale
        mean = (state.mean[0] * d + fit.scaled.centre)[:p]
        return brute_force(table, mean, (state.covariance[0] * np.outer(d, d))[:p, :p])

    for k in range(0, model.parameters, 4):
        step = 1e-5 * np.eye(model.parameters)[k]
        numeric = (densities(fit.estimates + step) - densities(fit.estimates - step)) / 2e-5
        np.testing.assert_allclose(found[:, k], numeric, atol=1e-6 * max(1.0, np.abs(numeric).max()))


def test_the_unrestricted_moments_are_an_optimum() -> None:
    _, _, table = case(2)
    free = unrestricted([table])
    best = free.log_likelihood[0]
    rng = np.random.default_rng(0)
    for _ in range(10):
        noise = rng.normal(size=table.shape[1]) * 1e-3
        assert brute_force(table, free.sample.mean[0] + noise, free.sample.covariance[0]).sum() < best
        bent = free.sample.covariance[0] * (1.0 + 1e-3 * np.outer(noise, noise) / 1e-6)
        assert brute_force(table, free.sample.mean[0], bent).sum() < best


def test_values_missing_at_random_bias_nothing() -> None:
    rng = np.random.default_rng(5)
    model, sigma = random_model(rng, "regressions", means=True)
    rows = rng.multivariate_normal(np.zeros(model.observed), sigma, 5000)
    fit = fit_rows(model, [holes(rng, rows, 0.3)])
    errors = np.sqrt(np.diag(parameter_covariance(fit, "observed")))
    truth = fit_moments(model, lm.sample_of([rows])).estimates
    assert np.abs((fit.estimates - truth) / errors).max() < 4.0
    robust = influence(fit, incomplete_scores(fit, [holes(rng, rows, 0.0)]).values)
    assert robust.shape == (5000, model.parameters)


def test_sandwich_of_normal_rows_is_the_observed_information() -> None:
    rng = np.random.default_rng(6)
    model, sigma = random_model(rng, "covariances", means=True)
    table = holes(rng, rng.multivariate_normal(np.zeros(model.observed), sigma, 5000))
    fit = fit_rows(model, [table])
    each = influence(fit, incomplete_scores(fit, [table]).values)
    plain = np.sqrt(np.diag(parameter_covariance(fit, "observed")))
    np.testing.assert_allclose(np.sqrt((each**2).sum(axis=0)), plain, rtol=0.12)


def grouped(seed: int) -> tuple[Structure, list[np.ndarray]]:
    model, _, first = case(seed)
    cells = [model.cell(i) for i in range(len(model.matrix))]
    k = model.parameters
    both = list(cells)
    both += [c._replace(number=c.number + k if c.number >= 0 else -1, group=1) for c in cells]
    rng = np.random.default_rng(seed + 1)
    _, _, second = case(seed, 200)
    second = np.vstack([second, np.full((3, second.shape[1]), np.nan)])
    return structure(model.observed, model.latent, both, groups=2, means=True), [
        first,
        rng.permutation(second),
    ]


def test_groups_add_up_and_empty_rows_count_for_nothing() -> None:
    both, rows = grouped(3)
    fit = fit_rows(both, rows)
    one = structure(
        both.observed,
        both.latent,
        [both.cell(i) for i in range(len(both.matrix)) if both.group[i] == 0],
        means=True,
    )
    parts = [fit_rows(one, [table]) for table in rows]
    assert fit.n == 500
    assert fit.chisq == pytest.approx(sum(p.chisq for p in parts), abs=1e-6)
    np.testing.assert_allclose(fit.chisq_by_group, [p.chisq for p in parts], atol=1e-6)
    assert len(incomplete_scores(fit, rows).values) == 500


def test_gradient_and_information_of_patterns() -> None:
    both, rows = grouped(4)
    fit = fit_rows(both, rows)
    f = fit.discrepancy
    assert isinstance(f, PatternDiscrepancy)
    point = fit.search.point + 0.01
    numeric = [
        (f.value(fit.scaled.state(point + s)) - f.value(fit.scaled.state(point - s))) / 2e-5
        for s in 1e-5 * np.eye(len(point))
    ]
    np.testing.assert_allclose(f.gradient(point), numeric, atol=1e-7)
    # Rows whose moments are the model's own: expected information is the second derivative there.
    sigma, mu = fit.scaled.moments(fit.state)
    own = tuple(
        replace(o, mean=mu[o.group, o.columns], covariance=sigma[o.group][np.ix_(o.columns, o.columns)])
        for o in f.patterns
    )
    there = replace(f, patterns=own)
    second = fit.scaled.derivative(there.gradient, fit.search.point)
    np.testing.assert_allclose(there.information(fit.state), second, atol=1e-8)
    np.testing.assert_allclose(f.curvature(point), fit.scaled.derivative(f.gradient, point), atol=1e-10)
    plain = pattern_discrepancy(fit.scaled, patterns(rows), 2)
    assert plain.value(fit.state) - f.value(fit.state) == pytest.approx(f.unrestricted.sum())


def path_model(fixed: bool) -> Structure:
    cells = [Cell(DIRECTED, 1, 0, number=0), Cell(SYMMETRIC, 1, 1, number=1), Cell(MEAN, 1, 1, number=2)]
    cells += [Cell(SYMMETRIC, 2, 2, number=3), Cell(MEAN, 2, 2, number=4)]
    return structure(3, 0, cells, means=True, exogenous=[0], fixed_x=fixed)


def test_a_fixed_cause_is_conditioned_on() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=200)
    table = holes(rng, np.array([x, x + rng.normal(size=200), rng.normal(size=200)]).T)
    fit = fit_rows(path_model(True), [table])
    assert fit.log_likelihood == pytest.approx(
        brute_force(table, fit.mean[0], fit.covariance[0]).sum()
        - stats.norm.logpdf(x, x.mean(), x.std()).sum()
    )
    found = modification_indices(fit, [Cell(DIRECTED, 2, 0), Cell(SYMMETRIC, 1, 2)])
    for i, cell in enumerate(found.cells):
        freed = [fit.structure.cell(j) for j in range(5)] + [cell._replace(number=5)]
        other: Fit = fit_rows(structure(3, 0, freed, means=True, exogenous=[0], fixed_x=True), [table])
        assert found.index[i] == pytest.approx(fit.chisq - other.chisq, rel=0.2, abs=0.05)


def test_what_cannot_be_fitted_is_refused() -> None:
    rows = np.random.default_rng(8).normal(size=(40, 3))
    lost = rows.copy()
    lost[3, 0] = np.nan
    with pytest.raises(ValueError, match="fixed exogenous variable has missing values"):
        fit_rows(path_model(True), [lost])
    with pytest.raises(ValueError, match="needs means"):
        fit_rows(structure(3, 0, [Cell(SYMMETRIC, 0, 0, number=0)]), [rows])
    with pytest.raises(ValueError, match="1 groups with 3 columns"):
        fit_rows(path_model(True), [rows[:, :2]])
    apart = rows.copy()
    apart[:20, 1] = np.nan
    apart[20:, 2] = np.nan
    with pytest.raises(UnseenPair) as caught:
        unrestricted([rows, apart])
    assert caught.value.columns == (1, 2)
    assert caught.value.group == 1


def test_many_moments_are_left_to_the_em_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, table = case(9)
    polished = unrestricted([table])
    monkeypatch.setattr("drivers.stats.sem_missing.POLISHED", 0)
    found = unrestricted([table])
    np.testing.assert_allclose(found.sample.covariance, polished.sample.covariance, rtol=1e-5, atol=1e-6)
    assert found.log_likelihood[0] == pytest.approx(polished.log_likelihood[0], abs=1e-6)


def test_scaled_test_of_complete_rows_is_that_of_moments() -> None:
    rng = np.random.default_rng(10)
    x = rng.normal(size=300)
    rows = np.array([x, 0.5 * x + rng.standard_t(5, size=300), rng.exponential(size=300)]).T
    model = path_model(True)
    found = incomplete_scaled_test(fit_rows(model, [rows]), [rows])
    plain = scaled_test(fit_moments(model, lm.sample_of([rows])), [rows], "yuan_bentler_mplus")
    assert found.scaling == pytest.approx(plain.scaling, rel=1e-6)
    assert found.chisq == pytest.approx(plain.chisq, rel=1e-6)
    assert found.df == 2
    full = saturated(model)
    assert full.df == 0
    nothing = fit_rows(full, [holes(rng, rows)])
    assert nothing.chisq == pytest.approx(0.0, abs=1e-7)
    assert np.isnan(incomplete_scaled_test(nothing, [rows]).scaling)
