"""Neighbouring pixels of two real maps, counted in every way (docs/inference.md)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import drivers as dr
from drivers.table import pixel_table_from_frame

RASTER = Path(__file__).resolve().parents[2] / "shared/data/rasters/china_npp/npp.tif"


def side_by_side(result: Any) -> pd.DataFrame:
    rows = pd.DataFrame(result.records["coefficient_errors"])
    return rows.pivot(index=["response", "term"], columns="errors", values="std_error")


def test_western_australia(shared_table: Callable[[str], Path]) -> None:
    table = dr.read_table(shared_table("soil_grid_wa"), easting="Lon", northing="Lat", crs="EPSG:4326")
    model = "SOC ~ Elevation + Slope + Water; pH ~ Elevation + SOC; NDVI ~ SOC + pH + Slope + Water"
    result = dr.fit(model, table)
    errors, fit = side_by_side(result), result.glance().iloc[0]
    for kind in ("effective", "block"):
        ratio = errors[kind] / errors["classical"]
        assert ((ratio > 3) & (ratio < 40)).all(), kind
    # Two ways that share nothing but the pixels agree within a factor of two and a half.
    assert (np.abs(np.log(errors["effective"] / errors["block"])) < np.log(2.5)).all()
    paths = result.tidy().set_index(["response", "term"])
    assert (paths.p_classical < 1e-4).all()
    assert paths.loc[("NDVI", "pH")].p_value > 0.2
    assert paths.loc[("NDVI", "SOC")].p_value < 0.001
    assert fit.fishers_c_classical > 50 * fit.fishers_c
    claims = result.claims().set_index(["response", "term"])
    assert claims.loc[("pH", "Water")].p_value > 0.2 > 1e-6 > claims.loc[("pH", "Water")].p_classical
    assert claims.loc[("pH", "Slope")].p_value < 0.001


def test_china() -> None:
    rasterio = pytest.importorskip("rasterio", reason="reading the raster needs rasterio")
    if not RASTER.exists():
        pytest.skip(f"needs {RASTER}, a shared raster that is not part of the repository")
    with rasterio.open(RASTER) as file:
        bands, names, transform = file.read().astype(float), file.descriptions, file.transform
    row, column = np.nonzero(np.isfinite(bands).all(axis=0))
    easting, northing = transform * (column + 0.5, row + 0.5)
    frame = pd.DataFrame({name.upper(): band[row, column] for name, band in zip(names, bands, strict=True)})
    table = pixel_table_from_frame(
        frame.assign(x=easting, y=northing), easting="x", northing="y", cell_size=10_000
    )
    assert table.n == 51_875
    result = dr.fit("TEM ~ ELEV; PRE ~ ELEV + TEM; HFP ~ ELEV + TEM + PRE; NPP ~ TEM + PRE + HFP", table)
    paths, fit = result.tidy().set_index(["response", "term"]), result.glance().iloc[0]
    assert (paths.p_classical < 1e-3).all()
    assert (paths.n_effective < 50).all()
    assert fit.verdict == "undecided"
    assert fit.message.startswith("too few independent pixels for a test of `TEM ~ ELEV`")
    assert np.isnan(paths.loc[("PRE", "TEM")].p_value)
    errors = side_by_side(result)
    assert (errors["effective"] > 20 * errors["classical"]).all()
    assert (errors["block"] > 10 * errors["classical"]).all()
