"""Class limits: GD's own numbers, laws of the rules, ties, extremes and messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats.breaks import METHODS, Breaks, rule_breaks

GD_RTOL = 1e-9
"""METHODS.md section 7; GD prints 15 digits, so counts are compared too."""

CLASSES = range(2, 9)


def counts(ordered: np.ndarray, limits: np.ndarray) -> list[int]:
    """Values per class, closed on the right, the lowest limit included."""
    ends = np.searchsorted(ordered, limits, side="right")
    ends[0] = np.searchsorted(ordered, limits[0], side="left")
    return np.diff(ends).tolist()


def one(values: Any, method: str, k: int, gd: bool = False) -> Breaks:
    (found,) = rule_breaks(np.sort(np.asarray(values, dtype=float)), [method], [k], gd=gd)
    return found


@pytest.fixture
def golden_gd(shared_table: Callable[[str], Path]) -> Callable[[str], Any]:
    """Files of GD's numbers beside the shared tables."""
    folder = shared_table("ndvi_40").parents[2] / "golden"
    return lambda name: json.loads((folder / name).read_text())


def test_all_of_gds_limits_and_counts(
    golden_gd: Callable[[str], Any], shared_table: Callable[[str], Path]
) -> None:
    table = np.genfromtxt(shared_table("ndvi_40"), delimiter=",", names=True, deletechars='"', dtype=None)
    rows = golden_gd("gd.json")["discretizations"]
    assert len(rows) == 120
    for row in rows:
        ordered = np.sort(table[row["variable"]].astype(float))
        found = one(ordered, row["method"], row["k"], gd=True)
        assert found.values == pytest.approx(row["breaks"], rel=GD_RTOL, abs=1e-12), row
        assert counts(ordered, found.values) == row["counts"], row
        assert (ordered > found.values[-1]).sum() == row["n_above_max_break"], row
        assert (ordered < found.values[0]).sum() == row["n_below_min_break"], row


@pytest.mark.parametrize(
    ("key", "values", "method"),
    [
        ("disc_geometric_neg", [-3, -1, 0, 2, 9], "geometric"),
        ("disc_geometric_pos", [0, 9], "geometric"),
        ("disc_geometric_neg_dominant", [-9, 3], "geometric"),
        ("disc_quantile_ties", [0] * 60 + list(range(1, 41)), "quantile"),
        ("disc_sd", list(range(1, 101)), "sd"),
        ("disc_natural", [i**2 for i in range(1, 101)], "natural"),
    ],
)
def test_gd_on_made_up_columns(
    golden_gd: Callable[[str], Any], key: str, values: list[float], method: str
) -> None:
    wanted = golden_gd("gd_behaviour.json")[key]
    for k, limits in enumerate(wanted["breaks"] if isinstance(wanted, dict) else wanted, start=3):
        assert one(values, method, k, gd=True).values == pytest.approx(limits, rel=GD_RTOL)


PUBLISHED = [("Tempchange", "equal", 14, 0.3478433), ("Popdensity", "quantile", 15, 0.2100134)]
"""q of gdverse's vignette opgd.Rmd (github:cran/gdverse@63a5b5c)."""


@pytest.mark.parametrize(("driver", "method", "k", "q"), PUBLISHED)
def test_published_q(shared_table: Callable[[str], Path], driver: str, method: str, k: int, q: float) -> None:
    table = np.genfromtxt(shared_table("ndvi_40"), delimiter=",", names=True, deletechars='"', dtype=None)
    x, y = table[driver].astype(float), table["NDVIchange"].astype(float)
    codes = np.searchsorted(one(x, method, k).values[1:-1], x, side="left")
    # Published q leave out pixels that are alone in their class.
    kept = np.bincount(codes)[codes] > 1
    codes, y = np.unique(codes[kept], return_inverse=True)[1], y[kept]
    means = np.bincount(codes, y) / np.bincount(codes)
    assert 1 - ((y - means[codes]) ** 2).sum() / ((y - y.mean()) ** 2).sum() == pytest.approx(q, abs=5e-8)


values = st.lists(st.integers(-9, 30) | st.floats(-1e6, 1e6), min_size=1, max_size=40)


@given(values)
def test_exactly_k_classes_that_cover_all_values_or_a_reason(column: list[float]) -> None:
    ordered = np.sort(np.array(column, dtype=float))
    found = rule_breaks(ordered, METHODS, CLASSES)
    assert [(b.method, b.n_classes) for b in found] == [(m, k) for m in METHODS for k in CLASSES]
    for b in found:
        assert (b.values is None) == bool(b.reason)
        if b.values is not None:
            assert len(b.values) == b.n_classes + 1
            assert (b.values[1:] > b.values[:-1]).all()
            assert (b.values[0], b.values[-1]) == (ordered[0], ordered[-1])
            if b.method in ("natural", "quantile"):
                assert min(counts(ordered, b.values)) > 0


