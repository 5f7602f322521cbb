"""Every piecewise SEM that R's piecewiseSEM was run on: our numbers against its numbers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

import drivers as dr

RTOL = 1e-8
"""METHODS, section 1: estimates, SE, statistics, C, χ², AIC and R² carry R's 15 digits through one solve."""

P_RTOL = 1e-6
"""METHODS, section 1: p-values, where p > 1e-300."""

CHISQ_ATOL = 1e-8
"""χ² is a small difference of log-likelihoods of some hundreds, whose 1e-13 is absolute here."""

MIXED_RTOL = 1e-7
"""nlme stops its optimiser when the profile is flat to about 1e-7; the optimum itself is ours (see below)."""

Golden = Callable[[str], Any]
Find = Callable[[str], Path]


@pytest.fixture
def keeley(shared_table: Find) -> pd.DataFrame:
    frame = pd.read_csv(shared_table("keeley"))
    frame["rich_hi"] = (frame.rich > frame.rich.median()).astype(float)
    return frame


MODELS: dict[str, tuple[str, dict[str, str]]] = {
    "keeley_docs": ("rich ~ cover; cover ~ firesev; firesev ~ age", {}),
    "keeley_partial_mediation": ("rich ~ cover + firesev + age; cover ~ firesev; firesev ~ age", {}),
    "keeley_fork_cerror": (
        "abiotic ~ distance; hetero ~ distance; rich ~ abiotic + hetero + distance; abiotic ~~ hetero",
        {},
    ),
    "keeley_extra_node": ("rich ~ cover; cover ~ firesev; age ~ 1", {}),
    "keeley_saturated": ("rich ~ cover + firesev; cover ~ firesev", {}),
    "keeley_poisson": ("rich ~ cover + abiotic; cover ~ firesev; firesev ~ age", {"rich": "poisson"}),
    "keeley_logit": ("rich_hi ~ cover + hetero; cover ~ firesev; firesev ~ age", {"rich_hi": "binomial"}),
    "keeley_interaction": ("rich ~ distance * hetero + cover; cover ~ firesev", {}),
}


def row(table: pd.DataFrame, **where: str) -> pd.Series:
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1, where
    return table.iloc[0]


def assert_model(result: Any, want: dict[str, Any], rtol: float = RTOL, *, claims: bool = True) -> None:
    """Coefficients, intercepts, claims, C, χ², AIC and R² of one model."""
    tidy, glance = result.tidy(), result.glance().iloc[0]
    for ref in want["coefs"]:
        if ref["Response"].startswith("~~"):
            continue  # ours is another test, on purpose; see test_correlated_errors
        got = row(tidy, response=ref["Response"], term=ref["Predictor"], op="~")
        for ours, theirs in (
            ("estimate", "Estimate"),
            ("std_error", "Std.Error"),
            ("statistic", "Crit.Value"),
            ("std_estimate", "Std.Estimate"),
        ):
            assert got[ours] == pytest.approx(float(ref[theirs]), rel=rtol), (ours, ref)
        assert got.p_value == pytest.approx(ref["P.Value"], rel=max(P_RTOL, 30 * rtol)), ref
    by_node = {e.equation.node: e for e in result.fit.equations}
    for ref in want["coefs_with_intercepts"]:
        e = by_node[ref["Response"]] if not ref["Response"].startswith("~~") else None
        if e is not None and ref["Predictor"] == "(Intercept)":
            assert e.intercept == pytest.approx(ref["Estimate"], rel=rtol)
    for ref in want["rsquared"]:
        e = by_node[ref["Response"]]
        assert e.r2 == pytest.approx(ref.get("R.squared", ref.get("Marginal")), rel=rtol)
        if "Conditional" in ref:
            assert e.r2_conditional == pytest.approx(ref["Conditional"], rel=rtol)
    r2 = result.records["r2"]
    assert {r["response"]: r["r2"] for r in r2} == {e.equation.node: e.r2 for e in result.fit.equations}
    for ref in want["logLik"].values():
        e = by_node[ref["formula"].split(" ~")[0]]
        assert e.log_likelihood == pytest.approx(ref["logLik"], rel=rtol)
        assert e.parameters == ref["df"]
    aic = want["AIC_loglik"][0]
    assert glance.aic == pytest.approx(aic["AIC"], rel=rtol)
    assert glance.aicc == pytest.approx(aic["AICc"], rel=rtol)
    assert glance.n == aic["n"]
    if claims:
        assert_claims(result, want, rtol)


