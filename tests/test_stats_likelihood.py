"""Information criteria and χ² of several equations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from drivers.stats.likelihood import chi_square, dsep_criteria, information_criteria, misfit_per_df


def test_criteria_are_sums_over_equations() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 3))
    fits = [sm.OLS(rng.normal(size=40), sm.add_constant(x[:, :k])).fit() for k in (1, 3)]
    k = [int(fit.df_model) + 2 for fit in fits]
    found = information_criteria([f.llf for f in fits], k, [40, 40])
    assert found.log_likelihood == pytest.approx(sum(f.llf for f in fits), rel=1e-14)
    assert found.parameters == sum(k)
    # statsmodels does not count the residual variance: one parameter more here.
    assert found.aic == pytest.approx(sum(f.aic + 2 for f in fits), rel=1e-14)
    assert found.bic == pytest.approx(sum(f.bic + math.log(40) for f in fits), rel=1e-14)
    want = sum(f.aic + 2 + 2 * j * (j + 1) / (40 - j - 1) for f, j in zip(fits, k, strict=True))
    assert found.aicc == pytest.approx(want, rel=1e-14)


def test_too_few_pixels_have_no_aicc() -> None:
    found = information_criteria([-1.0], [5], [6])
    assert math.isnan(found.aicc)
    assert found.aic == 12.0


def test_dsep_criteria() -> None:
    aic, aicc = dsep_criteria(17.0, 9, 90)
    assert (aic, aicc) == (35.0, 17.0 + 2 * 9 * 90 / 80)
    assert math.isnan(dsep_criteria(17.0, 9, 10)[1])


def test_chi_square_is_twice_the_gain() -> None:
    chisq, p = chi_square([-10.0, -20.0], [-8.0, -19.5], 3)
    assert chisq == pytest.approx(5.0)
    assert p == pytest.approx(float(stats.chi2.sf(5.0, 3)))


def test_misfit_of_independent_pixels_is_lavaans_rmsea(golden: Callable[[str], Any]) -> None:
    names = ("keeley_docs_chain", "keeley_mediation", "political_democracy", "hs_cfa")
    for fit in (golden("lavaan.json")[name]["fit"] for name in names):
        n = fit["ntotal"]
        got = misfit_per_df(fit["chisq"], fit["df"], n, np.full(4, float(n)))
        assert got == pytest.approx(fit["rmsea"], rel=1e-8)


def test_misfit_below_what_sampling_gives_is_none_and_unknown_stays_unknown() -> None:
    assert misfit_per_df(2.9, 3, 90, np.full(3, 90.0)) == 0.0
    # Fewer independent pixels explain more of the same misfit.
    few, many = (misfit_per_df(30.0, 3, 90, np.full(3, n)) for n in (20.0, 90.0))
    assert few**2 == pytest.approx(many**2 - (1 / 20 - 1 / 90))
    assert math.isnan(misfit_per_df(0.0, 0, 90, np.zeros(0)))
    assert math.isnan(misfit_per_df(30.0, 3, 90, np.array([20.0, np.nan, 30.0])))
