"""Strata compared: what its figures, sentences and tables say of fake tables; no test is made."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_report_fake import FAILED, assert_legible, fake_run, finished, long_groups
from test_report_page import assert_sound_in_a_browser, needs_chromium, page_of, words_of
from test_report_terminal import header_of, shown

from drivers.glossary import TABLES
from drivers.report import RunTables, read_report, write_report
from drivers.report.agreement_wording import agreement_sentence, agreement_word
from drivers.report.compared_rows import panels_of
from drivers.report.compared_wording import CLASSICAL, NOT_TESTED, family_cautions, sentences
from drivers.report.numbers import level_of
from drivers.report.page import make_figures, render_page, slugs
from drivers.report.strata_dots import Dot, strata_dots
from drivers.report.terminal import terminal_table

Rows = dict[str, list[dict[str, object]]]
FAMILIES = {
    "balance": ("balance=sink", "balance=source"),
    "landuse": tuple(f"landuse={k}" for k in ("cropland", "forestland", "grassland", "impervious")),
}
MODELS = {"nep-paths": "std_total_effect", "nep-q": "q", "nep-trees": "influence"}
METHODS = {"nep-paths": "psem", "nep-q": "geodetector", "nep-trees": "brt"}


def pairs_of(
    tables: Rows, key: dict[str, object], values: dict[str, float | None], rng: np.random.Generator
) -> None:
    """Every pair of strata of one number, the test of all, as compare.py writes them."""
    strata = [stratum for stratum, value in values.items() if value is not None]
    for a, b in combinations(strata, 2):
        left, right = values[a], values[b]
        assert left is not None
        assert right is not None
        difference = left - right
        p = float(np.exp(-20 * abs(difference)))
        row = {"stratum_a": a, "stratum_b": b, "estimate_a": left, "estimate_b": right, "std_error": 0.05}
        row |= {"difference": difference, "statistic": difference / 0.05, "p_value": p, "log_p": np.log(p)}
        row |= {"p_adjusted": min(1.0, 1.5 * p), "conf_low": difference - 0.1, "conf_high": difference + 0.1}
        tables.setdefault("comparison", []).append({**key, **row, "df": 120.5})
    p = float(rng.random()) * 0.1
    row = {
        "n_strata": len(strata),
        "pooled": 0.2,
        "statistic": 4.2,
        "df": len(strata) - 1,
        "df_residual": 88.2,
    }
    tables.setdefault("comparison_omnibus", []).append(
        {**key, **row, "p_value": p, "log_p": np.log(p), "p_adjusted": min(1.0, 1.2 * p)}
    )


def compared_run(
    groups: dict[str, dict[str, str]] | None = None, families: dict[str, tuple[str, ...]] | None = None
) -> RunTables:
    """Three models on strata of two families, compared; the same on every call."""
    rng = np.random.default_rng(3)
    families = families or FAMILIES
    run = fake_run()
    groups = groups or {
        g: {d["name"]: "" for d in run.meta["drivers"] if d["group"] == g} for g in run.meta["groups"]
    }
    labels = [label for family in families.values() for label in family]
    tables: Rows = {"strata": [], "fit": [], "q": [], "importance": [], "effects": [], "coefficients": []}
    for label in labels:
        tables["strata"].append({"stratum": label, "n": 900, "selects_on_response": "balance" in label})
    for model, quantity in MODELS.items():
        for label in labels:
            fit = {"model": model, "stratum": label, "method": METHODS[model], "n": 900, "status": "ok"}
            tables["fit"].append({**fit, "n_effective": 30.5 if label == "landuse=impervious" else 300.0})
            if label == FAILED:
                tables["fit"][-1] |= {"status": "failed", "message": "only 9 pixels"}
        whole = model == "nep-trees"
        named = [(d, g) for g, ds in groups.items() for d in ds]
        named += [("" if whole else g, g) for g in groups] if quantity != "q" else []
        for family, members in families.items():
            key = {"model": model, "stratum": family, "quantity": quantity, "response": "NEP"}
            for driver, group in named:
                values = {
                    s: float(
                        abs(rng.normal(0, 0.3)) if quantity != "std_total_effect" else rng.normal(0, 0.4)
                    )
                    for s in members
                    if s != FAILED
                }
                pairs_of(tables, {**key, "driver": driver or None, "group": group}, dict(values), rng)
                for label, value in values.items():
                    own = {"model": model, "stratum": label, "driver": driver or None, "group": group}
                    if model == "nep-paths":
                        effect = {**own, "response": "NEP", "kind": "total", "std_estimate": value}
                        tables["effects"].append(
                            {**effect, "std_conf_low": value - 0.08, "std_conf_high": value + 0.08}
                        )
                        if driver == group:
                            weight = {"response": group, "op": "<~", "term": group, "estimate": 1.0}
                            tables["coefficients"].append({"model": model, "stratum": label, **weight})
            w = {"n_raters": len(members), "n_items": 14, "w": 0.81, "w_low": 0.45, "w_high": 0.9}
            tables.setdefault("rank_agreement", []).append({**key, **w, "p_value": 0.004})
    model = {
        "name": "nep-paths",
        "method": "psem",
        "title": "Four driver groups and NEP",
        "responses": ["NEP"],
    }
    made = finished(tables, groups, model, "Strata of a simulated Horqin Sandy Land")
    others = [{"name": m, "method": METHODS[m], "responses": ["NEP"]} for m in list(MODELS)[1:]]
    return RunTables(made.tables, {**made.meta, "models": [model, *others]})


@pytest.fixture(scope="module")
def run() -> RunTables:
    return compared_run()


@pytest.fixture(scope="module")
def words(run: RunTables) -> str:
    return words_of(page_of(run))


def many_strata(k: int) -> dict[str, tuple[str, ...]]:
    return {"landuse": tuple(f"landuse=a rather long name of a land use {i + 1:02d}" for i in range(k))}


def test_the_fake_tables_keep_the_contract(run: RunTables) -> None:
    for name in ("comparison", "comparison_omnibus", "rank_agreement"):
        assert set(run.tables[name].columns) <= set(TABLES[name])


def test_the_page_has_a_section_before_the_models_and_a_link_to_it(run: RunTables, words: str) -> None:
    page = page_of(run)
    assert page.index('id="strata"') < page.index('id="strata-compared"') < page.index('id="nep-paths"')
    assert '<a href="#strata-compared">Strata compared</a>' in page
    for said in (
        "Four driver groups and NEP balance: sink, source",
        "Total effects on NEP",
        "q of each driver",
        "Relative influence in the trees",
        "sink and source are cut on the response, which bends every slope, share and q in them",
        "In impervious fewer than 40 independent pixels stand behind some numbers",
        "differences of total effects between 6 pairs of strata remain at a false discovery rate of 5 %",
        "Agreement of the 4 strata on the ranks of 14 drivers is strong: Kendall’s W = 0.81, 95 % interval "
        "0.45 to 0.90, P = 0.004. Anything from weak agreement to strong agreement fits the errors of "
        "these numbers.",
        "One test for all strata at once",
    ):
        assert said in words, said
    assert not re.search(r"\b(nan|NaN|None|<NA>|NaT|inf)\b", words)


def test_the_figures_are_files_of_the_report(run: RunTables, tmp_path: Path) -> None:
    assert slugs(run)["", "strata-compared"] == "strata-compared"
    write_report(run, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out/figures").glob("strata-compared--*.svg")}
    assert names == {
        f"strata-compared--{k + 1:02d}--{model}--{family}--{MODELS[model]}.svg"
        for k, (model, family) in enumerate((m, f) for m in MODELS for f in FAMILIES)
    }


def test_without_comparison_there_is_no_section() -> None:
    page = page_of(fake_run())
    assert "Strata compared" not in page
    assert ("", "strata-compared") not in slugs(fake_run())
    empty = pd.DataFrame({name: pd.Series(dtype=float) for name in TABLES["comparison"]})
    run = fake_run()
    assert "Strata compared" not in page_of(RunTables({**run.tables, "comparison": empty}, run.meta))


def test_comparison_alone_still_makes_a_section(run: RunTables) -> None:
    alone = RunTables({"comparison": run.tables["comparison"]}, {})
    figures = make_figures(alone)
    assert len(figures["", "strata-compared"]) == 6
    assert "Strata compared" in words_of(render_page(alone, figures))


def test_panels_hold_the_estimates_with_their_whiskers(run: RunTables) -> None:
    panel = next(p for p in panels_of(run) if p.quantity == "std_total_effect" and p.family == "landuse")
    assert panel.strata == FAMILIES["landuse"]
    assert [name for is_group, name in panel.estimates if is_group] == [
        *sorted(
            ("climate", "soil", "topography", "human"),
            key=lambda g: -max(abs(e.value) for e in panel.estimates[True, g].values()),
        )
    ]
    found = panel.estimates[False, "TEM"]["landuse=cropland"]
    assert found.low == pytest.approx(found.value - 0.08)
    sizes = [abs(float(row["difference"])) for row in panel.remaining]
    assert sizes == sorted(sizes, reverse=True)
    assert all(float(row["p_adjusted"]) < 0.05 for row in panel.remaining)


def small(**cells: object) -> RunTables:
    """Two drivers in two strata, one of whose differences remains."""
    rows: Rows = {}
    rng = np.random.default_rng(1)
    for driver, values in {"TEM": (0.6, 0.1), "PRE": (0.3, 0.31)}.items():
        key = {"model": "m", "stratum": "use", "driver": driver, "quantity": "q", "response": "NEP"}
        pairs_of(rows, {**key, "group": "climate"}, dict(zip(("use=a", "use=b"), values, strict=True)), rng)
    frames = {name: pd.DataFrame(found) for name, found in rows.items()}
    frames["comparison"] = frames["comparison"].assign(**cells)
    return RunTables(frames, {"models": [{"name": "m", "method": "geodetector"}]})


def test_whole_sentences() -> None:
    (panel,) = panels_of(small())
    assert sentences(panel) == [
        "The strongest driver is TEM in a (0.600); PRE in b (0.310).",
        "1 of 2 differences of q values between two strata remains at a false discovery rate of 5 %: of "
        "those listed, about 1 in 20 at most is expected to be chance.",
    ]
    (panel,) = panels_of(small(p_adjusted=0.7))
    assert sentences(panel)[1] == (
        "None of 2 differences of q values between two strata remains at a false discovery rate of 5 %: "
        "these pixels cannot tell the strata apart, which does not make them alike."
    )
    (panel,) = panels_of(small(p_adjusted=np.nan, p_value=np.nan, std_error=np.nan))
    assert sentences(panel)[1] == NOT_TESTED
    (panel,) = panels_of(small(estimate_b=0.05))
    assert sentences(panel)[0] == "The strongest driver is TEM in both strata."


def test_of_many_strata_leaders_are_counted() -> None:
    run = compared_run(None, many_strata(20))
    said = next(iter(sentences(panels_of(run)[0])))
    leads = r"\w+ in \d+, \w+ in \d+ and \w+ in \d+"
    assert re.fullmatch(rf"The strongest group is {leads} of 20 strata; 1 other leads in the rest\.", said)
    words = words_of(page_of(run))
    assert "Four driver groups and NEP landuse: 20 strata" in words
    assert "The other strata" in words


def test_a_report_that_was_read_back_has_the_same_page(run: RunTables, tmp_path: Path) -> None:
    write_report(run, tmp_path / "out")
    assert page_of(read_report(tmp_path / "out")) == (tmp_path / "out/index.html").read_text("utf-8")


def test_agreement_is_judged_against_chance() -> None:
    row = {"n_raters": 2, "n_items": 14, "w": 0.52, "w_low": np.nan, "w_high": np.nan, "p_value": 0.41}
    assert agreement_sentence(row, "strata") == (
        "The 2 strata do not agree on the ranks of 14 drivers: Kendall’s W = 0.52, P = 0.410."
    )
    assert agreement_sentence({**row, "w": 0.2}, "strata").startswith(
        "The 2 strata rank 14 drivers in opposite orders: "
    )
    same = {**row, "n_raters": 3, "w": 0.9, "w_low": 0.85, "w_high": 0.95}
    assert agreement_sentence(same, "methods") == (
        "Agreement of the 3 methods on the ranks of 14 drivers is strong: Kendall’s W = 0.90, 95 % "
        "interval 0.85 to 0.95, P = 0.410."
    )
    assert agreement_sentence({}, "strata") == ""
    assert [agreement_word(w, 4) for w in (0.25, 0.4, 0.6, 0.95)] == ["no", "weak", "moderate", "strong"]


def test_classical_errors_and_failed_strata_are_cautions(run: RunTables) -> None:
    fit = run.tables["fit"].assign(errors="classical")
    told = family_cautions(
        RunTables({**run.tables, "fit": fit}, run.meta), "nep-paths", "landuse", FAMILIES["landuse"]
    )
    assert CLASSICAL in told
    failed = pd.concat(
        [fit, pd.DataFrame([{"model": "nep-paths", "stratum": FAILED, "status": "failed", "message": "few"}])]
    )
    told = family_cautions(
        RunTables({**run.tables, "fit": failed}, run.meta), "nep-paths", "landuse", FAMILIES["landuse"]
    )
    assert told[-1] == "Not compared, because the model could not be fitted there: unused."


def test_two_runs_side_by_side_need_no_strata_of_this_run() -> None:
    run = small(stratum="balance=sink", stratum_a="north", stratum_b="south of the river")
    words = words_of(page_of(run))
    assert "balance=sink: north, south of the river" in words
    assert "TEM in north" in words


@pytest.mark.parametrize("strata", [2, 5, 8, 20])
@pytest.mark.parametrize("drivers", [3, 40])
def test_figures_stay_legible(strata: int, drivers: int) -> None:
    found = make_figures(compared_run(long_groups(drivers), many_strata(strata)))["", "strata-compared"]
    assert len(found) == 3 * -(-strata // 8)
    for drawn in found.values():
        assert_legible(drawn)


def test_a_figure_of_tiny_huge_and_missing_numbers() -> None:
    for scale in (1e-9, 1.0, 1e7):
        columns = {
            "use=a": {
                0: Dot(0.4 * scale, "0.40", "told", -9e3 * scale, 9e3 * scale),
                1: Dot(0.0, "0", "told"),
            },
            "use=b": {1: Dot(-0.2 * scale, "−0.20", "told", leads=True)},
        }
        drawn = strata_dots(
            columns, [("TEM", "climate"), ("PRE", "")], title="t", caption="std. effect",
            whiskers="95 % interval", colours={"climate": "#117733"},
        )  # fmt: skip
        assert_legible(drawn)
        assert "goes on" in drawn


def test_many_differences_are_cut_and_counted() -> None:
    words = words_of(page_of(compared_run(None, many_strata(12))))
    assert re.search(r"Differences that remain the 60 largest of \d{3}", words)


def test_hostile_names_are_escaped(run: RunTables) -> None:
    bad = "<script>alert('x')</script>"

    def spoil(value: object) -> object:
        return value.replace("TEM", bad).replace("sink", bad) if isinstance(value, str) else value

    tables = {name: frame.map(spoil) for name, frame in run.tables.items()}
    page = page_of(RunTables(tables, run.meta))
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert" in page
    for drawn in make_figures(RunTables(tables, run.meta))["", "strata-compared"].values():
        assert "<script" not in drawn


def test_level_names() -> None:
    assert level_of("balance=sink,landuse=forestland", "balance*landuse") == "sink, forestland"
    assert level_of("all", "all") == "all"
    assert level_of("north", "balance=sink") == "north"


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_terminal_shows_what_differs(run: RunTables, width: int) -> None:
    output = shown(terminal_table(run.tables["comparison"], "comparison"), width)
    assert max(map(len, output.splitlines())) <= width
    header = header_of(output)
    for name in ("driver", "stratum_a", "stratum_b", "difference", "p_adjusted"):
        assert name in header, name
    assert ("estimate_a" in header) == ("estimate_b" in header)
    assert "nep-paths on landuse: std_total_effect" in output
    assert "(climate)" in output  # the row of a group, which has no driver
    assert "landuse=cropland" not in output
    piped = shown(terminal_table(run.tables["comparison"], "comparison"), None)
    assert "landuse=cropland" in piped
    for name in ("comparison_omnibus", "rank_agreement"):
        assert "p_value" in header_of(shown(terminal_table(run.tables[name], name), width))


@needs_chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_in_a_browser(run: RunTables, tmp_path: Path, width: int) -> None:
    assert_sound_in_a_browser(run, tmp_path, width)
