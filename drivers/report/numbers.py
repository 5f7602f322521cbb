"""Numbers, p-values, units and labels for human eyes. Nothing outside `report/` rounds."""

from __future__ import annotations

import math
import re
from typing import Any

MINUS = "−"
MISSING = "–"
THIN = "\u202f"
"""Narrow no-break space between groups of three digits (SI style; a comma is a decimal sign to many)."""

SIGNIFICANT_DIGITS = 3
STAR_LEVELS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
"""The ladder of stars that R prints and the field reads."""

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_UNIT_POWER = re.compile(r"(?<=[A-Za-z])(?<!\de)(-?\d+)(?=$|[\s/*.)])")


def is_missing(value: Any) -> bool:
    """Whether a cell of a table is empty: None, NaN, NaT, pandas' NA or an empty text."""
    if value is None or (isinstance(value, str) and value == ""):
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA refuses to be a truth value
        return True


def number(value: Any, digits: int = SIGNIFICANT_DIGITS) -> str:
    """`value` with `digits` significant digits, a true minus sign and thin thousands.

    >>> number(-0.123456), number(12345.6), number(0.5), number(1.2e-5), number(None)
    ('−0.123', '12\\u202f346', '0.500', '1.20 × 10⁻⁵', '–')
    """
    if is_missing(value):
        return MISSING
    x = float(value)
    if math.isinf(x):
        return MINUS + "∞" if x < 0 else "∞"
    if x == 0:
        return "0"
    exponent = int(f"{x:.{digits - 1}e}".split("e")[1])
    if exponent < -3 or exponent >= 9:
        mantissa = f"{x:.{digits - 1}e}".split("e")[0]
        text = f"{mantissa} × 10{str(exponent).translate(_SUPERSCRIPT)}"
    else:
        text = f"{x:,.{max(digits - 1 - exponent, 0)}f}".replace(",", THIN)
    return text.replace("-", MINUS)


def coefficient(value: Any) -> str:
    """A standardised coefficient: two decimals, as path diagrams print it.

    >>> coefficient(-0.876), coefficient(0.001), coefficient(-0.001)
    ('−0.88', '0.00', '0.00')
    """
    if is_missing(value):
        return MISSING
    text = f"{float(value):.2f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def fit_index(value: Any) -> str:
    """A fit index: three decimals, as tables of fit print it.

    >>> fit_index(0.93056), fit_index(-1e-17), fit_index(None)
    ('0.931', '0.000', '–')
    """
    if is_missing(value):
        return MISSING
    text = f"{float(value):.3f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def interval_of_index(low: Any, high: Any) -> str:
    """The interval of a fit index.

    >>> interval_of_index(0.0714, 0.1137)
    '0.071 to 0.114'
    """
    if is_missing(low) or is_missing(high):
        return MISSING
    return f"{fit_index(low)} to {fit_index(high)}"


def count(value: Any) -> str:
    """A whole number with thin thousands; a fractional count (effective n) is rounded.

    >>> count(46295), count(None)
    ('46\\u202f295', '–')
    """
    if is_missing(value):
        return MISSING
    x = float(value)
    return "∞" if math.isinf(x) else f"{x:,.0f}".replace(",", THIN).replace("-", MINUS)


def percent(value: Any) -> str:
    """A share as a percentage.

    >>> percent(0.4567), percent(-0.02)
    ('45.7\\u202f%', '−2.0\\u202f%')
    """
    if is_missing(value):
        return MISSING
    text = f"{100 * float(value):.1f}"
    return (text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)) + f"{THIN}%"


def p_value(value: Any) -> str:
    """A p-value: three decimals, and `< 0.001` below.

    >>> p_value(0.0421), p_value(1e-300), p_value(0.0)
    ('0.042', '< 0.001', '< 0.001')
    """
    if is_missing(value):
        return MISSING
    return "< 0.001" if float(value) < 0.001 else f"{float(value):.3f}"


def p_phrase(value: Any) -> str:
    """`P = 0.042` or `P < 0.001`, for sentences."""
    text = p_value(value)
    return f"P {text}" if text.startswith("<") else f"P = {text}"


def stars(value: Any) -> str:
    """The stars of a p-value; empty at 0.05 and above, or when there is none.

    >>> stars(0.0005), stars(0.03), stars(0.05), stars(None)
    ('***', '*', '', '')
    """
    if is_missing(value):
        return ""
    return next((mark for level, mark in STAR_LEVELS if float(value) < level), "")


def interval(low: Any, high: Any) -> str:
    """`−0.12 to 0.34`; missing when either end is.

    >>> interval(-0.1234, 0.5)
    '−0.123 to 0.500'
    """
    if is_missing(low) or is_missing(high):
        return MISSING
    return f"{number(low)} to {number(high)}"


def std_interval(low: Any, high: Any) -> str:
    """An interval on the standardised scale: two decimals, as the coefficient it belongs to.

    >>> std_interval(-0.1234, 0.5)
    '−0.12 to 0.50'
    """
    if is_missing(low) or is_missing(high):
        return MISSING
    return f"{coefficient(low)} to {coefficient(high)}"


def exact(value: Any) -> str:
    """The shortest text that reads back to the same double, for hover titles."""
    if is_missing(value):
        return ""
    return value if isinstance(value, str) else repr(float(value) + 0.0)  # + 0.0: no negative zero


def unit(text: Any) -> str:
    """A CF unit string as print shows it.

    >>> unit("g C m-2 yr-1"), unit("degC"), unit("1e4 CNY km-2")
    ('g C m⁻² yr⁻¹', '°C', '1e4 CNY km⁻²')
    """
    if is_missing(text):
        return ""
    plain = {"degC": "°C"}.get(str(text), str(text))
    return _UNIT_POWER.sub(lambda m: m.group(1).translate(_SUPERSCRIPT), plain)


def stratum_label(stratum: Any) -> str:
    """A stratum's key as a title.

    >>> stratum_label("all"), stratum_label("balance=sink,landuse=forestland")
    ('All pixels', 'balance: sink · landuse: forestland')
    """
    text = str(stratum)
    return "All pixels" if text == "all" else text.replace(",", " · ").replace("=", ": ")


def level_of(stratum: str, family: str = "") -> str:
    """A stratum by its level alone, where the family has been named.

    >>> level_of("landuse=forestland", "landuse"), level_of("a=1,b=x", "a*b"), level_of("region A", "all")
    ('forestland', '1, x', 'region A')
    """
    parts = [part.partition("=") for part in stratum.split(",")]
    named = "*".join(name for name, equals, _ in parts if equals) == family
    return ", ".join(level for _, _, level in parts) if named else stratum


def chain(via: Any) -> str:
    """`climate -> soil -> NEP` with real arrows."""
    return MISSING if is_missing(via) else str(via).replace("->", "→")
