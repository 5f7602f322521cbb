"""What the report shows of a latent-variable model (covariance SEM)."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from drivers.report.diagram import path_diagram
from drivers.report.effect_blocks import effect_blocks, effect_figures, side_by_side, total_effects
from drivers.report.group_ladder import READ, ladders
from drivers.report.lsem_rows import (
    HEADINGS,
    effect_responses,
    explained,
    is_fixed,
    large_residuals,
    largest_residuals,
    latent_diagram,
    latents,
    modifications,
    parameters,
    residual_order,
    residuals,
    standardised,
)
from drivers.report.lsem_wording import COUNTED_BY, CUT_OFFS, NAMES, index_lines, latent_verdict
from drivers.report.numbers import is_missing, stratum_label
from drivers.report.psem_inference import ERRORS, errors_caption, inference_figures
from drivers.report.residual_triangle import LARGE, residual_triangle
from drivers.report.run_tables import RunTables, number_or_none, text
from drivers.report.svg import group_colours
from drivers.report.templating import figure_of, render
from drivers.report.wording import errors_of

DIAGRAM = "paths.svg"
RESIDUALS = "residuals.svg"
SIZED = (DIAGRAM, ERRORS, RESIDUALS)
"""Figures that shrink only so far on a small screen."""
SIDE_BY_SIDE = ("loadings", "regressions", "covariances", "defined")
"""The kinds of parameters that the table of strata holds."""


class LsemSection:
    """Fit, path diagram, effects, parameters, residuals and what would change the fit."""

    method = "lsem"

    def figures(self, run: RunTables, model: str, stratum: str) -> dict[str, str]:
        """The path diagram, effect bars, intervals by way of counting, and the residuals."""
        nodes, edges, last = latent_diagram(run, model, stratum)
        if not nodes:
            return {}
        where = stratum_label(stratum)
        colours = group_colours(g for g in run.groups.values() if g)
        title = f"{run.title(model)} — {where}"
        found = {DIAGRAM: path_diagram(nodes, edges, title=title, response=last, colours=colours)}
        found |= effect_figures(run, model, stratum, effect_responses(run, model), colours)
        found |= inference_figures(run, model, stratum)
        left = residuals(run, model, stratum)
        if largest_residuals(left):
            found[RESIDUALS] = residual_triangle(
                residual_order(run, model, stratum), left, title=f"What the model leaves — {where}"
            )
        return found

    def render(self, run: RunTables, model: str, stratum: str, figures: Mapping[str, str]) -> Markup:
        """The section of one fitted stratum."""
        fit = run.fit(model, stratum)
        rows = run.rows("coefficients", model=model, stratum=stratum)
        effects = run.rows("effects", model=model, stratum=stratum)
        left = residuals(run, model, stratum)
        names = latents(run, model, stratum)
        return render(
            "lsem.html",
            fit=fit,
            verdict=latent_verdict(fit),
            tested=(number_or_none(fit.get("chisq_df")) or 0.0) > 0,
            indices=index_lines(fit),
            explained=explained(run, model, stratum),
            latents=names,
            figures={name: Markup(svg) for name, svg in figures.items()},
            diagram=DIAGRAM,
            sized={name: figure_of(figures[name]) for name in SIZED if name in figures},
            errors_figure=ERRORS,
            errors_caption=errors_caption(run, model, stratum),
            errors=errors_of(fit),
            neighbours=errors_of(fit) in COUNTED_BY and errors_of(fit) != "robust",
            adjusted=any(not is_missing(r.get("p_adjusted")) for r in rows),
            spatial=any(not is_missing(r.get("n_effective")) for r in rows),
            block=any(not is_missing(r.get("p_block")) for r in rows),
            blocks=effect_blocks(run, model, stratum, effect_responses(run, model), figures),
            specific=[r for r in effects if r.get("kind") == "indirect" and text(r.get("driver"))],
            parameters=parameters(run, model, stratum),
            refused=any(is_missing(r.get("p_value")) and not is_fixed(r) for r in rows),
            residuals_figure=RESIDUALS,
            largest=largest_residuals(left),
            large=large_residuals(left),
            large_from=LARGE,
            modifications=modifications(run, model, stratum),
        )

    def overview(self, run: RunTables, model: str) -> Markup:
        """Fit, parameters and total effects of all strata side by side, and the ladder of each family."""
        strata = run.fitted(model)
        if len(strata) < 2:
            return Markup("")
        fits = [run.fit(model, s) for s in strata]
        subjects = dict.fromkeys(name for s in strata for name, _ in explained(run, model, s))
        by_name = [dict(explained(run, model, s)) for s in strata]
        blocks = [
            (HEADINGS[kind], side_by_side([standardised(run, model, s, kind) for s in strata], lambda c: c))
            for kind in SIDE_BY_SIDE
        ]
        return render(
            "lsem_overview.html",
            strata=strata,
            fits=fits,
            verdicts=[latent_verdict(fit) for fit in fits],
            counted=any(not is_missing(fit.get("n_effective")) for fit in fits),
            indices=[(NAMES[name], name) for name in CUT_OFFS],
            cut_offs=CUT_OFFS,
            explained=[(name, [found.get(name) for found in by_name]) for name in subjects],
            blocks=[*blocks, *total_effects(run, model, strata, effect_responses(run, model))],
            ladders=ladders(run, model),
            ladder_read=READ,
            score_tests_plain=any(
                errors_of(fit) in COUNTED_BY and errors_of(fit) != "robust" for fit in fits
            ),
        )
