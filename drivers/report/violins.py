"""Violins: how a variable is spread in each stratum, its density mirrored, with its quartiles inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import SMALL, Scale, bottom_ticks, heading, line, scale_of
from drivers.report.class_bars import short_labels
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import count, number, stratum_label

WIDTH, MARGIN = 820.0, 14.0
NAME_ROOM = 190.0
ROW, HALF, BOX = 46.0, 19.0, 3.5
"""Height of a row; of half a violin; of half the bar of the quartiles."""
THINNEST = 0.01
"""Of the greatest density of a stratum: thinner tails are left off, else a single pixel makes the axis."""
SIZE = 11.5
COUNT_ROOM = 74.0
FILL, EDGE, INK = "#c6dbef", "#5b89ad", "#1d2429"
"""One hue for all: what is compared is place and shape."""


@dataclass(frozen=True, slots=True)
class Violin:
    """A stratum's distribution.

    Attributes
    ----------
    stratum : its label
    n : pixels
    quantiles : those of 5, 25, 50, 75 and 95 %
    ends : the least and the most
    points : (value, density), ascending; empty where all values are equal
    """

    stratum: str
    n: int
    quantiles: tuple[float, float, float, float, float]
    ends: tuple[float, float]
    points: Sequence[tuple[float, float]]

    @property
    def body(self) -> list[tuple[float, float]]:
        """The points without thin tails at either end."""
        least = THINNEST * max((density for _, density in self.points), default=0.0)
        thick = [k for k, (_, density) in enumerate(self.points) if density >= least]
        return list(self.points[thick[0] : thick[-1] + 1]) if thick else []


def violins(rows: Sequence[Violin], *, title: str, unit: str = "") -> str:
    """A row per stratum. All violins are equally tall, so that shapes compare; n stands beside."""
    scale = scale_of([x for row in rows for x in (*row.quantiles, *(x for x, _ in row.body))], 7)
    family, labels = short_labels([row.stratum for row in rows])
    widest = max((text_width(label, SIZE) for label in labels.values()), default=0.0)
    left = MARGIN + min(widest, NAME_ROOM) + 12
    right = WIDTH - MARGIN - COUNT_ROOM
    top = 54.0
    foot = top + ROW * len(rows)
    parts = [heading(title, WIDTH, MARGIN)]
    if family:
        shown = fit(family, left - MARGIN - 10, SMALL, smallest=8.0)
        parts.append(
            svg.text(left - 12, top - 6, shown.lines[0], shown.size, anchor="end", fill=svg.NEUTRAL_INK)
        )
    parts.append(svg.text(WIDTH - MARGIN, top - 6, "pixels", SMALL, anchor="end", fill=svg.NEUTRAL_INK))
    for tick in scale.ticks:
        x = scale.at(tick, left, right - left)
        nil = scale.low < 0 < scale.high and abs(tick) < 1e-9 * scale.step
        parts.append(line(x, top, x, foot, svg.NEUTRAL if nil else svg.RULE, 1.0 if nil else 0.7))
    for k, row in enumerate(rows):
        parts += _row(row, labels[row.stratum], top + ROW * (k + 0.5), left, right, scale)
    parts.append(line(left, foot, right, foot, svg.NEUTRAL))
    parts += bottom_ticks(scale, left, right - left, foot)
    caption = f"{unit}{scale.factor}".strip()
    if caption:
        middle = (left + right) / 2
        parts.append(svg.text(middle, foot + 30, caption, SMALL, anchor="middle", fill=svg.NEUTRAL_INK))
    return svg.document(WIDTH, foot + (38.0 if caption else 24.0), f"Distributions: {title}", parts)


def _row(row: Violin, label: str, middle: float, left: float, right: float, scale: Scale) -> list[str]:
    shown = fit(label, left - MARGIN - 12, SIZE, smallest=8.0)
    parts = [
        svg.titled(svg.text(left - 12, middle + 4, shown.lines[0], shown.size, anchor="end"), row.stratum),
        svg.text(WIDTH - MARGIN, middle + 4, count(row.n), 10.5, anchor="end"),
    ]
    if not row.n:
        said = svg.text(left + 6, middle + 4, "no pixel has a value", 10.5, fill=svg.NEUTRAL_INK)
        return [*parts, said]

    def at(value: float) -> float:
        return scale.at(value, left, right - left)

    low, first, median, third, high = (at(value) for value in row.quantiles)
    drawn = [
        _shape(row, at, middle),
        line(low, middle, high, middle, INK, 1.2),
        svg.rect(first, middle - BOX, max(third - first, 1.0), 2 * BOX, INK),
        svg.element("circle", {"cx": median, "cy": middle, "r": 3.4, "fill": svg.PAPER, "stroke": INK}),
    ]
    return [*parts, svg.titled("".join(drawn), _words(row))]


def _shape(row: Violin, at: Callable[[float], float], middle: float) -> str:
    if not row.body:
        return ""
    tallest = max(density for _, density in row.body)
    upper = [(at(x), middle - HALF * d / tallest) for x, d in row.body]
    lower = [(x, 2 * middle - y) for x, y in reversed(upper)]
    path = "L".join(f"{svg.short(x)} {svg.short(y)}" for x, y in (*upper, *lower))
    return svg.element("path", {"d": f"M{path}Z", "fill": FILL, "stroke": EDGE, "stroke_width": 0.8})


def _words(row: Violin) -> str:
    low, first, median, third, high = (number(value) for value in row.quantiles)
    least, most = (number(end) for end in row.ends)
    return (
        f"{stratum_label(row.stratum)}: median {median}\nhalf of the pixels {first} to {third}\n"
        f"nine tenths {low} to {high}\nall {least} to {most}"
    )