def assert_claims(result: Any, want: dict[str, Any], rtol: float) -> None:
    found, glance = result.claims(), result.glance().iloc[0]
    assert len(found) == want["n_claims"] == len(want["dSep"])
    for ref in want["dSep"]:
        response, _, rest = ref["Independ.Claim"].partition(" ~ ")
        got = row(found, response=response, term=rest.split(" ")[0])
        assert got.statistic == pytest.approx(ref["Crit.Value"], rel=rtol)
        assert got.p_value == pytest.approx(ref["P.Value"], rel=max(P_RTOL, 30 * rtol))
    chisq = want["LLchisq"][0]
    assert glance.chisq == pytest.approx(chisq["Chisq"], rel=rtol, abs=CHISQ_ATOL)
    assert glance.chisq_df == chisq["df"]
    assert glance.chisq_p == pytest.approx(chisq["P.Value"], rel=P_RTOL)
    if want["n_claims"]:
        c = want["fisherC"]
        assert glance.fishers_c == pytest.approx(c["C"], rel=10 * rtol)
        assert glance.fishers_c_df == c["df"]
        assert glance.fishers_c_p == pytest.approx(c["P"], rel=P_RTOL)
        assert glance.c_per_df == pytest.approx(c["C"] / c["df"], rel=10 * rtol)
        assert glance.aic_dsep == pytest.approx(want["AIC_dsep"]["AIC"], rel=rtol)
        assert glance.aicc_dsep == pytest.approx(want["AIC_dsep"]["AICc"], rel=rtol)
    else:
        assert pd.isna(glance.fishers_c)
        assert glance.fishers_c_df == 0
        assert glance.message == "saturated: no path is missing, so nothing can be tested"
        assert glance.verdict == "saturated"


def assert_effects(result: Any, want: dict[str, Any], rtol: float = RTOL) -> None:
    found = dr.effects(result)
    for key, column in (("effects_std", "std_estimate"), ("effects_unstd", "estimate")):
        for ref in want[key]:
            mine = found[(found.driver == ref["from"]) & (found.response == ref["to"])]
            if ref["total"] == 0:
                assert len(mine) == 0
                continue
            total = row(mine, kind="total")[column]
            assert total == pytest.approx(ref["total"], rel=rtol)
            direct = mine[mine.kind == "direct"][column].sum()
            assert direct == pytest.approx(ref["direct"], rel=rtol, abs=1e-15)
            assert mine[mine.kind == "indirect"][column].sum() == pytest.approx(
                ref["indirect"], rel=rtol, abs=1e-14
            )


@pytest.mark.parametrize("name", MODELS)
def test_keeley(name: str, keeley: pd.DataFrame, golden: Golden) -> None:
    want = golden("psem.json")[name]
    formula, family = MODELS[name]
    result = dr.fit(formula, keeley, family=family)
    assert_model(result, want)
    if "effects_std" in want:
        assert_effects(result, want)


@pytest.mark.parametrize("name", [name for name, (_, family) in MODELS.items() if not family])
def test_standardised_by_ranges(name: str, keeley: pd.DataFrame, golden: Golden) -> None:
    result = dr.fit(MODELS[name][0], keeley, options={"standardize": "range"})
    for ref in golden("psem.json")[name]["coefs_range"]:
        if not ref["Response"].startswith("~~"):
            got = row(result.tidy(), response=ref["Response"], term=ref["Predictor"])
            assert got.std_estimate == pytest.approx(ref["Std.Estimate"], rel=RTOL)


