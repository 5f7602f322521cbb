"""Differences, false discoveries and agreement against scipy, statsmodels, hand computation and mpmath."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.oneway import anova_oneway

from drivers.stats.concordance import concordance_interval, kendalls_w
from drivers.stats.differences import benjamini_hochberg, omnibus_test, wald_differences

SAME = 1e-12
"""The same formula in another order of operations."""

seeds = st.integers(0, 1000)


def samples(seed, sizes):
    rng = np.random.default_rng(seed)
    return [rng.normal(0.2 * i, 1.0 + i, n) for i, n in enumerate(sizes)]


def summaries(groups):
    """Means, their variances, and df, shapes (k, 1)."""
    n = np.array([[len(g)] for g in groups])
    means, variances = (np.array([[f(g)] for g in groups]) for f in (np.mean, lambda g: np.var(g, ddof=1)))
    return means, variances / n, n - 1.0


# Wald tests


@given(seeds, st.integers(3, 40), st.integers(3, 40))
def test_two_means_are_welchs_t(seed, n, m):
    a, b = samples(seed, (n, m))
    test = wald_differences(a.mean(), b.mean(), a.var(ddof=1) / n, b.var(ddof=1) / m, n - 1, m - 1)
    want = stats.ttest_ind(a, b, equal_var=False)
    assert float(test.statistic) == pytest.approx(want.statistic, rel=SAME)
    assert float(test.df) == pytest.approx(want.df, rel=SAME)
    assert float(test.log_p) == pytest.approx(np.log(want.pvalue), rel=1e-9, abs=1e-12)


def test_known_variances_make_a_z():
    test = wald_differences(3.0, 1.0, 0.25, 0.75)
    assert (float(test.statistic), float(test.std_error), float(test.df)) == (2.0, 1.0, np.inf)
    assert float(test.log_p) == pytest.approx(np.log(2 * stats.norm.sf(2.0)), rel=SAME)
    mixed = wald_differences(3.0, 1.0, 0.25, 0.75, 10, np.inf)
    assert float(mixed.df) == pytest.approx(160.0)


def test_far_tails_keep_their_logarithm():
    test = wald_differences(500.0, 0.0, 0.5, 0.5, 200, 200)
    with mpmath.workdps(50):
        df = mpmath.mpf(400)
        x = df / (df + 250_000)
        want = mpmath.log(mpmath.betainc(df / 2, mpmath.mpf("0.5"), 0, x, regularized=True))
    assert float(test.df) == pytest.approx(400.0)
    assert float(test.log_p) == pytest.approx(float(want), rel=1e-10)
    assert float(wald_differences(1e4, 0.0, 0.5, 0.5).log_p) == pytest.approx(-5e7, rel=1e-5)


@pytest.mark.parametrize("missing", [(np.nan, 1.0), (1.0, np.nan), (1.0, 0.0)])
def test_what_is_not_known_is_not_tested(missing):
    estimate, variance = missing
    first = 0.0 if variance == 0 else 1.0
    test = wald_differences(estimate, 0.0, variance, first, 5, 5)
    assert np.isnan(test.log_p)


@given(seeds)
def test_differences_are_antisymmetric_and_ignore_units(seed):
    rng = np.random.default_rng(seed)
    b, v = rng.normal(size=(4, 3)), rng.uniform(0.1, 1.0, (4, 3))
    df = np.broadcast_to(np.arange(4.0)[:, None] + 5.0, b.shape)
    i, j = np.triu_indices(4, 1)
    there = wald_differences(b[i], b[j], v[i], v[j], df[i], df[j])
    assert there.log_p.shape == (6, 3)
    back = wald_differences(b[j], b[i], v[j], v[i], df[j], df[i])
    assert back.estimate == pytest.approx(-there.estimate)
    assert back.log_p == pytest.approx(there.log_p, rel=SAME)
    for unit in (1e6, 1e-100):
        other = wald_differences(b[i] * unit, b[j] * unit, v[i] * unit**2, v[j] * unit**2, df[i], df[j])
        assert other.log_p == pytest.approx(there.log_p, rel=1e-10)
        assert other.df == pytest.approx(there.df, rel=1e-10)


def test_no_pairs_have_no_tests():
    none = np.ones((0, 3))
    assert wald_differences(none, none, none, none).log_p.shape == (0, 3)


def test_an_overflow_is_not_tested():
    test = wald_differences(1e300, 0.0, 1e-20, 1e-20)
    assert (float(test.statistic), np.isnan(test.log_p).item()) == (np.inf, True)


# Omnibus


@given(seeds, st.lists(st.integers(4, 30), min_size=2, max_size=6))
def test_omnibus_of_means_is_welchs_anova(seed, sizes):
    groups = samples(seed, sizes)
    test = omnibus_test(*summaries(groups))
    want = anova_oneway(groups, use_var="unequal", welch_correction=True)
    assert test.statistic[0] == pytest.approx(want.statistic, rel=1e-10)
    assert [test.df[0], test.df_residual[0]] == pytest.approx(list(want.df), rel=1e-10)
    assert test.log_p[0] == pytest.approx(np.log(want.pvalue), rel=1e-8, abs=1e-10)


def test_omnibus_with_known_variances_is_cochrans_q():
    b, v = np.array([[0.1], [0.5], [0.9]]), np.array([[0.01], [0.04], [0.09]])
    test = omnibus_test(b, v)
    w = 1 / v
    pooled = (w * b).sum() / w.sum()
    q = (w * (b - pooled) ** 2).sum()
    assert test.pooled[0] == pytest.approx(pooled, rel=SAME)
    assert test.statistic[0] == pytest.approx(q / 2, rel=SAME)
    assert test.log_p[0] == pytest.approx(stats.chi2.logsf(q, 2), rel=1e-10)
    assert np.isinf(test.df_residual[0])
    moved = omnibus_test(b + 1e8, v)
    assert moved.statistic[0] == pytest.approx(q / 2, rel=1e-6)
    assert omnibus_test(b * 1e-100, v * 1e-200).statistic[0] == pytest.approx(q / 2, rel=1e-10)


def test_omnibus_of_two_is_the_wald_test():
    b, v, df = np.array([[0.3], [0.9]]), np.array([[0.02], [0.07]]), np.array([[12.0], [40.0]])
    pair, test = wald_differences(b[0], b[1], v[0], v[1], df[0], df[1]), omnibus_test(b, v, df)
    assert test.statistic[0] == pytest.approx(pair.statistic[0] ** 2, rel=SAME)
    assert test.df_residual[0] == pytest.approx(pair.df[0], rel=SAME)
    assert test.log_p[0] == pytest.approx(pair.log_p[0], rel=1e-10)


def test_omnibus_leaves_out_strata_without_an_estimate():
    b = np.array([[0.1, 1.0, np.nan], [np.nan, np.nan, np.nan], [0.5, 2.0, np.nan], [0.9, np.nan, np.nan]])
    v = np.where(np.isnan(b), np.nan, 0.04)
    v[2, 1] = 0.0
    test = omnibus_test(b, v, 20.0)
    assert test.df.tolist() == [2.0, 0.0, -1.0]
    assert np.isfinite(test.log_p).tolist() == [True, False, False]
    assert test.log_p[0] == omnibus_test(b[[0, 2, 3], :1], v[[0, 2, 3], :1], 20.0).log_p[0]
    assert test.pooled[1] == 1.0
    assert np.isnan(test.pooled[2])
    assert omnibus_test(np.ones((3, 0)), np.ones((3, 0))).log_p.shape == (0,)


def test_omnibus_rejects_at_its_rate_with_few_degrees_of_freedom():
    rng = np.random.default_rng(2)
    k, reps, df = 5, 20_000, np.array([6.0, 8.0, 10.0, 20.0, 40.0])[:, None]
    variance = np.array([1.0, 4.0, 0.5, 2.0, 1.0])[:, None]
    b = rng.normal(size=(k, reps)) * np.sqrt(variance)
    v = variance * rng.chisquare(np.broadcast_to(df, (k, reps))) / df
    assert np.mean(omnibus_test(b, v, df).log_p < np.log(0.05)) == pytest.approx(0.05, abs=0.008)
    assert np.mean(omnibus_test(b, v).log_p < np.log(0.05)) > 0.08  # as if variances were known


# False discoveries

P = st.floats(0.0, 1.0) | st.sampled_from([0.01, 0.05, 1.0])


@given(hnp.arrays(np.float64, st.integers(1, 40), elements=P))
def test_adjusted_p_are_statsmodels(p):
    with np.errstate(divide="ignore"):
        got = benjamini_hochberg(np.log(p))
    want = multipletests(p, method="fdr_bh")[1]
    assert np.exp(got) == pytest.approx(want, rel=1e-11, abs=1e-300)


def test_missing_p_count_for_nothing_and_shapes_stay():
    p = np.array([[0.01, np.nan, 0.03], [0.04, 0.5, np.nan]])
    got = benjamini_hochberg(np.log(p))
    assert np.isnan(got).tolist() == np.isnan(p).tolist()
    assert np.exp(got[~np.isnan(p)]) == pytest.approx(multipletests(p[~np.isnan(p)], method="fdr_bh")[1])
    assert np.isnan(benjamini_hochberg(np.full(3, np.nan))).all()
    assert benjamini_hochberg(np.zeros(0)).shape == (0,)


def test_underflowing_p_keep_their_order():
    got = benjamini_hochberg([-9000.0, -10_000.0, -1.0, -10_000.0])
    assert got == pytest.approx([-9000 + np.log(4 / 3), -10_000 + np.log(2), -1.0, -10_000 + np.log(2)])
    assert benjamini_hochberg([-np.inf, -1.0])[0] == -np.inf


def test_false_discoveries_stay_below_their_rate():
    rng = np.random.default_rng(3)
    shares = []
    for _ in range(400):
        z = rng.normal(size=100) + np.where(np.arange(100) < 20, 3.5, 0.0)
        found = benjamini_hochberg(np.log(2) + stats.norm.logsf(np.abs(z))) < np.log(0.1)
        shares.append(found[20:].sum() / max(found.sum(), 1))
    assert np.mean(shares) == pytest.approx(0.08, abs=0.015)  # the level times the share of nulls


# Ranks


@given(seeds, st.integers(3, 6), st.integers(3, 9), st.booleans())
def test_concordance_is_friedmans(seed, m, n, ties):
    scores = np.random.default_rng(seed).normal(size=(m, n))
    scores = scores.round() if ties else scores
    got = kendalls_w(scores)
    if np.ptp(scores, axis=1).max() == 0:
        assert np.isnan(got.w)
        return
    want = stats.friedmanchisquare(*scores.T)
    assert float(got.statistic) == pytest.approx(want.statistic, rel=1e-10, abs=1e-12)
    assert float(got.w) == pytest.approx(want.statistic / (m * (n - 1)), rel=1e-10, abs=1e-12)
    assert float(got.log_p) == pytest.approx(np.log(want.pvalue), rel=1e-8, abs=1e-10)
    ranks = stats.rankdata(scores, axis=1)
    sizes = sum(
        (np.unique(r, return_counts=True)[1] ** 3 - np.unique(r, return_counts=True)[1]).sum() for r in ranks
    )
    s = ((ranks.sum(axis=0) - m * (n + 1) / 2) ** 2).sum()
    assert float(got.w) == pytest.approx(12 * s / (m**2 * (n**3 - n) - m * sizes), rel=1e-12, abs=1e-14)


def test_concordance_at_its_ends():
    order = np.arange(5.0)
    assert float(kendalls_w(np.array([order, order * 1e6, np.exp(order)])).w) == 1.0
    assert float(kendalls_w(np.array([order, -order])).w) == 0.0
    assert np.isnan(kendalls_w(np.ones((3, 4))).w)
    assert np.isnan(kendalls_w(np.array([order, np.where(order == 2, np.nan, order)])).w)
    with pytest.raises(ValueError, match="agreement needs two raters and two items, not 1 and 5"):
        kendalls_w(order[None])


def test_concordance_interval_counts_what_failed():
    rng = np.random.default_rng(4)
    scores = np.tile(np.arange(6.0), (3, 1))
    draws = scores + rng.normal(size=(999, 3, 6))
    draws[:10, 0, 0] = np.nan
    got = concordance_interval(scores, draws)
    w = np.array([kendalls_w(d).w for d in draws[10:]])
    assert got.failed == 10
    assert [got.low, got.high] == pytest.approx(np.quantile(w, [0.025, 0.975], method="weibull").tolist())
    none = concordance_interval(scores, np.full((5, 3, 6), np.nan))
    assert (none.failed, np.isnan(none.low)) == (5, True)
