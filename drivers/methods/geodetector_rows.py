"""What a geodetector found, as the rows of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from drivers.methods.detection import Detection, Factor, mean_interval
from drivers.methods.result import Importance
from drivers.spec.options import GeodetectorOptions
from drivers.stats.detectors import ecological_test, holm, risk_tests

Row = dict[str, Any]

FEW_INDEPENDENT = 50
"""Below so many, p_max was found to reject up to 8 % at 0.05 (ranges near the size of the map)."""


def geodetector_records(
    found: Detection,
    options: GeodetectorOptions,
    scales: Sequence[tuple[int, float, Detection]],
    years: Sequence[tuple[int, Detection]],
    notes: Sequence[str],
) -> dict[str, list[Row]]:
    """The rows that one stratum adds to each table."""
    records = {
        "fit": [_fit(found, notes)],
        "q": [{**row, "rank": rank} for row, rank in _ranked(found)],
        "breaks": [row for factor in found.factors for row in _breaks(factor)],
        "risk_means": [row for factor in found.factors for row in _means(found, factor)],
    }
    if "interaction" in options.detectors:
        records["q_interaction"] = _interactions(found)
    if "risk" in options.detectors:
        records["risk"] = [row for factor in found.factors for row in _risk(found, factor)]
    if "ecological" in options.detectors:
        records["ecological"] = list(_ecological(found, options))
    if scales:
        records["q_scales"] = [
            {"scale": scale, "cell_size": side, **row, "rank": rank}
            for scale, side, at in scales
            for row, rank in _ranked(at)
        ]
    if years:
        records["q_years"] = [
            {"year": year, **row, "rank": rank} for year, at in years for row, rank in _ranked(at)
        ]
    return records


def _fit(found: Detection, notes: Sequence[str]) -> Row:
    worth = [f.n_effective for f in found.factors if f.n_effective == f.n_effective]
    return {
        "method": "geodetector",
        "n": found.sample.n,
        "n_effective": min(worth, default=None) if found.errors == "effective" else None,
        "status": "ok",
        "message": "; ".join((*notes, *_remarks(found))),
        "errors": found.errors,
    }


def _remarks(found: Detection) -> Iterator[str]:
    """What a reader of the numbers must know."""
    n = found.sample.n
    if found.sample.dropped:
        yield f"{found.sample.dropped} pixels have no response"
    for factor in found.factors:
        missing = n - factor.classes.n
        if missing and factor.classes.n:
            yield f"`{factor.label}`: {missing} pixels have no value"
        if factor.classes.note:
            yield f"`{factor.label}`: {factor.classes.note}"
        single = int((factor.sums.counts == 1).sum())
        if single:
            have = "level has" if single == 1 else "levels have"
            yield f"`{factor.label}`: {single} {have} a single pixel"
    few = [f"`{f.label}`" for f in found.factors if f.n_effective < FEW_INDEPENDENT]
    if few and found.errors == "effective":
        yield f"fewer than {FEW_INDEPENDENT} independent pixels, so p-values are rough: {', '.join(few)}"


def _ranked(found: Detection) -> Iterator[tuple[Row, int | None]]:
    """The rows of q, each with its rank; without q no rank."""
    order = sorted(
        (i for i, f in enumerate(found.factors) if f.q == f.q), key=lambda i: (-found.factors[i].q, i)
    )
    ranks = {i: place + 1 for place, i in enumerate(order)}
    for i, factor in enumerate(found.factors):
        chosen = factor.classes.candidate
        yield (
            {
                "driver": factor.label,
                "group": factor.group,
                "method": chosen.method if chosen is not None else "",
                "n_classes": factor.classes.n_classes if chosen is not None else None,
                "q": factor.q,
                "f_statistic": factor.test.f_statistic,
                "p_value": factor.p_value,
                "log_p": None if found.errors == "GD" else factor.test.log_p,
                "p_classical": factor.p_classical,
                "p_max": factor.p_max,
                "q_adjusted": factor.q_adjusted,
                "q_crossfit": factor.q_crossfit,
                "n": factor.classes.n,
                "n_effective": factor.n_effective if found.errors == "effective" else None,
            },
            ranks.get(i),
        )


def _breaks(factor: Factor) -> Iterator[Row]:
    """Every candidate; limits are numbers with all their digits, levels are names."""
    classes = factor.classes
    for i, candidate in enumerate(classes.candidates):
        if candidate.limits is not None:
            text = ";".join(repr(float(v)) for v in candidate.limits)
        else:
            text = ";".join(classes.labels)
        yield {
            "driver": factor.label,
            "method": candidate.method,
            "n_classes": candidate.n_classes,
            "breaks": text,
            "q": candidate.q,
            "chosen": i == classes.chosen,
            "reason": candidate.reason,
            "gap": candidate.gap if candidate.method == "natural" else None,
        }


def _names(factor: Factor) -> tuple[str, ...]:
    """The classes as the tables name them."""
    classes = factor.classes
    return classes.labels or tuple(str(i + 1) for i in range(len(factor.sums.counts)))


def _means(found: Detection, factor: Factor) -> Iterator[Row]:
    chosen = factor.classes.candidate
    limits = chosen.limits if chosen is not None else None
    variances = factor.sums.variances
    spread = np.diag(factor.covariance) if len(factor.covariance) == len(variances) else variances * np.nan
    for i, name in enumerate(_names(factor) if chosen is not None else ()):
        mean = float(factor.sums.means[i]) + found.sample.centre
        sd = float(np.sqrt(variances[i]))
        error = sd * float(np.sqrt(spread[i]))
        worth = 1.0 / spread[i] if spread[i] > 0 else float("nan")
        low, high = mean_interval(mean, error, worth)
        yield {
            "driver": factor.label,
            "class": name,
            "lower": None if limits is None else float(limits[i]),
            "upper": None if limits is None else float(limits[i + 1]),
            "n": int(factor.sums.counts[i]),
            "mean": mean,
            "sd": sd,
            "std_error": error,
            "conf_low": low,
            "conf_high": high,
            "n_effective": worth if found.errors == "effective" else None,
        }


def _risk(found: Detection, factor: Factor) -> Iterator[Row]:
    if factor.null is None:
        return
    names, means = _names(factor), factor.sums.means + found.sample.centre
    tests = risk_tests(means, factor.sums.variances, factor.covariance)
    plain = tests
    if found.errors == "effective":
        with np.errstate(divide="ignore"):
            plain = risk_tests(means, factor.sums.variances, np.diag(1.0 / factor.sums.counts))
    adjusted = holm(tests.p_value)
    for i, (a, b) in enumerate(zip(tests.a, tests.b, strict=True)):
        yield {
            "driver": factor.label,
            "class_a": names[a],
            "class_b": names[b],
            "mean_a": float(means[a]),
            "mean_b": float(means[b]),
            "statistic": float(tests.statistic[i]),
            "df": float(tests.df[i]),
            "p_value": float(tests.p_value[i]),
            "p_adjusted": float(adjusted[i]),
            "p_classical": float(plain.p_value[i]),
        }


def _interactions(found: Detection) -> list[Row]:
    return [
        {
            "driver_a": pair.a.label,
            "driver_b": pair.b.label,
            "q_a": pair.q_a,
            "q_b": pair.q_b,
            "q_ab": pair.q_ab,
            "type": pair.kind,
            "q_adjusted": pair.q_adjusted,
            "n": pair.n,
        }
        for pair in found.pairs
    ]


def _ecological(found: Detection, options: GeodetectorOptions) -> Iterator[Row]:
    variant = options.ecological or ("gd" if options.compat else "two_sided")
    for pair in found.pairs:
        worth = float(pair.n)
        if found.errors == "effective":
            worth = float(np.nanmin([pair.a.n_effective, pair.b.n_effective, worth]))
        test = ecological_test(pair.q_a, pair.q_b, worth - 1.0, variant)
        yield {
            "driver_a": pair.a.label,
            "driver_b": pair.b.label,
            "f_statistic": test.f_statistic,
            "p_value": test.p_value,
            "df": worth - 1.0,
        }


def geodetector_importance(found: Detection) -> list[Importance]:
    """q by driver; by group, q of the crossed classes of its two drivers that explain most together.

    Two, because crossing more leaves cells of a few pixels each, and q runs to 1 whatever they mean.
    """
    drivers = [Importance(f.label, f.group, "q", f.q) for f in found.factors if f.q == f.q]
    groups: dict[str, float] = {}
    for factor in found.factors:
        if factor.group and factor.q == factor.q:
            groups[factor.group] = max(groups.get(factor.group, 0.0), factor.q)
    for pair in found.pairs:
        if pair.a.group and pair.a.group == pair.b.group and pair.q_ab == pair.q_ab:
            groups[pair.a.group] = max(groups[pair.a.group], pair.q_ab)
    return [*drivers, *(Importance("", group, "q", value) for group, value in groups.items())]
