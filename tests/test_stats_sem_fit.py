"""Laws of the optimum: units, gradients, groups, equality, and what is wrong with a model."""

from __future__ import annotations

import lavaan_models as lm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_stats_sem_models import KINDS, random_model

from drivers.stats.likelihood import chi_square
from drivers.stats.sem_errors import information, parameter_covariance
from drivers.stats.sem_fit import MomentDiscrepancy, fit_moments, scaled_model
from drivers.stats.sem_moments import SampleMoments, sample_moments
from drivers.stats.sem_scaling import difference_test, plain_test
from drivers.stats.sem_search import Outcome, minimise
from drivers.stats.sem_standardised import residuals, standardised
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Cell, Structure, structure

SEEDS = st.integers(0, 10**6)


def drawn(seed: int, kind: str, *, means: bool = False, n: int = 400) -> tuple[Structure, SampleMoments]:
    rng = np.random.default_rng(seed)
    model, sigma = random_model(rng, kind, means=means)
    rows = rng.multivariate_normal(rng.normal(0, 2, model.observed), sigma, n)
    return model, sample_moments(n, rows.mean(axis=0), np.cov(rows.T, ddof=0))


@settings(max_examples=40)
@given(SEEDS, st.sampled_from(KINDS), st.booleans())
def test_units_change_nothing(seed: int, kind: str, means: bool) -> None:
    model, sample = drawn(seed, kind, means=means)
    d = 10.0 ** np.random.default_rng(seed).uniform(-4, 4, model.observed)
    # A marker's loading is in units of its latent variable, so that all of one variable's share a unit.
    for i in range(len(model.matrix)):
        if model.matrix[i] == DIRECTED and model.value[i] == 1.0:
            d[model.row[i]] = 1.0
    shifted = sample.mean * d + 100.0 * d
    moved = SampleMoments(sample.n, shifted, sample.covariance * np.outer(d, d))
    a, b = fit_moments(model, sample), fit_moments(model, moved)
    assert a.search.outcome == b.search.outcome
    if a.converged:
        assert b.chisq == pytest.approx(a.chisq, rel=1e-6, abs=1e-6)
        u, v = standardised(a), standardised(b)
        path = model.matrix != MEAN
        np.testing.assert_allclose(v.values[path], u.values[path], rtol=1e-5, atol=1e-6)
        errors = [
            np.sqrt(np.einsum("ij,jk,ik->i", s.jacobian, parameter_covariance(f), s.jacobian))
            for s, f in ((u, a), (v, b))
        ]
        np.testing.assert_allclose(errors[1][path], errors[0][path], rtol=1e-4, atol=1e-6)


def test_units_of_the_issue() -> None:
    """semopy reports success at χ² 3218 for this one."""
    gold = lm.lavaan()["keeley_docs_chain"]
    parsed = lm.parse(gold["model"])
    sample = lm.sample_of([lm.table("keeley")[parsed.columns].to_numpy(dtype=float)])
    d = np.array([1e4, 1e-4, 1.0, 1e4])
    found = fit_moments(
        parsed.structure, SampleMoments(sample.n, sample.mean * d, sample.covariance * np.outer(d, d))
    )
    assert found.chisq == pytest.approx(gold["fit"]["chisq"], abs=1e-6)


def test_noise_on_a_far_mean() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=500)
    rows = np.array([0.7 * x + rng.normal(size=500), x + 1e7]).T
    cells = [
        Cell(DIRECTED, 0, 1, number=0),
        Cell(SYMMETRIC, 0, 0, number=1),
        Cell(SYMMETRIC, 1, 1, number=2),
        Cell(MEAN, 0, 0, number=3),
        Cell(MEAN, 1, 1, number=4),
    ]
    centred = rows - rows.mean(axis=0)
    sample = sample_moments(500, rows.mean(axis=0), centred.T @ centred / 500)
    fit = fit_moments(structure(2, 0, cells, means=True, exogenous=[1]), sample)
    slope = sample.covariance[0, 0, 1] / sample.covariance[0, 1, 1]
    assert fit.converged
    assert fit.estimates[0] == pytest.approx(slope, rel=1e-9)
    assert fit.estimates[3] == pytest.approx(sample.mean[0, 0] - slope * sample.mean[0, 1], rel=1e-9)