@pytest.mark.parametrize("name", ["keeley_poisson", "keeley_logit"])
def test_ranges_of_a_response_with_a_link_are_six_sds(
    name: str, keeley: pd.DataFrame, golden: Golden
) -> None:
    formula, family = MODELS[name]
    result = dr.fit(formula, keeley, family=family, options={"standardize": "range"})
    for ref in golden("psem.json")[name]["coefs_range"]:
        got = row(result.tidy(), response=ref["Response"], term=ref["Predictor"])
        assert got.std_estimate == pytest.approx(ref["Std.Estimate"], rel=RTOL)


def test_meadows(shared_table: Find, golden: Golden) -> None:
    frame = pd.read_csv(shared_table("meadows"))
    want = golden("psem.json")["meadows_jutila"]
    result = dr.fit("rich ~ elev + mass; mass ~ elev", frame)
    assert_model(result, want)
    assert_effects(result, want)


def test_random_intercepts(shared_table: Find, golden: Golden) -> None:
    """nlme's fits of site means on the rows that are complete."""
    want = golden("psem_mixed.json")["shipley_complete_lme_ML_site"]
    frame = pd.read_csv(shared_table("shipley"))
    result = dr.fit("DD ~ lat + (1 | site); Date ~ DD + (1 | site); Growth ~ Date + (1 | site)", frame)
    assert_model(result, want, MIXED_RTOL)
    assert_effects(result, want, MIXED_RTOL)
    for ref in want["coefs"]:
        assert row(result.tidy(), response=ref["Response"], term=ref["Predictor"]).df == ref["DF"]
    for e, ref in zip(result.fit.equations, want["logLik"].values(), strict=True):
        assert e.log_likelihood >= ref["logLik"] - 1e-9  # no worse an optimum than nlme's


def test_random_intercept_of_one_equation(shared_table: Find, golden: Golden) -> None:
    raw = golden("psem_mixed.json")["lme_DD_lat_site_ML"]
    frame = pd.read_csv(shared_table("shipley"))[["site", "lat", "DD"]].dropna()
    e = dr.fit("DD ~ lat + (1 | site)", frame).fit.equations[0]
    assert e.intercept == pytest.approx(raw["fixef"]["(Intercept)"], rel=MIXED_RTOL)
    assert e.coefficients[0] == pytest.approx(raw["fixef"]["lat"], rel=MIXED_RTOL)
    assert e.log_likelihood == pytest.approx(raw["logLik"], rel=1e-9)


def test_sleepstudy(shared_table: Find, golden: Golden) -> None:
    """lme4 by maximum likelihood: its SE lack nlme's √(n / (n - k - 1))."""
    raw = golden("psem_mixed.json")["sleep_lmer_ML"]
    frame = pd.read_csv(shared_table("sleepstudy"))
    result = dr.fit("Reaction ~ Days + (1 | Subject)", frame)
    e = result.fit.equations[0]
    days = raw["coef"][1]
    n = len(frame)
    assert e.coefficients[0] == pytest.approx(days["Estimate"], rel=MIXED_RTOL)
    assert e.std_error[0] * np.sqrt((n - 2) / n) == pytest.approx(days["Std. Error"], rel=MIXED_RTOL)
    assert e.log_likelihood == pytest.approx(raw["logLik"], rel=1e-9)


GRACE = (
    "age ~ distance",
    "hetero ~ distance",
    "abiotic ~ distance",
    "firesev ~ age",
    "cover ~ firesev",
    "rich ~ distance + hetero + abiotic + cover",
)


