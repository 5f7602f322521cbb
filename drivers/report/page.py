"""The page: one self-contained index.html from finished tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from markupsafe import Markup

from drivers.report.change_rows import series_of
from drivers.report.change_wording import asked_words, changed_words
from drivers.report.fit_wording import verdict
from drivers.report.numbers import count, is_missing, unit
from drivers.report.run_tables import RunTables, text, truth
from drivers.report.sections import COMPARISONS, SECTIONS, VERDICTS, Comparison, Section
from drivers.report.svg import group_colours
from drivers.report.templating import render
from drivers.report.wording import cautions, failures, notes, options_text, selecting_strata

Figures = Mapping[tuple[str, str], Mapping[str, str]]
"""(model, stratum) -> short file name -> SVG.

The stratum is empty for figures of all strata together; of a comparison of all models the model is empty and
the stratum is its slug.
"""


def make_figures(run: RunTables) -> dict[tuple[str, str], dict[str, str]]:
    """All figures of a run, by model and stratum; fits that failed have none."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for model in (str(m["name"]) for m in run.models):
        section = SECTIONS.get(run.method(model))
        for stratum in run.fitted(model):
            done = text(run.fit(model, stratum).get("status")) != "failed"
            found[model, stratum] = section.figures(run, model, stratum) if section and done else {}
        if section and (drawn := section.figures(run, model, "")):
            found[model, ""] = drawn
    for part in COMPARISONS:
        if _present(run, part) and (drawn := part.figures(run)):
            found["", part.slug] = drawn
    return found


def _present(run: RunTables, part: Comparison) -> bool:
    return any(run.rows(table) for table in part.tables)


def slugs(run: RunTables) -> dict[tuple[str, str], str]:
    """A name for each (model, stratum), (model, "") for the model, and for each comparison of all models.

    They are safe in links and on every disk.

    Two that would be the same, even on a disk that ignores case, are told apart by a number.
    """
    found = {("", part.slug): part.slug for part in COMPARISONS if _present(run, part)}
    taken = {"asked", "strata", "main", "made", "truncation", *(part.slug for part in COMPARISONS)}
    for model in (str(m["name"]) for m in run.models):
        for stratum in ("", *run.fitted(model)):
            plain = "--".join(_plain(part) for part in (model, stratum) if part)
            slug, k = plain, 2
            while slug.casefold() in taken:
                slug, k = f"{plain}-{k}", k + 1
            taken.add(slug.casefold())
            found[model, stratum] = slug
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:60] or "x"


def render_page(run: RunTables, figures: Figures) -> str:
    """The whole of index.html. Made of `run` alone: no clock, no path, no randomness."""
    names = slugs(run)
    meta = run.meta
    table = meta.get("table") or {}
    response = meta.get("response") or {}
    simulated = (
        text(table.get("simulated")) if table.get("simulated") is not True else "Nothing here was measured."
    )
    rows = [{**row, "selects": truth(row.get("selects_on_response"))} for row in run.rows("strata")]
    n = table.get("n")
    page = render(
        "index.html",
        css=Markup(resources.files("drivers.report").joinpath("templates/report.css").read_text("utf-8")),
        study=text(meta.get("study")),
        title=text(meta.get("title")) or text(meta.get("study")) or "Driver report",
        lead=_lead(run),
        simulated=simulated,
        failures=[
            {"model": model, "stratum": stratum, "reason": why, "slug": names.get((model, stratum), "main")}
            for model, stratum, why in failures(run)
        ],
        fit_count=len(run.rows("fit")),
        warnings=[str(w) for w in meta.get("warnings") or []],
        response=run.response,
        response_unit=text(response.get("unit")),
        source=text(table.get("source")),
        n=n,
        coordinates=bool(table.get("coordinates")),
        crs=text(table.get("crs")),
        groups=_driver_groups(run),
        colours=group_colours(g for g in run.groups.values() if g),
        models=[_model(run, m, names, figures) for m in run.models],
        comparisons=[
            {"slug": part.slug, "title": part.title, "body": body, "links": part.links(run)}
            for part in COMPARISONS
            if (body := part.render(run, figures.get(("", part.slug), {})))
        ],
        strata_names=run.strata,
        strata_rows=rows,
        selecting=selecting_strata(run),
        seed=meta.get("seed"),
        over_years=[asked_words(series) for series in series_of(run)],
        summarised=bool(run.response) or any(not is_missing(row.get("mean")) for row in rows),
        versions=sorted((meta.get("versions") or {}).items()),
        digests=_digests(meta.get("sha256") or {}),
    )
    return str(page)


def _lead(run: RunTables) -> str:
    """One sentence: what on what, and what changed, on how many pixels, in how many strata."""
    drivers = run.meta.get("drivers") or []
    n = (run.meta.get("table") or {}).get("n")
    changed = changed_words(run)
    asked = bool(run.response and drivers)
    if is_missing(n) or not (asked or changed):
        return ""
    groups = len({text(d.get("group")) for d in drivers} - {""})
    in_groups = f" in {groups} groups" if groups > 1 else ""
    strata = f", in {len(run.strata)} strata" if len(run.strata) > 1 else ""
    where = f"on {count(n)} pixels{strata}."
    if not asked:
        return f"How {changed} {where}"
    measure = unit((run.meta.get("response") or {}).get("unit"))
    of = f"{run.response} ({measure})" if measure else run.response
    also = f", and how {changed}," if changed else ""
    return f"What {len(drivers)} drivers{in_groups} do to {of}{also} {where}"


def _driver_groups(run: RunTables) -> list[tuple[str, list[dict[str, Any]]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for driver in run.meta.get("drivers") or []:
        line = {
            "name": text(driver.get("name")),
            "unit": text(driver.get("unit")),
            "categorical": truth(driver.get("categorical")),
        }
        found.setdefault(text(driver.get("group")), []).append(line)
    return list(found.items())


def _model(
    run: RunTables, model: Mapping[str, Any], names: Mapping[tuple[str, str], str], figures: Figures
) -> dict[str, Any]:
    name = str(model["name"])
    section = SECTIONS.get(run.method(name))
    return {
        "name": name,
        "title": text(model.get("title")) or name,
        "method": run.method(name),
        "formula": text(model.get("formula")).strip("\n"),
        "options": options_text(model.get("options")),
        "slug": names[name, ""],
        "overview": section.overview(run, name) if section else Markup(""),
        "strata": [_stratum(run, name, s, section, names, figures) for s in run.fitted(name)],
    }


def _stratum(
    run: RunTables,
    model: str,
    stratum: str,
    section: Section | None,
    names: Mapping[tuple[str, str], str],
    figures: Figures,
) -> dict[str, Any]:
    found = VERDICTS.get(run.method(model), verdict)(run.fit(model, stratum))
    failed = found.sentences[0] if found.key == "failed" else ""
    body = Markup("")
    if not failed and section is not None:
        body = section.render(run, model, stratum, figures.get((model, stratum), {}))
    return {
        "name": stratum,
        "slug": names[model, stratum],
        "verdict": found,
        "failed": failed,
        "cautions": cautions(run, model, stratum),
        "notes": notes(run, model, stratum),
        "body": body,
    }


def _digests(sha256: Mapping[str, Any]) -> list[tuple[str, str]]:
    """spec, each model, table: nested maps are flattened."""
    found = []
    for name in sorted(sha256):
        value = sha256[name]
        if isinstance(value, Mapping):
            found += [(f"{name} {inner}", text(value[inner])) for inner in sorted(value)]
        elif not is_missing(value):
            found.append((name, text(value)))
    return found
