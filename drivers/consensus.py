"""Methods side by side: rank, share and sign of every driver by paths, trees and q, and why they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from drivers.cells import numbers, texts
from drivers.contrasts import FEWEST_RANKED, rank_agreement
from drivers.disagreement import METHOD_TABLES, Evidence, reason
from drivers.glossary import TABLES

METHODS = ("psem", "brt", "geodetector")
"""The methods that rank drivers, in the order of the columns."""

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class Consensus:
    """What methods agree on.

    Attributes
    ----------
    consensus : a row per driver, stratum and response; `model` is the models' names joined by ` + `
    rank_agreement : a row per stratum and response, `quantity` is `methods`
    notes : what a reader must know of them
    """

    consensus: pd.DataFrame
    rank_agreement: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Ranking:
    """How strong one method finds each driver, with standard errors (NaN where not known)."""

    strength: dict[str, float]
    error: dict[str, float]
    total: float
    """Sum over all its drivers, of which a share is a part."""
    sign: dict[str, str] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)
    """The term that stands for a categorical driver."""


def consensus(
    tables: Tables,
    responses: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
) -> Consensus:
    """Set the drivers' ranks by psem, brt and geodetector side by side.

    Parameters
    ----------
    tables : `fit, effects, importance, q`, and for composites and reasons `coefficients, curves,
        tree_interactions, risk_means, q_interaction`; any but `fit` may be missing
    responses : the responses of each model by name, as its tables call them
    rng : for the intervals of rank agreement

    Returns
    -------
    For every stratum and response the first model of each method, in the order of fit.csv, where two
    methods have one. psem ranks by |standardised total effect|, brt by relative influence (`gain`),
    geodetector by q.

    Notes
    -----
    Rows are the drivers that at least two methods have. A rank is 1 + the number of stronger drivers among
    those that *all* of these methods have, so that ranks count the same rivals; it is empty in a method that
    lacks the driver, and all are where fewer than two drivers are in all methods. agreement =
    1 - (largest rank - smallest) / (n - 1), n the drivers ranked. A share is of all drivers of a method,
    composites left out, for they are their members.

    psem has a dummy per level of a categorical driver: the largest of them stands for the driver, which has
    no sign then. `sign` is `0` where the interval of the total effect holds 0.

    Examples
    --------
    >>> trees = {"model": "t", "stratum": "all", "driver": ["a", "b"], "measure": "gain", "share": [0.9, 0.1]}
    >>> q = {"model": "g", "stratum": "all", "driver": ["a", "b"], "q": [0.2, 0.3]}
    >>> fit = {"model": ["t", "g"], "stratum": "all", "method": ["brt", "geodetector"], "status": "ok"}
    >>> rows = {"fit": fit, "importance": trees, "q": q}
    >>> tables = {name: pd.DataFrame(cells) for name, cells in rows.items()}
    >>> found = consensus(tables, {"t": ["y"], "g": ["y"]}, np.random.default_rng(1)).consensus
    >>> found[["model", "driver", "rank_brt", "rank_geodetector", "agreement"]].values.tolist()
    [['t + g', 'a', 1, 2, 0.0], ['t + g', 'b', 2, 1, 0.0]]
    """
    parts = {
        name: _by_fit(tables[name])
        for name in ("effects", "importance", "q", *(t for named in METHOD_TABLES.values() for t in named))
        if name in tables
    }
    composites = _composites(tables.get("coefficients"))
    groups = _groups(tables)
    rows: list[dict[str, object]] = []
    agreements: list[dict[str, object]] = []
    notes: dict[str, None] = {}
    for stratum, response, chosen in _chosen(tables["fit"], responses):
        here = {
            method: {
                name: parts[name][model, stratum]
                for name in ("effects", "importance", "q", *METHOD_TABLES[method])
                if (model, stratum) in parts.get(name, {})
            }
            for method, model in chosen.items()
        }
        rankings = _rankings(here, response, composites.get(chosen.get("psem", ""), frozenset()))
        if len(rankings) < 2:
            continue
        evidence = Evidence(
            response,
            {
                name: here[method][name]
                for method in rankings
                for name in METHOD_TABLES[method]
                if name in here[method]
            },
            rankings["psem"].terms if "psem" in rankings else {},
        )
        joined = " + ".join(chosen[method] for method in rankings)
        key: dict[str, object] = {"model": joined, "stratum": stratum}
        rows += [{**key, **row} for row in _rows(rankings, groups, evidence)]
        common = _common(rankings)
        if len(common) >= FEWEST_RANKED:
            block, errors = (
                np.array([[getattr(ranking, part)[d] for d in common] for ranking in rankings.values()])
                for part in ("strength", "error")
            )
            made = rank_agreement(block, errors, rng)
            agreements.append({**key, "quantity": "methods", "response": response, **made})
        notes.update(dict.fromkeys(_notes(joined, rankings)))
    return Consensus(
        pd.DataFrame(rows, columns=list(TABLES["consensus"])),
        pd.DataFrame(agreements, columns=list(TABLES["rank_agreement"])),
        tuple(notes),
    )


def _chosen(
    fit: pd.DataFrame, responses: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(stratum, response, method -> model) where two methods or more were fitted, in the order of fit.csv."""
    strata: dict[str, dict[str, dict[str, str]]] = {}
    columns = (texts(fit, name) for name in ("model", "stratum", "method", "status"))
    for model, stratum, method, status in zip(*columns, strict=True):
        if method in METHODS and status in ("ok", ""):
            for response in responses.get(model, ()):
                strata.setdefault(stratum, {}).setdefault(response, {}).setdefault(method, model)
    for stratum, by_response in strata.items():
        for response, models in by_response.items():
            if len(models) > 1:
                yield stratum, response, {method: models[method] for method in METHODS if method in models}


