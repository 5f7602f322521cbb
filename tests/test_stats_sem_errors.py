"""Scores, influences, quadratic forms and robust errors, against their definitions."""

from __future__ import annotations

import lavaan_models as lm
import numpy as np
import pytest
from scipy import stats
from test_stats_sem_models import random_model

from drivers.stats.block_moments import block_moments
from drivers.stats.sandwich import influence_errors
from drivers.stats.sem_errors import (
    BlockSums,
    block_sums,
    influence,
    parameter_covariance,
    quadratic_forms,
    robust_covariance,
    scores,
)
from drivers.stats.sem_fit import Fit, fit_moments
from drivers.stats.sem_scaling import scaled_test
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Cell, Structure, structure

D = np.array([1e2, 1e-2, 1.0, 10.0, 1.0, 1.0, 1.0, 1.0])


def two_groups(means: bool) -> tuple[Structure, list[np.ndarray]]:
    """One factor with equal loadings in two groups, a cause of it that is fixed, heavy tails."""
    rng = np.random.default_rng(11)
    cells, count = [], 3
    for g in range(2):
        cells += [Cell(DIRECTED, 0, 4, 1.0, group=g)]
        cells += [Cell(DIRECTED, i, 4, number=i - 1, group=g) for i in (1, 2)]
        cells += [Cell(DIRECTED, 4, 3, number=2, group=g)]
        for i in (0, 1, 2, 4):
            cells.append(Cell(SYMMETRIC, i, i, number=count, group=g))
            count += 1
        for i in (0, 1, 2) if means else ():
            cells.append(Cell(MEAN, i, i, number=count, group=g))
            count += 1
    model = structure(4, 1, cells, groups=2, means=means, exogenous=[3], fixed_x=True)
    rows = []
    for n in (150, 250):
        x = rng.normal(size=n)
        f = 0.6 * x + rng.standard_t(6, size=n)
        noise = np.c_[rng.standard_t(6, size=(n, 3)), np.zeros(n)]
        rows.append(np.array([f, 0.8 * f, 1.2 * f, x]).T + noise)
    return model, [r * D[:4] + 5.0 * D[:4] for r in rows]


@pytest.fixture(params=[False, True], ids=["covariances", "means"])
def fitted(request: pytest.FixtureRequest) -> tuple[Fit, list[np.ndarray]]:
    model, rows = two_groups(request.param)
    fit = fit_moments(model, lm.sample_of(rows))
    assert fit.converged
    return fit, rows


def log_densities(fit: Fit, rows: list[np.ndarray], parameters: np.ndarray) -> np.ndarray:
    state = fit.scaled.state(fit.scaled.scaled(parameters))
    p, found = fit.structure.observed, []
    d = fit.scaled.scale[:p]
    for g, table in enumerate(rows):
        mean = state.mean[g, :p] * d + fit.scaled.centre[:p] if fit.structure.means else table.mean(axis=0)
        unit = (table - mean) / d
        found.append(stats.multivariate_normal.logpdf(unit, np.zeros(p), state.covariance[g, :p, :p]))
    return np.concatenate(found)


def test_scores_are_gradients_of_log_densities(fitted: tuple[Fit, list[np.ndarray]]) -> None:
    fit, rows = fitted
    found = scores(fit, rows)
    for k in range(fit.structure.parameters):
        h = 1e-5 * abs(fit.estimates[k])
        step = h * np.eye(fit.structure.parameters)[k]
        up, down = (log_densities(fit, rows, fit.estimates + s) for s in (step, -step))
        numeric = (up - down) / (2 * h)
        np.testing.assert_allclose(found.values[:, k], numeric, atol=1e-5 * np.abs(numeric).max())
    total = np.abs(found.values.sum(axis=0))
    assert (total <= 1e-6 * np.abs(found.values).sum(axis=0)).all()
    assert found.group.tolist() == [0] * 150 + [1] * 250
    for g in range(2):
        nil = found.centred[found.group == g].sum(axis=0)
        np.testing.assert_allclose(nil, 0.0, atol=1e-8 * np.abs(found.values).max())


