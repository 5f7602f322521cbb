"""Composites: weights, what they do to paths, and what their members' effects are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import drivers as dr
from drivers.spec import model_from_text

GROUPS = {"climate": ["TEM", "PRE", "PET"], "human": ["GDP", "HFP"]}


@pytest.fixture(scope="module")
def pixels() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 400
    tem, gdp = rng.normal(8, 2, n), rng.normal(50, 20, n)
    pre = 400 + 20 * (tem - 8) + 60 * rng.normal(size=n)
    pet = 900 - 30 * (tem - 8) + 50 * rng.normal(size=n)
    hfp = 0.2 * gdp + rng.normal(0, 3, n)
    soil = 0.01 * pre - 0.05 * gdp + rng.normal(size=n)
    nep = -6 * tem + 0.3 * pre - 0.02 * pet + 0.3 * gdp + 1.5 * hfp + 4 * soil + 20 * rng.normal(size=n)
    kind = rng.choice(["crop", "forest", "grass"], size=n)
    nep += 15 * (kind == "forest")
    frame = pd.DataFrame({"TEM": tem, "PRE": pre, "PET": pet, "GDP": gdp, "HFP": hfp, "SOIL": soil})
    return frame.assign(kind=kind, NEP=nep)


COMPOSITES = "climate <~ TEM + PRE + PET; human <~ GDP + HFP; "
FORMULA = COMPOSITES + "NEP ~ climate + human; climate ~ human"


def fitted(formula: str, frame: pd.DataFrame, composite: Any = "regression", **more: Any) -> Any:
    model = model_from_text(formula, composite=composite, options=more.pop("options", None))
    return dr.fit(model, frame, **more)


def of(result: Any, response: str, op: str = "~") -> pd.DataFrame:
    table = result.tidy()
    return table[(table.response == response) & (table.op == op)].set_index("term")


def test_regression_weights_are_the_coefficients_of_the_members(pixels: pd.DataFrame) -> None:
    result = dr.fit(FORMULA, pixels)
    want = smf.ols("NEP ~ TEM + PRE + PET + GDP + HFP", pixels).fit()
    for name, members in GROUPS.items():
        found = of(result, name, "<~")
        assert list(found.index) == members
        whole = pixels[members] @ want.params[members]
        for member in members:
            got = found.loc[member]
            assert got.estimate == pytest.approx(want.params[member], rel=1e-8)
            assert got.std_error == pytest.approx(want.bse[member], rel=1e-8)
            assert got.statistic == pytest.approx(want.tvalues[member], rel=1e-8)
            assert got.p_value == pytest.approx(want.pvalues[member], rel=1e-6)
            assert got.df == want.df_resid
            low, high = want.conf_int().loc[member]
            assert (got.conf_low, got.conf_high) == (
                pytest.approx(low, rel=1e-7),
                pytest.approx(high, rel=1e-7),
            )
            std = want.params[member] * pixels[member].std() / whole.std()
            assert got.std_estimate == pytest.approx(std, rel=1e-8)


def test_the_path_from_a_composite_to_the_response_is_exactly_one(pixels: pd.DataFrame) -> None:
    result = dr.fit(FORMULA, pixels)
    paths = of(result, "NEP")
    np.testing.assert_allclose(paths.estimate, [1.0, 1.0], rtol=1e-9)
    want = smf.ols("NEP ~ TEM + PRE + PET + GDP + HFP", pixels).fit()
    assert result.glance().r2.item() == pytest.approx(want.rsquared, rel=1e-9)
    for name, members in GROUPS.items():
        whole = pixels[members] @ want.params[members]
        assert paths.loc[name].std_estimate == pytest.approx(whole.std() / pixels.NEP.std(), rel=1e-8)
        assert paths.loc[name].std_estimate > 0


def test_other_paths_are_regressions_of_the_composites(pixels: pd.DataFrame) -> None:
    result = dr.fit(FORMULA, pixels)
    want = smf.ols("NEP ~ TEM + PRE + PET + GDP + HFP", pixels).fit()
    made = pd.DataFrame({name: pixels[m] @ want.params[m] for name, m in GROUPS.items()})
    fit = smf.ols("climate ~ human", made).fit()
    got = of(result, "climate").loc["human"]
    assert got.estimate == pytest.approx(fit.params["human"], rel=1e-8)
    assert got.std_error == pytest.approx(fit.bse["human"], rel=1e-8)
    out = result.augment()
    np.testing.assert_allclose(out.climate_residual, fit.resid, rtol=1e-6, atol=1e-8)


def test_what_else_the_response_depends_on_is_in_the_regression(pixels: pd.DataFrame) -> None:
    result = dr.fit(COMPOSITES + "NEP ~ climate + human + SOIL + kind", pixels)
    want = smf.ols("NEP ~ TEM + PRE + PET + GDP + HFP + SOIL + C(kind)", pixels).fit()
    for name, members in GROUPS.items():
        for member in members:
            assert of(result, name, "<~").loc[member, "estimate"] == pytest.approx(
                want.params[member], rel=1e-8
            )
    paths = of(result, "NEP")
    np.testing.assert_allclose(paths.loc[["climate", "human"]].estimate, [1.0, 1.0], rtol=1e-8)
    assert paths.loc["SOIL"].estimate == pytest.approx(want.params["SOIL"], rel=1e-8)


def test_first_principal_component(pixels: pd.DataFrame) -> None:
    result = fitted(FORMULA, pixels, "pc1")
    for name, members in GROUPS.items():
        z = (pixels[members] - pixels[members].mean()) / pixels[members].std()
        values, vectors = np.linalg.eigh(np.corrcoef(z.T))
        loading = vectors[:, np.argmax(values)]
        loading *= np.sign(loading[np.argmax(np.abs(loading))])
        found = of(result, name, "<~")
        np.testing.assert_allclose(found.estimate, loading / pixels[members].std(), rtol=1e-7)
        assert found.std_error.isna().all()
        assert found.p_value.isna().all()
        scores = z @ loading
        assert np.var(scores, ddof=1) == pytest.approx(values.max(), rel=1e-8)
        std = loading * 1.0 / scores.std()
        np.testing.assert_allclose(found.std_estimate, std, rtol=1e-7)


def test_equal_weights_are_the_mean_of_standardised_members(pixels: pd.DataFrame) -> None:
    result = fitted(FORMULA, pixels, "equal")
    made = pd.DataFrame({"NEP": pixels.NEP})
    for name, members in GROUPS.items():
        want = 1 / (len(members) * pixels[members].std())
        np.testing.assert_allclose(of(result, name, "<~").estimate, want, rtol=1e-9)
        made[name] = ((pixels[members] - pixels[members].mean()) / pixels[members].std()).mean(axis=1)
    fit = smf.ols("NEP ~ climate + human", made).fit()
    np.testing.assert_allclose(of(result, "NEP").estimate, fit.params[["climate", "human"]], rtol=1e-8)


FIXED = [
    ("climate <~ 0.5*TEM - 0.02*PRE + 0*PET; NEP ~ climate", "regression"),
    ("climate <~ TEM + PRE + PET; NEP ~ climate", {"climate": {"TEM": 0.5, "PRE": -0.02, "PET": 0.0}}),
]


@pytest.mark.parametrize(("formula", "composite"), FIXED)
def test_given_weights(formula: str, composite: Any, pixels: pd.DataFrame) -> None:
    result = fitted(formula, pixels, composite)
    assert of(result, "climate", "<~").estimate.tolist() == [0.5, -0.02, 0.0]
    made = pixels.assign(climate=0.5 * pixels.TEM - 0.02 * pixels.PRE)
    fit = smf.ols("NEP ~ climate", made).fit()
    got = of(result, "NEP").loc["climate"]
    assert got.estimate == pytest.approx(fit.params["climate"], rel=1e-9)
    assert got.std_error == pytest.approx(fit.bse["climate"], rel=1e-9)


def test_each_composite_its_own_way(pixels: pd.DataFrame) -> None:
    result = fitted(FORMULA, pixels, {"climate": "pc1", "human": "equal"})
    assert (
        of(result, "climate", "<~").estimate.tolist()
        == of(fitted(FORMULA, pixels, "pc1"), "climate", "<~").estimate.tolist()
    )
    assert (
        of(result, "human", "<~").estimate.tolist()
        == of(fitted(FORMULA, pixels, "equal"), "human", "<~").estimate.tolist()
    )


@pytest.mark.parametrize("how", ["regression", "pc1", "equal"])
def test_effects_of_a_member_are_its_weight_times_the_composites(how: str, pixels: pd.DataFrame) -> None:
    result = fitted(FORMULA, pixels, how)
    found = dr.effects(result)
    for name, members in GROUPS.items():
        weights = of(result, name, "<~")
        whole = found[(found.driver == name) & (found.response == "NEP")].set_index("kind")
        for member in members:
            mine = found[(found.driver == member) & (found.response == "NEP")].set_index("kind")
            assert list(mine.index) == list(whole.index)
            for kind in mine.index:
                assert mine.loc[kind, "estimate"] == pytest.approx(
                    weights.loc[member, "estimate"] * whole.loc[kind, "estimate"], rel=1e-10
                )
                assert mine.loc[kind, "std_estimate"] == pytest.approx(
                    weights.loc[member, "std_estimate"] * whole.loc[kind, "std_estimate"], rel=1e-10
                )
                # Delta errors take the weights as given.
                assert mine.loc[kind, "std_error"] == pytest.approx(
                    abs(weights.loc[member, "estimate"]) * whole.loc[kind, "std_error"], rel=1e-9
                )
    direct = found[(found.driver == "TEM") & (found.kind == "direct")]
    assert direct.via.tolist() == ["TEM -> climate -> NEP"]
    through = found[(found.driver == "GDP") & (found.kind == "indirect")]
    assert through.via.tolist() == ["GDP -> human -> climate -> NEP"]


def test_a_groups_row_is_its_composites_effect_times_its_sd(pixels: pd.DataFrame) -> None:
    result = dr.fit(FORMULA, pixels, groups=GROUPS)
    found, tidy = dr.effects(result), result.tidy()
    assert set(tidy[tidy.op == "<~"].group) == {"climate", "human"}
    want = smf.ols("NEP ~ TEM + PRE + PET + GDP + HFP", pixels).fit()
    for name, members in GROUPS.items():
        sd = (pixels[members] @ want.params[members]).std()
        own = found[(found.driver == name) & (found.response == "NEP")].set_index("kind")
        rows = found[(found.driver == "") & (found.group == name) & (found.response == "NEP")].set_index(
            "kind"
        )
        assert rows.loc["total", "estimate"] == pytest.approx(
            abs(own.loc["total", "estimate"]) * sd, rel=1e-8
        )
        sign = np.sign(own.loc["total", "estimate"])
        for kind in ("direct", "indirect"):
            if kind in own.index:
                assert rows.loc[kind, "estimate"] == pytest.approx(
                    sign * own.loc[kind, "estimate"] * sd, rel=1e-8
                )
        assert rows.loc["total", "std_estimate"] == pytest.approx(
            rows.loc["total", "estimate"] / pixels.NEP.std(), rel=1e-10
        )
        assert rows.loc["total", "std_estimate"] == pytest.approx(
            abs(own.loc["total", "std_estimate"]), rel=1e-8
        )
        assert rows.loc["total", "p_value"] == pytest.approx(own.loc["total", "p_value"], rel=0.05, abs=1e-12)


def test_a_class_among_the_members(pixels: pd.DataFrame) -> None:
    result = dr.fit("land <~ kind + SOIL; NEP ~ land + TEM; land ~ TEM", pixels)
    want = smf.ols("NEP ~ C(kind) + SOIL + TEM", pixels).fit()
    weights = of(result, "land", "<~")
    assert list(weights.index) == ["kind[forest]", "kind[grass]", "SOIL"]
    np.testing.assert_allclose(
        weights.estimate, want.params[["C(kind)[T.forest]", "C(kind)[T.grass]", "SOIL"]], rtol=1e-8
    )
    assert of(result, "NEP").loc["land", "estimate"] == pytest.approx(1.0, rel=1e-9)
    found = dr.effects(result)
    forest = found[(found.driver == "kind[forest]") & (found.kind == "direct")]
    assert forest.estimate.item() == pytest.approx(want.params["C(kind)[T.forest]"], rel=1e-8)
    assert forest.via.item() == "kind[forest] -> land -> NEP"


def test_claims_between_composites(pixels: pd.DataFrame) -> None:
    """A claim about a composite is about its column; members and their composite are never a claim."""
    result = dr.fit(COMPOSITES + "NEP ~ climate + SOIL; SOIL ~ human; climate ~ human", pixels)
    pairs = {frozenset((c.response, c.term)) for c in result.claims().itertuples()}
    assert pairs == {frozenset(("NEP", "human")), frozenset(("SOIL", "climate"))}
    sample = result.fit.sample
    matrix = sample.matrix(sample.rows())
    names = {sample.label(i): matrix[i] for i in range(len(matrix))}
    claim = result.claims().set_index("response").loc["NEP"]
    design = sm.add_constant(np.column_stack([names["human"], names["climate"], names["SOIL"]]))
    fit = sm.OLS(pixels.NEP.to_numpy(), design).fit()
    assert claim.statistic == pytest.approx(fit.tvalues[1], rel=1e-7)


def test_weights_of_each_stratum_are_its_own(pixels: pd.DataFrame) -> None:
    inside = pixels[pixels.kind == "grass"].reset_index(drop=True)
    one, other = dr.fit(FORMULA, pixels, where="kind == 'grass'"), dr.fit(FORMULA, inside)
    pd.testing.assert_frame_equal(one.tidy(), other.tidy(), rtol=1e-9)


def test_collinear_members_are_named(pixels: pd.DataFrame) -> None:
    frame = pixels.assign(PET=2 * pixels.TEM + 3 * pixels.GDP)
    with pytest.raises(dr.FitError) as caught:
        dr.fit(FORMULA, frame)
    message = str(caught.value)
    assert message.startswith("collinear columns in the equation of `NEP`: `")
    assert all(f"`{name}`" in message for name in ("TEM", "PET", "GDP"))
    assert "`PRE`" not in message


@pytest.mark.parametrize("how", ["regression", "pc1", "equal"])
def test_a_constant_member_is_named(how: str, pixels: pd.DataFrame) -> None:
    frame = pixels.assign(PET=np.where(pixels.kind == "crop", 7.0, pixels.PET))
    with pytest.raises(dr.FitError) as caught:
        fitted(FORMULA, frame, how, where="kind == 'crop'")
    assert str(caught.value) == "`PET` is constant here: it has no effect that could be estimated"


def test_too_few_pixels_for_the_members(pixels: pd.DataFrame) -> None:
    with pytest.raises(dr.FitError) as caught:
        dr.fit(FORMULA, pixels.iloc[:6])
    assert (
        str(caught.value) == "too few pixels: 6 complete ones for the 7 parameters of the equation of `NEP`"
    )


def test_ranges_and_composites_do_not_go_together(pixels: pd.DataFrame) -> None:
    with pytest.raises(dr.SpecError) as caught:
        dr.fit(FORMULA, pixels, options={"standardize": "range"})
    (fault,) = caught.value.faults
    assert fault.message == (
        "model `model`: `standardize: range` needs variables with a range; a composite has none"
    )
    assert fault.hint == "use `standardize: scale`"
    assert fault.place is not None
    assert (fault.place.line, fault.place.column) == (1, 1)
