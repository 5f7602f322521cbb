"""Models of one response and its drivers, in the vocabulary of a study."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.errors import SpecError
from drivers.spec import DriverModel, GeodetectorOptions, Vocabulary, bind, model_from_text, read_model

WORDS = Vocabulary(
    "specs/study.yaml",
    ("NEP", "RH"),
    ("TEM", "PRE", "PH", "SOM", "DEM", "GDP", "LUCC"),
    (("climate", ("TEM", "PRE")), ("soil", ("PH", "SOM")), ("topo", ("DEM",)), ("human", ("GDP", "LUCC"))),
    frozenset({"LUCC"}),
    (("NEP", "NEP_{year}"), ("TEM", "T{year}")),
)


def bound(formula: str, **options: object) -> DriverModel:
    model = bind(model_from_text(formula, method="geodetector", options=options), WORDS)
    assert isinstance(model, DriverModel)
    return model


def labels(model: DriverModel) -> list[str]:
    return [driver.label for driver in model.drivers]


@pytest.mark.parametrize(
    ("right", "wanted"),
    [
        ("climate + soil", ["TEM", "PRE", "PH", "SOM"]),
        ("human + climate", ["TEM", "PRE", "GDP", "LUCC"]),  # the study's order, not the order of typing
        (".", ["TEM", "PRE", "PH", "SOM", "DEM", "GDP", "LUCC"]),
        (". - soil", ["TEM", "PRE", "DEM", "GDP", "LUCC"]),
        ("log1p(GDP) + C(PH)", ["C(PH)", "log1p(GDP)"]),
        ("I(TEM * PRE) + TEM + TEM", ["TEM", "I(TEM * PRE)"]),
    ],
)
def test_right_sides(right: str, wanted: list[str]) -> None:
    assert labels(bound(f"NEP ~ {right}")) == wanted


def test_what_a_driver_knows() -> None:
    model = bound("log(NEP) ~ LUCC + I(TEM / PRE) + I(TEM / PH)")
    assert [(d.label, d.group, d.factor.categorical) for d in model.drivers] == [
        ("I(TEM / PH)", "", False),
        ("I(TEM / PRE)", "climate", False),
        ("LUCC", "human", True),
    ]
    assert (model.target.label, model.response, model.categorical) == ("log(NEP)", "NEP", {"LUCC"})
    assert model.columns == ("TEM", "PH", "PRE", "LUCC", "NEP")
    assert model.subjects({"NEP"}) == ["log(NEP)"]
    assert model.labels() == ()


def test_options_of_a_file_and_their_columns() -> None:
    model = bound(
        "NEP ~ TEM + PH",
        weights="area",
        over_years=[2015, 2013],
        discretize={"per_driver": {"TEM": {"classes": [4, 5]}}},
    )
    assert model.quantities() == ("area",)
    assert model.years == (
        (2013, (("TEM", "T2013"), ("NEP", "NEP_2013"))),
        (2015, (("TEM", "T2015"), ("NEP", "NEP_2015"))),
    )
    assert model.year_columns() == {"T2013": "TEM", "NEP_2013": "NEP", "T2015": "TEM", "NEP_2015": "NEP"}
    assert isinstance(model.options, GeodetectorOptions)
    assert model.options.discretize.classes == [3, 8]
    assert bound("NEP ~ TEM").options == GeodetectorOptions()


FAULTS = {
    "NEP ~ TEM:PRE": (
        "`TEM:PRE` is a product, and a geodetector crosses drivers itself\n"
        "  formula, line 1:  NEP ~ TEM:PRE\n"
        "                          ^^^^^^^\n"
        "  leave it out: drivers are crossed anyway"
    ),
    "NEP ~ poly(TEM, 2)": (
        "`poly(TEM, 2)` is several columns; a geodetector needs no powers\n"
        "  formula, line 1:  NEP ~ poly(TEM, 2)\n"
        "                               ^^^\n"
        "  write `TEM`: any shape is found"
    ),
    "NEP ~ TEM; RH ~ TEM": (
        "a geodetector model has one equation, and this is another\n"
        "  formula, line 1:  NEP ~ TEM; RH ~ TEM\n"
        "                               ^^\n"
        "  write a model file for each response"
    ),
    "climate <~ TEM": (
        "`<~` (a composite) belongs to method `psem`\n"
        "  formula, line 1:  climate <~ TEM\n"
        "                            ^^\n"
        "  a geodetector model is one equation `response ~ drivers`"
    ),
    "LUCC ~ TEM": (
        "`LUCC` is categorical; a geodetector explains a number\n"
        "  formula, line 1:  LUCC ~ TEM\n"
        "                    ^^^^"
    ),
    "NEP ~ TEM + (1 | PH)": (
        "a geodetector has no random intercept\n"
        "  formula, line 1:  NEP ~ TEM + (1 | PH)\n"
        "                                     ^^"
    ),
    "NEP ~ TEMP": (
        "model `model` uses `TEMP`, which specs/study.yaml does not define\n"
        "  formula, line 1:  NEP ~ TEMP\n"
        "                          ^^^^\n"
        "  did you mean `TEM`?  known: TEM, PRE, PH, SOM, DEM, GDP, LUCC, NEP, RH, climate, soil, topo "
        "and 1 more"
    ),
    "NEP ~ TEM - TEM": (
        "nothing is left on the right of the equation for `NEP`\n"
        "  formula, line 1:  NEP ~ TEM - TEM\n"
        "                    ^^^^^^^^^^^^^^^"
    ),
}


@pytest.mark.parametrize("formula", FAULTS)
def test_faults_whole(formula: str) -> None:
    with pytest.raises(SpecError) as caught:
        bound(formula)
    assert str(caught.value) == "SpecError: " + FAULTS[formula]


OPTIONS = {
    "{discretize: {per_driver: {GPD: {classes: [3, 4]}, LUCC: {classes: [3, 4]}}}}": [
        "`per_driver` names `GPD`, which is no driver of model `g`",
        "`LUCC` is categorical and taken as it is: it needs no breaks",
    ],
    "{discretize: {per_driver: {GDP: {classes: [3, 4], breaks: [1, 2]}}}}": [
        "`per_driver` gives `GDP` both breaks and a choice of rules"
    ],
    "{discretize: {classes: [8, 3]}}": [
        "`options.discretize.classes` must be `[lowest, highest]`, between 2 and 100 classes"
    ],
    "{discretize: {methods: [equla]}}": ["`options.discretize.methods[1]` cannot be `equla`"],
    "{discretize: {per_driver: {GDP: {breaks: [2, 1]}}}}": [
        "`options.discretize.per_driver.GDP.breaks` must rise from one break to the next"
    ],
    "{weights: GDP}": ["`GDP` is in the formula and cannot be the weights of the pixels"],
    "{prune: {p_value: 0.1}, permutations: -1}": [
        "`options.permutations` must be at least 0, and is -1",
        "unknown key `prune` of `options`",
    ],
    "{block: .inf}": ["`options.block` must be a finite number"],
    "{discretize: {per_driver: {GDP: {breaks: [.nan]}}}}": [
        "`options.discretize.per_driver.GDP.breaks[1]` must be a finite number"
    ],
    "{detectors: []}": ["`options.detectors` must not be empty"],
    "{compat: gd}": ["`options.compat` cannot be `gd`"],
}


@pytest.mark.parametrize("options", OPTIONS)
def test_options_at_fault(options: str, tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(f"method: geodetector\nformula: NEP ~ GDP + LUCC\noptions: {options}\n")
    with pytest.raises(SpecError) as caught:
        bind(read_model(path), WORDS)
    assert [fault.message for fault in caught.value.faults] == OPTIONS[options]
    assert all(fault.place is not None and fault.place.line == 3 for fault in caught.value.faults)


def test_years_need_a_series_of_the_response(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text("method: geodetector\nformula: RH ~ TEM\noptions: {over_years: [2013]}\n")
    with pytest.raises(SpecError) as caught:
        bind(read_model(path), WORDS)
    (fault,) = caught.value.faults
    assert fault.message == "`over_years` needs `RH` among the `series` of the study"
    assert fault.hint == 'add `series: {RH: "RH_{year}"}` to the spec'
