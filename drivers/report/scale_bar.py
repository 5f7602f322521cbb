"""A scale bar, and directions of the compass in words."""

from __future__ import annotations

import math

from drivers.report import svg
from drivers.report.axes import line
from drivers.report.numbers import number

METRES = 1000.0
POINTS = (
    *("north", "north-northeast", "northeast", "east-northeast", "east", "east-southeast", "southeast"),
    *("south-southeast", "south", "south-southwest", "southwest", "west-southwest", "west"),
    *("west-northwest", "northwest", "north-northwest"),
)


def compass(azimuth: float) -> str:
    """A direction in words.

    >>> compass(0.0), compass(256.0), compass(359.9)
    ('north', 'west-southwest', 'north')
    """
    return POINTS[round(azimuth / 22.5) % 16]


def round_length(most: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is no longer.

    >>> round_length(34.0), round_length(0.7)
    (20.0, 0.5)
    """
    power = 10.0 ** math.floor(math.log10(most))
    return next(k * power for k in (5, 2, 1) if k * power <= most * (1 + 1e-9))


def length_words(length: float, measure: str) -> str:
    """A length with its unit; metres where it is less than a kilometre.

    >>> length_words(9.654, "km"), length_words(0.0801, "km"), length_words(0.5, "units")
    ('9.65 km', '80.1 m', '0.500 units')
    """
    if measure == "km" and 0 < length < 1:
        return f"{number(length * METRES)} m"
    return f"{number(length)} {measure}"


def scale_bar(x: float, y: float, per_unit: float, room: float, measure: str) -> list[str]:
    """A bar from (x, y) with its length above it; `per_unit` is how long a unit of `measure` is drawn."""
    if not (per_unit > 0 and math.isfinite(per_unit)):
        return []
    length = round_length(room / per_unit)
    end = x + length * per_unit
    if measure == "km" and length < 1:
        length, measure = length * METRES, "m"
    words = f"{number(length, 1)} {measure}"
    parts = [line(x, y, end, y, svg.INK, 1.6)]
    parts += [line(at, y - 3.5, at, y + 3.5, svg.INK, 1.2) for at in (x, end)]
    return [*parts, svg.text(x, y - 7, words, 10.0, fill=svg.INK, halo=True)]