def test_typing_order_changes_nothing(keeley: pd.DataFrame, golden: Golden) -> None:
    """piecewiseSEM's χ² of this model depends on the typing order; the right one is lavaan's."""
    probes = golden("psem_probes.json")
    want, orders = probes["grace2006_correct_LLchisq"], probes["order_dependence"]
    texts = set()
    for order in [*list(permutations(range(6)))[::97], (5, 4, 3, 2, 1, 0)]:
        result = dr.fit("\n".join(GRACE[i] for i in order), keeley)
        glance = result.glance().iloc[0]
        assert glance.chisq == pytest.approx(want["chisq"], abs=CHISQ_ATOL)
        assert glance.chisq_df == want["df"] == 12
        assert glance.chisq_p == pytest.approx(want["P"], rel=P_RTOL)
        assert round(glance.chisq, 6) == 20.866363
        for run in orders.values():
            assert glance.fishers_c == pytest.approx(run["C"], rel=RTOL)
            assert len(result.claims()) == run["n_claims"]
        texts.add(result.tidy().to_csv() + result.claims().to_csv() + dr.effects(result).to_csv())
    assert len(texts) == 1
    assert orders["as_given"]["LLchisq"][0]["df"] == 13  # what piecewiseSEM says of the same model


@pytest.mark.parametrize("name", ["keeley_docs_chain", "keeley_mediation"])
def test_chi_square_and_estimates_are_lavaans(name: str, keeley: pd.DataFrame, golden: Golden) -> None:
    want = golden("lavaan.json")[name]
    lines = [line.strip() for line in want["model"].splitlines() if "~" in line]
    labels = {"a*": "", "b*": "", "c*": "", "d*": ""}
    for label, nothing in labels.items():
        lines = [line.replace(label, nothing) for line in lines]
    result = dr.fit("\n".join(lines), keeley)
    glance = result.glance().iloc[0]
    assert glance.chisq == pytest.approx(want["fit"]["chisq"], rel=1e-7)
    assert glance.chisq_df == want["fit"]["df"]
    # lavaan's ML error is ours times √((n - p) / n), p counting the intercept; ours counts variances of
    # exogenous variables nowhere either, so log-likelihoods differ by what age alone has.
    for ref in want["estimates"]:
        if ref["op"] == "~":
            got = row(result.tidy(), response=ref["lhs"], term=ref["rhs"])
            k = len(result.tidy()[result.tidy().response == ref["lhs"]])
            assert got.estimate == pytest.approx(ref["est"], rel=1e-7)
            assert got.std_error * np.sqrt((90 - k - 1) / 90) == pytest.approx(ref["se"], rel=1e-5)
            assert got.std_estimate == pytest.approx(ref["std_all"], rel=1e-7)
        if ref["op"] == ":=" and ref["lhs"] != "total":
            via = {
                "indirect_cover": "age -> firesev -> cover -> rich",
                "indirect_fire": "age -> firesev -> rich",
            }[ref["lhs"]]
            got = row(dr.effects(result), via=via)
            assert got.estimate == pytest.approx(ref["est"], rel=1e-7)
            assert got.std_error == pytest.approx(ref["se"], rel=0.03)  # ML against n - p: 2 % at n = 90


# Where we differ from piecewiseSEM on purpose.


def test_correlated_errors(keeley: pd.DataFrame, golden: Golden) -> None:
    """r is theirs; the test is two-sided with n - k - 2 df, k the columns of both equations, each once."""
    want = golden("psem.json")["keeley_fork_cerror"]["coefs"][-1]
    got = row(dr.fit(MODELS["keeley_fork_cerror"][0], keeley).tidy(), op="~~")
    assert (got.response, got.term) == ("abiotic", "hetero")
    assert got.estimate == pytest.approx(want["Estimate"], rel=RTOL)
    assert got.std_estimate == got.estimate
    left, right = (smf.ols(f"{y} ~ distance", keeley).fit().resid for y in ("abiotic", "hetero"))
    r = float(np.corrcoef(left, right)[0, 1])
    df = 90 - 1 - 2
    t = r * np.sqrt(df / (1 - r**2))
    assert got.estimate == pytest.approx(r, rel=1e-9)
    assert got.df == df
    assert got.statistic == pytest.approx(t, rel=1e-9)
    assert got.p_value == pytest.approx(2 * stats.t.sf(t, df), rel=1e-9)
    assert got.p_value == pytest.approx(2 * want["P.Value"], rel=1e-4)  # theirs is one-sided
    z, half = np.arctanh(r), stats.norm.ppf(0.975) / np.sqrt(df - 1)
    assert got.conf_low == pytest.approx(np.tanh(z - half), rel=1e-9)
    assert got.conf_high == pytest.approx(np.tanh(z + half), rel=1e-9)
    probe = golden("psem_probes.json")["cerror_one_sided"]
    assert got.estimate == pytest.approx(probe["residual_cor_test"]["r"], rel=1e-9)


