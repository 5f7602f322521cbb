"""Slope and aspect: planes, a hand formula, xarray-spatial's numbers, and a real island."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats.terrain import northness, slope_and_aspect

ISLAND = Path(__file__).resolve().parents[2] / "shared/data/rasters/landcover_two_dates/sibuyan/sibuyan.tif"

GROUND = np.array(
    [
        [84.0, 73.5, 95.0, 108.4, 122.7, 102.2],
        [88.9, 84.3, 115.0, 132.7, np.nan, 75.3],
        [80.8, 132.0, 104.1, 65.4, 98.3, 76.7],
        [87.4, 90.2, 85.7, 111.1, 98.7, 88.2],
        [108.2, 116.6, 67.1, 94.9, 80.4, 96.5],
    ]
)


@given(east=st.floats(-3, 3), north=st.floats(-3, 3), width=st.floats(0.5, 90), height=st.floats(0.5, 90))
def test_planes(east: float, north: float, width: float, height: float) -> None:
    """A plane has the slope of its gradient and faces against it, on cells of any shape."""
    y, x = np.mgrid[4:-1:-1, 0:6] * np.array([height, width])[:, None, None]
    found = slope_and_aspect(100 + east * x + north * y, width, height)
    inner = found.slope[1:-1, 1:-1]
    np.testing.assert_allclose(inner, np.degrees(np.arctan(np.hypot(east, north))), atol=1e-9)
    if np.hypot(east, north) > 1e-3:
        want = np.degrees(np.arctan2(-east, -north)) % 360
        apart = (found.aspect[1:-1, 1:-1] - want + 180) % 360 - 180
        np.testing.assert_allclose(apart, 0, atol=1e-6)
    known = found.aspect[np.isfinite(found.aspect)]
    assert ((known >= 0) & (known < 360)).all()


@pytest.mark.parametrize(
    ("east", "north", "aspect"),
    [
        (0, -1, 0),
        (-1, -1, 45),
        (-1, 0, 90),
        (-1, 1, 135),
        (0, 1, 180),
        (1, 1, 225),
        (1, 0, 270),
        (1, -1, 315),
    ],
)
def test_compass(east: int, north: int, aspect: float) -> None:
    """Ground that rises to the south faces north."""
    y, x = np.mgrid[2:-1:-1, 0:3].astype(float)
    found = slope_and_aspect(east * x + north * y, 1.0, 1.0)
    assert found.aspect[1, 1] == pytest.approx(aspect, abs=1e-12)
    assert northness(found.aspect)[1, 1] == pytest.approx(np.cos(np.radians(aspect)), abs=1e-12)


def test_as_xarray_spatial() -> None:
    """xarray-spatial 0.5.3, single precision: slope on cells of 40 m x 25 m, aspect on square ones.

    Its aspect takes no cell size, so on cells that are not square it is another angle. It also gives a cell
    that is missing itself the slope of its neighbours; here that is NaN.
    """
    found, square = slope_and_aspect(GROUND, 40.0, 25.0), slope_and_aspect(GROUND, 25.0, 25.0)
    nan = np.nan
    slope = [[33.874504, 14.7971, nan, nan], [13.569262, 22.868412, nan, nan]]
    slope.append([12.00165, 18.412102, 6.089046, 7.011625])
    aspect = [[324.86118, 297.36902, nan, nan], [255.01836, 139.30359, nan, nan]]
    aspect.append([152.31163, 142.17804, 276.9776, 67.68998])
    np.testing.assert_allclose(found.slope[1:-1, 1:-1], slope, rtol=1e-6)
    np.testing.assert_allclose(square.aspect[1:-1, 1:-1], aspect, rtol=1e-6)


def test_by_hand() -> None:
    z, width, height = GROUND[2:, :3], 40.0, 25.0
    (a, b, c), (d, _, f), (g, h, i) = z
    east = ((c + 2 * f + i) - (a + 2 * d + g)) / (8 * width)
    south = ((g + 2 * h + i) - (a + 2 * b + c)) / (8 * height)
    found = slope_and_aspect(z, width, height)
    assert found.slope[1, 1] == pytest.approx(np.degrees(np.arctan(np.sqrt(east**2 + south**2))), rel=1e-12)
    # Clockwise from north, facing downhill: the form of the textbooks, with y to the south.
    assert found.aspect[1, 1] == pytest.approx((90 - np.degrees(np.arctan2(south, -east))) % 360, rel=1e-12)


def test_sibuyan() -> None:
    """The slope and aspect that come with the map were made from its elevation, in single precision."""
    rasterio = pytest.importorskip("rasterio", reason="needs rasterio to read the map")
    if not ISLAND.exists():
        pytest.skip(f"needs {ISLAND}, a shared map that is not part of the repository")
    with rasterio.open(ISLAND) as file:
        elevation, slope, aspect = file.read([10, 11, 12])
    found = slope_and_aspect(elevation, 250.0, 250.0)
    known = np.isfinite(found.slope)
    assert known.sum() > 6000
    assert np.abs(found.slope - slope)[known].max() < 1e-4
    flat = np.isnan(found.aspect) & known
    assert (aspect[flat] == -1).all()
    apart = np.abs((found.aspect - aspect + 180) % 360 - 180)[known & ~flat & (found.slope > 0.5)]
    assert apart.max() < 1e-2


def test_edges() -> None:
    flat = slope_and_aspect(np.full((3, 4), 7.0), 1.0, 1.0)
    assert flat.slope[1, 1:3].tolist() == [0, 0]
    assert np.isnan(flat.aspect).all()
    assert np.isnan(northness(flat.aspect)).all()
    assert np.isnan(flat.slope[0]).all()
    assert np.isnan(slope_and_aspect(np.ones((2, 9)), 1.0, 1.0).slope).all()
    hole = np.zeros((7, 7))
    hole[3, 3] = np.nan
    assert np.isnan(slope_and_aspect(hole, 1.0, 1.0).slope[1:-1, 1:-1]).sum() == 9


def test_sides_by_row() -> None:
    """On a geographic grid cells narrow towards the poles."""
    z = np.add.outer(np.zeros(4), 10.0 * np.arange(5))
    found = slope_and_aspect(z, np.array([5.0, 10.0, 20.0, 40.0]), 30.0)
    np.testing.assert_allclose(np.tan(np.radians(found.slope[1:3, 1])), [1.0, 0.5])


def test_faults() -> None:
    z = np.zeros((3, 3))
    with pytest.raises(ValueError, match="need \\(rows, columns\\)"):
        slope_and_aspect(z[0], 1.0, 1.0)
    with pytest.raises(ValueError, match="width of a cell must be positive"):
        slope_and_aspect(z, 0.0, 1.0)
    with pytest.raises(ValueError, match="height has shape"):
        slope_and_aspect(z, 1.0, np.ones(2))