def _rankings(
    here: Mapping[str, Mapping[str, pd.DataFrame]], response: str, composites: frozenset[str]
) -> dict[str, _Ranking]:
    """What each method finds; methods that found nothing are left out."""
    found: dict[str, _Ranking] = {}
    if "importance" in here.get("brt", {}):
        table = here["brt"]["importance"]
        table = table[texts(table, "measure") == "gain"]
        found["brt"] = _strengths(table, "share", "share_error")
    if "q" in here.get("geodetector", {}):
        found["geodetector"] = _strengths(here["geodetector"]["q"], "q", "std_error")
    if "effects" in here.get("psem", {}):
        names = {driver for ranking in found.values() for driver in ranking.strength}
        found["psem"] = _paths(here["psem"]["effects"], response, composites - names, names)
    return {method: found[method] for method in METHODS if method in found and found[method].strength}


def _strengths(table: pd.DataFrame, value: str, error: str) -> _Ranking:
    strength: dict[str, float] = {}
    errors: dict[str, float] = {}
    columns = (texts(table, "driver"), numbers(table, value), numbers(table, error))
    for driver, found, its_error in zip(*columns, strict=True):
        if driver and np.isfinite(found):
            strength[driver], errors[driver] = float(found), float(its_error)
    return _Ranking(strength, errors, sum(max(found, 0.0) for found in strength.values()))


def _paths(table: pd.DataFrame, response: str, composites: frozenset[str], names: set[str]) -> _Ranking:
    """Total effects on a response; the dummies of a driver that others know whole become one."""
    table = table[(texts(table, "kind") == "total") & (texts(table, "response") == response)]
    strength: dict[str, float] = {}
    error: dict[str, float] = {}
    sign: dict[str, str] = {}
    terms: dict[str, str] = {}
    columns = [numbers(table, c) for c in ("std_estimate", "std_estimate_error", "conf_low", "conf_high")]
    for term, value, its_error, low, high in zip(texts(table, "driver"), *columns, strict=True):
        if not term or term in composites or not np.isfinite(value):
            continue
        driver = _whole(term, names)
        if driver in strength and abs(value) <= strength[driver]:
            continue
        strength[driver], error[driver] = abs(float(value)), float(its_error)
        if driver == term:
            sign[driver] = "0" if low <= 0.0 <= high or value == 0.0 else "+" if value > 0 else "-"
        else:
            terms[driver] = term
    return _Ranking(strength, error, sum(strength.values()), sign, terms)


