"""The command as a user meets it: what it prints, what it returns, and never a traceback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import drivers as dr
from drivers.cli import default_out, main
from drivers.report.numbers import number, percent

DRIVERS = Path(sys.executable).with_name("drivers")

SPEC: dict[str, Any] = {
    "study": "small",
    "title": "A small study",
    "table": {"path": "../data/pixels.csv"},
    "response": {"y": {}},
    "drivers": {"near": {"m": {}}, "far": {"x": {}, "z": {}}},
    "strata": {"side": {"left": "x <= 10", "nowhere": "x > 1000000"}},
    "fit": [{"models": ["paths"], "over": ["all"]}],
    "seed": 1,
}


@pytest.fixture
def small(project: Any) -> Any:
    frame = dr.simulate("chain", pixels=100, seed=1, missing=0.05).frame[["x", "z", "m", "y"]]
    project.table("pixels", frame)
    project.model("paths", "m ~ x + z; y ~ m + z")
    project.path = project.spec("small", SPEC)
    return project


@dataclass(frozen=True)
class Said:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def drivers(small: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command's entry point in the project's folder, without the second that a process costs."""
    monkeypatch.chdir(small.root)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["drivers", *arguments])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


def installed(folder: Path, *arguments: str) -> Said:
    """The installed command in its own process."""
    done = subprocess.run(
        [str(DRIVERS), *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


def lines(text: str) -> list[str]:
    """What is printed, without the blanks that fill lines."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_version(drivers: Any) -> None:
    done = drivers("--version")
    assert (done.returncode, done.stdout) == (0, f"ecodrivers {dr.__version__}\n")


def test_check_says_what_there_is_and_writes_nothing(drivers: Any, small: Any) -> None:
    before = sorted(small.root.rglob("*"))
    done = drivers("check", "specs/small.yaml")
    assert done.returncode == 0
    assert done.stderr == ""
    assert lines(done.stdout) == [
        "specs/small.yaml: sound. pixels.csv: 100 pixels. 1 model(s), 1 fit(s).",
        "  z: 5 missing",
    ]
    assert sorted(small.root.rglob("*")) == before


def test_check_warns_of_an_empty_stratum(drivers: Any, small: Any) -> None:
    small.spec("small", {**SPEC, "fit": [{"models": ["paths"], "over": ["side"]}]})
    done = drivers("check", "specs/small.yaml")
    assert done.returncode == 0
    assert lines(done.stdout) == [
        "specs/small.yaml: sound. pixels.csv: 100 pixels. 1 model(s), 2 fit(s).",
        "  z: 5 missing",
        "  side=nowhere: no pixels; its fits will fail",
    ]


def test_run_writes_beside_specs_and_says_where(drivers: Any, small: Any) -> None:
    done = drivers("run", "specs/small.yaml")
    assert done.returncode == 0
    assert lines(done.stdout)[-1] == "Report: reports/small/index.html"
    assert (small.root / "reports" / "small" / "index.html").exists()
    assert done.stderr == "[1/1] paths on all\n"
    assert "accepted" in done.stdout


def test_run_with_a_failed_stratum_returns_3(drivers: Any, small: Any) -> None:
    small.spec("small", {**SPEC, "fit": [{"models": ["paths"], "over": ["all", "side"]}]})
    done = drivers("run", "specs/small.yaml", "--out", "here")
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "[1/3] paths on all",
        "[2/3] paths on side=left",
        "[3/3] paths on side=nowhere",
        "1 fit(s) failed; tables/fit.csv says why.",
    ]
    assert any(line.startswith("failed: paths on side=nowhere: ") for line in lines(done.stdout))
    fit = pd.read_csv(small.root / "here" / "tables" / "fit.csv").set_index("stratum")
    assert fit.status.to_dict() == {"all": "ok", "side=left": "ok", "side=nowhere": "failed"}
    assert fit.loc["side=nowhere", "message"] == "no pixels in this stratum"
    assert not (small.root / "reports").exists()


def test_wrong_input_returns_2_and_writes_nothing(drivers: Any, small: Any) -> None:
    small.model("paths", "m ~ x + zz; y ~ m + z")
    done = drivers("run", "specs/small.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "SpecError: model `paths` uses `zz`, which specs/small.yaml does not define",
        "  models/paths.yaml, line 3:  m ~ x + zz; y ~ m + z".replace("; y ~ m + z", ""),
        " " * len("  models/paths.yaml, line 3:  m ~ x + ") + "^^",
        "  did you mean `z`?  known: m, x, z, y, near, far",
    ]
    assert not (small.root / "reports").exists()


def test_check_and_run_refuse_the_same(drivers: Any, small: Any) -> None:
    small.spec("small", {**SPEC, "sede": 2, "seed": "soon"})
    one, two = drivers("check", "specs/small.yaml"), drivers("run", "specs/small.yaml")
    assert (one.returncode, two.returncode) == (2, 2)
    assert one.stderr == two.stderr
    assert "`sede`" in one.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "specs/none.yaml"), "SpecError: there is no file specs/none.yaml\n"),
        (("check", "specs"), None),
        (
            ("show", "specs"),
            "TableError: specs is not a report: it has no run.json\n  `drivers run SPEC` writes one\n",
        ),
        (
            ("show", "nowhere"),
            "TableError: nowhere is not a report: it has no run.json\n  `drivers run SPEC` writes one\n",
        ),
        (("run", "specs/small.yaml", "--out", "specs/small.yaml"), None),
        (("run", "specs/small.yaml", "--out", "models"), None),
    ],
)
def test_wrong_places(arguments: tuple[str, ...], message: str | None, drivers: Any, small: Any) -> None:
    before = {p: p.read_bytes() for p in small.root.rglob("*") if p.is_file()}
    done = drivers(*arguments)
    assert done.returncode == 2
    if message is not None:
        assert done.stderr == message
    assert done.stderr.split(":")[0] in ("SpecError", "TableError")
    assert {p: p.read_bytes() for p in small.root.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("arguments", [(), ("run",), ("shwo", "x"), ("run", "specs/small.yaml", "--fast")])
def test_wrong_usage_returns_2(arguments: tuple[str, ...], drivers: Any) -> None:
    assert drivers(*arguments).returncode == 2


def test_show(drivers: Any, small: Any) -> None:
    drivers("run", "specs/small.yaml")
    done = drivers("show", "reports/small", "r2")
    r2 = pd.read_csv(small.root / "reports" / "small" / "tables" / "r2.csv").r2
    assert done.returncode == 0
    shown = [line.split() for line in lines(done.stdout) if "─" not in line]
    assert shown[0] == ["r2"]
    assert shown[1][:4] == ["model", "stratum", "response", "r2"]
    assert shown[2:] == [["paths", "all", "m", f"{r2[0]:.4g}"], ["paths", "all", "y", f"{r2[1]:.4g}"]]
    assert drivers("show", "reports/small", "r2.csv").stdout == done.stdout
    whole = drivers("show", "reports/small")
    assert whole.returncode == 0
    shown = lines(whole.stdout)
    assert shown[0] == "A small study"
    assert shown[1].split() == [
        *(
            "model",
            "stratum",
            "n",
            "n_effective",
            "fishers_c",
            "fishers_c_df",
            "fishers_c_p",
            "verdict",
            "aicc",
            "r2",
            "status",
        )
    ]
    assert shown[3].split()[:3] == ["paths", "all", "95"]
    assert shown[3].split()[-1] == "ok"
    assert shown[-1].startswith("Tables: coefficients, density, distribution, dsep, effects, fit, r2, strata")


def test_show_proposes_a_table(drivers: Any) -> None:
    drivers("run", "specs/small.yaml")
    done = drivers("show", "reports/small", "coeficients")
    assert done.returncode == 2
    assert done.stderr.splitlines()[:2] == [
        "TableError: reports/small has no table `coeficients`",
        done.stderr.splitlines()[1],
    ]
    assert done.stderr.splitlines()[1].startswith("  did you mean `coefficients`?")


def test_running_twice_replaces_the_report(drivers: Any, small: Any) -> None:
    drivers("run", "specs/small.yaml")
    tables = small.root / "reports" / "small" / "tables"
    first = {p.name: p.read_bytes() for p in tables.iterdir()}
    assert drivers("run", "specs/small.yaml").returncode == 0
    assert {p.name: p.read_bytes() for p in tables.iterdir()} == first
    small.model("paths", "y ~ m")
    assert drivers("run", "specs/small.yaml").returncode == 0
    assert len(pd.read_csv(tables / "coefficients.csv")) == 1


TREES = """method: brt
formula: y ~ x + scale(z)
options: {n_trees: 30, folds: 3, shap_pixels: 0, permutations: 0, interactions: false, curves: false}
"""


@pytest.fixture
def grown(small: Any) -> Any:
    """A project whose reports/small has forests on three strata, and a table new.csv to predict."""
    (small.root / "models" / "trees.yaml").write_text(TREES, encoding="utf-8")
    strata = {"side": {"left": "x <= 10", "right": "x > 10", "nowhere": "x > 1000000"}}
    fit = [{"models": ["paths"], "over": ["all"]}, {"models": ["trees"], "over": ["all", "side"]}]
    frame = dr.simulate("chain", pixels=300, seed=1, missing=0.05).frame[["x", "z", "m", "y"]]
    small.table("pixels", frame)
    spec = {**SPEC, "response": {"y": {"unit": "g m-2"}}, "strata": strata, "fit": fit}
    small.done = dr.run(small.spec("small", spec), small.root / "reports" / "small")
    assert [stratum for _, stratum in small.done.failures] == ["side=nowhere"]
    small.new = frame.iloc[:40].assign(pixel=[f"{i:03d}" for i in range(40)]).drop(columns=["m", "y"])
    small.new.to_csv(small.root / "data" / "new.csv", index=False)
    return small


def test_predict(drivers: Any, grown: Any) -> None:
    done = drivers("predict", "reports/small", "data/new.csv")
    assert done.returncode == 0, done.stderr
    assert lines(done.stderr)[0] == "[1/1] trees on all, for new.csv"
    found = pd.read_csv(grown.root / "new-predicted.csv", dtype={"pixel": str})
    assert found.columns.tolist() == ["x", "z", "pixel", "predicted_y", "dissimilarity", "applicable"]
    assert found.pixel.tolist() == grown.new.pixel.tolist()
    result = grown.done.results["trees", "all"]
    assert found.predicted_y.tolist() == result.predict(grown.new).tolist()
    assert found.predicted_y.tolist() == result.augment().fitted[:40].tolist()
    assert found.applicable.tolist() == dr.read_forest("reports/small").applicable(grown.new).tolist()
    low, high = found.predicted_y.min(), found.predicted_y.max()
    assert lines(done.stdout) == [
        f"40 pixels; y from {number(low)} to {number(high)} g m-2",
        f"{percent(found.applicable.mean())} of the pixels are in the area of applicability",
        "Predictions: new-predicted.csv",
    ]


def test_predict_with_the_forest_of_a_stratum(drivers: Any, grown: Any) -> None:
    arguments = ("predict", "reports/small", "data/new.csv", "--stratum", "side=left", "--out", "data/l.csv")
    done = drivers(*arguments, "--model", "trees")
    assert (done.returncode, lines(done.stdout)[-1]) == (0, "Predictions: data/l.csv")
    found = pd.read_csv(grown.root / "data" / "l.csv")
    assert found.predicted_y.tolist() == grown.done.results["trees", "side=left"].predict(grown.new).tolist()


KNOWN = "  known: all, side=left, side=right"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reports", "data/new.csv"), "reports is not a report: it has no run.json"),
        (("reports/small", "data/none.csv"), "there is no table data/none.csv"),
        (
            ("reports/small", "data/new.csv", "--model", "paths"),
            "reports/small holds no forest of model `paths`",
        ),
        (
            ("reports/small", "data/new.csv", "--model", "../../x"),
            "reports/small holds no forest of model `../../x`",
        ),
        (
            ("reports/small", "data/new.csv", "--stratum", "side=nowhere"),
            f"model `trees` in reports/small has no forest of stratum `side=nowhere`\n{KNOWN}",
        ),
        (
            ("reports/small", "data/new.csv", "--out", "data/new.csv"),
            "data/new.csv is the table itself, and would be lost\n  name another file with --out",
        ),
        (
            ("reports/small", "data/new.csv", "--out", "new.parquet"),
            "new.parquet does not end like new.csv, and predictions are written as the table is\n"
            "  name a file that ends in .csv",
        ),
        (
            ("reports/small", "data/new.csv", "--out", "none/new.csv"),
            "there is no folder none\n  name another file with --out",
        ),
        (
            ("reports/small", "data/new.csv", "--out", "data"),
            "data is a folder\n  name another file with --out",
        ),
        (
            ("reports/small", "data/taken.csv"),
            "taken.csv has a column `predicted_y` already\n  rename it: predictions need the name\n"
            "taken.csv has a column `applicable` already\n  rename it: predictions need the name",
        ),
        (
            ("reports/small", "data/short.csv"),
            "short.csv has no column `x`\n  known: pixel\nshort.csv has no column `z`\n  known: pixel",
        ),
        (
            ("reports/small", "data/text.csv"),
            "column `z` of text.csv holds text (`low`)\n  the forest has learnt `z` as numbers",
        ),
    ],
)
def test_predictions_that_cannot_be(
    arguments: tuple[str, ...], message: str, drivers: Any, grown: Any
) -> None:
    for name, frame in {
        "taken": grown.new.assign(predicted_y=1, applicable=1),
        "short": grown.new[["pixel"]],
        "text": grown.new.assign(z="low"),
    }.items():
        frame.to_csv(grown.root / "data" / f"{name}.csv", index=False)
    before = {p: p.read_bytes() for p in grown.root.rglob("*") if p.is_file()}
    done = drivers("predict", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    said = done.stderr[done.stderr.index("TableError") :].removesuffix("\n")
    assert said == f"TableError: {message}" or said.startswith(f"TableError: {message}\n")
    assert {p: p.read_bytes() for p in grown.root.rglob("*") if p.is_file()} == before


def test_predict_needs_a_report_with_forests(drivers: Any, grown: Any) -> None:
    shutil.rmtree(grown.root / "reports" / "small" / "forests" / "trees" / "all")
    done = drivers("predict", "reports/small", "data/new.csv")
    assert (done.returncode, done.stderr) == (
        2,
        "TableError: model `trees` in reports/small has forests of side=left, side=right\n"
        "  say which of them\n",
    )
    shutil.rmtree(grown.root / "reports" / "small" / "forests")
    done = drivers("predict", "reports/small", "data/new.csv")
    assert (done.returncode, lines(done.stderr)[0]) == (2, "TableError: reports/small holds no forest")


def test_the_installed_command_from_anywhere(small: Any, tmp_path: Path) -> None:
    """Paths in a spec are relative to the spec, not to where one stands; 0, 3 and 2 reach the shell."""
    done = installed(tmp_path, "run", str(small.path))
    assert (done.returncode, done.stderr) == (0, "[1/1] paths on all\n")
    assert (small.root / "reports" / "small" / "index.html").exists()
    small.spec("small", {**SPEC, "fit": [{"models": ["paths"], "over": ["all", "side"]}]})
    done = installed(small.root, "run", "specs/small.yaml")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "1 fit(s) failed; tables/fit.csv says why."
    small.spec("small", {**SPEC, "sede": 1})
    done = installed(small.root, "run", "specs/small.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("SpecError: ")


def test_where_a_report_goes(tmp_path: Path) -> None:
    assert default_out(Path("specs/horqin.yaml")) == Path("reports/horqin")
    assert default_out(tmp_path / "specs" / "a.yaml") == tmp_path / "reports" / "a"
    assert default_out(Path("elsewhere/a.yaml")) == Path("reports/a")
