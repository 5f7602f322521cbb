"""Optimal classes of bins: against all partitions, and a planted step function."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats.optimal import optimal_between, optimal_partition


def between(weights: np.ndarray, sums: np.ndarray, cuts: tuple[int, ...] | np.ndarray) -> float:
    limits = [0, *cuts, len(weights)]
    return sum(sums[a:b].sum() ** 2 / weights[a:b].sum() for a, b in pairwise(limits))


def by_hand(weights: np.ndarray, sums: np.ndarray, counts: np.ndarray, k: int, smallest: int) -> float:
    """The best of all partitions; NaN where none is allowed."""
    best = np.nan
    for cuts in combinations(range(1, len(weights)), k - 1):
        limits = [0, *cuts, len(weights)]
        held = [counts[a:b].sum() for a, b in pairwise(limits)]
        if min(held) >= smallest:
            best = np.fmax(best, between(weights, sums, cuts))
    return float(best)


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 4))
def test_is_the_best_of_all_partitions(seed: int, bins: int, smallest: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, bins)
    weights, sums = counts * rng.random(bins), rng.normal(size=bins) * (counts > 0)
    classes = range(1, 7)
    found = optimal_partition(weights, sums, counts, classes, smallest)
    values = optimal_between(weights, np.array([sums, -sums]), counts, classes, smallest)
    for k, cuts, value in zip(classes, found, values.T, strict=True):
        wanted = by_hand(weights, sums, counts, k, smallest)
        assert value == pytest.approx([wanted, wanted], rel=1e-9, abs=1e-12, nan_ok=True)
        assert (cuts is None) == np.isnan(wanted)
        if cuts is not None:
            assert len(cuts) == k - 1
            assert between(weights, sums, cuts) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_more_bins_than_one_block() -> None:
    rng = np.random.default_rng(3)
    bins = 200
    weights, sums, counts = rng.random(bins) + 0.1, rng.normal(size=bins), np.full(bins, 3)
    (cuts,) = optimal_partition(weights, sums, counts, [3])
    assert cuts is not None
    assert between(weights, sums, cuts) == pytest.approx(by_hand(weights, sums, counts, 3, 2), rel=1e-12)


def test_more_classes_never_explain_less() -> None:
    rng = np.random.default_rng(0)
    bins = 150
    values = optimal_between(np.ones(bins), rng.normal(size=(3, bins)), np.full(bins, 2), range(1, 12))
    assert (np.diff(values, axis=1) > 0).all()


def test_finds_a_planted_step_function() -> None:
    rng = np.random.default_rng(1)
    levels = np.repeat([0.0, 5.0, -3.0, 2.0], [60, 140, 70, 130])
    response = levels + rng.normal(0, 0.3, len(levels))
    (cuts,) = optimal_partition(
        np.ones(len(levels)), response - response.mean(), np.ones(len(levels)), [4], smallest=2
    )
    assert cuts is not None
    assert cuts.tolist() == [60, 200, 270]


def test_classes_of_one_pixel_are_not_made() -> None:
    sums = np.array([100.0, 0.0, 0.0, 0.0])
    one, two = (optimal_partition(np.ones(4), sums, np.ones(4), [2], least)[0] for least in (1, 2))
    assert one is not None
    assert two is not None
    assert (one.tolist(), two.tolist()) == ([1], [2])


def test_what_cannot_be_made_is_none() -> None:
    found = optimal_partition(np.ones(3), np.ones(3), np.ones(3), [0, 1, 2, 3, 4], smallest=2)
    assert [None if cuts is None else cuts.tolist() for cuts in found] == [None, [], None, None, None]
    assert np.isnan(optimal_between(np.ones(3), np.ones((1, 3)), np.ones(3), [2])).all()
    assert optimal_partition(np.ones(3), np.ones(3), np.ones(3), []) == ()
