"""Real rasters from the folder beside the repository, against facts of the files and published numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from made_rasters import build

from drivers.errors import TableError
from drivers.stats.respiration import monthly_respiration
from drivers.stats.terrain import slope_and_aspect
from drivers.table.rasters import BuiltTable

RASTERS = Path(__file__).resolve().parents[2] / "shared" / "data" / "rasters"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if not RASTERS.exists():
        pytest.skip(f"needs {RASTERS}, shared rasters that are not part of the repository")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(
    folder: Path, file: str, layers: str, more: str = "", grid: str = ""
) -> tuple[BuiltTable, pd.DataFrame]:
    path = RASTERS / file
    return build(folder, layers.replace("FILE", str(path)), grid=f"{{like: {path}{grid}}}", more=more)


def test_china(folder: Path) -> None:
    bands = ("npp", "pre", "tem", "elev", "hfp")
    layers = "\n".join(f"{band.upper()}: {{source: FILE, band: {band}}}" for band in bands)
    built, frame = make(folder, "china_npp/npp.tif", layers, "derive: {WARM: TEM / 10}\n")
    assert built.pixels == 53_800
    assert [built.filled[band.upper()] for band in bands] == [53_310, 53_747, 53_747, 53_800, 51_895]
    assert built.warnings == ()
    complete = frame.dropna()
    assert len(complete) == 51_875
    found = complete[["NPP", "PRE", "TEM", "ELEV", "HFP"]].astype(float).corr()["NPP"]
    assert found.round(4).to_dict() == {
        "NPP": 1.0,
        "PRE": 0.7731,
        "TEM": 0.6669,
        "ELEV": -0.0319,
        "HFP": -0.0148,
    }
    with rasterio.open(RASTERS / "china_npp" / "npp.tif") as file:
        values = file.read()
        some = complete.sample(500, random_state=1)
        for row, easting, northing in some[["easting", "northing"]].itertuples():
            at = file.index(easting, northing)
            assert np.array_equal(
                values[:, at[0], at[1]], frame.loc[row, ["NPP", "PRE", "TEM", "ELEV", "HFP"]]
            )


def test_china_at_40_km_is_the_average(folder: Path) -> None:
    """The published 40 km stack is terra's aggregate of the 10 km one, which starts at the same corner."""
    fine, coarse = (RASTERS / "china_npp" / name for name in ("npp.tif", "npp_40km.tif"))
    layers = "\n".join(
        f"{band.upper()}: {{source: {fine}, band: {band}, resample: average}}\n"
        f"{band.upper()}40: {{source: {coarse}, band: {band}}}"
        for band in ("npp", "pre", "tem")
    )
    _, frame = build(folder, layers, grid=f"{{like: {coarse}}}")
    complete = frame.dropna()
    assert len(complete) == 4107
    for name in ("NPP", "PRE", "TEM"):
        np.testing.assert_allclose(complete[name], complete[f"{name}40"], atol=2e-3)
    assert complete["NPP"].corr(complete["PRE"]) == pytest.approx(0.8018719, abs=1e-7)
    assert complete["NPP"].corr(complete["TEM"]) == pytest.approx(0.6679426, abs=1e-7)


def test_sibuyan_without_a_coordinate_system(folder: Path) -> None:
    file = "landcover_two_dates/sibuyan/sibuyan.tif"
    layers = 'LU: {source: FILE, band: "lu_sib_{year}", categorical: true}\nDEM: {source: FILE, band: ef_008}'
    with pytest.raises(TableError) as caught:
        make(folder, file, layers)
    assert [(fault.message.split("/")[-1], fault.hint) for fault in caught.value.faults] == [
        (
            "sibuyan.tif does not say its coordinate system",
            "add it: `grid: {like: sibuyan.tif, crs: EPSG:...}`",
        )
    ]
    built, frame = make(folder, file, layers, "derive: {SLOPE: slope(DEM)}\n", ", crs: EPSG:32651")
    assert built.pixels == 7226
    found = pd.crosstab(frame["LU_1997"], frame["LU_2011"])
    assert np.diag(found).tolist() == [4160, 1140, 745, 156, 282]
    assert found.loc[1].tolist() == [4160, 126, 320, 116, 1]
    assert found.loc[3].tolist() == [0, 77, 745, 16, 1]
    with rasterio.open(RASTERS / file) as raster:
        slope = slope_and_aspect(raster.read(10), 250.0, 250.0).slope
    assert frame["SLOPE"].count() == np.isfinite(slope).sum()
    assert frame["SLOPE"].sum() == pytest.approx(np.nansum(slope), rel=1e-12)


