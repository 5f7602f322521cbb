"""Every kind of equation against statsmodels on data that ships with it: no R and no shared folder needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import drivers as dr

RTOL = 1e-7
"""Normal equations on the correlation scale against QR on rows; longley is badly conditioned (see there)."""

P_RTOL = 1e-6


@pytest.fixture(scope="module")
def anes() -> pd.DataFrame:
    """944 voters of 1996: numbers, and two that are classes."""
    frame = sm.datasets.anes96.load_pandas().data
    frame = frame[["popul", "logpopul", "TVnews", "age", "educ", "income", "PID", "vote"]].astype(float)
    frame["school"] = pd.cut(frame.educ, [0, 3, 5, 7], labels=["a school", "college", "degree"]).astype(str)
    frame["party"] = pd.cut(frame.PID, [-1, 2, 3, 6], labels=["dem", "indep", "rep"]).astype(str)
    return frame


@pytest.fixture(scope="module")
def fair() -> pd.DataFrame:
    frame = sm.datasets.fair.load_pandas().data
    return frame.assign(faithless=(frame.affairs > 0).astype(float), times=np.round(frame.affairs))


def terms(result: Any, response: str) -> pd.DataFrame:
    table = result.tidy()
    return table[(table.response == response) & (table.op == "~")].set_index("term")


def equation(result: Any, node: str) -> Any:
    return next(e for e in result.fit.equations if e.equation.node == node)


def assert_ols(result: Any, node: str, want: Any, names: dict[str, str], rtol: float = RTOL) -> None:
    """All numbers of one Gaussian equation; `names` maps our terms to statsmodels'."""
    e, table = equation(result, node), terms(result, e_response(result, node))
    for ours, theirs in names.items():
        got = table.loc[ours]
        assert got.estimate == pytest.approx(want.params[theirs], rel=rtol), ours
        assert got.std_error == pytest.approx(want.bse[theirs], rel=rtol), ours
        assert got.statistic == pytest.approx(want.tvalues[theirs], rel=rtol), ours
        assert got.p_value == pytest.approx(want.pvalues[theirs], rel=P_RTOL), ours
        assert got.log_p == pytest.approx(np.log(want.pvalues[theirs]), rel=P_RTOL, abs=P_RTOL), ours
        assert got.p_classical == got.p_value
        low, high = want.conf_int().loc[theirs]
        assert got.conf_low == pytest.approx(low, rel=10 * rtol, abs=rtol * want.bse[theirs]), ours
        assert got.conf_high == pytest.approx(high, rel=10 * rtol, abs=rtol * want.bse[theirs]), ours
        assert got.df == want.df_resid
    assert e.log_likelihood == pytest.approx(want.llf, rel=1e-9)
    assert e.r2 == pytest.approx(want.rsquared, rel=rtol)
    assert e.intercept == pytest.approx(want.params["Intercept"], rel=10 * rtol)
    assert e.parameters == want.df_model + 2
    assert set(names.values()) | {"Intercept"} == set(want.params.index)


def e_response(result: Any, node: str) -> str:
    return equation(result, node).equation.response.text


def test_gaussian_equations_and_criteria(anes: pd.DataFrame) -> None:
    result = dr.fit("vote ~ PID + income; PID ~ income + educ + age; income ~ educ + age", anes)
    fits = {}
    for formula in ("vote ~ PID + income", "PID ~ income + educ + age", "income ~ educ + age"):
        node = formula.split(" ~")[0]
        fits[node] = smf.ols(formula, anes).fit()
        right = formula.split("~ ")[1].split(" + ")
        assert_ols(result, node, fits[node], {name: name for name in right})
        for name in right:
            std = fits[node].params[name] * anes[name].std() / anes[node].std()
            assert terms(result, node).loc[name].std_estimate == pytest.approx(std, rel=RTOL)
    glance = result.glance().iloc[0]
    k = np.array([fit.df_model + 2 for fit in fits.values()])
    assert glance.n == len(anes) == 944
    assert glance.aic == pytest.approx(sum(f.aic + 2 for f in fits.values()), rel=1e-10)
    assert glance.bic == pytest.approx(sum(f.bic + np.log(944) for f in fits.values()), rel=1e-10)
    small = (2 * k * (k + 1) / (944 - k - 1)).sum()
    assert glance.aicc == pytest.approx(glance.aic + small, rel=1e-12)
    assert glance.logl == pytest.approx(sum(f.llf for f in fits.values()), rel=1e-10)
    assert glance.r2 == pytest.approx(fits["vote"].rsquared, rel=RTOL)
    assert glance.method == "psem"
    assert glance.status == "ok"


