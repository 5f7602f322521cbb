"""The closed grammar of strata conditions."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.spec.canonical import canonical
from drivers.spec.condition import parse_condition
from drivers.spec.tokens import Refused

READ = {
    "NEP > 0": "NEP > 0",
    "NEP<=0": "NEP <= 0",
    "0 < NEP": "0 < NEP",
    "300 <= DEM < 500": "300 <= DEM and DEM < 500",
    "1 < a < b < 4": "1 < a and a < b and b < 4",
    "a > 0 & b > 0 | c > 0": "a > 0 and b > 0 or c > 0",
    "a > 0 & (b > 0 | c > 0)": "a > 0 and (b > 0 or c > 0)",
    "not a > 0 and b > 0": "not a > 0 and b > 0",
    "!(a > 0 and b > 0)": "not (a > 0 and b > 0)",
    "! ! a > 0": "not not a > 0",
    "land == 'water'": "land == 'water'",
    'land != "it\'s"': 'land != "it\'s"',
    "`soil pH` >= 7": "`soil pH` >= 7",
    "`and` > 1": "`and` > 1",
    "a + 2*b > -c / 4": "a + 2 * b > -c / 4",
    "(a + 2)*b > 1e-3": "(a + 2) * b > 0.001",
    "a - (b - c) > 0": "a - (b - c) > 0",
    "a >\n  0": "a > 0",
}


@pytest.mark.parametrize("text", READ)
def test_read(text: str) -> None:
    assert canonical(parse_condition(text).expression) == READ[text]


def test_variables_once_in_order() -> None:
    condition = parse_condition(" 300 <= DEM < 500 and NEP > DEM ")
    assert condition.variables == ("DEM", "NEP")
    assert condition.text == "300 <= DEM < 500 and NEP > DEM"


REFUSED = {
    "__import__('os').getcwd() != ''": ("`__import__(...)`: a condition calls no functions", "__import__"),
    "a.mean() > 0": ("`a.mean(...)`: a condition calls no functions", "a.mean"),
    "a[0] > 0": ("`[` has no meaning in a condition", "["),
    "a = 0": ("`=` has no meaning in a condition", "="),
    "a": ("`a` is no comparison", "a"),
    "a > 0 and b": ("`b` is no comparison", "b"),
    "not a": ("`a` is no comparison", "a"),
    "a + 1": ("`a + 1` is no comparison", "a + 1"),
    "(a > 0) + 1 > 2": ("a comparison cannot stand beside `+`", "a > 0"),
    "(a > 0) == b": ("a comparison cannot stand beside `==`", "a > 0"),
    "a > 'x' + 1": ("a text cannot stand beside `+`", "'x'"),
    "1 < 2": ("the condition names no column", "1 < 2"),
    "a >": ("the condition ends where a column or a value should be", ">"),
    "a > 0)": ("`)` stands where an operator or the end should be", ")"),
    "(a > 0": ("a parenthesis is not closed", "("),
    "a in b": ("`in` stands where an operator or the end should be", "in"),
    "a && b": ("`and` stands where a column or a value should be", "&"),
    "a > 'x": ("a quote is not closed", "'"),
    ". > 0": ("`.` has no meaning in a condition", "."),
    "a > 0 if b else c": ("`if` stands where an operator or the end should be", "if"),
    "": ("the condition is empty", ""),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_condition(text)
    span = caught.value.span
    assert (caught.value.message, text[span.start : span.end]) == REFUSED[text]


@pytest.mark.parametrize("text", ["(" * 5000 + "a", "not " * 5000 + "a > 0", "-" * 5000 + "a > 0"])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="nested more than"):
        parse_condition(text)


def test_long_condition_is_refused() -> None:
    with pytest.raises(Refused, match="more than 200 operators"):
        parse_condition(" or ".join(["a == 1"] * 500))


VALUES = st.recursive(
    st.sampled_from(["a", "`soil pH`", "0.5", "7"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map(lambda t: f"(-{t})")
    ),
    max_leaves=5,
)
CONDITIONS = st.recursive(
    st.tuples(VALUES, st.sampled_from(["<", "<=", "==", "!="]), VALUES).map(
        lambda t: f"(a > 0 and {t[0]} {t[1]} {t[2]})"
    ),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map(lambda t: f"(not {t})")
    ),
    max_leaves=5,
)


@given(CONDITIONS)
def test_canonical_text_reads_back_the_same(text: str) -> None:
    once = parse_condition(text)
    again = parse_condition(canonical(once.expression))
    assert canonical(again.expression) == canonical(once.expression)
    assert again.variables == once.variables


WORDS = st.lists(st.sampled_from([*"ab.<>=!&|+-*/()'\"`\n 01", "and ", "or ", "not ", "<=", "=="]))


@example("#\x1f")
@given(st.text() | WORDS.map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Refused):
        assert parse_condition(text).variables
