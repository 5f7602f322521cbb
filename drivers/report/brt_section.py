"""What the report shows of boosted regression trees."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from markupsafe import Markup

from drivers.report.brt_figures import (
    CURVES,
    DOTS,
    DRIVERS,
    GROUPS,
    LEVELS,
    STRATA,
    SWARM,
    SWARMS,
    H,
    across,
    overview_figures,
    stratum_figures,
)
from drivers.report.brt_rows import MEASURES, leading, pair_rows, settings, share_rows, simplified
from drivers.report.brt_wording import (
    SAID,
    SCHEMES,
    competition,
    findings,
    headline,
    reading,
    side_of_blocks,
    simplification,
    swarm_caption,
    warnings,
)
from drivers.report.geodetector_rows import finite
from drivers.report.run_tables import Row, RunTables, text
from drivers.report.templating import figure_of, render

LISTED = 15
"""Pairs that the page lists, strongest first; tree_interactions.csv has all."""
BEST = 12
"""Settings that the page lists, best first, where more competed; tuning.csv has all."""
POOLED = "all"
"""The fold of pooled predictions in cv.csv."""


class BrtSection:
    """R² by scheme, shares, SHAP values, dependence curves, pairs, folds, and how the trees were chosen."""

    method = "brt"

    def figures(self, run: RunTables, model: str, stratum: str) -> dict[str, str]:
        """The figures of one stratum; those of the side-by-side part where `stratum` is empty."""
        return stratum_figures(run, model, stratum) if stratum else overview_figures(run, model)

    def render(self, run: RunTables, model: str, stratum: str, figures: Mapping[str, str]) -> Markup:
        """The section of one fitted stratum."""
        key = {"model": model, "stratum": stratum}
        rows = share_rows(run, model, stratum)
        groups = share_rows(run, model, stratum, groups=True)
        fit = run.fit(model, stratum)
        pairs = pair_rows(run, model, stratum)
        kinds = {text(r.get("kind")) for r in run.rows("curves", **key)}
        tuning = settings(run.rows("tuning", **key), BEST)
        trail = simplified(run, model, stratum)
        curves = [name for name in figures if re.fullmatch(rf"{CURVES}(-\d+)?\.svg", name)]
        cv = run.rows("cv", **key)
        return render(
            "brt.html",
            fit=fit,
            headline=headline(fit),
            findings=[*findings(rows, pairs), *simplification(trail, fit)],
            warnings=warnings(fit),
            reading=reading(rows, groups, fit, kinds, pairs),
            block_side=side_of_blocks(fit.get("block_side"), geographic=run.geographic),
            first=stratum == next((s for s in run.fitted(model) if share_rows(run, model, s)), ""),
            bars=[figure_of(figures[name]) for name in (DRIVERS, GROUPS) if name in figures],
            tables=[(what, shown) for what, shown in (("driver", rows), ("group", groups)) if shown],
            measures={
                what: [m for m in MEASURES if any(m in r.shares for r in shown)]
                for what, shown in (("driver", rows), ("group", groups))
            },
            said=SAID,
            pooled=_folds(cv, pooled=True),
            folds=_folds(cv, pooled=False),
            has={name: any(finite(r.get(name)) is not None for r in cv) for name in ("deviance", "auc")},
            trail=trail,
            tuning=tuning if tuning.tried > 1 else None,
            competition=competition(tuning, BEST),
            has_deviance=any(finite(r.get("deviance")) is not None for r in tuning.listed),
            curves=[figure_of(figures[name]) for name in (*curves[:1], LEVELS) if name in figures],
            more_curves=[figure_of(figures[name]) for name in curves[1:]],
            triangle=[figure_of(figures[name]) for name in (H,) if name in figures],
            pairs=pairs[:LISTED],
            all_pairs=len(pairs),
            has_h=any(p.h is not None for p in pairs),
            has_shap=any(p.shap is not None for p in pairs),
            swarm=[(figure_of(figures[SWARM]), _swarm_words(run, model, stratum))]
            if SWARM in figures
            else [],
        )

    def overview(self, run: RunTables, model: str) -> Markup:
        """Shares of every driver in every stratum with ranks, and the R² of the strata side by side."""
        strata = run.fitted(model)
        if len(strata) < 2:
            return Markup("")
        columns = {s: share_rows(run, model, s) for s in strata}
        figures = self.figures(run, model, "")
        fits = [run.fit(model, s) for s in strata]
        lines = [
            (words, [finite(f.get(name)) for f in fits])
            for name, words in (
                *((f"r2_{scheme}", f"R², {words}") for scheme, words in SCHEMES.items()),
                ("r2_gap", "random less block"),
            )
        ]
        found = [({row.name: row for row in columns[s]}, leading(columns[s])) for s in strata]
        grid = [
            (
                row.name,
                row.group,
                [(of[row.name].shares.get(lead), of[row.name].rank) if row.name in of else (None, None)
                 for of, lead in found],
            )
            for row in across(columns)
        ]  # fmt: skip
        return render(
            "brt_overview.html",
            strata=strata,
            fits=fits,
            lines=[(words, cells) for words, cells in lines if any(c is not None for c in cells)],
            grid=grid,
            figures=[figure_of(figures[STRATA])] if STRATA in figures else [],
            leads=[SAID[m] for m in MEASURES if any(m == leading(rows) for rows in columns.values() if rows)],
        )


def _swarm_words(run: RunTables, model: str, stratum: str) -> str:
    rows = run.rows("shap_values", model=model, stratum=stratum)
    pixels = Counter(text(r.get("driver")) for r in rows if finite(r.get("value")) is not None)
    sampled = [r.get("n") for r in run.rows("importance", model=model, stratum=stratum, measure="shap")]
    known = [n for value in sampled if (n := finite(value)) is not None]
    return swarm_caption(int(max(known, default=0)) or max(pixels.values()), DOTS, len(pixels), SWARMS)


def _folds(rows: list[Row], *, pooled: bool) -> list[tuple[str, str, Row]]:
    """(scheme in words, fold, row) by scheme; the pooled rows, or those of single folds."""
    named = [(text(r.get("scheme")), text(r.get("fold")).removesuffix(".0"), r) for r in rows]
    have = {scheme for scheme, fold, _ in named if fold == POOLED}
    found = [
        (scheme, fold, row)
        for scheme, fold, row in named
        if (fold == POOLED or (scheme == "holdout" and scheme not in have)) == pooled
    ]
    order = list(SCHEMES)
    found.sort(key=lambda f: order.index(f[0]) if f[0] in order else len(order))
    return [(SCHEMES.get(scheme, scheme), fold, row) for scheme, fold, row in found]
