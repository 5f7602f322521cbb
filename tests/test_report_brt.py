"""The section of boosted trees: what its figures and sentences say of fake tables; no fit is made."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_report_fake import (
    DRIVER_GROUPS,
    LEVELS,
    add,
    add_stratum,
    assert_legible,
    fake_run,
    finished,
    long_groups,
    printed,
)
from test_report_geodetector import fake_geodetector
from test_report_page import assert_sound_in_a_browser, needs_chromium, page_of, words_of

from drivers.glossary import TABLES
from drivers.report import RunTables, read_report, write_report
from drivers.report.beeswarm import ONE_GREY, Swarm, beeswarm
from drivers.report.brt_figures import curve_panels, h_triangle, strata_shares, swarm_rows
from drivers.report.brt_rows import (
    PairRow,
    Settings,
    ShareRow,
    Simplified,
    pair_rows,
    settings,
    share_rows,
    simplified,
)
from drivers.report.brt_wording import (
    ALE,
    ASSOCIATION,
    BLOCKS,
    GAIN,
    KNNDM,
    NO_BLOCKS,
    PARTIAL,
    SHAP,
    SHAP_PAIRS,
    SHAPLEY,
    SPREAD,
    H,
    competition,
    findings,
    headline,
    reading,
    sample_of_shap,
    side_of_blocks,
    simplification,
    swarm_caption,
    warnings,
)
from drivers.report.page import make_figures
from drivers.report.share_bars import share_bars
from drivers.report.terminal import largest_shares

MODEL = "nep-trees"
STRATA = ("all", "balance=sink", "landuse=forestland", "landuse=unused")
FAILED = "landuse=unused"
DRIVERS, CURVES = "influence.svg", "curves.svg"


def fake_brt(
    groups: dict[str, dict[str, str]] | None = None,
    strata: tuple[str, ...] = STRATA,
    *,
    options: bool = False,
) -> RunTables:
    """Boosted trees on some strata, one failed; with `options` all that a model file can ask for."""
    groups = DRIVER_GROUPS if groups is None else groups
    rng = np.random.default_rng(5)
    tables: dict[str, list[dict[str, object]]] = {}
    for stratum in strata:
        key = {"model": MODEL, "stratum": stratum}
        n = 40000 if stratum == "all" else int(rng.integers(900, 20000))
        add_stratum(tables, stratum, n)
        fit = {**key, "method": "brt", "n": n}
        if stratum == FAILED:
            add(tables, "fit", {**fit, "status": "failed", "message": "only 9 pixels: 100 are needed"})
            continue
        r2 = {"r2": 0.683, "r2_holdout": 0.671, "r2_random": 0.683, "r2_block": 0.412, "r2_gap": 0.271}
        add(tables, "fit", {**fit, **r2, "status": "ok", "n_trees": 2350, "applicable": 0.842})
        fill(tables, key, groups, rng, n)
        if options:
            tables["fit"][-1] |= {"r2_knndm": 0.535, "block_side": 12345.6}
            fill_options(tables, key, groups, n)
    model = {"name": MODEL, "method": "brt", "title": "Trees", "options": {"family": "gaussian"}}
    return finished(tables, groups, model, "What predicts NEP in a simulated Horqin Sandy Land")


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


def fill_options(tables, key, groups, n) -> None:  # type: ignore[no-untyped-def]
    """What a stratum has besides when all options are on, some of it in rows that are there already."""
    rng = np.random.default_rng(9)
    drivers = [(d, g) for g, ds in groups.items() for d in ds]
    shap = [r for r in tables["importance"] if r["stratum"] == key["stratum"] and r["measure"] == "shap"]
    for row in shap:
        row |= {"std_error": rng.uniform(0.01, 0.03) * float(row["value"]), "n": 2000}
    for fold in [*range(1, 11), "all"]:
        row = {"scheme": "knndm", "fold": str(fold), "n_train": n * 9 // 10, "n_test": n // 10}
        add(tables, "cv", {**key, **row, "r2": 0.535, "rmse": 37.5, "mae": 21.9, "deviance": 1406.2})
    tables["tuning"] = [r for r in tables["tuning"] if r["stratum"] != key["stratum"]]
    tried = 880 + rng.gamma(2, 20, 40)
    for k, deviance in enumerate(tried):
        row = {"tree_complexity": 1 + k % 9, "learning_rate": 0.01 + k / 1000, "bag_fraction": 0.5}
        row |= {"n_trees": 900 + 31 * k, "rmse": deviance**0.5, "r2": 1 - deviance / 3000}
        row |= {"chosen": deviance == tried.min(), "folds": 10 if k % 5 == 0 or deviance < 890 else 3}
        add(tables, "tuning", {**key, **row, "deviance": deviance})
    gone = ["", "ASPECT", "CLAY", "SAND", "ROADS", "PET"]
    for step, name in enumerate(gone):
        row = {"step": step, "driver": name or None, "group": "soil" if name else None, "r2": 0.683}
        row |= {"n_drivers": len(drivers) + 4 - step, "deviance_se": 4.2, "chosen": step == 4}
        change = 0.25 * step**2
        add(tables, "simplify", {**key, **row, "deviance": 886.0 + change, "delta_deviance": change})
    pairs = sorted(combinations(drivers, 2), key=lambda _: rng.random())
    for rank, ((a, _), (b, _)) in enumerate(pairs):
        value = 3.1 * 0.95**rank
        row = {"driver_a": a, "driver_b": b, "measure": "shap", "value": value, "rank": rank + 1}
        add(tables, "tree_interactions", {**key, **row, "std_error": 0.06 * value, "n": 500})
    size = {r["driver"]: float(r["value"]) for r in shap if r["driver"]}
    for name, group in drivers:
        at = rng.normal(size=400)
        shape = np.tanh(2 * at) if len(name) % 2 else at * np.abs(at) / 2
        value = size[name] * 1.3 * (shape - shape.mean()) + 0.25 * size[name] * rng.normal(size=400)
        for k in range(400):
            row = {**key, "pixel": 97 * k, "driver": name, "group": group, "value": value[k]}
            level = LEVELS[min(int(abs(at[k]) * 2), 4)] if name == "SOILTYPE" else None
            missing = name == "HFP" and k % 9 == 0
            x = np.nan if level or missing else 8.0 + 3 * at[k]
            add(tables, "shap_values", {**row, "x": x, "level": level})


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
    "all options": lambda: fake_brt(options=True),
    "40 drivers, all options": lambda: fake_brt(long_groups(40), ("all",), options=True),
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
    for name, frame in fake_brt(options=True).tables.items():
        assert set(frame.columns) <= set(TABLES[name]), name


def test_the_same_tables_give_the_same_bytes() -> None:
    one, other = fake_brt(options=True), fake_brt(options=True)
    assert make_figures(one) == make_figures(other)
    assert page_of(one) == page_of(other)


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
    pairs = [PairRow(a, b, 0.23, 3.0, 0.5) for a, b in combinations("abcd", 2)]
    names = [(name, "g") for name in "abcd"]
    drawn = h_triangle(names, pairs[:-1], title="t", colours={"g": "#117733"})
    assert drawn.count(">0.23</text>") == 5
    assert drawn.count(">–</text>") == 1
    assert "a × b\nH 0.23\nstrength 3.0\nSHAP 0.5</title>" in drawn
    assert "diagonal" not in drawn
    assert drawn.count("<rect") == 1 + 20 + 1 + 4 + 6  # paper, ramp, the group's key, names, cells
    assert_legible(drawn)
    assert_legible(h_triangle(names[:2], pairs[:1], title="t", colours={}))


def test_a_swarm_has_a_dot_for_every_pixel_that_fits() -> None:
    run = fake_brt(strata=("all",), options=True)
    swarms = swarm_rows(run, MODEL, "all", share_rows(run, MODEL, "all"))
    importance = run.tables["importance"].query("measure == 'shap' and driver.notna()")
    assert [s.name for s in swarms] == list(importance.sort_values("value", ascending=False)["driver"])
    assert [len(s.dots) for s in swarms] == [300] * 14
    drawn = make_figures(run)[MODEL, "all"]["shap.svg"]
    assert drawn.count("h.1") == 14 * 300 + 1 + 5  # keys: no value, and five levels
    assert all(re.fullmatch(r"-?\d+(\.\d)?", at) for at in re.findall(r"M(\S+) \S+?h\.1", drawn))
    assert all(level in drawn for level in LEVELS)
    assert ">no value</text>" in drawn
    assert ">SHAP value: what the driver adds to a prediction (g C m⁻² yr⁻¹)</text>" in drawn
    assert len(drawn) < 120_000
    crowd = run.tables["shap_values"].query("pixel == 97")
    few = RunTables({**run.tables, "shap_values": crowd}, run.meta)
    alone = make_figures(few)[MODEL, "all"]["shap.svg"]
    assert alone.count("h.1") == 14 + 1  # one level is left
    assert_legible(alone)


def test_dots_are_coloured_by_rank_and_level() -> None:
    levels = Swarm("soil", 2.0, ((1.0, "loam"), (2.0, "clay"), (-1.0, "loam")))
    numbers = Swarm("TEM", 1.0, ((-1.0, 0.0), (0.5, None), (1.0, 1.0)))
    drawn = beeswarm([levels, numbers], title="t", caption="c")
    for colour, many in (("#4477aa", 2), ("#ee6677", 1), ("#12348a", 1), ("#f08536", 1), ("#c3c9ce", 1)):
        paths = re.findall(rf'd="(\S[^"]*)" stroke="{colour}" stroke-width="3.2"', drawn)
        assert sum(path.count("h.1") for path in paths) == many, colour
    assert "soil\nmean |SHAP| 2.0\n3 pixels, from −1.00 to 2.00</title>" in drawn
    assert_legible(drawn)
    many = Swarm("soil", 2.0, tuple((float(k), f"level {k}") for k in range(9)))
    crowded = beeswarm([many], title="t", caption="c")
    assert ">9 levels, in one grey</text>" in crowded
    assert ONE_GREY in crowded
    assert "by rank" not in crowded
    assert_legible(crowded)


@pytest.mark.parametrize("values", [[0.0], [1e-9, -1e-9], [-3e8, 7e8], [2.0] * 5000])
def test_a_swarm_of_any_values_draws(values: list[float]) -> None:
    assert_legible(beeswarm([Swarm("a", 1.0, tuple((v, 0.5) for v in values))], title="t", caption="c"))


def test_without_shap_in_the_importance_the_values_order_the_swarm() -> None:
    run = fake_brt(strata=("all",), options=True)
    swarms = swarm_rows(run, MODEL, "all", [])
    values = run.tables["shap_values"]
    means = values["value"].abs().groupby(values["driver"]).mean().sort_values(ascending=False)
    assert [s.name for s in swarms] == list(means.index)
    assert [s.size for s in swarms] == pytest.approx(list(means))


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
    fit["r2_knndm"] = 0.535
    assert headline(fit) == (
        "R² of held-out pixels: holdout 0.67, random folds 0.68, block folds 0.41, kNNDM folds 0.54."
    )
    fit["r2_block"] = fit["r2_knndm"] = np.nan
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
    pairs = [PairRow("TEM", "PRE", 0.31, 2.0), PairRow("PRE", "PET", 0.7, 0.1)]
    assert findings(rows, pairs) == [
        "TEM leads with 40.0\u202f% of relative influence, and by permutation too; by SHAP it is PRE. The "
        "first 2 of 3 drivers hold 75.0\u202f%.",
        "The strongest interaction is that of TEM with PRE: H = 0.31.",
    ]
    assert findings([row_of("TEM", 0.6), row_of("PRE", 0.4)], []) == [
        "TEM leads with 60.0\u202f% of relative influence."
    ]
    assert findings([], []) == ["No importance is in the tables."]


NAMES = (("TEM", "PRE"), ("PRE", "PET"))


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([(0.31, 2.0, 1.5, 0.1), (0.7, 0.1, 0.2, 0.1)], "that of TEM with PRE: H = 0.31, and by SHAP too."),
        ([(0.31, 2.0, 1.5, 0.1), (0.7, 0.1, 1.7, 0.1)], "that of TEM with PRE: H = 0.31."),
        (
            [(0.31, 2.0, 1.5, 0.1), (0.7, 0.1, 2.5, 0.1)],
            "that of TEM with PRE: H = 0.31; by SHAP it is that of PRE with PET.",
        ),
        (
            [(None, None, 1.5, 0.1), (None, None, 0.2, None)],
            "that of TEM with PRE: mean |SHAP interaction| 1.50 ± 0.10.",
        ),
    ],
)
def test_shap_names_a_pair_only_where_it_helps(pairs: list[tuple[float, ...]], said: str) -> None:
    rows = [PairRow(*names, *numbers) for names, numbers in zip(NAMES, pairs, strict=True)]  # type: ignore[arg-type]
    assert findings([row_of("TEM", 1.0)], rows) == [f"The strongest interaction is {said}"]


def test_pairs_of_two_measures_are_one_row_each() -> None:
    rows = [
        {"driver_a": "a", "driver_b": "b", "measure": "h_statistic", "value": 0.9, "strength": 0.1},
        {"driver_a": "a", "driver_b": "c", "measure": "h_statistic", "value": 0.1, "strength": 5.0},
        {"driver_a": "c", "driver_b": "a", "measure": "shap", "value": 2.0, "std_error": 0.2, "n": 500},
        {"driver_a": "b", "driver_b": "c", "measure": "shap", "value": 1.0},
        {"driver_a": "c", "driver_b": "d", "measure": "shap", "value": np.nan},
    ]
    frame = pd.DataFrame(rows).assign(model="m", stratum="all")
    assert pair_rows(RunTables({"tree_interactions": frame}), "m", "all") == [
        PairRow("a", "c", 0.1, 5.0, 2.0, 0.2, 500.0),
        PairRow("a", "b", 0.9, 0.1),
        PairRow("b", "c", None, None, 1.0),
    ]
    old = frame[:2].drop(columns=["measure"])
    assert [p.h for p in pair_rows(RunTables({"tree_interactions": old}), "m", "all")] == [0.1, 0.9]


HOLDOUT = {"r2_holdout": 0.67}


@pytest.mark.parametrize(
    ("dropped", "fit", "said"),
    [
        ((), HOLDOUT, ["None of 13 drivers could be dropped."]),
        (
            ("TP",),
            HOLDOUT,
            [
                "1 of 13 drivers was dropped, the deviance staying within a "
                "standard error of the least: TP. The training folds chose it; the holdout had "
                "no part in it."
            ],
        ),
        (
            ("TP", "TK"),
            {},
            [
                "2 of 13 drivers were dropped, the deviance staying within a "
                "standard error of the least: TP and TK. The folds chose them, and without a "
                "holdout no R² here is free of that choice."
            ],
        ),
        (
            tuple("abcdefgh"),
            HOLDOUT,
            [
                "8 of 13 drivers were dropped, the deviance staying within a "
                "standard error of the least: a, b, c, d, e, f and 2 others. The training "
                "folds chose them; the holdout had no part in it."
            ],
        ),
    ],
)
def test_what_was_dropped(dropped: tuple[str, ...], fit: dict[str, float], said: list[str]) -> None:
    assert simplification(Simplified((), dropped, 13), fit) == said
    assert simplification(None, fit) == []


def test_the_dropped_drivers_are_those_up_to_the_chosen_step() -> None:
    found = simplified(fake_brt(options=True), MODEL, "all")
    assert found is not None
    assert (found.dropped, found.total) == (("ASPECT", "CLAY", "SAND", "ROADS"), 18)
    assert [row["step"] for row in found.steps] == [0, 1, 2, 3, 4, 5]
    assert simplified(fake_brt(), MODEL, "all") is None


def setting(deviance: float, folds: int = 10, *, chosen: bool = False) -> dict[str, object]:
    return {"deviance": deviance, "folds": folds, "chosen": chosen}


def test_the_best_settings_are_listed_and_the_chosen_one() -> None:
    rows = [setting(float(20 - k), 3 if k % 2 else 10) for k in range(20)]
    found = settings(rows, 12)
    assert [row["deviance"] for row in found.listed] == [*range(2, 21, 2), 1, 3]
    assert (found.tried, found.given_up) == (20, 10)
    assert competition(found, 12) == (
        "20 settings were tried; listed are the 12 with the least deviance. 10 of 20 were given up early: "
        "the first folds had shown that others are better."
    )
    rows[0]["chosen"] = True
    worst = [*rows[::2], *(setting(0.5) for _ in range(12))]
    assert [row["is_chosen"] for row in settings(worst, 12).listed] == [False] * 12 + [True]
    assert competition(settings(worst, 12), 12) == (
        "22 settings were tried; listed are the 12 with the least deviance and the chosen one."
    )
    few = settings(rows[:3], 12)
    assert [row["deviance"] for row in few.listed] == [20, 19, 18]
    assert competition(few, 12) == (
        "1 of 3 was given up early: the first folds had shown that others are better."
    )
    assert competition(settings([{"rmse": 1.0}, {"rmse": 2.0}], 12), 12) == ""
    assert settings([], 12) == Settings((), 0, 0)
    old = settings([{"rmse": float(k)} for k in range(14, 0, -1)], 12)
    assert [row["rmse"] for row in old.listed] == list(range(1, 13))
    assert competition(old, 12) == "14 settings were tried; listed are the 12 with the least error."


def test_the_sample_behind_shap() -> None:
    def some(name: str, value: float, error: float) -> ShareRow:
        return ShareRow(name, "", {"shap": 0.5}, {"shap": value}, None, None, {"shap": error}, {"shap": 2000})

    rows = [some("TEM", 10.0, 0.16), some("PRE", 1.0, 0.08), ShareRow("PET")]
    assert sample_of_shap(rows) == (
        "SHAP is on 2\u202f000 pixels, with a standard error of 1.6\u202f% of the value for TEM and at most "
        "8.0\u202f% for any driver."
    )
    assert sample_of_shap(rows[:1]) == (
        "SHAP is on 2\u202f000 pixels, with a standard error of at most 1.6\u202f% of the value."
    )
    assert sample_of_shap([some("TEM", 0.0, np.nan)]) == "SHAP is on 2\u202f000 pixels."
    assert sample_of_shap([row_of("TEM", 0.5)]) == ""


def test_the_side_of_the_blocks_has_the_unit_that_is_known() -> None:
    assert side_of_blocks(12.34, geographic=True) == "12.3 km"
    assert side_of_blocks(12345.6, geographic=False) == "12\u202f346 units of the coordinates"
    assert side_of_blocks(np.nan, geographic=True) == ""


def test_what_the_beeswarm_leaves_out() -> None:
    said = (
        "Every dot is one of {} sampled pixels: right of 0 the driver raises its prediction, left of 0 it "
        "lowers it."
    )
    assert swarm_caption(250, 300, 14, 15) == said.format("250")
    assert swarm_caption(400, 300, 40, 15) == (
        said.format("300 of 400") + " Shown are the 15 drivers with the largest mean |SHAP| of 40."
    )


def test_how_to_read_says_what_is_there_and_no_more() -> None:
    rows = [ShareRow("TEM", "", {"gain": 0.4, "shap": 0.3}, spread=0.1)]
    groups = [ShareRow("climate", "climate", {"shapley": 1.0})]
    kinds = {"partial", "accumulated"}
    fit, pairs = {"r2_block": 0.4, "r2_knndm": 0.5}, [PairRow("a", "b", 0.3, 1.0, 0.5, 0.1, 500)]
    assert reading(rows, groups, fit, kinds, pairs) == [
        BLOCKS, KNNDM, GAIN, SPREAD, SHAP, SHAPLEY, PARTIAL, ALE, H, SHAP_PAIRS + "; here on 500 pixels.",
        ASSOCIATION,
    ]  # fmt: skip
    assert reading([row_of("a", 1.0)], [], {}, set()) == [NO_BLOCKS, GAIN, ASSOCIATION]
    only_shap = reading([], [], {}, set(), [PairRow("a", "b", shap=0.5)])
    assert only_shap == [NO_BLOCKS, SHAP_PAIRS + ".", ASSOCIATION]


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


def test_the_page_of_trees_with_all_options() -> None:
    run = fake_brt(options=True)
    page = page_of(run)
    words = words_of(page)
    for said in (
        "block folds 0.41, kNNDM folds 0.54.",
        "4 of 18 drivers were dropped, the deviance staying within a "
        "standard error of the least: ASPECT, CLAY, SAND and ROADS. The training folds chose "
        "them; the holdout had no part in it.",
        "side of the spatial blocks12 346 units of the coordinates",
        "Drivers that were dropped 4 of 18",
        "Every dot is one of 300 of 2 000 sampled pixels: right of 0",
        "SHAP is on 2 000 pixels, with a standard error of",
        KNNDM,
        SHAP_PAIRS + "; here on 500 pixels.",
        "Settings that competed 40",
        "40 settings were tried; listed are the 12 with the least deviance.",
        "R², kNNDM folds",
        "Every fold 30",
        "the 15 strongest of 91 pairs",
    ):
        assert said in words, said
    part = page[page.index("Settings that competed") :]
    rows = part[part.index("<tbody>") : part.index("</tbody>")]
    assert rows.count("<tr>") == 12
    assert rows.count("<b>chosen</b>") == 1
    assert not re.search(r"\b(nan|NaN|None|<NA>|NaT|inf)\b", words)
    assert "shap.svg" in make_figures(run)[MODEL, "all"]
    assert page.count("<small>± 0.") == 3 * 15
    lonlat = RunTables(run.tables, {**run.meta, "table": {**run.meta["table"], "geographic": True}})
    assert "side of the spatial blocks12 346 km" in words_of(page_of(lonlat))


@pytest.mark.parametrize(
    "name", ["shap_values", "simplify", "tuning", "tree_interactions", "importance", "cv"]
)
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_options_that_are_off(name: str, how: str) -> None:
    run = fake_brt(strata=("all",), options=True)
    tables = dict(run.tables)
    tables[name] = tables[name].iloc[:0]
    if how == "absent":
        del tables[name]
    words = words_of(page_of(RunTables(tables, run.meta)))
    assert not re.search(r"\b(nan|NaN|None|<NA>|NaT|inf)\b", words)
    assert ("Every dot is one" in words) == (name != "shap_values")
    assert ("drivers were dropped, the" in words) == (name != "simplify")
    assert ("settings were tried" in words) == (name != "tuning")
    assert ("SHAP interaction" in words) == (name != "tree_interactions")


def test_what_was_dropped_is_said_once() -> None:
    run = fake_brt(strata=("all",), options=True)
    told = "`GDP`: 32 pixels have no value; dropped: `CLAY`; kNNDM folds are random: why"
    run.tables["fit"]["message"] = told
    words = words_of(page_of(run))
    assert "GDP: 32 pixels have no value. kNNDM folds are random: why." in words
    assert words.count("ropped, the deviance") == 1
    older = RunTables({name: t for name, t in run.tables.items() if name != "simplify"}, run.meta)
    assert "Dropped: CLAY." in words_of(page_of(older))


def test_shap_pairs_without_h() -> None:
    run = fake_brt(strata=("all",), options=True)
    pairs = run.tables["tree_interactions"].query("measure == 'shap'").drop(columns=["strength"])
    run = RunTables({**run.tables, "tree_interactions": pairs}, run.meta)
    page = page_of(run)
    assert "h-interactions.svg" not in make_figures(run)[MODEL, "all"]
    part = page[page.index("<h4>Interactions</h4>") :]
    assert '<th scope="col" class="n">SHAP</th>' in part
    assert '<th scope="col" class="n">H</th>' not in part
    assert "Friedman" not in words_of(page)


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
    run, bad = fake_brt(strata=("all",), options=True), "<script>alert('x')</script>"
    tables = {name: frame.replace({"TEM": bad, "brown soil": bad}) for name, frame in run.tables.items()}
    page = page_of(RunTables(tables, run.meta))
    assert page.count("<script>") == 1  # our own, at the end
    assert "&lt;script&gt;alert" in page
    drawn = make_figures(RunTables(tables, run.meta))[MODEL, "all"]
    assert all("<script>" not in figure for figure in drawn.values())
    assert_legible(drawn["shap.svg"])


def test_a_report_survives_the_disk(tmp_path: Path) -> None:
    run = fake_brt(options=True)
    write_report(run, tmp_path / "r")
    assert page_of(read_report(tmp_path / "r")) == page_of(run)
    assert (tmp_path / "r/figures" / f"{MODEL}--influence-strata.svg").exists()


@needs_chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_in_a_browser(tmp_path: Path, width: int) -> None:
    assert_sound_in_a_browser(fake_brt(strata=STRATA[:2], options=True), tmp_path, width)


@pytest.mark.parametrize("width", [80, 120, None])
def test_the_terminal_shows_the_first_drivers_and_the_three_r2(width: int | None) -> None:
    run = fake_brt()
    output = printed(run, width)
    for said in ("r2_holdout", "r2_random", "r2_block", "0.412", "share", "relative influence"):
        assert said in output
    assert "r2_knndm" not in output
    assert "r2_knndm" in printed(fake_brt(options=True), width)
    for alien in ("fishers_c", "verdict", "aicc"):
        assert alien not in output
    assert "failed: nep-trees on landuse=unused" in output
    found = largest_shares(run)
    assert found is not None
    assert list(found["rank"]) == [1, 2, 3, 4, 5] * 3
    assert found["driver"][0] == share_rows(run, MODEL, "all")[0].name


def test_trees_without_coordinates_that_predict_nothing_are_named() -> None:
    said = warnings({"r2_holdout": -0.28, "r2_random": -0.08, "r2_block": np.nan})
    assert said == [
        "The trees predict held-out pixels no better than the mean does: what their shares, curves and "
        "interactions show is chance."
    ]
    assert warnings({"r2_holdout": -0.1, "r2_random": 0.2}) == []


def test_of_one_driver_there_is_nothing_to_say() -> None:
    assert findings([row_of("TEM", 1.0)], []) == []


def test_random_knndm_folds_are_not_called_those_of_the_map() -> None:
    fit = {"r2_random": 0.5, "r2_knndm": 0.5, "message": "kNNDM folds are random: why"}
    assert KNNDM not in reading([], [], fit, set())
    assert KNNDM in reading([], [], {**fit, "message": ""}, set())
