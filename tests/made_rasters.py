"""Small rasters and table specs, made where a test needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.transform import Affine

from drivers.table.rasters import BuiltTable, build_table

UTM = "EPSG:32651"
WEST, NORTH, SIDE = 500_000.0, 4_000_000.0, 1000.0
SHAPE = (12, 9)
FIELD = np.random.default_rng(6).normal(100.0, 30.0, SHAPE).astype(np.float32)


def grid_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a raster that gives the grid: `folder = pytest.fixture(grid_folder)`."""
    monkeypatch.chdir(tmp_path)
    write_tif(tmp_path / "grid.tif", FIELD)
    return tmp_path


def write_tif(
    path: Path,
    values: Any,
    *,
    crs: str | None = UTM,
    west: float = WEST,
    north: float = NORTH,
    side: float | tuple[float, float] = SIDE,
    nodata: float | None = None,
    names: tuple[str, ...] = (),
    scale: float | None = None,
    offset: float | None = None,
    south_up: bool = False,
) -> Path:
    """A GeoTIFF of one band (rows, columns) or several (bands, rows, columns)."""
    bands = np.asarray(values)
    bands = bands[None] if bands.ndim == 2 else bands
    width, height = side if isinstance(side, tuple) else (side, side)
    path.parent.mkdir(parents=True, exist_ok=True)
    transform = Affine(width, 0, west, 0, -height, north)
    if south_up:
        bands = bands[:, ::-1]
        transform = Affine(width, 0, west, 0, height, north - bands.shape[1] * height)
    profile = {
        "driver": "GTiff",
        "count": bands.shape[0],
        "height": bands.shape[1],
        "width": bands.shape[2],
        "dtype": bands.dtype,
        "crs": crs,
        "transform": transform,
        "nodata": nodata,
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(bands)
        for number, name in enumerate(names, 1):
            file.set_band_description(number, name)
        if scale is not None:
            file.scales = [scale] * bands.shape[0]
        if offset is not None:
            file.offsets = [offset] * bands.shape[0]
    return path


def write_spec(folder: Path, layers: str, *, grid: str = "{like: grid.tif}", more: str = "") -> Path:
    """A table spec `made`; layers as YAML lines."""
    lines = "".join(f"  {line.strip()}\n" for line in layers.strip().splitlines())
    path = folder / "made.table.yaml"
    path.write_text(f"table: made\ngrid: {grid}\nlayers:\n{lines}{more}", encoding="utf-8")
    return path


def build(folder: Path, layers: str, **parts: str) -> tuple[BuiltTable, pd.DataFrame]:
    """Write a spec, build its table, read it."""
    built = build_table(write_spec(folder, layers, **parts))
    return built, pd.read_parquet(built.path)


def column(frame: pd.DataFrame, name: str, shape: tuple[int, int], side: float = SIDE) -> np.ndarray:
    """A column as a map on a grid that begins at (WEST, NORTH)."""
    held = np.full(shape, np.nan)
    rows = ((NORTH - frame["northing"]) // side).astype(int)
    places = ((frame["easting"] - WEST) // side).astype(int)
    held[rows, places] = frame[name].astype(float)
    return held
