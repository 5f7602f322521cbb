"""A fitted latent model as a graph of edges with numbers and errors: what its effects are made of."""

from __future__ import annotations

import numpy as np

from drivers.effect_errors import EdgeErrors
from drivers.effect_graph import EffectGraph
from drivers.methods.latent_fit import LatentFit
from drivers.pathways import Edge
from drivers.stats.path_effects import delta_error


def latent_graph(fit: LatentFit) -> EffectGraph:
    """Paths and loadings of a latent model as edges; effects are on what an equation explains.

    An effect that passes through an indicator is one too: a loading is the effect of the latent variable.
    """
    layout, k = fit.layout, len(fit.fit.estimates)
    names, numbers = layout.names, fit.numbers
    places = [i for i, e in enumerate(layout.entries) if e.operator in ("~", "=~")]
    edges, parameters = [], np.zeros((len(places), k))
    for row, i in enumerate(places):
        entry = layout.entries[i]
        loading = entry.operator == "=~"
        source, target = (entry.left, entry.right) if loading else (entry.right, entry.left)
        edges.append(Edge(names[source], names[target], False))
        if numbers[i] >= 0:
            parameters[row, numbers[i]] = 1.0
    slopes = fit.std.jacobian[places]
    errors: dict[str, EdgeErrors] = {}
    for kind, found in fit.errors.items():
        free = parameters.any(axis=1)
        variance = np.where(np.outer(free, free), parameters @ found.covariance @ parameters.T, 0.0)
        df = np.where(parameters > 0.0, found.df, np.inf).min(axis=1, initial=np.inf)
        errors[kind] = EdgeErrors(
            *(variance, np.zeros_like(variance), df, delta_error(slopes, found.covariance)),
            std_variance=slopes @ found.covariance @ slopes.T,
        )
    explained = dict.fromkeys(names[e.left] for e in layout.entries if e.operator == "~")
    sources = dict.fromkeys(edge.source for edge in edges)
    sd = np.sqrt(np.diag(fit.fit.full_covariance[0]))
    place = {name: i for i, name in enumerate(names)}
    return EffectGraph(
        tuple(edges),
        fit.values[places],
        fit.std.values[places],
        errors,
        fit.chosen,
        tuple(explained)[::-1],
        {name: float(sd[place[name]]) for name in explained},
        {name: fit.group_of(place[name]) for name in sources},
        {name: place[name] for name in sources if place[name] < layout.observed},
        fit.fit.covariance[0],
        frozenset(),
    )
