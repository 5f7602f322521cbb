"""Means far from zero: what a constant that is added to every column leaves as it is."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.stats.sem_errors import parameter_covariance
from drivers.stats.sem_fit import Fit, fit_moments
from drivers.stats.sem_missing import fit_rows
from drivers.stats.sem_modification import release_tests
from drivers.stats.sem_moments import SampleMoments, SingularCovariance, sample_moments
from drivers.stats.sem_standardised import standardised
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Cell, Structure, structure

F, H, X = 7, 8, (5, 6)


def chain(groups: int, equal: int, *, marker: bool = False) -> Structure:
    """f =~ 0 + 1 + 2, h =~ 3 + 4, f ~ 5 + 6, h ~ f + 5; equal: loadings, means, regressions from 1 on."""
    cells: list[Cell] = []
    number: dict[tuple[object, ...], int] = {}

    def free(*key: object) -> int:
        return number.setdefault(key, len(number))

    for g in range(groups):
        a, b, c = (0 if equal >= k else g for k in (1, 2, 3))
        for f, own in ((F, (0, 1, 2)), (H, (3, 4))):
            cells.append(Cell(DIRECTED, own[0], f, value=1.0, group=g))
            cells += [Cell(DIRECTED, j, f, number=free("l", j, a), group=g) for j in own[1:]]
            anchor = own[0] if marker else -1
            cells += [Cell(MEAN, j, j, number=free("i", j, b), group=g) for j in own if j != anchor]
            cells += [Cell(SYMMETRIC, j, j, number=free("v", j, g), group=g) for j in (*own, f)]
            if marker or (equal >= 2 and g):
                cells.append(Cell(MEAN, f, f, number=free("m", f, g), group=g))
        for to, source in ((F, 5), (F, 6), (H, F), (H, 5)):
            cells.append(Cell(DIRECTED, to, source, number=free("r", to, source, c), group=g))
    return structure(7, 2, cells, groups=groups, means=True, exogenous=X, fixed_x=True)


def rows(groups: int, n: int = 300) -> list[np.ndarray]:
    rng, found = np.random.default_rng(8), []
    for _ in range(groups):
        x = rng.normal(size=(n, 2)) + 0.3 * rng.normal(size=2)
        f = x @ [0.5, 0.3] + rng.normal(size=n) + 0.4 * rng.normal()
        h = 0.5 * f - 0.4 * x[:, 0] + rng.normal(size=n)
        e = 0.7 * rng.normal(size=(n, 5))
        found.append(np.column_stack([np.outer(f, [1, 0.8, 1.2]), np.outer(h, [1, 0.7]), x]))
        found[-1][:, :5] += e
    return found


def moments(tables: list[np.ndarray], shift: float) -> SampleMoments:
    return sample_moments(
        [len(t) for t in tables],
        [t.mean(axis=0) + shift for t in tables],
        [np.cov(t.T, ddof=0) for t in tables],
    )


def check(near: Fit, far: Fit, shift: float, kind: str = "expected") -> None:
    s = near.structure
    level = np.zeros(s.parameters, dtype=bool)
    level[s.number[(s.matrix == MEAN) & (s.number >= 0)]] = True
    assert near.converged
    assert far.converged
    assert far.chisq == pytest.approx(near.chisq, rel=1e-6, abs=1e-6)
    assert far.log_likelihood == pytest.approx(near.log_likelihood, abs=1e-4)
    np.testing.assert_allclose(far.estimates[~level], near.estimates[~level], rtol=1e-6, atol=1e-6)
    errors = [np.sqrt(np.diag(parameter_covariance(f, kind))) for f in (near, far)]  # type: ignore[arg-type]
    np.testing.assert_allclose(errors[1][~level], errors[0][~level], rtol=1e-6)
    np.testing.assert_allclose(far.mean - shift, near.mean, atol=1e-6)
    # Raw matrices imply the raw means.
    for g in range(s.groups):
        eye = np.eye(s.variables)
        implied = np.linalg.solve(eye - far.directed[g], far.intercept[g])
        np.testing.assert_allclose(implied, far.full_mean[g], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("shift", [1e2, 1e4, 1e6])
@pytest.mark.parametrize(("groups", "equal"), [(1, 0), (2, 0), (2, 1), (2, 2), (3, 3)])
def test_a_constant_changes_intercepts_alone(groups: int, equal: int, shift: float) -> None:
    model, tables = chain(groups, equal), rows(groups)
    near, far = (fit_moments(model, moments(tables, k)) for k in (0.0, shift))
    check(near, far, shift)
    u, v = standardised(near), standardised(far)
    path = model.matrix != MEAN
    np.testing.assert_allclose(v.values[path], u.values[path], rtol=1e-6, atol=1e-8)
    if equal:
        a, b = release_tests(near), release_tests(far)
        kept = [i for i, c in enumerate(a.cells) if c.matrix != DIRECTED]
        np.testing.assert_allclose(b.index[kept], a.index[kept], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shift", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_constant_and_missing_values(groups: int, shift: float) -> None:
    rng, tables = np.random.default_rng(5), rows(groups)
    for t in tables:
        t[:, :5][rng.uniform(size=(len(t), 5)) < 0.15] = np.nan
    model = chain(groups, 2)
    near, far = (fit_rows(model, [t + k for t in tables]) for k in (0.0, shift))
    check(near, far, shift, "observed")


@pytest.mark.parametrize(("groups", "equal"), [(1, 0), (3, 0), (3, 2), (3, 3)])
def test_derivatives_that_take_groups_together(groups: int, equal: int) -> None:
    fit = fit_moments(chain(groups, equal), moments(rows(groups), 50.0))
    point = fit.search.point + 0.01
    second = fit.scaled.derivative(fit.discrepancy.gradient, point)
    np.testing.assert_allclose(fit.discrepancy.curvature(point), second, atol=1e-12)
    jacobian = fit.scaled.jacobian(point)
    np.testing.assert_allclose(jacobian, fit.scaled.derivative(fit.scaled.raw, point), rtol=1e-12, atol=1e-10)
    eye = np.eye(len(point))
    np.testing.assert_allclose(fit.scaled.inverse_jacobian(point) @ jacobian, eye, atol=1e-10)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_marker_without_intercept(groups: int) -> None:
    """The latent means are then free, and nothing else is another model."""
    tables = rows(groups)
    plain = fit_moments(chain(groups, 0), moments(tables, 1e6))
    marker = fit_moments(chain(groups, 0, marker=True), moments(tables, 1e6))
    assert marker.converged
    assert marker.chisq == pytest.approx(plain.chisq, abs=1e-6)
    np.testing.assert_allclose(marker.full_mean[:, F], marker.mean[:, 0], rtol=1e-9)


def test_groups_far_apart() -> None:
    tables = rows(3)
    near = fit_moments(chain(3, 1), moments(tables, 0.0))
    sample = moments(tables, 0.0)
    far = SampleMoments(sample.n, sample.mean + 200.0 * np.arange(3.0)[:, None], sample.covariance)
    found = fit_moments(chain(3, 1), far)
    assert found.converged
    assert found.chisq == pytest.approx(near.chisq, rel=1e-6)


def test_kelvin() -> None:
    """288 ± 0.8: 360 standard deviations from zero."""
    tables = rows(1)
    tables[0][:, 5] = 288.0 + 0.8 * tables[0][:, 5]
    sample = moments(tables, 0.0)
    with_means = fit_moments(chain(1, 0), sample)
    listed = [c for c in map(chain(1, 0).cell, range(len(chain(1, 0).matrix))) if c.matrix != MEAN]
    kept = {n: i for i, n in enumerate(sorted({c.number for c in listed if c.number >= 0}))}
    without = structure(
        7,
        2,
        [c._replace(number=kept[c.number]) if c.number >= 0 else c for c in listed],
        exogenous=X,
        fixed_x=True,
    )
    assert with_means.converged
    assert with_means.chisq == pytest.approx(fit_moments(without, sample).chisq, rel=1e-9)


def test_columns_that_are_too_small_for_numbers() -> None:
    with pytest.raises(SingularCovariance):
        sample_moments(50, [0, 0], np.array([[3.0, 1.0], [1.0, 2.0]]) * 1e-320)


def test_a_saturated_model_has_no_negative_chisq() -> None:
    rng = np.random.default_rng(0)
    cells = [Cell(DIRECTED, 0, 1, number=0), Cell(SYMMETRIC, 0, 0, number=1)]
    model = structure(2, 0, cells, exogenous=[1], fixed_x=True)
    for _ in range(30):
        table = rng.normal(size=(40, 2))
        assert fit_moments(model, sample_moments(40, [0, 0], np.cov(table.T, ddof=0))).chisq >= 0.0


def test_what_never_changes_has_no_derivative() -> None:
    fit = fit_moments(chain(1, 0), moments(rows(1), 0.0))
    found = standardised(fit)
    size = np.abs(found.jacobian)
    assert ((size == 0.0) | (size > 1e-12)).all()
