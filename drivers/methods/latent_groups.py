"""Strata of one family in one latent model: what can be held equal over them, step by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.methods.latent_fit import LatentFit, latent_moments, test_of_tails
from drivers.methods.latent_layout import Entry, Layout
from drivers.methods.sample import listed
from drivers.spec.lsem_options import Equal
from drivers.stats.blas import one_blas_thread
from drivers.stats.sem_checks import improper, unidentified
from drivers.stats.sem_dependence import dependent_test
from drivers.stats.sem_errors import block_sums
from drivers.stats.sem_fit import Fit, fit_moments
from drivers.stats.sem_indices import fit_measures
from drivers.stats.sem_missing import fit_rows
from drivers.stats.sem_modification import release_tests
from drivers.stats.sem_moments import SampleMoments
from drivers.stats.sem_scaling import ChiSquare, difference_test, plain_test, scaled_test
from drivers.stats.sem_structure import DIRECTED, MEAN, Cell, Structure, independence
from drivers.stats.tails import log_p_chi2

Array = NDArray[np.float64]
Row = dict[str, Any]

TOLERANCE = 1e-4
"""Of χ², by which a step may seem to fit better than one with fewer equalities."""

FREE = "free"
"""The first step: nothing is shared."""

OPERATORS: dict[Equal, str] = {"loadings": "=~", "intercepts": "~1", "regressions": "~"}


@dataclass(frozen=True, slots=True)
class _Numbered:
    """The cells of all groups, and of every cell the entry and group it comes from."""

    cells: list[Cell]
    entries: list[Entry]


@one_blas_thread()
def group_records(fits: Sequence[LatentFit]) -> dict[str, list[Row]]:
    """The rows of group_ladder and group_release, each with its family as `stratum`.

    A family is compared where at least two of its strata were fitted on the same columns and share no pixel.
    """
    ladder: list[Row] = []
    release: list[Row] = []
    for family, members in _families(fits).items():
        reason = _incomparable(members)
        if reason:
            ladder.append({"stratum": family, "held_equal": FREE, "status": "failed", "message": reason})
            continue
        steps, released = _climb(members)
        left_out = _left_out(members)
        for row in steps:
            row["message"] = "; ".join(filter(None, [row["message"], left_out]))
        ladder += [{"stratum": family, **row} for row in steps]
        release += [{"stratum": family, **row} for row in released]
    return {name: rows for name, rows in (("group_ladder", ladder), ("group_release", release)) if rows}


def _families(fits: Sequence[LatentFit]) -> dict[str, list[LatentFit]]:
    found: dict[str, list[LatentFit]] = {}
    for fit in fits:
        stratum = fit.sample.stratum
        if stratum.levels and fit.model.options.equal:
            found.setdefault("*".join(family for family, _ in stratum.levels), []).append(fit)
    return {family: members for family, members in found.items() if len(members) > 1}


def _incomparable(members: Sequence[LatentFit]) -> str:
    """Why strata cannot be fitted together; empty where they can."""
    first = set(members[0].layout.names)
    for other in members[1:]:
        apart = sorted(first ^ set(other.layout.names))
        if apart:
            return f"not all strata have {listed(apart)}: they cannot be fitted together"
    share = members[0].sample.partition.share_pixels
    if any(share(a.sample.stratum, b.sample.stratum) for a, b in combinations(members, 2)):
        return "strata with pixels in common cannot be fitted together"
    return ""


def _left_out(members: Sequence[LatentFit]) -> str:
    """Which strata of the family have no fit of their own, and so no part in the ladder."""
    fitted = {m.sample.stratum.label for m in members}
    family = [name for name, _ in members[0].sample.stratum.levels]
    every = members[0].sample.partition.strata
    lost = [s.label for s in every if [n for n, _ in s.levels] == family and s.label not in fitted]
    return f"without {listed(lost)}, which could not be fitted" if lost else ""


def _climb(members: Sequence[LatentFit]) -> tuple[list[Row], list[Row]]:
    """Every step of the ladder; each tested against the one before it."""
    options, layout = members[0].model.options, _with_means(members[0])
    wanted = [what for what in options.equal if any(e.operator == OPERATORS[what] for e in layout.entries)]
    steps = [tuple(wanted[:i]) for i in range(len(wanted) + 1)]
    ladder: list[Row] = []
    release: list[Row] = []
    before: Fit | None = None
    every = [_number(members, layout, equal) for equal in steps]
    structures = [layout.with_cells(numbered.cells, len(members)) for numbered in every]
    fits = [_fitted(members, structure, layout) for structure in structures]
    for i in reversed(range(len(fits) - 1)):
        # What holds more equal cannot fit better: its optimum leads out of a lesser one.
        if fits[i + 1].converged and not fits[i].chisq <= fits[i + 1].chisq + TOLERANCE:
            fits[i] = _fitted(members, structures[i], layout, fits[i + 1])
    for equal, numbered, fit in zip(steps, every, fits, strict=True):
        reason = _fault(layout, numbered, fit)
        if reason:
            step = equal[-1] if equal else FREE
            ladder.append({"held_equal": step, "status": "failed", "message": reason})
            break
        ladder.append(_step_row(members, layout, fit, equal, before))
        release += _release_rows(members, layout, fit, equal)
        before = fit
    return ladder, release


def _fault(layout: Layout, numbered: _Numbered, fit: Fit) -> str:
    """Why a step has no numbers; empty where it has."""
    if not fit.converged:
        return f"no convergence after {fit.search.steps} steps"
    blamed = unidentified(fit)
    if not blamed:
        return ""
    by_number = {c.number: e for c, e in zip(numbered.cells, numbered.entries, strict=True)}
    named = listed(dict.fromkeys(layout.text(by_number[number]) for number in blamed))
    return f"not identified: {named} can change without any change of what the model implies"


def _with_means(first: LatentFit) -> Layout:
    """The layout with intercepts, where the ladder asks for them."""
    layout = first.layout
    if layout.means or "intercepts" not in first.model.options.equal:
        return layout
    fixed = layout.exogenous if layout.fixed_x else ()
    added = [Entry("~1", i, i) for i in range(layout.observed) if i not in fixed]
    return replace(layout, means=True, entries=(*layout.entries, *added))


def _number(members: Sequence[LatentFit], layout: Layout, equal: Sequence[Equal]) -> _Numbered:
    """The cells of all groups with their parameters; equal ones have one number."""
    options = members[0].model.options
    shared = {OPERATORS[what] for what in equal}
    latents = range(layout.observed, len(layout.names))

    def together(entry: Entry) -> bool:
        """Whether a parameter is one in all groups."""
        if entry.operator not in shared or (entry.operator == "~1" and entry.left in latents):
            return False
        return layout.key(entry) not in members[0].model.partial

    # What one label makes equal within a group stays equal where any of it is shared by the groups.
    labels = {entry.label for entry in layout.entries if entry.label and together(entry)}
    numbers: dict[object, int] = {}
    cells: list[Cell] = []
    entries: list[Entry] = []
    for group in range(len(members)):
        own = list(layout.entries)
        if group and "=~" in shared and options.scale == "unit":
            # Loadings of the first group give the unit; the others have variances of their own.
            own = [
                replace(e, value=math.nan)
                if e.operator == "~~" and e.left == e.right and e.left in latents
                else e
                for e in own
            ]
        if group and "~1" in shared:
            given = {e.left for e in own if e.operator == "~1"}
            own += [Entry("~1", latent, latent) for latent in latents if latent not in given]
        for at, entry in enumerate(own):
            one = entry.label in labels if entry.label else together(entry)
            key = (entry.label or at, -1 if one else group)
            number = numbers.setdefault(key, len(numbers)) if entry.free else -1
            cells.append(entry.cell(number, group))
            entries.append(entry)
    return _Numbered(cells, entries)


def _fitted(
    members: Sequence[LatentFit], structure: Structure, layout: Layout, near: Fit | None = None
) -> Fit:
    """The optimum of all groups; the search begins at a fit of more restrictions, if one is given."""
    options = members[0].model.options
    if options.missing == "ml":
        rows = [m.rows for m in members if m.rows is not None]
        return fit_rows(structure, rows)
    begin = None if near is None else _parameters_at(structure, near)
    wishart = options.likelihood == "wishart"
    return fit_moments(structure, _moments(members, layout), wishart=wishart, begin=begin)


def _parameters_at(structure: Structure, fit: Fit) -> Array:
    """The parameters of a structure at the estimates of another fit of the same variables, shape (k,)."""
    found = np.zeros(structure.parameters)
    for i in np.flatnonzero(structure.number >= 0):
        cell = structure.cell(int(i))
        if cell.matrix == MEAN:
            found[cell.number] = fit.intercept[cell.group, cell.row]
        else:
            matrix = fit.directed if cell.matrix == DIRECTED else fit.symmetric
            found[cell.number] = matrix[cell.group, cell.row, cell.column]
    return found


def _moments(members: Sequence[LatentFit], layout: Layout) -> SampleMoments:
    each = [latent_moments(m.sample, layout) for m in members]
    return SampleMoments(
        *(np.concatenate([getattr(o, name) for o in each]) for name in ("n", "mean", "covariance"))
    )


def _step_row(
    members: Sequence[LatentFit],
    layout: Layout,
    fit: Fit,
    equal: Sequence[Equal],
    before: Fit | None,
) -> Row:
    """A step's fit, and its difference from the step before by the chosen errors and by classical ones."""
    step = equal[-1] if equal else FREE
    if members[0].model.options.missing == "ml":
        baseline = fit_rows(independence(fit.structure), [m.rows for m in members if m.rows is not None])
    else:
        baseline = fit_moments(independence(fit.structure), _moments(members, layout), wishart=fit.wishart)
    measures, test = fit_measures(fit, baseline), _test(members, layout, fit)
    row: Row = {
        "held_equal": step,
        "status": "ok",
        "message": "",
        "chisq": measures.chisq,
        "chisq_df": measures.df,
        "chisq_p": math.exp(test.log_p) if fit.df else math.nan,
        "aic": measures.aic,
        "bic": measures.bic,
        "cfi": measures.cfi,
        "rmsea": measures.rmsea.rmsea,
        "srmr": measures.srmr,
    }
    messages: list[str] = []
    if before is not None and fit.df > before.df:
        simple = difference_test(plain_test(fit), plain_test(before))
        own = _difference(members, layout, fit, before)
        row |= {
            "chisq_difference": simple.chisq,
            "df": simple.df,
            "statistic": own.chisq,
            "p_value": math.exp(own.log_p),
            "p_classical": math.exp(simple.log_p),
        }
        test = own
        if simple.chisq < -TOLERANCE:
            # What holds more equal cannot fit better: the search before this one missed the optimum.
            row |= dict.fromkeys(("chisq_difference", "statistic", "p_value", "p_classical"), math.nan)
            messages.append("fits better than the step before, whose search found a lesser optimum: no test")
    if fit.df and math.isnan(test.log_p) and members[0].chosen == "effective":
        messages.append("too few independent pixels in a stratum for a test")
    bad = improper(fit)
    groups = sorted({g for g, *_ in (*bad.negative_variance, *bad.correlation)} | {*bad.latent})
    if groups:
        named = listed(members[g].sample.stratum.label for g in groups)
        messages.append(f"improper solution in {named}")
    row["message"] = "; ".join(messages)
    return row


