"""The risk and the ecological detector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from drivers.stats.detectors import ecological_test, holm, risk_tests


def test_risk_is_welch() -> None:
    rng = np.random.default_rng(1)
    classes = [rng.normal(m, s, n) for m, s, n in ((0, 1, 12), (1, 2, 30), (0.5, 1, 7), (3, 1, 1))]
    with np.errstate(invalid="ignore", divide="ignore"):
        variances = np.array([c.var(ddof=1) if len(c) > 1 else np.nan for c in classes])
    found = risk_tests(
        np.array([c.mean() for c in classes]), variances, np.diag([1 / len(c) for c in classes])
    )
    assert list(zip(found.a, found.b, strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    for i, (a, b) in enumerate(zip(found.a, found.b, strict=True)):
        if 3 in (a, b):
            assert np.isnan([found.statistic[i], found.df[i], found.p_value[i]]).all()
            continue
        want = stats.ttest_ind(classes[a], classes[b], equal_var=False)
        got = (found.statistic[i], found.df[i], found.p_value[i])
        assert got == pytest.approx((want.statistic, want.df, want.pvalue), rel=1e-10)


def test_classes_that_go_together_differ_more_clearly() -> None:
    means, variances = np.array([0.0, 1.0]), np.array([1.0, 1.0])
    alone = risk_tests(means, variances, np.diag([0.1, 0.1]))
    together = risk_tests(means, variances, np.array([[0.1, 0.05], [0.05, 0.1]]))
    assert abs(together.statistic[0]) == pytest.approx(1 / np.sqrt(0.1))
    assert abs(alone.statistic[0]) == pytest.approx(1 / np.sqrt(0.2))


def test_equal_means_without_variance_have_no_test() -> None:
    found = risk_tests(np.array([1.0, 1.0]), np.zeros(2), np.diag([0.1, 0.1]))
    assert np.isnan(found.p_value[0])


def test_holm_is_that_of_statsmodels() -> None:
    p = np.random.default_rng(2).uniform(size=9) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)
    assert holm(np.empty(0)).tolist() == []


def test_ecological_as_gdverse(golden: Callable[[str], Any]) -> None:
    for name in ("CollectData", "ndvi_40_GD_optimal_breaks"):
        table = golden("gdverse.json")[name]
        n = 185 if name == "CollectData" else 713
        q = {row["variable"]: row["q"] for row in table["factor"]}
        for row in table["ecological"]:
            test = ecological_test(q[row["var1"]], q[row["var2"]], n - 1, "gdverse")
            assert test.f_statistic == pytest.approx(row["F"], rel=1e-10)
            assert test.p_value == pytest.approx(row["p"], rel=1e-6)


def test_ecological_as_gd(golden: Callable[[str], Any]) -> None:
    gd = golden("gd.json")["gdm"]
    q = {row["variable"]: row["qv"] for row in gd["factor"]}
    for row in gd["ecological_F_as_GD"]:
        test = ecological_test(q[row["var1"]], q[row["var2"]], 712, "gd")
        assert test.f_statistic == pytest.approx(row["F_q2_over_q1"], rel=1e-10)
        significant = max(test.f_statistic, 1 / test.f_statistic) > row["F_crit_0.90"]
        assert (test.p_value < 0.1) == significant


def test_ecological_is_two_sided_and_symmetric() -> None:
    one, other = (ecological_test(a, b, 99, "two_sided") for a, b in ((0.2, 0.5), (0.5, 0.2)))
    assert one.f_statistic == pytest.approx(1 / other.f_statistic)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-10)
    assert one.p_value == pytest.approx(2 * stats.f.sf(1.6, 99, 99))
    assert ecological_test(0.3, 0.3, 99, "two_sided").p_value == pytest.approx(1)
    assert np.isnan(ecological_test(0.3, 1.0, 99, "two_sided").p_value)
    assert np.isnan(ecological_test(0.0, 0.3, 99, "gd").p_value)
