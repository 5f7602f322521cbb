"""What boosted trees found, as the rows of their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drivers.methods.driver_sample import Levels
from drivers.methods.result import Importance
from drivers.stats.scores import fold_scores, mean_deviance, pooled_scores, roc_auc

if TYPE_CHECKING:
    from drivers.methods.brt import BrtResult, Validation

Row = dict[str, Any]


def brt_records(found: BrtResult) -> dict[str, list[Row]]:
    """The rows that one stratum adds to each table (importance.csv comes from `drivers.importance`)."""
    records = {"fit": [fit_row(found)], "cv": cv_rows(found), "tuning": _tuning(found)}
    if found.meaning.interactions is not None:
        records["tree_interactions"] = _interactions(found)
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
        }
        for t in found.trials
    ]


def _interactions(found: BrtResult) -> list[Row]:
    pairs = found.meaning.interactions
    assert pairs is not None
    labels = [d.driver.label for d in found.sample.drivers]
    order = np.argsort(-pairs.h, kind="stable")
    ranks = np.empty(len(order), dtype=np.intp)
    ranks[order] = np.arange(1, len(order) + 1)
    return [
        {
            "driver_a": labels[a],
            "driver_b": labels[b],
            "measure": "h_statistic",
            "value": float(pairs.h[i]),
            "rank": int(ranks[i]),
            "strength": float(pairs.strength[i]) * found.meaning.spread,
        }
        for i, (a, b) in enumerate(pairs.pairs.tolist())
    ]


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
    out = []
    for m in found.meaning.measures:
        for j, column in enumerate(found.sample.drivers):
            if m.drivers is not None:
                spread = float(m.drivers_spread[j]) if m.drivers_spread is not None else float("nan")
                d = column.driver
                out.append(Importance(d.label, d.group, m.measure, float(m.drivers[j]), spread))
        for g, name in enumerate(found.meaning.groups):
            if m.groups is not None:
                spread = float(m.groups_spread[g]) if m.groups_spread is not None else float("nan")
                out.append(Importance("", name, m.measure, float(m.groups[g]), spread))
    return out