@settings(max_examples=30)
@given(SEEDS, st.sampled_from(KINDS), st.booleans())
def test_gradient_and_information_are_derivatives(seed: int, kind: str, means: bool) -> None:
    model, sample = drawn(seed, kind, means=means)
    fit = fit_moments(model, sample)
    rng = np.random.default_rng(seed)
    point = fit.search.point + rng.normal(0, 0.02, model.parameters)
    f, scaled = fit.discrepancy, fit.scaled
    assert isinstance(f, MomentDiscrepancy)
    if not np.isfinite(f.value(scaled.state(point))):
        return
    gradient, h = np.asarray(f.gradient(point)), 1e-5
    steps = h * np.eye(model.parameters)
    numeric = [(f.value(scaled.state(point + s)) - f.value(scaled.state(point - s))) / (2 * h) for s in steps]
    np.testing.assert_allclose(
        gradient, numeric, rtol=2e-5, atol=2e-7 * max(1.0, np.abs(gradient).max(initial=0.0))
    )
    # At a population that the model implies, the expected information is the second derivative.
    implied = scaled.moments(fit.state)
    there = MomentDiscrepancy(scaled, implied[0], implied[1], f.weight)
    second = scaled.derivative(there.gradient, fit.search.point)
    np.testing.assert_allclose(there.information(fit.state), second, rtol=1e-7, atol=1e-7)


@settings(max_examples=30)
@given(SEEDS, st.booleans())
def test_recursive_paths_have_the_chisq_of_their_equations(seed: int, means: bool) -> None:
    model, sample = drawn(seed, "path", means=means)
    s, n = sample.covariance[0], float(sample.n[0])
    before = {r: list(range(r)) for r in range(model.observed)}
    free = []
    restricted = []
    x = set(model.exogenous)
    for r in sorted(set(range(model.observed)) - x):
        at = (model.matrix == DIRECTED) & (model.row == r)
        parents = model.column[at].tolist()
        everything = sorted(x | {c for c in before[r] if c not in x})
        restricted.append(-0.5 * n * np.log(_left(s, r, parents)))
        free.append(-0.5 * n * np.log(_left(s, r, everything)))
    fit = fit_moments(model, sample)
    assert fit.chisq == pytest.approx(chi_square(restricted, free, max(fit.df, 1))[0], abs=1e-6)
    assert fit.search.steps <= 1


def _left(s: np.ndarray, r: int, parents: list[int]) -> float:
    if not parents:
        return float(s[r, r])
    return float(s[r, r] - s[r, parents] @ np.linalg.solve(s[np.ix_(parents, parents)], s[parents, r]))


def two_groups(seed: int, *, equal: bool, means: bool) -> tuple[Structure, SampleMoments]:
    rng = np.random.default_rng(seed)
    model, sigma = random_model(rng, "covariances", means=means)
    k, cells = model.parameters, [model.cell(i) for i in range(len(model.matrix))]
    other = []
    shared: dict[int, int] = {}
    for c in cells:
        number = c.number
        if c.number >= 0:
            loading = c.matrix == DIRECTED
            shared[c.number] = (
                c.number if equal and loading else k + len(set(shared.values()) - set(range(k)))
            )
            number = shared[c.number]
        other.append(c._replace(number=number, group=1))
    both = structure(model.observed, model.latent, [*cells, *other], groups=2, means=means)
    draws = [rng.multivariate_normal(np.full(model.observed, g), sigma, 300 + 100 * g) for g in range(2)]
    return both, lm.sample_of(draws)


@settings(max_examples=15)
@given(SEEDS, st.booleans())
def test_free_groups_add_up(seed: int, means: bool) -> None:
    both, sample = two_groups(seed, equal=False, means=means)
    one = structure(
        both.observed,
        both.latent,
        [both.cell(i) for i in range(len(both.matrix)) if both.group[i] == 0],
        means=means,
    )
    fit = fit_moments(both, sample)
    parts = [
        fit_moments(
            one, SampleMoments(sample.n[g : g + 1], sample.mean[g : g + 1], sample.covariance[g : g + 1])
        )
        for g in range(2)
    ]
    assert all(p.converged for p in (*parts, fit))
    assert fit.chisq == pytest.approx(sum(p.chisq for p in parts), abs=1e-6)
    np.testing.assert_allclose(fit.chisq_by_group, [p.chisq for p in parts], atol=1e-6)
    assert fit.df == sum(p.df for p in parts)
    assert fit.log_likelihood == pytest.approx(sum(p.log_likelihood for p in parts))
    np.testing.assert_allclose(
        fit.estimates, np.concatenate([p.estimates for p in parts]), rtol=1e-5, atol=1e-6
    )


@settings(max_examples=10)
@given(SEEDS, st.booleans())
def test_equal_loadings_are_equal_and_cost(seed: int, means: bool) -> None:
    both, sample = two_groups(seed, equal=True, means=means)
    free, _ = two_groups(seed, equal=False, means=means)
    a, b = fit_moments(free, sample), fit_moments(both, sample)
    assert b.converged
    p = both.observed
    np.testing.assert_allclose(b.directed[0, :p, p:], b.directed[1, :p, p:], rtol=1e-12)
    found = difference_test(plain_test(b), plain_test(a))
    assert found.chisq > -1e-8
    assert found.df == free.parameters - both.parameters


