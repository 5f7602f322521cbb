"""Areas of cells of degrees: they fill the ellipsoid, as pyproj's polygons do, and a sphere is one."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod

from drivers.stats.cell_area import WGS84, band_area, cell_areas


def test_they_fill_the_ellipsoid() -> None:
    size = 0.5
    whole = cell_areas(np.arange(-90 + size / 2, 90, size), size, size).sum() * 360 / size
    assert whole == pytest.approx(510_065_621_724_089, rel=1e-12)  # WGS 84, in m2


@pytest.mark.parametrize("latitude", [-71.3, 0.1, 33.0, 88.0])
def test_a_cell_is_a_polygon_of_parallels_and_meridians(latitude: float) -> None:
    width, height = 0.25, 0.5
    geod = Geod(a=WGS84[0], b=WGS84[1])
    # A side along a parallel is no geodesic: it is cut finely.
    along = np.linspace(0.0, width, 2001)
    low, high = np.full(2001, latitude - height / 2), np.full(2001, latitude + height / 2)
    area = abs(geod.polygon_area_perimeter([*along, *along[::-1]], [*low, *high])[0])
    assert cell_areas(np.array([latitude]), width, height)[0] == pytest.approx(area, rel=1e-9)


def test_cells_end_at_the_pole_and_a_sphere_is_plain() -> None:
    over = cell_areas(np.array([89.9]), 1.0, 0.5)
    assert over == pytest.approx(cell_areas(np.array([(89.65 + 90.0) / 2]), 1.0, 0.35), rel=1e-12)
    assert band_area(np.array([30.0]), (2.0, 2.0))[0] == pytest.approx(4.0 * 0.5, rel=1e-15)
