"""Score tests: what freeing a cell, or an equality, would do."""

from __future__ import annotations

import lavaan_models as lm
import numpy as np
import pytest
from test_stats_sem_models import random_model

from drivers.stats.sem_fit import fit_moments
from drivers.stats.sem_modification import modification_indices, release_tests
from drivers.stats.sem_moments import SampleMoments
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Cell, structure


def test_index_and_change_are_what_freeing_does() -> None:
    rng = np.random.default_rng(2)
    model, sigma = random_model(rng, "covariances", means=True)
    p = model.observed
    sigma = sigma.copy()
    sigma[0, p - 1] += 0.05
    sigma[p - 1, 0] += 0.05
    sample = lm.sample_of([rng.multivariate_normal(np.ones(p), sigma, 2000)])
    fit = fit_moments(model, sample)
    listed = {(int(m), int(r), int(c)) for m, r, c in zip(model.matrix, model.row, model.column, strict=True)}
    candidates = [
        Cell(SYMMETRIC, i, j) for i in range(p) for j in range(i) if (SYMMETRIC, i, j) not in listed
    ]
    found = modification_indices(fit, candidates)
    assert np.isfinite(found.index).all()
    for i in np.argsort(found.index)[-4:]:
        cells = [model.cell(j) for j in range(len(model.matrix))]
        freed = structure(
            p, model.latent, [*cells, candidates[i]._replace(number=model.parameters)], means=True
        )
        other = fit_moments(freed, sample)
        assert found.index[i] == pytest.approx(fit.chisq - other.chisq, rel=0.15, abs=0.2)
        assert found.change[i] == pytest.approx(other.estimates[-1], rel=0.25, abs=0.01)


