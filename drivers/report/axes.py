"""Axes, legends and marks that figures with a true scale share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import MINUS, THIN

SMALL = 10.5
ENTRY_GAP = 16.0
LINE = 18.0
"""Between the lines of a legend."""
LARGE, TINY = 1e5, 1e-3
"""Beyond these a scale's numbers are written as multiples of a power of ten."""
TARGETS = (1, 2, 2.5, 5, 10)
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale with round ticks.

    Attributes
    ----------
    low, high : the ends of the axis
    step : the distance of two ticks, a round number
    power : ticks are written in units of 10 ** power
    """

    low: float
    high: float
    step: float
    power: int = 0

    @property
    def ticks(self) -> tuple[float, ...]:
        """The multiples of the step from `low` to `high`."""
        first = math.ceil(self.low / self.step - 1e-9)
        last = math.floor(self.high / self.step + 1e-9)
        return tuple(k * self.step for k in range(first, last + 1))

    def at(self, value: float, start: float, length: float) -> float:
        """Where `value` lies on an axis of `length` from `start`; ends beyond the scale are cut."""
        inside = min(max(value, self.low), self.high)
        return start + length * ((inside - self.low) / (self.high - self.low))

    def words(self, value: float) -> str:
        """A tick's number, with as many decimals as the step needs.

        >>> Scale(0, 1, 0.25).words(0.5), Scale(-2, 0, 1).words(-2.0), Scale(0, 9e6, 1e6, 6).words(4e6)
        ('0.50', '−2', '4')
        """
        unit = 10.0**self.power
        step = self.step / unit
        digits = next((d for d in range(12) if abs(round(step, d) - step) < 1e-6 * step), 12)
        words = f"{value / unit:,.{digits}f}".replace(",", THIN)
        return words.lstrip("-") if float(value) == 0 else words.replace("-", MINUS)

    @property
    def factor(self) -> str:
        """What a caption adds to its unit: ` × 10⁶`, or nothing."""
        return f" × 10{str(self.power).translate(_SUPERSCRIPT)}" if self.power else ""


def scale_of(values: Iterable[float], most: int = 5, *, tight: bool = False) -> Scale:
    """A scale that holds all values, with at most about `most` steps.

    With `tight` it ends at the smallest and the largest value, else at ticks.

    >>> scale_of([0.03, 0.42]).ticks
    (0.0, 0.1, 0.2, 0.30000000000000004, 0.4, 0.5)
    >>> scale_of([7.0, 7.0], tight=True).low < 7
    True
    """
    known = [float(v) for v in values if math.isfinite(v)] or [0.0, 1.0]
    low, high = min(known), max(known)
    reach = max(abs(low), abs(high))
    if high - low <= 1e-9 * reach or high == low:
        pad = 0.5 * reach or 0.5
        low, high = low - pad, high + pad
    raw = (high - low) / most
    base = 10.0 ** math.floor(math.log10(raw))
    step = next(m * base for m in TARGETS if m * base >= raw * (1 - 1e-9))
    if not tight:
        low = math.floor(low / step + 1e-9) * step
        high = math.ceil(high / step - 1e-9) * step
    reach = max(abs(low), abs(high))
    power = 3 * math.floor(math.log10(reach) / 3) if reach >= LARGE or reach < TINY else 0
    return Scale(low, high, step, power)


def bottom_ticks(scale: Scale, left: float, width: float, y: float) -> list[str]:
    """Ticks and their numbers under an axis at height `y`, thinned until they stand apart."""
    ticks = list(scale.ticks)
    widest = max((text_width(scale.words(t), 9.5) for t in ticks), default=0.0)
    gap = width * scale.step / (scale.high - scale.low)
    every = max(1, math.ceil((widest + 8.0) / max(gap, 1e-9)))
    kept = [t for t in ticks if round(t / scale.step) % every == 0] or ticks[:1]
    parts = []
    for tick in kept:
        x = scale.at(tick, left, width)
        parts.append(line(x, y, x, y + 3.5, svg.NEUTRAL))
        parts.append(svg.text(x, y + 13.5, scale.words(tick), 9.5, anchor="middle", fill=svg.NEUTRAL_INK))
    return parts


def left_ticks(scale: Scale, x: float, top: float, height: float, right: float) -> list[str]:
    """Light grid lines from `x` to `right`, with their numbers to the left of `x`."""
    parts = []
    for tick in scale.ticks:
        y = top + height - scale.at(tick, 0.0, height)
        parts.append(line(x, y, right, y, svg.RULE, 0.7))
        parts.append(svg.text(x - 5, y + 3.4, scale.words(tick), 9.5, anchor="end", fill=svg.NEUTRAL_INK))
    return parts


def upright(words: str, x: float, middle: float, room: float) -> str:
    """A caption that reads upwards, centred at height `middle`."""
    shown = fit(words, room, SMALL, smallest=8.0)
    turned = svg.text(x, middle, shown.lines[0], shown.size, anchor="middle", fill=svg.NEUTRAL_INK)
    where = f"rotate(-90 {svg.short(x)} {svg.short(middle)})"
    return svg.element("g", {"transform": where}, turned)


def line(
    x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1.0, dash: str | None = None
) -> str:
    """A straight line."""
    d = f"M{svg.short(x1)} {svg.short(y1)}L{svg.short(x2)} {svg.short(y2)}"
    return svg.element("path", {"d": d, "stroke": colour, "stroke_width": width, "stroke_dasharray": dash})


SHAPES = ("circle", "square", "up", "diamond", "down", "plus", "cross", "bar")
"""Marks that are told apart without colour; `up` and `down` are triangles, `bar` an equals sign."""


def mark(
    shape: str, x: float, y: float, size: float, *, fill: str, stroke: str | None = None, width: float = 1.0
) -> str:
    """A mark about `2 * size` across, centred at (x, y); `plus`, `cross` and `bar` are strokes of `fill`."""
    if shape == "circle":
        looks: dict[str, str | float | None] = {"cx": x, "cy": y, "r": size}
        return svg.element("circle", {**looks, "fill": fill, "stroke": stroke, "stroke_width": width})
    corners = {
        "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
        "up": ((0.0, -1.0), (1.0, 0.8), (-1.0, 0.8)),
        "down": ((0.0, 1.0), (1.0, -0.8), (-1.0, -0.8)),
        "left": ((-1.0, 0.0), (0.8, -1.0), (0.8, 1.0)),
        "right": ((1.0, 0.0), (-0.8, -1.0), (-0.8, 1.0)),
        "diamond": ((0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)),
    }.get(shape)
    if corners is not None:
        points = "L".join(f"{svg.short(x + size * a)} {svg.short(y + size * b)}" for a, b in corners)
        return svg.element(
            "path", {"d": f"M{points}Z", "fill": fill, "stroke": stroke, "stroke_width": width}
        )
    strokes = {
        "plus": ((-1, 0, 1, 0), (0, -1, 0, 1)),
        "cross": ((-0.8, -0.8, 0.8, 0.8), (-0.8, 0.8, 0.8, -0.8)),
        "bar": ((-1, -0.45, 1, -0.45), (-1, 0.45, 1, 0.45)),
    }[shape]
    d = ""
    for a, b, c, e in strokes:
        ends = [svg.short(v) for v in (x + size * a, y + size * b, x + size * c, y + size * e)]
        d += "M{} {}L{} {}".format(*ends)
    return svg.element("path", {"d": d, "stroke": fill, "stroke_width": max(width, 1.2), "fill": "none"})


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend: its words, and what draws its mark from (left end, middle height)."""

    words: str
    draw: Callable[[float, float], str]
    width: float = 14.0


