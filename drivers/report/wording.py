"""Sentences: what a reader must know of a run before reading its numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from drivers.report.fit_wording import as_sentence, reason
from drivers.report.numbers import count, is_missing, stratum_label
from drivers.report.run_tables import Row, RunTables, text, truth

TRUNCATION = (
    "This stratum is cut by the response itself. Cutting a response truncates it: slopes and R² shrink by "
    "construction, so they must not be read against those of strata cut by other variables."
)
CLASSICAL = (
    "This table has coordinates, and the p-values here are classical: they treat neighbouring pixels as "
    "independent. On smooth maps they are far too small. Judge paths by their size and claims by their "
    "partial r, not by stars."
)
CLASSICAL_LATENT = (
    "This table has coordinates, and the p-values here are classical: they treat neighbouring pixels as "
    "independent. On smooth maps they are far too small, that of χ² too. Judge paths by their size, not by "
    "stars, and the fit by its indices."
)
ROBUST = (
    "p-values and intervals allow for variables that are not normal, but treat neighbouring pixels as "
    "independent. On smooth maps they are far too small. Judge paths by their size, not by stars."
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
BLOCKS = (
    "p-values and intervals rest on spatial blocks: pixels of a block may resemble each other in any way, "
    "and only blocks count. The classical ones, which treat neighbours as independent, stand in the tables."
)
TRUNCATED = (
    "Slopes of truncated regression, which allow for the cut, stand beside the plain ones under “Slopes and "
    "the cut on the response”."
)
REFUSED = (
    "A test that is refused says nothing either way: its estimate stands, without a p-value and without an "
    "interval."
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
LATENT_METHOD = "lsem"
"""The method that fits covariances, without independence claims."""
TREE_METHOD = "brt"
"""The method whose result is shares and R² of held-out pixels, without slopes and p-values."""
FEWEST_PIXELS = 40
"""Independent pixels from which on tests hold their size."""
FEWEST_BLOCKS = 20
"""Blocks from which on errors over blocks can be trusted."""
_FEW = re.compile(r"^only \d+ (independent pixels|blocks)\b")
"""The messages of a path model that `_too_few` says at greater length."""


def cautions(run: RunTables, model: str, stratum: str) -> list[str]:
    """What a reader must know before reading a stratum's numbers."""
    found = []
    of_q, of_trees = (run.method(model) == method for method in (Q_METHOD, TREE_METHOD))
    row = next(iter(run.rows("strata", stratum=stratum)), {})
    if truth(row.get("selects_on_response")):
        found.append(TRUNCATION_Q if of_q else TRUNCATION_TREES if of_trees else TRUNCATION)
        slopes = run.rows("coefficients", model=model, stratum=stratum)
        if any(not is_missing(slope.get("truncated_estimate")) for slope in slopes):
            found[-1] += f" {TRUNCATED}"
    fit = run.fit(model, stratum)
    if of_trees or text(fit.get("status")) == "failed":  # no p-values
        return found
    if (run.meta.get("table") or {}).get("coordinates"):
        found.append(_counted_q(fit) if of_q else _counted(fit, run.method(model)))
    return found if of_q else [*found, *_too_few(fit)]


def errors_of(fit: Row) -> str:
    """What the p-values of a fit count; where the run does not say, whether independent pixels are known."""
    return text(fit.get("errors")) or ("classical" if is_missing(fit.get("n_effective")) else "effective")


def _counted(fit: Row, method: str) -> str:
    """What the p-values of a path model count, and how many of that there are."""
    errors = errors_of(fit)
    if errors == "classical":
        return CLASSICAL_LATENT if method == LATENT_METHOD else CLASSICAL
    if errors == "robust":
        return ROBUST
    if errors != "effective":
        many = fit.get("n_blocks")
        return BLOCKS + ("" if is_missing(many) else f" Here there are {count(many)} blocks.")
    fewest = fit.get("n_effective")
    if is_missing(fewest):
        return EFFECTIVE
    return f"{EFFECTIVE} The fewest behind any test here are {count(fewest)}."


def _counted_q(fit: Row) -> str:
    """The same of a geodetector; every driver has its own number, fit.csv the least."""
    if errors_of(fit) != "effective":
        return CLASSICAL_Q
    least = fit.get("n_effective")
    here = "" if is_missing(least) else f" Here n effective is {count(least)} or more, by driver."
    return EFFECTIVE + here


def _too_few(fit: Row) -> list[str]:
    """A sentence where a path model's errors rest on too little."""
    errors, fewest, blocks = errors_of(fit), fit.get("n_effective"), fit.get("n_blocks")
    if errors == "effective" and not is_missing(fewest) and float(fewest or 0.0) < FEWEST_PIXELS:
        return [
            f"Fewer than {FEWEST_PIXELS} independent pixels stand behind some tests: their p-values are "
            "rough, and only strong paths can be seen."
        ]
    if errors in ("block", "bootstrap") and not is_missing(blocks) and float(blocks or 0.0) < FEWEST_BLOCKS:
        return [
            f"There are fewer than {FEWEST_BLOCKS} blocks: errors over so few are rough, and so are the "
            "p-values and intervals made of them."
        ]
    return []


def notes(run: RunTables, model: str, stratum: str) -> list[str]:
    """What fit.csv's message tells a reader of a fit, without what the page says in its own words."""
    fit = run.fit(model, stratum)
    told = [part.strip() for part in text(fit.get("message")).split("; ") if part.strip()]
    if text(fit.get("verdict")) == "saturated" or count(fit.get("chisq_df")) == "0":
        told = [part for part in told if not part.startswith("saturated")]
    said = cautions(run, model, stratum)
    if {CLASSICAL, CLASSICAL_Q, CLASSICAL_LATENT, ROBUST} & set(said):
        told = [
            part
            for part in told
            if not part.startswith(("the errors are classical", "the errors are robust"))
        ]
    if set(_too_few(fit)) & set(said):
        told = [part for part in told if not _FEW.match(part)]
    if run.rows("simplify", model=model, stratum=stratum):
        told = [part for part in told if not part.startswith("dropped: ")]
    found = [as_sentence(part) for part in dict.fromkeys(told)]
    return [f"{part} {REFUSED}" if part.startswith("Too few independent pixels") else part for part in found]


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
