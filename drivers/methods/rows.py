"""A piecewise SEM as rows of the tables; names and numbers only, nothing is rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from drivers.methods.composites import Weighting
from drivers.methods.equations import Fitted, joint_test
from drivers.methods.fit_messages import fit_messages
from drivers.methods.slope_errors import KINDS
from drivers.methods.truncation import limits_of, sweep, truncated_slopes
from drivers.spec.terms import Term
from drivers.stats.blas import one_blas_thread
from drivers.stats.dsep import CONFIDENCE
from drivers.stats.tails import t_quantile

if TYPE_CHECKING:
    from drivers.methods.psem import Fit, Step

Row = dict[str, Any]

EQUIVALENCE_ALPHA = 0.05
"""Level of the equivalence verdict, the usual one of two one-sided tests."""


@one_blas_thread()
def psem_records(fit: Fit, steps: Sequence[Step]) -> dict[str, list[Row]]:
    """The rows of coefficients, dsep, fit, r2 and trail, and of tables that only some fits have."""
    beside = {
        "coefficient_errors": [row for e in fit.equations for row in _rows_by_kind(fit, e)],
        "threshold_sweep": [row for e in fit.equations for row in _sweep_rows(fit, e)],
    }
    return {
        "coefficients": [
            *(row for e in fit.equations for row in _path_rows(fit, e)),
            *_covariance_rows(fit),
            *(row for w in fit.weightings for row in _weight_rows(fit, w)),
        ],
        "dsep": _claim_rows(fit),
        "fit": [_fit_row(fit)],
        "r2": [
            {"response": e.equation.response.label, "r2": e.r2, "r2_conditional": e.r2_conditional}
            for e in fit.equations
        ],
        "trail": [_step_row(step) for step in steps],
        **{name: rows for name, rows in beside.items() if rows},
    }


def _group(fit: Fit, term: Term) -> str:
    """The one group that all variables of a term belong to."""
    groups = {fit.graph.model.group_of(name) for name in term.variables}
    return groups.pop() if len(groups) == 1 else ""


def _path_rows(fit: Fit, e: Fitted) -> list[Row]:
    how, kind = fit.graph.model.options.standardize, fit.sample.errors
    made = slope_rows(e)
    for row, label, std, error in zip(
        made,
        e.labels,
        e.standardised(how).tolist(),
        e.standardised_errors(how, kind if e.of_kind(kind) else "classical").tolist(),
        strict=True,
    ):
        row |= {"term": label, "std_estimate": std, "std_estimate_error": error}
    limits = limits_of(e, fit.sample)
    if limits is not None and e.labels:
        allowed = truncated_slopes(e, limits)
        for row, estimate, error in zip(
            made, allowed.estimate.tolist(), allowed.std_error.tolist(), strict=True
        ):
            row |= {"truncated_estimate": estimate, "truncated_std_error": error}
    rows: list[Row] = []
    for term in e.equation.terms:
        mine = e.places(term.text)
        common = {"response": e.equation.response.label, "op": "~", "group": _group(fit, term)}
        if len(mine) > 1 or any(factor.categorical for factor in term.factors):
            statistic, df, log_p = joint_test(e, term)
            plain = joint_test(e, term, "classical")[2]
            block = math.nan if e.block is None else joint_test(e, term, "block")[2]
            tests = _tests(df, log_p, plain, block, float(e.n_effective[mine].min()))
            rows.append({**common, "term": term.label, "statistic": statistic, **tests})
        rows += [{**common, **made[i]} for i in mine]
    return rows


def _sweep_rows(fit: Fit, e: Fitted) -> list[Row]:
    """The slopes of an equation whose response cuts the stratum, at other thresholds."""
    limits = limits_of(e, fit.sample)
    if limits is None or not e.labels:
        return []
    return [
        {
            "threshold": found.threshold,
            "side": found.side,
            "n": found.n,
            "response": e.equation.response.label,
            "term": label,
            "estimate": estimate,
            "std_estimate": std,
            "r2": found.r2,
            "truncated_estimate": allowed,
        }
        for found in sweep(e, limits)
        for label, estimate, std, allowed in zip(
            e.labels,
            found.estimate.tolist(),
            found.std_estimate.tolist(),
            found.truncated.tolist(),
            strict=True,
        )
    ]


def _rows_by_kind(fit: Fit, e: Fitted) -> list[Row]:
    """Every kind of errors of every slope, side by side; none where there is one kind only."""
    if e.by_pixels:
        return []
    how = fit.graph.model.options.standardize
    estimate, std = e.coefficients, e.standardised(how)
    rows: list[Row] = []
    for kind in KINDS:
        errors, std_error = e.of_kind(kind), e.standardised_errors(how, kind)
        assert errors is not None
        log_p, width = e.log_p_by_kind[kind], t_quantile(errors.df, CONFIDENCE)
        error = errors.std_error
        columns = {
            "term": np.array(e.labels, dtype=object),
            "estimate": estimate,
            "std_error": error,
            "df": errors.df,
            "p_value": np.exp(log_p),
            "log_p": log_p,
            "conf_low": estimate - width * error,
            "conf_high": estimate + width * error,
            "std_estimate": std,
            "std_estimate_error": std_error,
            "std_conf_low": std - width * std_error,
            "std_conf_high": std + width * std_error,
        }
        key = {"response": e.equation.response.label, "op": "~", "errors": kind}
        cells = zip(*(values.tolist() for values in columns.values()), strict=True)
        rows += [{**key, **dict(zip(columns, row, strict=True))} for row in cells]
    return rows


def slope_rows(e: Fitted) -> list[Row]:
    """For each slope its estimate, error, interval and p-values by every kind of errors."""
    estimate, half, log_p = e.coefficients, e.errors.half_width, e.log_p_by_kind
    return [
        {
            "estimate": b,
            "std_error": error,
            "statistic": t,
            **_tests(*tests),
            "conf_low": b - width,
            "conf_high": b + width,
        }
        for b, error, t, width, *tests in zip(
            *(v.tolist() for v in (estimate, e.std_error, e.statistic, half)),
            *(v.tolist() for v in (e.df, e.log_p, log_p["classical"], log_p["block"], e.n_effective)),
            strict=True,
        )
    ]


def _tests(df: float, log_p: float, log_p_classical: float, log_p_block: float, n_effective: float) -> Row:
    """df and p-values of a test by every kind of errors; z and χ² tests have no residual df."""
    return {
        "df": math.nan if math.isinf(df) else df,
        "p_value": math.exp(log_p),
        "log_p": log_p,
        "p_classical": math.exp(log_p_classical),
        "p_block": math.exp(log_p_block),
        "n_effective": n_effective,
    }


def _covariance_rows(fit: Fit) -> list[Row]:
    return [
        {
            "response": c.first,
            "op": "~~",
            "term": c.second,
            "group": "",
            "estimate": c.r,
            "statistic": c.statistic,
            **_tests(c.df, c.log_p, c.log_p_classical, c.log_p_block, c.n_effective),
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
    made: list[Row] = [{"estimate": weight} for weight in weighting.weights.tolist()]
    if weighting.regression is not None:
        found = slope_rows(weighting.regression)
        made = [found[i] for i in weighting.places]
    return [
        {
            "response": weighting.name,
            "op": "<~",
            "term": sample.label(column),
            "group": _group(fit, sample.design.columns[column].term),
            **row,
            "std_estimate": row["estimate"] * sd[column] / whole,
        }
        for row, column in zip(made, weighting.columns, strict=True)
    ]


def _claim_rows(fit: Fit) -> list[Row]:
    tested, forms = fit.claims, fit.graph.forms
    numbers = zip(
        *(v.tolist() for v in (tested.statistic, tested.df, tested.log_p)),
        *(v.tolist() for v in (tested.log_p_classical, tested.log_p_block, tested.n_effective)),
        *(v.tolist() for v in (tested.partial_r, tested.partial_low, tested.partial_high)),
        strict=True,
    )
    return [
        {
            "response": forms[claim.response].label,
            "term": forms[claim.cause].label,
            "given": given,
            "statistic": statistic,
            **_tests(*tests),
            "partial_r": r,
            "partial_r_low": low,
            "partial_r_high": high,
        }
        for claim, given, (statistic, *tests, r, low, high) in zip(
            tested.claims, tested.given, numbers, strict=True
        )
    ]


def _fit_row(fit: Fit) -> Row:
    c, plain, near = fit.fishers_c, fit.classical_c, fit.sample.vicinity
    return {
        "method": "psem",
        "n": fit.sample.n,
        "n_effective": fit.fewest_independent,
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
        "rmsea": fit.rmsea,
        "r2": fit.r2,
        "status": "ok",
        "message": "; ".join(fit_messages(fit)),
        "aic_dsep": fit.aic_dsep,
        "aicc_dsep": fit.aicc_dsep,
        "verdict": c.verdict,
        **_equivalence(fit),
        "errors": fit.sample.errors,
        "block_side": math.nan if near is None else near.blocks.side,
        "n_blocks": None if near is None else near.moments.n_blocks,
        "fishers_c_classical": plain.c,
        "fishers_c_p_classical": plain.p_value,
    }


def _equivalence(fit: Fit) -> Row:
    """The verdict that does not break with n: are all missing paths negligible?"""
    tested, bound = fit.claims, fit.graph.model.options.equivalence_bound
    if not len(tested.partial_r):
        return {"equivalence_bound": bound}
    largest = int(np.argmax(np.abs(tested.partial_r)))
    p = float(tested.equivalence_p.max())  # NaN where a claim has too few independent pixels
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
