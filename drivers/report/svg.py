"""SVG as text: escaped, with short numbers, and the colours that all figures share.

Looks are presentation attributes, never a style sheet: a page holds many figures, and a style sheet
inside one of them would leak into the others.
"""

from __future__ import annotations

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

GROUP_COLOURS = ("#117733", "#882255", "#b07d00", "#332288", "#44aa99", "#cc6677", "#6b6b2a", "#7b8a97")
"""Driver groups: Tol's muted scheme without the hues that mean plus and minus."""


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
