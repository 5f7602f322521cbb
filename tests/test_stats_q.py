"""q of candidates, its test, its adjustment, and GD's p-value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drivers.stats.binning import BinSums, bin_sums
from drivers.stats.q import (
    ClassSums,
    Cuts,
    adjusted_q,
    best,
    candidate_q,
    crossfit_q,
    gd_p_value,
    q_test,
    smallest_class,
    surrogate_q,
)


def bins_of(codes: np.ndarray, y: np.ndarray, size: int, **more: Any) -> BinSums:
    return bin_sums(codes.astype(np.uint16), size, y - y.mean(), **more)


def plain_q(codes: np.ndarray, y: np.ndarray) -> float:
    within = sum(((y[codes == c] - y[codes == c].mean()) ** 2).sum() for c in np.unique(codes))
    return float(1 - within / ((y - y.mean()) ** 2).sum())


@given(st.integers(0, 10_000), st.integers(2, 7))
def test_q_of_several_candidates(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(size), 2 + rng.integers(0, 5, size))
    y = rng.normal(size=len(codes)) + codes * rng.normal()
    coarse = [0, size // 2, size]
    found = candidate_q(
        bins_of(codes, y, size), Cuts.of([np.arange(size + 1), np.array(coarse), np.array([0, size])])
    )
    assert found[0] == pytest.approx(plain_q(codes, y), abs=1e-12)
    assert found[1] == pytest.approx(plain_q(np.searchsorted(coarse[1:], codes, side="right"), y), abs=1e-12)
    assert found[2] == pytest.approx(0, abs=1e-12)
    assert 0 <= found[1] <= found[0] + 1e-12 <= 1 + 1e-12  # refining never lowers q


def test_small_classes() -> None:
    y = np.array([1.0, 2.0, 3.0, 9.0])
    bins = bins_of(np.array([0, 0, 0, 2]), y, 3)
    cuts = Cuts.of([np.array([0, 2, 3]), np.array([0, 1, 2, 3])])
    assert smallest_class(bins, cuts).tolist() == [1, 0]
    q = candidate_q(bins, cuts)
    assert q[0] == pytest.approx(1 - 2 / 38.75)
    assert np.isnan(q[1])


def test_pixels_in_no_class_count_in_the_total_alone() -> None:
    rng = np.random.default_rng(3)
    y, codes = rng.normal(size=40), np.arange(40) // 10
    bins = bins_of(codes, y, 4)
    within = sum(((y[codes == c] - y[codes == c].mean()) ** 2).sum() for c in range(3))
    lost = candidate_q(bins, Cuts.of([np.array([0, 1, 2, 3])]))[0]
    assert lost == pytest.approx(1 - within / ((y - y.mean()) ** 2).sum(), abs=1e-12)


def test_the_best_has_the_fewest_classes_among_equals() -> None:
    q = np.array([0.3, 0.5, np.nan, 0.5, 0.5 - 1e-14])
    assert best(q, [3, 5, 2, 4, 3]) == 4
    assert best(q, [3, 5, 2, 4, 3], first=True) == 1
    assert best(np.array([np.nan]), [3]) is None


def test_crossfit_by_hand() -> None:
    rng = np.random.default_rng(4)
    codes, fold = rng.integers(0, 3, 60), (np.arange(60) % 2).astype(np.uint8)
    y = rng.normal(size=60) + codes
    bins = bins_of(codes, y, 3, folds=fold, n_folds=2)
    edges = np.arange(4)
    missed = spread = 0.0
    for f in range(2):
        train, held = fold != f, fold == f
        means = np.array([y[train & (codes == c)].mean() for c in range(3)])
        missed += ((y[held] - means[codes[held]]) ** 2).sum()
        spread += ((y[held] - y[train].mean()) ** 2).sum()
    found = crossfit_q(bins, [(bins.without(f), edges) for f in range(2)])
    assert found == pytest.approx(1 - missed / spread, abs=1e-12)
    assert crossfit_q(bins, [(bins.without(f), None) for f in range(2)]) == pytest.approx(0, abs=1e-12)


def test_surrogates_of_the_response_itself_give_its_q() -> None:
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 6, 80)
    y = rng.normal(size=80) + (codes > 2)
    centred = y - y.mean()
    bins = bins_of(codes, y, 6)
    cuts = Cuts.of([np.array([0, 2, 6]), np.array([0, 3, 6]), np.array([0, 1, 4, 5])])
    sums, squares = bins.sums, np.array([[float(centred @ centred)]])
    complete = Cuts.of([np.array([0, 2, 6]), np.array([0, 3, 6])])
    assert surrogate_q(sums, squares, bins.weights[0], complete)[0] == pytest.approx(
        candidate_q(bins, complete).max(), abs=1e-12
    )
    assert surrogate_q(sums, bins.squares, bins.weights[0], cuts)[0] == pytest.approx(
        candidate_q(bins, cuts).max(), abs=1e-12
    )


def test_the_test_is_a_one_way_analysis_of_variance() -> None:
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 4, 90)
    y = rng.normal(size=90) + 0.3 * codes
    test = q_test(plain_q(codes, y), 3 / 89, 3, 86)
    f, p = stats.f_oneway(*(y[codes == c] for c in range(4)))
    assert (test.f_statistic, test.p_value) == pytest.approx((f, p), rel=1e-10)
    assert test.log_p == pytest.approx(np.log(p), rel=1e-9)
    assert q_test(1.0, 3 / 89, 3, 86).p_value == 0
    assert np.isnan(q_test(0.5, 3 / 89, 3, 0).p_value)
    assert np.isnan(q_test(float("nan"), 3 / 89, 3, 86).f_statistic)


def test_p_does_not_underflow_in_its_logarithm(golden: Callable[[str], Any]) -> None:
    exact = golden("q_exact_pvalues.json")["ndvi_40"]
    for case in exact.values():
        n, k, q = case["n"], case["L"], case["q"]
        test = q_test(q, (k - 1) / (n - 1), k - 1, n - k)
        wanted = case["central_F_p (ANOVA)"]
        mantissa, exponent = wanted.split("e")
        assert test.log_p == pytest.approx(np.log(float(mantissa)) + int(exponent) * np.log(10), rel=1e-9)
        assert test.f_statistic == pytest.approx(case["F"], rel=1e-10)
    assert q_test(0.99, 3 / 99_999, 3, 99_996).log_p < -200_000


def test_adjusted_q_is_zero_on_average_without_meaning() -> None:
    rng = np.random.default_rng(7)
    codes = np.arange(60) % 6
    found = [adjusted_q(plain_q(codes, rng.normal(size=60)), 5 / 59) for _ in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20
    assert np.isnan(adjusted_q(0.5, 1.0))


def test_gd_p_changes_with_a_constant_and_ours_does_not() -> None:
    """CollectData's fault in small: GD's λ rests on class means that are not weighted."""
    counts, means = np.array([3.0, 30.0, 80.0]), np.array([1.0, 2.0, 2.2])
    p = [gd_p_value(0.2, counts, means + shift, 0.8, 113, 3) for shift in (0, 1, 10)]
    assert p[0] < p[1] < p[2]
    assert p[2] > 0.999


@pytest.mark.parametrize(("q", "n", "k"), [(float("nan"), 10, 3), (0.5, 3, 3), (0.5, 10, 1)])
def test_gd_p_where_there_is_none(q: float, n: int, k: int) -> None:
    assert np.isnan(gd_p_value(q, np.array([3.0, 4.0]), np.array([1.0, 2.0]), 1.0, n, k))


def test_variances_of_classes() -> None:
    y = np.array([1.0, 2.0, 4.0, 7.0, 9.0])
    codes = np.array([0, 0, 0, 1, 2])
    bins = bins_of(codes, y, 3)
    sums = ClassSums(bins.counts[0], bins.weights[0], bins.sums[0], bins.squares[0])
    assert sums.variances[0] == pytest.approx(np.var([1, 2, 4], ddof=1))
    assert np.isnan(sums.variances[1:]).all()
    assert sums.total == pytest.approx(((y - y.mean()) ** 2).sum())
