"""`series` and `change` of a study spec: what they mean, and every fault with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from drivers.errors import SpecError
from drivers.spec import LevelFamily, StudySpec, read_spec
from drivers.spec.schema import schema_text
from drivers.spec.series import Series

HEAD = """\
study: s
table: {path: a.csv}
series: {NEP: "NEP_{year}", TEM: "TEM_{year}", LUCC: "LUCC_{year}"}
"""
STRATA = "strata: {use: {column: LUCC, levels: {1: crop, 2: forest}}, side: {east: x > 3}}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    Path("specs").mkdir()


def study(text: str) -> StudySpec:
    Path("specs/s.yaml").write_text(text, encoding="utf-8")
    return read_spec("specs/s.yaml")


def said(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        study(text)
    return str(caught.value)


def test_the_design_example() -> None:
    text = (
        'study: horqin\ntable: {path: a.csv}\nseries: {NEP: "NEP_{year}", LUCC: "LUCC_{year}", '
        'TEM: "TEM_{year}", PRE: "PRE_{year}"}\n'
        "change: {trend: NEP, persistence: NEP, centre: NEP, frequency: NEP, transfer: LUCC, "
        "correlation: {NEP: [TEM, PRE]}}\n"
    )
    spec = study(text)
    change = spec.change
    assert change is not None
    assert (spec.responses, spec.drivers, spec.fits, spec.models) == ((), (), (), {})
    assert [one.name for one in change.series] == ["NEP", "LUCC", "TEM", "PRE"]
    assert change.trend is not None
    assert (change.trend.names, change.trend.min_years) == (("NEP",), 10)
    assert change.trend.levels == [1.65, 1.96, 2.58]
    assert change.correlation is not None
    assert change.correlation.pairs == (("NEP", "TEM"), ("NEP", "PRE"))
    assert (change.describe, change.over, change.zones) == (None, ((),), ())


def test_options_lists_and_long_forms() -> None:
    change = study(
        HEAD + STRATA + "change:\n"
        "  trend: {series: [NEP, TEM], min_years: 5, levels: [1.96], inclusive: false}\n"
        "  describe: [NEP]\n  transfer: {series: LUCC, years: [2001, 2010, 2020]}\n"
        "  correlation: {series: {NEP: TEM}, min_years: 8}\n"
        "  over: [all, use, use * side]\n  zones: [COUNTY]\n"
    ).change
    assert change is not None
    assert change.trend is not None
    assert (change.trend.names, change.trend.levels) == (("NEP", "TEM"), [1.96])
    assert change.transfer is not None
    assert change.transfer.years == [2001, 2010, 2020]
    assert change.correlation is not None
    assert (change.correlation.pairs, change.correlation.min_years) == ((("NEP", "TEM"),), 8)
    assert change.over == ((), ("use",), ("use", "side"), ("COUNTY",))
    assert change.zones == (LevelFamily("COUNTY", "COUNTY", None, change.zones[0].place),)


def test_change_follows_the_strata_of_fits() -> None:
    Path("models/m.yaml").write_text("method: psem\nformula: y ~ a\n")
    spec = study(
        HEAD + STRATA + "response: y\ndrivers: {g: [a]}\nchange: {trend: NEP, zones: COUNTY}\n"
        "fit: [{models: m, over: [use, side]}]\n"
    )
    assert spec.change is not None
    assert spec.change.over == ((), ("use",), ("side",), ("COUNTY",))
    assert [family.name for family in spec.strata] == ["use", "side", "COUNTY"]


def test_a_series_is_what_its_variable_is() -> None:
    spec = study(
        "study: s\ntable: {path: a.csv}\nresponse: {NEP: {unit: g}}\n"
        "drivers: {g: {LUCC: {categorical: true}, K: {categorical: true}}}\n"
        + STRATA
        + 'series:\n  NEP: "NEP_{year}"\n  LUCC: "LUCC_{year}"\n'
        '  K: {columns: "K{year}", categorical: false, unit: 1}\n'
        '  C: {columns: "C{year}", years: [2001, 2020], levels: {1: crop, 2: crop, 3: wood}}\n'
        "change: {trend: [NEP, K], transfer: [LUCC, C]}\n"
    )
    assert [(s.name, s.unit, s.categorical) for s in spec.series] == [
        ("NEP", "g", None),
        ("LUCC", "", True),
        ("K", "1", False),
        ("C", "", True),
    ]
    assert spec.series[1].names == ((1, "crop"), (2, "forest"))
    assert (spec.series[3].years, spec.series[3].levels) == (
        (2001, 2020),
        ((1, "crop"), (2, "crop"), (3, "wood")),
    )
    assert spec.vocabulary.series[0] == ("NEP", "NEP_{year}")


@pytest.mark.parametrize(
    ("template", "columns", "years"),
    [
        (
            "NEP_{year}",
            ["NEP_2002", "NEP_2001", "NEP_20010", "NEP_1", "NEP_0123", "XNEP_2003", "nep_2004"],
            [2001, 2002],
        ),
        ("{year}.b({year})", ["2001.b(2001)", "2001.b(2002)", "2003xb(2003)"], [2001]),
        ("{year}", ["2001", "1999", "x"], [1999, 2001]),
    ],
)
def test_years_are_four_digits_where_the_pattern_has_them(
    template: str, columns: list[str], years: list[int]
) -> None:
    assert list(Series("s", template).years_in(columns)) == years


WHOLE = {
    "change: {trend: NPE}": (
        "SpecError: `trend` names `NPE`, which is not under `series`\n"
        "  specs/s.yaml, line 4:  change: {trend: NPE}\n"
        "                                         ^^^\n"
        "  did you mean `NEP`?  known: NEP, TEM, LUCC"
    ),
    "change: {tredn: NEP, trend: {series: NEP, min_yeras: 3}}": (
        "SpecError: unknown key `tredn` of `change`\n"
        "  specs/s.yaml, line 4:  change: {tredn: NEP, trend: {series: NEP, min_yeras: 3}}\n"
        "                                  ^^^^^\n"
        "  did you mean `trend`?  known: trend, persistence, frequency, centre, transfer, correlation, "
        "describe, over, zones\n"
        "unknown key `min_yeras` of `change.trend`\n"
        "  specs/s.yaml, line 4:  change: {tredn: NEP, trend: {series: NEP, min_yeras: 3}}\n"
        "                                                                   ^^^^^^^^^\n"
        "  did you mean `min_years`?  known: series, min_years, levels, inclusive, alpha"
    ),
    "change: {centre: {series: NEP, weights: psitive}}": (
        "SpecError: `change.centre.weights` cannot be `psitive`\n"
        "  specs/s.yaml, line 4:  change: {centre: {series: NEP, weights: psitive}}\n"
        "                                                                 ^^^^^^^\n"
        "  did you mean `positive`?  known: all, positive"
    ),
    "change: {over: all}": (
        "SpecError: `change` asks for nothing\n"
        "  specs/s.yaml, line 4:  change: {over: all}\n"
        "                         ^^^^^^\n"
        "  known: trend, persistence, frequency, centre, transfer, correlation, describe"
    ),
    "change: {trend: NEP, over: [al, use]}": (
        "SpecError: `over` names `al`, which is not under `strata`\n"
        "  specs/s.yaml, line 4:  change: {trend: NEP, over: [al, use]}\n"
        "                                                     ^^\n"
        "  did you mean `all`?  known: all\n"
        "`over` names `use`, which is not under `strata`\n"
        "  specs/s.yaml, line 4:  change: {trend: NEP, over: [al, use]}\n"
        "                                                         ^^^\n"
        "  known: all"
    ),
    "change: {transfer: LUCC, trend: LUCC}": (
        "SpecError: `transfer` takes `LUCC` as classes, and `trend` as quantities\n"
        "  specs/s.yaml, line 4:  change: {transfer: LUCC, trend: LUCC}\n"
        "                                  ^^^^^^^^\n"
        "  a series is one of both"
    ),
    "change: {persistence: {series: NEP, min_years: 5}}": (
        "SpecError: `persistence`: 5 years make 1 block sizes by rule `halving` with blocks of 3 years or "
        "more; the exponent needs at least 2\n"
        "  specs/s.yaml, line 4:  change: {persistence: {series: NEP, min_years: 5}}\n"
        "                                                                        ^"
    ),
    "change: {correlation: {NEP: [TEM, NEP, TEM]}}": (
        "SpecError: `NEP` is correlated with itself\n"
        "  specs/s.yaml, line 4:  change: {correlation: {NEP: [TEM, NEP, TEM]}}\n"
        "                                                ^^^\n"
        "`TEM` stands twice\n"
        "  specs/s.yaml, line 4:  change: {correlation: {NEP: [TEM, NEP, TEM]}}\n"
        "                                                                ^^^\n"
        "  remove one of them"
    ),
}


@pytest.mark.parametrize("text", WHOLE)
def test_messages_whole(text: str) -> None:
    assert said(HEAD + text + "\n") == WHOLE[text]


MESSAGES: dict[str, list[str]] = {
    "change: {trend: 3}": [
        "`change.trend` must be a series, a list of series, or a mapping `{series: NAME, ...}`"
    ],
    "change: {trend: []}": ["`change.trend` must not be empty"],
    "change: {trend: [NEP, 3]}": ["`change.trend[2]` must be text, and is `3`"],
    "change: {trend: {min_years: 3}}": ["the key `series` of `change.trend` is missing"],
    "change: {trend: {series: NEP, min_years: 1}}": ["`change.trend.min_years` must be at least 2, and is 1"],
    "change: {trend: {series: NEP, levels: [2, 1]}}": [
        "`change.trend.levels` must be one to 3 numbers that increase, as in `[1.65, 1.96, 2.58]`"
    ],
    "change: {trend: {series: NEP, levels: []}}": [
        "`change.trend.levels` must be one to 3 numbers that increase, as in `[1.65, 1.96, 2.58]`"
    ],
    "change: {trend: {series: NEP, alpha: 1}}": ["`change.trend.alpha` must be less than 1, and is 1"],
    "change: {correlation: NEP}": ["`change.correlation` must be a mapping `series: [series, ...]`"],
    "change: {correlation: {NEP: 3}}": [
        "`change.correlation.NEP` must be the name of a series or a list of names"
    ],
    "change: {transfer: {series: LUCC, years: [2001]}}": [
        "`change.transfer.years` must be two years or more, each later than the one before"
    ],
    "change: {frequency: {series: NEP, tolerance: -1}}": [
        "`change.frequency.tolerance` must be at least 0, and is -1"
    ],
    "change: {trend: NEP, zones: [use]}\n" + STRATA: ["the zones `use` have the name of strata"],
    "change: {trend: NEP, zones: all}": ["the zones `all` have the name of strata"],
    "change: {trend: NEP, zones: 'a=b'}": ["the zones `a=b` cannot name strata"],
    "change: trend": ["`change` must be a mapping `key: value`, and is a text"],
    "change: {}": ["`change` asks for nothing"],
}


@pytest.mark.parametrize("text", MESSAGES)
def test_faults(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        study(HEAD + text + "\n")
    assert [fault.message for fault in caught.value.faults] == MESSAGES[text]


SERIES: dict[str, list[str]] = {
    "{NEP: NEP_2001}": ["`series.NEP` must hold `{year}`, as in `NEP_{year}`"],
    "{NEP: 'NEP_{year}_{month}'}": ["`series.NEP` holds `{month}`: a series has a column a year, `{year}`"],
    "{NEP: {columns: NEP_2001}}": ["`series.NEP.columns` must hold `{year}`, as in `NEP_{year}`"],
    "{NEP: {unit: mm}}": ["the key `columns` of `series.NEP` is missing"],
    "{NEP: 3}": ["`series.NEP` must be a pattern of columns, as `NEP_{year}`, or a mapping `{columns: ...}`"],
    "{NEP: {columns: 'N{year}', years: [2020, 2001]}}": [
        "`series.NEP.years` must be `[first, last]`, the second after the first"
    ],
    "{NEP: {columns: 'N{year}', years: [1, 2001]}}": [
        "`series.NEP.years[1]` must be at least 1000, and is 1"
    ],
    "{NEP: {columns: 'N{year}', yaers: [1, 2001]}}": ["unknown key `yaers` of `series.NEP`"],
    "{NEP: 'N{year}', NPP: 'N{year}'}": ["the series `NEP` and `NPP` are the same columns `N{year}`"],
    "{NEP: {columns: 'N{year}', levels: {1: a}}}": ["`NEP` is categorical, and `trend` is of quantities"],
    "{NEP: {columns: 'N{year}', levels: {1: a}, categorical: false}}": [
        "the series `NEP` has `levels` and is not categorical",
        "`NEP` is categorical, and `trend` is of quantities",
    ],
    "{NEP: 'N{year}', C: {columns: 'C{year}', levels: {}}}": ["the series `C` has no levels"],
}


@pytest.mark.parametrize("text", SERIES)
def test_faults_of_series(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        study(f"study: s\ntable: {{path: a.csv}}\nseries: {text}\nchange: {{trend: NEP}}\n")
    assert [fault.message for fault in caught.value.faults] == SERIES[text]


def test_quantities_are_no_classes_and_years_have_limits() -> None:
    text = (
        'study: s\ntable: {path: a.csv}\nseries: {C: {columns: "C{year}", categorical: false}, '
        'D: {columns: "D{year}", years: [2001, 2010]}}\n'
        "change: {transfer: {series: [C, D], years: [2001, 2020]}}\n"
    )
    with pytest.raises(SpecError) as caught:
        study(text)
    assert [fault.message for fault in caught.value.faults] == [
        "`C` is not categorical, and `transfer` is of classes",
        "`transfer` asks for 2020, and the years of `D` are 2001 to 2010",
    ]


def test_a_model_cannot_be_called_change() -> None:
    Path("models/change.yaml").write_text("method: psem\nformula: y ~ a\n")
    text = HEAD + "response: y\ndrivers: {g: [a]}\nchange: {trend: NEP}\nfit: [{models: change}]\n"
    assert said(text).startswith(
        "SpecError: a model is called `change`, which is what the tables call change over years\n"
        "  specs/s.yaml, line 6:  change: {trend: NEP}\n"
    )


def test_without_series_the_hint_writes_one() -> None:
    assert said("study: s\ntable: {path: a.csv}\nchange: {trend: NEP}\n").endswith(
        '  add `series: {NEP: "NEP_{year}"}`'
    )


def test_numbers_of_a_spec_are_the_numbers_of_the_method() -> None:
    """A default that differed from the one in stats/ would be two truths."""
    from drivers.stats import persistence, series_correlation, trend

    change = study(HEAD + "change: {trend: NEP, persistence: NEP, correlation: {NEP: TEM}}\n").change
    assert change is not None
    given: list[Any] = [change.trend, change.persistence, change.correlation]
    assert given[0].min_years == trend.FEWEST_YEARS
    assert tuple(given[0].levels) == trend.LEVELS
    assert (given[1].rule, given[1].min_years) == (persistence.RULE, persistence.FEWEST_YEARS)
    assert given[2].min_years == series_correlation.FEWEST_YEARS


def test_the_schema_knows_what_the_reader_knows() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(json.loads(schema_text("study.schema.json")))
    for text in (
        HEAD
        + "change: {trend: NEP, correlation: {NEP: [TEM]}, transfer: {series: LUCC, years: [2001, 2020]}}",
        HEAD + "change: {correlation: {series: {NEP: TEM}, min_years: 5}, over: [all], zones: COUNTY}",
        "{study: s, table: {path: a}, series: {N: {columns: 'N{year}', years: [2001, 2020], levels: [1]}}}",
    ):
        assert list(validator.iter_errors(yaml.safe_load(text))) == [], text
    for text in (HEAD + "change: {tredn: NEP}", HEAD + "change: {trend: {series: NEP, min_yeras: 3}}"):
        assert list(validator.iter_errors(yaml.safe_load(text))), text


def test_faults_of_shape_and_of_meaning_come_together() -> None:
    text = "change: {tredn: NEP, centre: NPE, over: alle}\n"
    with pytest.raises(SpecError) as caught:
        study(HEAD + text)
    assert [fault.message for fault in caught.value.faults] == [
        "unknown key `tredn` of `change`",
        "`centre` names `NPE`, which is not under `series`",
        "`over` names `alle`, which is not under `strata`",
    ]
