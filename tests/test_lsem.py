"""Latent-variable SEM as a user calls it: lavaan's numbers, laws, refusals, groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drivers as dr
from drivers.effects import effects
from drivers.errors import FitError

Golden = Callable[[str], Any]
Find = Callable[[str], Path]

TOLERANCE = 1e-4
"""METHODS, section 4: estimates within 1e-4 of lavaan's, whose own optimum is no closer."""

CASES = {
    "political_democracy": ("PoliticalDemocracy", {}),
    "hs_cfa": ("HolzingerSwineford1939", {}),
    "hs_cfa_mlr": ("HolzingerSwineford1939", {"errors": "robust", "test": "yuan_bentler"}),
    "keeley_mediation": ("keeley", {}),
    "keeley_mediation_meanstructure": ("keeley", {"intercepts": True}),
    "keeley_mediation_wishart": ("keeley", {"likelihood": "wishart"}),
    "keeley_mediation_mlm": ("keeley", {"errors": "robust", "test": "satorra_bentler"}),
    "keeley_docs_chain": ("keeley", {}),
    "airquality_listwise": ("airquality", {}),
    "airquality_fiml": ("airquality", {"missing": "ml", "fixed_x": False}),
}
HS = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"


def fitted(name: str, find: Find, golden: Golden) -> tuple[Any, dict[str, Any]]:
    table, options = CASES[name]
    want = golden("lavaan.json")[name]
    return dr.fit(want["model"], pd.read_csv(find(table)), method="lsem", options=options), want


def place(row: dict[str, Any]) -> tuple[str, str, str]:
    """Where a row of lavaan's stands in coefficients.csv."""
    left, op, right = row["lhs"], row["op"], row["rhs"]
    if op == "=~":
        return right, op, left
    if op == ":=":
        return left, op, ""
    return (left, "~1", "1") if op == "~1" else (left, op, right)


def find_row(rows: pd.DataFrame, key: tuple[str, str, str]) -> pd.Series | None:
    response, op, term = key
    keys = [(response, term), (term, response)] if op == "~~" else [(response, term)]
    for first, second in keys:
        found = rows[(rows.response == first) & (rows.op == op)]
        found = found if op == ":=" else found[found.term == second]
        if len(found):
            return found.iloc[0]
    return None


@pytest.mark.parametrize("name", CASES)
def test_parameters_are_lavaans(name: str, shared_table: Find, golden: Golden) -> None:
    result, want = fitted(name, shared_table, golden)
    rows, compared = result.tidy(), 0
    std = {place(row): row for row in want["std_se"]}
    for row in want["estimates"]:
        found = find_row(rows, place(row))
        if found is None:
            # Moments of fixed causes are the sample's: lavaan lists them, the tables do not.
            assert not row["se"], row
            continue
        compared += 1
        assert found.estimate == pytest.approx(row["est"], rel=TOLERANCE, abs=TOLERANCE)
        assert found.std_estimate == pytest.approx(row["std_all"], rel=TOLERANCE, abs=TOLERANCE)
        if row["se"]:
            assert found.std_error == pytest.approx(row["se"], rel=1e-3)
            assert found.p_value == pytest.approx(row["pvalue"], rel=1e-2, abs=1e-6)
            assert found.conf_low == pytest.approx(row["ci.lower"], rel=1e-3, abs=1e-3)
            error = std[place(row)]["se"]
            if not error:  # a variance that is 1 in its own unit
                assert np.isnan(found.std_estimate_error)
                continue
            assert found.std_estimate_error == pytest.approx(error, rel=1e-3, abs=1e-5)
        else:
            assert np.isnan(found.std_error)
    assert compared == len(rows)


