"""Whole studies: the table contract, partial failure, nothing half-written, and the same bytes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import drivers as dr
from drivers.glossary import COLUMNS, TABLES
from drivers.study import asked, check

FILES = {"index.html", "run.json", "tables.xlsx", "tables", "figures"}

SPEC: dict[str, Any] = {
    "study": "small",
    "title": "A small study",
    "table": {"path": "../data/pixels.csv"},
    "response": {"y": {"unit": "g m-2"}},
    "drivers": {
        "near": {"m": {}},
        "far": {"x": {"unit": "mm"}, "z": {}, "kind": {"categorical": True}},
    },
    "strata": {
        "side": {"left": "x <= 10", "right": "x > 10"},
        "kind": {"column": "kind", "levels": {"a": "first", "b": "second"}},
    },
    "fit": [{"models": ["paths"], "over": ["all", "side", "kind", "side * kind"]}],
    "seed": 1,
}


def pixels(n: int = 400, missing: float = 0.0) -> pd.DataFrame:
    frame = dr.simulate("chain", pixels=n, seed=5, missing=missing).frame[["x", "z", "m", "y"]]
    kind = np.where(np.arange(n) % 3 == 0, "a", np.where(np.arange(n) % 3 == 1, "b", "c"))
    return frame.assign(kind=kind)


@pytest.fixture
def small(project: Any) -> Any:
    project.table("pixels", pixels())
    project.model("paths", "m ~ x + z; y ~ m + z")
    project.path = project.spec("small", SPEC)
    return project


def tables_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "tables").iterdir())}


def test_a_run_writes_the_table_contract(small: Any, tmp_path: Path) -> None:
    done = dr.run(small.path, tmp_path / "out")
    assert done.out == tmp_path / "out"
    assert {path.name for path in done.out.iterdir()} == FILES
    names = {path.stem for path in (done.out / "tables").glob("*.csv")}
    assert {"strata", "coefficients", "dsep", "fit", "r2", "effects"} <= names <= set(TABLES)
    for name in names:
        table = pd.read_csv(done.out / "tables" / f"{name}.csv")
        assert tuple(table.columns) == TABLES[name], name
        assert set(table.columns) <= set(COLUMNS)
        assert list(table.columns)[:2] == (["stratum", "n"] if name == "strata" else ["model", "stratum"])
    assert done.failures == {}
    assert len(done.results) == 1 + 2 + 2 + 4


def test_tables_hold_what_the_results_say(small: Any, tmp_path: Path) -> None:
    """17 digits: what is read back from the CSV is the double that was computed."""
    done = dr.run(small.path, tmp_path / "out")
    written = pd.read_csv(done.out / "tables" / "coefficients.csv", dtype=str, keep_default_na=False)
    for (model, stratum), result in done.results.items():
        mine = written[(written.model == model) & (written.stratum == stratum)].reset_index(drop=True)
        tidy = result.tidy()
        assert len(mine) == len(tidy)
        for column in ("estimate", "std_error", "statistic", "p_value", "log_p", "std_estimate", "conf_low"):
            read = [float(text) if text else math.nan for text in mine[column]]
            np.testing.assert_array_equal(read, tidy[column].to_numpy(float))
        assert mine.term.tolist() == tidy.term.tolist()
        assert mine.group.tolist() == tidy.group.tolist()
    assert done.table("fit").status.tolist() == ["ok"] * 9
    assert done.table("strata").stratum.tolist() == done.table("fit").stratum.tolist()


def test_strata(small: Any) -> None:
    frame = pixels()
    table = dr.run(small.path).table("strata").set_index("stratum")
    assert table.index.tolist() == [
        "all",
        *("side=left", "side=right", "kind=first", "kind=second"),
        *("side=left,kind=first", "side=left,kind=second", "side=right,kind=first", "side=right,kind=second"),
    ]
    inside = frame[(frame.x <= 10) & (frame.kind == "b")]
    got = table.loc["side=left,kind=second"]
    assert (got.n, got.dropped, got.selects_on_response) == (len(inside), 0, False)
    assert got.share == pytest.approx(len(inside) / 400)
    assert got["mean"] == pytest.approx(inside.y.mean())
    assert got["sd"] == pytest.approx(inside.y.std())
    assert (got["min"], got["max"]) == (inside.y.min(), inside.y.max())


def test_run_json(small: Any, tmp_path: Path) -> None:
    dr.run(small.path, tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert facts["study"] == "small"
    assert facts["seed"] == 1
    assert facts["response"] == {"name": "y", "unit": "g m-2"}
    assert facts["table"]["n"] == 400
    assert facts["versions"]["ecodrivers"] == dr.__version__
    assert {"numpy", "scipy", "pandas", "python"} <= set(facts["versions"])
    assert {Path(name).name for name in facts["sha256"]["documents"]} == {"small.yaml", "paths.yaml"}
    assert all(
        len(digest) == 64 for digest in [facts["sha256"]["table"], *facts["sha256"]["documents"].values()]
    )


def test_missing_values_are_counted(project: Any) -> None:
    frame = pixels(missing=0.1)
    frame.loc[[1, 2], "y"] = np.nan
    project.table("pixels", frame)
    project.model("paths", "m ~ x + z; y ~ m + z")
    done = dr.run(project.spec("small", SPEC))
    complete = frame.notna().all(axis=1)
    strata, fit = done.table("strata").set_index("stratum"), done.table("fit").set_index("stratum")
    for stratum, inside in (("all", complete | True), ("side=left", frame.x <= 10)):
        assert strata.loc[stratum, "n"] == inside.sum()
        assert strata.loc[stratum, "dropped"] == (inside & ~complete).sum()
        assert fit.loc[stratum, "n"] == (inside & complete).sum()
    want = dr.fit("m ~ x + z; y ~ m + z", frame.dropna().reset_index(drop=True))
    got = done.results["paths", "all"].tidy()
    pd.testing.assert_frame_equal(got.drop(columns="group"), want.tidy().drop(columns="group"), rtol=1e-10)


FAILING = [
    (
        "no pixels",
        {"cut": {"bad": "x > 1e6", "good": "x <= 1e6"}},
        "m ~ x + z; y ~ m + z",
        "no pixels in this stratum",
    ),
    (
        "too few pixels",
        {"cut": {"bad": "x > {top}", "good": "x <= {top}"}},
        "m ~ x + z; y ~ m + z",
        "too few pixels: 3 complete ones for the 4 parameters of the equation of `m`",
    ),
    (
        "a constant driver",
        {"cut": {"bad": "flag == 1", "good": "flag == 0"}},
        "m ~ x + still; y ~ m + z",
        "`still` is constant here: it has no effect that could be estimated",
    ),
    (
        "collinear drivers",
        {"cut": {"bad": "flag == 1", "good": "flag == 0"}},
        "m ~ x + twin; y ~ m + z",
        "collinear columns in the equation of `m`: `twin` is a combination of `x`; leave one of them out",
    ),
    (
        "a class with one level",
        {"cut": {"bad": "flag == 1", "good": "flag == 0"}},
        "m ~ x + kind; y ~ m + z",
        "`kind` has a single level (`only`) here; leave it out of the model, or do not cut strata on it",
    ),
    (
        "an infinite transform",
        {"cut": {"bad": "flag == 1", "good": "flag == 0"}},
        "m ~ x + log(still); y ~ m + z",
        "`log(still)` is infinite or undefined for some pixels: a logarithm or root of zero or less, "
        "a division by zero, or an overflow",
    ),
    (
        "an undefined transform",
        {"cut": {"bad": "flag == 1", "good": "flag == 0"}},
        "m ~ x + sqrt(below); y ~ m + z",
        "`sqrt(below)` is infinite or undefined for some pixels: a logarithm or root of zero or less, "
        "a division by zero, or an overflow",
    ),
    (
        "nothing complete",
        {"cut": {"bad": "flag == 1", "good": "flag == 0"}},
        "m ~ x + holes; y ~ m + z",
        "none of the 133 pixels of this stratum has a value in every variable",
    ),
    (
        "a response that is made of its drivers",
        {"cut": {"bad": "flag == 1", "good": "flag == 0"}},
        "m ~ x; y ~ made + z",
        "the predictors in the equation of `y` reproduce it exactly; one of them is made from it",
    ),
]


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    ("strata", "formula", "reason"), [f[1:] for f in FAILING], ids=[f[0] for f in FAILING]
)
def test_a_stratum_that_cannot_be_fitted_is_a_row_with_its_reason(
    strata: dict[str, Any], formula: str, reason: str, project: Any
) -> None:
    frame = pixels()
    frame["flag"] = (frame.kind == "b").astype(int)
    bad = frame.flag == 1
    top = frame.x.nlargest(4).iloc[-1]
    rng = np.random.default_rng(2)
    frame["still"] = np.where(bad, 0.0, rng.random(400) + 1)
    frame["twin"] = np.where(bad, 2 * frame.x - 1, rng.random(400))
    frame["holes"] = np.where(bad, np.nan, rng.random(400))
    frame["below"] = np.where(bad, -1.0, 1.0) * (rng.random(400) + 0.1)
    frame["made"] = np.where(bad, frame.y - 0.3 * frame.z, rng.random(400))
    frame["kind"] = np.where(bad, "only", np.where(np.arange(400) % 2 == 0, "p", "q"))
    project.table("pixels", frame)
    project.model("paths", formula)
    for levels in strata.values():
        for name in levels:
            levels[name] = levels[name].replace("{top}", repr(float(top)))
    drivers = {name: {} for name in ("m", "x", "z", "still", "twin", "holes", "below", "made")}
    content = {
        **SPEC,
        "drivers": {"any": {**drivers, "kind": {"categorical": True}}},
        "strata": strata,
        "fit": [{"models": ["paths"], "over": ["cut"]}],
    }
    done = dr.run(project.spec("small", content))
    table = done.table("fit").set_index("stratum")
    assert table.loc["cut=bad", "status"] == "failed"
    assert table.loc["cut=bad", "message"] == reason
    assert done.failures == {("paths", "cut=bad"): reason}
    # It never stops the others and leaves nothing half-done in the other tables.
    assert table.loc["cut=good", "status"] == "ok"
    for name in ("coefficients", "dsep", "effects", "r2"):
        assert set(done.table(name).stratum) <= {"cut=good"}
    assert "cut=bad" in set(done.table("strata").stratum)


def test_all_strata_may_fail(small: Any, tmp_path: Path) -> None:
    content = {**SPEC, "strata": {"cut": {"one": "x > 1e6", "two": "x > 1e7"}}}
    spec = small.spec("small", {**content, "fit": [{"models": ["paths"], "over": ["cut"]}]})
    done = dr.run(spec, tmp_path / "out")
    assert done.results == {}
    assert len(done.failures) == 2
    assert pd.read_csv(done.out / "tables" / "fit.csv").status.tolist() == ["failed", "failed"]
    assert (done.out / "index.html").exists()


def test_the_same_bytes_twice(small: Any, tmp_path: Path) -> None:
    one, two = (dr.run(small.path, tmp_path / name).out for name in ("one", "two"))
    assert tables_of(one) == tables_of(two)
    assert (one / "tables.xlsx").read_bytes() == (two / "tables.xlsx").read_bytes()
    assert (one / "index.html").read_bytes() == (two / "index.html").read_bytes()
    assert {p.name: p.read_bytes() for p in (one / "figures").iterdir()} == {
        p.name: p.read_bytes() for p in (two / "figures").iterdir()
    }
    facts = [json.loads((out / "run.json").read_text()) for out in (one, two)]
    for each in facts:
        each.pop("timings")
    assert facts[0] == facts[1]


BIG: dict[str, Any] = {
    "study": "big",
    "table": {"simulate": "horqin", "pixels": 40_000},
    "response": {"NEP": {}},
    "drivers": {
        "climate": {"TEM": {}, "PRE": {}, "PET": {}},
        "soil": {"PH": {}, "TP": {}, "TN": {}, "TK": {}, "SOM": {}},
        "topography": {"DEM": {}, "SLOPE": {}},
        "human": {"GDP": {}, "HFP": {}},
    },
    "strata": {"balance": {"sink": "NEP > 0", "source": "NEP <= 0"}, "landuse": {"column": "LUCC"}},
    "fit": [{"models": ["nep"], "over": ["all", "balance", "landuse"]}],
    "seed": 7,
}


@pytest.fixture
def big(project: Any) -> Any:
    project.model(
        "nep",
        "climate <~ TEM + PRE + PET; soil <~ PH + TP + TN + TK + SOM; NEP ~ climate + soil + DEM + GDP; "
        "climate ~ DEM; soil ~ climate",
        composite={"climate": "pc1", "soil": "equal"},
    )
    project.path = project.spec("big", BIG)
    return project


def test_the_number_of_processors_changes_no_byte(
    big: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40,000 pixels are two chunks; one, two or many threads read them."""
    seen = []
    for cpus in (1, 2, 16):
        monkeypatch.setattr(os, "cpu_count", lambda cpus=cpus: cpus)
        seen.append(tables_of(dr.run(big.path, tmp_path / str(cpus)).out))
    assert seen[0] == seen[1] == seen[2]
    assert {"coefficients.csv", "effects.csv", "planted.csv"} <= set(seen[0])


