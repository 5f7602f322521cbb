"""A piecewise SEM as rows of the tables; names and numbers only, nothing is rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from drivers.methods.composites import Weighting
from drivers.methods.equations import Fitted, joint_test
from drivers.spec.terms import Term

if TYPE_CHECKING:
    from drivers.methods.psem import Fit, Step

Row = dict[str, Any]

EQUIVALENCE_ALPHA = 0.05
"""Level of the equivalence verdict, the usual one of two one-sided tests."""


def psem_records(fit: Fit, steps: Sequence[Step], notes: Sequence[str]) -> dict[str, list[Row]]:
    """The rows of coefficients, dsep, fit, r2 and trail."""
    return {
        "coefficients": [
            *(row for e in fit.equations for row in _path_rows(fit, e)),
            *_covariance_rows(fit),
            *(row for w in fit.weightings for row in _weight_rows(fit, w)),
        ],
        "dsep": _claim_rows(fit),
        "fit": [_fit_row(fit, notes)],
        "r2": [
            {"response": e.equation.response.label, "r2": e.r2, "r2_conditional": e.r2_conditional}
            for e in fit.equations
        ],
        "trail": [_step_row(step) for step in steps],
    }


def _group(fit: Fit, term: Term) -> str:
    """The one group that all variables of a term belong to."""
    groups = {fit.graph.model.group_of(name) for name in term.variables}
    return groups.pop() if len(groups) == 1 else ""


def _path_rows(fit: Fit, e: Fitted) -> list[Row]:
    estimate, error, half = e.coefficients, e.std_error, e.half_width
    columns = {
        "term": list(e.labels),
        "estimate": estimate.tolist(),
        "std_error": error.tolist(),
        "statistic": (estimate / error).tolist(),
        "df": e.df.tolist(),
        "log_p": e.log_p.tolist(),
        "std_estimate": e.standardised(fit.sample, fit.graph.model.options.standardize).tolist(),
        "conf_low": (estimate - half).tolist(),
        "conf_high": (estimate + half).tolist(),
    }
    made = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    rows: list[Row] = []
    for term in e.equation.terms:
        mine = [i for i, owner in enumerate(e.selection.terms) if owner == term.text]
        common = {"response": e.equation.response.label, "op": "~", "group": _group(fit, term)}
        if len(mine) > 1 or any(factor.categorical for factor in term.factors):
            statistic, df, joint = joint_test(fit.sample, e, term)
            rows.append({**common, "term": term.label, "statistic": statistic, **_test(df, joint)})
        rows += [{**common, **made[i], **_test(made[i]["df"], made[i]["log_p"])} for i in mine]
    return rows


def _test(df: float, log_p: float) -> Row:
    """df, p and ln p of a test; z and χ² tests have no residual df."""
    p = math.exp(log_p)
    return {"df": math.nan if math.isinf(df) else df, "p_value": p, "log_p": log_p, "p_classical": p}


def _covariance_rows(fit: Fit) -> list[Row]:
    return [
        {
            "response": c.first,
            "op": "~~",
            "term": c.second,
            "group": "",
            "estimate": c.r,
            "statistic": c.statistic,
            **_test(c.df, c.log_p),
            "std_estimate": c.r,
            "conf_low": c.low,
            "conf_high": c.high,
        }
        for c in fit.correlated
    ]


def _weight_rows(fit: Fit, weighting: Weighting) -> list[Row]:
    sample = fit.sample
    sd = sample.moments.sd
    whole = sd[sample.design.width + sample.composites.index(weighting.name)]
    rows = []
    for i, column in enumerate(weighting.columns):
        weight, error = weighting.weights[i], weighting.std_error[i]
        known = np.isfinite(error)
        rows.append(
            {
                "response": weighting.name,
                "op": "<~",
                "term": sample.label(column),
                "group": _group(fit, sample.design.columns[column].term),
                "estimate": weight,
                "std_error": error,
                "statistic": weight / error if known else np.nan,
                **(_test(weighting.df[i], weighting.log_p[i]) if known else {}),
                "std_estimate": weight * sd[column] / whole,
                "conf_low": weight - weighting.half_width[i],
                "conf_high": weight + weighting.half_width[i],
            }
        )
    return rows


def _claim_rows(fit: Fit) -> list[Row]:
    tested, forms = fit.claims, fit.graph.forms
    numbers = zip(
        tested.statistic.tolist(),
        tested.df.tolist(),
        tested.log_p.tolist(),
        tested.partial_r.tolist(),
        tested.partial_low.tolist(),
        tested.partial_high.tolist(),
        strict=True,
    )
    return [
        {
            "response": forms[claim.response].label,
            "term": forms[claim.cause].label,
            "given": given,
            "statistic": statistic,
            **_test(df, log_p),
            "partial_r": r,
            "partial_r_low": low,
            "partial_r_high": high,
        }
        for claim, given, (statistic, df, log_p, r, low, high) in zip(
            tested.claims, tested.given, numbers, strict=True
        )
    ]


def _fit_row(fit: Fit, notes: Sequence[str]) -> Row:
    c = fit.fishers_c
    messages = ["saturated: no path is missing, so nothing can be tested"] if not c.df else []
    curved = sorted({t.label for e in fit.graph.equations for t in e.terms if _is_curved(fit, t)})
    if curved:
        names = ", ".join(f"`{text}`" for text in curved)
        messages.append(f"{names} act as drivers of their own: effects that pass through them are not summed")
    return {
        "method": "psem",
        "n": fit.sample.n,
        "fishers_c": c.c,
        "fishers_c_df": c.df,
        "fishers_c_p": c.p_value,
        "c_per_df": c.c_per_df,
        "chisq": fit.chisq,
        "chisq_df": fit.chisq_df,
        "chisq_p": fit.chisq_p,
        "aic": fit.criteria.aic,
        "aicc": fit.criteria.aicc,
        "bic": fit.criteria.bic,
        "logl": fit.criteria.log_likelihood,
        "r2": fit.r2,
        "status": "ok",
        "message": "; ".join([*messages, *notes]),
        "aic_dsep": fit.aic_dsep,
        "aicc_dsep": fit.aicc_dsep,
        "verdict": c.verdict,
        **_equivalence(fit),
    }


def _is_curved(fit: Fit, term: Term) -> bool:
    """Whether a term is a product or function of a variable that has causes in the model."""
    if not any(fit.graph.has_equation(v) for v in term.variables):
        return False
    return len(term.factors) > 1 or fit.graph.forms[term.variables[0]].text != term.text


def _equivalence(fit: Fit) -> Row:
    """The verdict that does not break with n: are all missing paths negligible?"""
    tested, bound = fit.claims, fit.graph.model.options.equivalence_bound
    if not len(tested.partial_r):
        return {"equivalence_bound": bound}
    largest = int(np.argmax(np.abs(tested.partial_r)))
    p = float(tested.equivalence_p.max())
    beyond = (tested.partial_low > bound) | (tested.partial_high < -bound)
    verdict = (
        "equivalent" if p < EQUIVALENCE_ALPHA else "not equivalent" if bool(beyond.any()) else "inconclusive"
    )
    return {
        "max_partial_r": tested.partial_r[largest],
        "max_partial_r_low": tested.partial_low[largest],
        "max_partial_r_high": tested.partial_high[largest],
        "equivalence_bound": bound,
        "equivalence_p": p,
        "equivalence_verdict": verdict,
    }


def _step_term(step: Step) -> str:
    """The term as the equations name it: a path that is dropped, or the form of a cause that is suggested."""
    graph = step.before.graph
    if step.action == "suggest":
        return graph.forms[step.term].label
    return next(t.label for t in graph.equation(step.response).terms if t.text == step.term)


def _step_row(step: Step) -> Row:
    before, after = step.before, step.after
    return {
        "step": step.step,
        "action": step.action,
        "response": before.graph.forms[step.response].label,
        "term": _step_term(step),
        "p_value": float(np.exp(step.log_p)),
        "fishers_c": after.fishers_c.c,
        "fishers_c_df": after.fishers_c.df,
        "fishers_c_p": after.fishers_c.p_value,
        "aicc": after.criteria.aicc,
        "delta_c": np.nan_to_num(after.fishers_c.c) - np.nan_to_num(before.fishers_c.c),
        "delta_aicc": after.criteria.aicc - before.criteria.aicc,
    }