@pytest.mark.parametrize("name", CASES)
def test_fit_is_lavaans(name: str, shared_table: Find, golden: Golden) -> None:
    result, want = fitted(name, shared_table, golden)
    fit, row = want["fit"], result.glance().iloc[0]
    assert row.chisq_df == fit["df"]
    assert row.n_parameters == fit["npar"]
    assert row.n == want["nobs"]
    for mine, theirs in (("chisq", "chisq"), ("logl", "logl"), ("aic", "aic"), ("bic", "bic")):
        assert row[mine] == pytest.approx(fit[theirs], rel=1e-6, abs=1e-3)
    for index in ("cfi", "tli", "rmsea", "srmr"):
        assert row[index] == pytest.approx(fit[index], abs=1e-3)
    if fit["df"]:
        assert row.chisq_p_classical == pytest.approx(fit["pvalue"], rel=1e-3)
        assert row.rmsea_high == pytest.approx(fit["rmsea.ci.upper"], abs=1e-3)
    if "chisq.scaled" in fit:
        assert row.chisq_scaled == pytest.approx(fit["chisq.scaled"], rel=1e-4)
        assert row.chisq_p == pytest.approx(fit["pvalue.scaled"], rel=1e-3)
        assert row.cfi_robust == pytest.approx(fit["cfi.robust"], abs=1e-3)
        assert row.rmsea_robust == pytest.approx(fit["rmsea.robust"], abs=1e-3)


@pytest.mark.parametrize("name", ["political_democracy", "hs_cfa", "keeley_mediation", "keeley_docs_chain"])
def test_modification_indices_are_lavaans(name: str, shared_table: Find, golden: Golden) -> None:
    result, want = fitted(name, shared_table, golden)
    rows = result.modification_indices()
    for row in want["modindices"]:
        found = find_row(rows, place(row))
        assert found is not None, row
        assert found.mi == pytest.approx(row["mi"], rel=1e-3, abs=1e-3)
        assert found.epc == pytest.approx(row["epc"], rel=1e-3, abs=1e-4)
        assert found.std_epc == pytest.approx(row["sepc.all"], rel=1e-3, abs=1e-4)
    assert rows.mi.is_monotonic_decreasing


def simulated(seed: int, n: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, n))
    f = 0.6 * x + rng.normal(size=n)
    columns = {f"i{k}": load * f + rng.normal(size=n) for k, load in enumerate((1.0, 0.8, 1.2))}
    m = 0.4 * f + 0.3 * z + rng.normal(size=n)
    return pd.DataFrame({"x": x, "z": z, **columns, "m": m, "y": 0.5 * m + rng.normal(size=n)})


MODEL = "f =~ i0 + i1 + i2; f ~ a*x; m ~ b*f + z; y ~ c*m; via := a*b*c"


@given(st.integers(0, 50), st.floats(-5, 5), st.floats(-5, 5))
def test_units_change_units_and_nothing_else(seed: int, first: float, second: float) -> None:
    data = simulated(seed)
    other = data.assign(x=data.x * 10**first, i1=data.i1 * 10**second)
    one, two = (dr.fit(MODEL, t, method="lsem") for t in (data, other))
    assert two.glance().chisq.item() == pytest.approx(one.glance().chisq.item(), rel=1e-6)
    a, b = (r.tidy() for r in (one, two))
    assert b.std_estimate.to_numpy() == pytest.approx(a.std_estimate.to_numpy(), abs=1e-6)
    assert b.log_p.to_numpy()[~a.log_p.isna()] == pytest.approx(
        a.log_p.dropna().to_numpy(), rel=1e-4, abs=1e-6
    )


def test_the_order_of_lines_changes_nothing() -> None:
    data = simulated(1)
    lines = [line.strip() for line in MODEL.split(";")]
    one = dr.fit("\n".join(lines), data, method="lsem").tidy()
    two = dr.fit("\n".join([*lines[-2::-1], lines[-1]]), data, method="lsem").tidy()
    pd.testing.assert_frame_equal(one, two)


@given(st.integers(0, 30))
def test_a_path_model_has_the_chi_square_of_piecewise_sem(seed: int) -> None:
    formula = "m ~ x + z; y ~ m"
    data = simulated(seed, 200)
    latent, pieces = (dr.fit(formula, data, method=m) for m in ("lsem", "psem"))
    assert latent.glance().chisq.item() == pytest.approx(pieces.glance().chisq.item(), rel=1e-6, abs=1e-9)
    assert latent.glance().chisq_df.item() == pieces.glance().chisq_df.item()
    keys = ["response", "term"]
    a, b = (r.tidy().query("op == '~'").set_index(keys).sort_index() for r in (latent, pieces))
    assert a.estimate.to_numpy() == pytest.approx(b.estimate.to_numpy(), rel=1e-8)