def test_pie_has_cells_that_are_not_square(folder: Path) -> None:
    layers = (
        'LU: {source: FILE, band: "lu_pie_{year}", categorical: true, '
        "years: {from: 1985, to: 1999, step: 14}}"
    )
    built, frame = make(folder, "landcover_two_dates/pie/pie.tif", layers)
    assert built.pixels == 113_563
    assert frame["cell_area"].iloc[0] == pytest.approx(99.92125984251513 * 99.95485327313365, rel=1e-12)
    assert pd.crosstab(frame["LU_1985"], frame["LU_1999"]).to_numpy().tolist() == [
        [44107, 4250, 656],
        [11, 36957, 154],
        [1259, 2248, 23921],
    ]


def test_climate_of_one_year(folder: Path) -> None:
    file = "climate_netcdf/bcsd_obs_1999.nc"
    layers = """
    PRE: {source: FILE, variable: pr, time: month, aggregate: sum, unit: mm}
    TEM: {source: FILE, variable: tas, time: month, aggregate: mean}
    """
    more = "derive: {RH: \"rh(TEM, PRE, variant='pei2009_additive')\"}\n"
    built, frame = make(folder, file, layers, more)
    assert built.warnings == ()
    assert {c.name: c.unit for c in built.columns[3:5]} == {"PRE_1999": "mm", "TEM_1999": "C"}
    data = xr.open_dataset(RASTERS / file)
    stacked = data.isel(latitude=slice(None, None, -1)).stack(pixel=("latitude", "longitude"))
    stacked = stacked.dropna("pixel", how="all")
    assert built.pixels == stacked.sizes["pixel"]
    np.testing.assert_array_equal(frame["northing"], stacked["latitude"])
    pr, tas = stacked["pr"].to_numpy().astype(float), stacked["tas"].to_numpy().astype(float)
    np.testing.assert_allclose(frame["PRE_1999"], pr.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(frame["TEM_1999"], tas.mean(axis=0), rtol=1e-12)
    rh = sum(monthly_respiration(t, p, "pei2009_additive") for t, p in zip(tas, pr, strict=True))
    np.testing.assert_allclose(frame["RH_1999"], rh, rtol=1e-12)


@pytest.mark.parametrize(("file", "last", "pixels"), [("bale3g_v1", 2015, 36), ("kili3g_v0", 2013, 90)])
def test_half_months_since_1981(folder: Path, file: str, last: int, pixels: int) -> None:
    layers = "NDVI: {source: FILE, time: month, aggregate: mean}"
    built, frame = make(folder, f"ndvi_timecube/{file}.nc", layers)
    assert built.pixels == pixels
    assert built.warnings == ("`NDVI`: 1981 is left out, since only 12 of its 24 maps are there",)
    assert list(frame.columns[3:]) == [f"NDVI_{year}" for year in range(1982, last + 1)]
    data = xr.open_dataset(RASTERS / "ndvi_timecube" / f"{file}.nc")["ndvi"]
    expected = data.sel(time="1990").mean("time").to_numpy().ravel()
    np.testing.assert_allclose(frame["NDVI_1990"], expected, rtol=1e-13)
    means = frame[[f"NDVI_{year}" for year in range(1982, 2014)]].mean()
    slope = np.polyfit(np.arange(32), means, 1)[0]
    assert slope == pytest.approx(-0.000401 if file.startswith("bale") else -0.0000915, abs=5e-7)


def test_a_piece_of_new_guinea(folder: Path) -> None:
    """The subset has floats without a nodata tag, the whole map bytes; both have the same cells."""
    home = RASTERS / "landcover_two_dates" / "newguinea"
    layers = (
        f"PART: {{source: {home / 'landcover2001s.tif'}, categorical: true}}\n"
        f"WHOLE: {{source: {home / 'landcover2001.tif'}, categorical: true}}"
    )
    built, frame = build(folder, layers, grid=f"{{like: {home / 'landcover2001s.tif'}}}")
    assert built.filled["PART"] == 421_478
    both = frame.dropna()
    assert len(both) == 421_478
    assert (both["PART"] == both["WHOLE"]).all()
