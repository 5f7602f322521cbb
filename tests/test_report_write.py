"""A report on disk: all of it or none of it, and the same bytes again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from test_report_fake import FAILED, fake_run

from drivers.errors import DriversError, TableError
from drivers.report import RunTables, check_target, read_report, write_report
from drivers.report import target as target_module


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
    (out / "tables" / "mine.csv").write_text("mine too")
    (out / "tables" / "more").mkdir()
    (out / "tables" / "more" / "x.csv").write_text("deep")
    (out / "figures" / "map.png").write_bytes(b"png")
    (out / "maps").mkdir()
    (out / "maps" / "link").symlink_to("nowhere")
    run = fake_run()
    write_report(RunTables({"fit": run.tables["fit"]}, {**run.meta, "title": "second"}), out)
    assert "second" in (out / "index.html").read_text(encoding="utf-8")
    assert sorted(p.name for p in (out / "tables").iterdir()) == ["fit.csv", "mine.csv", "more"]
    assert (out / "tables" / "more" / "x.csv").read_text() == "deep"
    assert not (out / "figures" / "nep-paths--all--effects-groups.svg").exists()
    assert (out / "figures" / "map.png").read_bytes() == b"png"
    assert (out / "maps" / "link").is_symlink()
    assert "mine" not in json.loads((out / "run.json").read_text(encoding="utf-8"))["files"]
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
    with pytest.raises(TableError, match="bad"):
        write_report(broken, out)
    assert contents(out) == before
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_folder_with_somebody_elses_run_json_is_refused(tmp_path: Path) -> None:
    for facts in ("{}", '{"versions": {"numpy": "2"}, "sha256": {}}', "[]"):
        (tmp_path / "run.json").write_text(facts)
        (tmp_path / "tables").mkdir(exist_ok=True)
        (tmp_path / "tables" / "mine.csv").write_text("mine")
        with pytest.raises(TableError, match="not a report"):
            write_report(fake_run(), tmp_path)
        assert (tmp_path / "tables" / "mine.csv").read_text() == "mine"
        with pytest.raises(TableError, match="not written by ecodrivers"):
            read_report(tmp_path)


def test_a_target_that_cannot_be_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    for out in (tmp_path / "file" / "x", tmp_path / "file" / "x" / "y", tmp_path / ("n" * 300)):
        for refuse in (check_target, lambda path: write_report(fake_run(), path)):
            with pytest.raises(TableError, match="cannot write a report") as caught:
                refuse(out)
            assert "name another folder with --out" in str(caught.value)
    if Path("/proc/self").exists():
        with pytest.raises(TableError, match="cannot write a report to /proc/x"):
            check_target(Path("/proc/x"))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_parent_that_is_not_writable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(target_module.tempfile, "mkdtemp", refuse)
    with pytest.raises(TableError, match="permission denied"):
        check_target(tmp_path / "new" / "x")
    assert not list(tmp_path.iterdir())


def test_looking_leaves_nothing_behind_and_long_names_can_be_written(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / ("n" * 250)
    check_target(out)
    assert not list(tmp_path.iterdir())
    write_report(fake_run(), out)
    assert (out / "index.html").exists()
    assert [p.name for p in out.parent.iterdir()] == [out.name]


def test_folders_made_for_a_report_that_failed_are_removed(tmp_path: Path) -> None:
    with pytest.raises(TableError):
        write_report(RunTables({"bad/name": pd.DataFrame()}, {}), tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    out = tmp_path / "x"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    ours = [tmp_path / f".x-{kind}-{dead.pid}-abcd_123" for kind in ("new", "old")]
    others = [
        tmp_path / f".x-new-{os.getppid()}-abcd_123",  # alive
        tmp_path / f".x-y-new-{dead.pid}-abcd_123",  # of another report
        tmp_path / f".x-new-{dead.pid}-abcd_123.bak",
        tmp_path / ".x-notes",
    ]
    for folder in (*ours, *others):
        folder.mkdir()
        (folder / "index.html").write_text("half")
    write_report(fake_run(), out)
    assert not any(folder.exists() for folder in ours)
    assert all(folder.exists() for folder in others)


def test_a_report_that_a_killed_run_had_set_aside_comes_back(tmp_path: Path) -> None:
    out = tmp_path / "x"
    write_report(fake_run(), out)
    (out / "notes.md").write_text("mine")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    out.rename(tmp_path / f".x-old-{dead.pid}-abcd_123")
    write_report(fake_run(), out)
    assert (out / "notes.md").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    out = tmp_path / "x"
    write_report(fake_run(), out)
    for damage in (b"model,stratum\n\xff\xfe,a\n", b"model,stratum\na\nb,c\n"):
        copy = tmp_path / "y"
        shutil.copytree(out, copy, dirs_exist_ok=True)
        (copy / "tables" / "fit.csv").write_bytes(damage)
        with pytest.raises(TableError, match=r"fit\.csv cannot be read"):
            read_report(copy)
    for broken in (b"{", b"\xff\xfe"):
        (out / "run.json").write_bytes(broken)
        with pytest.raises(TableError, match=r"run\.json cannot be read") as caught:
            read_report(out)
        assert "it has no" not in str(caught.value)


def test_what_is_not_a_report_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DriversError, match="is not a report"):
        read_report(tmp_path)
