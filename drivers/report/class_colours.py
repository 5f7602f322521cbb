"""Colours of the classes of change: orange falls, blue rises, and the surer the darker."""

from __future__ import annotations

from drivers.report import svg

SURENESS = ("non-significant", "weakly significant", "significant", "extremely significant")
FALLING = ("#f9dcc4", "#f0a873", "#d55e00", "#8c3800")
RISING = ("#d0e5f2", "#86b9dd", "#0072b2", "#00416b")
"""From the least sure to the surest; their lightness falls all the way, so that they read in grey print."""
NO_CHANGE = "#b4bcc2"
PERSISTENCE = {"anti-persistent": "#e08214", "no memory shown": "#dfe3e6", "persistent": "#542788"}
"""Orange to purple (ColorBrewer's PuOr), told apart under every common colour-vision deficiency."""
DARK = 0.45
"""Lightness below which a colour wants white letters."""


def class_colour(name: str) -> str:
    """The colour of a class of trends or of persistence; grey for any other.

    >>> class_colour("significant increase"), class_colour("persistent"), class_colour("no change")
    ('#0072b2', '#542788', '#b4bcc2')
    """
    sure, _, way = name.rpartition(" ")
    if sure in SURENESS and way in ("decrease", "increase"):
        return (FALLING if way == "decrease" else RISING)[SURENESS.index(sure)]
    return PERSISTENCE.get(name, NO_CHANGE)


def ink_on(colour: str) -> str:
    """The colour of letters on a colour.

    >>> ink_on("#00416b"), ink_on("#f9dcc4")
    ('#ffffff', '#1d2429')
    """
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return svg.PAPER if 0.299 * red + 0.587 * green + 0.114 * blue < DARK else svg.INK
