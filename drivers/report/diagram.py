"""The path diagram as one SVG.

Conventions of the field: rectangles are observed, ellipses latent, hexagons composites; blue is
positive, vermilion negative, grey and dashed not significant; width follows |standardised path|; R²
stands in endogenous nodes. A composite carries its members as small boxes with their weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from drivers.report import svg
from drivers.report.diagram_marks import arc_mark, label_mark, legend_marks, node_mark
from drivers.report.diagram_parts import (
    NAME_SIZE,
    Edge,
    Member,
    Node,
    block_of,
    border_at,
    label_size,
    members_area,
)
from drivers.report.layout import Layout, Link, arrange
from drivers.report.lettering import fit, text_width
from drivers.report.routing import Curve, draw

__all__ = ["Edge", "Member", "Node", "arrange_diagram", "diagram_curves", "path_diagram"]

MARGIN = 14.0


def path_diagram(
    nodes: Sequence[Node],
    edges: Sequence[Edge],
    *,
    title: str,
    response: str | None = None,
    colours: Mapping[str, str] | None = None,
) -> str:
    """Draw a path diagram; the same input gives the same bytes.

    `response` is the node that belongs to the right end; `colours` gives a strip of colour to the
    nodes of each driver group.
    """
    if not nodes:
        return svg.document(320, 60, title, [svg.text(MARGIN, 36, "No paths to draw.", NAME_SIZE)])
    placed = arrange_diagram(nodes, edges, response)
    strip = dict(colours or svg.group_colours(n.group for n in nodes if n.group))
    head = fit(title, max(placed.width, 280.0), 14.0, bold=True)
    legend, legend_width, legend_height = legend_marks(edges, max(placed.width, 300.0))
    width = max(placed.width, legend_width, text_width(head.lines[0], head.size, bold=True)) + 2 * MARGIN
    dx, dy = (width - placed.width) / 2, MARGIN + 30
    height = dy + placed.height + 22 + legend_height + MARGIN
    shapes = {node.name: node for node in nodes}
    curves = diagram_curves(placed, edges, shapes)
    inner = [
        arc_mark(edge, curve, route) for edge, curve, route in zip(edges, curves, placed.routes, strict=True)
    ]
    inner += [node_mark(node, placed.boxes[node.name], strip.get(node.group)) for node in nodes]
    inner += [label_mark(edge, box) for edge, box in zip(edges, placed.labels, strict=True)]
    moved = svg.element("g", {"transform": f"translate({svg.short(dx)} {svg.short(dy)})"}, "\n".join(inner))
    heading = svg.text(MARGIN, MARGIN + 11, head.lines[0], head.size, bold=True)
    below = svg.element(
        "g",
        {"transform": f"translate({svg.short(MARGIN)} {svg.short(dy + placed.height + 22)})"},
        "\n".join(legend),
    )
    return svg.document(width, height, f"Path diagram: {title}", [heading, moved, below])


def arrange_diagram(nodes: Sequence[Node], edges: Sequence[Edge], response: str | None = None) -> Layout:
    """The geometry of a diagram without its looks: node boxes, label boxes and routes."""
    touching = {node.name: 0 for node in nodes}
    leaving = {node.name: 0 for node in nodes}
    for edge in edges:
        leaving[edge.source] += 1
        touching[edge.target] += 1
    blocks = [block_of(node, max(touching[node.name], leaving[node.name])) for node in nodes]
    before = _indicators_before(edges)
    links = [
        Link(*((e.target, e.source) if k in before else (e.source, e.target)), label_size(e), e.op != "~~")
        for k, e in enumerate(edges)
    ]
    placed = arrange(blocks, links, response)
    # a route runs from left to right; the arrow of a loading whose indicator stands before runs back
    routes = (replace(r, reversed=r.reversed != (k in before)) for k, r in enumerate(placed.routes))
    return replace(placed, routes=tuple(routes))


def _indicators_before(edges: Sequence[Edge]) -> set[int]:
    """The loadings whose indicators stand left of their latent variable.

    Those of latent variables that nothing explains, as books draw them: the other side is free for what they
    explain and for the covariances among them. Not where an indicator has other arrows.
    """
    explained = {edge.target for edge in edges if edge.op == "~"}
    measured = [edge.target for edge in edges if edge.op == "=~"]
    sources = {edge.source for edge in edges if edge.op != "~~"}
    plain = {name for name in measured if measured.count(name) == 1} - explained - sources
    found: dict[str, list[int]] = {}
    for k, edge in enumerate(edges):
        if edge.op == "=~":
            found.setdefault(edge.source, []).append(k)
    return {
        k
        for latent, loadings in found.items()
        if latent not in {*explained, *measured} and all(edges[k].target in plain for k in loadings)
        for k in loadings
    }


def diagram_curves(placed: Layout, edges: Sequence[Edge], nodes: Mapping[str, Node]) -> list[Curve]:
    """The curve of every edge, clear of foreign nodes and labels."""
    curves = []
    for k, (edge, route) in enumerate(zip(edges, placed.routes, strict=True)):
        first, last = (edge.target, edge.source) if route.reversed else (edge.source, edge.target)
        start = (border_at(nodes[first], placed.boxes[first], route.start[1], right=True), route.start[1])
        end = (border_at(nodes[last], placed.boxes[last], route.end[1], right=route.bow), route.end[1])
        foreign = [box for name, box in placed.boxes.items() if name not in (first, last)]
        foreign += [box for j, box in enumerate(placed.labels) if j != k]
        foreign += [
            members_area(nodes[name], placed.boxes[name]) for name in (first, last) if nodes[name].members
        ]
        curves.append(draw(route, start, end, foreign))
    return curves
