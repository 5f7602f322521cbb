"""How fast rasters become a table, beside reading the same files with rasterio and doing nothing with them.

    .venv/bin/python tests/benchmarks/bench_table.py [SIDE ...]

Makes SIDE x SIDE cells of 21 years (NPP as scaled whole numbers, land use of five years, an elevation model
of half the cell size), builds the table, and reads every file once with rasterio. Each line is a process of
its own: its time on the processor, and its peak memory.

    `as they are`   all layers have the cells of the grid
    `resampled`     the same, onto a grid whose cells are off by half a cell: every layer is warped by GDAL
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

YEARS = range(2000, 2021)
LAND_USE_YEARS = range(2000, 2021, 5)
WEST, NORTH, CELL = 300_000.0, 5_000_000.0, 1000.0
MEGA = 1e6

SPEC = """table: bench
grid: {grid}
layers:
  NPP: {{source: "npp_{{year}}.tif", scale: 0.1{bilinear}}}
  LUCC: {{source: "lucc_{{year}}.tif", categorical: true{mode}}}
  DEM: {{source: dem.tif, resample: average}}
derive: {{SLOPE: slope(DEM), MEAN: mean(NPP)}}
"""


def make_rasters(folder: Path, side: int) -> None:
    """27 GeoTIFFs, compressed in blocks as downloads are."""
    import rasterio
    from rasterio.transform import Affine

    rng = np.random.default_rng(1)
    smooth = np.cumsum(rng.normal(size=(side, side)), axis=1) * 10.0

    def write(name: str, values: np.ndarray, cell: float, nodata: float | None) -> None:
        with rasterio.open(
            folder / f"{name}.tif", "w", driver="GTiff", count=1, dtype=values.dtype.name, nodata=nodata,
            height=values.shape[0], width=values.shape[1], crs="EPSG:32651", compress="deflate", tiled=True,
            transform=Affine(cell, 0, WEST, 0, -cell, NORTH),
        ) as file:  # fmt: skip
            file.write(values, 1)

    for year in YEARS:
        values = np.clip(5000 + smooth + rng.normal(0, 50, smooth.shape), 0, 30_000).astype(np.uint16)
        values[rng.random(smooth.shape, dtype=np.float32) < 0.02] = 65533
        write(f"npp_{year}", values, CELL, 65533)
    for year in LAND_USE_YEARS:
        write(f"lucc_{year}", rng.integers(1, 7, (side, side)).astype(np.uint8), CELL, 0)
    fine = np.repeat(np.repeat(smooth, 2, axis=0), 2, axis=1).astype(np.float32)
    write("dem", fine, CELL / 2, None)


def bare_reading(folder: Path) -> int:
    """Read every file; gives the number of cells."""
    import rasterio

    cells = 0
    for path in sorted(folder.glob("*.tif")):
        with rasterio.open(path) as file:
            cells += file.read(1).size
    return cells


def build(folder: Path, name: str) -> int:
    """Build a table; gives the number of pixels."""
    from drivers.table.rasters import build_table

    return build_table(folder / f"{name}.table.yaml").pixels


def worker(what: str, folder: Path) -> None:
    """One measurement: seconds on the processor, peak memory in MB, and a count."""
    import rasterio  # noqa: F401 (importing is no work of either side)

    import drivers.table.rasters  # noqa: F401

    begin = time.process_time()
    found = bare_reading(folder) if what == "bare" else build(folder, what)
    seconds = time.process_time() - begin
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, found)


def measured(what: str, folder: Path) -> tuple[float, float, int]:
    """The same, in a process of its own."""
    command = [sys.executable, __file__, "--worker", what, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, memory, found = done.stdout.split()
    return float(seconds), float(memory), int(found)


def measure(side: int) -> None:
    """Print the figures of one size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_rasters(folder, side)
        plain = SPEC.format(grid="{like: npp_2000.tif}", bilinear="", mode="")
        (folder / "own.table.yaml").write_text(plain.replace("table: bench", "table: own"), encoding="utf-8")
        west, north = WEST + CELL / 2, NORTH - CELL / 2
        bounds = [west, north - (side - 1) * CELL, west + (side - 1) * CELL, north]
        grid = f"{{crs: EPSG:32651, resolution: {CELL:g}, bounds: {bounds}}}"
        warped = SPEC.format(grid=grid, bilinear=", resample: bilinear", mode=", resample: mode")
        (folder / "off.table.yaml").write_text(warped.replace("table: bench", "table: off"), encoding="utf-8")
        size = sum(path.stat().st_size for path in folder.glob("*.tif")) / MEGA
        bare, memory, cells = measured("bare", folder)
        print(
            f"{side} x {side} cells, {len(list(folder.glob('*.tif')))} files, {size:.0f} MB, {cells:,} values"
        )
        print(f"{'':<22} {'time':>9}  {'ratio':>6}  {'values/s':>12}  {'peak':>8}")
        print(
            f"{'rasterio, bare':<22} {bare:>7.2f} s  {1.0:>6.2f}  {cells / bare:>12,.0f}  {memory:>5.0f} MB"
        )
        for label, what in (("table, as they are", "own"), ("table, resampled", "off")):
            seconds, memory, _ = measured(what, folder)
            rate = cells / seconds
            print(f"{label:<22} {seconds:>7.2f} s  {seconds / bare:>6.2f}  {rate:>12,.0f}  {memory:>5.0f} MB")
        print()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], Path(sys.argv[3]))
    else:
        for each in [int(float(a)) for a in sys.argv[1:]] or [500, 2000]:
            measure(each)
