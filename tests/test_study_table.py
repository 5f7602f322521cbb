"""A study on a table spec: the table is made when it is due, and its grid is known; checks of both."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_rasters import write_tif
from typer.testing import CliRunner

import drivers as dr
from drivers.cli import app, main
from drivers.progress import SILENT
from drivers.spec import read_spec
from drivers.study_table import load_table, outdated_table, ready_table

SHAPE = (12, 10)
NAMED = "unnamed Albers Equal Area"
ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lon_0=105 +datum=WGS84 +units=m"
STUDY = """study: s
table: {spec: made.table.yaml}
response: {N: {}}
drivers: {a: {X: {}}}
fit: [{models: ../models/m.yaml}]
"""
TABLE = """table: made
grid: {like: x.tif}
layers:
  N: {source: "n_{year}.tif"}
  X: {source: x.tif, unit: mm}
derive: {S: slope(X), M: mean(N)}
output: ../data/made.parquet
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    for name in ("specs", "models", "data"):
        (tmp_path / name).mkdir()
    x = rng.normal(size=SHAPE)
    write_tif(tmp_path / "specs" / "x.tif", x, crs=ALBERS)
    for year in (2001, 2002):
        write_tif(tmp_path / "specs" / f"n_{year}.tif", x + rng.normal(size=SHAPE), crs=ALBERS)
    (tmp_path / "models" / "m.yaml").write_text("method: psem\nformula: N ~ X\n")
    (tmp_path / "specs" / "made.table.yaml").write_text(TABLE)
    (tmp_path / "specs" / "s.yaml").write_text(STUDY.replace("N: {}", "M: {}"))
    (tmp_path / "models" / "m.yaml").write_text("method: psem\nformula: M ~ X\n")
    return tmp_path


def invoke(*arguments: str) -> tuple[int, list[str]]:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout.splitlines()


def stale(folder: Path) -> str:
    return outdated_table(read_spec(folder / "specs" / "s.yaml"))