def test_claims_are_coefficients_in_the_larger_equation(anes: pd.DataFrame) -> None:
    result = dr.fit("vote ~ PID + income; PID ~ income + educ + age; income ~ educ + age", anes)
    claims = result.claims().set_index(["response", "term"])
    larger = {
        ("vote", "educ"): "vote ~ educ + PID + income",
        ("vote", "age"): "vote ~ age + PID + income",
    }
    assert set(claims.index) == set(larger)
    log_p = 0.0
    for (response, term), formula in larger.items():
        fit, got = smf.ols(formula, anes).fit(), claims.loc[response, term]
        assert got.statistic == pytest.approx(fit.tvalues[term], rel=RTOL)
        assert got.p_value == pytest.approx(fit.pvalues[term], rel=P_RTOL)
        assert got.df == fit.df_resid
        assert got.given == "PID + income"
        t = fit.tvalues[term]
        assert got.partial_r == pytest.approx(t / np.sqrt(t**2 + fit.df_resid), rel=RTOL)
        log_p += np.log(fit.pvalues[term])
    glance = result.glance().iloc[0]
    assert glance.fishers_c == pytest.approx(-2 * log_p, rel=1e-8)
    assert glance.fishers_c_df == 4
    small = smf.ols("vote ~ PID + income", anes).fit()
    large = smf.ols("vote ~ PID + income + educ + age", anes).fit()
    assert glance.chisq == pytest.approx(2 * (large.llf - small.llf), rel=1e-8)
    assert glance.chisq_df == 2


def test_claims_are_conditioned_on_the_parents_of_both(anes: pd.DataFrame) -> None:
    """Two responses of different causes: the claim between them holds both sets fixed."""
    result = dr.fit("PID ~ income; TVnews ~ age", anes)
    claims = result.claims()
    pairs = {(c.response, c.term): c for c in claims.itertuples()}
    assert len(pairs) == 3
    both = next(c for pair, c in pairs.items() if set(pair) == {"PID", "TVnews"})
    fit = smf.ols(f"{both.response} ~ {both.term} + income + age", anes).fit()
    assert both.statistic == pytest.approx(fit.tvalues[both.term], rel=RTOL)
    assert both.df == 940
    assert sorted(both.given.split(" + ")) == ["age", "income"]
    # χ² frees the same path.
    large = smf.ols(f"{both.response} ~ {both.term} + income + age", anes).fit().llf
    other = "TVnews" if both.response == "PID" else "PID"
    rest = smf.ols(f"{other} ~ income + age", anes).fit().llf
    small = smf.ols("PID ~ income", anes).fit().llf + smf.ols("TVnews ~ age", anes).fit().llf
    assert result.glance().chisq.item() == pytest.approx(2 * (large + rest - small), rel=1e-7)


def test_longley() -> None:
    """The classic of bad conditioning: six collinear economic series of 16 years, against NIST's values."""
    frame = sm.datasets.longley.load_pandas().data
    result = dr.fit("TOTEMP ~ GNPDEFL + GNP + UNEMP + ARMED + POP + YEAR", frame)
    table = terms(result, "TOTEMP")
    # https://www.itl.nist.gov/div898/strd/lls/data/LINKS/DATA/Longley.dat
    certified = {
        "GNPDEFL": (15.0618722713733, 84.9149257747669),
        "GNP": (-0.358191792925910e-01, 0.334910077722432e-01),
        "UNEMP": (-2.02022980381683, 0.488399681651699),
        "ARMED": (-1.03322686717359, 0.214274163161675),
        "POP": (-0.511041056535807e-01, 0.226073200069370),
        "YEAR": (1829.15146461355, 455.478499142212),
    }
    for name, (estimate, error) in certified.items():
        assert table.loc[name].estimate == pytest.approx(estimate, rel=1e-8)
        assert table.loc[name].std_error == pytest.approx(error, rel=1e-8)
    e = equation(result, "TOTEMP")
    assert e.intercept == pytest.approx(-3482258.63459582, rel=1e-8)
    assert e.r2 == pytest.approx(0.995479004577296, rel=1e-10)


