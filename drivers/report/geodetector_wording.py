"""Sentences on a geodetector's numbers: what they mean, and when not to trust them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from drivers.report.geodetector_rows import FactorRow, star_mark
from drivers.report.numbers import MINUS, MISSING, count, is_missing, p_value, percent
from drivers.report.run_tables import Row, text

FEW_PIXELS = 40
"""Fewer independent pixels than this carry little: with 6 classes there are not 7 in each."""
LEVEL = 0.05
NAMED = 6
"""Drivers that a warning gives numbers of; of more it gives the names."""
NO_Q = "No q is in the tables."

Q = (
    "q is the share of the variance of {response} that lies between the classes of a driver: "
    "0 is none, 1 is all."
)
STARS = "Stars are those of {which}: * p < 0.05, ** p < 0.01, *** p < 0.001, ns otherwise."
P_MAX = (
    "p max is the share of surrogate responses, with the spatial correlation of the real one and no tie to "
    "the driver, whose best candidate reaches this q: unlike p, it pays for the search for the best classes."
)
NO_P_MAX = (
    "p max was not computed, so p takes the classes as given: after a search for the best ones it is too "
    "small."
)
CROSSFIT = (
    "Cross-fitted q (the diamond) is the share of variance that classes chosen, and means learnt, on other "
    "spatial blocks predict: the gap to the end of the bar is optimism; at or below 0 nothing carries over."
)
ADJUSTED = (
    "Adjusted q takes off what as many classes of no meaning would reach; it does not pay for the search."
)
ERRORS = {
    "effective": "p counts effective pixels: neighbours that resemble each other are not counted twice.",
    "classical": "p counts every pixel as independent, which neighbouring pixels are not.",
    "GD": "p is that of the R package GD: a noncentral F that counts every pixel as independent.",
}


def q_text(value: Any) -> str:
    """A q: three decimals, and `< 0.001` for what would round to nothing.

    >>> q_text(0.4321), q_text(1e-5), q_text(0.0), q_text(-0.0321), q_text(None)
    ('0.432', '< 0.001', '0', '−0.032', '–')
    """
    if is_missing(value):
        return MISSING
    x = float(value)
    if x == 0:
        return "0"
    if abs(x) < 0.0005:
        return "< 0.001" if x > 0 else f"> {MINUS}0.001"
    return f"{x:.3f}".replace("-", MINUS)


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def findings(rows: Sequence[FactorRow], pairs: Sequence[Row], response: str) -> list[str]:
    """What a stratum comes to: the best driver, how many are significant, and the best pair."""
    known = [r for r in rows if r.q is not None]
    if not known:
        return [NO_Q]
    best = known[0]
    said = f"{best.name} has the largest q, {q_text(best.q)}"
    if star_mark(best.p):
        said += f" ({star_mark(best.p)})"
    if best.classes:
        kind = "levels" if best.method == "categorical" else f"classes ({best.method})"
        said += f": its {best.n_classes} {kind} hold {percent(best.q)} of the variance of {response}"
    tested = [r for r in known if r.p is not None]
    found = [said + "."]
    if tested:
        many = sum(1 for r in tested if r.p is not None and r.p < LEVEL)
        which = "p max" if any(r.p_max is not None for r in tested) else "p"
        found[0] += f" {many} of {len(tested)} drivers are significant by {which} at 0.05."
    crossed = [row for row in pairs if not is_missing(row.get("q_ab"))]
    if crossed:
        top = max(crossed, key=lambda row: float(row["q_ab"]))
        kind = text(top.get("type"))
        found.append(
            f"The strongest pair is {text(top.get('driver_a'))} with {text(top.get('driver_b'))}: "
            f"their crossed classes reach q = {q_text(top.get('q_ab'))}"
            + _in_brackets(top.get("q_adjusted"), KINDS.get(kind, kind))
        )
    return found


def _in_brackets(adjusted: Any, kind: str) -> str:
    parts = [] if is_missing(adjusted) else [f"adjusted {q_text(adjusted)}"]
    parts += [kind] if kind else []
    return f" ({'; '.join(parts)})." if parts else "."


KINDS = {
    "Enhance, nonlinear": "enhance, nonlinear: more than both q together",
    "Enhance, bi-": "enhance, bi-: more than the larger q",
    "Independent": "independent: as much as both q together",
    "Weaken, uni-": "weaken, uni-: between the two q",
    "Weaken, nonlinear": "weaken, nonlinear: less than either q",
}
"""The kinds of interaction in the order of their strength, with what they say of q."""


def warnings(rows: Sequence[FactorRow], fit: Row) -> list[str]:
    """What a reader must know before believing a q of this stratum."""
    return [said for said in (_few(rows, fit), _luck(rows)) if said]


def _few(rows: Sequence[FactorRow], fit: Row) -> str:
    """A sentence where there are fewer independent pixels than `FEW_PIXELS`."""
    why = "p-values and intervals rest on few independent pixels, and a large q can be chance."
    known = [r for r in rows if r.n_effective is not None]
    few = [r for r in known if (r.n_effective or 0.0) < FEW_PIXELS]
    if few:
        words = [
            r.name if len(few) > NAMED else f"{r.name} ({count(math.floor(r.n_effective or 0.0))})"
            for r in few
        ]
        who = "All drivers" if len(few) == len(rows) > NAMED else listed(words)
        verb = "has" if len(few) == 1 else "have"
        return f"{who} {verb} fewer than {FEW_PIXELS} effective pixels: {why}"
    whole = fit.get("n_effective")
    if known or is_missing(whole) or float(whole or 0.0) >= FEW_PIXELS:
        return ""
    return f"The pixels are worth {count(whole)} independent ones, fewer than {FEW_PIXELS}: {why}"


def _luck(rows: Sequence[FactorRow]) -> str:
    """A sentence where p is small and the p-value of the maximum is not."""
    lucky = [
        r for r in rows if r.p_max is not None and r.p_value is not None and r.p_value < LEVEL <= r.p_max
    ]
    if not lucky:
        return ""
    words = [_both(r) for r in lucky] if len(lucky) <= NAMED else [r.name for r in lucky]
    whose = "its classes were" if len(lucky) == 1 else "their classes were"
    return (
        f"{listed(words)}: p is below 0.05 and p max is not; {whose} probably chosen by luck of many "
        "candidates. Do not report such a driver as significant."
    )


def _both(row: FactorRow) -> str:
    return f"{row.name} (p {_is(row.p_value)}, p max {_is(row.p_max)})"


def _is(p: float | None) -> str:
    words = p_value(p)
    return words if words.startswith("<") else f"= {words}"


def reading(rows: Sequence[FactorRow], errors: str, response: str) -> list[str]:
    """How to read the section: a sentence each on what its numbers are."""
    tested = [r for r in rows if r.q is not None and r.p is not None]
    with_max = [r for r in tested if r.p_max is not None]
    found = [Q.format(response=response)]
    if tested:
        which = "p max" if len(with_max) == len(tested) else "p max, of p where there is none"
        found.append(STARS.format(which=which if with_max else "p"))
        found.append(P_MAX if with_max else NO_P_MAX)
    if any(r.q_crossfit is not None for r in rows):
        found.append(CROSSFIT)
    if any(r.q_adjusted is not None for r in rows):
        found.append(ADJUSTED)
    if errors in ERRORS and tested:
        found.append(ERRORS[errors])
    return found
