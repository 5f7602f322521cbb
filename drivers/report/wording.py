"""Sentences: what a fit's numbers say, in words that a reader of the paper would use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.report.numbers import count, interval, is_missing, number, p_phrase, stratum_label
from drivers.report.run_tables import Row, RunTables, text, truth

FIELD_P = 0.05
FIELD_RATIO = 2.0
"""The field's acceptance rule (Horqin paper): P in [0.05, 1] and C/df in [0, 2]."""

TRUNCATION = (
    "This stratum is cut by the response itself. Cutting a response truncates it: slopes and R² shrink by "
    "construction, so they must not be read against those of strata cut by other variables."
)
CLASSICAL = (
    "This table has coordinates, and the p-values here are classical: they treat neighbouring pixels as "
    "independent. On smooth maps they are far too small. Judge paths by their size and claims by their "
    "partial r, not by stars."
)
TRUNCATION_Q = (
    "This stratum is cut by the response itself. Cutting a response truncates it: q shrinks by construction, "
    "so it must not be read against the q of strata cut by other variables."
)
CLASSICAL_Q = (
    "This table has coordinates, and the p-values here count every pixel as independent. On smooth maps they "
    "are far too small. Judge drivers by cross-fitted q and by p max, not by p."
)
TRUNCATION_TREES = (
    "This stratum is cut by the response itself. Cutting a response truncates it: R² shrinks by "
    "construction, so it must not be read against the R² of strata cut by other variables."
)
EFFECTIVE = (
    "p-values and intervals use the effective number of independent pixels; "
    "the classical ones, which treat neighbours as independent, stand in the tables."
)
REGRESSION_WEIGHTS = (
    "With weights from the regression of the response (the default) the path from a composite to the "
    "response is positive by construction; the direction of a driver is in the sign of its weight."
)
DELTA_NOTE = (
    "Errors of the effects are delta-method errors; they take the weights of the composites as given."
)

Q_METHOD = "geodetector"
"""The method whose result is q, not slopes."""
TREE_METHOD = "brt"
"""The method whose result is shares and R² of held-out pixels, without slopes and p-values."""

SYMBOL = {"accepted": "✓", "rejected": "✕", "saturated": "○", "failed": "!", "unknown": "·"}
WORD = {
    "accepted": "accepted",
    "rejected": "rejected",
    "saturated": "saturated",
    "failed": "not fitted",
    "unknown": "fitted",
}


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
    """The verdicts of one row of fit.csv: the field's rule, then the one that does not break with n."""
    if text(fit.get("status")) == "failed":
        return Verdict("failed", WORD["failed"], (reason(fit),))
    key = text(fit.get("verdict"))
    key = key if key in ("accepted", "rejected", "saturated") else "unknown"
    sentences = tuple(s for s in (_field_sentence(key, fit), _equivalence_sentence(key, fit)) if s)
    return Verdict(key, WORD[key], sentences)


def reason(fit: Row) -> str:
    """Why a fit failed, as a sentence."""
    return _sentence(text(fit.get("message"))) or "No reason was recorded."


def _sentence(message: str) -> str:
    message = message.strip()
    if not message:
        return ""
    if not message[1:2].isupper():  # kNNDM keeps its small letter
        message = message[0].upper() + message[1:]
    return message if message.endswith((".", "!", "?")) else message + "."


def _field_sentence(key: str, fit: Row) -> str:
    if key == "saturated":
        return (
            "Saturated: every pair of variables is joined by a path, so there is no independence claim to "
            "test and no global fit. The paths are estimates, not evidence for the diagram."
        )
    c, df, p, ratio = (fit.get(name) for name in ("fishers_c", "fishers_c_df", "fishers_c_p", "c_per_df"))
    if is_missing(c):
        return ""
    numbers = f"Fisher’s C = {number(c, 4)} on {count(df)} df, {p_phrase(p)}, C/df = {number(ratio)}"
    rule = "the field’s rule, P between 0.05 and 1 and C/df between 0 and 2"
    if key == "accepted":
        return f"Accepted by {rule}: {numbers}."
    if key == "rejected":
        broken = []
        if not is_missing(p) and float(p or 0.0) < FIELD_P:
            broken.append("P is below 0.05")
        if not is_missing(ratio) and float(ratio or 0.0) > FIELD_RATIO:
            broken.append("C/df is above 2")
        because = f" ({' and '.join(broken)})" if broken else ""
        return f"Rejected by {rule}{because}: {numbers}."
    return numbers + "."


