"""The section of the geodetector: what its figures and sentences say of fake tables; no fit is made."""

from __future__ import annotations

import itertools
import re
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
from test_report_page import assert_sound_in_a_browser, needs_chromium, page_of, words_of

from drivers.glossary import TABLES
from drivers.report import RunTables, read_report, write_report
from drivers.report.axes import scale_of, spread
from drivers.report.candidate_panels import Candidate, CandidatePanel, candidate_panels
from drivers.report.geodetector_figures import paged, q_strata, q_triangle
from drivers.report.geodetector_rows import FactorRow, factor_rows, star_mark
from drivers.report.geodetector_section import break_words
from drivers.report.geodetector_wording import (
    CROSSFIT,
    ERRORS,
    NO_P_MAX,
    P_MAX,
    findings,
    reading,
    warnings,
)
from drivers.report.interaction_triangle import Pair
from drivers.report.page import make_figures
from drivers.report.q_bars import q_bars
from drivers.report.q_lines import QLine, q_lines
from drivers.report.risk_panels import RiskClass, RiskPanel, class_panels, level_panels, response_scale
from drivers.report.run_tables import truth
from drivers.report.terminal import best_drivers

RULES = ("equal", "natural", "quantile", "geometric", "sd")
STRATA = ("all", "balance=sink", "balance=source", "landuse=forestland", "landuse=unused")
FAILED = "landuse=unused"
MODEL = "nep-q"


def fake_geodetector(
    groups: dict[str, dict[str, str]] | None = None,
    strata: tuple[str, ...] = STRATA,
    *,
    levels: tuple[str, ...] = LEVELS,
    scales: bool = True,
) -> RunTables:
    """A geodetector on some strata, one failed; the same on every call."""
    groups = DRIVER_GROUPS if groups is None else groups
    rng = np.random.default_rng(11)
    tables: dict[str, list[dict[str, object]]] = {}
    for stratum in strata:
        key = {"model": MODEL, "stratum": stratum}
        n = 40000 if stratum == "all" else int(rng.integers(900, 20000))
        add_stratum(tables, stratum, n)
        fit = {**key, "method": "geodetector", "n": n}
        if stratum == FAILED:
            add(tables, "fit", {**fit, "status": "failed", "message": "only 9 pixels: 16 are needed"})
            continue
        add(tables, "fit", {**fit, "n_effective": n / 120, "status": "ok", "errors": "effective"})
        fill(tables, key, groups, rng, n, levels, scales)
    model = {"name": MODEL, "method": "geodetector", "title": "Optimal classes", "options": {"folds": 5}}
    return finished(tables, groups, model, "What divides NEP in a simulated Horqin Sandy Land")


def fill(tables, key, groups, rng, n, levels, scales) -> None:  # type: ignore[no-untyped-def]
    """The tables of one fitted stratum."""
    drivers = [(d, g) for g, ds in groups.items() for d in ds]
    q = dict(zip([d for d, _ in drivers], rng.beta(1.2, 5.0, len(drivers)), strict=True))
    first = len(tables.get("q", []))
    for name, group in drivers:
        if name == "NORTHNESS":
            q[name] = 1e-5
        categorical = name == "SOILTYPE"
        top = q[name]
        rule, many = (
            ("categorical", len(levels))
            if categorical
            else (RULES[int(rng.integers(5))], int(rng.integers(3, 9)))
        )
        p = float(10.0 ** (-60 * top))
        row = {
            **key,
            "driver": name,
            "group": group,
            "method": rule,
            "n_classes": many,
            "q": top,
            "f_statistic": 100 * top,
            "p_value": p,
            "log_p": np.log(p),
            "p_classical": p * 1e-9,
            "p_max": max(0.005, min(1.0, p * 3)),
            "q_adjusted": top - 0.01,
            "q_crossfit": top * 0.82 - 0.012,
            "n": n,
            "n_effective": n / 100 * (1 + 3 * rng.random()),
        }
        add(tables, "q", row)
        risk(tables, key, name, rng, n, levels if categorical else many, top)
        if categorical:
            add(
                tables,
                "breaks",
                {
                    **key,
                    "driver": name,
                    "method": rule,
                    "n_classes": many,
                    "breaks": ";".join(levels),
                    "q": top,
                    "chosen": True,
                },
            )
            continue
        for other in RULES:
            for k in range(3, 9):
                own = other == rule and k == many
                value = top if own else top * (1 - 0.22 / (k - 1) - 0.12 * rng.random())
                add(
                    tables,
                    "breaks",
                    {
                        **key,
                        "driver": name,
                        "method": other,
                        "n_classes": k,
                        "breaks": ";".join(repr(float(v)) for v in limits(rng, name, k)),
                        "q": value,
                        "chosen": own,
                        "gap": 0.0 if other == "natural" else np.nan,
                    },
                )
    mine = tables["q"][first:]
    for rank, row in enumerate(sorted(mine, key=lambda r: -float(r["q"]))):
        row["rank"] = rank + 1
    pairs(tables, key, drivers, q, rng, n)
    importance(tables, key, groups, q)
    if scales:
        for scale in (1, 2, 4, 8):
            for name, group in drivers:
                add(
                    tables,
                    "q_scales",
                    {
                        **key,
                        "scale": scale,
                        "cell_size": 1000.0 * scale,
                        "driver": name,
                        "group": group,
                        "method": "natural",
                        "n_classes": 5,
                        "q": min(q[name] * scale**0.2 * (0.9 + 0.2 * rng.random()), 1),
                        "rank": 1,
                        "n": n // scale**2,
                    },
                )
        for year in (2001, 2005, 2010, 2015, 2020):
            for name, group in drivers:
                add(
                    tables,
                    "q_years",
                    {
                        **key,
                        "year": year,
                        "driver": name,
                        "group": group,
                        "method": "sd",
                        "n_classes": 4,
                        "q": q[name] * (0.8 + 0.4 * rng.random()),
                        "p_value": 0.01,
                        "rank": 1,
                        "n": n,
                    },
                )


