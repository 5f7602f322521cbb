"""Strata side by side: a column of bars per stratum, a row per driver, one scale of q for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.report import svg
from drivers.report.axes import Key, heading, legend, line, scale_of, swatch
from drivers.report.geodetector_rows import FactorRow, star_mark
from drivers.report.geodetector_wording import q_text
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import exact

MARGIN = 14.0
ALL_COLUMNS = 640.0
WIDEST, NARROWEST = 170.0, 54.0
NAME_ROOM = 150.0
ROW = 18.0
BAR = 10.0
SIZE = 11.5
NUMBER_AT = 96.0
"""Columns of this width and wider have room for q beside the bars."""
NUMBER_ROOM = 52.0
FAINT = 0.25


def strata_bars(
    columns: Mapping[str, Sequence[FactorRow]],
    order: Sequence[FactorRow],
    *,
    title: str,
    colours: Mapping[str, str],
) -> str:
    """One column per stratum (its name as in the tables); the rows are the drivers of `order`.

    Solid bars are significant, pale ones are not, a dash is a driver without q.
    """
    present = {row.group for row in order}
    keys = [Key(g, swatch(colours[g])) for g in colours if g in present]
    keys.append(Key("p < 0.05", lambda x, y: _bar(x, y, 20, "#44505a", solid=True), 26.0))
    keys.append(Key("ns", lambda x, y: _bar(x, y, 20, "#44505a", solid=False), 26.0))
    names = max((text_width(row.name, SIZE) for row in order), default=0.0)
    left = MARGIN + min(names + 10, NAME_ROOM)
    wide = min(WIDEST, max(NARROWEST, ALL_COLUMNS / max(len(columns), 1)))
    width = max(left + wide * len(columns) + MARGIN, 420.0)
    drawn, y = legend(keys, MARGIN, 48.0, width - 2 * MARGIN)
    heads = [_lines(name, wide - 8) for name in columns]
    top = y + 20 + 12 * max((len(h) for h in heads), default=1)
    bottom = top + ROW * len(order)
    reach = scale_of([0.0, *(r.q for rows in columns.values() for r in rows if r.q is not None)], 4)
    numbered = wide >= NUMBER_AT
    length = wide - 10 - (NUMBER_ROOM if numbered else 0)
    parts = [heading(title, width, MARGIN), *drawn]
    for k, row in enumerate(order):
        middle = top + ROW * (k + 0.5)
        if k % 2:
            box: dict[str, str | float | None] = {"x": MARGIN, "y": middle - ROW / 2, "height": ROW}
            parts.append(svg.element("rect", {**box, "width": width - 2 * MARGIN, "fill": "#f5f7f8"}))
        name = fit(row.name, left - MARGIN - 8, SIZE, smallest=8.5)
        parts.append(svg.text(left - 8, middle + 4, name.lines[0], name.size, anchor="end"))
    for c, (stratum, rows) in enumerate(columns.items()):
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
        known = {row.name: row for row in rows}
        for k, row in enumerate(order):
            found = known.get(row.name)
            middle = top + ROW * (k + 0.5)
            told = f"{row.name}, {stratum}"
            if found is None or found.q is None:
                parts.append(svg.titled(svg.text(start + 4, middle + 4, "–", 10.5, fill=svg.NEUTRAL), told))
                continue
            stars = star_mark(found.p)
            at = reach.at(found.q, 0.0, length)
            solid = stars.startswith("*") or not stars
            drawn_bar = _bar(start, middle, at, colours.get(row.group, "#44505a"), solid=solid)
            if numbered:
                shown = q_text(found.q) + ("" if stars == "ns" else stars)
                small = fit(shown, NUMBER_ROOM - 2, 10.0, smallest=7.5).size
                drawn_bar += svg.text(end + 4, middle + 3.6, shown, small, fill=svg.NEUTRAL_INK)
            parts.append(svg.titled(drawn_bar, f"{told}\nq {exact(found.q)} {stars}".rstrip()))
    said = "q" + reach.factor
    parts.append(svg.text(left - 8, bottom + 13, said, 10.5, anchor="end", fill=svg.NEUTRAL_INK))
    return svg.document(width, bottom + 13 + MARGIN, f"Strata side by side: {title}", parts)


def _lines(stratum: str, room: float) -> list[tuple[str, float, bool]]:
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


def _bar(x: float, middle: float, width: float, colour: str, *, solid: bool) -> str:
    looks: dict[str, str | float | None] = {"x": x, "y": middle - BAR / 2, "width": width, "height": BAR}
    if solid:
        return svg.element("rect", {**looks, "fill": colour})
    return svg.element(
        "rect", {**looks, "fill": colour, "fill_opacity": FAINT, "stroke": colour, "stroke_width": 1.0}
    )
