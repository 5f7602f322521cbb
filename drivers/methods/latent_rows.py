"""A latent-variable SEM as rows of the tables; names and numbers only, nothing is rounded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.methods.latent_definitions import definitions
from drivers.methods.latent_fit import LatentFit, ParameterErrors
from drivers.methods.latent_layout import Entry
from drivers.methods.latent_messages import latent_messages
from drivers.methods.slope_errors import SlopeErrors
from drivers.spec.canonical import canonical
from drivers.stats.blas import one_blas_thread
from drivers.stats.path_effects import delta_error
from drivers.stats.sem_modification import modification_indices
from drivers.stats.sem_standardised import explained_variance, residuals
from drivers.stats.sem_structure import DIRECTED, SYMMETRIC, Cell

Array = NDArray[np.float64]
Row = dict[str, Any]

ROUNDING = 1e-13
"""Share of the largest gradient below which one is rounding: a variance of 1 in its own unit has none."""


@one_blas_thread()
def latent_records(found: LatentFit) -> dict[str, list[Row]]:
    """The rows of every table but effects.csv."""
    rows, side_by_side = _coefficient_rows(found)
    made = {
        "coefficients": rows,
        "fit": [_fit_row(found)],
        "r2": _r2_rows(found),
        "modification_indices": _modification_rows(found),
        "residual_correlations": _residual_rows(found),
    }
    return made | ({"coefficient_errors": side_by_side} if side_by_side else {})


def _coefficient_rows(found: LatentFit) -> tuple[list[Row], list[Row]]:
    """Every parameter and everything defined; and the errors of every kind side by side."""
    keys = [_key(found, entry) for entry in found.layout.entries]
    values, std, k = found.values, found.std.values, len(found.fit.estimates)
    raw_gradients, std_gradients = np.zeros((len(values), k)), found.std.jacobian
    for i, number in enumerate(found.numbers):
        if number >= 0:
            raw_gradients[i, number] = 1.0
    for defined in found.model.definitions:
        keys.append(
            {"response": defined.name, "op": ":=", "term": canonical(defined.expression), "group": ""}
        )
    value, gradient = definitions(found, values, raw_gradients)
    values, raw_gradients = np.append(values, value), np.vstack([raw_gradients, gradient])
    value, gradient = definitions(found, std, std_gradients)
    std, std_gradients = np.append(std, value), np.vstack([std_gradients, gradient])
    tested = {
        kind: _tested(errors, values, raw_gradients, std_gradients) for kind, errors in found.errors.items()
    }
    chosen, plain = tested[found.chosen], tested["classical"]
    unknown = np.full(len(values), np.nan)
    block = tested["block"].log_p(values) if "block" in tested else unknown
    log_p, half = chosen.log_p(values), chosen.half_width
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = values / chosen.std_error
    n_effective = _independent(found, raw_gradients)
    cells = {
        "estimate": values,
        "std_error": chosen.std_error,
        "statistic": statistic,
        "df": np.where(np.isinf(chosen.df), np.nan, chosen.df),
        "p_value": np.exp(log_p),
        "log_p": log_p,
        "std_estimate": std,
        "conf_low": values - half,
        "conf_high": values + half,
        "p_classical": np.exp(plain.log_p(values)),
        "p_block": np.exp(block),
        "n_effective": n_effective,
        "std_estimate_error": chosen.std_error_std,
    }
    rows = _together(keys, cells)
    others: list[Row] = []
    for kind, errors in tested.items() if len(tested) > 1 else ():
        log_p, half = errors.log_p(values), errors.half_width
        unit = half / errors.std_error
        others += _together(
            [{name: key[name] for name in ("response", "op", "term")} | {"errors": kind} for key in keys],
            {
                "estimate": values,
                "std_error": errors.std_error,
                "df": np.where(np.isinf(errors.df), np.nan, errors.df),
                "p_value": np.exp(log_p),
                "log_p": log_p,
                "conf_low": values - half,
                "conf_high": values + half,
                "std_estimate": std,
                "std_estimate_error": errors.std_error_std,
                "std_conf_low": std - unit * errors.std_error_std,
                "std_conf_high": std + unit * errors.std_error_std,
            },
        )
    return rows, others


def _together(keys: list[Row], cells: Mapping[str, Array]) -> list[Row]:
    columns = [values.tolist() for values in cells.values()]
    return [{**key, **dict(zip(cells, row, strict=True))} for key, *row in zip(keys, *columns, strict=True)]


def _key(found: LatentFit, entry: Entry) -> Row:
    """Response, operator and term: of a loading the indicator is the response, as the tables have it."""
    names = found.layout.names
    left, right = (entry.right, entry.left) if entry.operator == "=~" else (entry.left, entry.right)
    if entry.operator == "~1":
        return {"response": names[left], "op": "~1", "term": "1", "group": ""}
    group = found.group_of(right) if entry.operator != "~~" else ""
    return {"response": names[left], "op": entry.operator, "term": names[right], "group": group}


def _tested(errors: ParameterErrors, values: Array, gradients: Array, std_gradients: Array) -> SlopeErrors:
    """Errors of functions of the parameters by the delta method; NaN for what is fixed."""
    moving = gradients != 0.0
    error = np.where(moving.any(axis=1), delta_error(gradients, errors.covariance), np.nan)
    std_gradients = np.where(
        np.abs(std_gradients) > ROUNDING * np.abs(std_gradients).max(), std_gradients, 0.0
    )
    std = np.where((std_gradients != 0.0).any(axis=1), delta_error(std_gradients, errors.covariance), np.nan)
    df = np.where(moving, errors.df, np.inf).min(axis=1, initial=np.inf)
    return SlopeErrors(np.diag(error**2), np.where(moving.any(axis=1), df, np.nan), std)


def _independent(found: LatentFit, gradients: Array) -> Array:
    """The fewest independent pixels behind each function of parameters; NaN where none are counted."""
    if "effective" not in found.errors:
        return np.full(len(gradients), np.nan)
    each = found.errors["effective"].n_effective
    moving = gradients != 0.0
    least = np.where(moving, each, np.inf).min(axis=1, initial=np.inf)
    return np.where(np.isfinite(least) & moving.any(axis=1), least, np.nan)


def _fit_row(found: LatentFit) -> Row:
    m, test, near = found.measures, found.test, found.sample.vicinity
    n_effective = math.nan
    if "effective" in found.errors:
        each = found.errors["effective"].n_effective
        n_effective = float(np.nanmin(each)) if np.isfinite(each).any() else math.nan
    own = [r["r2"] for r in _r2_rows(found) if r["response"] in found.model.subjects((found.model.response,))]
    scaled = test.scaling != 1.0
    row: Row = {
        "method": "lsem",
        "n": found.n,
        "n_effective": n_effective,
        "chisq": m.chisq,
        "chisq_df": m.df,
        "chisq_p": math.exp(test.log_p) if m.df else math.nan,
        "aic": m.aic,
        "bic": m.bic,
        "logl": m.logl,
        "cfi": m.cfi,
        "tli": m.tli,
        "rmsea": m.rmsea.rmsea,
        "srmr": m.srmr,
        "r2": own[0] if own else math.nan,
        "status": "ok",
        "message": "; ".join(latent_messages(found)),
        "errors": found.chosen,
        "block_side": math.nan if near is None else near.blocks.side,
        "n_blocks": None if near is None else near.moments.n_blocks,
        "n_parameters": m.npar,
        "chisq_p_classical": math.exp(m.log_p) if m.df else math.nan,
        "chisq_scaled": test.chisq if scaled else math.nan,
        "chisq_scaling": test.scaling if scaled else math.nan,
        "baseline_chisq": m.baseline_chisq,
        "baseline_df": m.baseline_df,
        "rmsea_low": m.rmsea.low,
        "rmsea_high": m.rmsea.high,
        "rmsea_p_close": math.exp(m.rmsea.log_p_close),
    }
    if found.scaled is not None:
        row |= {
            "cfi_robust": found.scaled.cfi_robust,
            "tli_robust": found.scaled.tli_robust,
            "rmsea_robust": found.scaled.rmsea_robust,
        }
    return row


def _r2_rows(found: LatentFit) -> list[Row]:
    explained = explained_variance(found.fit)[0].tolist()
    return [
        {"response": name, "r2": r2}
        for name, r2 in zip(found.layout.names, explained, strict=True)
        if not math.isnan(r2)
    ]


def _candidates(found: LatentFit) -> list[tuple[str, int, int, Cell]]:
    """(operator, response, term, cell) of parameters that could be freed, as lavaan lists them."""
    layout, p = found.layout, found.layout.observed
    free = {
        (e.operator, *((e.left, e.right) if e.operator != "~~" else sorted((e.left, e.right))))
        for e in layout.entries
        if e.free
    }
    loadings = [e for e in layout.entries if e.operator == "=~"]
    regressions = [e for e in layout.entries if e.operator == "~"]
    latents = range(p, len(layout.names))
    indicators = sorted({e.right for e in loadings if e.right < p})
    fixed = set(layout.exogenous) if layout.fixed_x else set()
    random = [i for i in range(len(layout.names)) if i not in fixed]
    explained = sorted({e.left for e in regressions})
    related = sorted({*explained, *(e.right for e in regressions)})
    made: list[tuple[str, int, int, Cell]] = []
    for latent in latents:
        for i in indicators:
            if ("=~", latent, i) not in free:
                made.append(("=~", i, latent, Cell(DIRECTED, i, latent)))
    for i, j in combinations(random, 2):
        # Errors of indicators among each other, and of latent variables; not one with the other.
        if ("~~", i, j) not in free and (i < p) == (j < p):
            made.append(("~~", i, j, Cell(SYMMETRIC, i, j)))
    for i, j in permutations(related, 2):
        # A path to a fixed cause is one too, as long as it does not come from another of them.
        if (i in fixed and j in fixed) or ("~", i, j) in free or ("=~", j, i) in free:
            continue
        made.append(("~", i, j, Cell(DIRECTED, i, j)))
    taken = {(e.right, e.left) for e in loadings} | {(e.left, e.right) for e in regressions}
    return [item for item in made if item[0] == "~~" or (item[1], item[2]) not in taken or item[0] == "=~"]


def _modification_rows(found: LatentFit) -> list[Row]:
    """Every parameter that could be freed, the largest gain first."""
    candidates = _candidates(found)
    if not candidates or not found.fit.df:
        return []
    tests = modification_indices(found.fit, [cell for *_, cell in candidates])
    names = found.layout.names
    rows = [
        {"response": names[i], "op": operator, "term": names[j], "mi": mi, "epc": epc, "std_epc": std}
        for (operator, i, j, _), mi, epc, std in zip(
            candidates, tests.index.tolist(), tests.change.tolist(), tests.change_all.tolist(), strict=True
        )
        if not math.isnan(mi)
    ]
    return sorted(rows, key=lambda row: -float(row["mi"]))


def _residual_rows(found: LatentFit) -> list[Row]:
    """What the model leaves of every correlation."""
    left, names, p = residuals(found.fit), found.layout.names, found.layout.observed
    return [
        {
            "response": names[i],
            "term": names[j],
            "residual": float(left.correlation[0, i, j]),
            "residual_z": float(left.z[0, i, j]),
        }
        for i, j in combinations(range(p), 2)
    ]
