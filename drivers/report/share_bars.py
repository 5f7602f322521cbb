"""Shares of drivers or groups as bars, with the spread and what other measures say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.report import svg
from drivers.report.axes import SMALL, Key, Scale, bottom_ticks, heading, legend, line, mark, scale_of, swatch
from drivers.report.brt_rows import MEASURES, ShareRow, leading
from drivers.report.brt_wording import SAID
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import exact, percent
from drivers.report.svg import PLAIN

MARGIN = 14.0
SIZE = 12.0
ROW, BAR, PLOT = 23.0, 12.0, 240.0
BAR_NAMES, VALUE_ROOM = 150.0, 54.0
MARKED = {"shap": "diamond", "shapley": "circle"}
"""Measures that a bar shows beside its own, and their marks."""


def share_bars(rows: Sequence[ShareRow], *, title: str, colours: Mapping[str, str]) -> str:
    """Horizontal bars from the largest share to the smallest, in the colour of the group.

    A whisker is the spread, a diamond the share by SHAP, a circle that by Shapley values of groups.
    """
    lead = leading(rows)
    marks = [m for m in MARKED if m != lead and any(m in r.shares for r in rows)]
    ends = [v for r in rows for m in (lead, *marks) if (v := r.shares.get(m)) is not None]
    ends += [r.shares.get(lead, 0.0) + (r.spread or 0.0) for r in rows]
    scale = scale_of([0.0, *(100 * v for v in ends)], 4)
    names = max((text_width(r.name, SIZE) for r in rows), default=0.0)
    left = MARGIN + min(max(names + 12.0, 70.0), BAR_NAMES)
    width = left + PLOT + VALUE_ROOM + MARGIN
    present = {r.group for r in rows} if any(r.group != r.name for r in rows) else set()
    keys = [Key(g, swatch(colours[g])) for g in colours if g in present]
    keys += [Key(f"share by {SAID[m]}", lambda x, y, m=m: _other(m, x + 6, y), 16.0) for m in marks]  # type: ignore[misc]
    if any(r.spread is not None for r in rows):
        keys.append(Key("spread over folds", lambda x, y: _whisker(x, x + 20, y), 26.0))
    drawn, y = legend(keys, MARGIN, 48.0, width - 2 * MARGIN) if keys else ([], 34.0)
    top = y + 18.0
    bottom = top + ROW * len(rows)
    parts = [heading(title, width, MARGIN), *drawn]
    for tick in scale.ticks:
        x = scale.at(tick, left, PLOT)
        parts.append(line(x, top - 3, x, bottom, svg.RULE if tick else svg.NEUTRAL_INK, 0.8 if tick else 1.2))
    parts += bottom_ticks(scale, left, PLOT, bottom)
    for k, row in enumerate(rows):
        parts.append(_bar_row(row, lead, marks, (left, top + ROW * (k + 0.5), scale), colours))
    caption = fit(f"share of {SAID[lead]} (%)", width - 2 * MARGIN, SMALL)
    middle = left + PLOT / 2
    parts.append(
        svg.text(middle, bottom + 32, caption.lines[0], SMALL, anchor="middle", fill=svg.NEUTRAL_INK)
    )
    return svg.document(width, bottom + 32 + MARGIN, f"Bars of shares: {title}", parts)


def _bar_row(
    row: ShareRow,
    lead: str,
    marks: Sequence[str],
    place: tuple[float, float, Scale],
    colours: Mapping[str, str],
) -> str:
    left, middle, scale = place
    name = fit(row.name, left - MARGIN - 8, SIZE, smallest=8.5)
    parts = [svg.text(left - 8, middle + 4, name.lines[0], name.size, anchor="end")]
    share = row.shares.get(lead)
    zero = scale.at(0.0, left, PLOT)
    if share is not None:
        end = scale.at(100 * share, left, PLOT)
        tint = colours.get(row.group, PLAIN)
        parts.append(svg.rect(min(zero, end), middle - BAR / 2, abs(end - zero), BAR, tint))
        if row.spread is not None:
            low, high = (scale.at(100 * (share + s * row.spread), left, PLOT) for s in (-1, 1))
            parts.append(_whisker(low, high, middle))
    shown = percent(share)
    parts.append(svg.text(left + PLOT + VALUE_ROOM, middle + 4, shown, SIZE, anchor="end"))
    for measure in marks:
        if measure in row.shares:
            parts.append(_other(measure, scale.at(100 * row.shares[measure], left, PLOT), middle))
    told = [row.name + (f" ({row.group})" if row.group and row.group != row.name else "")]
    told += [f"{SAID[m]} {exact(row.shares[m])}" for m in MEASURES if m in row.shares]
    told += [f"spread {exact(row.spread)}"] if row.spread is not None else []
    return svg.titled("".join(parts), "\n".join(told))


def _whisker(a: float, b: float, y: float) -> str:
    """On white, so that it is seen on dark bars too."""
    return "".join(
        line(x, y - h, x2, y + h, colour, width)
        for colour, width in ((svg.PAPER, 3.0), (svg.INK, 1.2))
        for x, x2, h in ((a, b, 0.0), (a, a, 3.5), (b, b, 3.5))
    )


def _other(measure: str, x: float, y: float) -> str:
    if MARKED[measure] == "circle":
        return mark("circle", x, y, 3.8, fill=svg.PAPER, stroke=svg.INK, width=1.3)
    return mark(MARKED[measure], x, y, 3.8, fill=svg.INK, stroke=svg.PAPER, width=1.3)