def limits(rng: np.random.Generator, name: str, k: int) -> np.ndarray:
    low, high = {"GDP": (0.0, 8.2e5), "DEM": (120.0, 1490.0), "NORTHNESS": (-1.0, 1.0)}.get(name, (2.0, 9.4))
    inner = np.sort(rng.uniform(low, high, k - 1))
    return np.r_[low, inner, high]


def risk(tables, key, name, rng, n, many, top) -> None:  # type: ignore[no-untyped-def]
    names = many if isinstance(many, tuple) else tuple(str(k + 1) for k in range(many))
    ends = limits(rng, name, len(names))
    means = 61 + 120 * top * np.sin(np.linspace(0, 2.6, len(names)) + rng.normal(0, 0.3, len(names)))
    for k, level in enumerate(names):
        error = 3 + 8 * rng.random()
        numeric = not isinstance(many, tuple)
        add(
            tables,
            "risk_means",
            {
                **key,
                "driver": name,
                "class": level,
                "lower": ends[k] if numeric else np.nan,
                "upper": ends[k + 1] if numeric else np.nan,
                "n": n // len(names),
                "mean": means[k],
                "sd": 40.0,
                "std_error": error,
                "conf_low": means[k] - 2 * error,
                "conf_high": means[k] + 2 * error,
                "n_effective": 44.0,
            },
        )
        for j in range(k):
            t = (means[j] - means[k]) / 8
            p = float(np.exp(-(t**2)))
            add(
                tables,
                "risk",
                {
                    **key,
                    "driver": name,
                    "class_a": names[j],
                    "class_b": level,
                    "mean_a": means[j],
                    "mean_b": means[k],
                    "statistic": t,
                    "df": 60.0,
                    "p_value": p,
                    "p_adjusted": min(1.0, 6 * p),
                    "p_classical": p / 9,
                },
            )


KINDS = ("Enhance, bi-", "Enhance, nonlinear", "Independent", "Weaken, uni-", "Weaken, nonlinear")


def pairs(tables, key, drivers, q, rng, n) -> None:  # type: ignore[no-untyped-def]
    for j, (b, _) in enumerate(drivers):
        for a, _ in drivers[:j]:
            kind = KINDS[int(rng.choice(5, p=[0.55, 0.35, 0.04, 0.04, 0.02]))]
            high, low, both = max(q[a], q[b]), min(q[a], q[b]), q[a] + q[b]
            q_ab = {"Enhance, bi-": (high + both) / 2, "Enhance, nonlinear": both + 0.03, "Independent": both,
                    "Weaken, uni-": (high + low) / 2, "Weaken, nonlinear": low / 2}[kind]  # fmt: skip
            add(
                tables,
                "q_interaction",
                {
                    **key,
                    "driver_a": a,
                    "driver_b": b,
                    "q_a": q[a],
                    "q_b": q[b],
                    "q_ab": min(q_ab, 0.97),
                    "type": kind,
                    "q_adjusted": q_ab * 0.97,
                    "n": n,
                },
            )
            p = float(rng.random() ** 3)
            add(
                tables,
                "ecological",
                {
                    **key,
                    "driver_a": a,
                    "driver_b": b,
                    "f_statistic": (1 - q[a]) / (1 - q[b]),
                    "p_value": p,
                    "df": 300.0,
                },
            )


