"""What a path diagram is made of, and how much room each part takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from drivers.report.layout import Block, Box
from drivers.report.lettering import Fitted, fit, text_width
from drivers.report.numbers import coefficient, is_missing, stars

Shape = Literal["observed", "composite", "latent", "interaction"]

SIGNIFICANT = 0.05
NAME_SIZE = 13.0
SMALL_SIZE = 10.5
LABEL_SIZE = 11.5
MEMBER_HEIGHT = 18.0
MEMBER_STEP = 22.0
MEMBER_WIDTH = 118.0
MEMBERS_IN_ONE_COLUMN = 8
PORT_STEP = 12.5
"""A node grows with the arcs that end at it: arrowheads need this much each."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a composite with its standardised weight."""

    name: str
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A variable of the diagram."""

    name: str
    shape: Shape = "observed"
    group: str = ""
    r2: float | None = None
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A path (`~`), a loading (`=~`) or a covariance (`~~`).

    `note` is a second, smaller line of the label: the term when it is not simply the source's name.
    `signed` gives a covariance the colour of its sign; correlated errors of a path model are grey.
    """

    source: str
    target: str
    op: str = "~"
    std_estimate: float | None = None
    p_value: float | None = None
    note: str = ""
    signed: bool = False

    @property
    def significant(self) -> bool:
        """Whether p < 0.05; a path without a p-value counts as found."""
        return is_missing(self.p_value) or float(self.p_value or 0.0) < SIGNIFICANT

    @property
    def label(self) -> str:
        """The standardised coefficient with its stars; stars alone for a factor's joint test."""
        marks = stars(self.p_value)
        if is_missing(self.std_estimate):
            return f"factor{marks}" if self.op == "~" else marks or "–"
        return coefficient(self.std_estimate) + marks


def head_height(node: Node, arcs: int) -> float:
    """The height of a node without its members: room for its lines and its arrowheads."""
    base = {"observed": 36.0, "interaction": 32.0, "composite": 42.0, "latent": 46.0}[node.shape]
    base += 12.0 if not is_missing(node.r2) else 0.0
    base += 10.0 if len(fitted_name(node, head_width(node)).lines) > 1 else 0.0
    return max(base, arcs * PORT_STEP + 12.0)


def fitted_name(node: Node, width: float) -> Fitted:
    """The name, fitted between the sloping or straight sides of its shape."""
    inset = {"composite": 18.0, "latent": 20.0}.get(node.shape, 9.0)
    return fit(node.name, width - 2 * inset, NAME_SIZE, lines=2, bold=True)


def head_width(node: Node) -> float:
    """The width of a node: its name and the slopes of its shape, within limits."""
    natural = text_width(node.name, NAME_SIZE, bold=True)
    room, low, high = {
        "observed": (24, 78, 150),
        "interaction": (24, 78, 150),
        "composite": (46, 118, 170),
        "latent": (48, 112, 170),
    }[node.shape]
    return min(max(natural + room, low), high)


def member_columns(node: Node) -> int:
    """Members stand in one column, or in two when there are many."""
    return 1 if len(node.members) <= MEMBERS_IN_ONE_COLUMN else 2


def block_of(node: Node, arcs: int) -> Block:
    """The room of a node with its members, and where arcs may touch it."""
    head = head_height(node, arcs)
    pad = {"observed": 6.0, "interaction": 6.0, "composite": 7.0, "latent": 10.0}[node.shape]
    width, height = head_width(node), head
    if node.members:
        columns = member_columns(node)
        rows = math.ceil(len(node.members) / columns)
        width = max(width, columns * MEMBER_WIDTH + 14.0 * columns)
        height += 7.0 + rows * MEMBER_STEP - (MEMBER_STEP - MEMBER_HEIGHT)
    return Block(node.name, width, height, (pad, head - pad))


def head_of(node: Node, box: Box) -> Box:
    """The node proper at the top of its block; its members hang below."""
    width = max(head_width(node), box.width if member_columns(node) == 1 else 0.0)
    members = 0.0
    if node.members:
        rows = math.ceil(len(node.members) / member_columns(node))
        members = 7.0 + rows * MEMBER_STEP - (MEMBER_STEP - MEMBER_HEIGHT)
    return Box(box.left + (box.width - width) / 2, box.top, width, box.height - members)


def members_area(node: Node, box: Box) -> Box:
    """Where the members of a composite hang: its own arcs must not run over them."""
    head = head_of(node, box)
    return Box(box.left, head.bottom, box.width, box.bottom - head.bottom)


def border_at(node: Node, box: Box, y: float, *, right: bool) -> float:
    """Where the outline of a node is at height y."""
    head = head_of(node, box)
    off = min(abs(y - (head.top + head.height / 2)) / (head.height / 2), 1.0)
    inset = 0.0
    if node.shape == "composite":
        inset = off * min(16.0, head.height / 2.4)
    elif node.shape == "latent":
        inset = head.width / 2 * (1 - math.sqrt(1 - off * off))
    return head.right - inset if right else head.left + inset


def label_size(edge: Edge) -> tuple[float, float]:
    """Width and height of the label of an arc."""
    width = text_width(edge.label, LABEL_SIZE, bold=True) + 8.0
    if not edge.note:
        return width, 18.0
    note = fit(edge.note, 110.0, SMALL_SIZE - 1)
    return max(width, text_width(note.lines[0], note.size) + 8.0), 30.0
