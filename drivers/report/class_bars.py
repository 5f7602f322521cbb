"""Shares of classes by stratum: a bar of 100 % per stratum, and what stands beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import Key, heading, legend, swatch
from drivers.report.class_colours import ink_on
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import exact, level_of, percent, stratum_label

MARGIN = 14.0
WIDTH = 820.0
NAME_ROOM = 190.0
ROW, BAR = 24.0, 17.0
SIZE = 11.5
NUMBER = 9.5
COLUMN = 74.0
"""Width of a column of numbers beside the bars."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A column of numbers to the right of the bars: its head, and its text by stratum."""

    head: str
    words: Mapping[str, str]


def class_bars(
    shares: Mapping[str, Sequence[float]],
    classes: Sequence[tuple[str, str]],
    *,
    title: str,
    beside: Sequence[Beside] = (),
    over: str = "",
) -> str:
    """A row per stratum, a piece per class (its name and colour, in the order of the bar).

    `over` heads the columns beside the bars. A stratum without shares has none of them known.
    """
    present = [k for k in range(len(classes)) if any(row and row[k] > 0 for row in shares.values())]
    keys = [Key(classes[k][0], swatch(classes[k][1])) for k in present]
    family, labels = short_labels(list(shares))
    names = max((text_width(label, SIZE) for label in labels.values()), default=0.0)
    left = MARGIN + min(names, NAME_ROOM) + 10
    right = WIDTH - MARGIN - COLUMN * len(beside) - (12.0 if beside else 0.0)
    drawn, y = legend(keys, MARGIN, 48.0, WIDTH - 2 * MARGIN)
    top = y + (34.0 if beside else 26.0 if family else 14.0)
    parts = [heading(title, WIDTH, MARGIN), *drawn]
    if over and beside:
        shown = fit(over, COLUMN * len(beside) + 60, NUMBER, smallest=8.0)
        parts.append(
            svg.text(WIDTH - MARGIN, top - 18, shown.lines[0], shown.size, anchor="end", fill=svg.NEUTRAL_INK)
        )
    if family:
        shown = fit(family, left - MARGIN - 10, NUMBER, smallest=8.0)
        parts.append(
            svg.text(left - 10, top - 5, shown.lines[0], shown.size, anchor="end", fill=svg.NEUTRAL_INK)
        )
    for j, column in enumerate(beside):
        x = WIDTH - MARGIN - COLUMN * (len(beside) - 1 - j)
        parts.append(svg.text(x, top - 5, column.head, NUMBER, anchor="end", fill=svg.NEUTRAL_INK))
    for i, (stratum, row) in enumerate(shares.items()):
        middle = top + ROW * (i + 0.5)
        label = fit(labels[stratum], left - MARGIN - 10, SIZE, smallest=8.0)
        parts.append(
            svg.titled(svg.text(left - 10, middle + 4, label.lines[0], label.size, anchor="end"), stratum)
        )
        parts += _bar(stratum, row, classes, left, right - left, middle)
        for j, column in enumerate(beside):
            x = WIDTH - MARGIN - COLUMN * (len(beside) - 1 - j)
            parts.append(svg.text(x, middle + 4, column.words.get(stratum, "–"), 10.5, anchor="end"))
    return svg.document(WIDTH, top + ROW * len(shares) + MARGIN, f"Shares of classes: {title}", parts)


def short_labels(strata: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The family of the strata where all but `all` have one and the same, and a label for each.

    >>> short_labels(["all", "landuse=cropland", "landuse=unused"])
    ('landuse', {'all': 'All pixels', 'landuse=cropland': 'cropland', 'landuse=unused': 'unused'})
    >>> short_labels(["a=1", "b=1"])
    ('', {'a=1': 'a: 1', 'b=1': 'b: 1'})
    """
    families = {"*".join(part.partition("=")[0] for part in s.split(",")) for s in strata if s != "all"}
    family = families.pop() if len(families) == 1 else ""
    return family.replace("*", " × "), {
        s: level_of(s, family) if family and s != "all" else stratum_label(s) for s in strata
    }


def _bar(
    stratum: str,
    row: Sequence[float],
    classes: Sequence[tuple[str, str]],
    left: float,
    length: float,
    middle: float,
) -> list[str]:
    if not row:
        return [svg.text(left + 4, middle + 4, "no pixel has a class", 10.5, fill=svg.NEUTRAL_INK)]
    parts, at = [], left
    for (name, colour), share in zip(classes, row, strict=True):
        width = length * share
        if width <= 0:
            continue
        piece = svg.rect(at, middle - BAR / 2, width, BAR, colour)
        words = percent(share)
        if text_width(words, NUMBER) + 6 <= width:
            piece += svg.text(
                at + width / 2, middle + 3.4, words, NUMBER, anchor="middle", fill=ink_on(colour)
            )
        parts.append(svg.titled(piece, f"{stratum}, {name}: {exact(share)}"))
        at += width
    return parts