CODINGS = [
    ("educ ~ party", "educ ~ C(party)"),
    ("educ ~ party + age", "educ ~ C(party) + age"),
    ("educ ~ party + school", "educ ~ C(party) + C(school)"),
    ("educ ~ party * age", "educ ~ C(party) * age"),
    ("educ ~ party + party:age", "educ ~ C(party) + C(party):age"),
    ("educ ~ party:age", "educ ~ C(party):age"),
    ("educ ~ age + party:age", "educ ~ age + C(party):age"),
    ("educ ~ party * school", "educ ~ C(party) * C(school)"),
    ("educ ~ party + party:school", "educ ~ C(party) + C(party):C(school)"),
    ("educ ~ party:school", "educ ~ C(party):C(school)"),
    ("educ ~ party * age * income", "educ ~ C(party) * age * income"),
    ("educ ~ age:income + age", "educ ~ age:income + age"),
    ("educ ~ (age + income)^2", "educ ~ (age + income)**2"),
]


@pytest.mark.parametrize(("ours", "theirs"), CODINGS)
def test_categorical_coding_spans_what_patsys_does(ours: str, theirs: str, anes: pd.DataFrame) -> None:
    """Same number of parameters, same likelihood and fitted values, whatever the margins."""
    result, want = dr.fit(ours, anes), smf.ols(theirs, anes).fit()
    e = equation(result, "educ")
    assert e.parameters == want.df_model + 2
    assert e.log_likelihood == pytest.approx(want.llf, rel=1e-10)
    assert e.r2 == pytest.approx(want.rsquared, rel=1e-9)
    np.testing.assert_allclose(result.augment().educ_fitted, want.fittedvalues, rtol=1e-8)


def test_treatment_coding_and_the_joint_f(anes: pd.DataFrame) -> None:
    result = dr.fit("income ~ party + age", anes)
    want = smf.ols("income ~ C(party) + age", anes).fit()
    names = {"party[indep]": "C(party)[T.indep]", "party[rep]": "C(party)[T.rep]", "age": "age"}
    assert_ols(result, "income", want, names)
    table = terms(result, "income")
    assert list(table.index) == ["party", "party[indep]", "party[rep]", "age"]
    joint, f = table.loc["party"], sm.stats.anova_lm(want, typ=2).loc["C(party)"]
    assert joint.statistic == pytest.approx(f["F"], rel=RTOL)
    assert joint.p_value == pytest.approx(f["PR(>F)"], rel=P_RTOL)
    assert joint.df == want.df_resid
    assert pd.isna(joint.estimate)
    assert pd.isna(joint.std_estimate)
    # The other predictors, and the dummies, keep their standardised values.
    dummy = (anes.party == "rep").astype(float)
    assert table.loc["party[rep]"].std_estimate == pytest.approx(
        want.params["C(party)[T.rep]"] * dummy.std() / anes.income.std(), rel=RTOL
    )
    assert table.loc["age"].std_estimate == pytest.approx(
        want.params["age"] * anes.age.std() / anes.income.std(), rel=RTOL
    )


def test_numbers_as_classes(anes: pd.DataFrame) -> None:
    want = smf.ols("income ~ C(PID)", anes).fit()
    names = {f"C(PID)[{i}]": f"C(PID)[T.{i}.0]" for i in range(1, 7)}
    assert_ols(dr.fit("income ~ C(PID)", anes), "income", want, names)
    plain = {f"PID[{i}]": f"C(PID)[T.{i}.0]" for i in range(1, 7)}
    assert_ols(dr.fit("income ~ PID", anes, categorical=["PID"]), "income", want, plain)
    assert len(terms(dr.fit("income ~ PID", anes), "income")) == 1


def test_a_product_of_class_and_number(anes: pd.DataFrame) -> None:
    result = dr.fit("income ~ party * age", anes)
    want = smf.ols("income ~ C(party) * age", anes).fit()
    names = {
        "party[indep]": "C(party)[T.indep]",
        "party[rep]": "C(party)[T.rep]",
        "age": "age",
        "party[indep]:age": "C(party)[T.indep]:age",
        "party[rep]:age": "C(party)[T.rep]:age",
    }
    assert_ols(result, "income", want, names)
    # Joint tests are of type II: a main effect beside its product is tested without the product.
    anova = sm.stats.anova_lm(want, typ=2)
    for ours, theirs in (("party", "C(party)"), ("party:age", "C(party):age")):
        joint = terms(result, "income").loc[ours]
        assert joint.statistic == pytest.approx(anova.loc[theirs, "F"], rel=1e-6)
        assert joint.p_value == pytest.approx(anova.loc[theirs, "PR(>F)"], rel=1e-5)
        assert joint.df == want.df_resid


