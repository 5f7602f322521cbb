"""The risk detector as small multiples: means of the response over the classes of every driver."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import (
    Key,
    Scale,
    bottom_ticks,
    heading,
    left_ticks,
    legend,
    line,
    mark,
    scale_of,
    upright,
)
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import count, exact

MARGIN = 14.0
WIDTH = 760.0
COLUMNS = 3
GAP = 22.0
AXIS_ROOM = 56.0
"""Left of the first panel: the caption of the response and its numbers."""
PANEL = 100.0
TITLE_ROOM = 24.0
TICK_ROOM = 26.0
LEVEL_COLUMNS = 2
LEVEL = 15.0
LEVEL_ROOM = 140.0
CUT = 1.0
"""Intervals are cut where they go beyond the means by more than this share of their range."""
NARROW = 4.0
"""A class narrower than this gets a dot, so that it is seen."""
SIZE = 12.0


@dataclass(frozen=True, slots=True)
class RiskClass:
    """A class of a driver (its limits, or None for a level) and the mean of the response in it."""

    name: str
    lower: float | None
    upper: float | None
    mean: float
    low: float | None = None
    high: float | None = None
    n: float | None = None


@dataclass(frozen=True, slots=True)
class RiskPanel:
    """A driver: its title with unit, a remark (q with stars), its colour and its classes in order."""

    title: str
    remark: str
    colour: str
    classes: tuple[RiskClass, ...]

    @property
    def numeric(self) -> bool:
        """Whether all classes have limits, so that the driver has a scale."""
        return all(c.lower is not None and c.upper is not None for c in self.classes)


def response_scale(panels: Sequence[RiskPanel], whole: float | None) -> Scale:
    """One scale for all panels of a stratum, so that their heights can be compared."""
    classes = [c for panel in panels for c in panel.classes]
    means = [c.mean for c in classes] + ([] if whole is None else [whole])
    if not means:
        return scale_of([0.0, 1.0])
    reach = CUT * (max(means) - min(means))
    low, high = min(means) - reach, max(means) + reach
    ends = [v for c in classes for v in (c.low, c.high) if v is not None]
    known = [*means, *(min(max(v, low), high) for v in ends)]
    pad = 0.04 * (max(known) - min(known))
    return scale_of([min(known) - pad, max(known) + pad], 4, tight=True)


def class_panels(
    panels: Sequence[RiskPanel], *, title: str, response: str, scale: Scale, whole: float | None = None
) -> str:
    """Numeric drivers: class means with intervals as steps over the class limits, on the driver's scale."""
    drawn, y = legend(_keys(whole, steps=True), MARGIN, 48.0, WIDTH - 2 * MARGIN)
    top = y + 8.0
    wide = (WIDTH - 2 * MARGIN - AXIS_ROOM - GAP * (COLUMNS - 1)) / COLUMNS
    pitch = TITLE_ROOM + PANEL + TICK_ROOM
    parts = [heading(title, WIDTH, MARGIN), *drawn]
    for k, panel in enumerate(panels):
        row, column = divmod(k, COLUMNS)
        left = MARGIN + AXIS_ROOM + column * (wide + GAP)
        place = (left, top + row * pitch + TITLE_ROOM, wide)
        if column == 0:
            caption = response + scale.factor
            parts.append(upright(caption, MARGIN + 10, place[1] + PANEL / 2, pitch - 12))
        parts.append(_steps(panel, place, scale, whole, numbers=column == 0))
    rows = -(-len(panels) // COLUMNS)
    return svg.document(WIDTH, top + rows * pitch + MARGIN, f"Risk means: {title}", parts)


def level_panels(
    panels: Sequence[RiskPanel], *, title: str, response: str, scale: Scale, whole: float | None = None
) -> str:
    """Categorical drivers: the mean of each level with its interval, from the largest to the smallest."""
    drawn, y = legend(_keys(whole, steps=False), MARGIN, 48.0, WIDTH - 2 * MARGIN)
    y += 8.0
    wide = (WIDTH - 2 * MARGIN - GAP * (LEVEL_COLUMNS - 1)) / LEVEL_COLUMNS
    parts = [heading(title, WIDTH, MARGIN), *drawn]
    for start in range(0, len(panels), LEVEL_COLUMNS):
        band = panels[start : start + LEVEL_COLUMNS]
        for column, panel in enumerate(band):
            left = MARGIN + column * (wide + GAP)
            parts.append(_levels(panel, (left, y + TITLE_ROOM, wide), response, scale, whole))
        y += TITLE_ROOM + LEVEL * max(len(p.classes) for p in band) + TICK_ROOM + 20.0
    return svg.document(WIDTH, y + MARGIN, f"Risk means: {title}", parts)


def _keys(whole: float | None, *, steps: bool) -> list[Key]:
    tint = "#44505a"

    def band(x: float, y: float) -> str:
        box: dict[str, str | float | None] = {"x": x, "y": y - 5, "width": 22, "height": 10, "fill": tint}
        return svg.element("rect", {**box, "fill_opacity": 0.2}) + line(x, y, x + 22, y, tint, 2.2)

    def dot(x: float, y: float) -> str:
        return line(x, y, x + 22, y, tint, 1.4) + mark("circle", x + 11, y, 3.4, fill=tint)

    first = "mean of a class" if steps else "mean of a level"
    keys = [Key(f"{first} with its 95 % interval", band if steps else dot, 28.0)]
    if whole is not None:
        keys.append(Key("mean of all pixels", lambda x, y: line(x, y, x + 22, y, svg.INK, 1.0, "4 3"), 28.0))
    return keys


def _head(panel: RiskPanel, left: float, y: float, wide: float) -> list[str]:
    taken = text_width(panel.remark, 10.5) + 8
    name = fit(panel.title, wide - taken, SIZE, smallest=8.5, bold=True)
    return [
        svg.text(left, y, name.lines[0], name.size, bold=True),
        svg.text(left + wide, y, panel.remark, 10.5, anchor="end", fill=svg.NEUTRAL_INK),
    ]


def _steps(
    panel: RiskPanel, place: tuple[float, float, float], scale: Scale, whole: float | None, *, numbers: bool
) -> str:
    left, top, wide = place
    across = _driver_axis(panel, wide)

    def y(value: float) -> float:
        return top + PANEL - scale.at(value, 0.0, PANEL)

    parts = _head(panel, left, top - 8, wide)
    if across.remark:  # under the numbers: the title above may be long
        under = top + PANEL + 24.5
        parts.append(svg.text(left + wide, under, across.remark, 9.0, anchor="end", fill=svg.NEUTRAL_INK))
    if numbers:
        parts += left_ticks(scale, left, top, PANEL, left + wide)
    else:
        parts += [line(left, y(t), left + wide, y(t), svg.RULE, 0.7) for t in scale.ticks]
    if whole is not None:
        parts.append(line(left, y(whole), left + wide, y(whole), svg.INK, 1.0, "4 3"))
    before: tuple[float, float] | None = None
    for found in panel.classes:
        a, b = (left + across.at(limit or 0.0) for limit in (found.lower, found.upper))
        if panel.classes == (found,):
            a, b = left, left + wide
        mean = y(found.mean)
        drawn = []
        if before is not None:
            drawn.append(line(before[0], before[1], a, mean, panel.colour, 1.0))
        if found.low is not None and found.high is not None:
            drawn.append(
                svg.element(
                    "rect",
                    {
                        "x": a,
                        "y": y(found.high),
                        "width": max(b - a, 1.2),
                        "height": max(y(found.low) - y(found.high), 0.8),
                        "fill": panel.colour,
                        "fill_opacity": 0.22,
                    },
                )
            )
        drawn.append(line(a, mean, b, mean, panel.colour, 2.2))
        if b - a < NARROW:
            drawn.append(mark("circle", (a + b) / 2, mean, 2.3, fill=panel.colour))
        parts.append(svg.titled("".join(drawn), _told(found)))
        before = (b, mean)
    parts.append(line(left, top + PANEL, left + wide, top + PANEL, svg.NEUTRAL, 1.0))
    return "".join([*parts, *across.ticks(left, top + PANEL)])


@dataclass(frozen=True, slots=True)
class _DriverAxis:
    """The scale of one driver: its own, or its logarithm where most classes could not be seen."""

    scale: Scale
    wide: float
    floor: float | None = None
    """Of a log scale: what its left end stands for."""

    def at(self, value: float) -> float:
        if self.floor is not None:
            value = math.log10(max(value, self.floor))
        return self.scale.at(value, 0.0, self.wide)

    @property
    def remark(self) -> str:
        return "log scale" if self.floor is not None else self.scale.factor.strip()

    def ticks(self, left: float, y: float) -> list[str]:
        if self.floor is None:
            return bottom_ticks(self.scale, left, self.wide, y)
        powers = range(math.ceil(self.scale.low - 1e-9), math.floor(self.scale.high + 1e-9) + 1)
        every = max(1, -(-len(powers) // 4))
        parts = []
        for power in powers:
            x = left + self.scale.at(float(power), 0.0, self.wide)
            parts.append(line(x, y, x, y + 3.5, svg.NEUTRAL))
            if power % every == 0:
                words = f"{10.0**power:g}" if -3 <= power <= 4 else f"1e{power}"
                parts.append(svg.text(x, y + 13.5, words, 9.5, anchor="middle", fill=svg.NEUTRAL_INK))
        return parts


def _driver_axis(panel: RiskPanel, wide: float) -> _DriverAxis:
    """True distances; a log scale where they would squeeze half of the classes into single pixels.

    A driver that starts at 0 has no place there on a log scale: its first class then begins a decade
    below its upper limit.
    """
    limits = [(c.lower or 0.0, c.upper or 0.0) for c in panel.classes]
    ends = [v for pair in limits for v in pair]
    true = _DriverAxis(scale_of(ends, 4, tight=True), wide)
    narrow = sum(1 for a, b in limits if true.at(b) - true.at(a) < NARROW)
    first = min((b for _, b in limits if b > 0), default=0.0)
    if len(limits) < 3 or 2 * narrow < len(limits) or min(ends) < 0 or first <= 0:
        return true
    floor = min(ends) if min(ends) > 0 else first / 10
    known = [math.log10(max(v, floor)) for v in ends]
    return _DriverAxis(scale_of(known, 4, tight=True), wide, floor)


def _levels(
    panel: RiskPanel,
    place: tuple[float, float, float],
    response: str,
    scale: Scale,
    whole: float | None,
) -> str:
    left, top, wide = place
    start, length = left + LEVEL_ROOM, wide - LEVEL_ROOM - 8
    bottom = top + LEVEL * len(panel.classes)

    def x(value: float) -> float:
        return scale.at(value, start, length)

    parts = _head(panel, left, top - 8, wide)
    parts += [line(x(t), top - 2, x(t), bottom, svg.RULE, 0.7) for t in scale.ticks]
    if whole is not None:
        parts.append(line(x(whole), top - 2, x(whole), bottom, svg.INK, 1.0, "4 3"))
    for k, found in enumerate(sorted(panel.classes, key=lambda c: -c.mean)):
        middle = top + LEVEL * (k + 0.5)
        name = fit(found.name, LEVEL_ROOM - 8, 10.5, smallest=8.0)
        drawn = [svg.text(start - 8, middle + 3.6, name.lines[0], name.size, anchor="end")]
        if found.low is not None and found.high is not None:
            drawn.append(line(x(found.low), middle, x(found.high), middle, panel.colour, 1.6))
        drawn.append(
            mark("circle", x(found.mean), middle, 3.4, fill=panel.colour, stroke=svg.PAPER, width=0.8)
        )
        parts.append(svg.titled("".join(drawn), _told(found)))
    parts.append(line(start, bottom, start + length, bottom, svg.NEUTRAL, 1.0))
    parts += bottom_ticks(scale, start, length, bottom)
    said = fit(response + scale.factor, wide, 10.5, smallest=8.0)
    parts.append(
        svg.text(
            start + length / 2, bottom + 28, said.lines[0], said.size, anchor="middle", fill=svg.NEUTRAL_INK
        )
    )
    return "".join(parts)


def _told(found: RiskClass) -> str:
    told = [found.name]
    if found.lower is not None and found.upper is not None:
        told[0] = f"class {found.name}: {exact(found.lower)} to {exact(found.upper)}"
    told.append(f"mean {exact(found.mean)}")
    if found.low is not None and found.high is not None:
        told.append(f"95 % interval {exact(found.low)} to {exact(found.high)}")
    if found.n is not None:
        told.append(f"{count(found.n)} pixels")
    return "\n".join(told)