def test_equal_intercepts_of_far_means() -> None:
    """Shared intercepts do not follow the slopes, so that they are found in raw units."""
    both, sample = two_groups(7, equal=True, means=True)
    cells = []
    for i in range(len(both.matrix)):
        c = both.cell(i)
        if c.matrix == MEAN:
            c = c._replace(
                number=next(
                    int(both.number[j])
                    for j in range(len(both.matrix))
                    if both.matrix[j] == MEAN and both.group[j] == 0 and both.row[j] == c.row
                )
            )
        cells.append(c)
    kept = sorted({c.number for c in cells if c.number >= 0})
    cells = [c._replace(number=kept.index(c.number)) if c.number >= 0 else c for c in cells]
    k = len(kept)
    latent = range(both.observed, both.variables)
    cells += [Cell(MEAN, f, f, number=k + i, group=1) for i, f in enumerate(latent)]
    model = structure(both.observed, both.latent, cells, groups=2, means=True)
    near = fit_moments(model, sample)
    far = fit_moments(model, SampleMoments(sample.n, sample.mean + 1e5, sample.covariance))
    assert near.converged
    assert far.converged
    assert far.chisq == pytest.approx(near.chisq, abs=1e-5)
    means = [
        int(n)
        for n, m, g in zip(model.number, model.matrix, model.group, strict=True)
        if m == MEAN and g == 0
    ]
    np.testing.assert_allclose(far.estimates[means] - 1e5, near.estimates[means], atol=1e-5)
    np.testing.assert_allclose(far.estimates[k:], near.estimates[k:], atol=1e-6)
    assert (near.estimates[k:] != 0).all()


def test_cyclic_paths_with_instruments() -> None:
    """y0 ⇄ y1 with a cause of its own each: identified, and found."""
    cells = [
        Cell(DIRECTED, 0, 1, number=0),
        Cell(DIRECTED, 1, 0, number=1),
        Cell(DIRECTED, 0, 2, number=2),
        Cell(DIRECTED, 1, 3, number=3),
        Cell(SYMMETRIC, 0, 0, number=4),
        Cell(SYMMETRIC, 1, 1, number=5),
        Cell(SYMMETRIC, 0, 1, number=6),
    ]
    model = structure(4, 0, cells, exogenous=[2, 3], fixed_x=True)
    a, s = np.zeros((4, 4)), np.eye(4)
    a[0, 1], a[1, 0], a[0, 2], a[1, 3], s[0, 1], s[1, 0] = 0.4, -0.3, 1.0, 0.8, 0.2, 0.2
    b = np.linalg.inv(np.eye(4) - a)
    fit = fit_moments(model, sample_moments(500, np.zeros(4), b @ s @ b.T))
    np.testing.assert_allclose(fit.estimates, [0.4, -0.3, 1.0, 0.8, 1.0, 1.0, 0.2], atol=1e-7)
    assert fit.df == 0


def test_wishart_counts_one_row_less() -> None:
    model, sample = drawn(5, "covariances")
    a, b = fit_moments(model, sample), fit_moments(model, sample, wishart=True)
    n = float(sample.n[0])
    assert b.chisq == pytest.approx(a.chisq * (n - 1) / n, rel=1e-8)
    assert b.minimum == pytest.approx(a.minimum, rel=1e-8)


def test_no_start_is_said() -> None:
    """A correlation of errors that is fixed beyond one."""
    cells = [Cell(SYMMETRIC, 0, 0, 1.0), Cell(SYMMETRIC, 1, 1, number=0), Cell(SYMMETRIC, 0, 1, 50.0)]
    fit = fit_moments(structure(2, 0, cells), sample_moments(100, np.zeros(2), np.eye(2)))
    assert fit.search.outcome is Outcome.START
    assert not fit.converged
    assert np.isnan(parameter_covariance(fit)).all()
    assert np.isnan(information(fit, "observed")).all()


def test_search_goes_on_from_a_second_start() -> None:
    model, sample = drawn(6, "covariances")
    fit = fit_moments(model, sample)
    bad = np.full(model.parameters, -5.0)
    found = minimise(fit.scaled, fit.discrepancy, [bad, fit.search.point])
    assert found.outcome is Outcome.CONVERGED
    assert found.steps == 0
    assert scaled_model(model, sample).unit == pytest.approx(fit.scaled.unit)


def test_matrices_obey_the_reticular_model() -> None:
    model, sample = drawn(8, "regressions", means=True)
    fit = fit_moments(model, sample)
    b = np.linalg.inv(np.eye(model.variables) - fit.directed[0])
    np.testing.assert_allclose(b @ fit.symmetric[0] @ b.T, fit.full_covariance[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(b @ fit.intercept[0], fit.full_mean[0], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(fit.mean[0], sample.mean[0], rtol=1e-8)
    found = residuals(fit)
    np.testing.assert_allclose(found.covariance[0], sample.covariance[0] - fit.covariance[0], atol=1e-12)
    np.testing.assert_allclose(found.mean[0], 0.0, atol=1e-8)