def test_the_threads_of_blas_change_no_byte(big: Any, tmp_path: Path) -> None:
    code = "import sys, drivers; drivers.run(sys.argv[1], sys.argv[2])"
    seen = []
    for threads in ("1", "2"):
        limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        out = tmp_path / threads
        subprocess.run(
            [sys.executable, "-c", code, str(big.path), str(out)],
            env={**os.environ, **limits},
            check=True,
            timeout=120,
        )
        seen.append(tables_of(out))
    assert seen[0] == seen[1]


def test_a_model_file_serves_two_specs(project: Any, tmp_path: Path) -> None:
    """Group names stand for their members, whoever they are in the study at hand."""
    frame = pixels()
    project.table("one", frame)
    project.table("two", frame.rename(columns={"x": "warmth", "z": "rain"}))
    project.model("paths", "y ~ far + m; m ~ far")
    base = {"response": {"y": {}}, "fit": [{"models": ["paths"], "over": ["all"]}], "seed": 1}
    first = project.spec(
        "first",
        {
            **base,
            "study": "first",
            "table": {"path": "../data/one.csv"},
            "drivers": {"near": {"m": {}}, "far": {"x": {}, "z": {}}},
        },
    )
    second = project.spec(
        "second",
        {
            **base,
            "study": "second",
            "table": {"path": "../data/two.csv"},
            "drivers": {"near": {"m": {}}, "far": {"warmth": {}, "rain": {}}},
        },
    )
    one, two = (dr.run(spec, tmp_path / spec.stem).table("coefficients") for spec in (first, second))
    assert one.term.replace({"x": "warmth", "z": "rain"}).tolist() == two.term.tolist()
    np.testing.assert_allclose(one.estimate, two.estimate, rtol=1e-12)