def test_a_joined_pair_leaves_the_claims_and_stays_out_of_aic_dsep(keeley: pd.DataFrame) -> None:
    """piecewiseSEM's AIC_dsep brings joined pairs back; ours is C + 2K with the C that is reported."""
    result = dr.fit(
        "abiotic ~ distance; hetero ~ distance; rich ~ abiotic + hetero; abiotic ~~ hetero", keeley
    )
    assert [(c.response, c.term) for c in result.claims().itertuples()] == [("rich", "distance")]
    glance = result.glance().iloc[0]
    assert glance.fishers_c == pytest.approx(-2 * result.claims().log_p.sum(), rel=1e-14)
    k = sum(e.parameters for e in result.fit.equations)
    assert glance.aic_dsep == pytest.approx(glance.fishers_c + 2 * k, rel=1e-14)


def test_conserve_keeps_the_smaller_p_and_counts_the_claim_once(keeley: pd.DataFrame, golden: Golden) -> None:
    want = golden("psem_probes.json")["keeley_poisson_conserve"]
    formula = "hetero ~ distance; rich ~ distance; cover ~ rich + hetero"
    result = dr.fit(formula, keeley, family={"rich": "poisson"}, options={"conserve": True})
    assert_model(result, want, claims=False)
    glance, claims = result.glance().iloc[0], result.claims()
    assert len(claims) == len(want["dSep"]) == 2
    for ref in want["dSep"]:
        response, _, rest = ref["Independ.Claim"].partition(" ~ ")
        got = row(claims, response=response, term=rest.split(" ")[0])
        assert got.statistic == pytest.approx(ref["Crit.Value"], rel=RTOL)
        assert got.p_value == pytest.approx(ref["P.Value"], rel=P_RTOL)
    assert glance.fishers_c == pytest.approx(want["fisherC"]["C"], rel=RTOL)
    # χ²: piecewiseSEM counts both directions of the one claim (3 df). Ours frees each missing path once.
    one = smf.ols("cover ~ rich + hetero", keeley).fit().llf
    one_free = smf.ols("cover ~ rich + hetero + distance", keeley).fit().llf
    gains = []
    for free in ("hetero ~ distance + rich", "rich ~ distance + hetero"):
        if free.startswith("hetero"):
            gains.append(smf.ols(free, keeley).fit().llf - smf.ols("hetero ~ distance", keeley).fit().llf)
        else:
            gains.append(
                smf.poisson(free, keeley).fit(disp=0).llf
                - smf.poisson("rich ~ distance", keeley).fit(disp=0).llf
            )
    options = [2 * (one_free - one) + 2 * gain for gain in gains]
    assert glance.chisq_df == 2
    assert min(abs(glance.chisq - option) for option in options) < 1e-6


@pytest.mark.parametrize(
    ("direction", "probe"),
    [("rich <- hetero", "poisson_direction"), ("hetero <- rich", "poisson_direction2")],
)
def test_direction_of_a_claim(direction: str, probe: str, keeley: pd.DataFrame, golden: Golden) -> None:
    formula = "hetero ~ distance; rich ~ distance; cover ~ rich + hetero"
    result = dr.fit(formula, keeley, family={"rich": "poisson"}, options={"direction": [direction]})
    for ref in golden("psem_probes.json")[probe]:
        response, _, rest = ref["Independ.Claim"].partition(" ~ ")
        got = row(result.claims(), response=response, term=rest.split(" ")[0])
        assert got.statistic == pytest.approx(ref["Crit.Value"], rel=RTOL)
        assert got.p_value == pytest.approx(ref["P.Value"], rel=P_RTOL)


