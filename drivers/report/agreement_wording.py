"""Kendall's W in words: how alike rankings are, and how sure that is."""

from __future__ import annotations

from drivers.report.numbers import coefficient, count, is_missing, p_phrase
from drivers.report.run_tables import Row, number_or_none

STEPS = ((0.1, "no"), (0.4, "weak"), (0.7, "moderate"))
"""Words for a mean rank correlation up to a bound; beyond the last it is strong."""


def agreement_word(w: float, raters: int) -> str:
    """How alike `raters` rankings with this W are.

    W of rankings that have nothing in common is about 1 / raters, not 0; the words follow the mean rank
    correlation of two of them, (m W - 1) / (m - 1).

    >>> agreement_word(0.5, 2), agreement_word(0.5, 5), agreement_word(0.9, 5), agreement_word(0.1, 2)
    ('no', 'weak', 'strong', 'opposite')
    """
    r = (raters * w - 1.0) / (raters - 1.0)
    if r < -STEPS[0][0]:
        return "opposite"
    return next((word for bound, word in STEPS if r < bound), "strong")


def agreement_sentence(row: Row, raters: str) -> str:
    """One row of rank_agreement.csv in words; `raters` are what ranks (`strata`, `methods`)."""
    w, m = number_or_none(row.get("w")), number_or_none(row.get("n_raters"))
    if w is None or m is None or m < 2:
        return ""
    many, items = int(m), count(row.get("n_items"))
    word = agreement_word(w, many)
    said = {
        "opposite": f"The {count(m)} {raters} rank {items} drivers in opposite orders",
        "no": f"The {count(m)} {raters} do not agree on the ranks of {items} drivers",
    }.get(word)
    said = said or f"Agreement of the {count(m)} {raters} on the ranks of {items} drivers is {word}"
    numbers = [f"Kendall’s W = {coefficient(w)}"]
    low, high = number_or_none(row.get("w_low")), number_or_none(row.get("w_high"))
    unsure = ""
    if low is not None and high is not None:
        numbers.append(f"95 % interval {coefficient(low)} to {coefficient(high)}")
        ends = [agreement_word(end, many) for end in (low, high)]
        if ends[0] != ends[1]:
            unsure = f" Anything from {_noun(ends[0])} to {_noun(ends[1])} fits the errors of these numbers."
    if not is_missing(row.get("p_value")):
        numbers.append(p_phrase(row.get("p_value")))
    return f"{said}: {', '.join(numbers)}.{unsure}"


def _noun(word: str) -> str:
    return "opposite orders" if word == "opposite" else f"{word} agreement"


def chance_level(*raters: int) -> str:
    """What W is where rankings have nothing in common.

    >>> chance_level(3, 2)
    'W is 1 where all rank alike, and about 0.33 where 3 rankings have nothing in common (0.50 where 2 have).'
    """
    first, *others = raters
    also = "; ".join(f"{coefficient(1.0 / m)} where {m} have" for m in others)
    return (
        f"W is 1 where all rank alike, and about {coefficient(1.0 / first)} where {first} rankings have "
        f"nothing in common{f' ({also})' if also else ''}."
    )