def importance(tables, key, groups, q) -> None:  # type: ignore[no-untyped-def]
    total = sum(q.values())
    for rank, name in enumerate(sorted(q, key=lambda d: -q[d])):
        group = next(g for g, ds in groups.items() if name in ds)
        add(
            tables,
            "importance",
            {
                **key,
                "driver": name,
                "group": group,
                "measure": "q",
                "value": q[name],
                "share": q[name] / total,
                "rank": rank + 1,
            },
        )
    values = {
        g: min(sum(sorted((q[d] for d in ds), reverse=True)[:2]) * 1.05, 0.99) for g, ds in groups.items()
    }
    for rank, group in enumerate(sorted(values, key=lambda g: -values[g])):
        add(
            tables,
            "importance",
            {
                **key,
                "driver": None,
                "group": group,
                "measure": "q",
                "value": values[group],
                "share": np.nan,
                "rank": rank + 1,
            },
        )


RUNS = {
    "14 drivers": lambda: fake_geodetector(),
    "3 drivers without groups": lambda: fake_geodetector(
        {"": {"elevation": "m", "SOILTYPE": "", "pH": ""}},
        ("all",),
        levels=tuple(f"soil type number {k} of the map" for k in range(30)),
    ),
    "40 drivers, 12 strata": lambda: fake_geodetector(
        long_groups(40), ("all", *(f"landuse=class number {k},balance=sink" for k in range(11))), scales=False
    ),
    "40 drivers with scales": lambda: fake_geodetector(long_groups(40), ("all",)),
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
    assert {"q-drivers.svg", "interaction.svg", "candidates.svg", "risk-classes.svg"} <= kinds


def test_the_fake_tables_keep_the_contract() -> None:
    run = fake_geodetector()
    for name, frame in run.tables.items():
        assert set(frame.columns) <= set(TABLES[name]), name


def test_the_same_tables_give_the_same_bytes() -> None:
    assert make_figures(fake_geodetector()) == make_figures(fake_geodetector())
    assert page_of(fake_geodetector()) == page_of(fake_geodetector())


def some(name: str, q: float | None, **rest: object) -> FactorRow:
    return FactorRow(name, "g", "natural", 5, q, **rest)  # type: ignore[arg-type]


def test_bars_are_sorted_and_starred_by_the_p_of_the_maximum() -> None:
    rows = [
        some("small", 0.01, p_value=0.2),
        some("none", None),
        some("lucky", 0.2, p_value=1e-9, p_max=0.3),
        some("large", 0.6, p_value=0.5, p_max=0.005),
        some("untested", 0.1, p_value=0.0001),
        some("bare", 0.05),
    ]
    drawn = q_bars(rows, title="t", caption="c")
    names = re.findall(r">(small|none|lucky|large|untested|bare)</text>", drawn)
    assert names == ["large", "lucky", "untested", "bare", "small", "none"]
    stars = re.findall(r">(\*+|ns)</text>", drawn)
    assert stars == ["ns", "**", "ns", "***", "ns"]  # the first is the legend's
    assert ">no q</text>" in drawn
    assert len(re.findall("fill-opacity", drawn)) == 1 + 2  # the legend, lucky and small


def test_the_length_of_a_bar_is_its_q() -> None:
    drawn = q_bars([some("a", 0.4, p_value=0.0), some("b", 0.1, p_value=0.0)], title="t", caption="c")
    widths = [float(w) for w in re.findall(r'width="([\d.]+)" height="12"', drawn)]
    assert widths[0] == pytest.approx(4 * widths[1], rel=1e-3)


def test_every_crossfitted_q_has_a_mark_also_below_the_axis() -> None:
    rows = [some("a", 0.4, q_crossfit=0.3), some("b", 0.1, q_crossfit=-9.0), some("c", 0.1)]
    drawn = q_bars(rows, title="t", caption="c")
    assert "below the axis" in drawn
    assert drawn.count('Z"') == 2 + 2  # two keys of the legend, two marks
    assert "below the axis" not in q_bars(rows[::2], title="t", caption="c")
    assert "cross-fitted" not in q_bars(rows[2:], title="t", caption="c")
    assert_legible(drawn)


@pytest.mark.parametrize("rows", [[], [some("a", 0.0)], [some("a", 1e-5, p_value=1.0)], [some("a", None)]])
def test_bars_of_nothing_still_draw(rows: list[FactorRow]) -> None:
    assert_legible(q_bars(rows, title="t", caption="c"))


def test_the_triangle_has_every_pair_once_with_the_mark_of_its_kind() -> None:
    drivers = [some(name, 0.1) for name in "abcd"]
    pairs = [
        Pair(x, y, 0.3, kind)
        for (x, y), kind in zip(itertools.combinations("abcd", 2), [*KINDS, ""], strict=True)
    ]
    drawn = q_triangle(drivers, pairs[:-1], title="t", colours={"g": "#117733"})
    assert drawn.count(">0.30</text>") == 5
    assert drawn.count(">0.10</text>") == 4
    assert drawn.count(">–</text>") == 1  # the pair that is missing
    for said in (
        "nonlinear: above the sum",
        "bi-: above",
        "independent: the sum",
        "uni-: between",
        "nonlinear: below",
    ):
        assert said in drawn
    assert_legible(drawn)
    many = [some(f"a_long_name_of_a_driver_{k}", 0.1) for k in range(40)]
    crowded = q_triangle(many, [], title="t", colours={})
    assert crowded.count("<rect") == 1 + 20 + 40 * 41 // 2  # paper, ramp, cells
    assert_legible(crowded)


def test_classes_are_steps_at_their_limits() -> None:
    classes = (
        RiskClass("1", 0.0, 2.0, 5.0, 4.0, 6.0),
        RiskClass("2", 2.0, 8.0, 7.0, 6.0, 8.0),
        RiskClass("3", 8.0, 10.0, 6.0),
    )
    panel = RiskPanel("TEM (°C)", "q 0.3 **", "#117733", classes)
    scale = response_scale([panel], 6.0)
    drawn = class_panels([panel], title="t", response="NEP", scale=scale, whole=6.0)
    steps = re.findall(r'd="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)" stroke="#117733" stroke-width="2.2"', drawn)
    widths = [float(b) - float(a) for a, _, b, _ in steps]
    assert widths[1] == pytest.approx(3 * widths[0], rel=1e-3)
    assert [step[2] for step in steps[:-1]] == [step[0] for step in steps[1:]]
    assert drawn.count('fill-opacity="0.22"') == 2  # the third class has no interval
    assert "log scale" not in drawn


def test_a_skewed_driver_gets_a_log_scale_and_says_so() -> None:
    ends = (0.0, 1.0, 10.0, 100.0, 1e4)
    classes = tuple(
        RiskClass(str(k), a, b, float(k), k - 0.1, k + 0.1)
        for k, (a, b) in enumerate(itertools.pairwise(ends))
    )
    panel = RiskPanel("GDP", "", "#117733", classes)
    drawn = class_panels([panel], title="t", response="y", scale=response_scale([panel], None))
    assert "log scale" in drawn
    below = RiskPanel("GDP", "", "#117733", (RiskClass("0", -1.0, 0.0, 1.0), *classes))
    assert "log scale" not in class_panels(
        [below], title="t", response="y", scale=response_scale([below], None)
    )


@pytest.mark.parametrize("levels", [1, 2, 30])
def test_levels_go_from_the_largest_mean_down(levels: int) -> None:
    classes = tuple(
        RiskClass(f"level {k}", None, None, float(k % 7), k % 7 - 1.0, k % 7 + 1.0) for k in range(levels)
    )
    panel = RiskPanel("SOILTYPE", "q 0.2", "#332288", classes)
    drawn = level_panels([panel], title="t", response="y", scale=response_scale([panel], None))
    shown = [int(k) % 7 for k in re.findall(r">level (\d+)</text>", drawn)]
    assert shown == sorted(shown, reverse=True)
    assert len(shown) == levels
    assert_legible(drawn)


@pytest.mark.parametrize("limits", [(3.0, 3.0), (1e7, 5e8), (-1e-6, 2e-6)])
def test_a_constant_or_an_outsized_driver_still_draws(limits: tuple[float, float]) -> None:
    panel = RiskPanel("x", "", "#332288", (RiskClass("1", *limits, 4.0, 3.0, 5.0),))
    drawn = class_panels([panel] * 3, title="t", response="y", scale=response_scale([panel], 4.0))
    assert_legible(drawn)


def test_fifteen_classes_and_one_candidate() -> None:
    many = tuple(Candidate("natural", k, 0.1 + k / 100, k == 15) for k in range(2, 16))
    drawn = candidate_panels([CandidatePanel("TEM", many), CandidatePanel("PRE", many[:1])], title="t")
    assert "natural, 15" in drawn
    assert drawn.count('r="6.2"') == 1 + 1  # the legend's ring and the chosen one's
    assert_legible(drawn)


def test_every_candidate_has_a_mark() -> None:
    run = fake_geodetector(strata=("all",))
    breaks = run.tables["breaks"].query("stratum == 'all' and method != 'categorical'")
    drawn = make_figures(run)[MODEL, "all"]
    titles = sum(drawn[name].count("classes\nq ") for name in ("candidates.svg", "candidates-2.svg"))
    assert titles == len(breaks)
    rings = sum(drawn[name].count('r="6.2"') for name in ("candidates.svg", "candidates-2.svg"))
    assert rings == sum(map(truth, breaks["chosen"])) + 2


def test_a_line_breaks_where_a_place_has_no_q() -> None:
    lines = [
        QLine("a", "g", ((1.0, 0.1), (2.0, 0.2), (8.0, 0.3))),
        QLine("b", "g", ()),
        QLine("c", "g", ((4.0, 0.3),)),
    ]
    places = [(float(v), str(v)) for v in (1, 2, 4, 8)]
    drawn = q_lines(lines, places, title="t", caption="cell size", colours={"g": "#117733"}, log=True)
    found = re.search(r'd="(M[^"]*)" stroke="#117733" stroke-width="1.6"', drawn)
    assert found is not None
    assert re.sub(r"[\d. ]", "", found.group(1)) == "MLM"
    assert ">b</text>" not in drawn
    assert_legible(drawn)


@pytest.mark.parametrize("count", [2, 5, 12])
def test_strata_stand_side_by_side(count: int) -> None:
    rows = [some("TEM", 0.5, p_value=0.001), some("PRE", None), some("PET", 0.0, p_value=0.7)]
    columns = {f"landuse=class {k}": rows for k in range(count)}
    drawn = q_strata(columns, rows, title="t", colours={"g": "#117733"})
    assert drawn.count(">class ") == count
    assert drawn.count(">–</text>") == count
    assert_legible(drawn)


def test_labels_keep_their_distance_and_their_order() -> None:
    found = spread([3.0, 3.1, 3.05, 9.0], 2.0, 0.0, 10.0)
    assert sorted(found) == [found[0], found[2], found[1], found[3]]
    assert min(b - a for a, b in itertools.pairwise(sorted(found))) >= 2.0 - 1e-9
    assert spread([5.0] * 4, 5.0, 0.0, 10.0) == [0.0, 5.0, 10.0, 15.0]
    assert spread([], 1.0, 0.0, 1.0) == []


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [1e-9, 2e-9], [-3e8, 7e8], [0.1, 0.1 + 1e-14]])
def test_scales_hold_their_values(values: list[float]) -> None:
    scale = scale_of(values)
    assert scale.low <= min(values)
    assert scale.high >= max(values)
    assert 2 <= len(scale.ticks) <= 12
    assert len({scale.words(t) for t in scale.ticks}) == len(scale.ticks)