def test_a_claim_without_direction_is_refused_with_the_ways_out(keeley: pd.DataFrame) -> None:
    formula = "hetero ~ distance; rich ~ distance; cover ~ rich + hetero"
    with pytest.raises(dr.SpecError) as caught:
        dr.fit(formula, keeley, family={"rich": "poisson"})
    assert str(caught.value) == (
        "SpecError: model `model`: the claim that `hetero` and `rich` are independent has no natural "
        "direction, and `rich` is not Gaussian, so its two tests differ\n"
        "  formula, line 1:  hetero ~ distance; rich ~ distance; cover ~ rich + hetero\n"
        "                                       ^^^^^^^^^^^^^^^\n"
        "  add to options `direction: [rich <- hetero]` or `direction: [hetero <- rich]`, or "
        "`conserve: true` for the smaller p of both, or join them: `hetero ~~ rich`"
    )
    joined = dr.fit(formula + "; hetero ~~ rich", keeley, family={"rich": "poisson"})
    assert len(joined.claims()) == 1


def test_missing_values_go_once_for_all_equations(keeley: pd.DataFrame, golden: Golden) -> None:
    """Listwise: the sds that standardise are those of the rows that were fitted (piecewiseSEM takes all)."""
    probe = golden("psem_probes.json")["std_with_NA"]
    keeley.loc[keeley.index[:20], "cover"] = np.nan
    result = dr.fit("rich ~ cover; cover ~ firesev", keeley)
    assert result.glance().n.item() == 70
    for ref in probe["package"]:
        got = row(result.tidy(), response=ref["Response"], term=ref["Predictor"])
        for ours, theirs in (
            ("estimate", "Estimate"),
            ("std_error", "Std.Error"),
            ("statistic", "Crit.Value"),
        ):
            assert got[ours] == pytest.approx(float(ref[theirs]), rel=RTOL)
        assert got.df == ref["DF"]
    got = row(result.tidy(), response="rich", term="cover").std_estimate
    assert got == pytest.approx(probe["sd_fitted_rows_only"], rel=RTOL)
    assert got != pytest.approx(probe["sd_all_rows_available"], rel=1e-5)


def test_a_hole_in_one_variable_costs_the_row_everywhere(keeley: pd.DataFrame) -> None:
    holed = keeley.copy()
    holed.loc[[3, 4], "age"] = np.nan
    holed.loc[[4, 50], "rich"] = np.nan
    formula = MODELS["keeley_docs"][0]
    got, want = dr.fit(formula, holed), dr.fit(formula, keeley.drop(index=[3, 4, 50]))
    pd.testing.assert_frame_equal(got.tidy(), want.tidy(), rtol=1e-10)
    pd.testing.assert_frame_equal(got.claims(), want.claims(), rtol=1e-10)
    # A hole in a column that the model does not use costs nothing.
    holed = keeley.copy()
    holed.loc[:40, "elev"] = np.nan
    pd.testing.assert_frame_equal(dr.fit(formula, holed).tidy(), dr.fit(formula, keeley).tidy())


def test_r2_of_a_mixed_equation_is_of_its_own_rows(shared_table: Find, golden: Golden) -> None:
    """rsquared() of piecewiseSEM takes rows that were not fitted; ours is its value without them."""
    want = golden("psem_probes.json")["rsquared_lme_NA_rows"]["rows_dropped_first"][0]
    frame = pd.read_csv(shared_table("shipley"))
    e = dr.fit("DD ~ lat + (1 | site); Growth ~ DD + (1 | site)", frame).fit.equations[0]
    assert e.equation.node == "DD"
    assert e.r2 == pytest.approx(want["Marginal"], rel=MIXED_RTOL)
    assert e.r2_conditional == pytest.approx(want["Conditional"], rel=MIXED_RTOL)
