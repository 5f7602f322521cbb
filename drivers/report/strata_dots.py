"""Strata side by side with intervals: dots and whiskers, a column per stratum, a row per driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.report import svg
from drivers.report.axes import Key, Scale, heading, legend, line, mark, scale_of, swatch, whisker
from drivers.report.lettering import fit, text_width
from drivers.report.strata_bars import stratum_heads

MARGIN = 14.0
ALL_COLUMNS = 640.0
WIDEST, NARROWEST = 210.0, 54.0
NAME_ROOM = 150.0
ROW = 18.0
SIZE = 11.5
NUMBER_AT = 104.0
"""Columns of this width and wider have room for the number beside the dots."""
NUMBER_ROOM = 46.0
CAPTION = 10.5
EDGE = 0.03
"""Air at both ends of a scale, as a share of it: marks are as wide."""
REACH = 2.5
"""A whisker that goes further than so many times the largest estimate is cut, with an arrow."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A driver's number in a stratum, as text and as tooltip, with its whisker; `leads` is the strongest."""

    value: float
    shown: str
    told: str
    low: float | None = None
    high: float | None = None
    leads: bool = False


def strata_dots(
    columns: Mapping[str, Mapping[int, Dot]],
    order: Sequence[tuple[str, str]],
    *,
    title: str,
    caption: str,
    whiskers: str,
    colours: Mapping[str, str],
    groups: int = 0,
    beside: Sequence[Dot] = (),
) -> str:
    """One column per stratum (its name as in the tables); rows are those of `order`, (name, group).

    The first `groups` rows are groups, set apart by a rule. A dash is a driver without a number. `beside` are
    the dots of other figures that share the scale. The same input gives the same bytes.
    """
    dots = [dot for column in columns.values() for dot in column.values()]
    present = {group for _, group in order}
    scale = _scale([*dots, *beside])
    keys = _keys([g for g in colours if g in present], colours, dots, scale, whiskers)
    said = caption + scale.factor
    names = max([text_width(name, SIZE) for name, _ in order] + [text_width(said, CAPTION)])
    left = MARGIN + min(names + 10, NAME_ROOM)
    wide = min(WIDEST, max(NARROWEST, ALL_COLUMNS / max(len(columns), 1)))
    width = max(left + wide * len(columns) + MARGIN, 420.0)
    drawn, y = legend(keys, MARGIN, 48.0, width - 2 * MARGIN)
    heads = [stratum_heads(name, wide - 10) for name in columns]
    top = y + 20 + 12 * max((len(h) for h in heads), default=1)
    bottom = top + ROW * len(order)
    numbered = wide >= NUMBER_AT
    length = wide - 12 - (NUMBER_ROOM if numbered else 0)
    parts = [heading(title, width, MARGIN), *drawn]
    for k, (name, _) in enumerate(order):
        middle = top + ROW * (k + 0.5)
        if k % 2:
            parts.append(svg.rect(MARGIN, middle - ROW / 2, width - 2 * MARGIN, ROW, "#f5f7f8"))
        label = fit(name, left - MARGIN - 8, SIZE, smallest=8.5)
        parts.append(svg.text(left - 8, middle + 4, label.lines[0], label.size, anchor="end"))
    if 0 < groups < len(order):
        parts.append(line(MARGIN, top + ROW * groups, width - MARGIN, top + ROW * groups, svg.NEUTRAL, 0.9))
    for c, (stratum, column) in enumerate(columns.items()):
        start = left + wide * c
        for k, (words, size, bold) in enumerate(heads[c]):
            parts.append(svg.text(start, top - 8 - 12 * (len(heads[c]) - 1 - k), words, size, bold=bold))
        parts += _axis(scale, start, length, top, bottom)
        for k, (name, group) in enumerate(order):
            place = (start, top + ROW * (k + 0.5), length)
            colour = colours.get(group, svg.PLAIN)
            parts.append(_dot(column.get(k), place, scale, colour, f"{name}, {stratum}", numbered))
    parts.append(svg.text(left - 8, bottom + 13, said, CAPTION, anchor="end", fill=svg.NEUTRAL_INK))
    return svg.document(width, bottom + 13 + MARGIN, f"Strata compared: {title}", parts)