def test_panels_beyond_a_page_make_further_figures() -> None:
    assert list(paged("x", range(25), str)) == ["x.svg", "x-2.svg", "x-3.svg"]
    assert paged("x", [], str) == {}


def test_breaks_have_the_digits_that_tell_them_apart() -> None:
    row = FactorRow("a", method="natural", breaks="1.5;2.75;1234567.891")
    assert break_words(row) == ["1.500", "2.750", "1\u202f234\u202f568"]
    close = FactorRow("a", method="sd", breaks="100.00001;100.00002;100.00003")
    assert len(set(break_words(close))) == 3
    assert break_words(FactorRow("a", method="categorical", breaks="1;2;loam")) == ["1", "2", "loam"]


# Words


def test_the_warning_of_few_pixels() -> None:
    why = "p-values and intervals rest on few independent pixels, and a large q can be chance."
    assert warnings([some("a", 0.5)], {"n_effective": 31.6}) == [
        f"The pixels are worth 32 independent ones, fewer than 40: {why}"
    ]
    rows = [
        some("TEM", 0.5, n_effective=12.0),
        some("PRE", 0.4, n_effective=39.9),
        some("PET", 0.1, n_effective=40.0),
    ]
    assert warnings(rows, {"n_effective": 12.0}) == [
        f"TEM (12) and PRE (39) have fewer than 40 effective pixels: {why}"
    ]
    assert warnings(rows[:1], {}) == [f"TEM (12) has fewer than 40 effective pixels: {why}"]
    assert warnings(rows[2:], {"n_effective": np.nan}) == []
    many = [some(f"d{k}", 0.5, n_effective=9.0) for k in range(8)]
    assert warnings(many, {}) == [f"All drivers have fewer than 40 effective pixels: {why}"]
    assert warnings([*many, rows[2]], {}) == [
        f"d0, d1, d2, d3, d4, d5, d6 and d7 have fewer than 40 effective pixels: {why}"
    ]


