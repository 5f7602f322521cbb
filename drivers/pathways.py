"""Which effects a path model has: every way from a driver to a response, before any number.

The strata of a model share their graph, so this is worked out once and filled with numbers per stratum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from drivers.stats.dag import ancestors, directed_paths, is_cyclic

MOST_PATHS = 2000
"""Paths between one driver and one response beyond which they are summed instead of listed: no reader
looks at two thousand products, and a dense graph of 20 nodes has a quarter of a million."""

ARROW = " -> "

Walk = tuple[int, ...]
"""A path as the indices of its edges."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A path coefficient, or the weight of a composite's member."""

    source: str
    target: str
    member: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """One row of effects.csv: the sum of some walks."""

    driver: str
    response: str
    kind: str
    via: str
    walks: tuple[int, ...]
    """Indices into `Pathways.walks`."""


@dataclass(frozen=True, slots=True)
class GroupEffect:
    """A group of drivers and a response, with the ways on which the one acts on the other."""

    group: str
    response: str
    drivers: tuple[str, ...]
    ways: tuple[tuple[str, str, tuple[tuple[int, int], ...]], ...]
    """(kind, via, ((place of the driver, index into `Pathways.walks`), ...)), direct ones first."""


@dataclass(frozen=True, slots=True)
class Pathways:
    """Everything that acts on anything in one graph."""

    walks: tuple[Walk, ...]
    effects: tuple[Effect, ...]
    summed: tuple[tuple[str, str], ...]
    """(driver, response) pairs with too many paths to list, or all pairs of a graph with a cycle."""
    groups: tuple[GroupEffect, ...]


@lru_cache(maxsize=64)
def find_pathways(
    edges: tuple[Edge, ...],
    responses: tuple[str, ...],
    groups: tuple[tuple[str, tuple[str, ...]], ...],
    composites: frozenset[str],
) -> Pathways:
    """All effects on the responses, in their order; of composites first, then of drivers.

    Parameters
    ----------
    edges : the graph, every edge once
    responses : the nodes whose effects are wanted
    groups : for each driver group its drivers that are in the graph (no composites)
    composites : the nodes that are composites or latent variables
    """
    finder = _Finder(edges)
    sources = list(dict.fromkeys(edge.source for edge in edges))
    sources = [s for s in sources if s in composites] + [s for s in sources if s not in composites]
    parents = {edge.target: finder.parents(edge.target) for edge in edges}
    if is_cyclic(parents):
        # Around a cycle there is no end of paths.
        pairs = ((s, r) for r in responses for s in sources if s != r and s in ancestors(r, parents))
        return Pathways((), (), tuple(pairs), ())
    effects: list[Effect] = []
    summed: list[tuple[str, str]] = []
    joint: list[GroupEffect] = []
    for response in responses:
        for source in sources:
            walks = finder.walks_between(source, response)
            if walks is None:
                summed.append((source, response))
            else:
                effects += finder.effects(source, response, walks)
        for group, drivers in groups:
            found = finder.group(group, drivers, response)
            if found is not None:
                joint.append(found)
    return Pathways(tuple(finder.walks), tuple(effects), tuple(summed), tuple(joint))


class _Finder:
    def __init__(self, edges: tuple[Edge, ...]) -> None:
        self.edges = edges
        self.walks: list[Walk] = []
        self._place = {(edge.source, edge.target): i for i, edge in enumerate(edges)}
        self._parents: dict[str, list[str]] = defaultdict(list)
        self._known: dict[tuple[str, str], list[int] | None] = {}
        for edge in edges:
            self._parents[edge.target].append(edge.source)

    def parents(self, node: str) -> list[str]:
        """What acts on a node directly."""
        return self._parents[node]

    def walks_between(self, source: str, response: str) -> list[int] | None:
        """Indices of all walks, those of one causal step first; None if there are too many."""
        key = (source, response)
        if key not in self._known:
            found = directed_paths(self._parents, source, response, MOST_PATHS)
            if len(found) > MOST_PATHS:
                self._known[key] = None
            else:
                walks = [tuple(self._place[step] for step in pairwise(path)) for path in found]
                causal = sorted((w for w in walks if self._steps(w)), key=self._steps)
                self._known[key] = list(range(len(self.walks), len(self.walks) + len(causal)))
                self.walks += causal
        return self._known[key]

    def _steps(self, walk: Walk) -> int:
        """The number of causal steps: membership in a composite is none."""
        return sum(not self.edges[i].member for i in walk)

    def effects(self, source: str, response: str, walks: Sequence[int]) -> list[Effect]:
        """Direct, every indirect, their sum, and total."""
        direct = [w for w in walks if self._steps(self.walks[w]) == 1]
        indirect = [w for w in walks if self._steps(self.walks[w]) > 1]
        made: list[Effect] = []

        def add(kind: str, chosen: Sequence[int], via: str = "") -> None:
            if chosen:
                made.append(Effect(source, response, kind, via, tuple(chosen)))

        add("direct", direct, self._via(direct[0]) if len(direct) == 1 else "")
        for walk in indirect:
            add("indirect", [walk], self._via(walk))
        add("total_indirect", indirect)
        add("total", walks)
        return made

    def _via(self, walk: int) -> str:
        steps = self.walks[walk]
        return ARROW.join([self.edges[steps[0]].source, *(self.edges[i].target for i in steps)])

    def group(self, group: str, drivers: Sequence[str], response: str) -> GroupEffect | None:
        """The ways of a group; a path through another of its drivers is that driver's share."""
        if response in drivers or any(self.edges[i].member for i in self._into(response, drivers)):
            return None
        ways: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
        kept: list[str] = []
        for driver in drivers:
            walks = self.walks_between(driver, response)
            if walks is None:
                return None
            own = [w for w in walks if not any(self.edges[i].target in drivers for i in self.walks[w])]
            for walk in own:
                ways[self._way(group, self.walks[walk])].append((len(kept), walk))
            kept += [driver] if own else []
        if not kept:
            return None
        steps = {way: min(self._steps(self.walks[w]) for _, w in found) for way, found in ways.items()}
        order = sorted(ways, key=lambda way: (steps[way], len(way), way))
        return GroupEffect(
            group,
            response,
            tuple(kept),
            tuple(
                ("direct" if steps[way] == 1 else "indirect", ARROW.join(way), tuple(ways[way]))
                for way in order
            ),
        )

    def _into(self, response: str, drivers: Sequence[str]) -> list[int]:
        return [i for i, e in enumerate(self.edges) if e.target == response and e.source in drivers]

    def _way(self, group: str, walk: Walk) -> tuple[str, ...]:
        """A path from the group on; a composite with the group's name is not repeated."""
        nodes = [self.edges[i].target for i in walk]
        if self.edges[walk[0]].member and nodes[0] == group:
            nodes = nodes[1:]
        return (group, *nodes)
