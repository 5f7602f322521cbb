"""Study specs: what they mean, and every fault of a spec and its models at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import SpecError
from drivers.spec import ConditionFamily, FitRequest, LevelFamily, StudySpec, read_spec
from drivers.spec.canonical import canonical

KEELEY = """\
study: keeley
table: {path: ../data/keeley.csv}
response: {rich: {}}
drivers:
  fire: {firesev: {}, age: {unit: year}, cover: {}}
  site: {distance: {}, elev: {unit: m}, abiotic: {}, hetero: {}}
fit:
  - {models: [paths], over: [all]}
seed: 1
"""
PATHS = "method: psem\nformula: |\n  rich ~ cover\n  cover ~ firesev\n"

HORQIN = """\
study: horqin
table: {path: ../data/horqin.parquet}          # Parquet, CSV, Feather, GeoParquet
pixel: {easting: x, northing: y, crs: EPSG:32651, size: 1000}     # size in CRS units
response: {NEP: {unit: g C m-2 yr-1}}
drivers:
  climate:    {TEM: {unit: degC}, PRE: {unit: mm}, PET: {unit: mm}}
  soil:       {PH: {}, TP: {}, TN: {}, TK: {}, SOM: {unit: g kg-1}}
  topography: {DEM: {unit: m}, SLOPE: {unit: degree}, ASPECT: {unit: degree}}
  human:      {GDP: {}, LUCC: {categorical: true}, HFP: {}}
series: {NEP: "NEP_{year}", LUCC: "LUCC_{year}"}                 # columns that are years
strata:
  balance: {sink: NEP > 0, source: NEP <= 0}
  landuse: {column: LUCC, levels: {1: cropland, 2: forestland, 4: grassland, 7: unused, 8: impervious}}
fit:
  - {models: [nep-paths], over: [all, balance, landuse]}
  - {models: [nep-paths], over: [balance * landuse]}
