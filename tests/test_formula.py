"""The grammar of formulas as a table, and what it refuses."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.errors import Fault, Place
from drivers.spec.canonical import canonical, number_text
from drivers.spec.expand import MAX_TERMS, expand
from drivers.spec.formula import ParsedEquation, parse_formula
from drivers.spec.places import Lines
from drivers.spec.terms import Call, Expression, Name, Number, Operation, Span
from drivers.spec.tokens import Refused

GROUPS = {"climate": ("TEM", "PRE"), ".": ("TEM", "PRE", "DEM")}


def parse(text: str) -> tuple[tuple[ParsedEquation, ...], list[Fault]]:
    faults: list[Fault] = []
    lines = Lines(text)

    def locate(span: Span) -> Place:
        return lines.place("formula", span.start, span.end)

    return parse_formula(text, locate, faults), faults


def resolve(name: Name, function: str) -> tuple[str, ...]:
    return GROUPS.get(name.text, (name.text,))


def terms(right: str) -> list[str]:
    equations, faults = parse(f"y ~ {right}")
    assert not faults, faults[0].render()
    return [term.text for term in expand(equations[0].right, resolve, {"LUCC"})]


TERMS = {
    "a": ["a"],
    "1 + a": ["a"],
    "a + 1": ["a"],
    "(1 + a)": ["a"],
    "1": [],
    "a + b": ["a", "b"],
    "a + b + a": ["a", "b"],
    "+a": ["a"],
    "-a + b": ["b"],
    "a:b": ["a:b"],
    "b:a + a:b": ["b:a"],
    "a:a": ["a"],
    "a:b:a": ["a:b"],
    "a*b": ["a", "b", "a:b"],
    "a:b + a + b": ["a", "b", "a:b"],
    "a*b*c": ["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"],
    "(a + b)*c": ["a", "b", "c", "a:c", "b:c"],
    "(a + b + c)^2": ["a", "b", "c", "a:b", "a:c", "b:c"],
    "(a + b + c)**2": ["a", "b", "c", "a:b", "a:c", "b:c"],
    "(a + b)^9": ["a", "b", "a:b"],
    "(a + b)^1": ["a", "b"],
    "(a + b + c)^2 - a:b": ["a", "b", "c", "a:c", "b:c"],
    "(a + b + c)^2 - b:a": ["a", "b", "c", "a:c", "b:c"],
    "a*b - a": ["b", "a:b"],
    "a - a + b": ["b"],
    "a - (a + b) + b": ["b"],
    "(a + b - a):c": ["b:c"],
    "(-a + b):c": ["b:c"],
    "((a))": ["a"],
    "log1p( GDP )": ["log1p(GDP)"],
    "I(TEM**2)": ["I(TEM ^ 2)"],
    "I(TEM^2.0) + I(TEM ^ 2)": ["I(TEM ^ 2)"],
    "I(a+b*c)": ["I(a + b * c)"],
    "I((a+b)*c)": ["I((a + b) * c)"],
    "I(a-(b-c))": ["I(a - (b - c))"],
    "I(a/b/c)": ["I(a / b / c)"],
    "I(-a^2)": ["I(-a ^ 2)"],
    "I((-a)^2)": ["I((-a) ^ 2)"],
    "I(a^-1)": ["I(a ^ (-1))"],
    "I(a^b^c)": ["I(a ^ b ^ c)"],
    "I(1e-3*a)": ["I(0.001 * a)"],
    "C(LUCC)": ["C(LUCC)"],
    "poly(DEM,2)": ["poly(DEM, 2)"],
    "scale(log(DEM))": ["scale(log(DEM))"],
    "log(DEM):C(LUCC)": ["log(DEM):C(LUCC)"],
    "`soil pH` + Solar.R": ["`soil pH`", "Solar.R"],
    "`TEM`": ["TEM"],
    "气温 + ndvi_2": ["气温", "ndvi_2"],
    "climate": ["TEM", "PRE"],
    "climate:DEM": ["TEM:DEM", "PRE:DEM"],
    "climate - PRE": ["TEM"],
    ".": ["TEM", "PRE", "DEM"],
    ". - PRE": ["TEM", "DEM"],
    ".^2": ["TEM", "PRE", "DEM", "TEM:PRE", "TEM:DEM", "PRE:DEM"],
}


@pytest.mark.parametrize("right", TERMS)
def test_terms(right: str) -> None:
    assert terms(right) == TERMS[right]


LINES = {
    "y ~ a": [("y", "~", 1)],
    "y ~ a; z ~ b": [("y", "~", 1), ("z", "~", 1)],
    "y ~ a\n\n# why\nz ~ b # because": [("y", "~", 1), ("z", "~", 1)],
    "y ~ a +\n  b": [("y", "~", 2)],
    "y ~ a\n  + b": [("y", "~", 2)],
    "y ~ a + # first\n\n b": [("y", "~", 2)],
    "y ~ (a\n + b\n)\nz ~ b": [("y", "~", 1), ("z", "~", 1)],
    "y\n ~ a": [("y", "~", 1)],
    "y ~\n a": [("y", "~", 1)],
    "log(y) ~ a": [("log(y)", "~", 1)],
    "I(y/1000) ~ a": [("I(y / 1000)", "~", 1)],
    "a ~~ b": [("a", "~~", 1)],
    "a ~~ b + c": [("a", "~~", 2)],
    "clim <~ a + b": [("clim", "<~", 2)],
    "clim <~ 0.5*a - 2*b": [("clim", "<~", 2)],
    "soil =~ a + b": [("soil", "=~", 2)],
    ";;y ~ a;": [("y", "~", 1)],
}


@pytest.mark.parametrize("text", LINES)
def test_equations(text: str) -> None:
    equations, faults = parse(text)
    assert not faults, faults[0].render()
    assert [(canonical(e.left), e.operator, len(e.right)) for e in equations] == LINES[text]


def test_weights_and_random_intercept() -> None:
    (composite, mixed), faults = parse("human <~ 0.5*GDP - 2*log(HFP)\ny ~ a + (1 | `site id`) + b")
    assert not faults
    assert [summand.weight for summand in composite.right] == [0.5, -2.0]
    assert mixed.random is not None
    assert mixed.random.text == "site id"
    assert len(mixed.right) == 2


REFUSED = {
    "y ~ __import__('os').system('touch owned')": "`__import__(...)` is no function of the formula language",
    "y ~ cover.mean()": "`cover.mean(...)` is no function of the formula language",
    "y ~ Log(a)": "`Log(...)` is no function of the formula language",
    "y ~ a[0]": "`[` has no meaning in a formula",
    "y ~ a$b": "`$` has no meaning in a formula",
    "y ~ a @ b": "`@` has no meaning in a formula",
    "y ~ 'a'": "a formula holds no quoted text; a name with blanks stands in backticks",
    "y ~ lambda x": "`x` stands where an operator such as `+` should be",
    "y ~ a b": "`b` stands where an operator such as `+` should be",
    "y ~ a %in% b": "`%` has no meaning in a formula",
    "y = a": "`=` has no meaning in a formula",
    "y": "a line of the formula is no equation: it has no `~`",
    "~ a": "nothing stands left of `~`",
    "y ~": "nothing stands right of `~`",
    "y ~ a +": "the equation ends where a variable should be",
    "y ~ a ~ b": "a second `~` in one equation",
    "y ~ (a + b": "a parenthesis is not closed",
    "y ~ a)": "a parenthesis is closed that was never opened",
    "y ~ a/b": "`/` works only inside `I()`",
    "y ~ a*2": "a number cannot stand beside `*`",
    "y ~ a^2.5": "the power of a term is a whole number, as in `(a + b)^2`",
    "y ~ a + 2": "a number is no variable",
    "y ~ 0 + a": "an equation always has its intercept; it cannot be removed",
    "y ~ a - 1": "an equation always has its intercept; it cannot be removed",
    "y ~ a + 0": "an equation always has its intercept; it cannot be removed",
    "y ~ (a | g)": "this random term is not supported",
    "y ~ a + (1 + a | g)": "this random term is not supported",
    "y ~ a + (1 | g/h)": "this random term is not supported",
    "y ~ a - (1 | g)": "this random term is not supported",
    "y ~ a + (1 | g) + (1 | h)": "this random term is not supported",
    "ab := a*b": "`:=` (a defined parameter) belongs to method `lsem`",
    "a + b ~ c": "`+` stands left of `~`, where one name should be alone",
    "poly(y, 2) ~ a": "left of `~` stands a name or a transformed name such as `log(NEP)`",
    "log(a + b) ~ c": "the left side of an equation is about one variable",
    ". ~ a": "left of `~` stands a name or a transformed name such as `log(NEP)`",
    "log(a) ~~ b": "left of `~~` stands a name",
    "a ~~ log(b)": "right of `~~` stand names joined by `+`",
    "c <~ a + 0.5*b": "either all members of a composite have a weight or none",
    "c <~ 3": "a number is no variable",
    "y ~ log()": "`log()` needs a variable",
    "y ~ log(2)": "`log()` needs a variable",
    "y ~ log(a, b)": "`log` is used as `log(x)`",
    "y ~ poly(a)": "`poly` is used as `poly(x, degree)`",
    "y ~ poly(a, 9)": "the degree of `poly()` is a whole number from 1 to 5",
    "y ~ poly(a, b)": "the degree of `poly()` is a whole number from 1 to 5",
    "y ~ C(a + b)": "`C()` takes one variable",
    "y ~ log(poly(a, 2))": "`poly()` cannot stand inside another function",
    "y ~ log(.)": "`.` stands for all drivers; a function takes one variable",
    "y ~ log(a:b)": "`:` stands where `)` should be",
    "y ~ 2x": "`2x` is neither a number nor a name; a name that starts with a digit needs backticks",
    "y ~ `a": "a backtick is not closed",
    "y ~ ``": "a name in backticks is empty",
    "y ~ 1e999": "the number 1e999 is too large",
    "": "the formula is empty",
    "# nothing": "the formula is empty",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    _, faults = parse(text)
    assert [fault.message for fault in faults] == [REFUSED[text]]


def test_message_whole() -> None:
    _, faults = parse("cover ~ firesev\n  rich ~ cover + cover.mean() # code\n")
    assert faults[0].render() == (
        "`cover.mean(...)` is no function of the formula language\n"
        "  formula, line 2:  rich ~ cover + cover.mean() # code\n"
        "                                   ^^^^^^^^^^\n"
        "  known: C, I, exp, log, log1p, poly, scale, sqrt"
    )


def test_every_bad_equation_has_its_fault() -> None:
    equations, faults = parse("y ~ (a + b\nz ~ a\nv ~ a b\nw ~\nu ~ a")
    assert [canonical(e.left) for e in equations] == ["z", "u"]
    assert [fault.place.line for fault in faults if fault.place] == [1, 3, 4]


@pytest.mark.parametrize(
    "right",
    ["(" * 5000 + "a" + ")" * 5000, "I(" + "-" * 5000 + "a)", "log(" * 5000 + "a", "I(" + "a^" * 5000 + "a)"],
)
def test_deep_nesting_is_a_fault(right: str) -> None:
    _, faults = parse("y ~ " + right)
    assert len(faults) == 1
    assert "nested more than" in faults[0].message


def test_long_arithmetic_is_a_fault() -> None:
    _, faults = parse("y ~ I(" + " + ".join(["a"] * 5000) + ")")
    assert [fault.message for fault in faults] == ["more than 200 operators in one term"]


def test_many_terms_are_fast_and_too_many_are_a_fault() -> None:
    names = [f"x{i}" for i in range(MAX_TERMS)]
    start = time.perf_counter()
    assert terms(" + ".join(names)) == names
    assert time.perf_counter() - start < 1.0
    equations, _ = parse("y ~ (" + " + ".join(names[:40]) + ")^10")
    with pytest.raises(Refused, match="more than 500 terms"):
        expand(equations[0].right, resolve, ())


NAMES = st.sampled_from(["a", "b", "Solar.R", "`soil pH`"])
ARITHMETIC = st.recursive(
    NAMES | st.floats(0, 1e6).map(str),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*/^"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map(lambda t: f"(-{t})")
        | st.tuples(st.sampled_from(["log", "exp", "scale"]), inner).map(lambda t: f"{t[0]}(a + {t[1]})")
    ),
    max_leaves=8,
)


@given(ARITHMETIC)
def test_canonical_text_reads_back_the_same(text: str) -> None:
    (equation,), faults = parse(f"y ~ I(a + {text})")
    assert not faults
    (again,), faults = parse(f"y ~ {canonical(equation.right[0].expression)}")
    assert not faults
    assert again.right[0].expression == _canonical_numbers(equation.right[0].expression)


def _canonical_numbers(expression: Expression) -> Expression:
    """Numbers keep the text they were typed with; compare them by value."""
    match expression:
        case Number(value):
            return replace(expression, text=number_text(value))
        case Operation():
            return replace(expression, operands=tuple(map(_canonical_numbers, expression.operands)))
        case Call():
            return replace(expression, arguments=tuple(map(_canonical_numbers, expression.arguments)))
    return expression


WORDS = st.lists(
    st.sampled_from(
        [*"ab.~+-*:^/()|,;#`'\"\n 01", "~~", "<~", "=~", ":=", "**", "I(", "poly(", "log(", "1e3"]
    )
)


@given(st.text() | WORDS.map("".join))
@example("y ~ ٣ + ²")
@example("y ~ a\x00")
def test_any_text_gives_equations_or_faults(text: str) -> None:
    equations, faults = parse(text)
    assert equations or faults
    for fault in faults:
        fault.render()
    for equation in equations:
        canonical(equation.left)
        with contextlib.suppress(Refused):
            expand(equation.right, resolve, ())
