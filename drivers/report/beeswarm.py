"""SHAP values as a beeswarm: a row per driver, a dot per pixel, coloured by the driver's value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import (
    LINE,
    SMALL,
    Key,
    Scale,
    bottom_ticks,
    heading,
    legend,
    line,
    ramp,
    scale_of,
)
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import exact, number

MARGIN = 14.0
NAME_ROOM, PLOT, VALUE_ROOM = 150.0, 430.0, 66.0
ROW, HALF = 25.0, 10.5
"""Height of a row, and how far a dot may lie from its middle."""
SIZE = 12.0
DOT = 3.2
STEP = 3.0
"""Dots nearer to each other than this are stacked; a crowd is pressed together until it fits the row."""
SHADES = 9
"""Colours from low to high: more are not told apart in a dot, and each is an element of its own."""
ROUNDS = 4
"""A row is drawn in so many rounds, or in a crowd the high values would cover all others."""
MISSING = "#c3c9ce"
ONE_GREY = "#7b8a97"
PAD = 0.02
"""Of the scale: the outermost dots stay clear of names and numbers."""
VALUES = "mean |SHAP|"


@dataclass(frozen=True, slots=True)
class Swarm:
    """A driver: mean |SHAP|, and of every pixel the SHAP value with the driver's value or its level.

    A height is the driver's value as a quantile, 0 to 1; a level is a text; None is a missing value.
    """

    name: str
    size: float
    dots: tuple[tuple[float, float | str | None], ...]

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of a categorical driver, the most frequent first."""
        found = [at for _, at in self.dots if isinstance(at, str)]
        return tuple(sorted(dict.fromkeys(found), key=lambda level: -found.count(level)))


def quantiles(values: Sequence[float]) -> list[float]:
    """Where each value stands among all, from 0 for the lowest to 1 for the highest; ties stand together.

    >>> quantiles([3.0, 1.0, 2.0, 3.0, 3.0]), quantiles([0.0, 1.0, 0.0]), quantiles([5.0])
    ([1.0, 0.0, 0.3333333333333333, 1.0, 1.0], [0.0, 1.0, 0.0], [0.5])
    """
    ordered = sorted(values)
    first: dict[float, int] = {}
    last: dict[float, int] = {}
    for k, value in enumerate(ordered):
        first.setdefault(value, k)
        last[value] = k
    middle = {value: (first[value] + last[value]) / 2 for value in first}
    low, high = (middle[ordered[0]], middle[ordered[-1]]) if ordered else (0.0, 0.0)
    return [(middle[v] - low) / (high - low) if high > low else 0.5 for v in values]


def beeswarm(swarms: Sequence[Swarm], *, title: str, caption: str) -> str:
    """The drivers in the order given, on one scale; `caption` says what a SHAP value is in units of."""
    names = max((text_width(s.name, SIZE) for s in swarms), default=0.0)
    left = MARGIN + min(max(names + 12.0, 70.0), NAME_ROOM)
    width = left + PLOT + VALUE_ROOM + MARGIN
    values = [0.0, *(value for s in swarms for value, _ in s.dots)]
    low, high = min(values), max(values)
    pad = PAD * (high - low)
    scale = scale_of([low - pad, high + pad], 6, tight=True)
    drawn, y = _legend(swarms, width)
    top = y + 30.0
    bottom = top + ROW * len(swarms)
    over = svg.text(width - MARGIN, top - 8, VALUES, SMALL, anchor="end", fill=svg.NEUTRAL_INK)
    parts = [heading(title, width, MARGIN), *drawn, over]
    for tick in scale.ticks:
        x = scale.at(tick, left, PLOT)
        parts.append(line(x, top, x, bottom, svg.RULE if tick else svg.NEUTRAL, 0.8 if tick else 1.2))
    parts += bottom_ticks(scale, left, PLOT, bottom)
    for k, swarm in enumerate(swarms):
        parts.append(_row(swarm, left, top + ROW * (k + 0.5), scale))
    said = fit(caption + scale.factor, width - 2 * MARGIN, SMALL)
    middle = min(left + PLOT / 2, width - MARGIN - text_width(said.lines[0], said.size) / 2)
    parts.append(
        svg.text(middle, bottom + 32, said.lines[0], said.size, anchor="middle", fill=svg.NEUTRAL_INK)
    )
    return svg.document(width, bottom + 32 + MARGIN, f"SHAP values: {title}", parts)


