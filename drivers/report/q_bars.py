"""Bars of q: how much of the response's variance lies between the classes of each driver or group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from drivers.report import svg
from drivers.report.axes import SMALL, Key, Scale, heading, legend, line, mark, scale_of, swatch
from drivers.report.geodetector_rows import FactorRow, by_size, star_mark
from drivers.report.geodetector_wording import NO_Q, q_text
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import exact, p_value

MARGIN = 14.0
ROW = 23.0
BAR = 12.0
SIZE = 12.0
PLOT = 340.0
NAME_ROOM = 200.0
VALUE_ROOM = 84.0
STAR_ROOM = 26.0
"""From the number to where its stars end."""
NOTE_ROOM = 104.0
BELOW_ZERO = 0.25
"""A cross-fitted q further below 0 than this share of the axis is shown as an arrow at its end."""
FAINT = 0.25
"""Opacity of the bars of drivers that are not significant."""


def q_bars(
    rows: Sequence[FactorRow],
    *,
    title: str,
    caption: str,
    colours: Mapping[str, str] | None = None,
    groups: bool = False,
) -> str:
    """Horizontal bars from the largest q to the smallest, in the colour of the group.

    Solid bars have stars, pale ones do not; a diamond is the cross-fitted q. With `groups` the rows are
    groups: they have neither, and the notes say which drivers they are made of. The same input gives the
    same bytes.
    """
    shown = by_size(rows)
    tint = dict(colours or svg.group_colours(r.group for r in shown if r.group))
    scale, cut = _scale(shown)
    names = max((text_width(r.name, SIZE) for r in shown), default=0.0)
    left = MARGIN + min(max(names + 12.0, 70.0), NAME_ROOM)
    notes = [_note(r, groups) for r in shown]
    note_room = max((text_width(note, SMALL) for note in notes), default=0.0)
    note_room = min(note_room, NOTE_ROOM * (2 if groups else 1))
    width = left + PLOT + (VALUE_ROOM if not groups else VALUE_ROOM - STAR_ROOM) + note_room + MARGIN
    keys = [] if groups else _keys(shown, tint, cut)
    drawn, bottom_of_legend = legend(keys, MARGIN, 48.0, width - 2 * MARGIN) if keys else ([], 34.0)
    top = bottom_of_legend + 18.0
    bottom = top + ROW * max(len(shown), 1)
    parts = [heading(title, width, MARGIN), *drawn, *_axis(scale, left, top, bottom)]
    for k, (row, note) in enumerate(zip(shown, notes, strict=True)):
        place = (left, top + ROW * (k + 0.5), scale)
        parts.append(_row(row, place, tint.get(row.group, "#44505a"), note, note_room, groups))
    if not shown:
        parts.append(svg.text(left, top + 16, NO_Q, SIZE, fill=svg.NEUTRAL_INK))
    said = fit(caption, width - 2 * MARGIN, SMALL, smallest=8.0)
    parts.append(
        svg.text(width / 2, bottom + 36, said.lines[0], said.size, anchor="middle", fill=svg.NEUTRAL_INK)
    )
    return svg.document(width, bottom + 36 + MARGIN, f"Bars of q: {title}", parts)


def _scale(rows: Sequence[FactorRow]) -> tuple[Scale, bool]:
    """From 0, or from the lowest cross-fitted q; and whether one lies beyond."""
    reach = max([1e-6, *(v for r in rows for v in (r.q, r.q_crossfit) if v is not None)])
    lowest = min([0.0, *(r.q_crossfit for r in rows if r.q_crossfit is not None)])
    above = scale_of([0.0, reach])
    floor = max(lowest, -BELOW_ZERO * reach)
    room = 0.03 * above.high if floor < 0 else 0.0  # for the mark itself
    return replace(above, low=floor - room), lowest < floor


def _keys(rows: Sequence[FactorRow], tint: Mapping[str, str], cut: bool) -> list[Key]:
    keys = [Key(g, swatch(tint[g])) for g in tint if g in {r.group for r in rows}]
    known = [star_mark(r.p) for r in rows if r.q is not None]
    if any(known):
        keys.append(Key("p < 0.05", lambda x, y: _bar(x, y - 4.5, 20, 9, "#44505a", solid=True), 26.0))
        keys.append(Key("ns", lambda x, y: _bar(x, y - 4.5, 20, 9, "#44505a", solid=False), 26.0))
    if any(r.q_crossfit is not None for r in rows):
        keys.append(Key("cross-fitted q: what holds on other blocks", lambda x, y: _dot(x + 6, y), 16.0))
    if cut:
        keys.append(Key("below the axis", lambda x, y: _arrow(x + 6, y), 16.0))
    return keys


def _axis(scale: Scale, left: float, top: float, bottom: float) -> list[str]:
    parts = []
    for tick in scale.ticks:
        x = scale.at(tick, left, PLOT)
        zero = abs(tick) < scale.step / 1e6
        parts.append(
            line(x, top - 3, x, bottom + 3, svg.NEUTRAL_INK if zero else svg.RULE, 1.2 if zero else 0.8)
        )
        parts.append(
            svg.text(x, bottom + 17, scale.words(tick), SMALL, anchor="middle", fill=svg.NEUTRAL_INK)
        )
    if scale.power:
        parts.append(svg.text(left + PLOT + 14, bottom + 17, scale.factor, SMALL, fill=svg.NEUTRAL_INK))
    return parts


def _note(row: FactorRow, groups: bool) -> str:
    if groups:
        return row.method
    if row.q is None:
        return "too many levels" if not row.reason else ""
    return "constant" if row.constant else row.classes


def _row(
    row: FactorRow, place: tuple[float, float, Scale], colour: str, note: str, note_room: float, groups: bool
) -> str:
    left, middle, scale = place
    name = fit(row.name, left - MARGIN - 8, SIZE, smallest=8.5)
    parts = [svg.text(left - 8, middle + 4, name.lines[0], name.size, anchor="end")]
    column = left + PLOT + 12
    stars = "" if groups else star_mark(row.p)
    if row.q is None:
        parts.append(svg.text(column, middle + 4, "no q", SIZE, fill=svg.NEUTRAL_INK))
    else:
        zero, end = scale.at(0.0, left, PLOT), scale.at(row.q, left, PLOT)
        solid = groups or stars.startswith("*") or not stars
        parts.append(_bar(zero, middle - BAR / 2, end - zero, BAR, colour, solid=solid))
        parts.append(svg.text(column, middle + 4, q_text(row.q), SIZE, bold=stars.startswith("*") or groups))
        if stars:
            at = column + text_width("0.000", SIZE, bold=True) + 4
            at = max(at, column + text_width(q_text(row.q), SIZE, bold=True) + 3)
            parts.append(svg.text(at, middle + 4, stars, SMALL, fill=svg.NEUTRAL_INK))
    if row.q_crossfit is not None:
        at = scale.at(row.q_crossfit, left, PLOT)
        parts.append(_arrow(at, middle) if row.q_crossfit < scale.low else _dot(at, middle))
    if note:
        said = fit(note, note_room, SMALL, smallest=8.0)
        start = column + (VALUE_ROOM if not groups else VALUE_ROOM - STAR_ROOM) - 12
        parts.append(svg.text(start, middle + 4, said.lines[0], said.size, fill=svg.NEUTRAL_INK))
    return svg.titled("".join(parts), _told(row))


def _told(row: FactorRow) -> str:
    """The hover text: everything the bar shows, at full precision."""
    told = [row.name + (f" ({row.group})" if row.group and row.group != row.name else "")]
    told += [
        f"{words} {exact(value)}"
        for words, value in (("q", row.q), ("cross-fitted q", row.q_crossfit), ("adjusted q", row.q_adjusted))
        if value is not None
    ]
    told += [
        f"{words} {p_value(value)}"
        for words, value in (("p", row.p_value), ("p max", row.p_max))
        if value is not None
    ]
    return "\n".join(told)


def _bar(x: float, y: float, width: float, height: float, colour: str, *, solid: bool) -> str:
    """Solid, or pale with an outline: told apart in grey print too."""
    looks: dict[str, str | float | None] = {"x": x, "y": y, "width": max(width, 0.0), "height": height}
    if solid:
        return svg.element("rect", {**looks, "fill": colour})
    return svg.element(
        "rect", {**looks, "fill": colour, "fill_opacity": FAINT, "stroke": colour, "stroke_width": 1.0}
    )


def _dot(x: float, y: float) -> str:
    return mark("diamond", x, y, 3.8, fill=svg.INK, stroke=svg.PAPER, width=1.3)


def _arrow(x: float, y: float) -> str:
    return mark("left", x, y, 4.4, fill=svg.INK, stroke=svg.PAPER, width=1.3)
