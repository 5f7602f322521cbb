"""SVG as text: escaped, with short numbers, and the colours that all figures share.

Looks are presentation attributes, never a style sheet: a page holds many figures, and a style sheet
inside one of them would leak into the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from drivers.report.lettering import FONT

POSITIVE = "#0072b2"
NEGATIVE = "#d55e00"
"""Okabe & Ito's blue and vermilion: told apart under every common colour-vision deficiency."""
POSITIVE_INK = "#005a8e"
NEGATIVE_INK = "#a84300"
"""The same hues, dark enough for text on white (contrast above 5:1)."""
NEUTRAL = "#8a939b"
NEUTRAL_INK = "#59636b"
INK = "#1d2429"
PAPER = "#ffffff"
RULE = "#d5dade"
PLAIN = "#44505a"
"""The colour of a driver without a group."""

GROUP_COLOURS = ("#117733", "#882255", "#b07d00", "#332288", "#44aa99", "#cc6677", "#6b6b2a", "#7b8a97")
"""Driver groups: Tol's muted scheme without the hues that mean plus and minus."""


Ramp = tuple[tuple[float, tuple[int, int, int]], ...]
RAMP: Ramp = ((0.0, (243, 247, 250)), (0.35, (178, 207, 229)), (0.7, (74, 141, 190)), (1.0, (11, 60, 111)))
"""White to dark blue; its lightness falls all the way, so that it reads in grey print."""
LOW_TO_HIGH: Ramp = ((0.0, (18, 52, 138)), (0.5, (150, 50, 145)), (1.0, (240, 133, 54)))
"""Dark blue over purple to orange: lightness rises all the way, and every step is seen on white."""
LEVEL_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
"""Levels of a driver: Tol's bright scheme without its grey, which is a missing value's."""


def ramp_colour(share: float, stops: Ramp = RAMP) -> str:
    """The colour of a share of the ramp.

    >>> ramp_colour(0.0), ramp_colour(1.0)
    ('#f3f7fa', '#0b3c6f')
    """
    at = min(max(share, 0.0), 1.0)
    for (a, low), (b, high) in itertools.pairwise(stops):
        if at <= b:
            t = (at - a) / (b - a)
            mixed = (round(x + t * (y - x)) for x, y in zip(low, high, strict=True))
            return "#" + "".join(f"{value:02x}" for value in mixed)
    raise AssertionError  # the last stop is at 1


def group_colours(groups: Iterable[str]) -> dict[str, str]:
    """A colour for each group, in order; beyond eight groups the colours repeat."""
    return {name: GROUP_COLOURS[k % len(GROUP_COLOURS)] for k, name in enumerate(dict.fromkeys(groups))}


def short(value: float) -> str:
    """A coordinate with at most two decimals.

    >>> short(12.0), short(1.2345), short(-0.001)
    ('12', '1.23', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def element(tag: str, attributes: Mapping[str, str | float | None], content: str | None = None) -> str:
    """One element; `content` is markup already. Underscores in names become hyphens; None is left out."""
    parts = [tag]
    for name, value in attributes.items():
        if value is None:
            continue
        text = value if isinstance(value, str) else short(value)
        parts.append(f"{name.replace('_', '-')}={quoteattr(text)}")
    head = " ".join(parts)
    return f"<{head}/>" if content is None else f"<{head}>{content}</{tag}>"


def text(
    x: float,
    y: float,
    words: str,
    size: float,
    *,
    fill: str = INK,
    anchor: str = "start",
    bold: bool = False,
    halo: bool = False,
    length: float | None = None,
) -> str:
    """A line of text whose baseline starts (or centres, or ends) at (x, y)."""
    return element(
        "text",
        {
            "x": x,
            "y": y,
            "font_size": size,
            "fill": fill,
            "text_anchor": None if anchor == "start" else anchor,
            "font_weight": "600" if bold else None,
            "stroke": PAPER if halo else None,
            "stroke_width": 3.0 if halo else None,
            "stroke_linejoin": "round" if halo else None,
            "paint_order": "stroke" if halo else None,
            "textLength": length,
            "lengthAdjust": None if length is None else "spacingAndGlyphs",
        },
        escape(words),
    )


def rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    """A filled rectangle."""
    return element("rect", {"x": x, "y": y, "width": width, "height": height, "fill": fill})


def titled(content: str, tooltip: str) -> str:
    """A group whose hover text (and accessible name) is `tooltip`."""
    return f"<g><title>{escape(tooltip)}</title>{content}</g>"


def document(width: float, height: float, label: str, content: Sequence[str]) -> str:
    """A whole figure: scales with its container, and says what it is to a screen reader."""
    head: dict[str, str | float | None] = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {short(width)} {short(height)}",
        "width": width,
        "height": height,
        "role": "img",
        "aria_label": label,
        "font_family": FONT,
    }
    paper = element("rect", {"width": width, "height": height, "fill": PAPER})
    return element("svg", head, "\n".join(["", paper, *content, ""])) + "\n"