seed: 20260101
"""
NEP_PATHS = "method: psem\nformula: NEP ~ climate + soil + LUCC\n"

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)
    for folder in ("specs", "models"):
        Path(folder).mkdir()

    def files(spec: str, **models: str) -> None:
        Path("specs/study.yaml").write_text(spec, encoding="utf-8")
        for name, text in models.items():
            Path("models", f"{name.replace('_', '-')}.yaml").write_text(text, encoding="utf-8")

    return files


def study() -> StudySpec:
    return read_spec("specs/study.yaml")


def said() -> list[str]:
    with pytest.raises(SpecError) as caught:
        study()
    return [fault.message for fault in caught.value.faults]


def whole() -> str:
    with pytest.raises(SpecError) as caught:
        study()
    return str(caught.value)


def test_the_design_example(write: Write) -> None:
    write(HORQIN, nep_paths=NEP_PATHS)
    spec = study()
    assert (spec.name, spec.seed, spec.path) == ("horqin", 20260101, Path("specs/study.yaml"))
    assert (spec.table.kind, spec.table.path) == ("path", Path("data/horqin.parquet"))
    assert spec.pixel is not None
    assert (spec.pixel.easting, spec.pixel.northing, spec.pixel.crs, spec.pixel.size) == (
        "x",
        "y",
        "EPSG:32651",
        1000.0,
    )
    assert [(v.name, v.unit, v.group) for v in spec.responses] == [("NEP", "g C m-2 yr-1", "")]
    assert [v.name for v in spec.drivers][:4] == ["TEM", "PRE", "PET", "PH"]
    assert [v.name for v in spec.drivers if v.categorical] == ["LUCC"]
    assert spec.groups[2] == ("topography", ("DEM", "SLOPE", "ASPECT"))
    assert [(s.name, s.template, s.unit, s.categorical) for s in spec.series] == [
        ("NEP", "NEP_{year}", "g C m-2 yr-1", None),
        ("LUCC", "LUCC_{year}", "", True),
    ]
    balance, landuse = spec.strata
    assert isinstance(balance, ConditionFamily)
    assert isinstance(landuse, LevelFamily)
    assert [(label, canonical(c.expression)) for label, c in balance.levels] == [
        ("sink", "NEP > 0"),
        ("source", "NEP <= 0"),
    ]
    assert landuse.levels is not None
    assert landuse.levels[:2] == ((1, "cropland"), (2, "forestland"))
    assert spec.fits == (
        FitRequest(("nep-paths",), ((), ("balance",), ("landuse",))),
        FitRequest(("nep-paths",), (("balance", "landuse"),)),
    )
    assert [t.text for t in spec.models["nep-paths"].equations[0].terms][:3] == ["TEM", "PRE", "PET"]
    assert spec.models["nep-paths"].categorical == {"LUCC"}
    assert spec.selects_on_response("balance", "sink")
    assert not spec.selects_on_response("landuse", "cropland")
    assert [file for file, _ in spec.documents] == ["specs/study.yaml", "models/nep-paths.yaml"]
    assert spec.documents[1][1] == hashlib.sha256(NEP_PATHS.encode()).hexdigest()


def test_shorthands(write: Write) -> None:
    write(
        "study: x\ntable: {simulate: horqin}\nresponse: [NEP, RH]\n"
        "drivers: {climate: [TEM, PRE], soil: {PH: , TN: {unit: 1}}}\n"
        "strata: {zone: {column: Z}, kind: {column: NEP, levels: [1, 2.0, a, true]}, d: {1: TN < 3}}\n"
        "fit: [{models: paths, over: zone}, {models: ../models/paths.yaml}]\n",
        paths="method: psem\nformula: NEP ~ .\n",
    )
    spec = study()
    assert (spec.table.kind, spec.table.simulate, spec.table.pixels, spec.table.seed) == (
        "simulate",
        "horqin",
        40_000,
        None,
    )
    assert [v.name for v in spec.responses] == ["NEP", "RH"]
    assert [(v.name, v.unit) for v in spec.drivers] == [("TEM", ""), ("PRE", ""), ("PH", ""), ("TN", "1")]
    assert spec.strata[0] == LevelFamily("zone", "Z", None, spec.table.place)
    kind = spec.family("kind")
    assert isinstance(kind, LevelFamily)
    assert kind.levels == ((1, "1"), (2.0, "2"), ("a", "a"), (True, "true"))
    assert spec.selects_on_response("kind", "1")
    assert spec.family("d").variables == ("TN",)
    assert spec.fits == (FitRequest(("paths",), (("zone",),)), FitRequest(("paths",), ((),)))
    assert (spec.seed, spec.title, spec.pixel) == (0, "", None)


@pytest.mark.parametrize("fit", ["", "fit: []\n", "fit: null\n"])
def test_a_spec_that_asks_for_nothing(write: Write, fit: str) -> None:
    write(f"study: x\ntable: {{path: a.csv}}\nseries: {{TEM: 'TEM_{{year}}'}}\n{fit}")
    with pytest.raises(SpecError, match="the study asks for nothing: `fit` names no model"):
        study()


ACCEPTANCE = {
    "misspelt driver": (
        KEELEY,
        PATHS.replace("firesev", "firesve"),
        "SpecError: model `paths` uses `firesve`, which specs/study.yaml does not define\n"
        "  models/paths.yaml, line 4:  cover ~ firesve\n"
        "                                      ^^^^^^^\n"
        "  did you mean `firesev`?  "
        "known: firesev, age, cover, distance, elev, abiotic, hetero, rich, fire, site",
    ),
    "unknown key": (
        KEELEY.replace("seed: 1", "sede: 1"),
        PATHS,
        "SpecError: unknown key `sede`\n"
        "  specs/study.yaml, line 9:  sede: 1\n"
        "                             ^^^^\n"
        "  did you mean `seed`?  "
        "known: study, title, table, pixel, response, drivers, series, strata, fit, change, seed",
    ),
    "cycle": (
        KEELEY,
        "method: psem\nformula: |\n  rich ~ cover\n  cover ~ firesev\n  firesev ~ rich\n",
        "SpecError: model `paths` has a cycle: rich -> firesev -> cover -> rich\n"
        "  models/paths.yaml, line 3:  rich ~ cover\n"
        "                                     ^^^^^\n"
        "  paths run one way; drop one, or join two variables with `~~`",
    ),
    "code in a formula": (
        KEELEY,
        "method: psem\nformula: |\n  rich ~ __import__('os').system('touch owned')\n",
        "SpecError: `__import__(...)` is no function of the formula language\n"
        "  models/paths.yaml, line 3:  rich ~ __import__('os').system('touch owned')\n"
        "                                     ^^^^^^^^^^\n"
        "  known: C, I, exp, log, log1p, poly, scale, sqrt",
    ),
    "attribute in a formula": (
        KEELEY,
        "method: psem\nformula: |\n  rich ~ cover.mean()\n",
        "SpecError: `cover.mean(...)` is no function of the formula language\n"
        "  models/paths.yaml, line 3:  rich ~ cover.mean()\n"
        "                                     ^^^^^^^^^^\n"
        "  known: C, I, exp, log, log1p, poly, scale, sqrt",
    ),
    "broken YAML": (
        KEELEY + "fit: [",
        PATHS,
        "SpecError: specs/study.yaml is not valid YAML: the bracket `[` is not closed\n"
        "  specs/study.yaml, line 10:  fit: [\n"
        "                                   ^",
    ),
    "code in a stratum": (
        KEELEY + "strata: {odd: {bad: \"__import__('os').getcwd() != ''\"}}\n",
        PATHS,
        "SpecError: `__import__(...)`: a condition calls no functions\n"
        "  specs/study.yaml, line 10:  strata: {odd: {bad: \"__import__('os').getcwd() != ''\"}}\n"
        "                                                   ^^^^^^^^^^",
    ),
    "duplicate key": (
        KEELEY + "seed: 2\n",
        PATHS,
        "SpecError: the key `seed` stands twice; the first is on line 9\n"
        "  specs/study.yaml, line 10:  seed: 2\n"
        "                              ^^^^",
    ),
    "composite and column": (
        KEELEY,
        "method: psem\nformula: |\n  cover <~ fire\n  rich ~ cover\n",
        "SpecError: `cover` is both a composite of model `paths` and a column "
        "that specs/study.yaml defines\n"
        "  models/paths.yaml, line 3:  cover <~ fire\n"
        "                              ^^^^^\n"
        "  rename the composite",
    ),
    "response on the right": (
        KEELEY,
        "method: psem\nformula: |\n  rich ~ cover + log(rich)\n",
        "SpecError: `rich` stands on both sides of its equation\n"
        "  models/paths.yaml, line 3:  rich ~ cover + log(rich)\n"
        "                                                 ^^^^",
    ),
    "spec and model together": (
        KEELEY.replace("seed: 1", "sede: 1").replace("[all]", "[alle]"),
        PATHS.replace("firesev", "firesve").replace("method", "titel: x\nmethod"),
        "SpecError: `over` names `alle`, which is not under `strata`\n"
        "  specs/study.yaml, line 8:  - {models: [paths], over: [alle]}\n"
        "                                                        ^^^^\n"
        "  did you mean `all`?  known: all\n"
        "unknown key `sede`\n"
        "  specs/study.yaml, line 9:  sede: 1\n"
        "                             ^^^^\n"
        "  did you mean `seed`?  "
        "known: study, title, table, pixel, response, drivers, series, strata, fit, change, seed\n"
        "unknown key `titel`\n"
        "  models/paths.yaml, line 1:  titel: x\n"
        "                              ^^^^^\n"
        "  did you mean `title`?  known: method, title, formula, family, composite, options\n"
        "model `paths` uses `firesve`, which specs/study.yaml does not define\n"
        "  models/paths.yaml, line 5:  cover ~ firesve\n"
        "                                      ^^^^^^^\n"
        "  did you mean `firesev`?  "
        "known: firesev, age, cover, distance, elev, abiotic, hetero, rich, fire, site",
    ),
    "change": (
        KEELEY + "change: {trend: rich}\n",
        PATHS,
        "SpecError: `trend` names `rich`, which is not under `series`\n"
        "  specs/study.yaml, line 10:  change: {trend: rich}\n"
        "                                              ^^^^\n"
        '  add `series: {rich: "rich_{year}"}`',
    ),
    "missing model": (
        KEELEY.replace("[paths]", "[path]"),
        PATHS,
        "SpecError: there is no model `path` in ../models\n"
        "  specs/study.yaml, line 8:  - {models: [path], over: [all]}\n"
        "                                         ^^^^\n"
        "  did you mean `paths`?  known: paths",
    ),
}


@pytest.mark.parametrize("case", ACCEPTANCE)
def test_messages_whole(write: Write, case: str) -> None:
    spec, model, message = ACCEPTANCE[case]
    write(spec, paths=model)
    assert whole() == message


def keeley(old: str, new: str) -> str:
    assert old in KEELEY
    return KEELEY.replace(old, new)


FAULTS = {
    keeley("study: keeley", "study: a/b"): [
        "`study` must be made of letters, digits, `-`, `_`, `.` and blanks"
    ],
    keeley("study: keeley\n", ""): ["the key `study` is missing"],
    keeley("{path: ../data/keeley.csv}", "{}"): ["`table` names no table"],
    keeley("{path: ../data/keeley.csv}", "keeley.csv"): [
        "`table` must be a mapping `key: value`, and is a text"
    ],
    keeley("{path: ../data/keeley.csv}", "{path: a.csv, simulate: horqin}"): [
        "`table` has both `path` and `simulate`"
    ],
    keeley("{path: ../data/keeley.csv}", "{path: a.csv, pixels: 3}"): [
        "`pixels` is only for a simulated table"
    ],
    keeley("{path: ../data/keeley.csv}", "{simulate: horqin, pixels: 0}"): [
        "`table.pixels` must be at least 1, and is 0"
    ],
    keeley("{path: ../data/keeley.csv}", "{spec: x.table.yaml}"): ["there is no table spec `x.table.yaml`"],
    keeley("response: {rich: {}}\n", ""): ["the key `response` is missing: models are to be fitted"],
    keeley("response: {rich: {}}", "response: {rich: {}, age: {}}"): [
        "`age` is both a response and a driver"
    ],
    keeley("site: {distance: {}", "site: {age: {}"): ["`age` is in two driver groups, `fire` and `site`"],
    keeley("site: {distance: {}", "elev: {distance: {}"): ["`elev` is both a driver group and a column"],
    keeley("age: {unit: year}", "age: {units: year}"): ["unknown key `units` of `drivers.fire.age`"],
    keeley("age: {unit: year}", "age: {categorical: yes}"): [
        "`drivers.fire.age.categorical` must be true or false, and is a text"
    ],
    keeley("age: {unit: year}", "age: year"): [
        "`drivers.fire.age` must be a mapping `key: value`, and is a text"
    ],
    keeley("fire: {firesev: {}, age: {unit: year}, cover: {}}", "fire: []"): [
        "the driver group `fire` is empty",
    ],
    keeley("seed: 1", "seed: -1"): ["`seed` must be at least 0, and is -1"],
    keeley("seed: 1", "seed: 1.5"): ["`seed` must be a whole number, and is `1.5`"],
    keeley("seed: 1", "series: {rich: rich_year}"): ["`series.rich` must hold `{year}`, as in `NEP_{year}`"],
    keeley("seed: 1", "pixel: {easting: x}"): ["`pixel` has `easting` and no `northing`"],
    keeley("seed: 1", "pixel: {easting: x, northing: x}"): ["easting and northing are the same column"],
    keeley("over: [all]", "over: [all * a]"): [
        "`all` cannot be crossed",
        "`over` names `a`, which is not under `strata`",
    ],
    keeley("over: [all]", "over: [a * a]") + "strata: {a: {b: age > 1}}\n": ["`a` is crossed with itself"],
    keeley("over: [all]", "over: [a *]") + "strata: {a: {b: age > 1}}\n": ["`*` crosses nothing"],
    keeley("[paths]", "[]"): ["`fit[1].models` must not be empty"],
    keeley("[paths]", "[other/paths.yaml]"): ["there is no model file `other/paths.yaml`"],
    keeley("over:", "ovre:"): ["unknown key `ovre` of `fit[1]`"],
    KEELEY + "strata: {all: {b: age > 1}}\n": [
        "a family of strata cannot be called `all`: that is the stratum of all pixels"
    ],
    KEELEY + "strata: {'a,b': {b: age > 1}, c: {'d=': age > 1, e: age >}}\n": [
        "the key `a,b` of `strata` must not hold `,`: strata are written `family=level,...`",
        "the key `d=` of `strata.c` must not hold `=`: strata are written `family=level,...`",
        "the condition ends where a column or a value should be",
    ],
    KEELEY + "strata: {a: {b: true}}\n": ["`strata.a.b` must be text, and is true"],
    KEELEY + "strata: {a: age}\n": [
        "`strata.a` must be a mapping `level: condition`, or `{column: NAME, levels: ...}`"
    ],
    KEELEY + "strata: {a: {column: age, levls: [1]}}\n": ["unknown key `levls` of `strata.a`"],
    KEELEY + "strata: {a: {column: age, levels: {1: x, 2: x}}}\n": ["two levels of `a` are called `x`"],
    KEELEY + "strata: {a: {column: age, levels: [1, 1]}}\n": ["two levels of `a` are called `1`"],
    KEELEY + "strata: {a: {column: age, levels: ['x=1']}}\n": ["the level `x=1` holds one of `=`, `,`, `*`"],
    KEELEY + "strata: {a: {column: age, levels: []}}\n": ["the family `a` has no levels"],
    KEELEY + "strata: {a: {column: age, levels: [[1]]}}\n": [
        "`strata.a.levels[1]` must be true or false or a whole number or a number or text, and is a list"
    ],
    KEELEY + "strata: {a: {}}\n": ["the family `a` has no strata"],
    "- study\n": ["specs/study.yaml is not a study spec: it is no mapping of keys"],
}


@pytest.mark.parametrize("spec", FAULTS)
def test_faults(write: Write, spec: str) -> None:
    write(spec, paths=PATHS)
    assert [message for message in said() if "does not define" not in message] == FAULTS[spec]


def test_one_name_for_two_models(write: Write) -> None:
    write(keeley("[paths]", "[paths, paths.yaml]"), paths=PATHS)
    Path("specs/paths.yaml").write_text(PATHS)
    assert said() == ["two models are called `paths`: models/paths.yaml and specs/paths.yaml"]


def test_a_missing_spec_and_a_broken_model(write: Write) -> None:
    with pytest.raises(SpecError, match=r"there is no file specs/none\.yaml"):
        read_spec("specs/none.yaml")
    write(KEELEY.replace("seed: 1", "sede: 1"), paths="method: [")
    assert said() == [
        "unknown key `sede`",
        "models/paths.yaml is not valid YAML: the bracket `[` is not closed",
    ]
    Path("models/paths.yaml").write_bytes(b"title: \xff\n")
    assert said()[1] == "models/paths.yaml is not UTF-8: byte 0xff at offset 7"


def test_files_outside_the_working_directory(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(KEELEY, paths=PATHS.replace("firesev", "firesve"))
    path = Path("specs/study.yaml").resolve()
    monkeypatch.chdir(path.parent)
    with pytest.raises(SpecError) as caught:
        read_spec(path)
    place = caught.value.faults[0].place
    assert place is not None
    assert place.file == (path.parent.parent / "models" / "paths.yaml").as_posix()


SCRAPS: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["rich", "all", "paths", "a > 1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["column", "levels", "unit", "path", "models", "over", "a", 1, True]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
KEYS = ["study", "table", "pixel", "response", "drivers", "series", "strata", "fit", "change", "seed", "x", 3]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), SCRAPS))
def test_any_values_are_a_study_or_a_spec_error(write: Write, content: dict[object, object]) -> None:
    write(yaml.safe_dump({**yaml.safe_load(KEELEY), **content}), paths=PATHS)
    with suppress(SpecError):
        assert study().name
        return
    assert all(said())
