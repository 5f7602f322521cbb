"""Strata side by side, and two runs side by side, with tests of difference."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.comparable import common_ground
from drivers.contrasts import (
    Panel,
    agreement_frame,
    comparison_frame,
    make_panel,
    omnibus_frame,
)
from drivers.errors import TableError
from drivers.quantities import (
    QUANTITIES,
    Weights,
    composite_weights,
    differing_composites,
    read_estimates,
)
from drivers.table import Stratum

Tables = Mapping[str, pd.DataFrame]
"""The tables of a run by name, as its CSVs hold them."""

MANY_PAIRS = 6
"""How many pairs of strata a note names before it only counts them."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was found different, and what a reader must know of it.

    Attributes
    ----------
    comparison : a row per number and pair
    comparison_omnibus : a row per number and family of strata; none for two runs
    rank_agreement : a row per model, family, quantity and response
    notes : what was not compared and why; what differences do not mean
    """

    comparison: pd.DataFrame
    comparison_omnibus: pd.DataFrame
    rank_agreement: pd.DataFrame
    notes: tuple[str, ...]


def compare_strata(
    tables: Tables,
    strata: Sequence[Stratum],
    overlapping: Callable[[Stratum, Stratum], bool],
    rng: np.random.Generator,
    *,
    responses: Mapping[str, Sequence[str]] | None = None,
) -> Comparison:
    """Compare the strata of every family (`balance`, `landuse`, `balance*landuse`), model by model.

    Parameters
    ----------
    tables : `coefficients, effects, q, importance`; any may be missing
    strata : in the order of the study
    overlapping : whether two strata have a pixel in common (`Partition.share_pixels`)
    rng : for the intervals of rank agreement
    responses : the responses of each model, for the rows of q and influence

    Returns
    -------
    Rows for pairs that both have a number; a pair with numbers and no standard errors (or, of influence, no
    degrees of freedom) has its difference and no test. p-values are adjusted over all models and families,
    quantity by quantity (Benjamini-Hochberg). `stratum` is the family.

    Notes
    -----
    t = (a - b) / √(v_a + v_b): disjoint strata are taken as independent. Strata that interleave share
    neighbours, whose errors are alike, and a difference varies less than that: the test is conservative, its
    p-values too large rather than too small, and the omnibus test with it. Strata with pixels in common are
    not two samples and are refused with a note; the omnibus test and rank agreement leave out every stratum
    that overlaps another.

    Raw numbers from or to a composite are left out where its weights differ between strata: it is then
    another variable in each. So are effects of groups (`drivers.quantities.QUANTITIES`).

    Examples
    --------
    >>> from drivers.table import Stratum
    >>> low, high = (Stratum(f"use={u}", (("use", u),), False, (i,), 9) for i, u in enumerate("ab"))
    >>> q = {"model": "m", "stratum": ["use=a", "use=b"], "driver": "TEM", "q": [0.6, 0.2]}
    >>> tables = {"q": pd.DataFrame(q | {"std_error": [0.06, 0.08]})}
    >>> rng = np.random.default_rng(1)
    >>> found = compare_strata(tables, [low, high], lambda a, b: False, rng).comparison
    >>> found[["stratum", "driver", "difference", "statistic"]].round(12).values.tolist()
    [['use', 'TEM', 0.4, 4.0]]
    """
    found = read_estimates(tables, responses)
    weights = composite_weights(tables.get("coefficients"))
    by_model = [(str(model), rows) for model, rows in found.groupby("model", sort=False)]
    fitted = set(found["stratum"])
    notes: list[str] = []
    families: dict[tuple[str, ...], dict[str, Stratum]] = {}
    for stratum in strata:
        if stratum.levels and stratum.label in fitted:
            families.setdefault(tuple(f for f, _ in stratum.levels), {})[stratum.label] = stratum
    panels: list[tuple[int, Panel]] = []
    own_scale: dict[str, dict[str, None]] = {}
    for names, members in families.items():
        if len(members) < 2:
            continue
        family = "*".join(names)
        labels = list(members)
        apart = _apart(list(members.values()), overlapping)
        notes += _family_notes(family, list(members.values()), apart)
        for place, (model, rows) in enumerate(by_model):
            here = rows[rows["stratum"].isin(labels)]
            made = [weights[model, label] for label in labels if (model, label) in weights]
            varying = differing_composites(made)
            own_scale.setdefault(model, {}).update(dict.fromkeys(varying))
            panel = _panel(model, family, labels, here, _without_raw(here, varying), made, apart)
            panels += [(place, panel)] if panel is not None else []
    ordered = [panel for _, panel in sorted(panels, key=lambda item: item[0])]
    notes += [note for model, names in own_scale.items() if (note := _scale_note(model, list(names)))]
    notes += _latent_notes(tables, {panel.model for panel in ordered})
    return Comparison(
        comparison_frame(ordered),
        omnibus_frame(ordered),
        agreement_frame(ordered, rng),
        tuple(notes),
    )


def compare_runs(
    tables_a: Tables,
    tables_b: Tables,
    name_a: str,
    name_b: str,
    facts_a: Mapping[str, Any],
    facts_b: Mapping[str, Any],
    rng: np.random.Generator,
) -> Comparison:
    """Compare two finished runs, two regions or two periods: every model and stratum that both have.

    Parameters
    ----------
    tables_a, tables_b : as for `compare_strata`
    name_a, name_b : what to call the runs; two that are equal get ` (a)` and ` (b)`
    facts_a, facts_b : their run.json
    rng : for the intervals of rank agreement

    Returns
    -------
    `stratum` is the stratum's label, `stratum_a` and `stratum_b` are the runs. There is no omnibus test: of
    two it is the square of the difference's.

    Raises
    ------
    TableError
        If nothing can be compared: the same table in both, no model or no stratum in common, or every
        shared model differs; all faults at once.

    Notes
    -----
    The runs are taken as two samples. Two periods of one region share what does not change, so their errors
    are alike and the test is conservative. Strata are the same where their labels are: what cuts them is
    not in the facts of a run. Raw numbers whose units differ are left out, as are those of composites
    whose weights differ.
    """
    if name_a == name_b:
        name_a, name_b = f"{name_a} (a)", f"{name_b} (b)"
    ground = common_ground(facts_a, facts_b, name_a, name_b)
    weights = [composite_weights(tables.get("coefficients")) for tables in (tables_a, tables_b)]
    parts = []
    for run, (tables, facts) in enumerate(((tables_a, facts_a), (tables_b, facts_b))):
        told = {m["name"]: m.get("responses") or [] for m in facts.get("models") or []}
        parts.append(read_estimates(tables, told).assign(run=run))
    found = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    by_fit = dict(list(found.groupby(["model", "stratum"], sort=False)))
    own_scale: dict[str, dict[str, None]] = {}
    panels = []
    for model in ground.models:
        for stratum in ground.strata:
            here = by_fit.get((model, stratum))
            if here is None or here["run"].nunique() < 2:
                continue
            made = [w[model, stratum] for w in weights if (model, stratum) in w]
            varying = differing_composites(made)
            own_scale.setdefault(model, {}).update(dict.fromkeys(varying))
            affected = [n for w in made for n, of in w.items() if any(map(ground.other_unit, of))]
            ends = here["driver"].map(ground.other_unit) | here["response"].map(ground.other_unit)
            kept = _without_raw(here, [*varying, *affected], ends.to_numpy(dtype=np.bool_))
            places = np.array(kept["run"], dtype=np.intp)
            composites = frozenset(name for w in made for name in w)
            labels = (name_a, name_b)
            panels.append(make_panel(model, stratum, labels, kept, places, composites=composites))
    if not panels:
        raise TableError(f"`{name_a}` and `{name_b}` have no model fitted on the same stratum")
    notes = [note for model, names in own_scale.items() if (note := _scale_note(model, list(names)))]
    notes += _latent_notes(tables_a, ground.models)
    notes += _errors_notes(ground.models, (tables_a, tables_b), (name_a, name_b))
    return Comparison(
        comparison_frame(panels),
        omnibus_frame([]),
        agreement_frame(panels, rng),
        (*ground.notes, *notes),
    )


def _panel(
    model: str,
    family: str,
    labels: Sequence[str],
    here: pd.DataFrame,
    kept: pd.DataFrame,
    made: Sequence[Weights],
    apart: NDArray[np.bool_],
) -> Panel | None:
    """One model on the strata of one family that it was fitted on; None with fewer than two."""
    mine = set(here["stratum"])
    index = [i for i, label in enumerate(labels) if label in mine]
    if len(index) < 2:
        return None
    place = {labels[i]: k for k, i in enumerate(index)}
    places = np.array([place[label] for label in kept["stratum"]], dtype=np.intp)
    composites = frozenset(name for weights in made for name in weights)
    return make_panel(model, family, list(place), kept, places, apart[np.ix_(index, index)], composites)


def _without_raw(
    found: pd.DataFrame, composites: Sequence[str], ends: NDArray[np.bool_] | None = None
) -> pd.DataFrame:
    """Without the raw numbers that have no common unit: those of some composites, and further rows."""
    raw = found["quantity"].isin([i for i, quantity in enumerate(QUANTITIES) if quantity.raw])
    apart = found["driver"].isin(composites) | found["response"].isin(composites)
    return found[~(raw & (apart if ends is None else apart | ends))]


def _apart(strata: Sequence[Stratum], overlapping: Callable[[Stratum, Stratum], bool]) -> NDArray[np.bool_]:
    """Which two strata share no pixel, shape (k, k)."""
    apart = ~np.eye(len(strata), dtype=np.bool_)
    for i, j in combinations(range(len(strata)), 2):
        apart[i, j] = apart[j, i] = not overlapping(strata[i], strata[j])
    return apart


def _family_notes(family: str, strata: Sequence[Stratum], apart: NDArray[np.bool_]) -> list[str]:
    notes = []
    pairs = [(i, j) for i, j in combinations(range(len(strata)), 2) if not apart[i, j]]
    if pairs:
        named = "; ".join(f"`{strata[i].label}` and `{strata[j].label}`" for i, j in pairs[:MANY_PAIRS])
        more = f"; and {len(pairs) - MANY_PAIRS} more pairs" if len(pairs) > MANY_PAIRS else ""
        theirs = "their difference cannot be" if len(pairs) == 1 else "their differences cannot be"
        notes.append(
            f"`{family}`: {named}{more} share pixels, so {theirs} tested as if they were two samples; make "
            "the conditions exclude each other"
        )
    if any(stratum.selects_on_response for stratum in strata):
        notes.append(
            f"`{family}`: its strata are cut on the response, which bends every slope, share and q in them; "
            "a difference between two of them need not mean that drivers act differently"
        )
    return notes


def _errors_notes(models: Sequence[str], runs: Sequence[Tables], names: Sequence[str]) -> list[str]:
    """Models whose errors count different things in the two runs."""
    notes = []
    for model in models:
        kinds = []
        for tables in runs:
            fit = tables.get("fit", pd.DataFrame(columns=["model", "errors"]))
            mine = fit[fit["model"] == model] if "errors" in fit else fit[:0]
            kinds.append(
                sorted({str(kind) for kind in mine.get("errors", []) if isinstance(kind, str) and kind})
            )
        if kinds[0] != kinds[1]:
            said = [
                f"{' and '.join(kind) or 'unknown'} in `{name}`"
                for kind, name in zip(kinds, names, strict=True)
            ]
            notes.append(
                f"model `{model}`: errors are {said[0]} and {said[1]}; tests of its differences mix them"
            )
    return notes


def _latent_notes(tables: Tables, compared: Collection[str]) -> list[str]:
    """What the unit of a latent variable means for comparisons, where a compared model has one."""
    table = tables.get("coefficients", pd.DataFrame(columns=["model", "op"]))
    models = [str(name) for name in table.loc[table["op"] == "=~", "model"].unique()]
    return [
        f"model `{model}`: latent variables are in units of their markers, so their raw paths and effects "
        "compare where loadings can be held equal (group_ladder.csv); `std_path` and `std_total_effect` "
        "compare anyway"
        for model in models
        if model in compared
    ]


def _scale_note(model: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    listed = ", ".join(f"`{name}`" for name in names)
    are, them = ("is a composite", "it") if len(names) == 1 else ("are composites", "them")
    return (
        f"model `{model}`: {listed} {are} with other weights in other places, so raw paths and effects from "
        f"or to {them} have no common unit and are left out; compare `std_path` and `std_total_effect`"
    )