def test_claims_about_a_class_are_f_tests(anes: pd.DataFrame) -> None:
    result = dr.fit("vote ~ income; income ~ party + age", anes)
    claims = result.claims().set_index("term")
    small = smf.ols("vote ~ income", anes).fit()
    large = smf.ols("vote ~ income + C(party)", anes).fit()
    f, p, added = large.compare_f_test(small)
    got = claims.loc["party"]
    assert got.statistic == pytest.approx(f, rel=1e-6)
    assert got.log_p == pytest.approx(np.log(p) if p > 0 else got.log_p, rel=1e-6)
    assert got.df == large.df_resid
    assert added == 2
    gain = 1 - large.ssr / small.ssr
    assert got.partial_r == pytest.approx(np.sqrt(gain), rel=1e-6)
    assert got.partial_r_low < got.partial_r < got.partial_r_high
    # χ² counts every column of the class.
    glance = result.glance().iloc[0]
    whole = smf.ols("vote ~ income + C(party) + age", anes).fit()
    assert glance.chisq_df == 3
    assert glance.chisq == pytest.approx(2 * (whole.llf - small.llf), rel=1e-8)


TRANSFORMS = [
    ("log(popul + 1)", "np.log(popul + 1)"),
    ("log1p(popul)", "np.log1p(popul)"),
    ("sqrt(popul)", "np.sqrt(popul)"),
    ("exp(logpopul)", "np.exp(logpopul)"),
    ("I(age^2)", "I(age ** 2)"),
    ("I(age / income)", "I(age / income)"),
    ("I(-age * income + 3)", "I(-age * income + 3)"),
    ("scale(age)", "standardize(age, ddof=1)"),
    ("scale(log1p(popul))", "standardize(np.log1p(popul), ddof=1)"),
]


@pytest.mark.parametrize(("ours", "theirs"), TRANSFORMS)
def test_transforms(ours: str, theirs: str, anes: pd.DataFrame) -> None:
    result, want = dr.fit(f"vote ~ {ours} + educ", anes), smf.ols(f"vote ~ {theirs} + educ", anes).fit()
    labels = [t for t in terms(result, "vote").index if t != "educ"]
    assert len(labels) == 1
    assert_ols(result, "vote", want, {labels[0]: theirs, "educ": "educ"}, rtol=1e-6)


def test_a_transformed_response(anes: pd.DataFrame) -> None:
    result = dr.fit("log1p(popul) ~ age + income; income ~ educ", anes)
    want = smf.ols("np.log1p(popul) ~ age + income", anes).fit()
    assert_ols(result, "popul", want, {"age": "age", "income": "income"})
    assert set(result.tidy().response) == {"log1p(popul)", "income"}
    # In a claim the node stands as its own equation has it.
    claim = result.claims().set_index(["response", "term"]).loc["log1p(popul)", "educ"]
    larger = smf.ols("np.log1p(popul) ~ educ + age + income", anes).fit()
    assert claim.statistic == pytest.approx(larger.tvalues["educ"], rel=RTOL)


def test_poly_is_rs(anes: pd.DataFrame) -> None:
    """Orthonormal columns that span 1, x, x²: R's poly()."""
    result = dr.fit("income ~ poly(age, 3) + educ", anes)
    x = anes.age.to_numpy()
    q, _ = np.linalg.qr(np.vander(x - x.mean(), 4, increasing=True))
    q *= np.sign((q * np.vander(x - x.mean(), 4, increasing=True)).sum(axis=0))
    design = np.column_stack([np.ones(len(x)), q[:, 1:], anes.educ])
    want = sm.OLS(anes.income, design).fit()
    table = terms(result, "income")
    assert list(table.index) == ["poly(age, 3)", "poly(age, 3)1", "poly(age, 3)2", "poly(age, 3)3", "educ"]
    got = table.loc[["poly(age, 3)1", "poly(age, 3)2", "poly(age, 3)3", "educ"]]
    np.testing.assert_allclose(got.estimate, want.params[1:], rtol=1e-6)
    np.testing.assert_allclose(got.std_error, want.bse[1:], rtol=1e-6)
    contrast = np.eye(5)[1:4]
    assert table.loc["poly(age, 3)"].statistic == pytest.approx(want.f_test(contrast).fvalue, rel=1e-6)


