"""What boosted trees found, as the rows of their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drivers.methods.driver_sample import Levels, Numbers
from drivers.methods.forest_meaning import ShapValues
from drivers.methods.held_out import Validation
from drivers.methods.result import Importance
from drivers.methods.simplification import Simplified
from drivers.stats.scores import fold_scores, mean_deviance, pooled_scores, roc_auc

if TYPE_CHECKING:
    from drivers.methods.brt_result import BrtResult

Row = dict[str, Any]


def brt_records(found: BrtResult) -> dict[str, list[Row]]:
    """The rows that one stratum adds to each table (importance.csv comes from `drivers.importance`)."""
    records = {"fit": [fit_row(found)], "cv": cv_rows(found), "tuning": _tuning(found)}
    if found.simplified is not None:
        records["simplify"] = _trail(found, found.simplified)
    if found.meaning.interactions is not None:
        records["tree_interactions"] = _interactions(found) + _shap_pairs(found)
    if found.meaning.shap_values is not None:
        records["shap_values"] = _shap_values(found, found.meaning.shap_values)
    if found.meaning.curves:
        records["curves"] = _curves(found)
    return records


def fit_row(found: BrtResult) -> Row:
    """The fit as a whole."""
    r2 = {v.scheme: _pooled(found, v).r2 for v in found.validations}
    return {
        "method": "brt",
        "n": found.sample.n,
        "r2": r2["random"],
        "status": "ok",
        "message": "; ".join(found.notes),
        "n_trees": found.grown.n_trees,
        "r2_holdout": r2.get("holdout"),
        "r2_random": r2["random"],
        "r2_block": r2.get("block"),
        "r2_gap": r2["random"] - r2["block"] if "block" in r2 else None,
        "applicable": found.meaning.applicable,
        "r2_knndm": r2.get("knndm"),
        "block_side": found.block_side,
    }


def cv_rows(found: BrtResult) -> list[Row]:
    """Scores by fold and pooled."""
    rows = []
    for v in found.validations:
        y = found.sample.response[v.rows]
        w = None if found.sample.weights is None else found.sample.weights[v.rows]
        if v.n_folds > 1:
            for fold, scores in enumerate(fold_scores(y, v.predicted, v.folds, v.n_folds, w)):
                here = v.folds == fold
                rows.append(_cv(found, v, str(fold + 1), int(v.n_train[fold]), scores, here))
        pooled = _pooled(found, v)
        rows.append(_cv(found, v, "all", int(v.n_train.max()), pooled, np.ones(len(y), dtype=bool)))
    return rows


def _cv(found: BrtResult, v: Validation, fold: str, n_train: int, scores: Any, here: Any) -> Row:
    y, guess = found.sample.response[v.rows][here], v.predicted[here]
    w = None if found.sample.weights is None else found.sample.weights[v.rows][here]
    family = found.model.family
    level = getattr(found.model.options, "quantile", 0.5)
    return {
        "scheme": v.scheme,
        "fold": fold,
        "n_train": n_train,
        "n_test": scores.n,
        "r2": scores.r2,
        "rmse": scores.rmse,
        "mae": scores.mae,
        "deviance": mean_deviance(y, guess, family, w, level=level) if len(y) else None,
        "auc": roc_auc(y, guess).auc if family == "binomial" and len(y) else None,
    }


def _pooled(found: BrtResult, v: Validation) -> Any:
    w = None if found.sample.weights is None else found.sample.weights[v.rows]
    return pooled_scores(found.sample.response[v.rows], v.predicted, w)


def _tuning(found: BrtResult) -> list[Row]:
    return [
        {
            "tree_complexity": t.setting.tree_complexity,
            "learning_rate": t.setting.learning_rate,
            "bag_fraction": t.setting.bag_fraction,
            "n_trees": t.n_trees,
            "rmse": t.rmse,
            "r2": t.r2,
            "chosen": t.chosen,
            "deviance": t.deviance,
            "folds": t.folds,
        }
        for t in found.trials
    ]


def _trail(found: BrtResult, simplified: Simplified) -> list[Row]:
    """Which drivers were dropped, one a step."""
    rows = []
    for number, step in enumerate(simplified.steps):
        driver = None if step.dropped is None else found.model.drivers[step.dropped]
        rows.append(
            {
                "step": number,
                "driver": driver.label if driver else None,
                "group": driver.group if driver else None,
                "n_drivers": step.n_drivers,
                "deviance": step.deviance,
                "delta_deviance": step.change,
                "deviance_se": simplified.deviance_se,
                "r2": step.r2,
                "chosen": step.chosen,
            }
        )
    return rows


def _interactions(found: BrtResult) -> list[Row]:
    pairs = found.meaning.interactions
    assert pairs is not None
    strength = (pairs.strength * found.meaning.spread).tolist()
    rows = _pairs(found, "h_statistic", pairs.pairs, pairs.h)
    return [{**row, "strength": s} for row, s in zip(rows, strength, strict=True)]


def _shap_pairs(found: BrtResult) -> list[Row]:
    pairs = found.meaning.shap_pairs
    if pairs is None:
        return []
    rows = _pairs(found, "shap", pairs.pairs, pairs.found.estimate)
    errors = pairs.found.std_error.tolist()
    return [{**row, "std_error": e, "n": pairs.found.n} for row, e in zip(rows, errors, strict=True)]


def _pairs(found: BrtResult, measure: str, pairs: Any, values: Any) -> list[Row]:
    labels = [d.driver.label for d in found.sample.drivers]
    order = np.argsort(-values, kind="stable")
    ranks = np.empty(len(order), dtype=np.intp)
    ranks[order] = np.arange(1, len(order) + 1)
    return [
        {
            "driver_a": labels[a],
            "driver_b": labels[b],
            "measure": measure,
            "value": float(values[i]),
            "rank": int(ranks[i]),
        }
        for i, (a, b) in enumerate(pairs.tolist())
    ]


def _shap_values(found: BrtResult, shown: ShapValues) -> list[Row]:
    """SHAP values of the pixels that the report draws."""
    rows = []
    pixels = found.sample.rows[shown.rows].tolist()
    for j, column in enumerate(found.sample.drivers):
        driver = column.driver
        for i, place in enumerate(shown.rows.tolist()):
            x, level = _value(column, place)
            rows.append(
                {
                    "pixel": pixels[i],
                    "driver": driver.label,
                    "group": driver.group,
                    "x": x,
                    "level": level,
                    "value": float(shown.values[i, j]),
                }
            )
    return rows


def _value(column: Numbers | Levels, place: int) -> tuple[float | None, str | None]:
    """A driver's number or level at one pixel; neither where it is missing."""
    if isinstance(column, Levels):
        code = int(column.codes[place])
        return None, column.labels[code] if code >= 0 else None
    value = float(column.values[place])
    return (None if np.isnan(value) else value), None


