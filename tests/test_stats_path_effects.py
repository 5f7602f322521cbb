"""Effects along paths, with gradients against numeric differentiation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drivers.stats.dag import directed_paths
from drivers.stats.path_effects import delta_error, joint_effect, joint_test, path_products, total_effects

STEP = 1e-6
"""Of central differences; their error is its square."""


def random_graph(seed: int, p: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.tril(rng.normal(size=(p, p)) * (rng.random((p, p)) < 0.7), -1)


def edges_of(b: np.ndarray) -> tuple[list[tuple[int, int]], np.ndarray]:
    pairs = [(int(i), int(j)) for j, i in zip(*np.nonzero(b), strict=True)]
    return pairs, np.array([b[j, i] for i, j in pairs])


def walks_of(b: np.ndarray, source: int, target: int) -> list[list[int]]:
    pairs, _ = edges_of(b)
    place = {pair: k for k, pair in enumerate(pairs)}
    parents: dict[str, list[str]] = {}
    for i, j in pairs:
        parents.setdefault(str(j), []).append(str(i))
    found = directed_paths(parents, str(source), str(target), 100_000)
    return [[place[int(a), int(c)] for a, c in pairwise(path)] for path in found]


@given(seed=st.integers(0, 10_000), p=st.integers(2, 7))
def test_paths_add_to_the_total(seed: int, p: int) -> None:
    b = random_graph(seed, p)
    total = total_effects(b)
    np.testing.assert_allclose(total, sum(np.linalg.matrix_power(b, k) for k in range(1, p)), atol=1e-9)
    _, coefficients = edges_of(b)
    for source in range(p):
        for target in range(source + 1, p):
            walks = walks_of(b, source, target)
            made = path_products(coefficients, walks) if walks else None
            got = 0.0 if made is None else made.products.sum()
            size = 1.0 if made is None else max(1.0, np.abs(made.products).sum())
            assert got == pytest.approx(total[target, source], abs=1e-12 * size)


@given(seed=st.integers(0, 10_000))
def test_gradients_of_products(seed: int) -> None:
    b = random_graph(seed, 6)
    _, coefficients = edges_of(b)
    walks = walks_of(b, 0, 5)
    if not walks:
        return
    gradients = path_products(coefficients, walks).gradients
    for e in range(len(coefficients)):
        up, down = coefficients.copy(), coefficients.copy()
        up[e] += STEP
        down[e] -= STEP
        numeric = (path_products(up, walks).products - path_products(down, walks).products) / (2 * STEP)
        np.testing.assert_allclose(
            gradients[:, e], numeric, atol=1e-6 * (1 + np.abs(coefficients).max()) ** 5
        )


def test_a_zero_coefficient_keeps_its_gradient() -> None:
    made = path_products(np.array([0.0, 3.0, 0.0]), [[0, 1], [0, 2], [1]])
    assert made.products.tolist() == [0.0, 0.0, 3.0]
    assert made.gradients.tolist() == [[3.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


def test_no_paths_no_products() -> None:
    made = path_products(np.array([1.0, 2.0]), [])
    assert made.products.shape == (0,)
    assert made.gradients.shape == (0, 2)


def test_delta_errors() -> None:
    rng = np.random.default_rng(2)
    g, root = rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
    v = root @ root.T
    want = [float(np.sqrt(row @ v @ row)) for row in g]
    np.testing.assert_allclose(delta_error(g, v), want, rtol=1e-12)
    assert delta_error(np.zeros((1, 3)), v).tolist() == [0.0]


def test_delta_error_of_a_product_is_sobels() -> None:
    a, b, va, vb = 0.5, -0.7, 0.01, 0.04
    gradients = path_products(np.array([a, b]), [[0, 1]]).gradients
    got = delta_error(gradients, np.diag([va, vb]))
    assert got[0] == pytest.approx(np.sqrt(b**2 * va + a**2 * vb), rel=1e-14)


def random_joint(seed: int, m: int, d: int, e: int):
    """Parts that are linear in e coefficients, so that gradients are known."""
    rng = np.random.default_rng(seed)
    slopes = rng.normal(size=(m, d, e))
    at = rng.normal(size=e)
    root = rng.normal(size=(d, d))
    return slopes, at, root @ root.T + 0.1 * np.eye(d)


@given(seed=st.integers(0, 10_000), m=st.integers(1, 4), d=st.integers(1, 4))
def test_parts_of_a_joint_effect_add(seed: int, m: int, d: int) -> None:
    slopes, at, covariance = random_joint(seed, m, d, 5)
    joint = joint_effect(slopes @ at, slopes, covariance)
    assert joint.parts.sum() == pytest.approx(joint.total, rel=1e-10)
    np.testing.assert_allclose(joint.part_gradients.sum(axis=0), joint.total_gradient, atol=1e-9)
    t = (slopes @ at).sum(axis=0)
    assert joint.total == pytest.approx(float(np.sqrt(t @ covariance @ t)), rel=1e-12)


@given(seed=st.integers(0, 10_000))
def test_gradients_of_a_joint_effect(seed: int) -> None:
    slopes, at, covariance = random_joint(seed, 3, 3, 4)
    joint = joint_effect(slopes @ at, slopes, covariance)
    for e in range(4):
        step = np.zeros(4)
        step[e] = STEP
        up = joint_effect(slopes @ (at + step), slopes, covariance)
        down = joint_effect(slopes @ (at - step), slopes, covariance)
        scale = 1 + 1 / joint.total
        assert joint.total_gradient[e] == pytest.approx(
            (up.total - down.total) / (2 * STEP), abs=1e-5 * scale
        )
        np.testing.assert_allclose(
            joint.part_gradients[:, e], (up.parts - down.parts) / (2 * STEP), atol=1e-4 * scale**2
        )


@given(effect=st.floats(-5, 5).filter(lambda v: abs(v) > 1e-3), sd=st.floats(0.01, 100))
def test_one_driver_alone_is_its_effect_times_its_sd(effect: float, sd: float) -> None:
    parts = np.array([[0.25 * effect], [0.75 * effect]])
    joint = joint_effect(parts, np.ones((2, 1, 1)), np.array([[sd**2]]))
    assert joint.total == pytest.approx(abs(effect) * sd, rel=1e-12)
    np.testing.assert_allclose(joint.parts, parts[:, 0] * np.sign(effect) * sd, rtol=1e-12)


def test_no_effect_is_no_joint_effect() -> None:
    joint = joint_effect(np.zeros((2, 3)), np.ones((2, 3, 4)), np.eye(3))
    assert (joint.total, joint.parts.tolist()) == (0.0, [0.0, 0.0])
    assert not joint.total_gradient.any()


def test_joint_p_is_the_wald_test() -> None:
    rng = np.random.default_rng(4)
    t, root = rng.normal(size=3), rng.normal(size=(3, 3))
    v = root @ root.T
    want = stats.chi2.logsf(t @ np.linalg.solve(v, t), 3)
    assert joint_test(t, v).log_p == pytest.approx(float(want), rel=1e-9)
    # Units of the drivers do not matter.
    scale = np.array([1e-6, 1.0, 1e6])
    assert joint_test(t * scale, v * np.outer(scale, scale)).log_p == pytest.approx(float(want), rel=1e-7)


def test_joint_p_of_members_that_share_one_coefficient() -> None:
    """Three members of one composite: one degree of freedom, whatever their weights."""
    weights, b, variance = np.array([0.5, -2.0, 3.0]), 0.7, 0.04
    got = joint_test(weights * b, variance * np.outer(weights, weights)).log_p
    assert got == pytest.approx(float(stats.chi2.logsf(b**2 / variance, 1)), rel=1e-9)


def test_joint_p_without_variance_is_unknown() -> None:
    nothing = joint_test(np.array([1.0, 2.0]), np.zeros((2, 2)))
    assert np.isnan(nothing.log_p)
    assert nothing.df == 0
