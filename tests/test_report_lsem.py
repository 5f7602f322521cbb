"""What the report says and draws of latent-variable models, from fake tables; only the last test fits one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_report_page import assert_sound_in_a_browser, needs_chromium, page_of, words_of
from test_report_terminal import header_of, shown

import drivers as dr
from drivers.report import RunTables
from drivers.report.diagram import Edge, Node, arrange_diagram
from drivers.report.group_ladder import ladders
from drivers.report.lsem_rows import latent_diagram, parameters
from drivers.report.lsem_wording import index_lines, latent_verdict
from drivers.report.page import make_figures
from drivers.report.residual_triangle import Residual, residual_triangle
from drivers.report.terminal import overview, terminal_table

LOADINGS = {"light": ("x1", "x2", "x3"), "soil": ("x4", "x5", "x6")}
FIT: dict[str, Any] = {
    "method": "lsem", "n": 301, "status": "ok", "message": "", "errors": "classical", "chisq": 85.306,
    "chisq_df": 8, "chisq_p": 8.5e-9, "chisq_p_classical": 8.5e-9, "cfi": 0.9306, "tli": 0.896,
    "rmsea": 0.0921, "rmsea_low": 0.0714, "rmsea_high": 0.1137, "rmsea_p_close": 6.6e-4, "srmr": 0.0652,
    "aic": 7517.49, "bic": 7595.34, "n_parameters": 13,
}  # fmt: skip
GOOD = {"chisq": 9.1, "chisq_p": 0.33, "cfi": 0.991, "tli": 0.98, "rmsea": 0.021, "srmr": 0.031}
MODEL = "light =~ x1 + x2 + x3\nsoil =~ x4 + x5 + x6\nNEP ~ light + soil\nlight ~~ soil\n"


def table_words(page: str) -> str:
    """The page on one line, with a blank between the cells of its tables."""
    return words_of(re.sub(r"</t[dh]>", r"\g<0> ", page))


def parameter(response: str, op: str, term: str, std: float | None, p: float | None, **more: Any) -> Any:
    known = p is not None
    return {
        "response": response, "op": op, "term": term, "estimate": 1.0 if std is None else 2 * std,
        "std_error": 0.1 if known else None, "statistic": 3.0 if known else None, "p_value": p,
        "std_estimate": std, "conf_low": -0.2 if known else None, "conf_high": 0.9 if known else None,
        "p_classical": p, **more,
    }  # fmt: skip


def coefficients() -> list[dict[str, Any]]:
    rows = []
    for latent, names in LOADINGS.items():
        rows += [
            parameter(x, "=~", latent, 0.71 + k / 20, None if k == 0 else 1e-9) for k, x in enumerate(names)
        ]
    rows += [parameter("NEP", "~", "light", 0.44, 1e-5), parameter("NEP", "~", "soil", -0.31, 0.004)]
    rows += [parameter("light", "~~", "soil", -0.23, 0.02), parameter("x1", "~~", "x1", 0.5, 1e-9)]
    rows += [parameter("NEP", "~1", "1", 0.1, 0.2), parameter("both", ":=", "a * b", 0.13, 0.01)]
    return rows


def run_of(
    fits: dict[str, dict[str, Any]], rows: list[dict[str, Any]] | None = None, **more: Any
) -> RunTables:
    """A run of one model; strata that failed have their row of fit.csv only."""
    keys = [{"model": "m", "stratum": stratum} for stratum in fits]
    tables: dict[str, list[dict[str, Any]]] = {"fit": [], "strata": []}
    for key, fit in zip(keys, fits.values(), strict=True):
        tables["fit"].append({**key, **fit})
        tables["strata"].append({"stratum": key["stratum"], "n": fit["n"], "share": 1.0})
        if fit["status"] == "failed":
            continue
        add = {
            "coefficients": coefficients() if rows is None else rows,
            "r2": [{"response": "NEP", "r2": 0.37}, {"response": "x1", "r2": 0.504}],
            "effects": [
                {"driver": "light", "response": "NEP", "kind": kind, "via": via, "std_estimate": 0.44,
                 "estimate": 0.88, "p_value": 1e-5, "std_conf_low": 0.3, "std_conf_high": 0.58}
                for kind, via in (("direct", "light -> NEP"), ("total", None))
            ],
            "modification_indices": [
                {"response": "x6", "op": "=~", "term": "light", "mi": 36.4, "epc": 0.577, "std_epc": 0.515},
                {"response": "x1", "op": "~~", "term": "x2", "mi": 4.2, "epc": -0.1, "std_epc": -0.05},
            ],
            "residual_correlations": [
                {"response": "x1", "term": "x4", "residual": 0.194, "residual_z": 3.9},
                {"response": "x1", "term": "x5", "residual": -0.052, "residual_z": -1.1},
                {"response": "x4", "term": "x5", "residual": 1e-17, "residual_z": None},
            ],
        }  # fmt: skip
        for name, found in add.items():
            tables.setdefault(name, []).extend({**key, **row} for row in found)
    frames = {name: pd.DataFrame(found) for name, found in (tables | more).items()}
    frames["fit"]["chisq_df"] = frames["fit"].get("chisq_df", pd.Series([None])).astype("Int64")
    meta = {
        "study": "s", "response": {"name": "NEP"}, "table": {"n": 301, "coordinates": False},
        "models": [{"name": "m", "method": "lsem", "formula": MODEL, "responses": ["NEP"]}],
    }  # fmt: skip
    return RunTables(frames, meta)


def step(held: str, **more: Any) -> dict[str, Any]:
    return {
        "model": "m", "stratum": "school", "held_equal": held, "status": "ok", "chisq": 120.0, "chisq_df": 50,
        "cfi": 0.93, "rmsea": 0.05, "srmr": 0.06, "aic": 1.0, "bic": 2.0, **more,
    }  # fmt: skip


TWO = {"school=a": FIT, "school=b": FIT}


def test_the_verdict_says_what_chi_square_and_each_index_say() -> None:
    found = latent_verdict(FIT)
    words = " ".join(found.sentences)
    assert (found.key, found.word) == ("undecided", "mixed fit")
    assert "χ² = 85.31 on 8 df, P < 0.001." in words
    assert "RMSEA = 0.092 (90 % interval 0.071 to 0.114), a mediocre fit" in words
    assert "CFI = 0.931, short of the usual cut-off of 0.95" in words
    assert (
        "SRMR = 0.065, within the usual cut-off of 0.08: correlations are typically missed by 0.07" in words
    )
    assert "any misfit, however small" not in words
    assert latent_verdict({**FIT, **GOOD}).word == "close fit"
    assert latent_verdict({**FIT, "rmsea": 0.11}).word == "poor fit"
    assert latent_verdict({**FIT, "cfi": 0.89}).word == "poor fit"


def test_the_verdict_is_honest_about_n() -> None:
    many = " ".join(latent_verdict({**FIT, "n": 46295}).sentences)
    assert "With 46\u202f295 pixels χ² finds any misfit, however small" in many
    few = " ".join(latent_verdict({**FIT, **GOOD, "n": 60}).sentences)
    assert "With 60 pixels χ² can miss even a large misfit." in few
    assert "cannot be told from chance" in few
    erratic = " ".join(latent_verdict({**FIT, "chisq_df": 1}).sentences)
    assert "RMSEA and TLI swing widely" in erratic
    assert "swing widely" not in many


def test_where_neighbours_are_counted_chi_square_is_divided_and_rmsea_comes_from_it() -> None:
    fit = {**FIT, "n": 13132, "errors": "effective", "chisq_scaling": 133.99, "chisq_scaled": 0.64,
           "chisq_p": 0.99, "rmsea_robust": 0.0}  # fmt: skip
    words = " ".join(latent_verdict(fit).sentences)
    assert "P = 0.990, counting independent pixels" in words
    assert (
        "χ² is divided by 134 before it is tested (χ² = 0.6400); undivided it would have P < 0.001" in words
    )
    assert "RMSEA = 0.000 from the divided χ² (0.092 from the undivided), a close fit" in words
    assert "any misfit, however small" not in words
    untested = " ".join(latent_verdict({**fit, "chisq_p": None, "chisq_scaling": None}).sentences)
    assert (
        "too few independent pixels for a test of it. As if every pixel were independent, P < 0.001"
        in untested
    )
    lines = {line.name: line for line in index_lines(fit)}
    assert (lines["RMSEA"].met, lines["RMSEA robust"].met) == (False, True)


def test_a_saturated_model_is_no_evidence_and_shows_no_rounding_errors() -> None:
    fit = {**FIT, "chisq": 1e-14, "chisq_df": 0, "chisq_p": None, "rmsea": 0.0, "cfi": 1.0, "srmr": 2.2e-17,
           "message": "saturated: the model implies every covariance, nothing is tested"}  # fmt: skip
    assert latent_verdict(fit).key == "saturated"
    assert [line.name for line in index_lines(fit)] == ["AIC", "BIC"]
    words = words_of(page_of(run_of({"all": fit, "school=a": fit})))
    assert words.count("Saturated: ") == 2
    assert "10⁻¹" not in words
    assert "Hu & Bentler" not in words


def test_a_heywood_case_is_named_and_outranks_good_indices() -> None:
    message = "improper solution: negative variance of `x2` (a Heywood case); too few indicators"
    fit = {**FIT, **GOOD, "message": message}
    found = latent_verdict(fit)
    assert (found.key, found.word) == ("rejected", "improper")
    assert found.sentences[0].startswith("Improper: ")
    page = page_of(run_of({"all": fit}))
    assert "negative variance of <code>x2</code> (a Heywood case)" in page


def test_the_section_holds_indices_parameters_residuals_and_modifications() -> None:
    words = table_words(page_of(run_of({"all": FIT})))
    assert "CFI 0.931 ≥ 0.95 no" in words
    assert "SRMR 0.065 ≤ 0.08 yes" in words
    assert "rules of thumb" in words
    assert "doi:10.1080/10705519909540118" in words
    for name in ("Loadings", "Regressions", "Covariances", "Intercepts", "Defined effects", "Variances"):
        assert name in words
    assert "light → x1 R² = 0.50 0.71 1.42 fixed" in words
    assert "NEP ← soil" in words
    assert "both = a * b" in words
    assert "light =~ x6 light → x6 36.4 0.577 0.52" in words
    assert "has been fitted twice" in words
    assert "x1 with x4 0.194 3.90" in words
    assert "x4 with x5" not in words.split("The largest of them")[1]
    assert "1 of size 0.10 or more" in words


def test_a_refused_test_is_not_called_fixed() -> None:
    rows = [parameter("x1", "=~", "f", 0.7, None), parameter("x2", "=~", "f", 0.6, None)]
    rows[1]["p_classical"] = 1e-9
    run = run_of({"all": {**FIT, "chisq_p": None}}, rows)
    found = dict(parameters(run, "m", "all"))
    assert [line["fixed"] for line in found["Loadings"]] == [True, False]
    words = words_of(page_of(run))
    assert "A path whose test was refused keeps its colour" in words
    assert "on 8 df, not tested" in words
    assert "test was refused" not in words_of(page_of(run_of({"all": FIT})))


def test_latents_are_ellipses_indicators_boxes_and_covariances_have_two_heads() -> None:
    run = run_of({"all": FIT})
    nodes, edges, last = latent_diagram(run, "m", "all")
    shapes = {node.name: node.shape for node in nodes}
    assert {name for name, shape in shapes.items() if shape == "latent"} == set(LOADINGS)
    assert shapes["x1"] == shapes["NEP"] == "observed"
    assert last == "NEP"
    assert ("light", "x1", "=~") in {(e.source, e.target, e.op) for e in edges}
    assert not any(e.source == e.target or e.op in ("~1", ":=") for e in edges)
    svg = make_figures(run)["m", "all"]["paths.svg"]
    assert svg.count("<ellipse") == 2
    covariance = next(mark for mark in re.findall(r"<g><title>.*?</g>", svg, re.S) if "soil ↔ light" in mark)
    assert covariance.count("<polygon") == 2
    assert "#d55e00" in covariance
    assert "R² = 0.37" in svg
    assert "covariance: thin, two heads" in svg


def test_indicators_of_causes_stand_left_and_their_arrows_still_point_at_them() -> None:
    run = run_of({"all": FIT})
    nodes, edges, last = latent_diagram(run, "m", "all")
    placed = arrange_diagram(nodes, edges, last)
    for latent, names in LOADINGS.items():
        assert all(placed.boxes[x].right < placed.boxes[latent].left for x in names)
    assert placed.boxes["NEP"].left > placed.boxes["light"].right
    for edge, route in zip(edges, placed.routes, strict=True):
        assert route.reversed == (edge.op == "=~")


def test_indicators_of_what_is_explained_or_has_other_arrows_stand_right() -> None:
    nodes = [Node("f", "latent"), *(Node(n) for n in ("x", "a", "b", "y"))]
    loadings = [Edge("f", "a", "=~", 0.7), Edge("f", "b", "=~", 0.6)]
    for other in (Edge("x", "f", "~", 0.3), Edge("y", "a", "~", 0.3), Edge("a", "y", "~", 0.3)):
        placed = arrange_diagram(nodes, [*loadings, other])
        assert placed.boxes["b"].left > placed.boxes["f"].right


def test_a_path_model_without_latents_has_no_word_about_them() -> None:
    rows = [parameter("NEP", "~", "x1", 0.4, 0.001), parameter("NEP", "~~", "NEP", 0.8, 0.001)]
    run = run_of({"all": FIT}, rows)
    words = words_of(page_of(run))
    svg = make_figures(run)["m", "all"]["paths.svg"]
    assert "<ellipse" not in svg
    assert "fixed to give the latent variable its unit" not in words
    assert "Loadings" not in words
    assert "NEP ← x1" in words


def test_a_failed_stratum_says_why_and_leaves_the_others_side_by_side() -> None:
    failed = {"method": "lsem", "n": 3, "status": "failed", "message": "too few pixels: 3 complete ones"}
    run = run_of({"school=a": FIT, "school=b": FIT, "school=c": failed}, group_ladder=[step("free")])
    page = page_of(run)
    words = words_of(page)
    assert "This stratum could not be fitted. Too few pixels: 3 complete ones." in words
    assert "Not in this comparison, as they could not be fitted: c." in words
    assert words.count("! not fitted") >= 2


def test_the_ladder_says_what_can_be_held_equal_and_what_to_free_first() -> None:
    steps = [
        step("free", cfi=0.923),
        step(
            "loadings",
            chisq_difference=8.19,
            df=6,
            statistic=8.19,
            p_value=0.224,
            p_classical=0.224,
            cfi=0.921,
        ),
        step(
            "intercepts",
            chisq_difference=40.06,
            df=6,
            statistic=40.06,
            p_value=4e-7,
            p_classical=4e-7,
            cfi=0.882,
        ),
    ]
    release = [
        {"model": "m", "stratum": "school", "held_equal": "intercepts", "of_stratum": f"school={s}",
         "response": x, "op": "~1", "term": "1", "mi": mi, "epc": change}
        for x, mi, change, s in (("x2", 6.9, 0.3, "a"), ("x3", 19.2, 0.538, "b"), ("x7", 15.0, 0.4, "a"))
    ]  # fmt: skip
    run = run_of(TWO, group_ladder=steps, group_release=release)
    (found,) = ladders(run, "m")
    first, second = found["sentences"]
    assert first.startswith("Loadings can be held equal (Δχ² = 8.190 on 6 df, P = 0.224)")
    assert "But CFI falls" not in first
    assert second.startswith("Intercepts cannot be held equal (Δχ² = 40.06 on 6 df, P < 0.001)")
    assert (
        "free would be the intercept of x3 (score test 19.2; in b it would be about 0.538 larger)" in second
    )
    assert [line["held"] for line in found["steps"]] == ["nothing", "loadings", "and intercepts"]
    assert found["steps"][2]["fall"] == pytest.approx(0.039)
    words = table_words(page_of(run))
    assert "What strata of school share" in words
    assert "and intercepts 120.0 50 40.06 6 < 0.001 0.882 0.039" in words


def test_a_ladder_step_without_a_test_or_a_fit_says_so() -> None:
    untested = step("loadings", chisq_difference=950.5, df=6, p_value=None, p_classical=1e-99)
    failed = {**step("intercepts"), "status": "failed", "message": "no convergence after 500 steps"}
    run = run_of(TWO, group_ladder=[step("free"), untested, failed])
    (found,) = ladders(run, "m")
    assert found["sentences"][0] == (
        "Whether loadings are equal cannot be tested from these pixels (Δχ² = 950.5 on 6 df; as if every "
        "pixel were independent, P < 0.001)."
    )
    assert found["sentences"][1] == (
        "Equal intercepts could not be fitted: no convergence after 500 steps. The ladder ends here."
    )
    assert "not fitted: no convergence after 500 steps" in words_of(page_of(run))


def test_a_step_that_holds_by_p_but_costs_cfi_is_doubted_and_so_is_an_improper_stratum() -> None:
    held = step(
        "loadings", chisq_difference=9.0, df=6, statistic=2.0, p_value=0.9, p_classical=0.17, cfi=0.90
    )
    improper = {**FIT, "message": "improper solution: negative variance of `x2`"}
    run = run_of({"school=a": FIT, "school=b": improper}, group_ladder=[step("free"), held])
    (found,) = ladders(run, "m")
    assert "9.000 on 6 df, 2.000 with neighbours counted, P = 0.900" in found["sentences"][0]
    assert "But CFI falls by 0.030" in found["sentences"][0]
    assert found["improper"] == ["b"]


def test_residuals_are_coloured_by_sign_framed_when_large_and_blank_when_unknown() -> None:
    svg = residual_triangle(
        ["a", "b", "c"],
        [Residual("a", "b", 0.25, 4.0), Residual("a", "c", -0.04), Residual("b", "c", None)],
        title="t",
    )
    cells = dict(re.findall(r"<g><title>(\w with \w)[^<]*</title>(.*?)</g>", svg, re.S))
    assert set(cells) == {"a with b", "a with c", "b with c"}
    fills = {pair: re.search(r'fill="(#\w+)"', mark).group(1) for pair, mark in cells.items()}  # type: ignore[union-attr]
    blue, orange = (tuple(int(fills[p][k : k + 2], 16) for k in (1, 3, 5)) for p in ("a with b", "a with c"))
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]
    assert fills["b with c"] == "#eceff1"
    assert 'stroke="#1d2429"' in cells["a with b"]
    assert "stroke" not in cells["a with c"]
    assert "−.04" in cells["a with c"]


def test_variances_and_fixed_loadings_are_no_paths_in_the_figure_of_errors() -> None:
    key = {"model": "m", "stratum": "all"}
    rows = [
        {**key, "response": response, "op": op, "term": term, "errors": errors, "std_estimate": 0.5,
         "std_conf_low": None if fixed else 0.4, "std_conf_high": None if fixed else 0.6}
        for response, op, term, fixed in (("x1", "=~", "f", True), ("x2", "=~", "f", False),
                                          ("x2", "~~", "x2", False), ("e", ":=", "a * b", False))
        for errors in ("classical", "effective")
    ]  # fmt: skip
    svg = make_figures(run_of({"all": FIT}, coefficient_errors=rows))["m", "all"]["errors.svg"]
    assert "f → x2" in svg
    assert "e = a * b" in svg
    assert "f → x1" not in svg
    assert "x2 ↔ x2" not in svg


def test_the_first_look_in_a_terminal_shows_the_fit_not_r2() -> None:
    run = run_of({"all": {**FIT, "r2": 0.5}, "school=a": {**FIT, "r2": 0.4}})
    header = header_of(shown(overview(run), 110))
    assert header == ["stratum", "n", "chisq", "chisq_df", "chisq_p", "cfi", "rmsea", "srmr", "status"]
    counted = run_of({"all": {**FIT, "n_effective": 29.8}})
    assert "n_effective" in header_of(shown(overview(counted), 110))


def test_narrow_tables_keep_what_latent_models_are_judged_by() -> None:
    fit = run_of(
        {"all": {**FIT, "n_effective": 29.8, "block_side": 28.55, "n_blocks": 21, "r2": 0.51}}
    ).tables["fit"]
    header = header_of(shown(terminal_table(fit, "fit"), 80))
    assert {"chisq", "chisq_p", "cfi"} <= set(header)
    assert not {"rmsea_p_close", "n_parameters", "block_side"} & set(header)
    rows = pd.DataFrame([step("free"), step("loadings", chisq_difference=8.19, df=6, p_value=0.22)])
    assert {"held_equal", "chisq_difference", "p_value"} <= set(
        header_of(shown(terminal_table(rows, "x"), 80))
    )


@needs_chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_in_a_browser(tmp_path: Path, width: int) -> None:
    steps = [step("free"), step("loadings", chisq_difference=8.19, df=6, statistic=8.19, p_value=0.224)]
    assert_sound_in_a_browser(run_of(TWO, group_ladder=steps), tmp_path, width)


def test_the_tables_of_a_real_fit_are_what_the_section_reads() -> None:
    rng = np.random.default_rng(5)
    f = rng.normal(size=400)
    data = pd.DataFrame({f"i{k}": 0.8 * f + 0.5 * rng.normal(size=400) for k in range(4)})
    data["y"] = -0.5 * f + rng.normal(size=400)
    result = dr.fit("f =~ i0 + i1 + i2 + i3; y ~ f", data, method="lsem")
    tables = {name: pd.DataFrame([{"model": "m", "stratum": "all", **row} for row in rows])
              for name, rows in result.records.items()}  # fmt: skip
    run = RunTables(tables, {"models": [{"name": "m", "method": "lsem", "responses": ["y"]}]})
    words = words_of(page_of(run))
    assert "✓ close fit" in words
    assert "f → i3" in words
    assert "y ← f" in words
    assert "What would change the fit most" in words
    assert make_figures(run)["m", "all"]["paths.svg"].count("<ellipse") == 1


@pytest.mark.parametrize(
    ("errors", "said", "unsaid"),
    [
        ("classical", "far too small, that of χ² too", "partial r"),
        ("robust", "allow for variables that are not normal", "spatial blocks"),
        ("effective", "effective number of independent pixels", "far too small, that"),
    ],
)
def test_what_p_values_count_is_said_where_there_are_coordinates(errors: str, said: str, unsaid: str) -> None:
    message = f"the errors are {errors}, as if neighbouring pixels were independent"
    run = run_of({"all": {**FIT, "errors": errors, "message": "" if errors == "effective" else message}})
    run.meta["table"]["coordinates"] = True
    words = words_of(page_of(run))
    assert said in words
    assert unsaid not in words
    assert "as if neighbouring pixels were independent" not in words
    assert ("go by the standardised size" in words) == (errors == "effective")
