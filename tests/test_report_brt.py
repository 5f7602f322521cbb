"""The section of boosted trees: what its figures and sentences say of fake tables; no fit is made."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_report_fake import fake_run
from test_report_geodetector import (
    GROUPS,
    add,
    assert_legible,
    fake_geodetector,
    long_groups,
    printed,
)
from test_report_page import page_of, words_of

from drivers.glossary import TABLES
from drivers.report import RunTables, read_report, write_report
from drivers.report.brt_figures import curve_panels, h_triangle, share_bars, strata_shares
from drivers.report.brt_wording import (
    ALE,
    ASSOCIATION,
    BLOCKS,
    GAIN,
    NO_BLOCKS,
    PARTIAL,
    SHAP,
    SHAPLEY,
    SPREAD,
    H,
    ShareRow,
    findings,
    headline,
    reading,
    share_rows,
    warnings,
)
from drivers.report.page import make_figures
from drivers.report.terminal import largest_shares

MODEL = "nep-trees"
STRATA = ("all", "balance=sink", "landuse=forestland", "landuse=unused")
FAILED = "landuse=unused"
LEVELS = ("brown soil", "chestnut soil", "aeolian sandy soil", "meadow soil", "dark brown forest soil")
DRIVERS, CURVES = "influence.svg", "curves.svg"


def fake_brt(groups: dict[str, dict[str, str]] | None = None, strata: tuple[str, ...] = STRATA) -> RunTables:
    """Boosted trees on some strata, one failed; the same on every call."""
    groups = GROUPS if groups is None else groups
    rng = np.random.default_rng(5)
    tables: dict[str, list[dict[str, object]]] = {}
    for stratum in strata:
        key = {"model": MODEL, "stratum": stratum}
        n = 40000 if stratum == "all" else int(rng.integers(900, 20000))
        cut = {"mean": 61.0, "sd": 55.1, "min": -137.8, "max": 462.0}
        cut |= {"selects_on_response": "balance" in stratum}
        add(tables, "strata", {"stratum": stratum, "n": n, "dropped": 3, "share": n / 40000, **cut})
        fit = {**key, "method": "brt", "n": n}
        if stratum == FAILED:
            add(tables, "fit", {**fit, "status": "failed", "message": "only 9 pixels: 100 are needed"})
            continue
        r2 = {"r2": 0.683, "r2_holdout": 0.671, "r2_random": 0.683, "r2_block": 0.412, "r2_gap": 0.271}
        add(tables, "fit", {**fit, **r2, "status": "ok", "n_trees": 2350, "applicable": 0.842})
        fill(tables, key, groups, rng, n)
    drivers = [
        {"name": d, "unit": u, "group": g, "categorical": d == "SOILTYPE"}
        for g, ds in groups.items()
        for d, u in ds.items()
    ]
    meta = {
        "study": "horqin-trees",
        "title": "What predicts NEP in a simulated Horqin Sandy Land",
        "response": {"name": "NEP", "unit": "g C m-2 yr-1"},
        "drivers": drivers,
        "groups": list(groups),
        "table": {"source": "simulate: horqin", "n": 40000, "coordinates": True},
        "models": [{"name": MODEL, "method": "brt", "title": "Trees", "options": {"family": "gaussian"}}],
        "seed": 1,
        "sha256": {},
        "versions": {"ecodrivers": "0.1.0"},
        "warnings": [],
    }  # fmt: skip
    return RunTables({name: pd.DataFrame(rows) for name, rows in tables.items()}, meta)


def fill(tables, key, groups, rng, n) -> None:  # type: ignore[no-untyped-def]
    """The tables of one fitted stratum."""
    drivers = [(d, g) for g, ds in groups.items() for d in ds]
    raw = rng.gamma(0.7, 1.0, len(drivers))
    for measure, unit in (("gain", 100.0), ("shap", 9.0), ("permutation", 0.8), ("shapley", 0.6)):
        share = raw / raw.sum()
        if measure != "shapley":
            rows = [({"driver": d, "group": g}, s) for (d, g), s in zip(drivers, share, strict=True)]
            ranked(tables, key, measure, rows, unit)
        raw = raw * rng.uniform(0.7, 1.3, len(raw))
        rows = [
            (
                {"driver": None, "group": g},
                sum(s for (_, h), s in zip(drivers, share, strict=True) if g == h),
            )
            for g in groups
        ]
        ranked(tables, key, measure, rows, unit)
    for scheme, folds in (("holdout", 0), ("random", 10), ("block", 10)):
        level = {"holdout": 0.671, "random": 0.683, "block": 0.412}[scheme]
        for fold in [*range(1, folds + 1), "all"]:
            r2 = level if fold == "all" else level + 0.1 * rng.normal()
            errors = {"r2": r2, "rmse": 55 * (1 - level) ** 0.5, "mae": 20.1, "deviance": 900.5}
            row = {"scheme": scheme, "fold": str(fold), "n_train": n * 9 // 10, "n_test": n // 10}
            add(tables, "cv", {**key, **row, **errors, "auc": np.nan})
    for complexity in (1, 3, 5):
        row = {"tree_complexity": complexity, "learning_rate": 0.01, "bag_fraction": 0.5, "n_trees": 2350}
        row |= {"rmse": 30.0 - complexity, "r2": 0.6 + complexity / 60, "chosen": complexity == 5}
        add(tables, "tuning", {**key, **row, "deviance": 900.0})
    for rank, ((a, _), (b, _)) in enumerate(combinations(drivers, 2)):
        h = float(rng.beta(1, 6))
        row = {"driver_a": a, "driver_b": b, "measure": "h_statistic", "value": h, "rank": rank + 1}
        add(tables, "tree_interactions", {**key, **row, "strength": 12 * h})
    share = {r["driver"]: r["share"] for r in tables["importance"] if r["measure"] == "gain"}
    for name, group in drivers:
        size, phase = 150 * share[name], rng.uniform(0, 3)
        for kind, base in (("partial", 61.0), ("accumulated", 0.0)):
            row = {**key, "driver": name, "group": group, "kind": kind}
            if name == "SOILTYPE":
                for k, level in enumerate(LEVELS):
                    add(tables, "curves", {**row, "level": level, "value": base + size * np.sin(k + phase)})
                continue
            top = 8.2e5 if name == "GDP" else 20.0
            for t in np.linspace(0, 1, 40):
                value = base + size * (np.tanh(6 * (t - 0.4)) if kind == "partial" else np.sin(3 * t + phase))
                add(tables, "curves", {**row, "x": top * t**2, "level": None, "value": value})


def ranked(tables, key, measure, rows, unit) -> None:  # type: ignore[no-untyped-def]
    for rank, (names, share) in enumerate(sorted(rows, key=lambda r: -r[1])):
        spread = 0.1 * unit * share if measure == "gain" else np.nan
        row = {"measure": measure, "value": unit * share, "share": share, "rank": rank + 1, "spread": spread}
        add(tables, "importance", {**key, **names, **row})


def only(run: RunTables, *names: str) -> RunTables:
    return RunTables({name: run.tables[name] for name in names}, run.meta)


def row_of(name: str, gain: float, **rest: object) -> ShareRow:
    return ShareRow(name, "g", {"gain": gain}, {"gain": gain}, **rest)  # type: ignore[arg-type]


# Figures

RUNS = {
    "14 drivers": lambda: fake_brt(),
    "3 drivers without groups": lambda: fake_brt({"": {"height": "m", "SOILTYPE": "", "pH": ""}}, ("all",)),
    "40 drivers, 12 strata": lambda: fake_brt(
        long_groups(40), ("all", *(f"landuse=class number {k},balance=sink" for k in range(11)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(RUNS))
def test_no_label_lies_on_another_or_outside(name: str) -> None:
    figures = make_figures(RUNS[name]())
    kinds = set()
    for (_, stratum), drawn in figures.items():
        if stratum in ("all", ""):
            kinds |= set(drawn)
            for figure in drawn.values():
                assert_legible(figure)
    assert {"influence.svg", "h-interactions.svg", "curves.svg"} <= kinds


def test_the_fake_tables_keep_the_contract() -> None:
    for name, frame in fake_brt().tables.items():
        assert set(frame.columns) <= set(TABLES[name]), name


def test_the_same_tables_give_the_same_bytes() -> None:
    assert make_figures(fake_brt()) == make_figures(fake_brt())
    assert page_of(fake_brt()) == page_of(fake_brt())


def test_bars_have_the_shares_of_the_table_with_whiskers_and_marks() -> None:
    rows = [
        ShareRow("TEM", "climate", {"gain": 0.4, "shap": 0.3}, spread=0.05),
        ShareRow("PRE", "climate", {"gain": 0.1}),
        ShareRow("PH", "soil"),
    ]
    colours = {"climate": "#117733", "soil": "#882255"}
    drawn = share_bars(rows, title="t", colours=colours)
    assert re.findall(r">([\d.]+\u202f%|–)</text>", drawn) == ["40.0\u202f%", "10.0\u202f%", "–"]
    widths = [float(w) for w in re.findall(r'width="([\d.]+)" height="12" fill="#117733"', drawn)]
    assert widths[0] == pytest.approx(4 * widths[1], rel=1e-3)
    assert drawn.count('Z"') == 1 + 1  # the legend's diamond and one mark
    assert "SHAP 0.3\nspread 0.05</title>" in drawn
    assert "spread over folds" in drawn
    bare = share_bars(rows[1:], title="t", colours=colours)
    assert "spread" not in bare
    assert "SHAP" not in bare
    assert_legible(drawn)


def test_the_spread_is_drawn_as_a_share() -> None:
    best = share_rows(fake_brt(), MODEL, "all")[0]
    assert best.spread == pytest.approx(0.1 * best.shares["gain"])


def test_curves_are_those_of_the_table_best_first() -> None:
    run = fake_brt()
    rows = share_rows(run, MODEL, "all")
    panels = curve_panels(run, MODEL, "all", rows, {})
    assert [p.title.split(" ")[0] for p in panels] == [r.name for r in rows]
    table = run.tables["curves"].query("stratum == 'all' and driver == 'TEM'")
    panel = next(p for p in panels if p.title == "TEM (°C)")
    partial = table.query("kind == 'partial'")["value"].to_numpy()
    assert [v for _, v in panel.partial] == pytest.approx(list(partial - partial.mean()))
    assert [v for _, v in panel.accumulated] == list(table.query("kind == 'accumulated'")["value"])
    soil = next(p for p in panels if p.title == "SOILTYPE")
    assert {level[0] for level in soil.levels} == set(LEVELS)
    drawn = make_figures(run)[MODEL, "all"]
    both = drawn["curves.svg"] + drawn["curves-2.svg"]
    assert both.count('stroke-dasharray="5 3"') == 13 + 2  # a curve per driver, a key per figure
    assert all(level in drawn["curve-levels.svg"] for level in LEVELS)


def test_the_triangle_has_every_h_once() -> None:
    pairs = [
        {"driver_a": a, "driver_b": b, "value": 0.23, "strength": 3.0} for a, b in combinations("abcd", 2)
    ]
    names = [(name, "g") for name in "abcd"]
    drawn = h_triangle(names, pairs[:-1], title="t", colours={"g": "#117733"})
    assert drawn.count(">0.23</text>") == 5
    assert drawn.count(">–</text>") == 1
    assert "a × b\nH 0.23\nstrength 3.0" in drawn
    assert_legible(drawn)


@pytest.mark.parametrize("count", [2, 5, 12])
def test_strata_stand_side_by_side(count: int) -> None:
    rows = [row_of("TEM", 0.7), row_of("PRE", 0.3), ShareRow("PET", "g")]
    columns = {f"landuse=class {k}": rows for k in range(count)}
    drawn = strata_shares(columns, rows, title="t", colours={"g": "#117733"})
    assert drawn.count(">class ") == count
    assert drawn.count(">–</text>") == count
    assert_legible(drawn)


# Words


def test_the_three_r2_in_one_line() -> None:
    fit = {"r2_holdout": 0.671, "r2_random": 0.683, "r2_block": 0.412}
    assert headline(fit) == "R² of held-out pixels: holdout 0.67, random folds 0.68, block folds 0.41."
    fit["r2_block"] = np.nan
    assert headline(fit) == "R² of held-out pixels: holdout 0.67, random folds 0.68."
    assert headline({}) == "No R² of held-out pixels is known."


def test_what_a_reader_must_know_first() -> None:
    assert warnings({"r2_gap": 0.271, "r2_block": -0.02, "applicable": 0.842}) == [
        "Random folds flatter by 0.27: neighbouring pixels are alike, and a tested pixel has near-copies "
        "among those that were learnt. Judge the trees by their block folds.",
        "For other spatial blocks the trees predict no better than the mean: their shares and curves "
        "describe these pixels and do not carry over.",
        "Only 84.2\u202f% of the pixels lie inside the area of applicability: the others are unlike what the "
        "trees have seen, and R² says nothing of them.",
    ]
    assert warnings({"r2_gap": 0.05, "r2_block": 0.4, "applicable": 0.9}) == []
    assert warnings({"r2_gap": np.nan, "applicable": None}) == []


def test_what_was_found() -> None:
    rows = [
        ShareRow("TEM", "", {"gain": 0.4, "shap": 0.3, "permutation": 0.5}),
        ShareRow("PRE", "", {"gain": 0.35, "shap": 0.4, "permutation": 0.4}),
        ShareRow("PET", "", {"gain": 0.25, "shap": 0.3, "permutation": 0.1}),
    ]
    pairs = [
        {"driver_a": "TEM", "driver_b": "PRE", "value": 0.31, "strength": 2.0},
        {"driver_a": "PRE", "driver_b": "PET", "value": 0.7, "strength": 0.1},
        {"value": np.nan},
    ]
    assert findings(rows, pairs) == [
        "TEM leads with 40.0\u202f% of relative influence, and by permutation too; by SHAP it is PRE. The "
        "first 2 of 3 drivers hold 75.0\u202f%.",
        "The strongest interaction is that of TEM with PRE: H = 0.31.",
    ]
    assert findings([row_of("TEM", 0.6), row_of("PRE", 0.4)], []) == [
        "TEM leads with 60.0\u202f% of relative influence."
    ]
    assert findings([], []) == ["No importance is in the tables."]


def test_how_to_read_says_what_is_there_and_no_more() -> None:
    rows = [ShareRow("TEM", "", {"gain": 0.4, "shap": 0.3}, spread=0.1)]
    groups = [ShareRow("climate", "climate", {"shapley": 1.0})]
    kinds = {"partial", "accumulated"}
    assert reading(rows, groups, {"r2_block": 0.4}, kinds, pairs=True) == [
        BLOCKS, GAIN, SPREAD, SHAP, SHAPLEY, PARTIAL, ALE, H, ASSOCIATION,
    ]  # fmt: skip
    assert reading([row_of("a", 1.0)], [], {}, set(), pairs=False) == [NO_BLOCKS, GAIN, ASSOCIATION]


# The page


def test_the_page_of_trees_alone() -> None:
    run = fake_brt()
    page = page_of(run)
    words = words_of(page)
    for said in (
        "1 of 4 fits failed.",
        "Only 9 pixels: 100 are needed.",
        "R² of held-out pixels: holdout 0.67, random folds 0.68, block folds 0.41.",
        "Random folds flatter by 0.27: neighbouring pixels are alike",
        "Only 84.2 % of the pixels lie inside the area of applicability",
        "R² shrinks by construction, and a smaller R² there is no evidence of a weaker driver",
        "it must not be read against the R² of strata cut by other variables",
        "Every fold 20",
        "Settings that competed 3",
        "the 15 strongest of 91 pairs",
        "R², block folds",
        "random less block",
    ):
        assert said in words, said
    for alien in ("Fisher", "partial r ", "slopes", "p-value", "coefficient", "independent ones"):
        assert alien not in words, alien
    assert "<strong>R² of held-out pixels" in page
    assert not re.search(r"\b(nan|NaN|None|<NA>|NaT|inf)\b", words)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    figures = make_figures(run)
    assert set(figures[MODEL, "all"]) == {
        "influence.svg", "influence-groups.svg", "curves.svg", "curves-2.svg", "curve-levels.svg",
        "h-interactions.svg",
    }  # fmt: skip
    assert set(figures[MODEL, ""]) == {"influence-strata.svg"}
    assert figures[MODEL, FAILED] == {}
    assert all(svg in page for drawn in figures.values() for svg in drawn.values())


def test_the_side_by_side_table_has_shares_and_ranks() -> None:
    run = fake_brt()
    page = page_of(run)
    part = page[page.index(f'id="{MODEL}--overview"') : page.index('<section class="stratum"')]
    best = share_rows(run, MODEL, "all")[0]
    assert f'>{100 * best.shares["gain"]:.1f}\u202f%<small class="rank">1</small>' in part
    assert part.count(">–</td>") == 14 + 4  # the failed stratum: drivers and the lines of R²


def test_three_methods_on_one_page() -> None:
    psem, q, trees = fake_run(), fake_geodetector(), fake_brt()
    tables = {**psem.tables, **{k: v for k, v in q.tables.items() if k not in ("strata", "fit")}}
    tables |= {k: v for k, v in trees.tables.items() if k not in ("strata", "fit", "importance")}
    for name in ("fit", "importance"):
        parts = [run.tables[name] for run in (psem, q, trees) if name in run.tables]
        tables[name] = pd.concat(parts, ignore_index=True)
    models = [model for run in (psem, q, trees) for model in run.meta["models"]]
    both = RunTables(tables, {**psem.meta, "models": models})
    words = words_of(page_of(both))
    assert "slopes, R² and q shrink by construction" in words
    for said in ("Fisher’s C", "has the largest q", "R² of held-out pixels"):
        assert said in words
    output = printed(both)
    for name in ("fishers_c_p", "p_max", "r2_block", "relative influence"):
        assert name in output
    part = words[words.rindex("Strata side by side") :]
    for alien in ("slopes", "p-value", "p max"):
        assert alien not in part
    assert make_figures(both)[MODEL, "all"].keys() == make_figures(trees)[MODEL, "all"].keys()


@pytest.mark.parametrize("gone", ["importance", "cv", "tuning", "tree_interactions", "curves", "strata"])
def test_a_table_that_is_missing(gone: str) -> None:
    run = fake_brt()
    words = words_of(page_of(only(run, *(name for name in run.tables if name != gone))))
    assert "block folds 0.41" in words
    assert ("No importance is in the tables." in words) == (gone == "importance")
    assert ("How well the trees predict" in words) == (gone != "cv")
    assert ("Settings that competed" in words) == (gone != "tuning")
    assert ("Friedman" in words) == (gone != "tree_interactions")
    assert ("Accumulated local effects" in words) == (gone != "curves")


def test_without_shap_coordinates_and_everything_else() -> None:
    run = fake_brt(strata=("all",))
    tables = dict(run.tables)
    tables["importance"] = tables["importance"].query("measure == 'gain'").assign(spread=np.nan)
    tables["cv"] = tables["cv"].query("scheme != 'block'")
    tables["fit"] = tables["fit"].assign(r2_block=np.nan, r2_gap=np.nan, applicable=np.nan)
    words = words_of(page_of(RunTables(tables, run.meta)))
    for said in ("holdout 0.67, random folds 0.68.", "There are no block folds", "Every fold 10"):
        assert said in words
    for alien in ("SHAP", "flatter", "applicability", "whisker", "Shapley"):
        assert alien not in words, alien
    fit = run.tables["fit"].drop(columns=["r2_block", "r2_gap", "applicable", "n_trees"])
    bare = RunTables({"fit": fit}, run.meta)
    assert "No importance is in the tables." in words_of(page_of(bare))
    assert make_figures(bare)[MODEL, "all"] == {}
    assert largest_shares(bare) is None


def test_hostile_names_are_escaped() -> None:
    run, bad = fake_brt(strata=("all",)), "<script>alert('x')</script>"
    tables = {name: frame.replace({"TEM": bad, "brown soil": bad}) for name, frame in run.tables.items()}
    page = page_of(RunTables(tables, run.meta))
    assert page.count("<script>") == 1  # our own, at the end
    assert "&lt;script&gt;alert" in page


def test_a_report_survives_the_disk(tmp_path: Path) -> None:
    run = fake_brt()
    write_report(run, tmp_path / "r")
    assert page_of(read_report(tmp_path / "r")) == page_of(run)
    assert (tmp_path / "r/figures" / f"{MODEL}--influence-strata.svg").exists()


@pytest.mark.parametrize("width", [80, 120, None])
def test_the_terminal_shows_the_first_drivers_and_the_three_r2(width: int | None) -> None:
    run = fake_brt()
    output = printed(run, width)
    for said in ("r2_holdout", "r2_random", "r2_block", "0.412", "share", "relative influence"):
        assert said in output
    for alien in ("fishers_c", "verdict", "aicc"):
        assert alien not in output
    assert "failed: nep-trees on landuse=unused" in output
    found = largest_shares(run)
    assert found is not None
    assert list(found["rank"]) == [1, 2, 3, 4, 5] * 3
    assert found["driver"][0] == share_rows(run, MODEL, "all")[0].name
