"""Where everything of a path diagram goes: boxes in layers, labels in columns of their own.

Layers run from left to right. Between two layers of nodes stands a column of labels, and an arc takes
a slot in every column it passes, so that neither a node nor a label can lie on another, and an arc
can pass both: no overlap is a property of the construction, not the outcome of a search. The heights
are then the exact least-squares solution, column by column, of "arcs as level as possible" under
"keep the order and the distances" (isotonic regression).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from drivers.report.ordering import layers, untangle

NODE_GAP = 22.0
LINE_GAP = 9.0
LINE_HEIGHT = 8.0
LABEL_GAP = 5.0
CHANNEL = 34.0
"""Free width on both sides of a column of labels, where arcs bend."""
STEEP = 0.20
"""Channels widen by this much of the tallest bend in them."""
WIDEST = 130.0
BOW_GAP = 5.0
"""Between the crest of a bow and its label."""
ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: left, top, width, height."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height

    def overlaps(self, other: Box, gap: float = 0.0) -> bool:
        """Whether the two share any area, or come closer than `gap`."""
        return (
            self.left < other.right + gap
            and other.left < self.right + gap
            and self.top < other.bottom + gap
            and other.top < self.bottom + gap
        )

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies inside (the border does not count)."""
        return self.left < x < self.right and self.top < y < self.bottom


@dataclass(frozen=True, slots=True)
class Block:
    """What a node needs: its size, and the part of its height (from, to) where arcs may touch it."""

    name: str
    width: float
    height: float
    ports: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Link:
    """What an arc needs: its ends and the size of its label. Undirected links do not make layers."""

    source: str
    target: str
    label: tuple[float, float]
    directed: bool = True


@dataclass(frozen=True, slots=True)
class Stop:
    """A place an arc passes: a column from `left` to `right` at height `y`."""

    left: float
    right: float
    y: float