def test_observed_information_is_the_second_derivative(fitted: tuple[Fit, list[np.ndarray]]) -> None:
    fit, rows = fitted
    k = fit.structure.parameters
    inverse = np.linalg.inv(parameter_covariance(fit, "observed"))
    unit = np.sqrt(np.diag(inverse))
    for j in range(0, k, 3):
        h = 1e-3 / unit[j]
        step = h * np.eye(k)[j]
        middle, up, down = (
            log_densities(fit, rows, fit.estimates + s).sum() for s in (0 * step, step, -step)
        )
        assert (2 * middle - up - down) / h**2 == pytest.approx(inverse[j, j], rel=1e-3)
    assert not np.allclose(inverse, np.linalg.inv(parameter_covariance(fit)), rtol=1e-3)


def test_quadratic_forms_are_influences_of_rows(fitted: tuple[Fit, list[np.ndarray]]) -> None:
    fit, rows = fitted
    forms = quadratic_forms(fit)
    by_row = influence(fit, scores(fit, rows).values, "expected")
    start = 0
    for g, table in enumerate(rows):
        z = table - forms.mean[g]
        own = np.einsum("ni,kij,nj->nk", z, forms.quadratic[g], z) + z @ forms.linear[g].T - forms.expected[g]
        part = by_row[start : start + len(table)]
        np.testing.assert_allclose(own / len(table), part, atol=1e-9 * np.abs(part).max(axis=0).min() + 1e-12)
        np.testing.assert_allclose(own / len(table), part, rtol=1e-5, atol=1e-7 * np.abs(part).max())
        start += len(table)


def test_blocks_are_sums_of_their_rows(fitted: tuple[Fit, list[np.ndarray]]) -> None:
    fit, rows = fitted
    of_rows = scores(fit, rows)
    of = [np.arange(len(t)) % 30 for t in rows]
    blocks = [block_sums(block_moments(t.T, b)) for t, b in zip(rows, of, strict=True)]
    found = scores(fit, blocks)
    start = 0
    for g, b in enumerate(of):
        mine = of_rows.values[start : start + len(b)]
        summed = np.array([mine[b == i].sum(axis=0) for i in range(30)])
        np.testing.assert_allclose(found.values[found.group == g], summed, atol=1e-9 * np.abs(mine).max())
        start += len(b)
    np.testing.assert_allclose(found.count.sum(), 400)
    away = [
        BlockSums(
            s.count,
            s.total - s.count[:, None] * 3 * D[:4],
            s.cross
            - 3 * s.total[:, :, None] * D[:4]
            - 3 * D[:4, None] * s.total[:, None, :]
            + 9 * s.count[:, None, None] * np.outer(D[:4], D[:4]),
            s.centre + 3 * D[:4],
        )
        for s in blocks
    ]
    np.testing.assert_allclose(scores(fit, away).values, found.values, atol=1e-8 * np.abs(found.values).max())
    some = influence(fit, found.values)
    np.testing.assert_allclose(
        influence_errors(some), np.sqrt(np.diag(robust_covariance(fit, blocks))), rtol=1e-12
    )


def test_blocks_of_one_row_are_rows(fitted: tuple[Fit, list[np.ndarray]]) -> None:
    fit, rows = fitted
    single = [block_sums(block_moments(t.T, np.arange(len(t)))) for t in rows]
    for kind in ("huber_white", "satorra_bentler"):
        np.testing.assert_allclose(
            robust_covariance(fit, single, kind), robust_covariance(fit, rows, kind), rtol=1e-6, atol=1e-12
        )
    for kind in ("yuan_bentler_mplus", "satorra_bentler"):
        a, b = scaled_test(fit, single, kind), scaled_test(fit, rows, kind)
        assert a.scaling == pytest.approx(b.scaling, rel=1e-9)
        assert abs(a.scaling - 1.0) > 0.01
        assert a.chisq == pytest.approx(fit.chisq / a.scaling)


