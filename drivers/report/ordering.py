"""The combinatorial half of the layered layout: which layer a node is in, and in which order.

After Sugiyama, Tagawa & Toda (1981): layers by longest path, crossings reduced by barycentre sweeps
and exchanges of neighbours. Everything is deterministic: ties keep the order of the input.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence

SWEEPS = 24
"""Barycentre sweeps; on path models of the field the crossings stop falling after fewer than ten."""


def layers(nodes: Sequence[str], arcs: Iterable[tuple[str, str]], last: str | None = None) -> dict[str, int]:
    """The layer of each node: every arc goes to a later layer, and sources stand just before what they feed.

    Arcs that would close a cycle are ignored; `last` (the study's response) goes to the end when
    nothing follows it.

    >>> layers(["a", "b", "c", "y"], [("a", "b"), ("b", "y"), ("c", "y")], last="y")
    {'a': 0, 'b': 1, 'c': 1, 'y': 2}
    """
    children: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in dict.fromkeys(arcs):
        if source != target:
            children[source].append(target)
    order = _topological(nodes, children)
    rank = {name: k for k, name in enumerate(order)}
    forward = {name: [c for c in children[name] if rank[c] > rank[name]] for name in nodes}
    depth = dict.fromkeys(nodes, 0)
    has_parent = dict.fromkeys(nodes, False)
    for name in order:
        for child in forward[name]:
            depth[child] = max(depth[child], depth[name] + 1)
            has_parent[child] = True
    if last in depth and not forward[last]:
        depth[last] = max([depth[last], *(depth[n] for n in nodes)])
    for name in nodes:
        if not has_parent[name] and forward[name]:
            depth[name] = min(depth[child] for child in forward[name]) - 1
    return depth


def _topological(nodes: Sequence[str], children: dict[str, list[str]]) -> list[str]:
    """Depth-first order; an arc back to a node under way is simply not followed."""
    seen: set[str] = set()
    order: list[str] = []
    for root in reversed(nodes):
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(reversed(children[root])))]
        while stack:
            name, rest = stack[-1]
            child = next((c for c in rest if c not in seen), None)
            if child is None:
                stack.pop()
                order.append(name)
            else:
                seen.add(child)
                stack.append((child, iter(reversed(children[child]))))
    return order[::-1]


def untangle(
    ranks: list[list[int]], before: dict[int, list[int]], after: dict[int, list[int]]
) -> list[list[int]]:
    """The order within each rank with the fewest crossings that the sweeps find.

    `before` and `after` list each item's neighbours in the rank to its left and to its right.
    """
    current = [list(rank) for rank in ranks]
    best, fewest = [list(rank) for rank in current], _crossings(current, after)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        forward = sweep % 2 == 0
        steps = range(1, len(current)) if forward else range(len(current) - 2, -1, -1)
        for r in steps:
            fixed = {item: k for k, item in enumerate(current[r - 1 if forward else r + 1])}
            neighbours = before if forward else after
            _by_barycentre(current[r], fixed, neighbours)
        _exchange(current, before, after)
        found = _crossings(current, after)
        if found < fewest:
            best, fewest = [list(rank) for rank in current], found
    return best


def _by_barycentre(rank: list[int], fixed: dict[int, int], neighbours: dict[int, list[int]]) -> None:
    """Sort a rank by the mean place of the neighbours; an item without any keeps its place."""
    centre: dict[int, float] = {}
    for k, item in enumerate(rank):
        places = [fixed[other] for other in neighbours[item]]
        centre[item] = sum(places) / len(places) if places else k * max(len(fixed), 1) / max(len(rank), 1)
    rank.sort(key=lambda item: centre[item])


def _exchange(ranks: list[list[int]], before: dict[int, list[int]], after: dict[int, list[int]]) -> None:
    """Swap neighbours wherever that removes crossings, until nothing moves (at most a few rounds)."""
    for _ in range(4):
        moved = False
        for r, rank in enumerate(ranks):
            left = {item: k for k, item in enumerate(ranks[r - 1])} if r > 0 else {}
            right = {item: k for k, item in enumerate(ranks[r + 1])} if r + 1 < len(ranks) else {}
            for k in range(len(rank) - 1):
                a, b = rank[k], rank[k + 1]
                now = _pair(a, b, before, left) + _pair(a, b, after, right)
                then = _pair(b, a, before, left) + _pair(b, a, after, right)
                if then < now:
                    rank[k], rank[k + 1] = b, a
                    moved = True
        if not moved:
            return


def _pair(upper: int, lower: int, neighbours: dict[int, list[int]], place: dict[int, int]) -> int:
    """Crossings between the arcs of two neighbours, the first above the second."""
    below = sorted(place[other] for other in neighbours[lower] if other in place)
    total = 0
    for other in neighbours[upper]:
        if other in place:
            total += sum(1 for p in below if p < place[other])
    return total


def _crossings(ranks: list[list[int]], after: dict[int, list[int]]) -> int:
    """All crossings between neighbouring ranks."""
    total = 0
    for r in range(len(ranks) - 1):
        place = {item: k for k, item in enumerate(ranks[r + 1])}
        seen: list[int] = []
        for item in ranks[r]:
            ends = sorted(place[other] for other in after[item] if other in place)
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total
