"""What p-values count, and slopes beside a cut on the response: figures and tables of a path model."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_report_fake import assert_legible, fake_run
from test_report_page import assert_sound_in_a_browser, needs_chromium, page_of, words_of
from test_report_terminal import header_of, shown

from drivers.glossary import TABLES
from drivers.report import RunTables
from drivers.report.error_dots import PathIntervals, error_dots
from drivers.report.page import make_figures
from drivers.report.psem_graph import standardised_interval
from drivers.report.psem_inference import MOST_PATHS, SELECTION, errors_caption, path_intervals
from drivers.report.sweep_lines import SweepPanel, sweep_lines
from drivers.report.terminal import overview, terminal_table

WIDE = {"classical": 0.01, "effective": 0.06, "block": 0.09}
CUT = "balance=sink"


def inferred_run(response: str = "NEP") -> RunTables:
    """The fake run with errors of three kinds, truncated slopes and a sweep of the threshold."""
    run = fake_run()
    paths = run.tables["coefficients"]
    paths = paths.assign(
        n_effective=np.where(paths["op"] == "<~", np.nan, 321.4),
        p_block=0.03,
        p_adjusted=np.where(paths["op"] == "~", 0.04, np.nan),
        truncated_estimate=np.where(
            (paths["stratum"] == CUT) & (paths["response"] == response) & (paths["op"] == "~"), 1.25, np.nan
        ),
        truncated_std_error=0.11,
    )
    errors, sweep = [], []
    for row in paths[paths["op"] == "~"].to_dict("records"):
        std = float(row["std_estimate"])
        key = {name: row[name] for name in ("model", "stratum", "response", "op", "term")}
        for kind, half in WIDE.items():
            ends = {"std_conf_low": std - half, "std_conf_high": std + half}
            if kind == "block" and row["term"] == "soil":
                ends = dict.fromkeys(ends, np.nan)
            errors.append({**key, "errors": kind, "std_estimate": std, **ends})
        if row["stratum"] == CUT and row["response"] == response:
            for k in range(12):
                at = {"threshold": 20.0 * k - 60, "side": "above", "n": 4000 - 300 * k, "std_estimate": std}
                slopes = {"estimate": 1.2 - 0.08 * k, "truncated_estimate": 1.3 if k < 11 else np.nan}
                del key["op"]
                sweep.append({**key, **at, **slopes})
                key["op"] = "~"
    fit = run.tables["fit"]
    ok = fit["status"] == "ok"
    fit = fit.assign(
        errors=np.where(ok, "effective", None),
        n_effective=np.where(ok, 211.7, np.nan),
        n_blocks=np.where(ok, 42, np.nan),
        fishers_c_classical=np.where(ok, 812.4, np.nan),
        fishers_c_p_classical=np.where(ok, 0.0, np.nan),
        rmsea=np.where(ok, 0.0321, np.nan),
    )
    more = {"coefficient_errors": pd.DataFrame(errors), "threshold_sweep": pd.DataFrame(sweep)}
    return RunTables({**run.tables, "coefficients": paths, "fit": fit, **more}, run.meta)


@pytest.fixture(scope="module")
def run() -> RunTables:
    return inferred_run()


def test_the_fake_tables_keep_the_contract(run: RunTables) -> None:
    for name in ("coefficient_errors", "threshold_sweep", "coefficients"):
        assert set(run.tables[name].columns) <= set(TABLES[name])


def test_the_section_says_what_its_errors_count(run: RunTables) -> None:
    page = page_of(run)
    words = words_of(page)
    for said in (
        "Each path has one estimate and an interval for each way of counting",
        "There are 42 blocks.",
        "Standard errors, intervals and p are effective: they count independent pixels.",
        "p adjusted allows for all tests of paths in the study (false discovery rate).",
        "independent pixels, fewest",
        "The fewest behind any test here are 212.",
        "As if every pixel were independent, C would be 812.4, P < 0.001",
        "RMSEA = 0.0321, a close fit",
        "Slopes and the cut on the response",
        SELECTION,
        "Each point is a fit to the pixels on the stratum’s side of another threshold.",
    ):
        assert said in words, said
    assert page.count("Slopes and the cut on the response</summary>") == 1
    assert not re.search(r"\b(nan|NaN|None|<NA>|NaT|inf)\b", words)


def test_figures_are_drawn_where_the_tables_hold_them(run: RunTables) -> None:
    found = make_figures(run)
    assert {"errors.svg", "thresholds.svg"} <= set(found["nep-paths", CUT])
    assert "errors.svg" in found["nep-paths", "all"]
    assert "thresholds.svg" not in found["nep-paths", "all"]
    for drawn in (found["nep-paths", CUT]["errors.svg"], found["nep-paths", CUT]["thresholds.svg"]):
        assert_legible(drawn)
    assert "effective: independent pixels count (used in the tables)" in found["nep-paths", CUT]["errors.svg"]
    assert (
        "Threshold of NEP (g C m⁻² yr⁻¹); pixels above it are fitted"
        in found["nep-paths", CUT]["thresholds.svg"]
    )
    assert not {"errors.svg", "thresholds.svg"} & set(make_figures(fake_run())["nep-paths", CUT])


def test_one_kind_of_errors_is_no_comparison(run: RunTables) -> None:
    errors = run.tables["coefficient_errors"]
    alone = RunTables({**run.tables, "coefficient_errors": errors[errors["errors"] == "classical"]}, run.meta)
    assert path_intervals(alone, "nep-paths", "all") == []
    assert "errors.svg" not in make_figures(alone)["nep-paths", "all"]


def test_an_interval_that_is_not_known_is_a_dash(run: RunTables) -> None:
    paths = {path.name: path for path in path_intervals(run, "nep-paths", "all")}
    assert paths["soil → NEP"].intervals["block"] is None
    assert paths["soil → NEP"].n_effective == 321.4
    drawn = make_figures(run)["nep-paths", "all"]["errors.svg"]
    assert "– too little to tell" in drawn


def some_paths(many: int, size: float = 0.4) -> list[PathIntervals]:
    name = "maximum_potential_evapotranspiration_of_a_month"
    return [
        PathIntervals(
            f"{name}_{k} → soil",
            size * (-1) ** k / (k + 1),
            {"classical": (-0.1 * size, size), "effective": (-900.0, 900.0 * size), "block": None},
            1e6 / (k + 1) if k % 2 else None,
        )
        for k in range(many)
    ]


@pytest.mark.parametrize("many", [1, 24])
@pytest.mark.parametrize("size", [1e-6, 0.4, 30.0])
def test_long_names_and_endless_intervals_stay_legible(many: int, size: float) -> None:
    drawn = error_dots(some_paths(many, size), title="What p-values count — all pixels", chosen="effective")
    assert_legible(drawn)
    assert "goes on" in drawn


def test_many_paths_are_cut_and_counted(run: RunTables) -> None:
    errors = run.tables["coefficient_errors"]
    more = [
        errors.assign(term=errors["term"] + f"_{k}", std_estimate=errors["std_estimate"] / (k + 2))
        for k in range(6)
    ]
    crowded = RunTables({**run.tables, "coefficient_errors": pd.concat([errors, *more])}, run.meta)
    many = len(path_intervals(crowded, "nep-paths", "all"))
    assert many > MOST_PATHS
    assert f"The {MOST_PATHS} largest of {many} paths" in errors_caption(crowded, "nep-paths", "all")
    drawn = make_figures(crowded)["nep-paths", "all"]["errors.svg"]
    assert_legible(drawn)
    assert drawn.count("→") == 2 * MOST_PATHS  # the name, and the tooltip


@pytest.mark.parametrize("panels", [1, 4, 12])
def test_sweeps_stay_legible(panels: int) -> None:
    found = [
        SweepPanel(
            f"maximum_potential_evapotranspiration_{k} → log(NEP)",
            tuple((1e4 * j, (j - 3) * 10.0 ** (k - 4)) for j in range(9)),
            tuple((1e4 * j, 1e9 if j == 8 else 10.0 ** (k - 4)) for j in range(9)) if k % 2 else (),
        )
        for k in range(panels)
    ]
    drawn = sweep_lines(
        found, title="Slopes as the cut moves", caption="Threshold of NEP; pixels above it are fitted"
    )
    assert_legible(drawn)
    assert ("truncated regression" in drawn) == (panels > 1)


def test_hostile_names_are_escaped(run: RunTables) -> None:
    bad = "<script>alert('x')</script>"
    tables = {
        name: frame.map(lambda v: v.replace("climate", bad) if isinstance(v, str) else v)
        for name, frame in run.tables.items()
    }
    hostile = RunTables(tables, run.meta)
    assert page_of(hostile).count("<script>") == 1
    for drawn in make_figures(hostile)["nep-paths", CUT].values():
        assert "<script" not in drawn


def test_the_table_has_an_interval_of_its_own_on_the_standardised_scale() -> None:
    raw = {"estimate": 2.0, "std_estimate": 0.5, "conf_low": 1.0, "conf_high": 3.0}
    assert standardised_interval(raw) == (0.25, 0.75)
    assert standardised_interval({**raw, "std_conf_low": 0.2, "std_conf_high": 0.9}) == (0.2, 0.9)


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_shows_what_errors_count(run: RunTables, width: int) -> None:
    output = shown(overview(run), width)
    assert max(map(len, output.splitlines())) <= width
    header = header_of(output)
    assert {"n_effective", "verdict"} <= set(header)
    assert " 212 " in output
    for name in ("coefficient_errors", "threshold_sweep"):
        table = shown(terminal_table(run.tables[name], name), width)
        assert max(map(len, table.splitlines())) <= width
        assert ({"errors"} if name == "coefficient_errors" else {"threshold", "side"}) <= set(
            header_of(table)
        )


@needs_chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_in_a_browser(run: RunTables, tmp_path: Path, width: int) -> None:
    assert_sound_in_a_browser(run, tmp_path, width)