def _scale(dots: Sequence[Dot]) -> Scale:
    """As wide as the numbers need: columns are narrow."""
    reach = REACH * max([1e-6, *(abs(dot.value) for dot in dots)])
    ends = [end for dot in dots for end in (dot.low, dot.high) if end is not None]
    kept = [0.0, *(dot.value for dot in dots), *(min(max(e, -reach), reach) for e in ends)]
    scale = scale_of(kept, 5, tight=True)
    air = EDGE * (scale.high - scale.low)
    return replace(scale, low=scale.low - air, high=scale.high + air)


def _keys(
    groups: Sequence[str], colours: Mapping[str, str], dots: Sequence[Dot], scale: Scale, whiskers: str
) -> list[Key]:
    keys = [Key(group, swatch(colours[group])) for group in groups]
    if any(dot.low is not None for dot in dots):
        keys.append(Key(whiskers, lambda x, y: whisker(x, x + 22, y, svg.PLAIN, 1.3, 3.4), 28.0))
    if any(dot.leads for dot in dots):
        keys.append(Key("strongest in its stratum", lambda x, y: _lead(x + 6, y, svg.PLAIN), 16.0))
    if any(_beyond(dot, scale) for dot in dots):
        keys.append(Key("goes on", lambda x, y: mark("right", x + 5, y, 3.4, fill=svg.PLAIN), 14.0))
    return keys


def _beyond(dot: Dot, scale: Scale) -> bool:
    return dot.low is not None and dot.high is not None and (dot.low < scale.low or dot.high > scale.high)


def _lead(x: float, y: float, colour: str) -> str:
    return mark("diamond", x, y, 3.8, fill=colour, stroke=svg.INK, width=1.1)


def _axis(scale: Scale, start: float, length: float, top: float, bottom: float) -> list[str]:
    """The outermost ticks and zero, as far as their numbers stand apart."""
    ticks = scale.ticks
    wanted = [0.0, *(t for t in sorted({ticks[0], ticks[-1]}, key=abs, reverse=True) if t)]
    parts: list[str] = []
    taken: list[tuple[float, float]] = []
    for tick in wanted:
        x = scale.at(tick, start, length)
        parts.append(line(x, top, x, bottom, svg.RULE if tick else svg.NEUTRAL_INK, 1.0 if not tick else 0.8))
        half = text_width(scale.words(tick), 9.5) / 2
        middle = min(max(x, start - 2 + half), start + length + 4 - half)
        ends = (middle - half - 2, middle + half + 2)
        if all(ends[1] <= a or b <= ends[0] for a, b in taken):
            taken.append(ends)
            words = scale.words(tick)
            parts.append(svg.text(middle, bottom + 13, words, 9.5, anchor="middle", fill=svg.NEUTRAL_INK))
    return parts


def _dot(
    dot: Dot | None,
    place: tuple[float, float, float],
    scale: Scale,
    colour: str,
    where: str,
    numbered: bool,
) -> str:
    start, middle, length = place
    if dot is None:
        at = start + length + 6 if numbered else start + 4
        return svg.titled(svg.text(at, middle + 4, "–", 10.5, fill=svg.NEUTRAL), where)
    parts = []
    if dot.low is not None and dot.high is not None:
        a, b = (scale.at(end, start, length) for end in (dot.low, dot.high))
        parts.append(whisker(a, b, middle, colour, 1.3, 3.4))
        if dot.low < scale.low:
            parts.append(mark("left", start, middle, 3.4, fill=colour))
        if dot.high > scale.high:
            parts.append(mark("right", start + length, middle, 3.4, fill=colour))
    at = scale.at(dot.value, start, length)
    parts.append(
        _lead(at, middle, colour)
        if dot.leads
        else mark("circle", at, middle, 3.0, fill=colour, stroke=svg.PAPER, width=0.7)
    )
    if numbered:
        size = fit(dot.shown, NUMBER_ROOM - 8, 10.0, smallest=7.5, bold=dot.leads).size
        ink = svg.INK if dot.leads else svg.NEUTRAL_INK
        parts.append(svg.text(start + length + 6, middle + 3.6, dot.shown, size, fill=ink, bold=dot.leads))
    return svg.titled("".join(parts), dot.told)
