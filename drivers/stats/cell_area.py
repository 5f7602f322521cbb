"""Areas between parallels and meridians of an ellipsoid: the one formula of all cells of degrees."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WGS84 = (6_378_137.0, 6_356_752.314245179)
"""Semi-axes in metres; areas on other ellipsoids in use differ by less than a thousandth."""

ROUND = 1e-9
"""Eccentricity below which an ellipsoid is a sphere: the formula divides by it."""


def band_area(latitude: Array, axes: tuple[float, float] = WGS84) -> Array:
    """Area from the equator to parallels, per radian of longitude; negative in the south.

    Parameters
    ----------
    latitude : in degrees, any shape; beyond the poles counts as the pole
    axes : semi-major and semi-minor axis; the area is in their unit squared

    Notes
    -----
    b²/2 · [sin φ / (1 - e² sin² φ) + artanh(e sin φ) / e] (Snyder 1987, doi:10.3133/pp1395, equations 3-11
    and 3-12).

    Examples
    --------
    >>> half = band_area(np.array([90.0]))[0]
    >>> round(float(4 * np.pi * half) / 1e12, 6)
    510.065622
    """
    a, b = axes
    e = math.sqrt(max(1.0 - (b / a) ** 2, 0.0))
    s = np.sin(np.radians(np.clip(latitude, -90.0, 90.0)))
    if e < ROUND:
        return np.asarray(a**2 * s)
    return np.asarray(b**2 / 2.0 * (s / (1.0 - (e * s) ** 2) + np.arctanh(e * s) / e))


def cell_areas(latitude: Array, width: float, height: float, axes: tuple[float, float] = WGS84) -> Array:
    """Areas of cells of degrees about their middle latitude, in units of the axes squared; shape of latitude.

    Parameters
    ----------
    latitude : of the middle of each cell, in degrees
    width, height : of a cell, in degrees
    axes : of the ellipsoid

    Examples
    --------
    >>> (cell_areas(np.array([0.0, 60.0]), 1.0, 1.0) / 1e6).round(2).tolist()
    [12308.92, 6216.72]
    """
    north, south = (band_area(latitude + half, axes) for half in (height / 2.0, -height / 2.0))
    return np.asarray((north - south) * math.radians(width))
