"""Sentences on the fit of a path model: what each of its verdicts says, and what it does not."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.report.numbers import count, interval, is_missing, number, p_phrase
from drivers.report.run_tables import Row, number_or_none, text

FIELD_P = 0.05
FIELD_RATIO = 2.0
"""The field's acceptance rule (Horqin paper): P in [0.05, 1] and C/df in [0, 2]."""

COUNTING = {
    "effective": ", counting independent pixels",
    "block": ", counting spatial blocks",
    "bootstrap": ", counting spatial blocks",
}
"""What stands behind P, where it is not every pixel."""

RMSEA_WORDS = ((0.05, "close"), (0.08, "fair"), (0.10, "mediocre"))
"""The usual words for a size of misfit up to a bound (Browne & Cudeck 1993); beyond the last it is poor."""

SYMBOL = {
    "accepted": "✓",
    "rejected": "✕",
    "saturated": "○",
    "undecided": "?",
    "failed": "!",
    "unknown": "·",
}
WORD = {
    "accepted": "accepted",
    "rejected": "rejected",
    "saturated": "saturated",
    "undecided": "undecided",
    "failed": "not fitted",
    "unknown": "fitted",
}

SATURATED = (
    "Saturated: every pair of variables is joined by a path, so there is no independence claim to "
    "test and no global fit. The paths are estimates, not evidence for the diagram."
)
UNDECIDED = (
    "Undecided: at least one independence claim rests on too few independent pixels for a test, so Fisher’s "
    "C cannot be summed. This neither accepts nor rejects the diagram."
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a fit came to: a key for looks, a word, and sentences."""

    key: str
    word: str
    sentences: tuple[str, ...]

    @property
    def symbol(self) -> str:
        """One sign for lists; the word always stands beside it."""
        return SYMBOL[self.key]


def verdict(fit: Row) -> Verdict:
    """The verdicts of one row of fit.csv: the field's rule, then those of size, which n does not inflate."""
    if text(fit.get("status")) == "failed":
        return Verdict("failed", WORD["failed"], (reason(fit),))
    key = text(fit.get("verdict"))
    key = key if key in ("accepted", "rejected", "saturated", "undecided") else "unknown"
    if key == "saturated":
        return Verdict(key, WORD[key], (SATURATED,))
    said = (_rule(key, fit), _as_if_independent(fit), _size_of_claims(fit), _size_of_misfit(fit))
    return Verdict(key, WORD[key], tuple(sentence for sentence in said if sentence))


def reason(fit: Row) -> str:
    """Why a fit failed, as a sentence."""
    return as_sentence(text(fit.get("message"))) or "No reason was recorded."


def as_sentence(message: str) -> str:
    """A message of a table with a capital letter and a full stop.

    >>> as_sentence("only 9 pixels"), as_sentence("kNNDM needs coordinates")
    ('Only 9 pixels.', 'kNNDM needs coordinates.')
    """
    message = message.strip()
    if not message:
        return ""
    if not message[1:2].isupper():  # kNNDM keeps its small letter
        message = message[0].upper() + message[1:]
    return message if message.endswith((".", "!", "?")) else message + "."


def _rule(key: str, fit: Row) -> str:
    """Fisher's C by the field's rule, and what that says."""
    if key == "undecided":
        return UNDECIDED
    c, df, p, ratio = (fit.get(name) for name in ("fishers_c", "fishers_c_df", "fishers_c_p", "c_per_df"))
    if is_missing(c):
        return ""
    numbers = f"Fisher’s C = {number(c, 4)} on {count(df)} df, {p_phrase(p)}, C/df = {number(ratio)}"
    numbers += COUNTING.get(text(fit.get("errors")), "")
    rule = "the field’s rule, P between 0.05 and 1 and C/df between 0 and 2"
    if key == "accepted":
        return (
            f"Accepted by {rule}: {numbers}. No path that the diagram leaves out can be told from chance; "
            "that is no proof that there is none."
        )
    if key == "rejected":
        small = not is_missing(p) and float(p or 0.0) < FIELD_P
        broken = ["P is below 0.05"] if small else []
        if not is_missing(ratio) and float(ratio or 0.0) > FIELD_RATIO:
            broken.append("C/df is above 2")
        because = f" ({' and '.join(broken)})" if broken else ""
        meaning = (
            " Some path that the diagram leaves out is there; P does not say that it is large."
            if small
            else " P alone would not reject the diagram."
        )
        return f"Rejected by {rule}{because}: {numbers}.{meaning}"
    return numbers + "."


def _as_if_independent(fit: Row) -> str:
    """What Fisher's C would be by the count that the field takes; empty where that is the one taken."""
    c, p = fit.get("fishers_c_classical"), fit.get("fishers_c_p_classical")
    if is_missing(c) or text(fit.get("errors")) in ("classical", ""):
        return ""
    said = f"As if every pixel were independent, C would be {number(c, 4)}, {p_phrase(p)}"
    if is_missing(p) or float(p or 0.0) >= FIELD_P:
        return said + "."
    return said + ": that P shrinks with the number of pixels alone, until every diagram is rejected."


def _size_of_claims(fit: Row) -> str:
    """The largest misfit, and whether all are negligible."""
    r = fit.get("max_partial_r")
    if is_missing(r):
        return ""
    bound = fit.get("equivalence_bound")
    within = interval(fit.get("max_partial_r_low"), fit.get("max_partial_r_high"))
    found = f"The largest partial correlation among the claims is r = {number(r)}"
    found += "" if is_missing(fit.get("max_partial_r_low")) else f" (95 % interval {within})"
    limit = "the bound" if is_missing(bound) else f"±{number(bound, 2)}"
    said = {
        "equivalent": f"all claims lie within {limit}, so what the diagram leaves out is negligible in size",
        "not equivalent": f"at least one claim lies beyond {limit}, so a path that matters is missing",
        "inconclusive": f"whether all claims lie within {limit} cannot be told from these pixels",
    }.get(text(fit.get("equivalence_verdict")))
    if not said:
        return f"{found}."
    p = fit.get("equivalence_p")
    tested = "" if is_missing(p) else f" (equivalence test {p_phrase(p)})"
    return f"{found}; {said}{tested}. This verdict is about size: more pixels make it surer, not stricter."


def _size_of_misfit(fit: Row) -> str:
    """RMSEA in words."""
    rmsea = number_or_none(fit.get("rmsea"))
    if rmsea is None:
        return ""
    if rmsea == 0:
        return "RMSEA = 0: what the diagram leaves out is no larger than chance makes it."
    word = next((word for bound, word in RMSEA_WORDS if rmsea <= bound), "poor")
    return (
        f"RMSEA = {number(rmsea)}, a {word} fit by the usual bounds (0.05, 0.08, 0.10): beyond chance, the "
        "missing paths have partial correlations of about this size. It is a size, not a test."
    )
