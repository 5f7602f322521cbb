"""Model files, and models in the vocabulary of a study."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import SpecError
from drivers.spec import BoundModel, PsemOptions, Vocabulary, bind, model_from_text, read_model

WORDS = Vocabulary(
    "specs/study.yaml",
    ("NEP", "RH"),
    ("TEM", "PRE", "PH", "SOM", "DEM", "GDP", "LUCC"),
    (("climate", ("TEM", "PRE")), ("soil", ("PH", "SOM")), ("topo", ("DEM",)), ("human", ("GDP", "LUCC"))),
    frozenset({"LUCC"}),
)

DESIGN = """\
method: psem                 # psem | lsem | brt | geodetector
title: Four driver groups and NEP
formula: |
  climate    <~ TEM + PRE + PET            # <~  composite (formative block)
  topography <~ DEM + SLOPE                # =~  latent (reflective, lsem)
  soil       <~ SOM + TN + PH              # ~   regression
  human      <~ GDP + HFP                  # ~~  correlated errors
  climate ~ topography + human
  soil    ~ climate + topography
  NEP     ~ climate + soil + topography + human
  soil ~~ human
options: {errors: effective, prune: {p_value: 0.05}}
"""

DESIGN_WORDS = Vocabulary(
    "specs/horqin.yaml",
    ("NEP",),
    ("TEM", "PRE", "PET", "PH", "TP", "TN", "TK", "SOM", "DEM", "SLOPE", "ASPECT", "GDP", "LUCC", "HFP"),
    (
        ("climate", ("TEM", "PRE", "PET")),
        ("soil", ("PH", "TP", "TN", "TK", "SOM")),
        ("topography", ("DEM", "SLOPE", "ASPECT")),
        ("human", ("GDP", "LUCC", "HFP")),
    ),
    frozenset({"LUCC"}),
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def bound(formula: str, words: Vocabulary = WORDS, **more: object) -> BoundModel:
    return bind(model_from_text(formula, **more), words)  # type: ignore[arg-type]


def said(formula: str, words: Vocabulary = WORDS, **more: object) -> list[str]:
    with pytest.raises(SpecError) as caught:
        bound(formula, words, **more)
    return [fault.message for fault in caught.value.faults]


def right(model: BoundModel) -> dict[str, list[str]]:
    return {equation.node: [term.text for term in equation.terms] for equation in model.equations}


def from_file(text: str) -> SpecError:
    Path("models").mkdir(exist_ok=True)
    path = Path("models/paths.yaml")
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        bind(read_model(path), WORDS)
    return caught.value


def test_the_design_example() -> None:
    path = Path("nep-paths.yaml")
    path.write_text(DESIGN)
    model = read_model(path)
    assert (model.name, model.method, model.title) == ("nep-paths", "psem", "Four driver groups and NEP")
    assert model.options == PsemOptions.model_validate({"errors": "effective", "prune": {"p_value": 0.05}})
    here = bind(model, DESIGN_WORDS)
    assert [equation.node for equation in here.equations] == ["climate", "soil", "NEP"]
    assert [(c.name, [m.text for m in c.members]) for c in here.composites] == [
        ("climate", ["TEM", "PRE", "PET"]),
        ("soil", ["SOM", "TN", "PH"]),
        ("topography", ["DEM", "SLOPE"]),
        ("human", ["GDP", "HFP"]),
    ]
    assert {c.how for c in here.composites} == {"regression"}
    assert here.covariances == (("soil", "human"),)
    assert here.response == "NEP"
    assert here.columns == ("TEM", "PRE", "PET", "PH", "TN", "SOM", "DEM", "SLOPE", "GDP", "HFP", "NEP")
    assert here.group_of("climate") == "climate"


def test_names_stand_for_drivers() -> None:
    model = bound("NEP ~ climate + log(DEM) + LUCC; SOM ~ .; PH ~ topo*TEM; DEM ~ 1")
    assert right(model) == {
        "NEP": ["TEM", "PRE", "log(DEM)", "LUCC"],
        "SOM": ["TEM", "PRE", "PH", "DEM", "GDP", "LUCC"],
        "PH": ["DEM", "TEM", "DEM:TEM"],
    }
    assert model.isolated == ("DEM",)
    assert model.categorical == {"LUCC"}
    lucc = next(t for e in model.equations for t in e.terms if t.text == "LUCC").factors[0]
    assert lucc.categorical
    assert not lucc.plain


def test_one_model_serves_two_studies() -> None:
    model = model_from_text("NEP ~ climate")
    other = Vocabulary("b.yaml", ("NEP",), ("t", "p", "w"), (("climate", ("t", "p", "w")),))
    assert right(bind(model, WORDS)) == {"NEP": ["TEM", "PRE"]}
    assert right(bind(model, other)) == {"NEP": ["t", "p", "w"]}


def test_a_group_leaves_out_the_response_and_the_members_of_the_left_side() -> None:
    model = bound("PH ~ soil + climate\nclimate <~ climate\nclimate ~ . - LUCC - PH - SOM\nNEP ~ climate")
    assert right(model)["PH"] == ["SOM", "climate"]
    assert right(model)["climate"] == ["DEM", "GDP"]
    assert [m.text for m in model.composites[0].members] == ["TEM", "PRE"]


def test_notebook_vocabulary_has_no_response() -> None:
    words = Vocabulary.of_columns(["a", "b", "y", "site"])
    model = bound("y ~ a + (1 | site); a ~ b", words)
    assert (model.response, model.columns) == ("y", ("a", "b", "y", "site"))
    assert model.equations[1].random == "site"
    assert right(bound("c <~ a + b; y ~ c", words)) == {"y": ["c"]}
    assert right(bound("y ~ .", words)) == {"y": ["a", "b", "site"]}


def test_grouping_columns_come_last_and_may_be_undeclared() -> None:
    assert bound("NEP ~ TEM + (1 | plot)").columns == ("TEM", "NEP", "plot")


LINES = [
    "climate <~ TEM + PRE",
    "soil <~ PH + SOM",
    "climate ~ DEM + GDP",
    "soil ~ climate + log(GDP)",
    "NEP ~ soil + climate",
    "RH ~ soil + NEP",
    "DEM ~~ GDP",
]


def test_the_order_of_lines_does_not_matter() -> None:
    wanted = replace(bound("\n".join(LINES)), formula="")
    for some in itertools.islice(itertools.permutations(LINES), 0, None, 97):
        assert replace(bound("\n".join(some)), formula="") == wanted
    assert [e.node for e in wanted.equations] == ["climate", "soil", "NEP", "RH"]


def test_composite_weights() -> None:
    fixed = bound("human <~ 0.5*GDP - 2*DEM; NEP ~ human").composites[0]
    assert (fixed.how, fixed.weights) == ("fixed", (0.5, -2.0))
    given = bound(
        "human <~ log(GDP) + DEM; NEP ~ human", composite={"human": {"DEM": 2, "log( GDP )": 1}}
    ).composites[0]
    assert (given.how, given.weights) == ("fixed", (1.0, 2.0))
    mixed = bound("a <~ TEM + PRE; b <~ PH + SOM; NEP ~ a + b", composite={"b": "pc1"}).composites
    assert [c.how for c in mixed] == ["regression", "pc1"]
    assert bound("a <~ TEM; NEP ~ a", options={"composite": "equal"}).composites[0].how == "equal"


def test_families() -> None:
    model = bound("NEP ~ TEM; TEM ~ DEM", family={"TEM": "poisson"})
    assert [(e.node, e.family) for e in model.equations] == [("TEM", "poisson"), ("NEP", "gaussian")]
    assert bound("NEP ~ TEM", options={"family": "binomial"}).equations[0].family == "binomial"


FAULTS = {
    "NEP ~ TEM; NEP ~ PRE": ["model `model` has two equations for `NEP`, on line 1"],
    "NEP ~ TEM\nNEP ~ PRE": ["model `model` has two equations for `NEP`, on lines 1 and 2"],
    "NEP ~ TEM + NEP": ["`NEP` stands on both sides of its equation"],
    "NEP ~ TEM + log(NEP)": ["`NEP` stands on both sides of its equation"],
    "NEP ~ TEM:NEP": ["`NEP` stands on both sides of its equation"],
    "log(NEP) ~ NEP": ["`NEP` stands on both sides of its equation"],
    "TEM ~ TEM": ["`TEM` stands on both sides of its equation"],
    "DEM ~ topo": ["nothing is left on the right of the equation for `DEM`"],
    "NEP ~ TEM - TEM": ["nothing is left on the right of the equation for `NEP`"],
    "NEP ~ x + x\nRH ~ x": ["model `model` uses `x`, which specs/study.yaml does not define"],
    "NEP ~ x - x": ["model `model` uses `x`, which specs/study.yaml does not define"],
    "x ~ y": [
        "model `model` uses `x`, which specs/study.yaml does not define",
        "model `model` uses `y`, which specs/study.yaml does not define",
    ],
    "NEP ~ TEM; TEM ~ DEM; DEM ~ NEP": ["model `model` has a cycle: NEP -> DEM -> TEM -> NEP"],
    "climate <~ TEM + PRE; TEM ~ climate; NEP ~ climate": [
        "model `model` has a cycle: climate -> TEM -> climate"
    ],
    "TEM ~ PRE; PRE ~ TEM; PH ~ SOM; SOM ~ PH; NEP ~ PH": [
        "model `model` has a cycle: TEM -> PRE -> TEM",
        "model `model` has a cycle: PH -> SOM -> PH",
    ],
    "NEP <~ TEM; RH ~ NEP": [
        "`NEP` is both a composite of model `model` and a column that specs/study.yaml defines"
    ],
    "a <~ TEM; a <~ PRE; NEP ~ a": ["model `model` has two composites `a`, on line 1"],
    "a <~ TEM - TEM; NEP ~ a": ["the composite `a` has no members"],
    "a <~ TEM; b <~ a; NEP ~ b": ["the composite `b` cannot be made of the composite `a`"],
    "a <~ TEM; NEP ~ log(a)": ["the composite `a` cannot stand inside `log()`"],
    "a <~ TEM; NEP ~ C(a)": ["the composite `a` cannot stand inside `C()`"],
    "a <~ TEM; NEP ~ a*PH": ["the composite `a` cannot stand in an interaction"],
    "a <~ TEM; log(a) ~ PH; NEP ~ a": ["the composite `a` cannot be transformed"],
    "a <~ TEM; a ~ TEM; NEP ~ a": ["`TEM` is part of the composite `a`, so it cannot explain it"],
    "a <~ TEM; PRE ~ a": [
        "the composite `a` gets its weights from a regression of the study's response, "
        "and there is no equation for `NEP` or `RH`"
    ],
    "a <~ NEP + TEM; NEP ~ PRE; RH ~ a": [
        "the composite `a` gets its weights from a regression of the study's response, "
        "so `NEP` cannot be a member"
    ],
    "a <~ 0.5*climate; NEP ~ a": ["a weight stands before one column"],
    "a <~ 0.5*TEM + 1*TEM; NEP ~ a": ["a member of the composite `a` has two weights"],
    "a <~ 0*TEM; NEP ~ a": ["all weights of the composite `a` are zero"],
    "a <~ 0.5*LUCC; NEP ~ a": ["`LUCC` has several columns, so the composite `a` cannot be `fixed`"],
    "climate ~ DEM": ["`climate` is a driver group, not a column"],
    "NEP ~ log(climate)": ["`climate` stands for 2 drivers and cannot stand inside `log()`"],
    "NEP ~ log(LUCC)": ["`LUCC` is categorical and cannot stand inside `log()`"],
    "LUCC ~ GDP": ["`LUCC` is categorical; an equation explains a number"],
    "NEP ~ TEM; NEP ~~ TEM": ["`NEP` and `TEM` are already joined by a path"],
    "NEP ~ TEM; TEM ~~ TEM": ["`TEM ~~ TEM` joins a variable with itself"],
    "NEP ~ TEM; TEM ~~ PH": ["`PH` is in no equation, so `~~` cannot join it"],
    "NEP ~ TEM + LUCC; TEM ~~ LUCC": ["`LUCC` is categorical and cannot be joined by `~~`"],
    "NEP ~ TEM; TEM ~~ x": ["model `model` uses `x`, which specs/study.yaml does not define"],
    "soil =~ PH + SOM; NEP ~ soil": ["`=~` (a latent variable) belongs to method `lsem`"],
    "NEP ~ 1 + (1 | plot)": ["the equation for `NEP` has a random intercept and no predictor"],
    "a <~ TEM; NEP ~ a + (1 | a)": ["`a` cannot group the pixels of a random intercept"],
    "TEM ~ 1": ["model `model` has no equation"],
    "a <~ TEM": ["model `model` has no equation"],
    "NEP ~ (.)^7": [],
}


@pytest.mark.parametrize("formula", FAULTS)
def test_faults(formula: str) -> None:
    if FAULTS[formula]:
        assert said(formula) == FAULTS[formula]
    else:
        assert len(bound(formula).equations[0].terms) == 2**7 - 1


def test_faults_of_keys() -> None:
    assert said("NEP ~ TEM", family={"NPP": "poisson"}) == [
        "`family` names `NPP`, for which model `model` has no equation"
    ]
    assert said("log(NEP) ~ TEM", family="poisson") == ["`log(NEP)` cannot be poisson"]
    assert said("a <~ TEM; a ~ DEM; NEP ~ a", family={"a": "binomial"}) == [
        "the composite `a` cannot be binomial: it is a weighted sum"
    ]
    assert said("a <~ TEM; NEP ~ a", composite={"b": "pc1"}) == [
        "`composite` names `b`, which is not a composite of model `model`"
    ]
    assert said("a <~ TEM; NEP ~ a", composite="fixed") == ["the composite `a` is fixed and has no weights"]
    assert said("a <~ 2*TEM; NEP ~ a", composite={"a": "pc1"}) == [
        "the composite `a` has weights in the formula, so it cannot be `pc1`"
    ]
    assert said("a <~ TEM + PRE; NEP ~ a", composite={"a": {"TEM": 1, "PER": 2}}) == [
        "`PER` has a weight and is no member of the composite `a`",
        "`PRE` has no weight in the composite `a`",
    ]
    assert said("a <~ poly(TEM, 2); NEP ~ a", composite="pc1") == [
        "`poly(TEM, 2)` has several columns, so the composite `a` cannot be `pc1`"
    ]
    assert said("NEP ~ TEM", options={"direction": ["NEP < TEM", "NEP <- PH", "NEP <- NEP"]}) == [
        "`NEP < TEM` is no direction",
        "`direction` names `PH`, which is not in model `model`",
        "a direction needs two variables",
    ]
    assert said("NEP ~ TEM", options={"errors": "robust", "prun": {}}) == [
        "`options.errors` cannot be `robust`",
        "unknown key `prun` of `options`",
    ]


def test_too_many_nodes() -> None:
    names = [f"x{i}" for i in range(300)]
    words = Vocabulary.of_columns([*names, "y"])
    assert said("y ~ .", words) == ["model `model` has 301 variables; at most 200 can be"]


def test_two_faults_of_one_file_and_a_third() -> None:
    error = from_file(
        "method: psem\ntitel: x\nformula: |\n  NEP ~ TEMP +\n    PRE\n  PRE ~ DEM.mean()\n  RH ~ TEMP + GPD\n"
    )
    assert str(error) == (
        "SpecError: unknown key `titel`\n"
        "  models/paths.yaml, line 2:  titel: x\n"
        "                              ^^^^^\n"
        "  did you mean `title`?  known: method, title, formula, family, composite, options\n"
        "`DEM.mean(...)` is no function of the formula language\n"
        "  models/paths.yaml, line 6:  PRE ~ DEM.mean()\n"
        "                                    ^^^^^^^^\n"
        "  known: C, I, exp, log, log1p, poly, scale, sqrt"
    )


def test_unknown_name_whole() -> None:
    error = from_file("method: psem\nformula: |\n  NEP ~ TEM + PER + PH\n")
    assert str(error) == (
        "SpecError: model `paths` uses `PER`, which specs/study.yaml does not define\n"
        "  models/paths.yaml, line 3:  NEP ~ TEM + PER + PH\n"
        "                                          ^^^\n"
        "  did you mean `PRE`?  "
        "known: TEM, PRE, PH, SOM, DEM, GDP, LUCC, NEP, RH, climate, soil, topo and 1 more"
    )


def test_cycle_whole() -> None:
    error = from_file("method: psem\nformula: |\n  NEP ~ TEM\n  TEM ~ DEM\n  DEM ~ PH + NEP\n")
    assert str(error) == (
        "SpecError: model `paths` has a cycle: NEP -> DEM -> TEM -> NEP\n"
        "  models/paths.yaml, line 3:  NEP ~ TEM\n"
        "                                    ^^^\n"
        "  paths run one way; drop one, or join two variables with `~~`"
    )


FILES = {
    "method: pesm\nformula: NEP ~ TEM\n": (
        "`pesm` is not a method\n"
        "  models/paths.yaml, line 1:  method: pesm\n" + 38 * " " + "^^^^\n"
        "  did you mean `psem`?  known: psem, lsem, geodetector, brt"
    ),
    "formula: NEP ~ TEM\n": "the key `method` is missing\n  models/paths.yaml",
    "method: psem\nformula:\n": (
        "`formula` must be text, and is empty\n"
        "  models/paths.yaml, line 2:  formula:\n" + 30 * " " + "^^^^^^^"
    ),
    "- psem\n": (
        "models/paths.yaml is not a model file: it is no mapping of keys\n"
        "  models/paths.yaml\n  a model file begins with `method: psem`"
    ),
    "method: psem\nformula: NEP ~ TEM\nfamily: {NEP: gausian}\n": (
        "`family.NEP` cannot be `gausian`\n"
        "  models/paths.yaml, line 3:  family: {NEP: gausian}\n" + 44 * " " + "^^^^^^^\n"
        "  did you mean `gaussian`?  known: gaussian, binomial, poisson"
    ),
    "method: psem\nformula: NEP ~ TEM\nfamily: [gaussian]\n": (
        "`family` must be a word, or a mapping `response: family`\n"
        "  models/paths.yaml, line 3:  family: [gaussian]\n" + 38 * " " + "^"
    ),
    "method: psem\nformula: NEP ~ TEM\nfamily: gaussian\noptions: {family: gaussian}\n": (
        "`family` is given twice: at the top and inside `options`\n"
        "  models/paths.yaml, line 4:  options: {family: gaussian}\n" + 40 * " " + "^^^^^^\n"
        "  keep one of them"
    ),
    "method: psem\nformula: NEP ~ TEM\noptions: {prune: {p_value: 5}, suggest: yes}\n": (
        "`options.prune.p_value` must be less than 1, and is 5\n"
        "  models/paths.yaml, line 3:  options: {prune: {p_value: 5}, suggest: yes}\n" + 57 * " " + "^\n"
        "`options.suggest` must be true or false, and is a text\n"
        "  models/paths.yaml, line 3:  options: {prune: {p_value: 5}, suggest: yes}\n" + 70 * " " + "^^^"
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", FILES)
def test_files_whole(text: str) -> None:
    assert str(from_file(text)) == "SpecError: " + FILES[text]


def test_places_in_a_notebook() -> None:
    with pytest.raises(SpecError) as caught:
        bound("NEP ~ TEM\nRH ~ PER", options={"errors": "effective"})
    place = caught.value.faults[0].place
    assert place is not None
    assert place.render() == "  formula, line 2:  RH ~ PER\n                         ^^^"


PIECES = st.sampled_from(
    ["NEP", "TEM", "climate", "soil", ".", "~", "<~", "~~", "+", "*", "-", ":", "1", "\n"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(PIECES, min_size=3).map(" ".join))
def test_any_words_are_a_model_or_a_spec_error(formula: str) -> None:
    with suppress(SpecError):
        assert bound(formula).equations
        return
    with pytest.raises(SpecError) as caught:
        bound(formula)
    assert caught.value.faults
    assert all(fault.place is not None for fault in caught.value.faults)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["method", "formula", "family", "composite", "options", "x", 3]),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.sampled_from(["psem", "a ~ b", "pc1"]),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(st.sampled_from(["family", "prune", "direction", "a", 1, True]), inner)
            ),
        ),
    )
)
def test_any_values_are_a_model_or_a_spec_error(content: dict[object, object]) -> None:
    path = Path("any.yaml")
    path.write_text(yaml.safe_dump(content))
    with suppress(SpecError):
        assert read_model(path).whole
