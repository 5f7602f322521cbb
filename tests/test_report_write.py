"""A report on disk: all of it or none of it, and the same bytes again."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from test_report_fake import FAILED, fake_run

from drivers.errors import DriversError
from drivers.report import RunTables, read_report, write_report


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_report_has_all_its_parts(tmp_path: Path) -> None:
    out = tmp_path / "reports" / "x"
    write_report(fake_run(), out)
    names = set(contents(out))
    assert {"index.html", "run.json", "tables.xlsx"} <= names
    assert {f"tables/{name}.csv" for name in fake_run().tables} <= names
    assert "figures/nep-paths--balance-sink--paths.svg" in names
    assert "figures/nep-paths--all--effects-groups.svg" in names
    assert not any("unused" in name for name in names), FAILED
    assert [p.name for p in out.parent.iterdir()] == ["x"]


def test_the_same_run_writes_the_same_bytes(tmp_path: Path) -> None:
    write_report(fake_run(), tmp_path / "a")
    write_report(fake_run(), tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_report_reads_back_and_makes_the_same_report(tmp_path: Path) -> None:
    write_report(fake_run(), tmp_path / "a")
    back = read_report(tmp_path / "a")
    assert set(back.tables) == set(fake_run().tables)
    assert dict(back.meta) == json.loads(json.dumps(fake_run().meta))
    write_report(RunTables({k: back.tables[k] for k in fake_run().tables}, back.meta), tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_report_is_replaced_and_the_users_own_files_stay(tmp_path: Path) -> None:
    out = tmp_path / "x"
    write_report(fake_run(), out)
    (out / "notes.md").write_text("mine")
    (out / "tables" / "stale.csv").write_text("old")
    run = fake_run()
    write_report(RunTables({"fit": run.tables["fit"]}, {**run.meta, "title": "second"}), out)
    assert "second" in (out / "index.html").read_text(encoding="utf-8")
    assert [p.name for p in (out / "tables").iterdir()] == ["fit.csv"]
    assert (out / "notes.md").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    write_report(RunTables({}, {}), tmp_path)
    assert (tmp_path / "index.html").exists()


def test_a_folder_that_is_not_ours_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "run.json").write_text("not json")
    with pytest.raises(DriversError, match="not empty and is not a report"):
        write_report(fake_run(), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.json", "thesis.tex"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a file")
    with pytest.raises(DriversError, match="it is a file"):
        write_report(fake_run(), tmp_path / "x")
    assert (tmp_path / "x").read_text() == "a file"


def test_a_fault_on_the_way_leaves_the_old_report_and_no_rubbish(tmp_path: Path) -> None:
    out = tmp_path / "x"
    write_report(fake_run(), out)
    before = contents(out)
    broken = RunTables(
        {"fit": pd.DataFrame({"model": ["m"], "stratum": ["all"]}), "bad/name": pd.DataFrame()}, {}
    )
    with pytest.raises(OSError, match="bad"):
        write_report(broken, out)
    assert contents(out) == before
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_what_is_not_a_report_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DriversError, match="is not a report"):
        read_report(tmp_path)
