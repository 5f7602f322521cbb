"""Crossed classes are counted once for all pairs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats.binning import CHUNK
from drivers.stats.interaction import TYPES, interaction_type, pair_sums


@given(st.integers(0, 10_000), st.lists(st.integers(2, 40), min_size=2, max_size=7), st.booleans())
def test_every_pair_as_if_it_were_alone(seed: int, sizes: list[int], weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    n = 200
    codes = [rng.integers(0, size + 1, n).astype(np.uint16) for size in sizes]
    y = rng.normal(size=n)
    w = rng.uniform(0.5, 2, n) if weighted else None
    found = pair_sums(codes, sizes, y, w)
    assert [(p.a, p.b) for p in found] == list(combinations(range(len(sizes)), 2))
    for pair in found:
        a, b = codes[pair.a], codes[pair.b]
        known = (a < sizes[pair.a]) & (b < sizes[pair.b])
        counts = np.zeros((sizes[pair.a], sizes[pair.b]))
        np.add.at(counts, (a[known], b[known]), 1)
        assert (pair.counts == counts).all()
        weights = np.ones(n) if w is None else w
        sums = np.zeros_like(counts)
        np.add.at(sums, (a[known], b[known]), (weights * y)[known])
        np.testing.assert_allclose(pair.sums, sums, atol=1e-12)
        assert pair.squares == pytest.approx(float((weights * y * y)[known].sum()))
        assert pair.q() >= max(pair.q_of(0), pair.q_of(1)) - 1e-12  # crossing refines both


def test_complete_pairs_share_one_sum_of_squares_and_threads_change_nothing() -> None:
    rng = np.random.default_rng(1)
    n = CHUNK + 300
    codes = [rng.integers(0, 5, n).astype(np.uint16) for _ in range(5)]
    y = rng.normal(size=n)
    slow = pair_sums(codes, [5] * 5, y)
    with ThreadPoolExecutor(3) as pool:
        fast = pair_sums(codes, [5] * 5, y, complete=True, each=pool.map)
    for one, other in zip(slow, fast, strict=True):
        assert (one.counts == other.counts).all()
        assert (one.sums == other.sums).all()
        assert one.q() == pytest.approx(other.q(), abs=1e-12)


def test_codes_that_pasted_texts_would_confuse() -> None:
    """gdverse pastes codes without a blank: (1, 12) and (11, 2) become one cell."""
    a, b = np.array([1, 1, 11, 11], np.uint16), np.array([12, 12, 2, 2], np.uint16)
    (pair,) = pair_sums([a, b], [13, 13], np.array([-1.0, -1.0, 1.0, 1.0]))
    assert pair.q() == 1
    assert (pair.counts > 0).sum() == 2


def test_single_pixels_in_a_cell() -> None:
    a, b = np.array([0, 0, 0, 0, 1], np.uint16), np.array([0, 0, 1, 1, 0], np.uint16)
    y = np.array([1.0, 2.0, 5.0, 6.0, 50.0])
    (pair,) = pair_sums([a, b], [2, 2], y - y.mean())
    assert pair.q_without_singles() == pytest.approx(1 - 1 / 17)  # of 1, 2 | 5, 6 about 3.5
    assert pair.q() > pair.q_without_singles()


def test_no_pixel_with_both() -> None:
    (pair,) = pair_sums(
        [np.array([0, 1], np.uint16), np.array([1, 0], np.uint16)], [1, 1], np.array([1.0, 2])
    )
    assert np.isnan(pair.q())


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_types_cover_everything_once(a: float, b: float, ab: float) -> None:
    assert interaction_type(a, b, ab) == interaction_type(b, a, ab)
    assert interaction_type(a, b, ab) in TYPES


def test_types_at_their_borders() -> None:
    assert interaction_type(0.25, 0.5, 0.25) == "Weaken, uni-"
    assert interaction_type(0.25, 0.5, 0.5) == "Weaken, uni-"
    assert interaction_type(0.1, 0.2, 0.1 + 0.2 + 5e-10) == "Independent"
    assert interaction_type(0.1, 0.2, 0.1 + 0.2 + 2e-9) == "Enhance, nonlinear"
