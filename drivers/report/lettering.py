"""How wide a text is, and how to make it fit: figures are laid out without a browser at hand.

Widths are those of Helvetica (Adobe Font Metrics), which Arial and Liberation Sans share; the font
stack of every figure names only fonts with these metrics before it gives up.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

FONT = "Arial, 'Liberation Sans', Helvetica, Arimo, sans-serif"

SAFETY = 1.04
"""Room for kerning, hinting and fonts that only resemble Helvetica."""

# fmt: off
_NARROW = {
    " ": 278, "!": 278, '"': 355, "'": 191, "(": 333, ")": 333, "*": 389, ",": 278, "-": 333, ".": 278,
    "/": 278, ":": 278, ";": 278, "I": 278, "J": 500, "[": 278, "\\": 278, "]": 278, "^": 469, "`": 333,
    "c": 500, "f": 278, "i": 222, "j": 222, "k": 500, "l": 222, "r": 333, "s": 500, "t": 278, "v": 500,
    "x": 500, "y": 500, "z": 500, "{": 334, "|": 260, "}": 334, "²": 333, "·": 278, "\u202f": 200,
}
_WIDE = {
    "%": 889, "&": 667, "+": 584, "<": 584, "=": 584, ">": 584, "~": 584, "@": 1015, "A": 667, "B": 667,
    "C": 722, "D": 722, "E": 667, "F": 611, "G": 778, "H": 722, "K": 667, "M": 833, "N": 722, "O": 778,
    "P": 667, "Q": 778, "R": 722, "S": 667, "T": 611, "U": 722, "V": 667, "W": 944, "X": 667, "Y": 667,
    "Z": 611, "m": 833, "w": 722, "−": 584, "×": 584, "…": 1000, "→": 1000,
}
# fmt: on
_WIDTH = {**_NARROW, **_WIDE}
_DEFAULT = 556
_BREAKS = re.compile(r"(?<=[\s_.:×/-])|(?<=[a-z0-9])(?=[A-Z])")


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of `text` at font size `size`, in the same unit, slightly on the safe side.

    >>> round(text_width("NEP", 10), 1)
    21.4
    """
    units = 0.0
    for letter in text:
        if unicodedata.combining(letter):
            continue
        if letter in _WIDTH:
            units += _WIDTH[letter]
        elif ord(letter) < 0x250:
            units += _DEFAULT
        else:
            units += 1000 if unicodedata.east_asian_width(letter) in "WFA" else 780
    return units / 1000 * size * SAFETY * (1.07 if bold else 1.0)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text made to fit: its lines, the font size, and whether letters were left out."""

    lines: tuple[str, ...]
    size: float
    cut: bool


def fit(
    text: str, width: float, size: float, *, smallest: float = 9.0, lines: int = 1, bold: bool = False
) -> Fitted:
    """Make `text` fit `width`: as it is, else smaller, else on two lines, else with an ellipsis.

    >>> fit("soil", 60, 13)
    Fitted(lines=('soil',), size=13, cut=False)
    >>> fit("potential_evapotranspiration", 90, 13, lines=2).lines
    ('potential_', 'evapotranspiration')
    >>> fit("x" * 60, 50, 13).cut
    True
    """
    natural = text_width(text, size, bold=bold)
    if natural <= width:
        return Fitted((text,), size, cut=False)
    if natural * smallest / size <= width:
        return Fitted((text,), round(size * width / natural - 0.05, 1), cut=False)
    if lines >= 2:
        pieces = [piece for piece in _BREAKS.split(text) if piece]
        halves = [("".join(pieces[:k]), "".join(pieces[k:])) for k in range(1, len(pieces))]
        halves = [(a.strip(), b.strip()) for a, b in halves if a.strip() and b.strip()]
        if halves:
            best = min(halves, key=lambda pair: max(text_width(part, size, bold=bold) for part in pair))
            longest = max(text_width(part, size, bold=bold) for part in best)
            scaled = min(size, round(size * width / longest - 0.05, 1))
            if scaled >= smallest:
                return Fitted(best, scaled, cut=False)
    return Fitted((_shorten(text, width, smallest, bold),), smallest, cut=True)


def _shorten(text: str, width: float, size: float, bold: bool) -> str:
    """Leave out the middle: names in a table differ at their ends as often as at their beginnings."""
    for kept in range(len(text) - 1, 1, -1):
        head = (kept + 1) // 2
        candidate = text[:head].rstrip() + "…" + text[len(text) - (kept - head) :].lstrip()
        if text_width(candidate, size, bold=bold) <= width:
            return candidate
    return text[:1] + "…"