def test_the_warning_of_lucky_classes() -> None:
    rows = [
        some("GDP", 0.2, p_value=0.0123, p_max=0.21),
        some("HFP", 0.1, p_value=1e-9, p_max=0.05),
        some("TEM", 0.4, p_value=1e-9, p_max=0.005),
        some("PRE", 0.01, p_value=0.3, p_max=0.6),
        some("PET", 0.01, p_value=0.01),
    ]
    assert warnings(rows, {}) == [
        "GDP (p = 0.012, p max = 0.210) and HFP (p < 0.001, p max = 0.050): p is below 0.05 and p max is "
        "not; their classes were probably chosen by luck of many candidates. Do not "
        "report such a driver as significant."
    ]
    assert warnings(rows[:1], {}) == [
        "GDP (p = 0.012, p max = 0.210): p is below 0.05 and p max is not; its classes were probably chosen "
        "by luck of many candidates. Do not report such a driver as significant."
    ]
    assert warnings(rows[2:], {}) == []


def test_what_was_found() -> None:
    rows = [
        some("TEM", 0.43, p_value=1e-9, p_max=0.005),
        some("PRE", 0.2, p_value=0.01, p_max=0.3),
        some("LUC", None),
    ]
    pairs = [
        {"driver_a": "TEM", "driver_b": "PRE", "q_ab": 0.7, "type": "Enhance, nonlinear", "q_adjusted": 0.61},
        {"driver_a": "TEM", "driver_b": "LUC", "q_ab": None, "type": None},
    ]
    assert findings(rows, pairs, "NEP") == [
        "TEM has the largest q, 0.430 (**): its 5 classes (natural) hold 43.0\u202f% of the variance of NEP. "
        "1 of 2 drivers are significant by p max at 0.05.",
        "The strongest pair is TEM with PRE: their crossed classes reach q = 0.700 (adjusted 0.610; enhance, "
        "nonlinear: more than both q together).",
    ]
    assert findings(rows[2:], [], "NEP") == ["No q is in the tables."]


