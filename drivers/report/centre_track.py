"""The way of a centre of gravity over years: a small map with the years as points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import heading, line, mark, ramp
from drivers.report.lettering import fit, text_width
from drivers.report.scale_bar import scale_bar

MARGIN = 14.0
WIDTH = 400.0
TALLEST, LOWEST = 300.0, 150.0
INSIDE = 34.0
"""Between the frame and the outermost points: room for the labels of years."""
SIZE = 10.0
RADIUS = 3.4
HEAD = 6.0
"""Length of an arrow's head."""
BAR_ROOM = 30.0

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Stop:
    """The centre of one year: east and north in units of `measure`, from any origin."""

    year: int
    east: float
    north: float
    told: str


def centre_track(stops: Sequence[Stop], *, title: str, caption: str, measure: str) -> str:
    """The stops in the order of their years, both axes on one scale."""
    east, north = [s.east for s in stops], [s.north for s in stops]
    wide, tall = max(east) - min(east), max(north) - min(north)
    reach = max(wide, tall) or 1.0
    inner = WIDTH - 2 * MARGIN - 2 * INSIDE
    per_unit = min(inner / max(wide, reach * 0.02), (TALLEST - 2 * INSIDE) / max(tall, reach * 0.02))
    box_height = max(tall * per_unit + 2 * INSIDE, LOWEST)
    top = 50.0
    middle = (WIDTH / 2, top + box_height / 2)

    def at(stop: Stop) -> tuple[float, float]:
        x = middle[0] + per_unit * (stop.east - (max(east) + min(east)) / 2)
        return x, middle[1] - per_unit * (stop.north - (max(north) + min(north)) / 2)

    points = [at(stop) for stop in stops]
    said = fit(caption, WIDTH - 2 * MARGIN, 10.5, smallest=8.0)
    frame: dict[str, str | float | None] = {"x": MARGIN, "y": top, "width": WIDTH - 2 * MARGIN}
    parts = [
        heading(title, WIDTH, MARGIN),
        svg.text(MARGIN, 42, said.lines[0], said.size, fill=svg.NEUTRAL_INK),
        svg.element("rect", {**frame, "height": box_height, "fill": "#f5f7f8", "stroke": svg.RULE}),
    ]
    parts += [_arrow(a, b) for a, b in itertools.pairwise(points)]
    last = max(len(stops) - 1, 1)
    for k, (stop, (x, y)) in enumerate(zip(stops, points, strict=True)):
        colour = svg.ramp_colour(k / last, svg.LOW_TO_HIGH)
        parts.append(
            svg.titled(mark("circle", x, y, RADIUS, fill=colour, stroke=svg.PAPER, width=0.8), stop.told)
        )
    parts += _labels([stop.year for stop in stops], points, (MARGIN, top, WIDTH - MARGIN, top + box_height))
    below = top + box_height + BAR_ROOM
    if wide or tall:
        parts += scale_bar(MARGIN + 4, below, per_unit, 120.0, measure)
    parts += _legend(str(stops[0].year), str(stops[-1].year), below)
    parts += _north(WIDTH - MARGIN - 14, top + 12)
    return svg.document(WIDTH, below + MARGIN, f"Centre of gravity: {title}", parts)


def _arrow(a: tuple[float, float], b: tuple[float, float]) -> str:
    """A line that stops short of both points, with a head where there is room for one."""
    long = math.hypot(b[0] - a[0], b[1] - a[1])
    if long <= 2 * RADIUS:
        return ""
    ux, uy = (b[0] - a[0]) / long, (b[1] - a[1]) / long
    start = (a[0] + ux * RADIUS, a[1] + uy * RADIUS)
    end = (b[0] - ux * (RADIUS + 0.6), b[1] - uy * (RADIUS + 0.6))
    drawn = line(*start, *end, svg.NEUTRAL, 1.1)
    if long < 2 * RADIUS + HEAD:
        return drawn
    back = (end[0] - ux * HEAD, end[1] - uy * HEAD)
    corners = [end, (back[0] - uy * 2.6, back[1] + ux * 2.6), (back[0] + uy * 2.6, back[1] - ux * 2.6)]
    d = "M" + "L".join(f"{svg.short(x)} {svg.short(y)}" for x, y in corners) + "Z"
    return drawn + svg.element("path", {"d": d, "fill": svg.NEUTRAL_INK})


def _labels(years: Sequence[int], points: Sequence[tuple[float, float]], frame: Box) -> list[str]:
    """Years beside their points: the first and the last, then every one that finds a free place."""
    dots = [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in points]
    taken: list[Box] = [(frame[2] - 26, frame[1], frame[2], frame[1] + 34)]
    parts = []
    ends = dict.fromkeys((0, len(years) - 1))
    for k in dict.fromkeys((*ends, *range(len(years)))):
        x, y = points[k]
        wide = text_width(str(years[k]), SIZE, bold=k in ends)
        places = (
            (x + 6, y - 5), (x - 6 - wide, y - 5), (x - wide / 2, y - 15), (x - wide / 2, y + 5),
            (x + 5, y - 14), (x - 5 - wide, y - 14), (x + 5, y + 3), (x - 5 - wide, y + 3),
        )  # fmt: skip
        boxes = [(a, b, a + wide, b + SIZE) for a, b in places]
        free = [
            box
            for box in boxes
            if frame[0] <= box[0] and box[2] <= frame[2] and frame[1] <= box[1] and box[3] <= frame[3]
            if not any(_meet(box, other) for other in taken)
            if k in ends or not any(_meet(box, dot) for i, dot in enumerate(dots) if i != k)
        ]
        if free:
            box = free[0]
            taken.append((box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1))
            parts.append(svg.text(box[0], box[3] - 1.5, str(years[k]), SIZE, bold=k in ends, halo=True))
    return parts


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _legend(first: str, last: str, y: float) -> list[str]:
    right = WIDTH - MARGIN
    wide = text_width(last, 10.0)
    left = right - wide - 6 - 120
    return [
        svg.text(left - 6, y, first, 10.0, anchor="end", fill=svg.NEUTRAL_INK),
        *ramp(left, y, svg.LOW_TO_HIGH),
        svg.text(right, y, last, 10.0, anchor="end", fill=svg.NEUTRAL_INK),
    ]


def _north(x: float, y: float) -> list[str]:
    return [
        line(x, y + 16, x, y + 2, svg.NEUTRAL_INK, 1.2),
        mark("up", x, y, 3.5, fill=svg.NEUTRAL_INK),
        svg.text(x - 6, y + 12, "N", 9.0, anchor="end", fill=svg.NEUTRAL_INK),
    ]