def test_scale_and_poly_learn_from_the_whole_table(anes: pd.DataFrame) -> None:
    """A slope then means the same in every stratum."""
    inside = anes.age > 40
    result = dr.fit("income ~ scale(educ)", anes, where="age > 40")
    want = smf.ols("income ~ educ", anes[inside]).fit().params["educ"] * anes.educ.std()
    assert terms(result, "income").loc["scale(educ)"].estimate == pytest.approx(want, rel=RTOL)
    assert result.glance().n.item() == inside.sum()


def test_a_stratum_is_its_rows(anes: pd.DataFrame) -> None:
    formula = "vote ~ PID + income; PID ~ income + educ"
    inside = anes[(anes.age > 40) & (anes.income <= 20)].reset_index(drop=True)
    got, want = dr.fit(formula, anes, where="age > 40 and income <= 20"), dr.fit(formula, inside)
    pd.testing.assert_frame_equal(got.tidy(), want.tidy(), rtol=1e-9)
    pd.testing.assert_frame_equal(got.claims(), want.claims(), rtol=1e-8)
    assert got.stratum == "where=age > 40 and income <= 20"


def test_levels_that_a_stratum_lacks(anes: pd.DataFrame) -> None:
    """The reference is the first level that is there; levels that are not make no column."""
    inside = anes[anes.PID > 2]
    result = dr.fit("income ~ party", anes, where="PID > 2")
    want = smf.ols("income ~ C(party)", inside).fit()
    assert_ols(result, "income", want, {"party[rep]": "C(party)[T.rep]"})


@pytest.mark.parametrize(("response", "family"), [("faithless", "binomial"), ("times", "poisson")])
def test_equations_with_a_link(response: str, family: str, fair: pd.DataFrame) -> None:
    formula = f"{response} ~ rate_marriage + age + religious; rate_marriage ~ age + religious"
    result = dr.fit(formula, fair, family={response: family})
    kind = {"binomial": sm.families.Binomial(), "poisson": sm.families.Poisson()}[family]
    want = smf.glm(f"{response} ~ rate_marriage + age + religious", fair, family=kind).fit(tol=1e-12)
    table = terms(result, response)
    for name in ("rate_marriage", "age", "religious"):
        got = table.loc[name]
        assert got.estimate == pytest.approx(want.params[name], rel=1e-5)
        assert got.std_error == pytest.approx(want.bse[name], rel=1e-4)
        assert got.statistic == pytest.approx(want.tvalues[name], rel=1e-4)
        assert pd.isna(got.df)
        low, high = want.conf_int().loc[name]
        assert got.conf_low == pytest.approx(low, rel=1e-3)
        assert got.conf_high == pytest.approx(high, rel=1e-3)
    eta, mu = want.predict(which="linear"), want.mu
    if family == "binomial":
        sd = np.sqrt(np.var(eta, ddof=1) + np.pi**2 / 3)
    else:
        sd = np.std(eta, ddof=1) / np.corrcoef(fair[response], mu)[0, 1]
    std = want.params["age"] * fair.age.std() / sd
    assert table.loc["age"].std_estimate == pytest.approx(std, rel=1e-5)
    e = equation(result, response)
    assert e.log_likelihood == pytest.approx(want.llf, rel=1e-9)
    assert e.parameters == 4
    lines = smf.ols("rate_marriage ~ age + religious", fair).fit()
    assert result.glance().aic.item() == pytest.approx(want.aic + lines.aic + 2, rel=1e-8)
    np.testing.assert_allclose(result.augment()[f"{response}_fitted"], mu, rtol=1e-5)


def test_claims_of_an_equation_with_a_link(fair: pd.DataFrame) -> None:
    formula = "faithless ~ rate_marriage; rate_marriage ~ age + religious"
    result = dr.fit(formula, fair, family={"faithless": "binomial"})
    claims = result.claims().set_index("term")
    small = smf.logit("faithless ~ rate_marriage", fair).fit(disp=0)
    for name in ("age", "religious"):
        want = smf.logit(f"faithless ~ {name} + rate_marriage", fair).fit(disp=0)
        assert claims.loc[name].statistic == pytest.approx(want.tvalues[name], rel=1e-5)
        assert claims.loc[name].p_value == pytest.approx(want.pvalues[name], rel=1e-3)
    large = smf.logit("faithless ~ rate_marriage + age + religious", fair).fit(disp=0)
    assert result.glance().chisq.item() == pytest.approx(2 * (large.llf - small.llf), rel=1e-6)


