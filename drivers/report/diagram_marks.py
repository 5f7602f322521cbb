"""The marks of a path diagram: nodes, members, arcs, labels and the legend, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from drivers.report import svg
from drivers.report.diagram_parts import (
    LABEL_SIZE,
    MEMBER_HEIGHT,
    MEMBER_STEP,
    MEMBER_WIDTH,
    SMALL_SIZE,
    Edge,
    Member,
    Node,
    fitted_name,
    head_of,
    member_columns,
)
from drivers.report.layout import Box, Route
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import coefficient, exact, is_missing, p_phrase
from drivers.report.routing import Curve

ARROW = {"~~": "↔"}


def _colours(edge: Edge) -> tuple[str, str]:
    """Line and ink."""
    grey = edge.op == "~~" and not edge.signed
    if grey or not edge.significant or is_missing(edge.std_estimate):
        return svg.NEUTRAL, svg.NEUTRAL_INK
    if float(edge.std_estimate or 0.0) < 0:
        return svg.NEGATIVE, svg.NEGATIVE_INK
    return svg.POSITIVE, svg.POSITIVE_INK


def edge_width(edge: Edge) -> float:
    """Line width: proportional to |standardised path| up to 1, thin when there is none or p >= 0.05."""
    if edge.op == "~~" or not edge.significant or is_missing(edge.std_estimate):
        return 1.4
    return 1.0 + 6.0 * min(abs(float(edge.std_estimate or 0.0)), 1.0)


def arc_mark(edge: Edge, curve: Curve, route: Route) -> str:
    """An arc with its arrowheads; hover says what it is."""
    colour, _ = _colours(edge)
    width = edge_width(edge)
    dash = "5 4" if not edge.significant else None
    line = svg.element(
        "path",
        {
            "d": curve.path(),
            "fill": "none",
            "stroke": colour,
            "stroke_width": width,
            "stroke_dasharray": dash,
            "stroke_opacity": 0.85,
        },
    )
    points = curve.points()
    ends = [(points[-1], points[-3])] if not route.reversed else [(points[0], points[2])]
    if edge.op == "~~":
        ends = [(points[-1], points[-3]), (points[0], points[2])]
    heads = "".join(_arrowhead(tip, back, width, colour) for tip, back in ends)
    sign = ARROW.get(edge.op, "→")
    told = f"{edge.source} {sign} {edge.target}: {edge.label}"
    if not is_missing(edge.std_estimate):
        told += f"\nstd. estimate {exact(edge.std_estimate)}"
    if not is_missing(edge.p_value):
        told += f", {p_phrase(edge.p_value)}"
    return svg.titled(line + heads, told)


def _arrowhead(tip: tuple[float, float], back: tuple[float, float], width: float, colour: str) -> str:
    """A filled triangle with a thin white edge, so that it reads on the line it ends."""
    dx, dy = tip[0] - back[0], tip[1] - back[1]
    size = math.hypot(dx, dy) or 1.0
    ux, uy = dx / size, dy / size
    length, half = 6.5 + 0.9 * width, 2.6 + 0.55 * width
    base = (tip[0] - ux * length, tip[1] - uy * length)
    corners = [tip, (base[0] - uy * half, base[1] + ux * half), (base[0] + uy * half, base[1] - ux * half)]
    return svg.element(
        "polygon",
        {
            "points": " ".join(f"{svg.short(x)},{svg.short(y)}" for x, y in corners),
            "fill": colour,
            "stroke": svg.PAPER,
            "stroke_width": 0.8,
        },
    )


def label_mark(edge: Edge, box: Box) -> str:
    """The label of an arc on white paper, so that its own line does not run through it."""
    _, ink = _colours(edge)
    middle = box.left + box.width / 2
    paper = svg.element(
        "rect",
        {
            "x": box.left,
            "y": box.top,
            "width": box.width,
            "height": box.height,
            "rx": 3,
            "fill": svg.PAPER,
            "fill_opacity": 0.92,
        },
    )
    parts = [
        paper,
        svg.text(
            middle, box.top + 13, edge.label, LABEL_SIZE, fill=ink, anchor="middle", bold=True, halo=True
        ),
    ]
    if edge.note:
        note = fit(edge.note, 110.0, SMALL_SIZE - 1)
        parts.append(
            svg.text(middle, box.top + 25, note.lines[0], note.size, fill=svg.NEUTRAL_INK, anchor="middle")
        )
    sign = ARROW.get(edge.op, "→")
    return svg.titled(
        "".join(parts), f"{edge.source} {sign} {edge.target}" + (f": {edge.note}" if edge.note else "")
    )


def node_mark(node: Node, box: Box, colour: str | None) -> str:
    """A node with its name, R², members and the colour of its group."""
    head = head_of(node, box)
    looks: dict[str, str | float | None] = {"fill": "#f7f9fa", "stroke": "#44505a", "stroke_width": 1.3}
    outline = _outline(node, head, looks)
    parts = [_members(node, box, head), outline] if node.members else [outline]
    fitted = fitted_name(node, head.width)
    lines = [(line, fitted.size, True, svg.INK) for line in fitted.lines]
    if not is_missing(node.r2):
        lines.append((f"R² = {coefficient(node.r2)}", SMALL_SIZE, False, svg.NEUTRAL_INK))
    tall = sum(size * 1.22 for _, size, _, _ in lines)
    y = head.top + (head.height - tall) / 2 + (2.0 if colour is not None else 0.0)
    for words, size, bold, fill in lines:
        parts.append(
            svg.text(
                head.left + head.width / 2,
                y + size * 0.94,
                words,
                size,
                anchor="middle",
                bold=bold,
                fill=fill,
            )
        )
        y += size * 1.22
    if colour is not None:
        # a short bar inside the outline: the group's colour, the same as in the effect bars
        parts.append(
            svg.element(
                "rect",
                {
                    "x": head.left + head.width / 2 - 16,
                    "y": head.top + 3.2,
                    "width": 32,
                    "height": 2.6,
                    "rx": 1.3,
                    "fill": colour,
                },
            )
        )
    told = node.name + (f" ({node.group})" if node.group and node.group != node.name else "")
    return svg.titled("".join(parts), told)


def _outline(node: Node, head: Box, looks: dict[str, str | float | None]) -> str:
    if node.shape == "latent":
        centre = {"cx": head.left + head.width / 2, "cy": head.top + head.height / 2}
        return svg.element("ellipse", {**centre, "rx": head.width / 2, "ry": head.height / 2, **looks})
    if node.shape == "composite":
        cut, middle = min(16.0, head.height / 2.4), head.top + head.height / 2
        corners = [
            (head.left, middle),
            (head.left + cut, head.top),
            (head.right - cut, head.top),
            (head.right, middle),
            (head.right - cut, head.bottom),
            (head.left + cut, head.bottom),
        ]
        return svg.element(
            "polygon", {"points": " ".join(f"{svg.short(x)},{svg.short(y)}" for x, y in corners), **looks}
        )
    dash = "3 2.5" if node.shape == "interaction" else None
    place = {"x": head.left, "y": head.top, "width": head.width, "height": head.height, "rx": 3}
    return svg.element("rect", {**place, **looks, "stroke_dasharray": dash})


def _members(node: Node, box: Box, head: Box) -> str:
    """Members as boxes on a spine; the stub's width and colour are the weight's size and sign."""
    columns = member_columns(node)
    rows = math.ceil(len(node.members) / columns)
    spine = box.left + 16.0 if columns == 1 else box.left + box.width / 2
    top = head.bottom + 7.0
    last = top + (rows - 1) * MEMBER_STEP + MEMBER_HEIGHT / 2
    parts = [
        svg.element(
            "path",
            {
                "d": f"M{svg.short(spine)} {svg.short(head.bottom - 1)}V{svg.short(last)}",
                "stroke": svg.NEUTRAL,
                "stroke_width": 1.2,
                "fill": "none",
            },
        )
    ]
    for k, member in enumerate(node.members):
        y = top + (k % rows) * MEMBER_STEP
        on_left = columns == 2 and k < rows
        left = spine - 10.0 - MEMBER_WIDTH if on_left else spine + 10.0
        width = MEMBER_WIDTH if columns == 2 else box.right - left
        parts.append(_member(member, Box(left, y, width, MEMBER_HEIGHT), spine, on_left))
    return "".join(parts)


def _member(member: Member, box: Box, spine: float, on_left: bool) -> str:
    known = not is_missing(member.weight)
    weight = float(member.weight or 0.0) if known else 0.0
    colour = svg.NEUTRAL if not known else svg.NEGATIVE if weight < 0 else svg.POSITIVE
    ink = svg.NEUTRAL_INK if not known else svg.NEGATIVE_INK if weight < 0 else svg.POSITIVE_INK
    edge = box.right if on_left else box.left
    y = box.top + box.height / 2
    stub = svg.element(
        "path",
        {
            "d": f"M{svg.short(edge)} {svg.short(y)}H{svg.short(spine)}",
            "stroke": colour,
            "fill": "none",
            "stroke_width": 1.0 + 4.5 * min(abs(weight), 1.0),
        },
    )
    outline = svg.element(
        "rect",
        {
            "x": box.left,
            "y": box.top,
            "width": box.width,
            "height": box.height,
            "rx": 2,
            "fill": svg.PAPER,
            "stroke": "#9aa4ac",
            "stroke_width": 0.9,
        },
    )
    figure = coefficient(member.weight) if known else ""
    room = box.width - 14 - text_width(figure, SMALL_SIZE) - 4
    name = fit(member.name, room, SMALL_SIZE + 0.5, smallest=8.0)
    parts = [stub, outline, svg.text(box.left + 6, box.top + 12.8, name.lines[0], name.size)]
    if figure:
        parts.append(svg.text(box.right - 6, box.top + 12.8, figure, SMALL_SIZE, anchor="end", fill=ink))
    told = f"{member.name}: weight {exact(member.weight)}" if known else member.name
    return svg.titled("".join(parts), told)


def legend_marks(edges: Sequence[Edge], width: float) -> tuple[list[str], float, float]:
    """Only what the figure holds, in as many rows as the figure is wide."""
    entries: list[tuple[str, str, str | None, float]] = []
    kinds = [(edge, _colours(edge)[0]) for edge in edges if edge.op != "~~"]
    if any(colour == svg.POSITIVE for _, colour in kinds):
        entries.append(("positive path", svg.POSITIVE, None, 3.0))
    if any(colour == svg.NEGATIVE for _, colour in kinds):
        entries.append(("negative path", svg.NEGATIVE, None, 3.0))
    if any(not edge.significant for edge in edges):
        entries.append(("not significant (p ≥ 0.05)", svg.NEUTRAL, "5 4", 1.4))
    if any(edge.op == "~~" and not edge.signed for edge in edges):
        entries.append(("correlated errors", svg.NEUTRAL, None, 1.4))
    if any(edge.op == "~~" and edge.signed for edge in edges):
        entries.append(("covariance: thin, two heads", svg.NEUTRAL, None, 1.4))
    notes = ["width: |standardised path|", "* p < 0.05   ** p < 0.01   *** p < 0.001"]
    parts: list[str] = []
    x, y, widest = 0.0, 8.0, 0.0
    for words, colour, dash, thick in [*entries, *((note, "", None, 0.0) for note in notes)]:
        mark = 30.0 if colour else 0.0
        size = mark + text_width(words, SMALL_SIZE)
        if x > 0 and x + size > width:
            x, y = 0.0, y + 17.0
        if colour:
            parts.append(
                svg.element(
                    "path",
                    {
                        "d": f"M{svg.short(x)} {svg.short(y - 3.5)}h24",
                        "stroke": colour,
                        "fill": "none",
                        "stroke_width": thick,
                        "stroke_dasharray": dash,
                    },
                )
            )
        parts.append(svg.text(x + mark, y, words, SMALL_SIZE, fill=svg.NEUTRAL_INK))
        x += size + 18.0
        widest = max(widest, x - 18.0)
    return parts, widest, y + 4.0