def test_how_to_read_says_what_is_there_and_no_more() -> None:
    full = some("TEM", 0.4, p_value=0.01, p_max=0.01, q_adjusted=0.3, q_crossfit=0.2)
    said = reading([full], "effective", "NEP")
    assert len(said) == 6
    assert P_MAX in said
    assert CROSSFIT in said
    assert said[-1] == ERRORS["effective"]
    plain = reading([some("TEM", 0.4, p_value=0.01)], "GD", "NEP")
    assert NO_P_MAX in plain
    assert P_MAX not in plain
    assert CROSSFIT not in plain
    assert plain[1] == "Stars are those of p: * p < 0.05, ** p < 0.01, *** p < 0.001, ns otherwise."
    assert reading([some("TEM", None)], "classical", "NEP") == [
        "q is the share of the variance of NEP that lies between the classes of a driver: "
        "0 is none, 1 is all."
    ]


def test_star_marks() -> None:
    assert [star_mark(p) for p in (0.0005, 0.005, 0.0499, 0.05, 1.0, None, float("nan"))] == [
        "***", "**", "*", "ns", "ns", "", "",
    ]  # fmt: skip


# The page


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(fake_geodetector())


def test_the_page_of_a_geodetector_alone(page: str) -> None:
    words = words_of(page)
    for said in (
        "1 of 5 fits failed.",
        "Only 9 pixels: 16 are needed.",
        "q shrinks by construction, and a smaller q there is no evidence of a weaker driver",
        "it must not be read against the q of strata cut by other variables",
        "has the largest q",
        "Drivers and the classes that were chosen",
        "ecological detector",
        "Which classes differ 12 drivers",
        "Candidates: q by rule and number of classes",
        "Here n effective is 333 or more, by driver.",
        "brown soil · chestnut soil",
    ):
        assert said in words, said
    for alien in ("Fisher", "partial r", "slopes", "standardised", "R²", "accepted", "coefficients"):
        assert alien not in words, alien
    assert not re.search(r"\b(nan|NaN|None|<NA>|NaT|inf)\b", words)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert page.count("</figure>") == page.count("<svg")
    figures = make_figures(fake_geodetector())
    assert set(figures[MODEL, "all"]) == {
        "q-drivers.svg", "q-groups.svg", "interaction.svg", "risk-classes.svg", "risk-classes-2.svg",
        "risk-levels.svg", "candidates.svg", "candidates-2.svg", "scales.svg", "years.svg",
    }  # fmt: skip
    assert set(figures[MODEL, ""]) == {"q-strata.svg"}
    assert figures[MODEL, FAILED] == {}
    assert all(svg in page for drawn in figures.values() for svg in drawn.values())


