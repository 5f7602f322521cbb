"""Methods compared: ranks, words and reasons of fake tables; no method is run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_report_fake import DRIVER_GROUPS, add, add_stratum, assert_legible, fake_run, finished, long_groups
from test_report_page import assert_sound_in_a_browser, needs_chromium, page_of, words_of
from test_report_terminal import header_of, shown

from drivers.glossary import TABLES
from drivers.report import RunTables, read_report, write_report
from drivers.report.agreement_wording import chance_level
from drivers.report.methods_compared import CUT, MOST_LINES, rankings_of, sentences
from drivers.report.page import make_figures, slugs
from drivers.report.rank_lines import RankLine, rank_lines
from drivers.report.terminal import terminal_table

Rows = dict[str, list[dict[str, object]]]
JOINED = "nep-paths + nep-trees + nep-q"
STRATA = ("all", "balance=sink", "landuse=cropland")
REASON = "interaction: high H with a_long_name; non-monotone: a straight path does not follow its curve"


def ranked_run(
    groups: dict[str, dict[str, str]] | None = None, strata: tuple[str, ...] = STRATA
) -> RunTables:
    """Ranks by three methods, by two in the last stratum; the same on every call."""
    groups = groups or DRIVER_GROUPS
    rng = np.random.default_rng(5)
    tables: Rows = {}
    drivers = [(d, g) for g, ds in groups.items() for d in ds]
    n = len(drivers)
    for stratum in strata:
        two = stratum == strata[-1]
        methods = ("psem", "geodetector") if two else ("psem", "brt", "geodetector")
        joined = "nep-paths + nep-q" if two else JOINED
        add_stratum(tables, stratum, 9000)
        for model, method in (("nep-paths", "psem"), ("nep-trees", "brt"), ("nep-q", "geodetector")):
            if method in methods:
                add(
                    tables,
                    "fit",
                    {"model": model, "stratum": stratum, "method": method, "n": 9, "status": "ok"},
                )
        ranks = {m: np.argsort(np.argsort(np.arange(n) + rng.normal(0, 2.5, n))) + 1 for m in methods}
        for k, (driver, group) in enumerate(drivers):
            mine = [int(ranks[m][k]) for m in methods]
            apart = max(mine) - min(mine) > max(1, n / 4)
            row: dict[str, object] = {"model": joined, "stratum": stratum, "driver": driver, "group": group}
            row |= {
                f"rank_{m}": int(ranks[m][k]) if m in methods else None
                for m in ("psem", "brt", "geodetector")
            }
            row |= {f"share_{m}": float(rng.random()) / n for m in methods}
            row |= {"sign": "+-0"[k % 3], "agreement": 1 - (max(mine) - min(mine)) / (n - 1)}
            add(tables, "consensus", {**row, "reason": REASON if apart else None})
        w = {
            "n_raters": len(methods),
            "n_items": n,
            "w": 0.84,
            "w_low": 0.61,
            "w_high": 0.9,
            "p_value": 0.003,
        }
        key = {"model": joined, "stratum": stratum, "quantity": "methods", "response": "NEP"}
        add(tables, "rank_agreement", {**key, **w})
    model: dict[str, object] = {"name": "nep-paths", "method": "psem", "title": "Paths"}
    return finished(tables, groups, model, "Methods on a simulated Horqin Sandy Land")


@pytest.fixture(scope="module")
def run() -> RunTables:
    return ranked_run()


def test_the_fake_tables_keep_the_contract(run: RunTables) -> None:
    assert set(run.tables["consensus"].columns) <= set(TABLES["consensus"])


def test_the_page_sets_methods_side_by_side(run: RunTables) -> None:
    page = page_of(run)
    words = words_of(page)
    assert '<a href="#methods-compared">Methods compared</a>' in page
    for said in (
        "Rank 1 is the strongest driver of a stratum, among the drivers that all methods have.",
        "first by piecewise SEM",
        chance_level(3, 2),
        "Agreement of the 3 methods on the ranks of 14 drivers is strong: Kendall’s W = 0.84, 95 % "
        "interval 0.61 to 0.90, P = 0.003. Anything from moderate agreement to strong agreement fits the "
        "errors of these numbers.",
        CUT,
        REASON,
        "The sign is that of the total effect, 0 where its interval holds 0.",
    ):
        assert said in words, said
    assert page.count(CUT) == 1  # the sink alone is cut on the response
    assert not re.search(r"\b(nan|NaN|None|<NA>|NaT|inf)\b", words)
    assert "−" in words


def test_without_consensus_there_is_no_section(run: RunTables) -> None:
    assert "Methods compared" not in page_of(fake_run())
    assert ("", "methods-compared") not in slugs(fake_run())
    empty = RunTables({**run.tables, "consensus": run.tables["consensus"].iloc[:0]}, run.meta)
    assert "Methods compared" not in page_of(empty)


def test_without_agreement_the_ranks_are_still_there(run: RunTables) -> None:
    bare = RunTables({"consensus": run.tables["consensus"]}, {})
    words = words_of(page_of(bare))
    assert "Methods compared" in words
    assert "Kendall’s W = " not in words
    assert len(make_figures(bare)["", "methods-compared"]) == len(STRATA)


def test_a_report_that_was_read_back_has_the_same_page(run: RunTables, tmp_path: Path) -> None:
    write_report(run, tmp_path / "out")
    assert page_of(read_report(tmp_path / "out")) == (tmp_path / "out/index.html").read_text("utf-8")


def ranking(*rows: dict[str, object]) -> RunTables:
    key = {"model": "a + b", "stratum": "all"}
    return RunTables({"consensus": pd.DataFrame([{**key, **row} for row in rows])}, {})


def test_whole_sentences() -> None:
    (found,) = rankings_of(
        ranking(
            {"driver": "TEM", "rank_psem": 1, "rank_brt": 5, "agreement": 0.0, "reason": "nonlinear"},
            {"driver": "PRE", "rank_psem": 2, "rank_brt": 1, "agreement": 0.9, "reason": None},
        )
    )
    assert found.methods == ["psem", "brt"]
    assert sentences(found) == [
        "Ranked first: TEM by piecewise SEM; PRE by boosted trees.",
        "TEM is ranked very differently (1 of 2 drivers).",
    ]
    (found,) = rankings_of(ranking({"driver": "TEM", "rank_psem": 1, "rank_brt": 1, "agreement": 1.0}))
    assert sentences(found) == [
        "Ranked first: TEM by piecewise SEM and boosted trees.",
        "No driver is ranked very differently by different methods.",
    ]


def test_a_driver_that_comes_again_begins_another_response() -> None:
    found = rankings_of(
        ranking(*({"driver": d, "rank_psem": 1, "rank_brt": 1} for d in ("TEM", "PRE", "TEM", "PRE")))
    )
    assert [len(part.rows) for part in found] == [2, 2]


def test_ties_and_missing_ranks_stay_apart() -> None:
    lines = [
        RankLine("TEM", "climate", (1, 1, 1), "told"),
        RankLine("PRE", "climate", (2, 2, None), "told", apart=True),
        RankLine("PET", "", (2, None, 2), "told"),
        RankLine("a_very_long_name_of_a_driver_of_the_response", "", (2, 2, 2), "told"),
    ]
    methods = ["piecewise SEM", "boosted trees", "geodetector"]
    drawn = rank_lines(lines, methods, title="Ranks by method — all pixels", colours={"climate": "#117733"})
    assert_legible(drawn)
    assert drawn.count(">2</text>") == 7
    assert "stroke-dasharray" in drawn  # past the method without a rank
    assert "methods disagree" in drawn
    assert_legible(rank_lines([], methods, title="t", colours={}))


@pytest.mark.parametrize("drivers", [2, 14, 60])
def test_figures_stay_legible(drivers: int) -> None:
    found = make_figures(ranked_run(long_groups(drivers)))["", "methods-compared"]
    assert len(found) == len(STRATA)
    for drawn in found.values():
        assert_legible(drawn)
        assert drawn.count("<circle") <= 3 * MOST_LINES


def test_hostile_names_are_escaped(run: RunTables) -> None:
    bad = "<script>alert('x')</script>"
    tables = {
        name: frame.map(lambda v: v.replace("TEM", bad).replace("cropland", bad) if isinstance(v, str) else v)
        for name, frame in run.tables.items()
    }
    hostile = RunTables(tables, run.meta)
    assert page_of(hostile).count("<script>") == 1
    for drawn in make_figures(hostile)["", "methods-compared"].values():
        assert "<script" not in drawn


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_terminal_shows_ranks_and_reasons(run: RunTables, width: int) -> None:
    output = shown(terminal_table(run.tables["consensus"], "consensus"), width)
    assert max(map(len, output.splitlines())) <= width
    header = header_of(output)
    assert {"driver", "rank_psem", "rank_brt", "rank_geodetector", "sign"} <= set(header)
    assert "reason" in header or width == 80
    shares = [name for name in header if name.startswith("share_")]
    assert len(shares) in (0, 3)
    assert f"{JOINED} on all" in output


@needs_chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_in_a_browser(run: RunTables, tmp_path: Path, width: int) -> None:
    assert_sound_in_a_browser(run, tmp_path, width)
