"""Structures: what is refused, how degrees of freedom are counted, where starts lie."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from drivers.stats.sem_fit import fit_moments, scaled_model
from drivers.stats.sem_moments import SingularCovariance, normal_log_likelihood, sample_moments
from drivers.stats.sem_start import start, units
from drivers.stats.sem_structure import (
    DIRECTED,
    MEAN,
    SYMMETRIC,
    Cell,
    independence,
    structure,
)

PATH = [Cell(DIRECTED, 0, 1, number=0), Cell(SYMMETRIC, 0, 0, number=1)]


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        ([Cell(3, 0, 0, number=0)], {}, "no such matrix"),
        ([Cell(DIRECTED, 0, 2, number=0)], {}, "there are 2 variables and 1 groups"),
        ([Cell(DIRECTED, 0, 1, number=0, group=1)], {}, "there are 2 variables and 1 groups"),
        ([Cell(DIRECTED, 0, 0, number=0)], {}, "a path to itself"),
        ([Cell(DIRECTED, 0, 1)], {}, "a number or a finite value, and not both"),
        ([Cell(DIRECTED, 0, 1, 1.0, 0)], {}, "a number or a finite value, and not both"),
        ([Cell(MEAN, 0, 0, number=0)], {}, "means are not part of this model"),
        ([Cell(SYMMETRIC, 0, 1, number=0), Cell(SYMMETRIC, 1, 0, number=1)], {}, "is listed twice"),
        ([Cell(DIRECTED, 0, 1, number=1)], {}, "numbered 0 to 0, not [1]"),
        ([Cell(DIRECTED, 0, 1, number=0)], {"exogenous": [0]}, "an exogenous variable is not explained"),
        (
            [Cell(SYMMETRIC, 0, 1, number=0)],
            {"exogenous": [1], "fixed_x": True},
            "its moments are the sample's",
        ),
        ([], {"exogenous": [2]}, "exogenous variables [2] of 2 observed ones"),
        ([], {"groups": 0}, "in 0 groups"),
    ],
)
def test_faults_are_named(cells: list[Cell], options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        structure(2, 0, cells, **options)  # type: ignore[arg-type]


def test_degrees_of_freedom() -> None:
    fixed = structure(4, 0, PATH, exogenous=[1, 2], fixed_x=True)
    assert (fixed.moments, fixed.df) == (10, 10 - 3 - 2)
    means = structure(4, 0, [*PATH, Cell(MEAN, 0, 0, number=2)], means=True, exogenous=[1, 2], fixed_x=True)
    assert (means.moments, means.df) == (14, 14 - 3 - 2 - 3)
    both = structure(4, 0, PATH, groups=2, exogenous=[1, 2], fixed_x=True)
    assert both.df == 2 * 7 - 2
    assert structure(4, 0, PATH, exogenous=[1, 2]).df == 8


def test_independence_keeps_what_the_exogenous_share() -> None:
    free = independence(structure(4, 0, PATH, groups=2, means=True, exogenous=[1, 2]))
    assert free.parameters == 2 * (4 + 4 + 1)
    fixed = independence(structure(4, 0, PATH, exogenous=[1, 2], fixed_x=True))
    assert fixed.parameters == 2
    assert fixed.df == 10 - 3 - 2


def test_free_moments_of_fixed_causes_are_the_samples() -> None:
    model = structure(
        3,
        0,
        [*PATH, Cell(SYMMETRIC, 2, 2, number=2), Cell(MEAN, 0, 0, number=3)],
        means=True,
        exogenous=[1],
        fixed_x=True,
    )
    cov = np.array([[3.0, 1.0, 0.5], [1.0, 2.0, 0.3], [0.5, 0.3, 1.0]])
    sample = sample_moments(40, [1.0, 2.0, 0.0], cov)
    wide = model.with_free_x()
    assert wide.parameters == model.parameters + 2
    a, b = fit_moments(model, sample), fit_moments(wide, sample)
    assert a.chisq == pytest.approx(b.chisq, abs=1e-10)
    np.testing.assert_allclose(b.estimates[-2:], [2.0, 2.0], rtol=1e-10)
    wider = model.widened([Cell(DIRECTED, 2, 0, number=4)])
    assert wider.parameters == 5
    assert len(wider.matrix) == len(model.matrix) + 1


def test_units_follow_markers_through_levels() -> None:
    cells = [
        Cell(DIRECTED, 0, 3, 1.0),
        Cell(DIRECTED, 1, 3, number=0),
        Cell(DIRECTED, 2, 4, 2.0),
        Cell(DIRECTED, 3, 5, 0.5),
        Cell(SYMMETRIC, 6, 6, 9.0),
    ]
    found = units(structure(3, 4, cells), np.array([10.0, 3.0, 4.0]))
    assert found.tolist() == [10.0, 3.0, 4.0, 10.0, 2.0, 20.0, 3.0]


def test_start_is_least_squares_where_all_is_observed() -> None:
    rng = np.random.default_rng(1)
    cov = np.cov(rng.normal(size=(4, 50)) + rng.normal(size=50))
    cells = [Cell(DIRECTED, 0, j, number=j - 1) for j in (1, 2, 3)] + [Cell(SYMMETRIC, 0, 0, number=3)]
    sample = sample_moments(50, np.zeros(4), cov)
    scaled = scaled_model(structure(4, 0, cells, exogenous=[1, 2, 3], fixed_x=True), sample)
    unit = np.sqrt(np.diag(cov))
    first = scaled.raw(start(scaled, (cov / np.outer(unit, unit))[None], np.zeros((1, 4))))
    np.testing.assert_allclose(first[:3], np.linalg.solve(cov[1:, 1:], cov[1:, 0]), rtol=1e-10)
    back = scaled.raw(scaled.scaled(first))
    np.testing.assert_allclose(back, first, rtol=1e-12)


@pytest.mark.parametrize(
    ("n", "cov", "columns"),
    [
        (2, np.eye(3), (0, 1, 2)),
        (50, np.diag([1.0, 0.0, 1.0]), (1,)),
        (50, np.array([[1.0, 0.5, 0.0], [0.5, np.nan, 0.0], [0.0, 0.0, 1.0]]), (1,)),
        (50, np.array([[1e8, 1.0, 0.0], [1.0, 1e-8, 0.0], [0.0, 0.0, 1.0]]), (0, 1)),
    ],
)
def test_singular_samples_blame_columns(n: int, cov: np.ndarray, columns: tuple[int, ...]) -> None:
    with pytest.raises(SingularCovariance) as caught:
        sample_moments([60, n], np.zeros((2, 3)), np.array([np.eye(3), cov]))
    assert caught.value.columns == columns
    assert caught.value.group == 1
    assert str(list(columns)) in str(caught.value)


def test_shapes_must_go_together() -> None:
    with pytest.raises(ValueError, match="shapes"):
        sample_moments([10, 10], np.zeros(2), np.eye(2))
    with pytest.raises(ValueError, match="1 groups of 2 columns"):
        fit_moments(structure(2, 0, PATH), sample_moments(10, np.zeros(3), np.eye(3)))


def test_log_likelihood_of_normal_rows() -> None:
    rows = np.random.default_rng(2).normal(size=(30, 3)) @ np.array([[1, 0, 0], [2, 9.0, 0], [0, 1, 0.2]])
    cov = np.cov(rows.T, ddof=0)
    found = normal_log_likelihood(sample_moments(30, rows.mean(axis=0), cov))
    assert found == pytest.approx(stats.multivariate_normal.logpdf(rows, rows.mean(axis=0), cov).sum())
    part = normal_log_likelihood(sample_moments(30, rows.mean(axis=0), cov), [1])
    assert part == pytest.approx(stats.norm.logpdf(rows[:, 1], rows[:, 1].mean(), rows[:, 1].std()).sum())