def _equivalence_sentence(key: str, fit: Row) -> str:
    r = fit.get("max_partial_r")
    if key == "saturated" or is_missing(r):
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
    p = fit.get("equivalence_p")
    tested = "" if is_missing(p) or said is None else f" (equivalence test {p_phrase(p)})"
    return (
        f"{found}; {said}{tested}. This verdict does not depend on how many pixels there are."
        if said
        else f"{found}."
    )


def cautions(run: RunTables, model: str, stratum: str) -> list[str]:
    """What a reader must know before reading a stratum's numbers."""
    found = []
    of_q, of_trees = (run.method(model) == method for method in (Q_METHOD, TREE_METHOD))
    row = next(iter(run.rows("strata", stratum=stratum)), {})
    if truth(row.get("selects_on_response")):
        found.append(TRUNCATION_Q if of_q else TRUNCATION_TREES if of_trees else TRUNCATION)
    if of_trees:  # no p-values
        return found
    fit = run.fit(model, stratum)
    if (run.meta.get("table") or {}).get("coordinates") and text(fit.get("status")) != "failed":
        effective = fit.get("n_effective")
        used = not is_missing(effective)
        if of_q and not is_missing(fit.get("errors")):
            used = text(fit.get("errors")) == "effective"
        here = "" if is_missing(effective) else f" Here n effective = {count(effective)}."
        if of_q and here:  # every driver has its own; fit.csv has the least
            here = f" Here n effective is {count(effective)} or more, by driver."
        classical = CLASSICAL_Q if of_q else CLASSICAL
        found.append(EFFECTIVE + here if used else classical)
    return found


def notes(run: RunTables, model: str, stratum: str) -> list[str]:
    """What fit.csv's message tells a reader of a fit, without what the page says in its own words."""
    fit = run.fit(model, stratum)
    told = [part.strip() for part in text(fit.get("message")).split("; ") if part.strip()]
    if text(fit.get("verdict")) == "saturated":
        told = [part for part in told if not part.startswith("saturated")]
    if {CLASSICAL, CLASSICAL_Q} & set(cautions(run, model, stratum)):
        told = [part for part in told if not part.startswith("the errors are classical")]
    if run.rows("simplify", model=model, stratum=stratum):
        told = [part for part in told if not part.startswith("dropped: ")]
    return [_sentence(part) for part in dict.fromkeys(told)]


def selecting_strata(run: RunTables) -> str:
    """One sentence that names the strata which select on the response; empty when none does."""
    names = [
        stratum_label(row.get("stratum"))
        for row in run.rows("strata")
        if truth(row.get("selects_on_response"))
    ]
    if not names:
        return ""
    listed = names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
    verb = "is" if len(names) == 1 else "are"
    methods = {run.method(str(m["name"])) for m in run.models}
    what = ("slopes and R² shrink", "coefficient")
    if methods and methods <= {Q_METHOD, TREE_METHOD}:
        shrunk = [word for word, of in (("R²", TREE_METHOD), ("q", Q_METHOD)) if of in methods]
        what = (" and ".join(shrunk) + (" shrinks" if len(shrunk) == 1 else " shrink"), " or ".join(shrunk))
    elif Q_METHOD in methods:
        what = ("slopes, R² and q shrink", "coefficient or q")
    return (
        f"{listed} {verb} cut by the response itself. A cut on the response truncates it: {what[0]} "
        f"by construction, and a smaller {what[1]} there is no evidence of a weaker driver."
    )


def failures(run: RunTables) -> list[tuple[str, str, str]]:
    """(model, stratum, reason) of every fit that failed, in the order of the run."""
    return [
        (text(row.get("model")), text(row.get("stratum")), reason(row))
        for row in run.rows("fit")
        if text(row.get("status")) == "failed"
    ]


def options_text(options: Mapping[str, Any] | None) -> str:
    """A model's options on one line, defaults that say nothing left out."""
    parts: Sequence[str] = [
        f"{name}: {_plain(value)}"
        for name, value in (options or {}).items()
        if value not in (None, [], {}, False)
    ]
    return " · ".join(parts)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_plain(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_plain(v) for v in value) + "]"
    return "yes" if value is True else str(value)