def test_the_side_by_side_table_has_q_stars_and_ranks(page: str) -> None:
    part = page[page.index(f'id="{MODEL}--overview"') : page.index('<section class="stratum"')]
    words = words_of(part)
    run = fake_geodetector()
    best = factor_rows(run, MODEL, "all")[0]
    assert f'>{best.q:.3f}<span class="stars apart">**</span><small class="rank">1</small>' in part
    assert "landuse: unused" in words
    assert (
        part.count(">–</td>") == len(DRIVER_GROUPS) + 10 + 1
    )  # 14 drivers and n effective of the failed stratum


def test_a_psem_and_a_geodetector_on_one_page() -> None:
    psem, q = fake_run(), fake_geodetector()
    tables = {**psem.tables, **{k: v for k, v in q.tables.items() if k not in ("strata", "fit")}}
    tables["fit"] = pd.concat([psem.tables["fit"], q.tables["fit"]], ignore_index=True)
    meta = {**psem.meta, "models": [*psem.meta["models"], *q.meta["models"]]}
    both = RunTables(tables, meta)
    words = words_of(page_of(both))
    assert "slopes, R² and q shrink by construction" in words
    assert "a smaller coefficient or q there" in words
    assert "Fisher’s C" in words
    assert "has the largest q" in words
    assert "Total effects of the drivers on NEP" in words
    q_part = words[words.rindex("Strata side by side") :]
    assert "partial correlation" not in q_part
    output = printed(both)
    assert "fishers_c_p" in output
    assert "p_max" in output


def without(run: RunTables, **cells: object) -> RunTables:
    q = run.tables["q"].assign(**cells)
    return RunTables({**run.tables, "q": q}, run.meta)


def test_without_p_max_and_cross_fitting() -> None:
    run = without(fake_geodetector(strata=("all",)), p_max=np.nan, q_crossfit=np.nan)
    page = page_of(run)
    words = words_of(page)
    assert "p max was not computed" in words
    assert "cross-fitted" not in make_figures(run)[MODEL, "all"]["q-drivers.svg"]
    assert '<th scope="col" class="n">p max</th>' not in page
    assert "significant by p at 0.05" in words
    columns = [c for c in run.tables["q"] if c not in ("p_max", "q_crossfit", "q_adjusted", "n_effective")]
    bare = RunTables({**run.tables, "q": run.tables["q"][columns]}, run.meta)
    assert "has the largest q" in words_of(page_of(bare))


def test_classical_errors_on_a_table_with_coordinates() -> None:
    run = fake_geodetector(strata=("all",))
    fit = run.tables["fit"].assign(errors="GD", n_effective=np.nan)
    words = words_of(page_of(RunTables({**run.tables, "fit": fit}, run.meta)))
    assert "the p-values here count every pixel as independent" in words
    assert "Judge drivers by cross-fitted q and by p max, not by p." in words
    assert "p is that of the R package GD" in words
    assert "partial r" not in words