def fails(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What a command says that ends with 2."""
    monkeypatch.setattr("sys.argv", ["drivers", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_check_of_a_table_spec_says_what_it_makes_and_writes_nothing(folder: Path) -> None:
    code, lines = invoke("check", "specs/made.table.yaml")
    assert (code, lines) == (
        0,
        [
            "specs/made.table.yaml: sound. made: 120 pixels at most (12 rows of 10 cells), "
            "cells of 1\u202f000 x 1\u202f000 metres, unnamed Albers Equal Area",
            "  8 columns, 7.68 kB of numbers at most; 3 file(s) to read",
            "  N 2001-2002: n_2001.tif to n_2002.tif, cells as they are, 2 columns, float64",
            "  X: x.tif, cells as they are, float64, mm",
            "  S: slope(X), float64, degree",
            "  M: mean(N), float64",
            f"Table: {Path('data/made.parquet')} is not there yet",
        ],
    )
    assert not list((folder / "data").iterdir())


def test_check_of_a_table_spec_without_its_name_goes_by_its_keys(folder: Path) -> None:
    (folder / "specs" / "made.table.yaml").rename(folder / "specs" / "china.yaml")
    assert invoke("check", "specs/china.yaml")[1][0].startswith("specs/china.yaml: sound. made: 120 pixels")


def test_check_says_every_fault_of_the_rasters(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TABLE.replace('"n_{year}.tif"', '"n_{year}.tif", years: [2001, 2003]')
    (folder / "specs" / "made.table.yaml").write_text(text.replace("source: x.tif", "source: z.tif"))
    said = fails(capsys, monkeypatch, "check", "specs/made.table.yaml")
    assert "2003" in said
    assert "z.tif" in said


def test_a_study_makes_its_table_once(folder: Path) -> None:
    code, lines = invoke("check", "specs/s.yaml")
    assert code == 0
    assert lines[-1] == (
        "specs/s.yaml: sound as far as can be known before its table is made "
        "(to be made because it is not there yet)"
    )
    code, lines = invoke("run", "specs/s.yaml")
    table, spec = Path("data/made.parquet"), Path("specs/made.table.yaml")
    assert code == 0
    assert lines[0] == f"Table: {table} is made from {spec}, because it is not there yet"
    assert lines[1].startswith("made: 120 pixels of 120 cells")
    before = (folder / "data" / "made.parquet").stat().st_mtime_ns
    code, lines = invoke("run", "specs/s.yaml")
    assert (code, lines[0]) == (0, f"Table: {table} is up to date with {spec}")
    assert (folder / "data" / "made.parquet").stat().st_mtime_ns == before
    assert invoke("check", "specs/s.yaml")[1] == [
        "specs/s.yaml: sound. made.parquet: 120 pixels. 1 model(s), 1 fit(s)."
    ]


def test_a_table_is_made_again_when_its_spec_or_a_file_has_changed(folder: Path) -> None:
    done = dr.run(folder / "specs" / "s.yaml")
    assert [Path(name).name for name in done.tables.meta["sha256"]["documents"]] == [
        "s.yaml",
        "m.yaml",
        "made.table.yaml",
    ]
    assert done.tables.meta["table"]["crs"] == "unnamed Albers Equal Area"
    assert stale(folder) == ""
    source = folder / "specs" / "n_2002.tif"
    later = (folder / "data" / "made.parquet").stat().st_mtime + 10
    os.utime(source, (later, later))
    assert stale(folder) == "n_2002.tif is newer"
    os.utime(folder / "specs" / "x.tif", (later, later))
    assert stale(folder) == "n_2002.tif and 1 more are newer"
    for name in ("n_2002.tif", "x.tif"):
        os.utime(folder / "specs" / name, (later - 100, later - 100))
    assert stale(folder) == ""
    # Another file under the old name and date, as `cp -p` and rsync leave it.
    kept = source.read_bytes()
    source.write_bytes((folder / "specs" / "x.tif").read_bytes())
    os.utime(source, (later - 100, later - 100))
    assert stale(folder) == "n_2002.tif is not what it was made from"
    source.write_bytes(kept)
    os.utime(source, (later - 100, later - 100))
    source.rename(folder / "specs" / "n_2003.tif")
    assert stale(folder) == "the files hold other years than it has"
    dr.run(folder / "specs" / "s.yaml")
    assert "N_2003" in pd.read_parquet(folder / "data" / "made.parquet").columns
    spec = folder / "specs" / "made.table.yaml"
    spec.write_text(TABLE.replace("unit: mm", "unit: cm"))
    assert stale(folder) == "made.table.yaml has changed since"


def test_a_table_without_its_rasters_stands_and_one_with_some_of_them_does_not(folder: Path) -> None:
    dr.run(folder / "specs" / "s.yaml")
    (folder / "specs" / "x.tif").unlink()
    with pytest.raises(dr.TableError, match=r"x\.tif"):
        stale(folder)
    for year in (2001, 2002):
        (folder / "specs" / f"n_{year}.tif").unlink()
    assert stale(folder) == ""
    assert dr.run(folder / "specs" / "s.yaml").table("strata")["n"].tolist() == [120]


def test_faults_of_a_table_spec_come_with_those_of_the_study(folder: Path) -> None:
    (folder / "specs" / "made.table.yaml").write_text(TABLE.replace("slope(X)", "slop(X)"))
    (folder / "specs" / "s.yaml").write_text(STUDY.replace("drivers", "divers"))
    with pytest.raises(dr.SpecError) as caught:
        read_spec(folder / "specs" / "s.yaml")
    said = str(caught.value)
    assert "unknown key `divers`" in said
    assert "`slop(...)` is no function of derived columns" in said


def test_a_column_that_the_table_will_not_have(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`M` is known before the table is made; `N` has years only."""
    (folder / "specs" / "s.yaml").write_text(STUDY)
    (folder / "models" / "m.yaml").write_text("method: psem\nformula: N ~ X\n")
    assert fails(capsys, monkeypatch, "check", "specs/s.yaml") == (
        "TableError: made.parquet will have no column `N`\n"
        f"  {Path('specs/s.yaml')}, line 3:  response: {{N: {{}}}}\n"
        "                                    ^\n"
        "  known: easting, northing, cell_area, N_2001, N_2002, X, S, M\n"
    )


def test_what_the_study_cannot_use_is_not_made(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel = "pixel: {easting: lon, northing: northing, crs: EPSG:32651, size: 30}\n"
    (folder / "specs" / "s.yaml").write_text(STUDY.replace("N: {}", "M: {}") + pixel)
    faults = (
        f"TableError: made.parquet has its coordinates in {NAMED}, not in EPSG:32651\n"
        f"  specs/s.yaml, line 6:  {pixel}"
        "                         ^^^^^\n"
        "  leave `crs:` out\n"
        "the cells of made.parquet are 1000 by 1000, not 30\n"
    )
    said = fails(capsys, monkeypatch, "check", "specs/s.yaml")
    assert said.startswith(faults)
    assert "made.parquet will have no column `lon`" in said
    monkeypatch.setattr("sys.argv", ["drivers", "run", "specs/s.yaml"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == said
    with pytest.raises(dr.TableError, match="not in EPSG:32651"):
        dr.run(folder / "specs" / "s.yaml")
    assert not (folder / "data" / "made.parquet").exists()


def test_a_table_that_is_not_ours_is_not_written_over(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pd.DataFrame({"M": [1.0], "X": [2.0]}).to_parquet(folder / "data" / "made.parquet")
    before = (folder / "data" / "made.parquet").read_bytes()
    assert "`drivers table` did not write it" in fails(capsys, monkeypatch, "run", "specs/s.yaml")
    assert (folder / "data" / "made.parquet").read_bytes() == before


def test_a_made_table_knows_its_grid(folder: Path) -> None:
    study = read_spec(folder / "specs" / "s.yaml")
    ready_table(study, lambda _: nullcontext(SILENT))
    table = load_table(study)
    assert (table.easting, table.northing, table.cell_size) == ("easting", "northing", 1000.0)
    assert table.crs is not None
    assert "Albers" in table.crs
    assert not table.geographic
    plain = STUDY.replace("N: {}", "M: {}").replace("{spec: made.table.yaml}", "{path: ../data/made.parquet}")
    for pixel, message in (
        ("", ""),
        (f"pixel: {{crs: '{ALBERS}', size: 1000}}\n", ""),
        (
            "pixel: {crs: EPSG:32651}\n",
            "made.parquet has its coordinates in unnamed Albers Equal Area, not in EPSG:32651",
        ),
        ("pixel: {size: 500}\n", "the cells of made.parquet are 1000 by 1000, not 500"),
    ):
        (folder / "specs" / "p.yaml").write_text(plain + pixel)
        study = read_spec(folder / "specs" / "p.yaml")
        if not message:
            assert load_table(study).cell_size == 1000.0
            continue
        with pytest.raises(dr.TableError) as caught:
            load_table(study)
        assert str(caught.value).splitlines()[0] == f"TableError: {message}"


def test_cells_that_are_not_square_have_no_side(folder: Path) -> None:
    write_tif(folder / "specs" / "w.tif", np.ones(SHAPE), side=(1000.0, 500.0))
    spec = folder / "specs" / "w.table.yaml"
    spec.write_text("table: w\ngrid: {like: w.tif}\nlayers: {W: {source: w.tif}}\n")
    assert invoke("table", str(spec))[0] == 0
    table = dr.read_table(folder / "specs" / "w.parquet")
    assert (table.cell_size, table.crs, table.easting) == (None, "EPSG:32651", "easting")


def test_one_kind_of_spec_where_the_other_should_be(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fails(capsys, monkeypatch, "run", "specs/made.table.yaml") == (
        "SpecError: specs/made.table.yaml is a table spec, not a study spec\n"
        "  specs/made.table.yaml, line 2:  grid: {like: x.tif}\n"
        "                                  ^^^^\n"
        "  `drivers table specs/made.table.yaml`\n"
    )
    (folder / "specs" / "t.yaml").write_text(STUDY.replace("made.table.yaml", "s.yaml"))
    assert fails(capsys, monkeypatch, "check", "specs/t.yaml").splitlines()[0] == (
        "SpecError: specs/s.yaml is a study spec, not a table spec"
    )
    (folder / "specs" / "t.yaml").write_text(STUDY.replace("made.table.yaml", "mad.table.yaml"))
    assert "did you mean `made.table.yaml`?" in fails(capsys, monkeypatch, "check", "specs/t.yaml")
