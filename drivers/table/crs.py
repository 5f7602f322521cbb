"""Coordinate systems: when two texts mean the same one, and what its units are."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from pyproj import CRS

UNKNOWN_DATUMS = ("unknown", "notspecified", "unnamed")
"""Beginnings of the names that files give to a datum that they do not know."""

SAME_DATUM = (
    {"wgs84", "wgs1984", "worldgeodeticsystem1984", "worldgeodeticsystem1984ensemble"},
    {"china2000", "cgcs2000", "chinageodeticcoordinatesystem2000"},
    {"northamericandatum1983", "nad83"},
    {"europeanterrestrialreferencesystem1989", "europeanterrestrialreferencesystem1989ensemble", "etrs1989"},
)
"""Names of one datum in files of different programs, without blanks, signs and `D_`."""

_SWAPPED = frozenset({"lat_1", "lat_2"})


@lru_cache(maxsize=512)
def parse_crs(text: str) -> CRS:
    """A coordinate system from text; cached, since a country in 20 years of months says it 480 times."""
    return CRS.from_user_input(text)


@lru_cache(maxsize=512)
def same_crs(one: CRS, other: CRS) -> bool:
    """Whether two coordinate systems put every point at the same easting and northing.

    Names, the order of axes and spellings do not matter: `EPSG:32651`, its WKT as GDAL or as ESRI writes it,
    and its PROJ string are one. A datum that a file calls unknown is taken for the other's when the
    ellipsoids agree.

    Examples
    --------
    >>> utm = CRS.from_epsg(32651)
    >>> same_crs(utm, CRS.from_wkt(utm.to_wkt("WKT1_ESRI"))), same_crs(utm, CRS.from_proj4(utm.to_proj4()))
    (True, True)
    >>> same_crs(utm, CRS.from_epsg(32650)), same_crs(CRS.from_epsg(4326), CRS.from_epsg(4214))
    (False, False)
    """
    if one.equals(other, ignore_axis_order=True):
        return True
    if one.is_geographic != other.is_geographic or one.is_projected != other.is_projected:
        return False
    said = _projection(one)
    return bool(said) and said == _projection(other) and _same_datum(one, other)


def _same_datum(one: CRS, other: CRS) -> bool:
    shapes = [crs.ellipsoid for crs in (one, other)]
    if any(shape is None for shape in shapes):
        return False
    axes = [(shape.semi_major_metre, shape.semi_minor_metre) for shape in shapes if shape is not None]
    if not np.allclose(axes[0], axes[1], rtol=0, atol=1e-3):
        return False
    names = [_datum(crs) for crs in (one, other)]
    if names[0] == names[1] or any(name.startswith(UNKNOWN_DATUMS) for name in names):
        return True
    return any(set(names) <= group for group in SAME_DATUM)


def _datum(crs: CRS) -> str:
    name = crs.datum.name if crs.datum is not None else "unknown"
    return re.sub(r"[^a-z0-9]", "", name.lower().removeprefix("d_"))


def _projection(crs: CRS) -> tuple[tuple[str, object], ...]:
    """The parameters of PROJ, without those of the datum, as numbers rounded below a millimetre."""
    from warnings import catch_warnings, simplefilter

    with catch_warnings():
        simplefilter("ignore")  # PROJ strings lose what a WKT says of the datum; that was compared already
        found = dict(crs.to_dict())
    for key in ("datum", "ellps", "a", "b", "rf", "towgs84", "nadgrids", "no_defs", "type", "wktext"):
        found.pop(key, None)
    if found.get("proj") == "utm":
        central = 6 * int(found.pop("zone")) - 183
        south = "south" in found
        found.pop("south", None)
        found |= {"proj": "tmerc", "lat_0": 0, "lon_0": central, "k": 0.9996, "x_0": 500000}
        found["y_0"] = 10000000 if south else 0
    if found.get("units") == "m":
        found.pop("units")
    if found.keys() >= _SWAPPED:
        low, high = sorted((float(found["lat_1"]), float(found["lat_2"])))
        found |= {"lat_1": low, "lat_2": high}
    plain = {key: _number(value) for key, value in found.items()}
    return tuple(sorted((key, value) for key, value in plain.items() if value != 0.0))


def _number(value: object) -> object:
    return round(float(value), 9) if isinstance(value, (int, float)) and value is not True else value


def metres_per_unit(crs: CRS) -> float:
    """What one unit of a projected system is in metres: 1, or 0.3048 for feet."""
    return float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0


def unit_name(crs: CRS) -> str:
    """The unit of the coordinates: `metre`, `degree`, `US survey foot`."""
    return crs.axis_info[0].unit_name if crs.axis_info else "unit"


def crs_label(crs: CRS) -> str:
    """A short name: `EPSG:32651`, or the name that its author gave, or else that of its projection.

    Examples
    --------
    >>> crs_label(CRS.from_epsg(32651)), crs_label(CRS.from_proj4("+proj=aea +lat_1=25 +lat_2=47"))
    ('EPSG:32651', 'unnamed Albers Equal Area')
    """
    if crs.is_bound and crs.source_crs is not None:  # a system with a shift to WGS 84 beside it
        crs = crs.source_crs
    authority = crs.to_authority()
    if authority:
        return ":".join(authority)
    operation = crs.coordinate_operation
    if crs.name.lower() in ("unknown", "unnamed", "undefined") and operation is not None:
        return f"unnamed {operation.method_name}"
    return crs.name