def test_a_class_in_an_equation_with_a_link(fair: pd.DataFrame) -> None:
    """The joint row is a Wald χ², and so is the claim."""
    result = dr.fit("faithless ~ C(religious) + age", fair, family="binomial")
    want = smf.logit("faithless ~ C(religious) + age", fair).fit(disp=0)
    wald = want.wald_test_terms(scalar=True).table.loc["C(religious)"]
    joint = terms(result, "faithless").loc["C(religious)"]
    assert joint.statistic == pytest.approx(wald["statistic"], rel=1e-5)
    assert joint.p_value == pytest.approx(wald["pvalue"], rel=1e-3)
    assert pd.isna(joint.df)
    claimed = dr.fit("faithless ~ age; age ~ C(religious)", fair, family={"faithless": "binomial"}).claims()
    assert claimed.statistic.item() == pytest.approx(wald["statistic"], rel=1e-5)
    assert claimed.p_value.item() == pytest.approx(wald["pvalue"], rel=1e-3)


def test_random_intercepts_against_statsmodels(anes: pd.DataFrame) -> None:
    frame = anes.assign(cohort=np.round(anes.age / 3).astype(int))
    result = dr.fit("income ~ educ + TVnews + (1 | cohort); vote ~ income + (1 | cohort)", frame)
    want = smf.mixedlm("income ~ educ + TVnews", frame, groups="cohort").fit(reml=False, method="bfgs")
    table = terms(result, "income")
    for name in ("educ", "TVnews"):
        assert table.loc[name].estimate == pytest.approx(want.params[name], rel=1e-3)
        # MixedLM's errors come from a numeric Hessian; test_stats_mixed.py has the exact ones.
        assert table.loc[name].std_error == pytest.approx(want.bse[name] * np.sqrt(944 / 941), rel=1e-2)
    e = equation(result, "income")
    assert e.log_likelihood == pytest.approx(want.llf, abs=1e-4)
    assert e.parameters == 5
    record = next(r for r in result.records["r2"] if r["response"] == "income")
    assert record["r2_conditional"] > record["r2"] > 0


def test_residuals_of_linear_equations_sum_to_zero_and_stand_on_their_rows(anes: pd.DataFrame) -> None:
    frame = anes.copy()
    frame.loc[3, "educ"] = np.nan
    result = dr.fit("vote ~ PID + educ; PID ~ income", frame, where="age > 30")
    out = result.augment()
    assert list(out.columns) == ["PID_fitted", "PID_residual", "vote_fitted", "vote_residual"]
    assert list(out.index) == list(frame.index[(frame.age > 30) & frame.educ.notna()])
    inside = frame.loc[out.index]
    for node in ("PID", "vote"):
        assert abs(out[f"{node}_residual"].sum()) < 1e-8 * len(out)
        np.testing.assert_allclose(out[f"{node}_fitted"] + out[f"{node}_residual"], inside[node], rtol=1e-12)
    want = smf.ols("vote ~ PID + educ", inside).fit()
    np.testing.assert_allclose(out.vote_fitted, want.fittedvalues, rtol=1e-9)


def test_augment_joins_the_data_frame_that_was_given(anes: pd.DataFrame) -> None:
    """A filtered frame keeps the labels of its rows; fitted values must not land on other rows."""
    frame = anes[anes.age > 30]
    joined = frame.join(dr.fit("vote ~ PID", frame).augment())
    want = smf.ols("vote ~ PID", frame).fit()
    np.testing.assert_allclose(joined.vote_fitted, want.fittedvalues, rtol=1e-9)


def test_a_result_shows_itself(anes: pd.DataFrame) -> None:
    result = dr.fit("vote ~ PID; PID ~ income", anes)
    text, page = repr(result), result._repr_html_()
    first = text.splitlines()[0]
    assert first.startswith("Piecewise SEM, all: 944 pixels; Fisher's C = ")
    assert first.endswith(("accepted", "rejected"))
    assert text.splitlines()[1].split() == [
        *("response", "op", "term", "estimate", "std_error", "p_value", "std_estimate")
    ]
    assert page.startswith("<div><p>Piecewise SEM, all: 944 pixels; Fisher&#x27;s C = ")
    assert page.count("<tr") == 1 + len(result.tidy())
    saturated = repr(dr.fit("vote ~ PID", anes)).splitlines()[0]
    assert saturated == "Piecewise SEM, all: 944 pixels; saturated: nothing to test"
