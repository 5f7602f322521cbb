"""The jinja2 environment of the report: escaping on, unknown names are errors, numbers as filters."""

from __future__ import annotations

import functools
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from drivers.report import numbers


@functools.cache
def environment() -> Environment:
    """The one environment; templates live in `drivers/report/templates`."""
    env = Environment(
        loader=PackageLoader("drivers.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update(
        num=numbers.number,
        coef=numbers.coefficient,
        count=numbers.count,
        index=numbers.fit_index,
        percent=numbers.percent,
        p=numbers.p_value,
        stars=numbers.stars,
        exact=numbers.exact,
        unit=numbers.unit,
        stratum=numbers.stratum_label,
        chain=numbers.chain,
        shade=shade,
        ticks=ticks,
    )
    env.globals.update(
        interval=numbers.interval, std_interval=numbers.std_interval, missing=numbers.is_missing
    )
    return env


def render(template: str, **values: Any) -> Markup:
    """A template as markup. What templates get is escaped there, so the result is safe to embed."""
    return Markup(environment().get_template(template).render(**values))


def ticks(message: Any) -> Markup:
    """A message with its `names` as code; everything in it is escaped first.

    >>> ticks("drop `<b>`")
    Markup('drop <code>&lt;b&gt;</code>')
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(message))))


def shade(value: Any) -> str:
    """The class of a table cell by sign and size of a standardised number: p1..p4, n1..n4 or nothing.

    >>> shade(0.55), shade(-0.12), shade(0.01), shade(None)
    ('p3', 'n1', '', '')
    """
    if numbers.is_missing(value):
        return ""
    size = abs(float(value))
    step = sum(size >= level for level in (0.05, 0.2, 0.4, 0.6))
    return f"{'p' if float(value) > 0 else 'n'}{step}" if step else ""


def figure_of(svg: str) -> dict[str, Any]:
    """A figure for `cells.drawn`: its markup, and the width it was drawn at.

    The style sheet lets it shrink only so far, then it scrolls.
    """
    found = re.search(r' width="([\d.]+)"', svg)
    return {"svg": Markup(svg), "width": round(float(found.group(1))) if found else 0}
