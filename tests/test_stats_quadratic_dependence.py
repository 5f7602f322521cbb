"""Variances of means of quadratic forms of neighbouring pixels: against simulation, and their laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from drivers.stats.block_moments import block_moments
from drivers.stats.effective import Dependence
from drivers.stats.lagged import lagged_moments
from drivers.stats.lattice import Lattice
from drivers.stats.quadratic_dependence import (
    correlograms,
    field_products,
    form_correlations,
    form_variances,
)
from drivers.stats.sandwich import border_weights, influence_errors, positive_covariance, sandwich

SIDE = 48


def fields(seed: int, reaches: tuple[float, ...] = (2.0, 1.0, 0.0)) -> np.ndarray:
    """Fields of unit variance with correlation exp(-d / reach), cut out of larger tori, shape (p, n)."""
    rng, size = np.random.default_rng(seed), 3 * SIDE
    lag = np.minimum(np.arange(size), size - np.arange(size))
    apart = np.hypot(lag[:, None], lag)
    found = []
    for reach in reaches:
        spectrum = fft.fft2(np.exp(-apart / reach) if reach else (apart == 0) * 1.0).real
        noise = fft.fft2(rng.normal(size=(size, size)))
        found.append(fft.ifft2(np.sqrt(np.maximum(spectrum, 0.0)) * noise).real[:SIDE, :SIDE].ravel())
    return np.array(found)


def dependence(columns: np.ndarray) -> Dependence:
    row, column = np.divmod(np.arange(SIDE**2), SIDE)
    return Dependence(lagged_moments(columns, Lattice(row, column, (SIDE, SIDE), 1.0, 1.0, True)))


def forms_of(pairs: list[tuple[int, int]], p: int = 3) -> np.ndarray:
    """Forms whose means are covariances."""
    found = np.zeros((len(pairs), p, p))
    for k, (i, j) in enumerate(pairs):
        found[k, i, j] += 0.5
        found[k, j, i] += 0.5
    return found


PAIRS = [(0, 0), (0, 1), (1, 1), (0, 2), (2, 2)]


def test_variances_of_covariances_are_those_of_many_maps() -> None:
    many = np.array([np.cov(fields(1000 + seed), ddof=0) for seed in range(400)])
    truth = np.array([many[:, i, j].var() for i, j in PAIRS]) * SIDE**2
    made = [form_variances(dependence(fields(s)), range(3), np.eye(3), forms_of(PAIRS)) for s in range(20)]
    # One map knows a correlogram roughly, and errs upwards more often.
    shared = np.median([found.shared for found in made], axis=0)
    assert made[0].alone == pytest.approx([2.0, 1.0, 2.0, 1.0, 2.0], rel=1e-9)
    assert shared == pytest.approx(truth, rel=0.3)
    # A smooth field beside noise is as good as noise beside noise.
    assert shared[3] == pytest.approx(1.0, rel=0.1)
    assert shared[0] > 8.0


def test_a_mean_counts_its_neighbours_once() -> None:
    none, line = np.zeros((1, 3, 3)), np.array([[1.0, 0.0, 0.0]])
    many = np.array([fields(2000 + seed)[0].mean() for seed in range(400)])
    made = [form_variances(dependence(fields(s)), range(3), np.eye(3), none, line) for s in range(20)]
    # What is alike over the whole map looks like its mean: one map cannot tell, and doubt is the safe side.
    assert 0.8 < np.median([found.shared for found in made]) / (many.var() * SIDE**2) < 2.0


def test_the_order_and_the_units_of_columns_do_not_matter() -> None:
    columns = fields(3)
    mix = np.array([[1.0, 0.4, 0.0], [0.0, 1.0, 0.3], [0.2, 0.0, 1.0]])
    mixed = mix @ columns
    covariance, forms = np.cov(mixed, ddof=0), forms_of(PAIRS)
    one = form_variances(dependence(mixed), range(3), covariance, forms)
    order, unit = [2, 0, 1], np.array([1e3, 1.0, 1e-2])
    moved = mixed[order] * unit[:, None]
    other = forms[:, order][:, :, order] / np.outer(unit, unit)
    two = form_variances(dependence(moved), range(3), np.cov(moved, ddof=0), other)
    assert two.alone == pytest.approx(one.alone, rel=1e-9)
    assert two.shared == pytest.approx(one.shared, rel=1e-6)
    three = form_variances(dependence(np.vstack([np.ones(SIDE**2), mixed])), [1, 2, 3], covariance, forms)
    assert three.shared == pytest.approx(one.shared, rel=1e-9)


def test_sums_over_a_set_of_forms_do_not_depend_on_the_set() -> None:
    mixed = np.array([[1.0, 0.5, 0.0], [0.3, 1.0, 0.2], [0.0, 0.4, 1.0]]) @ fields(4)
    covariance = np.cov(mixed, ddof=0)
    found = field_products(dependence(mixed), range(3), covariance)
    root = np.linalg.inv(np.linalg.cholesky(covariance))
    basis = [np.diag(v) for v in np.eye(3)]
    basis += [
        (np.outer(u, v) + np.outer(v, u)) / np.sqrt(2)
        for u, v in zip(np.eye(3), np.eye(3)[[1, 2, 0]], strict=True)
    ]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    sums = []
    for each in (np.array(basis), np.tensordot(turn, np.array(basis), 1)):
        sums.append(found.variances(root.T @ each @ root, np.zeros((6, 3))).shared.sum())
    assert sums[0] == pytest.approx(sums[1], rel=1e-9)
    alone = found.variances(root.T @ np.array(basis) @ root, np.zeros((6, 3))).alone
    assert alone == pytest.approx(np.full(6, 2.0), rel=1e-9)


def test_errors_of_forms_are_as_correlated_as_the_forms() -> None:
    forms = np.concatenate([forms_of(PAIRS[:2]), forms_of(PAIRS[:1])])
    found = form_correlations(dependence(fields(5)), range(3), forms)
    assert found[0, 2] == pytest.approx(1.0)
    assert abs(found[0, 1]) < 0.5
    assert np.linalg.eigvalsh(found).min() > -1e-9


def test_a_correlogram_of_a_combination_is_its_own() -> None:
    columns = fields(6)
    weights = np.array([[1.0, 1.0, 0.0]])
    one = correlograms(dependence(columns), range(3), weights)
    two = correlograms(dependence(weights @ columns), [0], np.ones((1, 1)))
    assert one == pytest.approx(two, abs=1e-9)


def test_a_covariance_over_blocks_is_never_negative() -> None:
    row, column = np.divmod(np.arange(16), 4)
    borders = border_weights(row, column)
    rng = np.random.default_rng(7)
    for k in (3, 12, 40):
        influence = rng.normal(size=(16, k)) * 10.0 ** rng.integers(-6, 6, k)
        found = positive_covariance(influence, borders)
        unit = np.sqrt(np.diag(found))
        assert (unit > 0).all()
        assert np.linalg.eigvalsh(found / np.outer(unit, unit)).min() > -1e-9
    # Where the sum of products is positive, it is that.
    blocks = np.repeat(np.arange(16), 40)
    x = rng.normal(size=16)[blocks] + rng.normal(size=640)
    y = x + rng.normal(size=16)[blocks] + rng.normal(size=640)
    fit = sandwich(block_moments(np.array([y, x]), blocks), [(0, [1])], borders=borders)
    own = float((fit.influence * (borders @ fit.influence)).sum())
    found = positive_covariance(fit.influence, borders)
    assert found[0, 0] == pytest.approx(own if own > 0 else float((fit.influence**2).sum()))
    assert found[0, 0] == pytest.approx(influence_errors(fit.influence, borders)[0] ** 2)


def test_a_variance_that_borders_leave_at_nil_is_that_of_the_blocks_whatever_its_sign():
    """Of two blocks in a row K is all ones: what they differ by has no variance, but for rounding."""
    row, column = np.array([0, 0]), np.array([0, 1])
    borders = border_weights(row, column)
    for rounding in (-1e-13, 0.0, 1e-13):
        influence = np.array([[1.0], [-1.0 + rounding]])
        assert influence_errors(influence, borders)[0] == pytest.approx(np.sqrt(2.0))
        assert positive_covariance(influence, borders)[0, 0] == pytest.approx(2.0)
        both = np.column_stack([influence[:, 0], [1.0, 1.0]])
        found = positive_covariance(both, borders)
        np.testing.assert_allclose(found, [[2.0, 0.0], [0.0, 4.0]], atol=1e-9)