def _test(members: Sequence[LatentFit], layout: Layout, fit: Fit) -> ChiSquare:
    """χ² of all groups, scaled for what the chosen errors count."""
    near = [m.sample.vicinity for m in members if m.sample.vicinity is not None]
    kind, options = members[0].chosen, members[0].model.options
    if options.test != "standard" and fit.df:
        rows = [m.rows for m in members if m.rows is not None]
        return test_of_tails(fit, rows, options)
    if kind == "block" and fit.df and all(v.moments.n_blocks > 1 for v in near):
        return scaled_test(fit, [block_sums(v.moments, layout.columns) for v in near], "satorra_bentler")
    if kind == "effective" and fit.df:
        return dependent_test(fit, [v.dependence for v in near], layout.columns)
    return plain_test(fit)


def _difference(members: Sequence[LatentFit], layout: Layout, fit: Fit, before: Fit) -> ChiSquare:
    """The difference of two steps, scaled in the same way."""
    if members[0].chosen == "effective" and members[0].model.options.test == "standard":
        near = [m.sample.vicinity for m in members if m.sample.vicinity is not None]
        return dependent_test(fit, [v.dependence for v in near], layout.columns, before)
    return difference_test(_test(members, layout, fit), _test(members, layout, before))


def _release_rows(
    members: Sequence[LatentFit], layout: Layout, fit: Fit, equal: Sequence[Equal]
) -> list[Row]:
    """Which equality would be given up first: score tests of the parameters that this step made equal."""
    if not equal or not fit.converged:
        return []
    tests = release_tests(fit)
    places = {(e.operator, e.cell(0)[:3]): e for e in layout.entries}
    rows: list[Row] = []
    for cell, index, change in zip(tests.cells, tests.index.tolist(), tests.change.tolist(), strict=True):
        entry = next((e for (_, place), e in places.items() if place == cell[:3]), None)
        if entry is None or entry.operator != OPERATORS[equal[-1]] or math.isnan(index):
            continue
        left, right = (entry.right, entry.left) if entry.operator == "=~" else (entry.left, entry.right)
        rows.append(
            {
                "held_equal": equal[-1],
                "of_stratum": members[cell.group].sample.stratum.label,
                "response": layout.names[left],
                "op": entry.operator,
                "term": "1" if entry.operator == "~1" else layout.names[right],
                "mi": index,
                "p_value": float(np.exp(log_p_chi2(index, 1))),
                "epc": change,
            }
        )
    return sorted(rows, key=lambda row: -float(row["mi"]))