def test_a_driver_without_q_and_a_constant_one() -> None:
    run = fake_geodetector(strata=("all",))
    q, breaks = run.tables["q"].copy(), run.tables["breaks"].copy()
    empty = [
        "q",
        "f_statistic",
        "p_value",
        "rank",
        "log_p",
        "p_classical",
        "p_max",
        "q_adjusted",
        "q_crossfit",
    ]
    q.loc[q["driver"] == "SOILTYPE", empty] = np.nan
    breaks.loc[breaks["driver"] == "SOILTYPE", ["q", "reason"]] = [np.nan, "412 levels on 900 pixels"]
    q.loc[q["driver"] == "TK", empty] = np.nan
    q.loc[q["driver"] == "TK", ["q", "n_classes"]] = [0.0, 1]
    run = RunTables({**run.tables, "q": q, "breaks": breaks}, run.meta)
    page = page_of(run)
    words = words_of(page)
    assert "412 levels on 900 pixels" in words
    assert "constant" in words
    assert not re.search(r"\b(nan|NaN|None|<NA>|inf)\b", words)
    drawn = make_figures(run)[MODEL, "all"]["q-drivers.svg"]
    assert ">no q</text>" in drawn
    assert ">constant</text>" in drawn
    assert_legible(drawn)
    gone = without(run, q=np.nan)
    assert "No q is in the tables." in words_of(page_of(gone))
    assert best_drivers(gone) is None


def test_only_fit_rows_and_only_the_factor_detector() -> None:
    run = fake_geodetector(strata=("all",))
    few = RunTables({name: run.tables[name] for name in ("fit", "strata")}, run.meta)
    assert "No q is in the tables." in words_of(page_of(few))
    factor = RunTables({name: run.tables[name] for name in ("fit", "strata", "q")}, run.meta)
    assert set(make_figures(factor)[MODEL, "all"]) == {"q-drivers.svg"}
    words = words_of(page_of(factor))
    assert "Interactions" not in words
    assert "Which classes differ" not in words


def test_hostile_names_are_escaped() -> None:
    run, bad = fake_geodetector(strata=("all",)), "<script>alert('x')</script>"
    swap = {"TEM": bad, "brown soil": bad}
    tables = {name: frame.replace(swap) for name, frame in run.tables.items()}
    page = page_of(RunTables(tables, run.meta))
    assert page.count("<script>") == 1  # our own, at the end
    assert "&lt;script&gt;alert" in page


def test_a_report_survives_the_disk(tmp_path: Path) -> None:
    run = fake_geodetector()
    write_report(run, tmp_path / "r")
    found = read_report(tmp_path / "r")
    for stratum in STRATA:
        one, two = (factor_rows(r, MODEL, stratum) for r in (run, found))
        assert [(r.name, r.q, r.breaks) for r in one] == [(r.name, r.q, r.breaks) for r in two]
    assert page_of(found) == page_of(run)
    assert (tmp_path / "r/figures" / f"{MODEL}--q-strata.svg").exists()


@needs_chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_in_a_browser(tmp_path: Path, width: int) -> None:
    assert_sound_in_a_browser(fake_geodetector(strata=STRATA[:2]), tmp_path, width)


# The terminal


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_shows_the_best_drivers_of_every_fit(width: int) -> None:
    output = printed(fake_geodetector(), width)
    assert max(map(len, output.splitlines())) <= width
    for column in ("rank", "driver", "n_classes", "method", "p_value", "p_max"):
        assert column in output
    for alien in ("fishers_c", "verdict", "aicc"):
        assert alien not in output
    assert "failed: nep-q on landuse=unused" in output
    best = factor_rows(fake_geodetector(), MODEL, "balance=sink")[0]
    part = output[output.index("nep-q on balance=sink") :]
    assert part.split("───")[-1].split()[:2] != []
    assert best.name in part.splitlines()[3]


def test_a_pipe_leaves_out_the_verdicts_that_no_model_has() -> None:
    output = printed(fake_geodetector())
    assert "fishers_c" not in output
    best = best_drivers(fake_geodetector())
    assert best is not None
    assert list(best.groupby(["model", "stratum"], sort=False).size()) == [5] * 4
    assert list(best["rank"]) == [1, 2, 3, 4, 5] * 4