def test_units_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    model, sigma = random_model(rng, "path", means=True)
    p = model.observed
    sample = lm.sample_of([rng.multivariate_normal(np.ones(p), sigma, 200)])
    d = 10.0 ** rng.uniform(-4, 4, p)
    moved = SampleMoments(sample.n, sample.mean * d + 1e3 * d, sample.covariance * np.outer(d, d))
    free = {(int(r), int(c)) for m, r, c in zip(model.matrix, model.row, model.column, strict=True) if m == 0}
    candidates = [Cell(DIRECTED, i, j) for i in range(p) for j in range(p) if i != j and (i, j) not in free]
    a, b = (modification_indices(fit_moments(model, s), candidates) for s in (sample, moved))
    np.testing.assert_allclose(b.index, a.index, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(b.change_all, a.change_all, rtol=1e-5, atol=1e-7)
    rows, columns = np.array([(c.row, c.column) for c in candidates]).T
    np.testing.assert_allclose(b.change, a.change * d[rows] / d[columns], rtol=1e-5, atol=1e-12 * d.max())


def test_what_would_not_be_identified_has_no_index() -> None:
    cells = [Cell(DIRECTED, 0, 1, number=0), Cell(SYMMETRIC, 0, 0, number=1)]
    model = structure(3, 0, cells, exogenous=[1], fixed_x=True)
    rows = np.random.default_rng(4).normal(size=(50, 3))
    cells.append(Cell(SYMMETRIC, 2, 2, number=2))
    model = structure(3, 0, cells, exogenous=[1], fixed_x=True)
    fit = fit_moments(model, lm.sample_of([rows]))
    found = modification_indices(fit, [Cell(DIRECTED, 1, 0), Cell(DIRECTED, 2, 0)])
    assert np.isnan(found.index[0])
    assert np.isfinite(found.index[1])
    with pytest.raises(ValueError, match="is free already"):
        modification_indices(fit, [Cell(DIRECTED, 0, 1)])
    with pytest.raises(ValueError, match="listed twice"):
        modification_indices(fit, [Cell(SYMMETRIC, 0, 2), Cell(SYMMETRIC, 2, 0)])


def test_no_candidates_no_tests() -> None:
    fit = fit_moments(
        structure(2, 0, [Cell(SYMMETRIC, i, i, number=i) for i in range(2)]),
        lm.sample_of([np.random.default_rng(5).normal(size=(30, 2))]),
    )
    assert len(modification_indices(fit, []).index) == 0
    assert len(release_tests(fit).index) == 0


def test_fixed_loadings_may_be_asked_for() -> None:
    """A cell that is fixed at something changes from there."""
    rng = np.random.default_rng(6)
    f = rng.normal(size=500)
    rows = np.array([f, 1.4 * f, 0.8 * f, 0.9 * f]).T + rng.normal(size=(500, 4))
    cells = [Cell(DIRECTED, 0, 4, 1.0), Cell(DIRECTED, 1, 4, 1.0)]
    cells += [Cell(DIRECTED, i, 4, number=i - 2) for i in (2, 3)]
    cells += [Cell(SYMMETRIC, i, i, number=2 + i) for i in range(5)]
    fit = fit_moments(structure(4, 1, cells), lm.sample_of([rows]))
    found = modification_indices(fit, [Cell(DIRECTED, 1, 4)])
    assert found.index[0] > 10
    assert found.change[0] == pytest.approx(0.4, abs=0.15)


@pytest.mark.parametrize("what", [DIRECTED, MEAN])
def test_release_names_the_path_that_differs(what: int) -> None:
    """Four groups share two slopes and an intercept; one group differs in one of them."""
    rng = np.random.default_rng(7)
    cells, rows = [], []
    for g in range(4):
        cells += [Cell(DIRECTED, 0, 1, number=0, group=g), Cell(DIRECTED, 0, 2, number=1, group=g)]
        cells += [Cell(MEAN, 0, 0, number=2, group=g), Cell(SYMMETRIC, 0, 0, number=3 + g, group=g)]
        x = rng.normal(size=(2, 400))
        slope = 0.65 if g == 2 and what == DIRECTED else 0.5
        level = 0.2 if g == 2 and what == MEAN else 0.0
        rows.append(np.array([level + slope * x[0] + 0.3 * x[1] + rng.normal(size=400), *x]).T)
    model = structure(3, 0, cells, groups=4, means=True, exogenous=[1, 2], fixed_x=True)
    sample = lm.sample_of([r * [1e3, 1.0, 1e-3] + [5e3, 0.0, 0.0] for r in rows])
    fit = fit_moments(model, sample)
    found = release_tests(fit)
    assert len(found.cells) == 12
    best = int(np.nanargmax(found.index))
    assert (found.cells[best].matrix, found.cells[best].group) == (what, 2)
    own = found.cells[best]
    freed = [
        c._replace(number=7) if (c.matrix, c.row, c.column, c.group) == own[:3] + own[5:] else c
        for c in cells
    ]
    other = fit_moments(structure(3, 0, freed, groups=4, means=True, exogenous=[1, 2], fixed_x=True), sample)
    assert found.index[best] == pytest.approx(fit.chisq - other.chisq, rel=0.1)
    apart = other.estimates[7] - other.estimates[own.number]
    assert found.change[best] == pytest.approx(apart, rel=0.1)


def test_of_two_equals_either_may_go() -> None:
    gold, frame = lm.lavaan()["hs_group_loadings"], lm.table("HolzingerSwineford1939")
    parsed = lm.parse(gold["model"], groups=2, means=True, equal=("loadings",))
    rows = [frame.loc[frame.school == s, parsed.columns].to_numpy(dtype=float) for s in frame.school.unique()]
    found = release_tests(fit_moments(parsed.structure, lm.sample_of(rows)))
    np.testing.assert_allclose(found.index[:6], found.index[6:], rtol=1e-6)
    np.testing.assert_allclose(found.change[:6], -found.change[6:], rtol=1e-6)
    np.testing.assert_allclose(found.change_all[2], found.change[2] * 0.93 / 1.0, rtol=0.3)