def test_several_models_and_requests(small: Any) -> None:
    small.model("short", "y ~ m")
    content = {
        **SPEC,
        "fit": [
            {"models": ["paths", "short"], "over": ["all", "side"]},
            {"models": ["short"], "over": ["all", "kind"]},
        ],
    }
    done = dr.run(small.spec("small", content))
    fits = list(zip(done.table("fit").model, done.table("fit").stratum, strict=True))
    assert fits == [
        *(("paths", s) for s in ("all", "side=left", "side=right")),
        *(("short", s) for s in ("all", "side=left", "side=right", "kind=first", "kind=second")),
    ]
    assert len(set(fits)) == len(fits)
    assert done.results["short", "all"].fit.sample.n == 400


def test_check_reads_everything_and_fits_nothing(small: Any) -> None:
    study, table, partition = check(small.path)
    assert (study.name, table.n, len(partition.strata)) == ("small", 400, 9)
    assert [(m.name, len(strata)) for m, strata in asked(study, partition)] == [("paths", 9)]
    assert not (small.root / "reports").exists()


FAULTY: list[tuple[str, Callable[[Any], None], tuple[str, ...]]] = [
    ("an unknown name", lambda p: p.model("paths", "y ~ m + zz"), ("zz", "paths.yaml")),
    ("an unknown group of intercepts", lambda p: p.model("paths", "y ~ m + (1 | zz)"), ("zz", "paths.yaml")),
    ("a cycle", lambda p: p.model("paths", "m ~ x; y ~ m; x ~ y"), ("cycle", "x", "m", "y")),
    ("a response on its own right", lambda p: p.model("paths", "y ~ y + m"), ("`y`",)),
    ("an unknown function", lambda p: p.model("paths", "y ~ eval(m)"), ("eval",)),
    ("no model file", lambda p: (p.root / "models" / "paths.yaml").unlink(), ("paths",)),
    ("no table", lambda p: (p.root / "data" / "pixels.csv").unlink(), ("pixels.csv",)),
    ("a column of text", lambda p: p.table("pixels", pixels().assign(m="wet")), ("m",)),
    ("an infinite value", lambda p: p.table("pixels", pixels().assign(m=np.inf)), ("m",)),
    ("no rows", lambda p: p.table("pixels", pixels().iloc[:0]), ("pixels.csv",)),
    ("a missing column", lambda p: p.table("pixels", pixels().drop(columns="z")), ("z",)),
    ("an empty response", lambda p: p.table("pixels", pixels().assign(y=np.nan)), ("y",)),
    ("an unknown key", lambda p: p.spec("small", {**SPEC, "sede": 1}), ("sede",)),
    (
        "an unknown stratum",
        lambda p: p.spec("small", {**SPEC, "fit": [{"models": ["paths"], "over": ["sid"]}]}),
        ("sid",),
    ),
    (
        "strata of an unknown column",
        lambda p: p.spec("small", {**SPEC, "strata": {**SPEC["strata"], "side": {"left": "q > 1"}}}),
        ("q",),
    ),
]


