"""The standard error of q: a derivative, the first order of the bootstrap, and right on smooth fields."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats.block_bootstrap import resample_counts
from drivers.stats.blocks import block_grid
from drivers.stats.q_error import QInfluence, q_influence, q_std_error
from drivers.stats.sandwich import border_weights


def q_of(y: np.ndarray, codes: np.ndarray, k: int, w: np.ndarray, *, unclassed: bool = False) -> float:
    """q of weighted pixels, by its definition."""
    inside = codes < k + unclassed
    y, codes, w = y[inside], codes[inside], w[inside]
    within = 0.0
    for h in range(k):
        here = codes == h
        if w[here].sum() > 0:
            within += float((w[here] * (y[here] - np.average(y[here], weights=w[here])) ** 2).sum())
    return 1.0 - within / float((w * (y - np.average(y, weights=w)) ** 2).sum())


def world(seed: int, n: int = 300, blocks: int = 12, k: int = 4):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, k, n).astype(np.uint16)
    block = rng.permutation(np.arange(n) % blocks)
    y = codes * 0.7 + rng.normal(size=n) + 0.3 * rng.normal(size=blocks)[block]
    return y - y.mean(), codes, block, rng.uniform(0.5, 2.0, n)


@given(st.integers(0, 1000), st.booleans(), st.booleans(), st.booleans())
def test_it_is_the_derivative_by_the_weight_of_a_block(
    seed: int, weighted: bool, unclassed: bool, missing: bool
) -> None:
    y, codes, block, weights = world(seed, k=6)
    codes = np.minimum(codes, 3 + unclassed + missing).astype(np.uint16)
    k = 4 if unclassed or missing else codes.max() + 1
    w = weights if weighted else np.ones(len(y))
    found = q_influence(y, codes, k, block, weights=w if weighted else None, unclassed=unclassed)
    assert found.influence.sum() == pytest.approx(0.0, abs=1e-12)
    for g in range(12):
        ends = [q_of(y, codes, k, w * (1 + s * (block == g)), unclassed=unclassed) for s in (1e-4, -1e-4)]
        assert found.influence[g] == pytest.approx((ends[0] - ends[1]) / 2e-4, abs=1e-9)
    counted = codes < k + unclassed
    np.testing.assert_allclose(found.share, np.bincount(block, counted * w**2, 12))


def test_each_pixel_may_be_a_block() -> None:
    y, codes, _, weights = world(1)
    alone = q_influence(y, codes, 4, None, weights=weights)
    told = q_influence(y, codes, 4, np.arange(len(y)), weights=weights)
    assert alone.influence.tolist() == told.influence.tolist()
    assert alone.share.tolist() == told.share.tolist()


@given(st.floats(-6, 6), st.floats(-3, 3))
def test_units_and_labels_do_not_matter(size: float, moved: float) -> None:
    y, codes, block, weights = world(2)
    first = q_influence(y, codes, 4, block, weights=weights)
    other = q_influence((y + moved) * 10**size, (3 - codes).astype(np.uint16), 4, block, weights=weights * 8)
    np.testing.assert_allclose(other.influence, first.influence, atol=1e-13)
    assert q_std_error(other) == pytest.approx(q_std_error(first), rel=1e-10)


def test_it_is_the_block_bootstrap_to_first_order() -> None:
    y, codes, block, _ = world(3, n=4000, blocks=60)
    counts = resample_counts(60, 999, np.random.default_rng(1))
    draws = [q_of(y, codes, 4, row[block].astype(float)) for row in counts]
    found = q_std_error(q_influence(y, codes, 4, block))
    assert np.std(draws, ddof=1) == pytest.approx(found, rel=0.05)


def test_independent_pixels() -> None:
    """As the standard deviation over samples."""
    found = [world(seed, blocks=300)[:2] for seed in range(300)]
    q = [q_of(y, codes, 4, np.ones(len(y))) for y, codes in found]
    errors = [q_std_error(q_influence(y, codes, 4, None)) for y, codes in found]
    assert np.mean(errors) == pytest.approx(np.std(q), rel=0.1)


def smooth(side: int, reach: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth field that knows of no edge: cut out of a torus twice as wide."""
    size = 2 * side
    at = np.minimum(np.arange(size), size - np.arange(size))
    root = np.sqrt(np.maximum(np.fft.fft2(np.exp(-np.hypot(at[:, None], at) / reach)).real, 0))
    return np.fft.ifft2(root * np.fft.fft2(rng.normal(size=(size, size)))).real[:side, :side].ravel()


def test_smooth_fields() -> None:
    """Borders bring the error from 0.78 of the standard deviation over seeds to 0.93 (range 4 on 60²)."""
    north, east = (a.ravel().astype(float) for a in np.mgrid[:60, :60])
    grid = block_grid(east, north, 12.0)
    borders = border_weights(grid.row, grid.column)
    q, plain, near, pixels = [], [], [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        x, noise = smooth(60, 4.0, rng), smooth(60, 4.0, rng)
        y = 0.6 * x + 0.8 * noise
        y -= y.mean()
        codes = np.searchsorted(np.quantile(x, [0.2, 0.4, 0.6, 0.8]), x).astype(np.uint16)
        q.append(q_of(y, codes, 5, np.ones(len(y))))
        found = q_influence(y, codes, 5, grid.codes)
        plain.append(q_std_error(found))
        near.append(q_std_error(found, borders))
        pixels.append(q_std_error(q_influence(y, codes, 5, None)))
    ratio = {
        name: float(np.sqrt(np.mean(np.square(errors))) / np.std(q))
        for name, errors in (("plain", plain), ("near", near), ("pixels", pixels))
    }
    assert 0.8 < ratio["near"] < 1.1
    assert ratio["plain"] < ratio["near"]
    assert ratio["pixels"] < 0.35


def test_without_two_blocks_or_a_varying_response_there_is_none() -> None:
    y, codes, _, _ = world(1)
    assert np.isnan(q_std_error(q_influence(y, codes, 4, np.zeros(len(y), dtype=int))))
    assert np.isnan(q_std_error(q_influence(0.0 * y, codes, 4, None)))
    two = QInfluence(np.array([0.1, -0.1]), np.ones(2))
    assert np.isnan(q_std_error(two, np.ones((2, 2))))  # both touch: nothing is independent of anything


def test_an_empty_class_is_no_class() -> None:
    y, codes, block, _ = world(1)
    codes[codes == 2] = 1
    same = q_influence(y, np.where(codes == 3, 2, codes).astype(np.uint16), 3, block)
    np.testing.assert_allclose(q_influence(y, codes, 4, block).influence, same.influence, rtol=1e-10)