def _whole(term: str, names: set[str]) -> str:
    """The driver that a dummy such as `LUCC[2]` belongs to; any other term as it is."""
    if term in names or not term.endswith("]"):
        return term
    for name in names:
        if term.startswith(f"{name}[") and "]:" not in term[len(name) :]:
            return name
    return term


def _common(rankings: Mapping[str, _Ranking]) -> list[str]:
    """The drivers that all methods have, in the first one's order."""
    first, *others = rankings.values()
    return [d for d in first.strength if all(d in other.strength for other in others)]


def _rows(
    rankings: Mapping[str, _Ranking], groups: Mapping[str, str], evidence: Evidence
) -> Iterator[dict[str, object]]:
    common = _common(rankings)
    drivers = dict.fromkeys(d for ranking in rankings.values() for d in ranking.strength)
    for driver in drivers:
        having = [method for method, ranking in rankings.items() if driver in ranking.strength]
        if len(having) < 2:
            continue
        ranks: dict[str, int] = {}
        if len(common) > 1:
            for method in having:
                strength = rankings[method].strength
                ranks[method] = 1 + sum(strength[d] > strength[driver] for d in common)
        n = len(common) + (driver not in common)
        row: dict[str, object] = {"driver": driver, "group": groups.get(driver) or None}
        for method in METHODS:
            ranking = rankings.get(method)
            value = None if ranking is None else ranking.strength.get(driver)
            row[f"rank_{method}"] = ranks.get(method)
            whole = 0.0 if ranking is None else ranking.total
            row[f"share_{method}"] = max(value, 0.0) / whole if value is not None and whole > 0 else None
        paths = rankings.get("psem")
        row["sign"] = paths.sign.get(driver) if paths else None
        if ranks:
            row["agreement"] = 1.0 - (max(ranks.values()) - min(ranks.values())) / (n - 1.0)
            row["reason"] = reason(driver, ranks, n, evidence) or None
        yield row


def _notes(joined: str, rankings: Mapping[str, _Ranking]) -> Iterator[str]:
    if "psem" in rankings:
        for driver in rankings["psem"].terms:
            yield (
                f"{joined}: `{driver}` is categorical, so psem has an effect for each of its levels; the "
                "largest stands for it, without a sign"
            )
    if len(_common(rankings)) < 2:
        yield f"{joined}: fewer than two drivers are in all of these models, so there are no ranks to compare"


def _by_fit(table: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """The rows of each model and stratum."""
    grouped = table.groupby([texts(table, "model"), texts(table, "stratum")], sort=False)
    return {(str(key[0]), str(key[1])): rows for key, rows in grouped}


def _composites(coefficients: pd.DataFrame | None) -> dict[str, frozenset[str]]:
    """The composites of each model."""
    if coefficients is None:
        return {}
    rows = coefficients[texts(coefficients, "op") == "<~"]
    made: dict[str, set[str]] = {}
    for model, name in zip(texts(rows, "model"), texts(rows, "response"), strict=True):
        made.setdefault(model, set()).add(name)
    return {model: frozenset(names) for model, names in made.items()}


def _groups(tables: Tables) -> dict[str, str]:
    """The group of every driver that a table tells."""
    found: dict[str, str] = {}
    for name in ("q", "importance", "effects"):
        if name in tables:
            columns = (texts(tables[name], column) for column in ("driver", "group"))
            for driver, group in zip(*columns, strict=True):
                if driver and group:
                    found.setdefault(driver, group)
    return found