def _legend(swarms: Sequence[Swarm], width: float) -> tuple[list[str], float]:
    """What the colours are: from low to high, then a line for each categorical driver."""
    present = [at for s in swarms for _, at in s.dots]
    first: list[Key] = []
    if any(isinstance(at, float) for at in present):
        first.append(_words_key("value of the driver, by rank: low"))
        first.append(Key("high", lambda x, y: "".join(ramp(x, y + 4, svg.LOW_TO_HIGH)), 128.0))
    first += [_dot_key("no value", MISSING)] if None in present else []
    lines = [first] if first else []
    for swarm in swarms:
        if levels := swarm.levels:
            of = _level_colours(swarm)
            if len(levels) > len(svg.LEVEL_COLOURS):
                keys = [_dot_key(f"{len(levels)} levels, in one grey", ONE_GREY)]
            else:
                keys = [_dot_key(level, of[level]) for level in levels]
            lines.append([_words_key(f"{swarm.name}:"), *keys])
    parts, y = [], 50.0 - LINE
    for keys in lines:
        more, y = legend(keys, MARGIN, y + LINE, width - 2 * MARGIN)
        parts += more
    return parts, y


def _words_key(words: str) -> Key:
    return Key(words, lambda x, y: "", 0.0)


def _dot_key(words: str, colour: str) -> Key:
    return Key(words, lambda x, y: _dots([(x + 4, y)], colour, 6.0), 11.0)


def _level_colours(swarm: Swarm) -> dict[str, str]:
    levels = swarm.levels
    if len(levels) > len(svg.LEVEL_COLOURS):
        return dict.fromkeys(levels, ONE_GREY)
    return dict(zip(levels, svg.LEVEL_COLOURS, strict=False))


def _row(swarm: Swarm, left: float, middle: float, scale: Scale) -> str:
    name = fit(swarm.name, left - MARGIN - 8, SIZE, smallest=8.5)
    parts = [
        line(left, middle, left + PLOT, middle, svg.RULE, 0.6),
        svg.text(left - 8, middle + 4, name.lines[0], name.size, anchor="end"),
        svg.text(left + PLOT + VALUE_ROOM, middle + 4, number(swarm.size), SIZE, anchor="end"),
    ]
    along = [scale.at(value, left, PLOT) for value, _ in swarm.dots]
    lifts = stacked(along)
    of = _level_colours(swarm)
    for start in range(ROUNDS):
        places: dict[str, list[tuple[float, float]]] = {}
        for k in range(start, len(along), ROUNDS):
            at = swarm.dots[k][1]
            if isinstance(at, float):
                colour = svg.ramp_colour(round(at * (SHADES - 1)) / (SHADES - 1), svg.LOW_TO_HIGH)
            else:
                colour = MISSING if at is None else of[at]
            places.setdefault(colour, []).append((along[k], middle + lifts[k]))
        parts += [_dots(places[colour], colour, DOT) for colour in sorted(places)]
    values = [value for value, _ in swarm.dots]
    told = f"{swarm.name}\n{VALUES} {exact(swarm.size)}"
    if values:
        told += f"\n{len(values)} pixels, from {number(min(values))} to {number(max(values))}"
    return svg.titled("".join(parts), told)


def stacked(along: Sequence[float]) -> list[float]:
    """How far each dot lies from the middle of its row: alternately above and below those at its place.

    >>> stacked([10.0, 50.0, 10.4, 10.2])
    [0.0, 0.0, 3.0, -3.0]
    """
    count: dict[int, int] = {}
    layers = []
    for x in along:
        place = round(x / STEP)
        k = count.get(place, 0)
        count[place] = k + 1
        layers.append((k + 1) // 2 * (1 if k % 2 else -1))
    most = max((abs(layer) for layer in layers), default=0)
    step = min(STEP, HALF / most) if most else 0.0
    return [layer * step + 0.0 for layer in layers]


def _dots(places: Sequence[tuple[float, float]], colour: str, size: float) -> str:
    """Dots of one colour as the round ends of strokes without length: an element for all of them."""
    d = "".join(f"M{_tenth(x)} {_tenth(y)}h.1" for x, y in places)
    return svg.element("path", {"d": d, "stroke": colour, "stroke_width": size, "stroke_linecap": "round"})


def _tenth(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
