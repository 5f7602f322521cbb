"""Random structural models that are identified, with a population that obeys them: they are found again."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.stats.sem_checks import improper, unidentified
from drivers.stats.sem_fit import fit_moments
from drivers.stats.sem_moments import sample_moments
from drivers.stats.sem_search import Outcome
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Cell, Structure, structure

KINDS = ("path", "correlated", "regressions", "covariances", "unit_variance")


def random_model(rng: np.random.Generator, kind: str, *, means: bool = False) -> tuple[Structure, np.ndarray]:
    """A structure and the covariance of its observed variables."""
    return _paths(rng, kind, means) if kind in ("path", "correlated") else _factors(rng, kind, means)


def _paths(rng: np.random.Generator, kind: str, means: bool) -> tuple[Structure, np.ndarray]:
    p = int(rng.integers(3, 9))
    a, s, cells = np.zeros((p, p)), np.eye(p), []
    for r in range(1, p):
        for c in range(r):
            if rng.random() < 0.45:
                cells.append(Cell(DIRECTED, r, c, number=len(cells)))
                a[r, c] = rng.normal(0, 0.6)
    x = [r for r in range(p) if not a[r].any()]
    y = [r for r in range(p) if r not in x]
    for r in y:
        cells.append(Cell(SYMMETRIC, r, r, number=len(cells)))
        if means:
            cells.append(Cell(MEAN, r, r, number=len(cells)))
    if kind == "correlated":  # errors of two that have no path between them: identified (bow-free)
        pairs = [(i, j) for i in y for j in y if j < i and not a[i, j]]
        for i, j in pairs[:2]:
            cells.append(Cell(SYMMETRIC, i, j, number=len(cells)))
            s[i, j] = s[j, i] = 0.3
    b = np.linalg.inv(np.eye(p) - a)
    return structure(p, 0, cells, means=means, exogenous=x, fixed_x=True), b @ s @ b.T


def _factors(rng: np.random.Generator, kind: str, means: bool) -> tuple[Structure, np.ndarray]:
    q = int(rng.integers(1, 4))
    per = rng.integers(3, 5, size=q)
    p = int(per.sum())
    a, s = np.zeros((p + q, p + q)), np.zeros((p + q, p + q))
    cells: list[Cell] = []
    count = 0

    def free(matrix: int, r: int, c: int) -> None:
        nonlocal count
        cells.append(Cell(matrix, r, c, number=count))
        count += 1

    owner = np.repeat(np.arange(p, p + q), per)
    marker = kind != "unit_variance"
    for i, f in enumerate(owner.tolist()):
        first = i == 0 or owner[i - 1] != f
        if first and marker:
            cells.append(Cell(DIRECTED, i, f, 1.0))
            a[i, f] = 1.0
        else:
            free(DIRECTED, i, f)
            a[i, f] = rng.choice([-1, 1]) * rng.uniform(0.6, 1.5)
        free(SYMMETRIC, i, i)
        s[i, i] = rng.uniform(0.3, 1.2)
        if means:
            free(MEAN, i, i)
    for f in range(p, p + q):
        s[f, f] = rng.uniform(0.7, 1.5) if marker else 1.0
        if marker:
            free(SYMMETRIC, f, f)
        else:
            cells.append(Cell(SYMMETRIC, f, f, 1.0))
        for h in range(p, f):
            if kind == "regressions":
                free(DIRECTED, f, h)
                a[f, h] = rng.normal(0, 0.5)
            else:
                free(SYMMETRIC, f, h)
                s[f, h] = s[h, f] = rng.uniform(-0.3, 0.3)
    b = np.linalg.inv(np.eye(p + q) - a)
    return structure(p, q, cells, means=means), (b @ s @ b.T)[:p, :p]


@pytest.mark.parametrize("kind", KINDS)
def test_forty_random_models_converge_or_say_why(kind: str) -> None:
    rng = np.random.default_rng(20)
    converged = 0
    for i in range(40):
        model, sigma = random_model(rng, kind, means=bool(i % 2))
        rows = rng.multivariate_normal(np.zeros(model.observed), sigma, 300 if i % 4 else 80)
        fit = fit_moments(model, sample_moments(len(rows), rows.mean(axis=0), np.cov(rows.T, ddof=0)))
        if fit.converged:
            converged += 1
            assert fit.search.gradient <= 1e-8
            assert fit.chisq >= -1e-9
        else:
            assert fit.search.outcome in (Outcome.RUNAWAY, Outcome.STEPS, Outcome.STUCK)
            assert unidentified(fit) or improper(fit).any
    assert converged >= (40 if kind in ("path", "correlated") else 38)


@pytest.mark.parametrize("kind", KINDS)
def test_population_is_found_again(kind: str) -> None:
    """At the population's own covariance χ² is nil, and a million rows give it back to a thousandth."""
    rng = np.random.default_rng(3)
    for _ in range(8):
        model, sigma = random_model(rng, kind)
        fit = fit_moments(model, sample_moments(1e6, np.zeros(model.observed), sigma))
        assert fit.converged
        assert fit.chisq == pytest.approx(0.0, abs=1e-6)
        np.testing.assert_allclose(fit.covariance[0], sigma, rtol=1e-9, atol=1e-9)
        assert unidentified(fit) == ()
        n = 1_000_000
        noise = rng.normal(size=sigma.shape) / np.sqrt(n)
        root = np.linalg.cholesky(sigma)
        seen = root @ (np.eye(len(sigma)) + (noise + noise.T) / np.sqrt(2)) @ root.T
        again = fit_moments(model, sample_moments(n, np.zeros(model.observed), seen))
        np.testing.assert_allclose(again.estimates, fit.estimates, atol=0.03)
        assert -1e-8 <= again.chisq < again.df + 6 * np.sqrt(2 * again.df + 1)
