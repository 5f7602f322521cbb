"""Sentences on the fit of a latent-variable model: what χ² and each index say, and what they do not."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.report.fit_wording import RMSEA_WORDS, WORD, Verdict, reason
from drivers.report.numbers import (
    coefficient,
    count,
    fit_index,
    interval_of_index,
    is_missing,
    number,
    p_phrase,
    p_value,
)
from drivers.report.run_tables import Row, number_or_none, text

CUT_OFFS = {"cfi": 0.95, "tli": 0.95, "rmsea": 0.06, "srmr": 0.08}
"""Hu & Bentler (1999): CFI and TLI at least, RMSEA and SRMR at most this."""
AT_LEAST = frozenset(("cfi", "tli"))
JUDGED = ("cfi", "rmsea", "srmr")
"""The indices of the verdict; TLI says what CFI says."""
POOR = {"cfi": 0.90, "rmsea": 0.10, "srmr": 0.10}
"""Beyond these a fit is called poor by almost everyone."""
NAMES = {"cfi": "CFI", "tli": "TLI", "rmsea": "RMSEA", "srmr": "SRMR"}

SENSITIVE_FROM = 1000
"""Pixels from which on χ² finds misfits that matter to nobody."""
FEW = 100
"""Pixels below which χ² misses misfits that matter."""
ERRATIC_DF = 2
"""Up to so many degrees of freedom RMSEA swings widely (Kenny, Kaniskan & McCoach 2015)."""
FIELD_P = 0.05

SATURATED = (
    "Saturated: the model has as many parameters as there are variances and covariances, so it reproduces "
    "all of them whatever is true. Nothing is tested; the estimates are no evidence for the diagram."
)
IMPROPER = (
    "Improper: the estimates hold a value that no population could have, such as a variance below zero. Read "
    "no number of this stratum before the model or the stratum is changed."
)
COUNTED_BY = {
    "effective": "counting independent pixels",
    "block": "counting spatial blocks",
    "bootstrap": "counting spatial blocks",
    "robust": "allowing for variables that are not normal",
}
"""What stands behind P, where it is not every pixel."""
MEANING = {
    "cfi": "how far the model comes from “nothing is related” (0) towards every covariance met (1)",
    "tli": "as CFI, but each parameter has its price",
    "rmsea": "misfit per degree of freedom, beyond what chance gives",
    "srmr": "how far the model typically is from an observed correlation",
}


@dataclass(frozen=True, slots=True)
class IndexLine:
    """A line of the table of fit: an index, its cut-off and whether it is met; texts are ready to show."""

    name: str
    value: str
    exact: float | None
    cut_off: str = ""
    met: bool | None = None
    meaning: str = ""


def latent_verdict(fit: Row) -> Verdict:
    """The verdict of one row of fit.csv: by the sizes of misfit, which n does not inflate."""
    if text(fit.get("status")) == "failed":
        return Verdict("failed", WORD["failed"], (reason(fit),))
    if number_or_none(fit.get("chisq_df")) == 0:
        return Verdict("saturated", WORD["saturated"], (SATURATED,))
    key, word = _judged(fit)
    first = IMPROPER if is_improper(fit) else ""
    said = (first, _chisq(fit), _sizes(fit), _erratic(fit))
    return Verdict(key, word, tuple(sentence for sentence in said if sentence))


def is_improper(fit: Row) -> bool:
    """Whether the estimates are ones that no population could have."""
    return "improper solution" in text(fit.get("message"))


def within(fit: Row, index: str) -> bool | None:
    """Whether an index meets its cut-off; None where the table has no number."""
    value = judged_value(fit, index)
    if value is None:
        return None
    return value >= CUT_OFFS[index] if index in AT_LEAST else value <= CUT_OFFS[index]


def judged_value(fit: Row, index: str) -> float | None:
    """An index as it is judged: from the divided χ² where there is one.

    Pixels that are alike leave more misfit by chance than independent ones would, and the plain index takes
    all of it for a fault of the model.
    """
    robust = number_or_none(fit.get(f"{index}_robust"))
    return number_or_none(fit.get(index)) if robust is None else robust


def _judged(fit: Row) -> tuple[str, str]:
    if is_improper(fit):
        return "rejected", "improper"
    known = [name for name in JUDGED if within(fit, name) is not None]
    if not known:
        return "unknown", WORD["unknown"]
    if all(within(fit, name) for name in known):
        return "accepted", "close fit"
    if any(_beyond(fit, name) for name in known):
        return "rejected", "poor fit"
    return "undecided", "mixed fit"


def _beyond(fit: Row, index: str) -> bool:
    value = judged_value(fit, index)
    if value is None:
        return False
    return value < POOR[index] if index in AT_LEAST else value > POOR[index]


def _chisq(fit: Row) -> str:
    """χ² with its P by the chosen count, then what that P can and cannot say."""
    chisq, df = fit.get("chisq"), fit.get("chisq_df")
    p, plain = fit.get("chisq_p"), fit.get("chisq_p_classical")
    if is_missing(chisq):
        return ""
    counted = COUNTED_BY.get(text(fit.get("errors")), "")
    said = f"χ² = {number(chisq, 4)} on {count(df)} df"
    if is_missing(p):
        told = "" if is_missing(plain) else f" As if every pixel were independent, {p_phrase(plain)}."
        why = " There are too few independent pixels for a test of it." if counted else ""
        return f"{said}.{why}{told}"
    said += f", {p_phrase(p)}" + (f", {counted}" if counted else "") + "."
    scaling = fit.get("chisq_scaling")
    if not is_missing(scaling):
        said += f" {_scaled(fit, plain)}"
    rejects = float(p or 0.0) < FIELD_P
    meaning = (
        "The model misses some covariances by more than chance; P does not say by how much."
        if rejects
        else "What the model misses cannot be told from chance; that is no proof that it misses nothing."
    )
    return f"{said} {meaning} {_power(fit, rejects, counted)}".strip()


def _scaled(fit: Row, plain: object) -> str:
    """That neighbours are counted: what χ² is divided by before it is tested."""
    scaling, scaled = fit.get("chisq_scaling"), fit.get("chisq_scaled")
    neighbours = text(fit.get("errors")) in ("effective", "block", "bootstrap")
    because = (
        "Neighbouring pixels say the same thing again, so"
        if neighbours
        else "The variables are not normal, so"
    )
    told = f"{because} χ² is divided by {number(scaling)} before it is tested"
    told += "" if is_missing(scaled) else f" (χ² = {number(scaled, 4)})"
    told += "" if is_missing(plain) else f"; undivided it would have {p_phrase(plain)}"
    return told + "."


def _power(fit: Row, rejects: bool, counted: str) -> str:
    """What n does to the test; nothing where neighbours were allowed for."""
    n = number_or_none(fit.get("n"))
    if n is None or (counted and text(fit.get("errors")) != "robust"):
        return ""
    if n >= SENSITIVE_FROM and rejects:
        return f"With {count(n)} pixels χ² finds any misfit, however small: judge by the sizes below."
    if n < FEW and not rejects:
        return f"With {count(n)} pixels χ² can miss even a large misfit."
    return ""


def _sizes(fit: Row) -> str:
    """RMSEA, CFI and SRMR, each in words."""
    parts = []
    rmsea, cfi, srmr = (judged_value(fit, name) for name in ("rmsea", "cfi", "srmr"))
    if rmsea is not None:
        word = next((word for bound, word in RMSEA_WORDS if rmsea <= bound), "poor")
        told = "" if is_missing(fit.get("rmsea_low")) else f" (90 % interval {_ends(fit)})"
        if not is_missing(fit.get("rmsea_robust")):
            told = f" from the divided χ² ({fit_index(fit.get('rmsea'))} from the undivided)"
        parts.append(f"RMSEA = {fit_index(rmsea)}{told}, a {word} fit")
    if cfi is not None:
        parts.append(f"CFI = {fit_index(cfi)}, {_beside('cfi', fit)}")
    if srmr is not None:
        typical = f": correlations are typically missed by {coefficient(srmr)}" if srmr >= 0.005 else ""
        parts.append(f"SRMR = {fit_index(srmr)}, {_beside('srmr', fit)}{typical}")
    if not parts:
        return ""
    return "; ".join(parts) + ". These are sizes: more pixels make them surer, not stricter."


def _ends(fit: Row) -> str:
    return interval_of_index(fit.get("rmsea_low"), fit.get("rmsea_high"))


def _beside(index: str, fit: Row) -> str:
    met = within(fit, index)
    where = ("above" if met else "short of") if index in AT_LEAST else ("within" if met else "beyond")
    return f"{where} the usual cut-off of {CUT_OFFS[index]:.2f}"


def _erratic(fit: Row) -> str:
    df = number_or_none(fit.get("chisq_df"))
    if df is None or not 0 < df <= ERRATIC_DF or is_missing(fit.get("rmsea")):
        return ""
    return (
        f"On {count(df)} df RMSEA and TLI swing widely from one sample to the next: look at SRMR and at the "
        "residuals first."
    )


def index_lines(fit: Row) -> list[IndexLine]:
    """The table of fit: χ², the indices with their cut-offs, then what compares models."""
    if number_or_none(fit.get("chisq_df")) == 0:
        return [line for line in _compared(fit) if line.exact is not None]
    lines = []
    for index, cut in CUT_OFFS.items():
        value = number_or_none(fit.get(index))
        meaning = MEANING[index]
        if index == "rmsea" and not is_missing(fit.get("rmsea_low")):
            meaning += f"; 90 % interval {_ends(fit)}"
        rule = f"{'≥' if index in AT_LEAST else '≤'} {cut:.2f}"
        met = None if value is None else within({index: value}, index)
        lines.append(IndexLine(NAMES[index], fit_index(value), value, rule, met, meaning))
        robust = number_or_none(fit.get(f"{index}_robust"))
        if robust is not None:
            meaning = "the same, from the divided χ²"
            met = within({index: robust}, index)
            lines.append(IndexLine(f"{NAMES[index]} robust", fit_index(robust), robust, rule, met, meaning))
    close = number_or_none(fit.get("rmsea_p_close"))
    if close is not None:
        meaning = "of a misfit this large or larger if RMSEA were 0.05; counts every pixel"
        lines.append(IndexLine("P of close fit", p_value(close), close, meaning=meaning))
    return [line for line in [*lines, *_compared(fit)] if line.exact is not None]


def _compared(fit: Row) -> list[IndexLine]:
    meaning = "compares models of the same variables on the same pixels; lower is better"
    return [
        IndexLine(name, number(fit.get(column), 6), number_or_none(fit.get(column)), meaning=meaning)
        for name, column in (("AIC", "aic"), ("BIC", "bic"))
    ]
