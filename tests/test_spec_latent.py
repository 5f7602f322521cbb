"""lavaan's grammar: what is read, what is refused and where, what the names of a study stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import Place, SpecError
from drivers.spec import Vocabulary, bind, model_from_text
from drivers.spec.latent_formula import parse_latent
from drivers.spec.latent_model import LatentModel

WORDS = Vocabulary(
    "specs/study.yaml",
    ("NEP",),
    ("TEM", "PRE", "SOM", "TN", "PH", "LUCC"),
    (("climate", ("TEM", "PRE")), ("soil", ("SOM", "TN", "PH"))),
    frozenset({"LUCC"}),
)


def bound(formula: str, **options: object) -> LatentModel:
    model = bind(model_from_text(formula, method="lsem", options=options), WORDS)
    assert isinstance(model, LatentModel)
    return model


def links(formula: str) -> list[str]:
    return [link.text for link in bound(formula).links]


def test_every_operator_is_read() -> None:
    model = bound(
        "soil =~ SOM + a*TN + 0.5*PH\nNEP ~ b*soil + log1p(PRE)\nSOM ~~ TN; SOM ~ 1; NEP ~~ 0*soil\nab := a*b"
    )
    assert [link.text for link in model.links] == [
        "soil =~ SOM",
        "soil =~ TN",
        "soil =~ PH",
        "NEP ~ log1p(PRE)",
        "NEP ~ soil",
        "SOM ~~ TN",
        "NEP ~~ soil",
        "SOM ~ 1",
    ]
    assert [(link.value, link.label) for link in model.links][:5] == [
        (None, None),
        (None, "a"),
        (0.5, None),
        (None, None),
        (None, "b"),
    ]
    assert [defined.name for defined in model.definitions] == ["ab"]
    assert (model.latents, model.intercepts, model.response) == (("soil",), True, "NEP")


def test_a_group_stands_for_its_drivers_unless_a_latent_variable_has_its_name() -> None:
    assert links("soil =~ soil; NEP ~ climate + soil") == [
        "soil =~ SOM",
        "soil =~ TN",
        "soil =~ PH",
        "NEP ~ TEM",
        "NEP ~ PRE",
        "NEP ~ soil",
    ]
    assert links("NEP ~ .")[-1] == "NEP ~ LUCC"


def test_indicators_keep_their_order_and_lines_do_not_matter() -> None:
    assert links("f =~ TN + SOM; NEP ~ f") == ["f =~ TN", "f =~ SOM", "NEP ~ f"]
    one = bound("f =~ TN + SOM; g =~ TEM + PRE; NEP ~ f + g")
    two = bound("NEP ~ g + f; g =~ TEM + PRE; f =~ TN + SOM")
    assert (one.links, one.latents, one.columns) == (two.links, two.latents, two.columns)
    assert one.latents == ("g", "f")


def test_a_latent_variable_has_the_group_of_its_indicators() -> None:
    model = bound("f =~ SOM + TN; g =~ TEM + PH; h =~ f + g; NEP ~ f")
    assert [model.group_of(name) for name in ("f", "g", "SOM")] == ["soil", "", "soil"]
    assert model.indicators("h") == ["f", "g"]
    assert model.subjects(["NEP"]) == ["NEP"]
    assert bound("f =~ SOM + TN + PH").subjects(["NEP"]) == ["f"]


@pytest.mark.parametrize(
    ("formula", "options", "wanted"),
    [("f =~ SOM + TN", {}, False), ("f =~ SOM + TN", {"missing": "ml"}, True), ("TN ~ 1 + SOM", {}, True)],
)
def test_when_means_are_modelled(formula: str, options: dict[str, object], wanted: bool) -> None:
    assert bound(formula, **options).intercepts is wanted


BAD = {
    "NEP ~ TEM*PRE": "`TEM*PRE`: `*` follows a label, and `TEM` is a column",
    "f =~ x": "model `model` uses `x`, which specs/study.yaml does not define",
    "f =~ SOM + TN; f := a": "`f` is a latent variable and cannot be defined",
    "b := c; c := a; NEP ~ a*TEM": "`c` is no label of model `model`",
    "NEP ~ a*TEM; a := a": "`a` is already the name of a parameter",
    "f <~ SOM": "`<~` (a composite) belongs to method `psem`",
    "NEP ~ TEM:PRE": "products of variables are not terms of a latent model",
    "NEP ~ start(3)*TEM": "`start()` before a variable is not supported",
    "NEP ~ c(1)*TEM": "`c()` before a variable is not supported",
    "NEP ~ a*b*TEM": "one label or value stands before a variable",
    "TEM =~ SOM": (
        "`TEM` is both a latent variable of model `model` and a column that specs/study.yaml defines"
    ),
    "log(f) =~ SOM": "left of `=~` stands the name of a latent variable",
    "NEP ~ TEM + TEM": "`NEP ~ TEM` stands twice in model `model`",
    "f =~ SOM + TN; TN ~ f": "`TN ~ f` is `f =~ TN` once more",
    "f =~ SOM + TN; NEP ~ f*TEM": "`f*TEM`: `*` follows a label, and `f` is a latent variable",
    "NEP ~ climate*TEM": "`climate*TEM`: `*` follows a label, and `climate` is a driver group",
    "NEP ~ a*TEM; PRE := 2*a": "`PRE` is a column and cannot be defined",
    "TN ~~ SOM; SOM ~~ TN": "`SOM ~~ TN` stands twice in model `model`",
    "LUCC ~ TEM": "`LUCC` is categorical; in a latent model it can only be a cause",
    "f =~ SOM + LUCC": "`LUCC` is categorical; in a latent model it can only be a cause",
    "NEP ~ LUCC; LUCC ~~ TEM": "a categorical variable has no covariance",
    "NEP ~ NEP": "`NEP` stands on both sides of its equation",
    "f =~ f": "`f` stands on both sides of its equation",
    "f =~ SOM; NEP ~ log(f)": "the latent variable `f` cannot be transformed",
    "climate ~ TEM": "`climate` is a driver group, not a column",
    "NEP ~ a*climate": "a label or value stands before one variable, and this name stands for 2",
    "a > 0; NEP ~ a*TEM": "inequalities between parameters are not supported",
    "NEP == TEM": "constraints between parameters are made by labels",
    "NEP ~ 2 + TEM": "a number is no variable",
    "NEP ~ -TEM": "`-` removes nothing here; a fixed value may be negative, as in `-0.5*x`",
    "NEP ~ C(LUCC)": "`C()` makes several columns",
    "f =~ .": "`.` stands for all drivers and only right of `~`",
    "NEP TEM": "a line of the formula has none of `=~`, `~`, `~~`, `:=`",
    "NEP ~ ": "nothing stands right of `~`",
    "~ TEM": "nothing stands left of `~`",
    "x := 2 + ; NEP ~ TEM": "the line ends where a label should be",
    "x := poly(a, 2); NEP ~ a*TEM": "`poly()` has no meaning among labels",
    "# nothing": "the formula is empty",
    "NEP ~ TEM.__class__": "model `model` uses `TEM.__class__`, which specs/study.yaml does not define",
    "NEP ~ __import__('os')": "`__import__(...)` is no function of the formula language",
}


@pytest.mark.parametrize("formula", BAD)
def test_what_is_wrong_is_said(formula: str) -> None:
    with pytest.raises(SpecError) as caught:
        bound(formula)
    assert caught.value.faults[0].message == BAD[formula]


def test_all_faults_come_at_once_with_their_places() -> None:
    with pytest.raises(SpecError) as caught:
        bound("soil =~ SOM + Tn\nNEP ~ TEM*PRE\nvia := a*c")
    assert str(caught.value) == (
        "SpecError: model `model` uses `Tn`, which specs/study.yaml does not define\n"
        "  formula, line 1:  soil =~ SOM + Tn\n"
        "                                  ^^\n"
        "  did you mean `TN`?  known: soil, TEM, PRE, SOM, TN, PH, LUCC, NEP, climate\n"
        "`TEM*PRE`: `*` follows a label, and `TEM` is a column\n"
        "  formula, line 2:  NEP ~ TEM*PRE\n"
        "                          ^^^\n"
        "  a product of two columns is `I(TEM * PRE)`\n"
        "`a` is no label of model `model`\n"
        "  formula, line 3:  via := a*c\n"
        "                           ^\n"
        "  `a*x` gives a parameter this label\n"
        "`c` is no label of model `model`\n"
        "  formula, line 3:  via := a*c\n"
        "                             ^\n"
        "  `c*x` gives a parameter this label"
    )


def test_what_stays_free_may_be_written_with_or_without_blanks() -> None:
    model = bound("soil =~ SOM + TN; NEP ~ soil", partial=["soil=~TN", "NEP ~soil", "TN~1"])
    assert model.partial == {("=~", "soil", "TN"), ("~", "NEP", "soil"), ("~1", "TN", "")}


OPTIONS = {
    "loadings of what is not there": (
        {"partial": ["soil =~ PH"]},
        "`soil =~ PH` is no parameter of model `model`",
    ),
    "wishart with ml": ({"likelihood": "wishart", "missing": "ml"}, "`options` `likelihood: wishart` is not"),
    "an unknown step": ({"equal": ["means"]}, "`options.equal[1]` cannot be `means`"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_do_not_go_together_are_refused(name: str) -> None:
    options, message = OPTIONS[name]
    with pytest.raises(SpecError) as caught:
        bound("soil =~ SOM + TN; NEP ~ soil", **options)
    assert message in str(caught.value)


@given(st.text(alphabet="abx~=:*+-1()., \n;#'\"<>%$", max_size=40))
def test_no_text_gets_past_the_grammar(text: str) -> None:
    """Whatever is typed is read or refused: nothing else is raised, and nothing runs."""
    faults: list[object] = []
    found = parse_latent(text, lambda span: Place("f", 1, span.start + 1, 1, text), faults)  # type: ignore[arg-type]
    assert found.lines or found.definitions or faults