@pytest.mark.parametrize(("break_it", "needles"), [f[1:] for f in FAULTY], ids=[f[0] for f in FAULTY])
def test_nothing_is_written_when_something_is_wrong(
    break_it: Callable[[Any], None], needles: tuple[str, ...], small: Any, tmp_path: Path
) -> None:
    break_it(small)
    with pytest.raises((dr.SpecError, dr.TableError)) as caught:
        dr.run(small.path, tmp_path / "out")
    assert all(needle in str(caught.value) for needle in needles)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_a_report_that_is_there_survives_a_run_that_fails(small: Any, tmp_path: Path) -> None:
    dr.run(small.path, tmp_path / "out")
    before = tables_of(tmp_path / "out")
    small.model("paths", "y ~ m + zz")
    with pytest.raises(dr.SpecError):
        dr.run(small.path, tmp_path / "out")
    assert tables_of(tmp_path / "out") == before


def test_a_run_that_breaks_off_leaves_nothing(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, or Ctrl-C, in the middle of writing."""
    from drivers.report import write

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(write, "render_page", stop)
    with pytest.raises(KeyboardInterrupt):
        dr.run(small.path, tmp_path / "out")
    assert list(tmp_path.glob("*out*")) == []
    assert list(tmp_path.glob(".out*")) == []


def test_a_folder_of_someone_else_is_left_alone(small: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").write_text("years of work")
    with pytest.raises(dr.TableError):
        dr.run(small.path, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.docx"]


def test_fit_takes_files_tables_and_formulas(small: Any) -> None:
    formula = "m ~ x + z; y ~ m + z"
    table = dr.read_table(small.root / "data" / "pixels.csv")
    model = dr.read_model(small.root / "models" / "paths.yaml")
    want = dr.fit(formula, pixels()).tidy()
    for got in (dr.fit(formula, table), dr.fit(model, pixels()), dr.fit(model, table)):
        pd.testing.assert_frame_equal(got.tidy(), want, rtol=1e-12)


def test_run_takes_a_spec_that_was_read(small: Any) -> None:
    spec = dr.read_spec(small.path)
    pd.testing.assert_frame_equal(
        dr.run(spec).table("coefficients"), dr.run(small.path).table("coefficients")
    )
    assert dr.run(spec).out is None


def test_a_stratum_cut_on_the_response_says_so(small: Any) -> None:
    content = {**SPEC, "strata": {"balance": {"sink": "y > 50", "source": "y <= 50"}}}
    done = dr.run(
        small.spec("small", {**content, "fit": [{"models": ["paths"], "over": ["all", "balance"]}]})
    )
    table = done.table("strata").set_index("stratum")
    assert table.selects_on_response.to_dict() == {"all": False, "balance=sink": True, "balance=source": True}


def test_simulated_studies_carry_their_truth(big: Any) -> None:
    done = dr.run(big.path)
    planted = done.table("planted")
    assert tuple(planted.columns) == TABLES["planted"]
    assert set(planted.stratum) <= {
        f"landuse={name}" for name in ("cropland", "forestland", "grassland", "unused", "impervious")
    }
    assert done.tables.meta["table"]["simulated"]
    assert len(done.results) == 1 + 2 + 5


def test_reporting_is_told_of_every_fit(small: Any) -> None:
    said: list[str] = []

    class Told:
        def __init__(self, total: int) -> None:
            said.append(f"total {total}")

        def __enter__(self) -> Told:
            return self

        def __exit__(self, *_: object) -> None:
            said.append("end")

        def start(self, what: str) -> None:
            said.append(what)

        def done(self) -> None:
            said.append("done")

    content = {**SPEC, "fit": [{"models": ["paths"], "over": ["all", "side"]}]}
    dr.run(small.spec("small", content), reporting=Told)
    assert said == [
        *(
            "total 3",
            "paths on all",
            "done",
            "paths on side=left",
            "done",
            "paths on side=right",
            "done",
            "end",
        )
    ]


def test_a_wide_table_costs_only_what_is_asked(project: Any) -> None:
    frame = pixels()
    rng = np.random.default_rng(1)
    extra = pd.DataFrame(rng.normal(size=(400, 496)), columns=[f"c{i}" for i in range(496)])
    project.table("pixels", pd.concat([frame, extra], axis=1))
    project.model("paths", "m ~ x + z; y ~ m + z")
    done = dr.run(project.spec("small", SPEC))
    assert done.table("fit").status.eq("ok").all()
    assert not math.isnan(done.table("fit").fishers_c[0])
