"""The page: what it says, what it escapes, and that it loads in a real browser."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_report_fake import FAILED, STRATA, fake_run

from drivers.report import RunTables, write_report
from drivers.report.page import make_figures, render_page, slugs

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
]


def page_of(run: RunTables) -> str:
    return render_page(run, make_figures(run))


def words_of(page: str) -> str:
    """The page as a reader sees it, on one line."""
    body = re.sub(r"<(style|script|svg).*?</\1>", " ", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", body)).split())


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(fake_run())


def test_the_page_says_what_was_asked(page: str) -> None:
    words = words_of(page)
    for said in (
        "What drives NEP in a simulated Horqin Sandy Land",
        "What 14 drivers in 4 groups do to NEP (g C m⁻² yr⁻¹) on 40\u202f000 pixels, in 8 strata.".replace(
            "\u202f", " "
        ),
        "Simulated data. Pixels were drawn from a planted world",
        "1 of 8 fits failed.",
        "LUCC is constant (7) in this stratum",
        "only 1400 pixels",
        "A cut on the response truncates it: slopes and R² shrink by construction",
        "they treat neighbouring pixels as independent",
        "Accepted by the field’s rule, P between 0.05 and 1 and C/df between 0 and 2",
        "Rejected by the field’s rule",
        "The largest partial correlation among the claims is r = −0.0440",
        "Planted beside found",
        "Every indirect path",
        "positive by construction",
        "This stratum could not be fitted.",
    ):
        assert " ".join(said.split()) in words, said


def test_every_stratum_has_a_section_and_a_link(page: str) -> None:
    names = slugs(fake_run())
    for stratum in STRATA:
        slug = names["nep-paths", stratum]
        assert f'<section class="stratum" id="{slug}">' in page
        assert f'href="#{slug}"' in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_the_page_is_self_contained_and_has_no_clock(page: str) -> None:
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "@import" not in page
    assert not re.search(r"\b20\d\d-\d\d-\d\dT", page)
    assert page == page_of(fake_run())


def test_missing_values_never_show(page: str) -> None:
    words = words_of(page)
    assert not re.search(r"\b(nan|NaN|None|<NA>|NaT)\b", words)


def test_hostile_names_are_escaped_everywhere() -> None:
    run, bad = fake_run(), "<script>alert('x')</script>"
    tables = {
        name: frame.map(lambda v: v.replace("TEM", bad).replace("LUCC", bad) if isinstance(v, str) else v)
        for name, frame in run.tables.items()
    }
    tables["strata"]["stratum"] = tables["strata"]["stratum"].replace("all", bad)
    tables["fit"]["stratum"] = tables["fit"]["stratum"].replace("all", bad)
    meta = {
        **run.meta,
        "title": bad,
        "study": bad,
        "warnings": [bad, f"`{bad}`"],
        "response": {"name": "NEP", "unit": bad},
    }
    meta["drivers"] = [{**d, "name": d["name"].replace("TEM", bad)} for d in run.meta["drivers"]]
    meta["models"] = [{**run.meta["models"][0], "title": bad, "formula": bad, "options": {bad: bad}}]
    page = page_of(RunTables(tables, meta))
    assert page.count("<script>") == 1  # our own, at the end
    assert "alert(" in page  # it is there, as text
    assert "<script>alert" not in page


def test_failed_saturated_and_no_effects() -> None:
    run = fake_run()
    fit = run.tables["fit"].copy()
    fit["verdict"] = "saturated"
    fit[["fishers_c", "fishers_c_p", "c_per_df", "max_partial_r"]] = np.nan
    tables = {k: v for k, v in run.tables.items() if k not in ("effects", "dsep", "trail", "planted")}
    words = words_of(page_of(RunTables({**tables, "fit": fit}, run.meta)))
    assert "Saturated: every pair of variables is joined by a path" in words
    assert "No effects on NEP are in the tables." in words
    assert "Independence claims" not in words
    assert "Planted beside found" not in words


def with_responses(run: RunTables, names: dict[str, str], responses: list[str] | None) -> RunTables:
    """The run with responses renamed, as a transformed one is, and what run.json says of them."""
    tables = {name: frame.copy() for name, frame in run.tables.items()}
    for name in ("coefficients", "dsep", "effects", "r2", "trail", "planted"):
        tables[name]["response"] = tables[name]["response"].replace(names)
    model = {**run.meta["models"][0]}
    if responses is not None:
        model["responses"] = responses
    return RunTables(tables, {**run.meta, "models": [model]})


@pytest.mark.parametrize("told", [["log(NEP)"], None])
def test_a_transformed_response_keeps_its_effects(told: list[str] | None) -> None:
    run = with_responses(fake_run(), {"NEP": "log(NEP)"}, told)
    words = words_of(page_of(run))
    assert "No effects on" not in words
    assert "Direct, indirect and total effects on log(NEP)" in words
    assert "Total effects of the drivers on log(NEP)" in words
    assert "R² of log(NEP) 0.58" in words.replace("log(NEP)0", "log(NEP) 0")
    assert "log(NEP) per °C" in words
    assert "g C m⁻² yr⁻¹ per °C" not in words
    drawn = make_figures(run)["nep-paths", "all"]
    assert set(drawn) == {"paths.svg", "effects-drivers.svg", "effects-groups.svg"}
    assert "Standardised effect on log(NEP)" in drawn["effects-drivers.svg"]


def test_two_responses_have_a_block_each() -> None:
    run = fake_run()
    more = run.tables["effects"].assign(response="GPP")
    tables = {**run.tables, "effects": pd.concat([run.tables["effects"], more], ignore_index=True)}
    run = with_responses(RunTables(tables, run.meta), {}, ["NEP", "GPP"])
    drawn = make_figures(run)["nep-paths", "all"]
    assert set(drawn) == {
        "paths.svg", "effects-drivers.svg", "effects-groups.svg",
        "effects-drivers-2.svg", "effects-groups-2.svg",
    }  # fmt: skip
    words = words_of(page_of(run))
    for response in ("NEP", "GPP"):
        assert f"Direct, indirect and total effects on {response}" in words
        assert f"Total effects of the groups on {response}" in words
    assert page_of(run).count("<h4>Effects on GPP</h4>") == 7
    ids = re.findall(r'\bid="([^"]+)"', page_of(run))
    assert len(ids) == len(set(ids))


def test_a_model_without_the_studys_response_shows_its_last_one() -> None:
    run = with_responses(fake_run(), {"NEP": "soilwater"}, None)
    assert run.responses("nep-paths") == ["soilwater"]
    words = words_of(page_of(run))
    assert "No effects on" not in words
    assert "Direct, indirect and total effects on soilwater" in words
    told = with_responses(fake_run(), {"NEP": "soilwater"}, ["NEP"])
    assert "No effects on" not in words_of(page_of(told))


def test_the_message_of_a_sound_fit_is_shown_once() -> None:
    run = fake_run()
    fit = run.tables["fit"].copy()
    classical = "the errors are classical, as if neighbouring pixels were independent"
    said = "`a:b` act as drivers of their own: effects that pass through them are not summed"
    fit.loc[fit["status"] == "ok", "message"] = f"{said}; {classical}"
    page = page_of(RunTables({**run.tables, "fit": fit}, run.meta))
    assert page.count("<code>a:b</code> act as drivers of their own") == 7
    assert "The errors are classical" not in words_of(page)
    bare = {**run.meta, "table": {"n": 40000}}  # no coordinates: the page says nothing of them itself
    assert "The errors are classical" in words_of(page_of(RunTables({**run.tables, "fit": fit}, bare)))
    fit = fit.assign(verdict="saturated", message="saturated: no path is missing, so nothing can be tested")
    assert "no path is missing" not in words_of(page_of(RunTables({**run.tables, "fit": fit[:1]}, run.meta)))


def test_a_run_where_everything_failed() -> None:
    run = fake_run()
    fit = run.tables["fit"][["model", "stratum", "method", "n"]].assign(
        status="failed", message="too few pixels"
    )
    words = words_of(page_of(RunTables({"fit": fit, "strata": run.tables["strata"]}, run.meta)))
    assert "8 of 8 fits failed." in words
    assert words.count("Too few pixels.") >= 8


def test_an_empty_run_and_an_unknown_method_still_make_a_page() -> None:
    assert "The run wrote no strata." in words_of(page_of(RunTables({}, {})))
    run = fake_run()
    other = RunTables(run.tables, {**run.meta, "models": [{"name": "nep-paths", "method": "brt"}]})
    assert "All pixels" in words_of(page_of(other))
    empty = {name: frame.iloc[:0] for name, frame in run.tables.items()}
    assert "The run wrote no strata." in words_of(page_of(RunTables(empty, run.meta)))


def test_a_flat_model_with_a_factor_an_interaction_and_effective_pixels() -> None:
    key = {"model": "m", "stratum": "all", "response": "NDVI", "op": "~"}
    rows = [
        {**key, "term": "Climatezone", "statistic": 12.5, "df": 4, "p_value": 1e-9},
        {**key, "term": "Climatezone[Bwk]", "estimate": 0.2, "std_estimate": 0.1, "p_value": 0.01},
        {
            **key,
            "term": "log1p(GDP)",
            "estimate": 0.2,
            "std_estimate": 0.1,
            "p_value": 0.01,
            "n_effective": 44.2,
        },
        {**key, "term": "TEM:PRE", "estimate": 0.2, "std_estimate": -0.1, "p_value": 0.01},
    ]
    fit = {"model": "m", "stratum": "all", "method": "psem", "n": 100, "n_effective": 44.2, "status": "ok"}
    meta = {
        "response": {"name": "NDVI"},
        "drivers": [{"name": n} for n in ("Climatezone", "GDP", "TEM", "PRE")],
        "table": {"n": 100, "coordinates": True},
        "models": [{"name": "m", "method": "psem"}],
    }
    run = RunTables({"coefficients": pd.DataFrame(rows), "fit": pd.DataFrame([fit])}, meta)
    svg = make_figures(run)["m", "all"]["paths.svg"]
    assert "Climatezone[Bwk]" not in svg
    for said in ("factor***", "log1p(GDP)", "TEM × PRE", "stroke-dasharray"):
        assert said in svg
    words = words_of(page_of(run))
    assert "Climatezone[Bwk]" in words
    assert "effective number of independent pixels" in words
    assert "The fewest behind any test here are 44." in words


def test_names_that_differ_only_in_case_or_signs_get_different_slugs() -> None:
    run = fake_run()
    fit = pd.DataFrame({"model": "m", "stratum": ["a=b", "a-b", "A=B", "净"], "status": "ok"})
    found = slugs(replace(run, tables={"fit": fit}, meta={}))
    folded = [slug.casefold() for slug in found.values()]
    assert len(set(folded)) == len(folded) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", slug) for slug in found.values())


PROBE = """<script>
addEventListener("load", function () {
  document.querySelectorAll("details").forEach(function (d) { d.open = true; });
  var faults = [];
  if (document.documentElement.scrollWidth > innerWidth) { faults.push("body " + document.documentElement.scrollWidth + " > " + innerWidth); }
  document.querySelectorAll("svg").forEach(function (svg, k) {
    var paper = svg.getBoundingClientRect();
    svg.querySelectorAll("text").forEach(function (t) {
      var b = t.getBoundingClientRect();
      if (b.left < paper.left - 1 || b.right > paper.right + 1 || b.top < paper.top - 1 || b.bottom > paper.bottom + 1) { faults.push("svg " + k + " clips " + t.textContent); }
    });
    var texts = Array.from(svg.querySelectorAll("text")).map(function (t) { return [t, t.getBoundingClientRect()]; });
    var scale = paper.width / svg.viewBox.baseVal.width;
    for (var i = 0; i < texts.length; i++) for (var j = i + 1; j < texts.length; j++) {
      var a = texts[i][1], b = texts[j][1], slack = 2.6 * scale;
      if (a.left + 1 < b.right && b.left + 1 < a.right && a.top + slack < b.bottom && b.top + slack < a.bottom) { faults.push("svg " + k + ": " + texts[i][0].textContent + " on " + texts[j][0].textContent); }
    }
  });
  document.title = faults.length ? "FAULTS " + faults.slice(0, 5).join(" | ") : "NO FAULTS";
});
</script>"""  # noqa: E501


def assert_sound_in_a_browser(run: RunTables, folder: Path, width: int) -> None:
    """Nothing is wider than the page, no text is clipped or lies on another, and the console is silent."""
    out = folder / "report"
    write_report(run, out)
    probe = out / "probe.html"
    page = (out / "index.html").read_text(encoding="utf-8")
    probe.write_text(page.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900",
         "--enable-logging=stderr", "--v=0", "--dump-dom", probe.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stderr[-2000:]
    assert title.group(1) == "NO FAULTS"
    assert "CONSOLE" not in done.stderr


needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: the page is not looked at"
)


@needs_chromium
@pytest.mark.parametrize("width", [1280, 500])
@pytest.mark.parametrize("members", [None, 14])
def test_the_page_in_a_browser(tmp_path: Path, width: int, members: int | None) -> None:
    assert_sound_in_a_browser(fake_run(members), tmp_path, width)


def test_the_failed_stratum_is_linked_from_the_top(page: str) -> None:
    slug = slugs(fake_run())["nep-paths", FAILED]
    warnings = page[page.index('class="warnings"') : page.index('id="asked"')]
    assert f'href="#{slug}"' in warnings
