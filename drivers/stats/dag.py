"""Directed graphs by name: order, independence claims, paths."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

Parents = Mapping[str, Collection[str]]
"""For every node with an equation, the nodes on its right."""


def topological_order(nodes: Sequence[str], parents: Parents) -> tuple[str, ...]:
    """Causes before effects: exogenous nodes first, ties as they stand in `nodes`.

    The order depends on the graph and on `nodes`, never on the order of `parents`, so results do not
    depend on how equations are typed.

    Examples
    --------
    >>> topological_order(["age", "cover", "firesev", "rich"], {"rich": ["cover"], "cover": ["firesev"]})
    ('age', 'firesev', 'cover', 'rich')
    """
    order = [node for node in nodes if node not in parents]
    left = [node for node in nodes if node in parents]
    placed = set(order)
    while left:
        ready = next(node for node in left if all(p in placed for p in parents[node]))
        order.append(ready)
        placed.add(ready)
        left.remove(ready)
    return tuple(order)


@dataclass(frozen=True, slots=True)
class Claim:
    """`cause` ⫫ `response` given the parents of both; `cause` comes first in topological order."""

    cause: str
    response: str


def basis_set(
    order: Sequence[str], parents: Parents, joined: Collection[frozenset[str]]
) -> tuple[Claim, ...]:
    """The union basis set (Shipley 2000, doi:10.1207/S15328007SEM0702_4).

    Parameters
    ----------
    order : all nodes, causes before effects
    parents : for every node with an equation, its parents
    joined : pairs that are not claimed independent (correlated errors)

    Returns
    -------
    One claim per pair that is not adjacent, not joined, and not exogenous on both sides.

    Examples
    --------
    >>> basis_set(["x", "m", "y"], {"m": ["x"], "y": ["m"]}, [])
    (Claim(cause='x', response='y'),)
    """
    claims = []
    for j, later in enumerate(order):
        if later not in parents:
            continue
        claims += [
            Claim(earlier, later)
            for earlier in order[:j]
            if earlier not in parents[later] and frozenset((earlier, later)) not in joined
        ]
    return tuple(claims)


def ancestors(node: str, parents: Parents) -> set[str]:
    """All nodes from which a directed path leads to `node`."""
    found: set[str] = set()
    waiting = list(parents.get(node, ()))
    while waiting:
        parent = waiting.pop()
        if parent not in found:
            found.add(parent)
            waiting += parents.get(parent, ())
    return found


def is_cyclic(parents: Parents) -> bool:
    """Whether some variable is a cause of itself.

    Examples
    --------
    >>> is_cyclic({"a": ["b"], "b": ["a"]}), is_cyclic({"b": ["a"]})
    (True, False)
    """
    try:
        TopologicalSorter(parents).prepare()
    except CycleError:
        return True
    return False


def directed_paths(parents: Parents, source: str, target: str, limit: int) -> list[tuple[str, ...]]:
    """Every directed path from `source` to `target`, shortest first, then by name; at most `limit` + 1.

    Examples
    --------
    >>> directed_paths({"m": ["x"], "y": ["m", "x"]}, "x", "y", 10)
    [('x', 'y'), ('x', 'm', 'y')]
    """
    found: list[tuple[str, ...]] = []
    reaches = {source} | {n for n in parents if source in ancestors(n, parents)}
    waiting: list[tuple[str, ...]] = [(target,)]
    while waiting and len(found) <= limit:
        path = waiting.pop()
        for parent in parents.get(path[0], ()):
            if parent == source:
                found.append((source, *path))
            elif parent in reaches:
                waiting.append((parent, *path))
    return sorted(found, key=lambda p: (len(p), p))