def test_what_is_planted_is_found() -> None:
    found = dr.fit(MODEL, simulated(3, 1_000_000), method="lsem").tidy().set_index(["response", "op", "term"])
    planted = {
        ("i1", "=~", "f"): 0.8, ("i2", "=~", "f"): 1.2, ("f", "~", "x"): 0.6, ("m", "~", "f"): 0.4,
        ("m", "~", "z"): 0.3, ("y", "~", "m"): 0.5, ("via", ":=", "a * b * c"): 0.12, ("f", "~~", "f"): 1.0,
    }  # fmt: skip
    for key, value in planted.items():
        row = found.loc[key]
        assert abs(row.estimate - value) < 4 * row.std_error < 0.02


def test_effects_run_through_latent_variables() -> None:
    result = dr.fit(MODEL, simulated(2), method="lsem")
    rows = effects(result)
    paths = result.tidy().set_index(["response", "op", "term"]).estimate
    by_hand = paths["f", "~", "x"] * paths["m", "~", "f"] * paths["y", "~", "m"]
    total = rows[(rows.driver == "x") & (rows.response == "y") & (rows.kind == "total")].iloc[0]
    assert total.estimate == pytest.approx(by_hand, rel=1e-12)
    defined = result.tidy().query("op == ':='").iloc[0]
    assert total.estimate == pytest.approx(defined.estimate, rel=1e-12)
    assert total.std_error == pytest.approx(defined.std_error, rel=1e-9)
    # The standardised error of `:=` is golden.
    assert total.std_estimate_error == pytest.approx(defined.std_estimate_error, rel=1e-9)
    via = rows[(rows.driver == "x") & (rows.response == "y") & (rows.kind == "indirect")].via.tolist()
    assert via == ["x -> f -> m -> y"]


def test_effects_around_a_cycle_are_summed() -> None:
    x, z, e, u = np.random.default_rng(4).normal(size=(4, 2000))
    y = (0.6 * z + u + 0.4 * (0.5 * x + e)) / (1 - 0.3 * 0.4)
    data = pd.DataFrame({"x": x, "z": z, "y": y, "m": 0.3 * y + 0.5 * x + e})
    result = dr.fit("m ~ y + x; y ~ m + z; m ~~ 0*y", data, method="lsem")
    b = result.tidy().query("op == '~'").set_index(["response", "term"]).estimate
    rows = effects(result)
    total = rows[(rows.driver == "x") & (rows.response == "y") & (rows.kind == "total")].estimate.item()
    assert b["m", "y"] == pytest.approx(0.3, abs=0.1)
    assert total == pytest.approx(b["m", "x"] * b["y", "m"] / (1 - b["m", "y"] * b["y", "m"]), rel=1e-9)


def test_a_categorical_cause_has_a_path_per_level() -> None:
    data = simulated(5)
    use = np.random.default_rng(1).choice(["crop", "forest", "grass"], len(data))
    data = data.assign(use=use, m=data.m + (use == "forest") * 1.0)
    rows = dr.fit("f =~ i0 + i1 + i2; m ~ f + use", data, method="lsem").tidy()
    found = rows[(rows.response == "m") & (rows.op == "~")].set_index("term").estimate
    assert set(found.index) == {"f", "use[forest]", "use[grass]"}
    assert found["use[forest]"] == pytest.approx(1.0, abs=0.3)