def test_columns_of_blocks_are_chosen() -> None:
    model, rows = two_groups(False)
    fit = fit_moments(model, lm.sample_of(rows))
    wide = [np.c_[t[:, ::-1], t[:, :1]] for t in rows]
    chosen = [block_sums(block_moments(t.T, np.arange(len(t)) % 7), [3, 2, 1, 0]) for t in wide]
    plain = [block_sums(block_moments(t.T, np.arange(len(t)) % 7)) for t in rows]
    np.testing.assert_allclose(scores(fit, chosen).values, scores(fit, plain).values, atol=1e-9)


def test_influence_is_what_leaving_a_block_out_changes() -> None:
    rng = np.random.default_rng(12)
    model, sigma = random_model(rng, "regressions")
    rows = rng.multivariate_normal(np.zeros(model.observed), sigma, 4000)
    fit = fit_moments(model, lm.sample_of([rows]))
    blocks = np.arange(4000) % 40
    each = influence(fit, scores(fit, [block_sums(block_moments(rows.T, blocks))]).values)
    for g in (0, 17):
        left = fit_moments(model, lm.sample_of([rows[blocks != g]]))
        change = fit.estimates - left.estimates
        np.testing.assert_allclose(each[g], change, rtol=0.2, atol=0.12 * np.abs(change).max())


def test_size_of_a_scaled_test_with_alike_rows() -> None:
    """Rows come in tens: the plain χ² is ten times too large, that of blocks is not."""
    rng = np.random.default_rng(13)
    cells = [Cell(DIRECTED, 1, 0, number=0), Cell(DIRECTED, 2, 1, number=1)]
    cells += [Cell(SYMMETRIC, i, i, number=1 + i) for i in (1, 2)]
    model = structure(3, 0, cells, exogenous=[0], fixed_x=True)
    plain, scaled = [], []
    for _ in range(200):
        e = rng.normal(size=(3, 60))
        y = 0.5 * e[0] + e[1]
        rows = np.repeat(np.array([e[0], y, 0.5 * y + e[2]]).T, 10, axis=0)
        fit = fit_moments(model, lm.sample_of([rows]))
        blocks = [block_sums(block_moments(rows.T, np.repeat(np.arange(60), 10)))]
        plain.append(fit.chisq)
        scaled.append(scaled_test(fit, blocks, "satorra_bentler").chisq)
    assert np.mean(plain) > 8.0
    assert np.mean(scaled) == pytest.approx(1.0, abs=0.25)


def test_no_scaling_without_degrees_of_freedom() -> None:
    cells = [
        Cell(SYMMETRIC, 0, 0, number=0),
        Cell(SYMMETRIC, 1, 1, number=1),
        Cell(SYMMETRIC, 0, 1, number=2),
    ]
    rows = [np.random.default_rng(1).normal(size=(20, 2))]
    found = scaled_test(fit_moments(structure(2, 0, cells), lm.sample_of(rows)), rows, "yuan_bentler_mplus")
    assert np.isnan(found.scaling)
    assert np.isnan(found.log_p)
    assert found.df == 0


def test_data_that_do_not_fit_are_refused() -> None:
    model, rows = two_groups(False)
    fit = fit_moments(model, lm.sample_of(rows))
    with pytest.raises(ValueError, match="data of 1 groups, a model of 2"):
        scores(fit, rows[:1])
    with pytest.raises(ValueError, match="group 1: rows that are not finite"):
        scores(fit, [rows[0], np.where(rows[1] > rows[1].max() - 1e-9, np.nan, rows[1])])
    with pytest.raises(ValueError, match="Wishart"):
        scores(fit_moments(model, lm.sample_of(rows), wishart=True), rows)
