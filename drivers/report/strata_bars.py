"""Strata side by side: a column of bars per stratum, a row per driver, one scale for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import Key, heading, legend, line, scale_of, swatch
from drivers.report.lettering import fit, text_width

MARGIN = 14.0
ALL_COLUMNS = 640.0
WIDEST, NARROWEST = 170.0, 54.0
NAME_ROOM = 150.0
ROW = 18.0
BAR = 10.0
SIZE = 11.5
NUMBER_AT = 96.0
"""Columns of this width and wider have room for the number beside the bars."""
NUMBER_ROOM = 52.0
FAINT = 0.25
CAPTION = 10.5


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of a driver in a stratum: its length, its number as text, its tooltip, its look."""

    value: float
    shown: str
    told: str
    pale: bool = False


def strata_bars(
    columns: Mapping[str, Mapping[str, Bar]],
    order: Sequence[tuple[str, str]],
    *,
    title: str,
    caption: str,
    colours: Mapping[str, str],
    solid: str = "",
    pale: str = "",
) -> str:
    """One column per stratum (its name as in the tables); the rows are the drivers of `order`, (name, group).

    `solid` and `pale` say in the legend what such bars are, where there are both kinds; a dash is a
    driver without a bar.
    """
    present = {group for _, group in order}
    keys = [Key(g, swatch(colours[g])) for g in colours if g in present]
    if solid:
        keys.append(Key(solid, lambda x, y: _bar(x, y, 20, svg.PLAIN, pale=False), 26.0))
    if pale:
        keys.append(Key(pale, lambda x, y: _bar(x, y, 20, svg.PLAIN, pale=True), 26.0))
    names = max([text_width(name, SIZE) for name, _ in order] + [text_width(caption, CAPTION)])
    left = MARGIN + min(names + 10, NAME_ROOM)
    wide = min(WIDEST, max(NARROWEST, ALL_COLUMNS / max(len(columns), 1)))
    width = max(left + wide * len(columns) + MARGIN, 420.0)
    drawn, y = legend(keys, MARGIN, 48.0, width - 2 * MARGIN) if keys else ([], 34.0)
    heads = [stratum_heads(name, wide - 8) for name in columns]
    top = y + 20 + 12 * max((len(h) for h in heads), default=1)
    bottom = top + ROW * len(order)
    reach = scale_of([0.0, *(bar.value for bars in columns.values() for bar in bars.values())], 4)
    numbered = wide >= NUMBER_AT
    length = wide - 10 - (NUMBER_ROOM if numbered else 0)
    parts = [heading(title, width, MARGIN), *drawn]
    for k, (name, _) in enumerate(order):
        middle = top + ROW * (k + 0.5)
        if k % 2:
            box: dict[str, str | float | None] = {"x": MARGIN, "y": middle - ROW / 2, "height": ROW}
            parts.append(svg.element("rect", {**box, "width": width - 2 * MARGIN, "fill": "#f5f7f8"}))
        label = fit(name, left - MARGIN - 8, SIZE, smallest=8.5)
        parts.append(svg.text(left - 8, middle + 4, label.lines[0], label.size, anchor="end"))
    for c, (stratum, bars) in enumerate(columns.items()):
        start = left + wide * c
        for k, (words, size, bold) in enumerate(heads[c]):
            parts.append(svg.text(start, top - 8 - 12 * (len(heads[c]) - 1 - k), words, size, bold=bold))
        parts.append(line(start, top, start, bottom, svg.NEUTRAL_INK, 1.0))
        end = start + length
        parts.append(line(end, top, end, bottom, svg.RULE, 0.8))
        parts.append(svg.text(start, bottom + 13, "0", 9.5, fill=svg.NEUTRAL_INK))
        parts.append(
            svg.text(end, bottom + 13, reach.words(reach.high), 9.5, anchor="end", fill=svg.NEUTRAL_INK)
        )
        for k, (name, group) in enumerate(order):
            bar, middle = bars.get(name), top + ROW * (k + 0.5)
            if bar is None:
                dash = svg.text(start + 4, middle + 4, "–", 10.5, fill=svg.NEUTRAL)
                parts.append(svg.titled(dash, f"{name}, {stratum}"))
                continue
            at = reach.at(bar.value, 0.0, length) - reach.at(0.0, 0.0, length)
            drawn_bar = _bar(start, middle, max(at, 0.0), colours.get(group, svg.PLAIN), pale=bar.pale)
            if numbered:
                small = fit(bar.shown, NUMBER_ROOM - 2, 10.0, smallest=7.5).size
                drawn_bar += svg.text(end + 4, middle + 3.6, bar.shown, small, fill=svg.NEUTRAL_INK)
            parts.append(svg.titled(drawn_bar, bar.told))
    said = caption + reach.factor
    parts.append(svg.text(left - 8, bottom + 13, said, CAPTION, anchor="end", fill=svg.NEUTRAL_INK))
    return svg.document(width, bottom + 13 + MARGIN, f"Strata side by side: {title}", parts)


def stratum_heads(stratum: str, room: float) -> list[tuple[str, float, bool]]:
    """`balance=sink` as `balance` and, bold, `sink`: (words, size, bold), line by line."""
    if stratum == "all":
        return [("all pixels", fit("all pixels", room, 11.0, bold=True).size, True)]
    found = []
    for part in stratum.split(","):
        family, _, level = part.rpartition("=")
        for words, bold in ((family, False), (level, True)):
            if words:
                shown = fit(words, room, 11.0 if bold else 9.5, smallest=8.5, bold=bold)
                found.append((shown.lines[0], shown.size, bold))
    return found


def _bar(x: float, middle: float, width: float, colour: str, *, pale: bool) -> str:
    looks: dict[str, str | float | None] = {"x": x, "y": middle - BAR / 2, "width": width, "height": BAR}
    if not pale:
        return svg.element("rect", {**looks, "fill": colour})
    return svg.element(
        "rect", {**looks, "fill": colour, "fill_opacity": FAINT, "stroke": colour, "stroke_width": 1.0}
    )