REFUSED = {
    "two free loadings and a free variance": (
        "f =~ NA*i0 + i1 + i2; m ~ f",
        "not identified: ",
    ),
    "more parameters than moments": ("f =~ i0 + i1; f ~~ f; i0 ~~ i1; m ~ f", "not identified: "),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_fitted_says_why(name: str) -> None:
    formula, message = REFUSED[name]
    with pytest.raises(FitError) as caught:
        dr.fit(formula, simulated(6), method="lsem")
    assert str(caught.value).startswith(message)
    assert "`" in str(caught.value) or "parameters" in str(caught.value)


def test_columns_to_blame_are_named() -> None:
    data = simulated(7).assign(w=lambda t: t.i0 + t.i1)
    with pytest.raises(FitError) as caught:
        dr.fit("f =~ i0 + i1 + w; y ~ f", data, method="lsem")
    assert str(caught.value) == (
        "`i0`, `i1` and `w` are linear combinations of each other here; leave one of them out"
    )
    with pytest.raises(FitError) as few:
        dr.fit("f =~ i0 + i1 + i2", simulated(7).head(3), method="lsem")
    assert str(few.value) == "too few pixels: 3 complete ones for 3 observed variables"


def test_a_heywood_case_is_said() -> None:
    rng = np.random.default_rng(2)
    common = rng.normal(size=80)
    data = pd.DataFrame(
        {"a": common, "b": common + 0.1 * rng.normal(size=80), "c": 0.3 * common + rng.normal(size=80)}
    )
    data["a"] = data.a + 0.3 * (data.c - 0.3 * common)
    message = dr.fit("f =~ c + a + b", data, method="lsem").glance().message.item()
    assert "improper solution: negative variance of `a` (a Heywood case: too few" in message


def test_a_saturated_model_tests_nothing() -> None:
    result = dr.fit("y ~ x + m; m ~ x", simulated(8), method="lsem")
    row = result.glance().iloc[0]
    assert (row.chisq_df, np.isnan(row.chisq_p)) == (0, True)
    assert row.message.startswith("saturated")
    assert len(result.modification_indices()) == 0
    assert "saturated" in repr(result)


def test_missing_values_are_used_as_far_as_they_go() -> None:
    data = simulated(9, 2000)
    holes = data.copy()
    rng = np.random.default_rng(3)
    holes.loc[rng.random(2000) < 0.4, "i1"] = np.nan
    holes.loc[(data.x > 0.5) & (rng.random(2000) < 0.7), "m"] = np.nan
    full, kept = (dr.fit(MODEL, t, method="lsem") for t in (data, holes))
    used = dr.fit(MODEL, holes, method="lsem", options={"missing": "ml"})
    assert (kept.glance().n.item(), used.glance().n.item()) == (holes.dropna().shape[0], 2000)
    errors = [r.tidy().query("response == 'm' and term == 'f'").std_error.item() for r in (full, used, kept)]
    assert errors[0] < errors[1] < errors[2]


@pytest.fixture
def schools(project: Any, shared_table: Find) -> Callable[..., Any]:
    def run(**options: Any) -> Any:
        project.table("hs", pd.read_csv(shared_table("HolzingerSwineford1939")))
        project.model("hs", HS, method="lsem", **({"options": options} if options else {}))
        spec = {
            "study": "schools",
            "table": {"path": "../data/hs.csv"},
            "response": ["x1"],
            "drivers": {"tests": [f"x{i}" for i in range(2, 10)]},
            "strata": {"school": {"column": "school"}},
            "fit": [{"models": ["hs"], "over": ["all", "school"]}],
            "seed": 1,
        }
        return dr.run(project.spec("schools", spec))

    return run


def test_the_ladder_of_schools_is_lavaans(schools: Callable[..., Any], golden: Golden) -> None:
    ladder = schools().table("group_ladder").set_index("held_equal")
    for step, name in (("free", "hs_group_configural"), ("loadings", "hs_group_loadings")):
        want = golden("lavaan.json")[name]["fit"]
        row = ladder.loc[step]
        assert row.chisq == pytest.approx(want["chisq"], abs=1e-3)
        assert row.chisq_df == want["df"]
        for index in ("cfi", "rmsea", "srmr"):
            assert row[index] == pytest.approx(want[index], abs=1e-3)
        assert row.aic == pytest.approx(want["aic"], rel=1e-6)
        assert row.bic == pytest.approx(want["bic"], rel=1e-6)
    assert ladder.loc["loadings", "p_value"] == pytest.approx(0.224358, abs=1e-5)
    # Published for lavaan's tutorial: equal intercepts, χ² 164.103 on 60 df (Rosseel 2012).
    assert ladder.loc["intercepts", "chisq"] == pytest.approx(164.103, abs=1e-3)
    assert ladder.loc["intercepts", "chisq_df"] == 60
    assert "regressions" not in ladder.index


def test_the_parameter_that_frees_best_is_named_and_may_be_freed(schools: Callable[..., Any]) -> None:
    run = schools()
    release = run.table("group_release").query("held_equal == 'intercepts'")
    first = release.iloc[0]
    freed = schools(partial=[f"{first.response} ~ 1"]).table("group_ladder").set_index("held_equal")
    ladder = run.table("group_ladder").set_index("held_equal")
    gained = ladder.loc["intercepts", "chisq"] - freed.loc["intercepts", "chisq"]
    assert gained == pytest.approx(first.mi, rel=0.15)
    assert freed.loc["intercepts", "chisq_df"] == 59
    assert schools(equal=[]).tables.tables.get("group_ladder") is None


def test_loadings_of_strata_are_compared(schools: Callable[..., Any]) -> None:
    rows = schools().table("comparison")
    found = rows[(rows.quantity == "std_loading") & (rows.response == "x5") & (rows.driver == "textual")]
    assert len(found) == 1
    assert found.difference.item() == pytest.approx(found.estimate_a.item() - found.estimate_b.item())


def in_groups(project: Any, formula: str, data: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """The ladder of the levels of `g`."""
    project.table("groups", data)
    project.model("m", formula, method="lsem", options=options or {"equal": ["loadings", "intercepts"]})
    spec = {
        "study": "groups",
        "table": {"path": "../data/groups.csv"},
        "response": ["y"],
        "drivers": {
            "causes": {
                c: {} if pd.api.types.is_numeric_dtype(data[c]) else {"categorical": True}
                for c in data.columns
                if c not in ("g", "y")
            }
        },
        "strata": {"g": {"column": "g"}},
        "fit": [{"models": ["m"], "over": ["g"]}],
        "seed": 1,
    }
    return dr.run(project.spec("groups", spec)).table("group_ladder").set_index("held_equal")


def grouped(seed: int, groups: int = 2) -> pd.DataFrame:
    parts = [simulated(seed + k).assign(g=f"g{k}") for k in range(groups)]
    return pd.concat(parts, ignore_index=True)


def test_a_mean_of_a_latent_variable_may_be_in_the_formula(project: Any) -> None:
    formula = "f =~ i0 + i1 + i2; f ~ 0*1; y ~ f"
    ladder = in_groups(project, formula, grouped(1))
    assert ladder.status.tolist() == ["ok"] * 3
    # Three intercepts and that of y are equal, and no mean is free.
    assert ladder.loc["intercepts", "df"] == 4


def test_kelvin_is_as_good_as_celsius(project: Any) -> None:
    """Only the step of equal intercepts knows where 0 is, while slopes differ; and it is never the worst."""
    formula = "f =~ i0 + i1 + i2; f ~ x; y ~ f"
    options = {"equal": ["loadings", "intercepts", "regressions"]}
    data = grouped(5, 3)
    near = in_groups(project, formula, data, **options)
    far = in_groups(project, formula, data.assign(x=data.x + 288.0), **options)
    for step in ("free", "loadings", "regressions"):
        assert far.loc[step, "chisq"] == pytest.approx(near.loc[step, "chisq"], abs=1e-4)
    assert far.chisq.is_monotonic_increasing


def test_a_label_of_two_kinds_stays_one_parameter(project: Any) -> None:
    ladder = in_groups(project, "f =~ i0 + s*i1 + i2; y ~ s*f", grouped(2))
    assert (ladder.chisq_difference.dropna() >= 0).all()
    # s and the loading of i2, each equal in both groups.
    assert ladder.loc["loadings", "df"] == 2


def test_a_step_that_is_not_identified_is_no_step(project: Any) -> None:
    free = ["i0~1", "i1 ~ 1", "i2 ~1"]
    ladder = in_groups(project, "f =~ i0 + i1 + i2; y ~ x", grouped(3), partial=free)
    assert ladder.loc["loadings", "status"] == "ok"
    assert ladder.loc["intercepts", "status"] == "failed"
    assert ladder.loc["intercepts", "message"].startswith("not identified: ")
    assert "`f ~ 1`" in ladder.loc["intercepts", "message"]


def test_the_ladder_says_who_is_not_in_it(project: Any) -> None:
    data = grouped(4, 3)
    data.loc[data.g == "g2", "i0"] = 1.0
    ladder = in_groups(project, "f =~ i0 + i1 + i2; y ~ f", data)
    assert ladder.loc["free", "message"] == "without `g=g2`, which could not be fitted"
    use = np.where(data.g == "g0", "crop", np.random.default_rng(1).choice(["crop", "wood"], len(data)))
    use[:50] = "wood"
    use[50:90] = "ice"
    apart = in_groups(project, "m ~ use + x", data.assign(use=use)[data.g != "g2"])
    assert apart.loc["free", "message"] == "not all strata have `use[ice]`: they cannot be fitted together"


def test_values_that_never_meet_are_said_and_need_not_be_complete() -> None:
    data = simulated(11)
    holes = data.copy()
    for k, name in enumerate(("i0", "i1", "i2")):
        holes.loc[np.arange(len(data)) % 3 == k, name] = np.nan
    row = dr.fit("f =~ i0 + i1 + i2; y ~ f", holes, method="lsem", options={"missing": "ml"}).glance()
    assert row.n.item() == len(data)
    holes["i2"] = data.i2.where(holes.i1.isna())
    with pytest.raises(FitError) as caught:
        dr.fit("f =~ i0 + i1 + i2; y ~ f", holes, method="lsem", options={"missing": "ml"})
    assert (
        str(caught.value) == "no pixel has a value in all of `i1` and `i2`, so nothing says how they covary"
    )
    with pytest.raises(FitError) as empty:
        dr.fit("y ~ m", data.assign(m=np.nan), method="lsem", options={"missing": "ml"})
    assert str(empty.value) == "`m` has no value here"


def test_without_gaps_both_ways_of_scaling_are_one() -> None:
    data = simulated(13).assign(y=lambda t: np.exp(t.y))
    options = {"errors": "robust", "test": "yuan_bentler", "intercepts": True, "fixed_x": False}
    one, two = (
        dr.fit(MODEL, data, method="lsem", options={**options, "missing": how}) for how in ("listwise", "ml")
    )
    a, b = one.glance().iloc[0], two.glance().iloc[0]
    assert a.chisq_scaling != pytest.approx(1.0, abs=0.01)
    for name in ("chisq", "chisq_scaling", "chisq_p"):
        assert b[name] == pytest.approx(a[name], rel=1e-6)
    assert two.tidy().std_error.to_numpy() == pytest.approx(
        one.tidy().std_error.to_numpy(), rel=1e-5, nan_ok=True
    )


def test_definitions_that_are_no_numbers_are_said() -> None:
    result = dr.fit("y ~ p*x + p*m + z; q := 2*p; r := log(p - 50)", simulated(12), method="lsem")
    rows = result.tidy().query("op == ':='").set_index("response")
    estimate = result.tidy().query("op == '~' and term == 'x'").estimate.item()
    assert rows.loc["q", "estimate"] == pytest.approx(2 * estimate)
    # One raw slope of two variables is two standardised ones.
    assert np.isnan(rows.loc["q", "std_estimate"])
    assert np.isnan(rows.loc["r", ["estimate", "std_error"]].astype(float)).all()
    assert "`r`: no number at these estimates" in result.glance().message.item()


# Neighbours


def smooth(seed: int, side: int = 48, reach: float = 2.0) -> pd.DataFrame:
    from scipy import ndimage

    rng = np.random.default_rng(seed)

    def field() -> np.ndarray:
        made = ndimage.gaussian_filter(rng.normal(size=(side, side)), reach, mode="wrap")
        return (made / made.std()).ravel()

    x, z = field(), field()
    f = 0.5 * x + field()
    columns = {f"i{k}": load * f + 0.7 * field() for k, load in enumerate((1.0, 0.8, 0.6))}
    north, east = np.divmod(np.arange(side**2), side)
    y = 0.4 * f + field()
    return pd.DataFrame({"x": x, "z": z, **columns, "y": y, "east": east * 1.0, "north": north * 1.0})


def on_grid(seed: int, **options: Any) -> Any:
    from drivers.table import pixel_table_from_frame

    table = pixel_table_from_frame(smooth(seed), easting="east", northing="north", cell_size=1.0)
    formula = "f =~ i0 + i1 + i2; f ~ x + z; y ~ f + x + z"
    return dr.fit(formula, table, method="lsem", options=options)


def test_neighbours_are_counted_and_all_errors_stand_side_by_side() -> None:
    result = on_grid(1)
    row = result.glance().iloc[0]
    assert row.errors == "effective"
    assert 20 < row.n_effective < 300
    assert row.chisq_scaling > 5
    assert row.chisq_p > row.chisq_p_classical
    paths = result.tidy().query("op == '~'")
    assert (paths.p_value >= paths.p_classical).all()
    side_by_side = pd.DataFrame(result.records["coefficient_errors"])
    wide = side_by_side.query("op == '~'").pivot_table(
        index=["response", "term"], columns="errors", values="std_error"
    )
    assert (wide.effective > 2 * wide.classical).all()
    assert (wide.block > 2 * wide.classical).all()
    assert on_grid(1, errors="classical").glance().chisq_p.item() == pytest.approx(row.chisq_p_classical)


def test_a_real_map_has_few_independent_pixels(shared_table: Find) -> None:
    """docs/lsem.md: two ways to count neighbours agree, and classical errors are a tenth of either."""
    from drivers.table import pixel_table_from_frame

    frame = pd.read_csv(shared_table("soil_grid_wa"))
    table = pixel_table_from_frame(frame, easting="Lon", northing="Lat", crs="EPSG:4326")
    formula = "soil =~ SOC + pH + NDVI; soil ~ Elevation + Slope + Water; SOC ~~ pH; Mine ~ soil + Road"
    result = dr.fit(formula, table, method="lsem")
    rows = pd.DataFrame(result.records["coefficient_errors"]).query("op in ('~', '=~')")
    wide = rows.dropna(subset=["std_error"]).pivot_table(
        index=["response", "term"], columns="errors", values="std_error"
    )
    assert len(wide) == 7
    assert (wide.effective > 8 * wide.classical).all()
    assert ((wide.effective / wide.block).between(0.6, 1.6)).all()
    row = result.glance().iloc[0]
    assert row.chisq_p_classical == 0.0
    assert 0.001 < row.chisq_p < 0.2
    assert row.cfi_robust > row.cfi


def test_meadows_have_one_chi_square(shared_table: Find) -> None:
    data = pd.read_csv(shared_table("meadows"))
    formula = "mass ~ elev + grazed; rich ~ mass + elev"
    latent, pieces = (dr.fit(formula, data, method=m).glance().iloc[0] for m in ("lsem", "psem"))
    assert latent.chisq == pytest.approx(pieces.chisq, rel=1e-6)
    assert latent.chisq_df == pieces.chisq_df == 1


def test_the_order_of_columns_changes_no_test() -> None:
    from drivers.table import pixel_table_from_frame

    frame = smooth(3)
    found = []
    for columns in (list(frame.columns), list(frame.columns)[::-1]):
        table = pixel_table_from_frame(frame[columns], easting="east", northing="north", cell_size=1.0)
        found.append(dr.fit("f =~ i0 + i1 + i2; f ~ x + z; y ~ f", table, method="lsem").glance().iloc[0])
    assert found[1].chisq_scaling == pytest.approx(found[0].chisq_scaling, rel=1e-9)
    assert found[1].chisq_p == pytest.approx(found[0].chisq_p, rel=1e-9)


def test_a_test_that_does_not_count_neighbours_says_so() -> None:
    row = on_grid(2, test="satorra_bentler").glance().iloc[0]
    assert "it counts neighbours as independent" in row.message
    blocks = on_grid(2, errors="block", block=40.0).glance().iloc[0]
    assert np.isnan(blocks.chisq_p)
    assert blocks.message.startswith("too few blocks (")


def test_tests_hold_their_size_on_smooth_fields() -> None:
    """Nil paths of 40 maps: z on f, x and z on y. Classical tests reject two of three (docs/lsem.md)."""
    rejected = {"p_value": 0, "p_classical": 0}
    for seed in range(40):
        rows = on_grid(100 + seed).tidy().query("op == '~'").set_index(["response", "term"])
        for key in (("f", "z"), ("y", "x"), ("y", "z")):
            for column in rejected:
                rejected[column] += int(rows.loc[key, column] < 0.05)
    assert rejected["p_classical"] > 60
    assert rejected["p_value"] <= 16
