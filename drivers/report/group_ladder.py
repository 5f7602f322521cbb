"""The ladder of groups of a latent model: what the strata of a family can share, as a table and in words."""

from __future__ import annotations

from typing import Any

from drivers.report.lsem_wording import is_improper
from drivers.report.numbers import count, is_missing, level_of, number, p_phrase
from drivers.report.run_tables import Row, RunTables, number_or_none, text

LEVEL = 0.05
CFI_FALL = 0.01
"""A fall of CFI by more than this is usually taken for a difference that matters (Cheung & Rensvold 2002)."""

HELD = {
    "free": "nothing",
    "loadings": "loadings",
    "intercepts": "and intercepts",
    "regressions": "and regressions",
}
MEANS = {
    "loadings": "what each latent variable means",
    "intercepts": "the levels that the model does not explain",
    "regressions": "how strongly drivers act",
}
"""What the strata share where a step holds."""
READ = (
    "Each step holds one more kind of parameter equal in all strata and is tested against the step before "
    "it; what follows a step that fails stands on a model that is already wrong. A fall of CFI by more than "
    "0.01 is usually taken for a difference that matters, whatever the number of pixels (Cheung & Rensvold "
    "2002, a rule of thumb). Lower AIC and BIC are better."
)


def ladders(run: RunTables, model: str) -> list[dict[str, Any]]:
    """A block per family of strata: its steps, and sentences that read them."""
    families = dict.fromkeys(text(row.get("stratum")) for row in run.rows("group_ladder", model=model))
    return [_ladder(run, model, family) for family in families]


def _ladder(run: RunTables, model: str, family: str) -> dict[str, Any]:
    steps = run.rows("group_ladder", model=model, stratum=family)
    said: list[str] = []
    before: Row | None = None
    for step in steps:
        if text(step.get("held_equal")) != "free" or text(step.get("status")) == "failed":
            said.append(_read(run, model, family, step, before))
        before = step
    return {
        "family": family.replace("*", " × "),
        "steps": [_line(step, k, steps) for k, step in enumerate(steps)],
        "sentences": said,
        "improper": [s for s, fit in _members(run, model, family) if is_improper(fit)],
        "left_out": [s for s, fit in _members(run, model, family) if text(fit.get("status")) == "failed"],
    }


def _line(step: Row, k: int, steps: list[Row]) -> dict[str, Any]:
    name = text(step.get("held_equal"))
    words = HELD.get(name, name)
    if k == 1:  # without latent variables there are no loadings to begin with
        words = words.removeprefix("and ")
    fall = _fall(step, steps[k - 1]) if k else None
    return {"row": step, "held": words, "fall": fall, "failed": text(step.get("status")) == "failed"}


def _fall(step: Row, before: Row | None) -> float | None:
    """How far CFI falls at a step."""
    now, then = number_or_none(step.get("cfi")), number_or_none((before or {}).get("cfi"))
    return None if now is None or then is None else then - now


def _read(run: RunTables, model: str, family: str, step: Row, before: Row | None) -> str:
    """The sentence on a step: whether the strata can share what it holds equal."""
    name = text(step.get("held_equal"))
    what = name if name in MEANS else f"“{name}”"
    if text(step.get("status")) == "failed":
        why = text(step.get("message")) or "no reason was recorded"
        subject = "The model without anything held equal" if name == "free" else f"Equal {what}"
        return f"{subject} could not be fitted: {why}. The ladder ends here."
    p, plain = step.get("p_value"), step.get("p_classical")
    numbers = f"Δχ² = {number(step.get('chisq_difference'), 4)} on {count(step.get('df'))} df"
    if is_missing(p):
        told = "" if is_missing(plain) else f"; as if every pixel were independent, {p_phrase(plain)}"
        return f"Whether {what} are equal cannot be tested from these pixels ({numbers}{told})."
    statistic, raw = number_or_none(step.get("statistic")), number_or_none(step.get("chisq_difference"))
    if statistic is not None and raw is not None and abs(statistic - raw) > 1e-6 * max(abs(raw), 1.0):
        numbers += f", {number(statistic, 4)} with neighbours counted"
    numbers += f", {p_phrase(p)}"
    fall = _fall(step, before)
    large = fall is not None and fall > CFI_FALL
    about = MEANS.get(name, "")
    if float(p or 0.0) >= LEVEL:
        said = f"{what.capitalize()} can be held equal ({numbers})"
        said += f": the strata do not demonstrably differ in {about}." if about else "."
        if large:
            said += (
                f" But CFI falls by {number(fall, 2)}, more than 0.01: these pixels may be too few to tell."
            )
        return said
    said = f"{what.capitalize()} cannot be held equal ({numbers})"
    said += f": the strata differ in {about}." if about else "."
    if fall is not None and not large:
        said += f" The difference is small: CFI falls by no more than {CFI_FALL}."
    return f"{said} {_freed_first(run, model, family, name)}".strip()


def _freed_first(run: RunTables, model: str, family: str, step: str) -> str:
    """The equality that costs the fit most."""
    found = run.rows("group_release", model=model, stratum=family, held_equal=step)
    best = max(found, key=lambda row: number_or_none(row.get("mi")) or 0.0, default=None)
    if best is None or is_missing(best.get("mi")):
        return ""
    where = level_of(text(best.get("of_stratum")), family)
    change = number_or_none(best.get("epc"))
    to = "" if not change else f"; in {where} it would be about {number(abs(change))} "
    to += "" if not change else "larger" if change > 0 else "smaller"
    return f"The first to set free would be {_parameter(best)} (score test {number(best.get('mi'))}{to})."


def _parameter(row: Row) -> str:
    response, term = text(row.get("response")), text(row.get("term"))
    return {
        "=~": f"the loading of {response} on {term}",
        "~1": f"the intercept of {response}",
        "~": f"the path {term} → {response}",
    }.get(text(row.get("op")), f"{term} ↔ {response}")


def _members(run: RunTables, model: str, family: str) -> list[tuple[str, Row]]:
    """The strata of a family by their levels, with their rows of fit.csv; failed ones are in no ladder."""
    names = family.split("*")
    return [
        (level_of(stratum, family), run.fit(model, stratum))
        for stratum in run.fitted(model)
        if [part.partition("=")[0] for part in stratum.split(",")] == names
    ]