@dataclass(frozen=True, slots=True)
class Route:
    """The way of one arc: from a port over stops to a port. A bow joins two nodes of one layer.

    The first and the last stop are the ways out of and into the columns of its nodes.
    """

    start: tuple[float, float]
    stops: tuple[Stop, ...]
    end: tuple[float, float]
    reversed: bool
    """Whether the route runs from the link's target to its source (left to right all the same)."""
    bow: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The finished geometry, in one coordinate system that starts at (0, 0)."""

    boxes: dict[str, Box]
    labels: tuple[Box, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


@dataclass(slots=True)
class _Item:
    """A node, a label or a passing line in its rank (even ranks hold nodes, odd ranks labels)."""

    rank: int
    height: float
    gap: float
    block: Block | None = None
    link: int | None = None
    y: float = 0.0
    arrivals: dict[int, float] = field(default_factory=dict)
    departures: dict[int, float] = field(default_factory=dict)

    def port(self, link: int, departing: bool) -> float:
        return (self.departures if departing else self.arrivals).get(link, self.height / 2)


def arrange(blocks: Sequence[Block], links: Sequence[Link], last: str | None = None) -> Layout:
    """Lay out a graph. `last` is the node that belongs to the end of the figure."""
    if not blocks:
        return Layout({}, (), (), 0.0, 0.0)
    plan = _Plan(blocks, links, last)
    plan.order()
    plan.spread()
    return plan.layout()


class _Plan:
    """The layout under way."""

    def __init__(self, blocks: Sequence[Block], links: Sequence[Link], last: str | None) -> None:
        self.links = links
        names = [block.name for block in blocks]
        depth = layers(names, [(link.source, link.target) for link in links if link.directed], last)
        lowest = min(depth.values())
        self.items: list[_Item] = []
        self.node: dict[str, int] = {}
        for block in blocks:
            self.node[block.name] = self._add(
                _Item(2 * (depth[block.name] - lowest), block.height, NODE_GAP, block=block)
            )
        self.segments: list[tuple[int, int, int]] = []
        """(item left, item right, link)."""
        self.chains: list[list[int]] = []
        self.label_item: list[int] = []
        crowd: dict[int, int] = {}
        for k, link in enumerate(links):
            self._thread(k, link, crowd)
        highest = max(item.rank for item in self.items)
        self.ranks: list[list[int]] = [[] for _ in range(highest + 1)]
        for k, item in enumerate(self.items):
            self.ranks[item.rank].append(k)

    def _add(self, item: _Item) -> int:
        self.items.append(item)
        return len(self.items) - 1

    def _thread(self, k: int, link: Link, crowd: dict[int, int]) -> None:
        """Give an arc a slot in every column between its ends; the label takes the least crowded."""
        a, b = self.node[link.source], self.node[link.target]
        if self.items[a].rank > self.items[b].rank:
            a, b = b, a
        first, final = self.items[a].rank, self.items[b].rank
        if first == final:
            slot = self._add(_Item(first + 1, link.label[1], LABEL_GAP, link=k))
            crowd[first + 1] = crowd.get(first + 1, 0) + 1
            self.segments += [(a, slot, k), (b, slot, k)]
            self.chains.append([a, slot, b])
            self.label_item.append(slot)
            return
        home = min(range(first + 1, final, 2), key=lambda r: (crowd.get(r, 0), abs(2 * r - first - final)))
        crowd[home] = crowd.get(home, 0) + 1
        chain = [a]
        for rank in range(first + 1, final):
            item = _Item(rank, LINE_HEIGHT, LINE_GAP, link=k)
            if rank == home:
                item.height, item.gap = link.label[1], LABEL_GAP
            chain.append(self._add(item))
            if rank == home:
                self.label_item.append(chain[-1])
        chain.append(b)
        self.segments += [(u, v, k) for u, v in pairwise(chain)]
        self.chains.append(chain)

    def order(self) -> None:
        """Untangle the ranks, then give each arc its port on the sides of its nodes."""
        before: dict[int, list[int]] = {k: [] for k in range(len(self.items))}
        after: dict[int, list[int]] = {k: [] for k in range(len(self.items))}
        for u, v, _ in self.segments:
            after[u].append(v)
            before[v].append(u)
        self.ranks = untangle(self.ranks, before, after)
        place = {item: k for rank in self.ranks for k, item in enumerate(rank)}
        for index in self.node.values():
            block = self.items[index].block
            assert block is not None
            leaving = sorted((place[v], k) for u, v, k in self.segments if u == index)
            coming = sorted((place[u], k) for u, v, k in self.segments if v == index)
            self.items[index].departures = _ports([k for _, k in leaving], block.ports)
            self.items[index].arrivals = _ports([k for _, k in coming], block.ports)

    def spread(self) -> None:
        """Find the heights: start stacked and centred, then relax rank by rank."""
        tallest = max(
            sum(self.items[i].height + self.items[i].gap for i in rank) for rank in self.ranks if rank
        )
        for rank in self.ranks:
            y = (tallest - sum(self.items[i].height + self.items[i].gap for i in rank)) / 2
            for i in rank:
                self.items[i].y = y
                y += self.items[i].height + self.items[i].gap
        pulls: dict[int, list[tuple[int, float, float]]] = {k: [] for k in range(len(self.items))}
        for u, v, k in self.segments:
            lean = self.items[u].port(k, True) - self.items[v].port(k, False)
            weight = 1.0 if self.items[u].block or self.items[v].block else 3.0
            pulls[v].append((u, lean, weight))
            pulls[u].append((v, -lean, weight))
        for round_ in range(ROUNDS):
            ranks = self.ranks if round_ % 2 == 0 else self.ranks[::-1]
            for rank in ranks:
                self._relax(rank, pulls)
        top = min(item.y for item in self.items)
        for item in self.items:
            item.y -= top

    def _relax(self, rank: list[int], pulls: dict[int, list[tuple[int, float, float]]]) -> None:
        wanted, weights, offsets = [], [], []
        offset = 0.0
        for position, i in enumerate(rank):
            item = self.items[i]
            if position:
                above = self.items[rank[position - 1]]
                offset += above.height + _distance(above, item)
            total = sum(w for _, _, w in pulls[i])
            mean = sum((self.items[j].y + lean) * w for j, lean, w in pulls[i]) / total if total else item.y
            wanted.append(mean - offset)
            weights.append(total or 0.01)
            offsets.append(offset)
        for i, base, offset in zip(rank, _isotonic(wanted, weights), offsets, strict=True):
            self.items[i].y = base + offset

    def layout(self) -> Layout:
        """Turn ranks into columns of x, and read the geometry off."""
        widths = [self._width(rank, items) for rank, items in enumerate(self.ranks)]
        bend = [0.0] * (len(self.ranks) + 1)
        for u, v, k in self.segments:
            rise = abs(self._port_y(u, k, True) - self._port_y(v, k, False))
            bend[self.items[v].rank] = max(bend[self.items[v].rank], rise)
        left, x = [], 0.0
        for rank, width in enumerate(widths):
            if rank:
                x += min(CHANNEL + STEEP * bend[rank], WIDEST)
            left.append(x)
            x += width
        boxes: dict[str, Box] = {}
        for name, index in self.node.items():
            item = self.items[index]
            assert item.block is not None
            column = left[item.rank] + (widths[item.rank] - item.block.width) / 2
            boxes[name] = Box(column, item.y, item.block.width, item.height)
        labels = []
        for k, index in enumerate(self.label_item):
            item, (w, h) = self.items[index], self.links[k].label
            bow = self.items[self.chains[k][0]].rank == self.items[self.chains[k][-1]].rank
            column = left[item.rank] + (BOW_GAP if bow else (widths[item.rank] - w) / 2)
            labels.append(Box(column, item.y, w, h))
        routes = tuple(self._route(k, boxes, left, widths) for k in range(len(self.links)))
        right = max([b.right for b in boxes.values()] + [b.right for b in labels])
        height = max(item.y + item.height for item in self.items)
        return Layout(boxes, tuple(labels), routes, right, height)

    def _width(self, rank: int, items: list[int]) -> float:
        widths = [block.width for i in items if (block := self.items[i].block) is not None]
        widths += [
            self.links[k].label[0] for k, i in enumerate(self.label_item) if self.items[i].rank == rank
        ]
        return max(widths, default=0.0)

    def _port_y(self, index: int, link: int, departing: bool) -> float:
        item = self.items[index]
        return item.y + item.port(link, departing)

    def _route(self, k: int, boxes: dict[str, Box], left: list[float], widths: list[float]) -> Route:
        link, chain = self.links[k], self.chains[k]
        first, final = self.items[chain[0]], self.items[chain[-1]]
        assert first.block is not None
        assert final.block is not None
        bow = first.rank == final.rank
        start = (boxes[first.block.name].right, self._port_y(chain[0], k, True))
        end_box = boxes[final.block.name]
        end = (end_box.right if bow else end_box.left, self._port_y(chain[-1], k, bow))
        # a node may be narrower than its column: the way between it and the channel is a stop too
        stops = [Stop(start[0], left[first.rank] + widths[first.rank], start[1])]
        for index in chain[1:-1]:
            item = self.items[index]
            column = left[item.rank]
            stops.append(Stop(column, column + widths[item.rank], item.y + item.height / 2))
        if not bow:
            stops.append(Stop(left[final.rank], end[0], end[1]))
        return Route(start, tuple(stops), end, reversed=first.block.name != link.source, bow=bow)


def _distance(above: _Item, below: _Item) -> float:
    """Nodes keep their distance from everything; lines and labels may come closer."""
    if above.block is not None or below.block is not None:
        return NODE_GAP if above.block is not None and below.block is not None else NODE_GAP / 2
    return max(above.gap, below.gap)


def _ports(links: list[int], span: tuple[float, float]) -> dict[int, float]:
    """Spread arcs evenly over the part of a side that they may touch, at most 14 apart."""
    if not links:
        return {}
    low, high = span
    step = min((high - low) / len(links), 14.0)
    first = (low + high) / 2 - step * (len(links) - 1) / 2
    return {link: first + step * k for k, link in enumerate(links)}


def _isotonic(values: list[float], weights: list[float]) -> list[float]:
    """The nearest non-decreasing sequence (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        mean, mass, size = value, weight, 1
        while pools and pools[-1][0] > mean:
            other, other_mass, other_size = pools.pop()
            mean = (mean * mass + other * other_mass) / (mass + other_mass)
            mass, size = mass + other_mass, size + other_size
        pools.append((mean, mass, size))
    return [mean for mean, _, size in pools for _ in range(size)]
