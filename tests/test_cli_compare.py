"""`drivers compare` as a user meets it: two runs side by side, and what cannot be compared."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import drivers as dr
from drivers.cli import main
from drivers.glossary import TABLES


def study(project: Any, name: str, seed: int, sign: float) -> None:
    """A study of a region: what drives y there, in one direction or the other."""
    frame = dr.simulate("chain", pixels=300, seed=seed).frame[["x", "z", "m", "y"]]
    project.table(name, frame.assign(y=sign * frame["y"]))
    content = {
        "study": name,
        "title": name,
        "table": {"path": f"../data/{name}.csv"},
        "response": {"y": {}},
        "drivers": {"all": {"m": {}, "x": {}, "z": {}}},
        "fit": [{"models": ["paths", "short"], "over": ["all"]}],
        "seed": 1,
    }
    dr.run(project.spec(name, content), project.root / name)


@pytest.fixture
def runs(project: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of two runs, north and south, in which `short` is not the same model."""
    project.model("paths", "m ~ x + z; y ~ m + z")
    project.model("short", "y ~ x")
    study(project, "north", 1, 1.0)
    project.model("short", "y ~ x + z")
    study(project, "south", 2, -1.0)
    monkeypatch.chdir(project.root)
    root: Path = project.root
    return root


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command: its exit code, what it prints, and what it says of faults."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["drivers", "compare", *arguments])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def written(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_runs_and_a_model_that_differs(runs: Path, compare: Any) -> None:
    code, out, err = compare("north", "south", "--out", "both/tables")
    assert (code, err) == (0, "")
    assert (
        "note: model `short` is not compared, for it is not the same model in both runs: its formula is  "
        "y ~ x  in `north` and  y ~ x + z  in `south`"
    ) in out.splitlines()
    found = runs / "both" / "tables"
    assert sorted(path.name for path in found.iterdir()) == ["comparison.csv", "rank_agreement.csv"]
    table = pd.read_csv(found / "comparison.csv")
    assert list(table.columns) == list(TABLES["comparison"])
    assert set(table["model"]) == {"paths"}
    assert set(table["stratum_a"] + table["stratum_b"]) == {"northsouth"}
    paths = table[table["quantity"] == "path"].set_index(["response", "driver"])
    # What acts on m is alike in both; what m does to y is turned round.
    assert paths.loc[("y", "m"), "p_adjusted"] < 1e-6
    assert paths.loc[("m", "x"), "p_adjusted"] > 0.05
    own = [pd.read_csv(runs / name / "tables" / "coefficients.csv") for name in ("north", "south")]
    a, b = (t[(t["model"] == "paths") & (t["response"] == "y") & (t["term"] == "m")].iloc[0] for t in own)
    assert paths.loc[("y", "m"), "difference"] == pytest.approx(a["estimate"] - b["estimate"])
    apart, tested = (table["p_adjusted"] < 0.05).sum(), table["p_value"].notna().sum()
    assert out.splitlines()[-2:] == [
        f"{apart} of {tested} tested differences remain at a false discovery rate of 5%; "
        f"{len(table) - tested} numbers have no standard error to test with",
        "Tables: both/tables",
    ]


def test_nothing_is_written_unasked_or_over_something(runs: Path, compare: Any) -> None:
    before = written(runs)
    code, out, _ = compare("north", "south")
    assert code == 0
    assert "Tables:" not in out
    code, out, err = compare("north", "south", "--out", "data")
    assert (code, out) == (2, "")
    assert err == "TableError: data exists already\n  give --out a folder that does not exist\n"
    assert written(runs) == before


def test_runs_that_cannot_be_compared(runs: Path, compare: Any) -> None:
    before = written(runs)
    for places in (("north", "data"), ("nowhere", "south"), ("north", "specs/north.yaml")):
        code, out, err = compare(*places, "--out", "both")
        wrong = next(place for place in places if place not in ("north", "south"))
        assert (code, out) == (2, "")
        assert err == (
            f"TableError: {wrong} is not a report: it has no run.json\n  `drivers run SPEC` writes one\n"
        )
    code, out, err = compare("north", "north", "--out", "both")
    assert (code, out) == (2, "")
    assert err.startswith("TableError: `north (a)` and `north (b)` used the same table")
    assert written(runs) == before


def test_runs_whose_models_all_differ(project: Any, compare: Any) -> None:
    for seed, name in enumerate(("north", "south")):
        project.model("paths", f"y ~ m{' + z' * seed}")
        project.model("short", f"y ~ x{' + z' * seed}")
        study(project, name, seed, 1.0)
    code, out, err = compare(str(project.root / "north"), str(project.root / "south"))
    assert (code, out) == (2, "")
    faults = "\n".join(
        f"model `{name}` is not the same model in both runs\n  its formula is  y ~ {driver}  in `north` and  "
        f"y ~ {driver} + z  in `south`"
        for name, driver in (("paths", "m"), ("short", "x"))
    )
    assert err == f"TableError: {faults}\n"


def test_a_table_that_was_taken_out_is_missed(runs: Path, compare: Any) -> None:
    (runs / "south" / "tables" / "effects.csv").unlink()
    code, out, err = compare("north", "south")
    assert code == 0
    assert "south has no effects.csv, so what it holds is not compared" in out + err
