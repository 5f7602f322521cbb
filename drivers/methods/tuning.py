"""Which settings of the trees predict best: a grid, or a search with a budget, by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from drivers.methods.boosting import Setting
from drivers.methods.cross_validation import CrossValidated, FoldedPixels, cross_validate
from drivers.progress import Parts
from drivers.spec.options import SEARCHED, BrtOptions
from drivers.stats.scores import pooled_scores

LEVEL = 0.1
"""A setting is given up where its folds are worse than the best one's with p below this (Wilcoxon, signed
ranks; the default of Optuna's pruner)."""

FIRST = 8
"""Settings drawn at random before the search learns from them; at most a third of the trials."""

REPEATS = 50
"""Draws of the search that may come out as settings that were tried, one after the other; then it stops."""

DIGITS = 3
"""Digits of a searched setting: finer ones make no other forest."""


@dataclass(frozen=True)
class Trial:
    """A setting that was tried on so many folds."""

    setting: Setting
    n_trees: int
    folds: int
    deviance: float
    rmse: float
    r2: float
    chosen: bool = False


@dataclass(frozen=True)
class Tuned:
    """The settings tried, and what the folds said of the one with the least held-out deviance."""

    trials: tuple[Trial, ...]
    setting: Setting
    found: CrossValidated


def tune(folded: FoldedPixels, options: BrtOptions, seed: int, parts: Parts) -> Tuned:
    """Cross-validate settings and choose one; every fold of every setting is a part."""
    try_all = _grid if options.tune is None else _search
    tried = try_all(folded, options, seed, parts)
    trials: list[Trial] = []
    best: tuple[float, int, CrossValidated] | None = None
    for trial, found in tried:
        trials.append(trial)
        if trial.folds == folded.n_folds and (best is None or trial.deviance < best[0]):
            best = trial.deviance, len(trials) - 1, found
    assert best is not None  # the first trial of a search is never given up
    chosen = trials[best[1]] = replace(trials[best[1]], chosen=True)
    return Tuned(tuple(trials), chosen.setting, best[2])


def settings_of(options: BrtOptions, seed: int) -> list[Setting]:
    """Every combination of the settings that were given as lists."""
    o = options
    lists = [v if isinstance(v, list) else [v] for v in (o.tree_complexity, o.learning_rate, o.bag_fraction)]
    return [Setting(int(j), rate, bag, o.min_node, seed) for j, rate, bag in product(*lists)]


def _grid(
    folded: FoldedPixels, options: BrtOptions, seed: int, parts: Parts
) -> Iterator[tuple[Trial, CrossValidated]]:
    settings = settings_of(options, seed)
    for i, setting in enumerate(settings):
        parts.now(f"random folds, setting {i + 1} of {len(settings)}: {_said(setting)}")
        found = cross_validate(
            folded,
            setting,
            n_trees=None if options.n_trees == "auto" else options.n_trees,
            max_trees=options.max_trees,
            parts=parts,
        )
        yield _trial(folded, setting, found), found


def _search(
    folded: FoldedPixels, options: BrtOptions, seed: int, parts: Parts
) -> Iterator[tuple[Trial, CrossValidated]]:
    """Tree-structured Parzen estimator (Bergstra et al. 2011, NIPS 24), by Optuna, from the defaults on."""
    assert options.tune is not None
    import optuna  # it takes half a second to import, and only a search needs it

    trials = options.tune.trials
    best = float("-inf")
    known: dict[Setting, float] = {}
    with _quiet(optuna):
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=min(FIRST, -(-trials // 3)), multivariate=True
            ),
            pruner=optuna.pruners.WilcoxonPruner(p_threshold=LEVEL),
        )
    study.enqueue_trial(_defaults(options))
    for number in range(trials):
        with _quiet(optuna):
            trial, setting = _fresh(study, options, seed, known)
        if setting is None:  # all there are have been tried
            parts.finished((trials - number) * folded.n_folds)
            return
        so_far = f"; best R² {best:.3f}" if number else ""
        parts.now(f"trial {number + 1} of {trials}: {_said(setting)}{so_far}")
        reported: list[float] = []

        def goes_on(fold: int, loss: float, trial: Any = trial, reported: list[float] = reported) -> bool:
            trial.report(loss, fold)
            reported.append(loss)
            return not trial.should_prune()

        found = cross_validate(
            folded,
            setting,
            n_trees=None if options.n_trees == "auto" else options.n_trees,
            max_trees=options.max_trees,
            parts=parts,
            verdict=goes_on,
        )
        made = _trial(folded, setting, found)
        parts.finished(folded.n_folds - made.folds)
        known[setting] = made.deviance
        if made.folds < folded.n_folds:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            best = max(best, made.r2)
            study.tell(trial, made.deviance)
        yield made, found


def _fresh(
    study: Any, options: BrtOptions, seed: int, known: dict[Setting, float]
) -> tuple[Any, Setting | None]:
    """A setting that was not tried yet: whole numbers come again, and cost no trial."""
    for _ in range(REPEATS):
        trial = study.ask()
        setting = _suggested(trial, options, seed)
        if setting not in known:
            return trial, setting
        study.tell(trial, known[setting])
    return None, None


def _suggested(trial: Any, options: BrtOptions, seed: int) -> Setting:
    """The search's next setting; what the options give is fixed."""
    ranges = options.tune
    assert ranges is not None
    given = {name: getattr(options, name) for name in SEARCHED if name in options.model_fields_set}
    complexity, rate, bag = ranges.tree_complexity, ranges.learning_rate, ranges.bag_fraction
    if "tree_complexity" not in given:
        given["tree_complexity"] = trial.suggest_int("tree_complexity", *complexity)
    if "learning_rate" not in given:
        given["learning_rate"] = _short(trial.suggest_float("learning_rate", *rate, log=True))
    if "bag_fraction" not in given:
        given["bag_fraction"] = _short(trial.suggest_float("bag_fraction", *bag))
    return Setting(**given, min_node=options.min_node, seed=seed)


def _defaults(options: BrtOptions) -> dict[str, float]:
    """Where a search begins: the defaults, or what of the ranges is nearest to them."""
    assert options.tune is not None
    out: dict[str, float] = {}
    for name in SEARCHED:
        if name not in options.model_fields_set:
            low, high = getattr(options.tune, name)
            out[name] = min(max(getattr(options, name), low), high)
    return out


def _trial(folded: FoldedPixels, setting: Setting, found: CrossValidated) -> Trial:
    """The scores of a setting on the folds that it was tried on."""
    tried = ~np.isnan(found.predicted)
    pixels = folded.pixels if tried.all() else folded.pixels.rows(np.flatnonzero(tried))
    guess = found.predicted[tried]
    scores = pooled_scores(pixels.response, guess, pixels.weights)
    folds = len(found.forests)
    return Trial(setting, found.n_trees, folds, pixels.deviance(guess), scores.rmse, scores.r2)


def _said(setting: Setting) -> str:
    return (
        f"complexity {setting.tree_complexity}, rate {setting.learning_rate:g}, bag {setting.bag_fraction:g}"
    )


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Optuna announces every study, and that parts of it are new."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(before)