@given(
    st.lists(st.integers(-1000, 1000), min_size=9, max_size=40, unique=True),
    st.floats(0.01, 100),
    st.integers(-500, 500),
)
def test_units_do_not_matter(column: list[int], scale: float, shift: int) -> None:
    ordered = np.sort(np.array(column, dtype=float))
    methods = ["equal", "quantile", "sd"]
    for a, b in zip(
        rule_breaks(ordered, methods, [3, 5]),
        rule_breaks(scale * ordered + shift, methods, [3, 5]),
        strict=True,
    ):
        if a.values is not None and b.values is not None:
            assert b.values == pytest.approx(scale * a.values + shift, rel=1e-9, abs=1e-6)


def test_units_do_not_matter_to_natural_breaks() -> None:
    ordered = np.sort(np.random.default_rng(4).gamma(2.0, 3.0, 5000))
    for a, b in zip(
        rule_breaks(ordered, ["natural"], CLASSES),
        rule_breaks(ordered * 1e4 - 7, ["natural"], CLASSES),
        strict=True,
    ):
        assert a.gap == b.gap == 0.0
        assert b.values == pytest.approx(a.values * 1e4 - 7, rel=1e-12)


def test_repeated_quantiles_still_make_k_classes() -> None:
    zeros = [0] * 60 + list(range(1, 41))
    assert [len(one(zeros, "quantile", k).values) for k in CLASSES] == [k + 1 for k in CLASSES]
    assert counts(np.array(zeros, dtype=float), one(zeros, "quantile", 3).values) == [60, 20, 20]


def test_the_smallest_value_alone_is_a_natural_class() -> None:
    assert one([0, 0, 0, 10, 11, 20, 21], "natural", 3).values.tolist() == [0.0, 5.0, 11.0, 21.0]
    assert one([0, 0, 0, 10, 11, 20, 21], "natural", 3, gd=True).reason == (
        "GD's limits for 3 classes repeat, and it leaves such a candidate out: ask for fewer classes"
    )


def test_geometric_rule_gives_k_classes_up_to_the_largest_value() -> None:
    assert one([0, 2, 7], "geometric", 3).values == pytest.approx([0, 1, 3, 7])
    assert one([-7, 1, 7], "geometric", 3).values == pytest.approx([-7, 1 - 8**0.5, 8**0.5 - 1, 7])
    assert one([-7, -2, -1], "geometric", 2).values == pytest.approx([-7, -3, -1])
    assert one([-7, -2, 0], "geometric", 3).values == pytest.approx([-7, -3, -1, 0])


@pytest.mark.parametrize(
    "column",
    [
        [1e9, 1e9 + 1e-6, 1e9 + 2e-6, 1e9 + 3e-6, 1e9 + 5e-6],
        [0.0, 5e-324, 1e-323, 2e-323],
        [-1.7e308, -1e308, 0.0, 3.0, 1e308, 1.7e308],
        [1e308, 1.1e308, 1.5e308, 1.7e308],
        [-0.0, 0.0, 1.0, 2.0],
        [1.0, np.nextafter(1.0, 2.0), np.nextafter(1.0, 3.0) + 2e-16],
    ],
)
@pytest.mark.parametrize("gd", [False, True])
def test_extreme_values_give_limits_or_a_reason(column: list[float], gd: bool) -> None:
    for b in rule_breaks(np.array(column), METHODS, CLASSES, gd=gd):
        assert (b.values is None) == bool(b.reason)
        if b.values is not None:
            assert np.isfinite(b.values).all()
            assert (b.values[1:] > b.values[:-1]).all()


@pytest.mark.parametrize("gd", [False, True])
@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ([], "there are no values"),
        ([3.0, 3.0], "all values are equal, so there is nothing to divide: leave this driver out"),
    ],
)
def test_nothing_to_divide(column: list[float], reason: str, gd: bool) -> None:
    assert {b.reason for b in rule_breaks(np.array(column), METHODS, [3], gd=gd)} == {reason}


def test_reasons() -> None:
    assert one([1, 1, 2], "equal", 3).reason == (
        "3 classes need 3 different values and there are 2: ask for at most 2 classes"
    )
    assert one(range(20), "sd", 8).reason == (
        "the cuts for 8 classes reach 3 standard deviations from the mean, beyond the values: "
        "ask for fewer classes, or another method"
    )
    assert one([-2, 0, 2], "geometric", 3, gd=True).reason == (
        "GD fails where the smallest and the largest value differ in sign only: "
        "use another method, or the rules of this package"
    )
    assert one([0, 1] * 9, "sd", 8, gd=True).reason == (
        "GD would search for 8 classes without end: ask for fewer classes, or another method"
    )


def test_wrong_calls() -> None:
    with pytest.raises(ValueError, match=r"^no rule of breaks is called `jenks`; known: equal, natural, "):
        rule_breaks(np.arange(5.0), ["jenks"], [3])
    with pytest.raises(ValueError, match=r"^1 classes divide nothing: ask for at least 2$"):
        rule_breaks(np.arange(5.0), ["equal"], [3, 1])
