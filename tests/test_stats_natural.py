"""Natural breaks: against all partitions, against a slow exact programme, and GD's."""

from __future__ import annotations

import json
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats import natural
from drivers.stats.natural import natural_breaks

CLASSES = range(2, 9)
SHARE = 1e-11
"""Tolerance on the share of the sum of squares: prefix sums of 1e6 values round to about 1e-14."""


def scaled(ordered: np.ndarray) -> np.ndarray:
    moved = ordered - ordered[0]
    moved = moved / moved[-1]
    return moved - moved.mean()


def within(ordered: np.ndarray, limits: np.ndarray) -> float:
    """Share of the sum of squares within the classes."""
    z = scaled(ordered)
    ends = np.searchsorted(ordered, limits[1:], side="right")
    parts = np.split(z, ends[:-1])
    return sum(((part - part.mean()) ** 2).sum() for part in parts) / (z**2).sum()


def slow(ordered: np.ndarray, classes: range) -> list[float]:
    """Least shares by the full dynamic programme over distinct values."""
    z, count = np.unique(scaled(ordered), return_counts=True)
    weight = np.append(0.0, np.cumsum(count))
    total = np.append(0.0, np.cumsum((z * count).astype(np.longdouble))).astype(float)
    with np.errstate(all="ignore"):
        cost = -((total[None, 1:] - total[:-1, None]) ** 2) / (weight[None, 1:] - weight[:-1, None])
    cost[np.tril_indices(len(z), -1)] = np.inf
    best, out = cost[0], []
    for _ in range(2, max(classes) + 1):
        best = np.append(np.inf, (best[:-1, None] + cost[1:, 1:]).min(axis=0))
        out.append(float(1.0 + best[-1] / (count @ z**2)))
    return out[min(classes) - 2 :]


@given(st.lists(st.integers(-20, 20) | st.floats(-1e3, 1e3), min_size=2, max_size=12))
def test_is_the_best_of_all_partitions(values: list[float]) -> None:
    ordered = np.sort(np.array(values, dtype=float))
    distinct = np.unique(ordered)
    # The square of a gap of 1e-160 is nil in doubles: such values are the same to any sum of squares.
    if np.ptp(ordered) < 1e-9 or np.diff(distinct).min() < 1e-100:
        return
    for k, found in zip(
        range(1, len(distinct) + 1), natural_breaks(ordered, range(1, len(distinct) + 1)), strict=True
    ):
        assert found.gap == 0.0
        assert len(found.limits) == k + 1
        all_limits = (
            np.concatenate((distinct[:1], distinct[list(ends)], distinct[-1:]))
            for ends in combinations(range(len(distinct) - 1), k - 1)
        )
        least = min(within(ordered, limits) for limits in all_limits)
        assert within(ordered, found.limits) == pytest.approx(least, abs=SHARE)
        assert found.within == pytest.approx(least, abs=SHARE)


def columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    n = 2500
    half = rng.normal(8, 1, n // 2)
    return {
        "normal": rng.normal(size=n),
        "lognormal": rng.lognormal(0, 2, n),
        "bimodal": np.concatenate((rng.normal(0, 1, n // 2), rng.normal(8, 1, n // 2))),
        "zeros": np.where(rng.random(n) < 0.6, 0.0, rng.gamma(1.0, 1.0, n)),
        "uniform": rng.random(n),
        "offset": 1e9 + rng.normal(size=n),
        "rounded": np.round(rng.normal(size=n), 2),
        "cauchy": rng.standard_cauchy(n),
        "grid": np.arange(float(n)),
        "mirrored": np.concatenate((half, -half)),
    }


@pytest.mark.parametrize("name", columns())
def test_is_the_optimum_of_a_long_column(name: str) -> None:
    ordered = np.sort(columns()[name])
    least = slow(ordered, CLASSES)
    for found, wanted in zip(natural_breaks(ordered, CLASSES), least, strict=True):
        assert found.within == pytest.approx(wanted, abs=SHARE)
        assert within(ordered, found.limits) == pytest.approx(found.within, abs=SHARE)
        assert found.gap == 0.0


def test_the_gap_bounds_what_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    ordered = np.sort(columns()["normal"])
    least = slow(ordered, CLASSES)
    monkeypatch.setattr(natural, "ROUNDS", 0)
    monkeypatch.setattr(natural, "COARSE", 40)
    for found, wanted in zip(natural_breaks(ordered, CLASSES), least, strict=True):
        assert 0.0 < found.gap < 0.2
        assert found.within - found.gap <= wanted + SHARE
        assert found.within >= wanted - SHARE


def test_any_order_and_repetition_of_classes() -> None:
    ordered = np.sort(columns()["zeros"])
    once = dict(zip(CLASSES, natural_breaks(ordered, CLASSES), strict=True))
    for k, found in zip([5, 3, 5], natural_breaks(ordered, [5, 3, 5]), strict=True):
        assert found.limits.tolist() == once[k].limits.tolist()
    assert natural_breaks(ordered, []) == ()


@pytest.mark.parametrize(
    "values", [[-1e308, 0.0, 1.0, 1e308], [0.0, 5e-324, 1e-323, 1e-310], [3.0, 3.0, 3.0]]
)
def test_extreme_values(values: list[float]) -> None:
    distinct = len(set(values))
    for found in natural_breaks(np.array(values), range(1, distinct + 1)):
        assert np.isfinite(found.limits).all()
        assert all(a <= b for a, b in pairwise(found.limits))


def test_more_classes_than_values() -> None:
    with pytest.raises(ValueError, match=r"^2 different values cannot make 3 classes: ask for 1 to 2$"):
        natural_breaks(np.array([1.0, 1.0, 2.0]), [2, 3])


def test_not_worse_than_gd(shared_table: object) -> None:
    path = Path(shared_table("ndvi_40")).parents[2] / "golden" / "gd_behaviour.json"  # type: ignore[operator]
    ordered = np.sort(np.loadtxt(shared_table("ndvi_40"), delimiter=",", skiprows=1, usecols=4))  # type: ignore[operator]
    square = ((ordered - ordered.mean()) ** 2).sum()
    (rows,) = [c for c in json.loads(path.read_text())["natural_vs_fisher"] if c[0]["v"] == "Precipitation"]
    for row in rows:
        (found,) = natural_breaks(ordered, [row["k"]])
        assert found.limits == pytest.approx(row["bamm"], rel=1e-12)
        assert found.within * square == pytest.approx(row["ssw_fisher"], rel=1e-10)