def _curves(found: BrtResult) -> list[Row]:
    rows, scale = [], found.scale
    for curve in found.meaning.curves:
        column = found.sample.drivers[curve.driver]
        base = found.grown.centre if curve.kind == "partial" else 0.0
        unit, centre = scale.unit[curve.driver], scale.centre[curve.driver]
        for x, value in zip(curve.x.tolist(), curve.value.tolist(), strict=True):
            rows.append(
                {
                    "driver": column.driver.label,
                    "group": column.driver.group,
                    "kind": curve.kind,
                    "x": None if isinstance(column, Levels) else float(x * unit + centre),
                    "level": column.labels[int(x)] if isinstance(column, Levels) else None,
                    "value": value * found.meaning.spread + base,
                }
            )
    return rows


def importance_of(found: BrtResult) -> list[Importance]:
    """Every measure, by driver and by group."""
    drivers = [(d.driver.label, d.driver.group) for d in found.sample.drivers]
    groups = [("", name) for name in found.meaning.groups]
    out = []
    for measured in found.meaning.measures:
        for names, of in ((drivers, measured.drivers), (groups, measured.groups)):
            if of is None:
                continue
            blank = np.full(len(names), np.nan)
            spread, error = (blank if part is None else part for part in (of.spread, of.error))
            share_error = blank if of.share is None else of.share.std_error
            df = None if of.share is None else of.share.df
            for k, (driver, group) in enumerate(names):
                numbers = float(of.values[k]), float(spread[k]), float(error[k])
                shares = float(share_error[k]), df
                out.append(Importance(driver, group, measured.measure, *numbers, measured.n, *shares))
    return out
