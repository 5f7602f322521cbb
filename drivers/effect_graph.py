"""A fitted path model as a graph of edges with numbers and errors: what its effects are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.effect_errors import EdgeErrors
from drivers.methods.composites import Weighting
from drivers.methods.psem import PsemResult
from drivers.methods.slope_errors import KINDS, Kind, SlopeErrors
from drivers.pathways import Edge, Pathways, find_pathways

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EffectGraph:
    """A fitted model as edges with numbers, shape (E,) each, and their errors of every kind."""

    edges: tuple[Edge, ...]
    raw: Array
    std: Array
    errors: Mapping[str, EdgeErrors]
    """By kind: what they count."""
    chosen: str
    responses: tuple[str, ...]
    response_sd: dict[str, float]
    group: dict[str, str]
    """The group of every source; empty for none."""
    columns: dict[str, int]
    """The design column of every source that is not a composite."""
    covariance: Array
    """Covariance of the design columns."""
    unit_paths: frozenset[tuple[str, str]]
    """(source, target) of paths that are 1 by construction: of regression composites to the response."""

    @property
    def variance(self) -> Array:
        """Variance of the raw coefficients by the errors that were asked for, shape (E, E)."""
        return self.errors[self.chosen].variance

    @property
    def pathways(self) -> Pathways:
        """Every effect that the edges make."""
        members: dict[str, list[str]] = defaultdict(list)
        for name in self.columns:
            if self.group[name]:
                members[self.group[name]].append(name)
        groups = tuple((group, tuple(names)) for group, names in members.items())
        composites = frozenset(self.group) - frozenset(self.columns)
        return find_pathways(self.edges, self.responses, groups, composites)


def effect_graph(result: PsemResult) -> EffectGraph:
    """The edges of a fitted model, in canonical order."""
    fit, sample = result.fit, result.fit.sample
    model, forms = fit.graph.model, fit.graph.forms
    own = {}
    for form in forms.values():
        columns = sample.select([form]).columns
        if len(columns) == 1 and not form.factors[0].categorical:
            own[columns[0]] = form.label
    edges: list[Edge] = []
    raw: list[Array] = []
    std: list[Array] = []
    group: dict[str, str] = {}
    places: dict[str, int] = {}

    def source(column: int) -> str:
        name = own.get(column, sample.label(column))
        if column < sample.design.width:
            places[name] = column
            homes = {model.group_of(v) for v in sample.design.columns[column].term.variables}
            group[name] = homes.pop() if len(homes) == 1 else ""
        else:
            group[name] = model.group_of(name)
        return name

    sd = sample.moments.sd
    kinds: tuple[Kind, ...] = KINDS if sample.vicinity is not None else ("classical",)
    parts: dict[Kind, list[SlopeErrors]] = {kind: [] for kind in kinds}
    for weighting in fit.weightings:
        whole = sd[sample.design.width + sample.composites.index(weighting.name)]
        columns = weighting.columns
        edges += [Edge(source(column), weighting.name, True) for column in columns]
        raw.append(weighting.weights)
        std.append(weighting.weights * sd[list(columns)] / whole)
        for kind, parted in parts.items():
            parted.append(_weight_errors(weighting, kind))
    for e in fit.equations:
        target = forms[e.equation.node].label
        edges += [Edge(source(column), target, False) for column in e.selection.columns]
        raw.append(e.coefficients)
        std.append(e.standardised(model.options.standardize))
        for kind, parted in parts.items():
            errors = e.of_kind(kind) or e.classical
            of_std = e.standardised_errors(
                model.options.standardize, kind if e.of_kind(kind) else "classical"
            )
            parted.append(SlopeErrors(errors.covariance, errors.df, of_std))
    return EffectGraph(
        tuple(edges),
        np.concatenate([*raw, np.zeros(0)]),
        np.concatenate([*std, np.zeros(0)]),
        {kind: _joined(found, len(fit.weightings)) for kind, found in parts.items()},
        sample.errors,
        tuple(forms[e.equation.node].label for e in fit.equations)[::-1],
        {forms[e.equation.node].label: e.response_sd for e in fit.equations},
        group,
        places,
        sample.moments.covariance,
        frozenset((w.name, forms[model.response].label) for w in fit.weightings if w.regression is not None),
    )


def _weight_errors(weighting: Weighting, kind: Kind) -> SlopeErrors:
    """Errors of a composite's weights: those of the regression that gave them, or none."""
    k, mine = len(weighting.columns), list(weighting.places)
    if weighting.regression is None or kind == "classical":
        return SlopeErrors(np.zeros((k, k)), np.full(k, np.inf), np.zeros(k))
    # A regression that needs rows has classical errors only, as in coefficients.csv.
    errors = weighting.regression.of_kind(kind) or weighting.regression.classical
    return SlopeErrors(errors.covariance[np.ix_(mine, mine)], errors.df[mine], np.zeros(k))


def _joined(parts: Sequence[SlopeErrors], weightings: int) -> EdgeErrors:
    """Errors of all edges, those of the first few parts being of weights: nothing is shared between parts."""
    size = sum(len(part.df) for part in parts)
    variance, weights, start = np.zeros((size, size)), np.zeros((size, size)), 0
    for i, part in enumerate(parts):
        stop = start + len(part.df)
        (weights if i < weightings else variance)[start:stop, start:stop] = part.covariance
        start = stop
    df = np.concatenate([*(part.df for part in parts), np.zeros(0)])
    std = np.concatenate([*(part.std_error_std for part in parts), np.zeros(0)])
    return EdgeErrors(variance, weights, df, std)
