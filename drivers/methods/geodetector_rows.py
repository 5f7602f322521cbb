"""What a geodetector found, as the rows of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.methods.detection import Detection, Factor
from drivers.methods.result import Importance
from drivers.spec.options import GeodetectorOptions
from drivers.stats.detectors import ecological_test, holm, mean_interval, risk_tests

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
        "fit": [fit_row(found, notes)],
        "q": q_rows(found),
        "breaks": breaks_rows(found),
        "risk_means": [row for factor in found.factors for row in _means(found, factor)],
    }
    if "interaction" in options.detectors:
        records["q_interaction"] = interaction_rows(found)
    if "risk" in options.detectors:
        records["risk"] = risk_rows(found)
    if "ecological" in options.detectors:
        records["ecological"] = ecological_rows(found, options)
    if scales:
        records["q_scales"] = [
            {"scale": scale, "cell_size": side, **row} for scale, side, at in scales for row in q_rows(at)
        ]
    if years:
        records["q_years"] = [{"year": year, **row} for year, at in years for row in q_rows(at)]
    return records


def fit_row(found: Detection, notes: Sequence[str]) -> Row:
    """The fit as a whole."""
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


def q_rows(found: Detection) -> list[Row]:
    """The factor detector: a row per driver; without q it has no rank."""
    order = sorted(
        (i for i, f in enumerate(found.factors) if f.q == f.q), key=lambda i: (-found.factors[i].q, i)
    )
    ranks = {i: place + 1 for place, i in enumerate(order)}
    rows = []
    for i, factor in enumerate(found.factors):
        chosen = factor.classes.candidate
        rows.append(
            {
                "driver": factor.label,
                "group": factor.group,
                "method": chosen.method if chosen is not None else "",
                "n_classes": chosen.n_classes if chosen is not None else None,
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
                "rank": ranks.get(i),
                "std_error": factor.std_error,
            }
        )
    return rows


def breaks_rows(found: Detection) -> list[Row]:
    """Every candidate of every driver."""
    return [row for factor in found.factors for row in _breaks(factor)]


def _breaks(factor: Factor) -> Iterator[Row]:
    """Every candidate; limits are numbers with all their digits, levels are names."""
    classes = factor.classes
    for i, candidate in enumerate(classes.candidates):
        if candidate.limits is not None:
            text = ";".join(repr(float(v)) for v in candidate.limits)
        else:
            text = ";".join(_quoted(label) for label in classes.labels)
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


def _quoted(label: str) -> str:
    """A level in a list of levels; quoted, quotes doubled, where it holds the sign between them."""
    return '"' + label.replace('"', '""') + '"' if ";" in label or '"' in label else label


def _names(factor: Factor) -> tuple[str, ...]:
    """The classes as the tables name them."""
    classes = factor.classes
    return classes.labels or tuple(str(i + 1) for i in range(len(factor.sums.counts)))


def _raw_means(found: Detection, factor: Factor) -> NDArray[np.float64]:
    """Class means of the response as the table has it, shape (K,)."""
    return factor.sums.means * found.sample.unit + found.sample.centre


def _means(found: Detection, factor: Factor) -> Iterator[Row]:
    chosen = factor.classes.candidate
    limits = chosen.limits if chosen is not None else None
    variances, means = factor.sums.variances, _raw_means(found, factor)
    spread = np.diag(factor.covariance) if len(factor.covariance) == len(variances) else variances * np.nan
    for i, name in enumerate(_names(factor) if chosen is not None else ()):
        mean = float(means[i])
        sd = float(np.sqrt(variances[i])) * found.sample.unit
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


def risk_rows(found: Detection) -> list[Row]:
    """The risk detector: a row per pair of classes of a driver."""
    return [row for factor in found.factors for row in _risk(found, factor)]


def _risk(found: Detection, factor: Factor) -> Iterator[Row]:
    if factor.null is None:
        return
    names, means = _names(factor), _raw_means(found, factor)
    tests = risk_tests(factor.sums.means, factor.sums.variances, factor.covariance)
    plain = tests
    if found.errors == "effective":
        plain = risk_tests(factor.sums.means, factor.sums.variances, factor.independent)
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


def interaction_rows(found: Detection) -> list[Row]:
    """The interaction detector: a row per pair of drivers."""
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


def ecological_rows(found: Detection, options: GeodetectorOptions) -> list[Row]:
    """The ecological detector: a row per pair of drivers."""
    variant = options.ecological or ("gd" if options.compat else "two_sided")
    rows = []
    for pair in found.pairs:
        worth = pair.n_effective if found.errors == "effective" else float(pair.n)
        test = ecological_test(pair.q_a, pair.q_b, worth - 1.0, variant)
        rows.append(
            {
                "driver_a": pair.a.label,
                "driver_b": pair.b.label,
                "f_statistic": test.f_statistic,
                "p_value": test.p_value,
                "df": worth - 1.0,
            }
        )
    return rows


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
