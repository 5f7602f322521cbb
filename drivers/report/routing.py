"""From the stops of an arc to a curve: as smooth as the boxes on its way allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from drivers.report.layout import Box, Route
from drivers.report.svg import short

Point = tuple[float, float]

CLEARANCE = 2.5
"""An arc keeps this far from nodes and from the labels of others."""
SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Curve:
    """A chain of cubic Bézier pieces: a start and, for each piece, two controls and an end."""

    start: Point
    pieces: tuple[tuple[Point, Point, Point], ...]

    def path(self) -> str:
        """The `d` attribute."""
        parts = [f"M{short(self.start[0])} {short(self.start[1])}"]
        for piece in self.pieces:
            parts.append("C" + " ".join(f"{short(x)} {short(y)}" for x, y in piece))
        return "".join(parts)

    def points(self, samples: int = SAMPLES) -> list[Point]:
        """Points along the curve, for looking at what it crosses."""
        found = [self.start]
        here = self.start
        for a, b, end in self.pieces:
            for k in range(1, samples + 1):
                t = k / samples
                s = 1 - t
                found.append(
                    (
                        s**3 * here[0] + 3 * s * s * t * a[0] + 3 * s * t * t * b[0] + t**3 * end[0],
                        s**3 * here[1] + 3 * s * s * t * a[1] + 3 * s * t * t * b[1] + t**3 * end[1],
                    )
                )
            here = end
        return found


def draw(route: Route, start: Point, end: Point, obstacles: Sequence[Box]) -> Curve:
    """The curve of a route between two points on the outlines of its nodes.

    First every stop is a point to pass at any slope. Where that would touch an obstacle the arc runs level
    through the whole stop instead, which by the layout touches nothing.
    """
    if route.bow:
        return _bow(route, start, end)
    # the ways out and in begin at the outlines, which may lie well inside the blocks
    first, last = route.stops[0], route.stops[-1]
    inner = route.stops[1:-1]
    stops = (replace(first, left=start[0]), *inner, replace(last, right=end[0]))
    route = replace(route, stops=stops)
    level = [False] * len(route.stops)
    grown = [
        Box(b.left - CLEARANCE, b.top - CLEARANCE, b.width + 2 * CLEARANCE, b.height + 2 * CLEARANCE)
        for b in obstacles
    ]
    while True:
        curve = _through(route, start, end, level)
        hits = [p for p in curve.points() if any(box.contains(*p) for box in grown)]
        if not hits or all(level):
            return curve
        at = {min(range(len(level)), key=lambda k: (level[k], _away(route, k, x))) for x, _ in hits}
        for k in at:
            level[k] = True


def _away(route: Route, stop: int, x: float) -> float:
    """How far a place is from the columns of a stop."""
    s = route.stops[stop]
    return max(s.left - x, x - s.right, 0.0)


def _through(route: Route, start: Point, end: Point, level: Sequence[bool]) -> Curve:
    """A curve that never turns back: monotone slopes at points, level lines through level stops."""
    points: list[Point] = [start]
    flat: list[bool] = [True]
    final = len(route.stops) - 1
    for k, stop in enumerate(route.stops):
        if level[k]:
            if stop.right - stop.left > 0.5:
                points += [(stop.left, stop.y), (stop.right, stop.y)]
                flat += [True, True]
        elif 0 < k < final:
            points.append(((stop.left + stop.right) / 2, stop.y))
            flat.append(False)
    points.append(end)
    flat.append(True)
    points, flat = _forward(points, flat)
    slopes = _slopes(points, flat)
    pieces = []
    for k in range(len(points) - 1):
        (x0, y0), (x1, y1) = points[k], points[k + 1]
        reach = 0.42 * (x1 - x0)
        pieces.append(
            ((x0 + reach, y0 + reach * slopes[k]), (x1 - reach, y1 - reach * slopes[k + 1]), (x1, y1))
        )
    return Curve(points[0], tuple(pieces))


def _forward(points: list[Point], flat: list[bool]) -> tuple[list[Point], list[bool]]:
    """Drop points that do not move on (a port on the edge of its column)."""
    kept, kept_flat = [points[0]], [flat[0]]
    for point, is_flat in zip(points[1:-1], flat[1:-1], strict=True):
        if kept[-1][0] + 0.5 < point[0] < points[-1][0] - 0.5:
            kept.append(point)
            kept_flat.append(is_flat)
    return [*kept, points[-1]], [*kept_flat, flat[-1]]


def _slopes(points: Sequence[Point], flat: Sequence[bool]) -> list[float]:
    """Slopes that keep the curve monotone between points (harmonic means, after Fritsch & Carlson)."""
    slopes = [0.0] * len(points)
    for k in range(1, len(points) - 1):
        if flat[k]:
            continue
        (xa, ya), (xb, yb), (xc, yc) = points[k - 1], points[k], points[k + 1]
        before, after = (yb - ya) / (xb - xa), (yc - yb) / (xc - xb)
        if before * after > 0:
            slopes[k] = 2 * before * after / (before + after)
    return slopes


def _bow(route: Route, start: Point, end: Point) -> Curve:
    """Out, over the crest beside the label, and back: stays in the channel between two columns."""
    exit_, crest = route.stops[0], route.stops[1]
    x, y = crest.left, crest.y
    lead = exit_.right
    out = 0.5 * (lead + x)
    turn = 1.0 if end[1] >= start[1] else -1.0
    bend = min(abs(end[1] - start[1]) / 3, 40.0) * turn
    first = ((lead + 0.3 * (x - lead), start[1]), (lead, start[1]), (lead, start[1]))
    return Curve(
        start,
        (
            (first[1], first[1], (lead, start[1])) if lead - start[0] > 0.5 else (start, start, start),
            ((out, start[1]), (x, y - bend), (x, y)),
            ((x, y + bend), (out, end[1]), (lead, end[1])),
            ((lead, end[1]), end, end),
        ),
    )
