"""The candidates of every driver: q by number of classes, a line per rule, the chosen one ringed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import Key, Scale, heading, left_ticks, legend, line, mark, scale_of
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import exact

MARGIN = 14.0
WIDTH = 760.0
COLUMNS = 3
AXIS_ROOM = 44.0
GAP = 12.0
PANEL = 92.0
TITLE_ROOM = 24.0
TICK_ROOM = 24.0
RULES = {
    "equal": ("#0072b2", "circle"),
    "natural": ("#d55e00", "up"),
    "quantile": ("#117733", "square"),
    "geometric": ("#882255", "diamond"),
    "sd": ("#59636b", "plus"),
    "optimal": ("#1d2429", "cross"),
}
"""The colour and the mark of each rule; either alone tells them apart."""
OTHER = ("#8a939b", "down")
RING = 6.2


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to cut a driver into classes."""

    rule: str
    n_classes: int
    q: float
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class CandidatePanel:
    """A driver and its candidates."""

    title: str
    candidates: tuple[Candidate, ...]

    @property
    def chosen(self) -> str:
        """`natural, 6`; empty when none is chosen."""
        return next((f"{c.rule}, {c.n_classes}" for c in self.candidates if c.chosen), "")


def candidate_panels(panels: Sequence[CandidatePanel], *, title: str) -> str:
    """Small multiples; every panel has its own scale of q, so that its shape is visible."""
    rules = [r for r in RULES if any(c.rule == r for p in panels for c in p.candidates)]
    rules += sorted({c.rule for p in panels for c in p.candidates} - set(RULES))
    keys = [Key(rule, _rule_key(rule), 28.0) for rule in rules]
    keys.append(Key("chosen", lambda x, y: _ring(x + 8, y), 20.0))
    drawn, y = legend(keys, MARGIN, 48.0, WIDTH - 2 * MARGIN)
    top = y + 8.0
    wide = (WIDTH - 2 * MARGIN - COLUMNS * AXIS_ROOM - GAP * (COLUMNS - 1)) / COLUMNS
    pitch = TITLE_ROOM + PANEL + TICK_ROOM
    parts = [heading(title, WIDTH, MARGIN), *drawn]
    for k, panel in enumerate(panels):
        row, column = divmod(k, COLUMNS)
        left = MARGIN + AXIS_ROOM + column * (wide + AXIS_ROOM + GAP)
        parts.append(_panel(panel, (left, top + row * pitch + TITLE_ROOM, wide), rules))
    rows = -(-len(panels) // COLUMNS)
    bottom = top + rows * pitch
    parts.append(
        svg.text(
            WIDTH / 2,
            bottom + 10,
            "number of classes (each panel has its own scale of q)",
            10.5,
            anchor="middle",
            fill=svg.NEUTRAL_INK,
        )
    )
    return svg.document(WIDTH, bottom + 10 + MARGIN, f"Candidates: {title}", parts)


def _rule_key(rule: str) -> Callable[[float, float], str]:
    colour, shape = RULES.get(rule, OTHER)
    return lambda x, y: line(x, y, x + 22, y, colour, 1.4) + mark(shape, x + 11, y, 3.0, fill=colour)


def _ring(x: float, y: float) -> str:
    looks: Mapping[str, str | float | None] = {"cx": x, "cy": y, "r": RING, "fill": "none"}
    return svg.element("circle", {**looks, "stroke": svg.INK, "stroke_width": 1.6})


def _panel(panel: CandidatePanel, place: tuple[float, float, float], rules: Sequence[str]) -> str:
    left, top, wide = place
    scale = scale_of([c.q for c in panel.candidates], 4)
    counts = sorted({c.n_classes for c in panel.candidates})
    inset = 9.0
    span = max(counts[-1] - counts[0], 1)

    def x(n: int) -> float:
        return left + inset + (wide - 2 * inset) * ((n - counts[0]) / span if len(counts) > 1 else 0.5)

    def y(value: float) -> float:
        return top + PANEL - scale.at(value, 0.0, PANEL)

    remark = panel.chosen
    start = left - AXIS_ROOM + 8
    name = fit(panel.title, left + wide - start - text_width(remark, 10.5) - 8, 12.0, smallest=8.5, bold=True)
    parts = [
        svg.text(start, top - 8, name.lines[0], name.size, bold=True),
        svg.text(left + wide, top - 8, remark, 10.5, anchor="end", fill=svg.NEUTRAL_INK),
        *left_ticks(scale, left, top, PANEL, left + wide),
        *_factor(scale, left + 2, top),
    ]
    for rule in rules:
        mine = sorted((c for c in panel.candidates if c.rule == rule), key=lambda c: c.n_classes)
        if not mine:
            continue
        colour, shape = RULES.get(rule, OTHER)
        points = "L".join(f"{svg.short(x(c.n_classes))} {svg.short(y(c.q))}" for c in mine)
        if len(mine) > 1:
            looks = {"d": f"M{points}", "stroke": colour, "fill": "none"}
            parts.append(svg.element("path", {**looks, "stroke_width": 1.3}))
        for c in mine:
            dot = mark(shape, x(c.n_classes), y(c.q), 2.7, fill=colour)
            parts.append(svg.titled(dot, f"{rule}, {c.n_classes} classes\nq {exact(c.q)}"))
    parts += [_ring(x(c.n_classes), y(c.q)) for c in panel.candidates if c.chosen]
    parts.append(line(left, top + PANEL, left + wide, top + PANEL, svg.NEUTRAL, 1.0))
    return "".join([*parts, *_counts(counts, x, top + PANEL)])


def _factor(scale: Scale, x: float, top: float) -> list[str]:
    return [svg.text(x, top + 9, scale.factor.strip(), 9.0, fill=svg.NEUTRAL_INK)] if scale.power else []


def _counts(counts: Sequence[int], x: Callable[[int], float], y: float) -> list[str]:
    """Whole numbers under the axis, thinned where they would touch."""
    parts: list[str] = []
    last = float("-inf")
    for n in counts:
        at = x(n)
        room = text_width(str(n), 9.5) + 5
        if at - last >= room:
            parts.append(svg.text(at, y + 13.5, str(n), 9.5, anchor="middle", fill=svg.NEUTRAL_INK))
            last = at
        parts.append(line(at, y, at, y + 3.5, svg.NEUTRAL))
    return parts
