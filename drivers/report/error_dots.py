"""What p-values count: the interval of every path by each way of counting pixels, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import SMALL, Key, Scale, heading, legend, line, mark, scale_of, whisker
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import count, exact, is_missing

MARGIN = 14.0
SIZE = 11.5
NAME_ROOM = 210.0
PLOT = 400.0
COUNT_ROOM = 96.0
PITCH, AIR = 8.0, 9.0
"""Between the intervals of a path, and between paths."""
REACH = 2.5
"""An interval that goes further than so many times the largest estimate is cut, with an arrow."""

KINDS = {
    "classical": "circle",
    "robust": "down",
    "effective": "diamond",
    "block": "square",
    "bootstrap": "up",
}
"""Ways of counting, each with its mark, in the order of a path's intervals."""
SAID = {
    "classical": "every pixel counts",
    "robust": "every pixel counts, normal or not",
    "effective": "independent pixels count",
    "block": "spatial blocks count",
    "bootstrap": "blocks are drawn anew",
}


@dataclass(frozen=True, slots=True)
class PathIntervals:
    """A path's standardised estimate and its intervals by kind; None where there is no interval."""

    name: str
    estimate: float
    intervals: Mapping[str, tuple[float, float] | None]
    n_effective: float | None = None


def error_dots(paths: Sequence[PathIntervals], *, title: str, chosen: str) -> str:
    """A row per path, in the order given; the kind of errors that the tables use is dark, the others grey.

    The same input gives the same bytes.
    """
    kinds = [kind for kind in KINDS if any(kind in path.intervals for path in paths)]
    scale = _scale(paths)
    counted = any(not is_missing(path.n_effective) for path in paths)
    names = max((text_width(path.name, SIZE) for path in paths), default=0.0)
    left = MARGIN + min(max(names + 12.0, 70.0), NAME_ROOM)
    width = left + PLOT + (COUNT_ROOM if counted else 16.0) + MARGIN
    drawn, y = legend(_keys(kinds, paths, scale, chosen), MARGIN, 48.0, width - 2 * MARGIN)
    top = y + (30.0 if counted else 16.0)
    row = PITCH * max(len(kinds), 2) + AIR
    bottom = top + row * len(paths)
    parts = [heading(title, width, MARGIN), *drawn, *_axis(scale, left, top, bottom)]
    if counted:
        words = "independent pixels"
        parts.append(svg.text(width - MARGIN, top - 8, words, 9.5, anchor="end", fill=svg.NEUTRAL_INK))
    for k, path in enumerate(paths):
        parts.append(_path(path, kinds, (left, top + row * k, row, width), scale, chosen))
        if k:
            parts.append(line(MARGIN, top + row * k, width - MARGIN, top + row * k, "#eceff1", 0.8))
    said = "Standardised path with its 95 % interval"
    parts.append(svg.text(left + PLOT / 2, bottom + 36, said, SMALL, anchor="middle", fill=svg.NEUTRAL_INK))
    return svg.document(width, bottom + 36 + MARGIN, f"What p-values count: {title}", parts)


def _scale(paths: Sequence[PathIntervals]) -> Scale:
    reach = REACH * max([0.02, *(abs(path.estimate) for path in paths)])
    ends = [end for path in paths for found in path.intervals.values() if found for end in found]
    return scale_of([0.0, *(path.estimate for path in paths), *(min(max(e, -reach), reach) for e in ends)], 6)


def _keys(kinds: Sequence[str], paths: Sequence[PathIntervals], scale: Scale, chosen: str) -> list[Key]:
    keys = []
    for kind in kinds:
        words = f"{kind}: {SAID[kind]}" + (" (used in the tables)" if kind == chosen else "")
        keys.append(Key(words, _sample(kind, kind == chosen), 34.0))
    found = [ends for path in paths for ends in path.intervals.values()]
    if any(ends is not None and (ends[0] < scale.low or ends[1] > scale.high) for ends in found):
        keys.append(Key("goes on", lambda x, y: mark("right", x + 5, y, 3.4, fill=svg.NEUTRAL_INK), 14.0))
    if any(ends is None for ends in found):
        keys.append(Key("– too little to tell", lambda x, y: "", 0.0))
    return keys


def _sample(kind: str, dark: bool) -> Callable[[float, float], str]:
    def draw(x: float, y: float) -> str:
        return _mark(kind, x, x + 28, x + 14, y, dark)

    return draw


def _mark(kind: str, low: float, high: float, at: float, y: float, dark: bool) -> str:
    colour = svg.INK if dark else svg.NEUTRAL
    return whisker(low, high, y, colour, 1.8 if dark else 1.2, 2.6) + mark(
        KINDS[kind], at, y, 3.3 if dark else 2.8, fill=colour, stroke=svg.PAPER, width=0.9
    )


def _axis(scale: Scale, left: float, top: float, bottom: float) -> list[str]:
    parts = []
    for tick in scale.ticks:
        x = scale.at(tick, left, PLOT)
        zero = abs(tick) < scale.step / 1e6
        parts.append(
            line(x, top - 2, x, bottom + 3, svg.NEUTRAL_INK if zero else svg.RULE, 1.2 if zero else 0.8)
        )
        parts.append(
            svg.text(x, bottom + 17, scale.words(tick), SMALL, anchor="middle", fill=svg.NEUTRAL_INK)
        )
    return parts


def _path(
    path: PathIntervals,
    kinds: Sequence[str],
    place: tuple[float, float, float, float],
    scale: Scale,
    chosen: str,
) -> str:
    left, top, row, width = place
    middle = top + row / 2
    name = fit(path.name, left - MARGIN - 8, SIZE, smallest=8.5)
    parts = [svg.text(left - 8, middle + 4, name.lines[0], name.size, anchor="end")]
    told = [path.name, f"estimate {exact(path.estimate)}"]
    at = scale.at(path.estimate, left, PLOT)
    for k, kind in enumerate(kinds):
        y = middle + PITCH * (k - (len(kinds) - 1) / 2)
        ends = path.intervals.get(kind)
        if ends is None:
            if kind in path.intervals:
                parts.append(line(at + 6, y, at + 11, y, svg.NEUTRAL_INK))
            continue
        a, b = (scale.at(end, left, PLOT) for end in ends)
        parts.append(_mark(kind, a, b, at, y, kind == chosen))
        colour = svg.INK if kind == chosen else svg.NEUTRAL
        for beyond, edge, shape in (
            (ends[0] < scale.low, left, "left"),
            (ends[1] > scale.high, left + PLOT, "right"),
        ):
            if beyond:
                parts.append(mark(shape, edge, y, 3.4, fill=colour))
        told.append(f"{kind} {exact(ends[0])} to {exact(ends[1])}")
    if not is_missing(path.n_effective):
        words = count(path.n_effective)
        parts.append(svg.text(width - MARGIN, middle + 4, words, SMALL, anchor="end", fill=svg.NEUTRAL_INK))
    return svg.titled("".join(parts), "\n".join(told))
