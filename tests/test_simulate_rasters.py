"""Simulated rasters become the table that was planted in them, exactly; their traps catch the careless."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import drivers as dr
from drivers.errors import TableError
from drivers.simulate import simulate_rasters
from drivers.simulate.raster_data import LATTICES, TRAPS
from drivers.stats.cell_area import cell_areas
from drivers.table.rasters import build_table


def assert_planted(frame: pd.DataFrame, planted: pd.DataFrame) -> None:
    """Every column that was planted is there, bit by bit."""
    assert len(frame) == len(planted)
    for name in planted:
        found = frame[name].astype("float64").to_numpy()
        np.testing.assert_array_equal(found, planted[name].to_numpy(), err_msg=name)


@pytest.mark.parametrize("grid", LATTICES)
@pytest.mark.parametrize("traps", [tuple(TRAPS), ()], ids=["traps", "none"])
def test_the_table_is_what_was_planted(tmp_path: Path, grid: str, traps: tuple[str, ...]) -> None:
    made = simulate_rasters(tmp_path, pixels=600, seed=3, grid=grid, traps=traps)
    built = build_table(made.table_spec)
    frame = pd.read_parquet(built.path)
    assert_planted(frame, made.frame)
    assert [w for w in built.warnings if "cell_area" not in w] == []
    nep = made.frame.filter(like="NEP_")
    assert 0.01 < np.isnan(nep).to_numpy().mean() < 0.03
    lattice = LATTICES[grid]
    if grid == "degrees":
        want = cell_areas(made.frame["northing"].to_numpy(), lattice.width, lattice.height)
        np.testing.assert_allclose(frame["cell_area"], want, rtol=1e-12)
    else:
        assert set(frame["cell_area"]) == {lattice.width * lattice.height}


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_alone(tmp_path: Path, trap: str) -> None:
    made = simulate_rasters(tmp_path, pixels=300, seed=1, traps=[trap])
    assert_planted(pd.read_parquet(build_table(made.table_spec).path), made.frame)


def careless(made: Path, remove: str) -> Path:
    """The table spec without the words that answer to a trap."""
    text = made.read_text(encoding="utf-8")
    assert remove in text
    made.write_text(text.replace(remove, ""), encoding="utf-8")
    return made


def test_who_does_not_declare_the_fill_value_is_warned(tmp_path: Path) -> None:
    made = simulate_rasters(tmp_path, pixels=600, seed=3)
    built = build_table(careless(made.table_spec, ", nodata: 65533"))
    assert any(
        w.startswith("`PRE` holds 65533 in") and w.endswith("add `nodata: 65533`") for w in built.warnings
    )


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        (", resample: nearest", "`TEM`"),
        (", resample: average", "`DEM`"),
        (", crs: EPSG:32651", "does not say its coordinate system"),
    ],
)
def test_who_does_not_say_how_is_refused(tmp_path: Path, remove: str, message: str) -> None:
    made = simulate_rasters(tmp_path, pixels=300)
    with pytest.raises(TableError, match=message):
        build_table(careless(made.table_spec, remove))


def test_the_same_seed_gives_the_same_table(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        made = simulate_rasters(tmp_path / name, pixels=200, seed=seed)
        text = (tmp_path / name / "rasters" / "NEP_2004.tif").read_bytes()
        digests.append(hashlib.sha256(text + made.frame.to_numpy().tobytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_its_study_runs_from_the_rasters(tmp_path: Path) -> None:
    made = simulate_rasters(tmp_path, pixels=400, seed=2)
    done = dr.run(made.study_spec, tmp_path / "out")
    assert done.failures == {}
    assert (tmp_path / "horqin-rasters.parquet").exists()
    table = done.table("transfer_classes").query("stratum == 'all'")
    assert table["before"].sum() == pytest.approx(400.0)  # km2: every pixel has a class in both years
    slopes = done.table("series_trend").set_index("stratum")["sen_slope"]
    assert slopes["landuse=forestland"] > slopes["landuse=impervious"]


def test_every_fault_at_once(tmp_path: Path) -> None:
    with pytest.raises(TableError) as caught:
        simulate_rasters(tmp_path / "new", pixels=3, seed=-1, grid="degree", traps=["scale"])
    said = str(caught.value)
    for part in ("3 pixels", "negative: -1", "did you mean `degrees`", "did you mean `scaled`"):
        assert part in said
    assert not (tmp_path / "new").exists()
