"""The interval to which a condition confines a variable."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.spec.condition import parse_condition
from drivers.spec.response_bounds import bounds

INF = float("inf")

BOUNDS = {
    "NEP > 0": (0.0, INF),
    "NEP >= 0": (0.0, INF),
    "0 < NEP": (0.0, INF),
    "NEP <= 5": (-INF, 5.0),
    "5 >= NEP": (-INF, 5.0),
    "NEP == 3": (3.0, 3.0),
    "3 == NEP": (3.0, 3.0),
    "NEP > -2.5": (-2.5, INF),
    "NEP > --2": (2.0, INF),
    "NEP < 2 * (3 + 1) / 4 - 1": (-INF, 1.0),
    "-10 < NEP < 10": (-10.0, 10.0),
    "10 > NEP >= -10": (-10.0, 10.0),
    "NEP > 0 and NEP > 5": (5.0, INF),
    "(NEP > 0 & (NEP < 5)) & DEM > 3": (0.0, 5.0),
    "NEP > 5 and NEP < 3": (5.0, 3.0),
    "`NEP` > 0": (0.0, INF),
    "DEM > 500": (-INF, INF),
    "DEM > LST or LUCC == 'water'": (-INF, INF),
    "NEP > 0 and (DEM > 500 or not LUCC != 1)": (0.0, INF),
    "NEP > 0 and NEPAL > 7": (0.0, INF),
}


@pytest.mark.parametrize("text", BOUNDS)
def test_bounds(text: str) -> None:
    assert bounds(parse_condition(text), "NEP") == BOUNDS[text]


UNSAID = [
    "NEP > 0 or NEP < -5",
    "NEP > 0 or DEM > 3",
    "not NEP > 0",
    "DEM > 3 and not (NEP > 0 and DEM < 9)",
    "NEP != 0",
    "2 * NEP > 0",
    "-NEP > 0",
    "NEP + 1 < 5",
    "NEP > DEM",
    "DEM < NEP < 5",
    "NEP > NEP",
    "NEP > 0 and NEP - DEM > 0",
    "NEP == 'high'",
    "NEP > 1 / 0",
    "0 < 2 * NEP",
]


@pytest.mark.parametrize("text", UNSAID)
def test_no_bounds(text: str) -> None:
    assert bounds(parse_condition(text), "NEP") is None


def test_a_long_chain() -> None:
    assert bounds(parse_condition(" and ".join(f"a > {i}" for i in range(60))), "a") == (59.0, INF)


SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}
comparisons = st.tuples(st.sampled_from(list(SIGNS)), st.integers(-9, 9), st.booleans())


@given(st.lists(comparisons, min_size=1, max_size=4), st.integers(-20, 20))
def test_what_meets_the_condition_is_inside(parts: list[tuple[str, int, bool]], doubled: int) -> None:
    texts = [f"a {sign} {value}" if first else f"{value} {sign} a" for sign, value, first in parts]
    found = bounds(parse_condition(" and ".join(texts)), "a")
    assert found is not None
    a = doubled / 2
    meets = all(SIGNS[s](a, v) if first else SIGNS[s](v, a) for s, v, first in parts)
    if meets:
        assert found[0] <= a <= found[1]
    elif found[0] < a < found[1]:
        raise AssertionError("inside, and does not meet it")
