"""The graph of a model: an order in which causes stand before effects, and the cycles that forbid one."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

Rank = TypeVar("Rank", bound=tuple[object, ...])


def causal_order(parents: Mapping[str, Sequence[str]], ranks: Mapping[str, Rank]) -> list[str]:
    """The nodes so that parents stand first; among equals the lower rank. Nodes of cycles are left out.

    >>> causal_order({"rich": ["cover"], "cover": [], "age": []}, {"age": (0,), "cover": (1,), "rich": (2,)})
    ['age', 'cover', 'rich']
    """
    waiting = {node: len(set(parents[node])) for node in parents}
    children: dict[str, list[str]] = {node: [] for node in parents}
    for node in parents:
        for parent in dict.fromkeys(parents[node]):
            children[parent].append(node)
    ready = [(ranks[node], node) for node, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        _, node = heapq.heappop(ready)
        order.append(node)
        for child in children[node]:
            waiting[child] -= 1
            if waiting[child] == 0:
                heapq.heappush(ready, (ranks[child], child))
    return order


def cycles(
    parents: Mapping[str, Sequence[str]], ranks: Mapping[str, Rank], first: Iterable[str] = ()
) -> list[tuple[str, ...]]:
    """Cycles that share no node, each as `a, b, ..., a` in the direction of causes.

    `first` are the nodes that a cycle is best told from, in order of preference.

    >>> cycles({"a": ["c"], "b": ["a"], "c": ["b"]}, {"a": (0,), "b": (1,), "c": (2,)})
    [('a', 'b', 'c', 'a')]
    """
    found: list[tuple[str, ...]] = []
    left = {node: list(above) for node, above in parents.items()}
    while True:
        done = set(causal_order(left, ranks))
        left = {node: [p for p in above if p not in done] for node, above in left.items() if node not in done}
        if not left:
            return found
        cycle = _one_cycle(left, min(left, key=lambda node: ranks[node]))
        found.append(_told_from(cycle, [*first, *sorted(cycle, key=lambda node: ranks[node])]))
        gone = set(cycle)
        left = {node: [p for p in above if p not in gone] for node, above in left.items() if node not in gone}


def _one_cycle(parents: Mapping[str, Sequence[str]], start: str) -> list[str]:
    """A cycle above `start`: every node here has a parent, so going up has to meet itself."""
    seen: dict[str, int] = {}
    walk: list[str] = []
    node = start
    while node not in seen:
        seen[node] = len(walk)
        walk.append(node)
        node = parents[node][0]
    return walk[seen[node] :][::-1]


def _told_from(cycle: list[str], preferred: Sequence[str]) -> tuple[str, ...]:
    start = cycle.index(next(node for node in preferred if node in cycle))
    return (*cycle[start:], *cycle[:start], cycle[start])