def swatch(colour: str) -> Callable[[float, float], str]:
    """The mark of a driver group."""
    return lambda x, y: svg.element(
        "rect", {"x": x, "y": y - 4.5, "width": 9, "height": 9, "rx": 2, "fill": colour}
    )


def legend(keys: Sequence[Key], x: float, y: float, width: float) -> tuple[list[str], float]:
    """The entries from (x, baseline y), wrapped to `width`; also the baseline of the last line."""
    parts: list[str] = []
    at = x
    for key in keys:
        shown = fit(key.words, width - key.width, SMALL, smallest=8.0)
        size = key.width + text_width(shown.lines[0], shown.size)
        if at > x and at + size > x + width:
            at, y = x, y + LINE
        parts.append(key.draw(at, y - 4.0))
        parts.append(svg.text(at + key.width, y, shown.lines[0], shown.size, fill=svg.NEUTRAL_INK))
        at += size + ENTRY_GAP
    return parts, y


def ramp(x: float, y: float, stops: svg.Ramp) -> list[str]:
    """A bar of colours from low to high, 120 wide, on the baseline y."""
    return [
        svg.element(
            "rect",
            {"x": x + 6 * k, "y": y - 9, "width": 6.3, "height": 11,
             "fill": svg.ramp_colour((k + 0.5) / 20, stops)},
        )
        for k in range(20)
    ]  # fmt: skip


def whisker(low: float, high: float, y: float, colour: str, width: float = 1.4, cap: float = 0.0) -> str:
    """An interval from `low` to `high` at height `y`, with upright ends `cap` up and down."""
    a, b, at = svg.short(low), svg.short(high), svg.short(y)
    d = f"M{a} {at}H{b}"
    if cap:
        ends = f"{svg.short(y - cap)}V{svg.short(y + cap)}"
        d += f"M{a} {ends}M{b} {ends}"
    return svg.element("path", {"d": d, "stroke": colour, "stroke_width": width, "fill": "none"})


def heading(title: str, width: float, margin: float) -> str:
    """A figure's title at its top left."""
    head = fit(title, width - 2 * margin, 14.0, bold=True)
    return svg.text(margin, margin + 11, head.lines[0], head.size, bold=True)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places at least `gap` apart, as near to those wanted as that allows, inside `low` to `high`.

    Neighbours that would collide are moved together as one block (least squares); where even
    `high - low` is too short, `low` wins.

    >>> spread([5.0, 5.0, 20.0], 2.0, 0.0, 30.0)
    [4.0, 6.0, 20.0]
    """
    order = sorted(range(len(wanted)), key=lambda k: (wanted[k], k))
    blocks: list[tuple[float, int]] = []
    for rank, k in enumerate(order):
        mean, size = wanted[k] - rank * gap, 1
        while blocks and blocks[-1][0] > mean:
            before, many = blocks.pop()
            mean, size = (before * many + mean * size) / (many + size), many + size
        blocks.append((mean, size))
    starts = [mean for mean, size in blocks for _ in range(size)]
    last = max(high - (len(wanted) - 1) * gap, low)
    found = [0.0] * len(wanted)
    for rank, k in enumerate(order):
        found[k] = min(max(starts[rank], low), last) + rank * gap
    return found
