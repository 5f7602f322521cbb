"""The years and months of a CF time axis."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from drivers.errors import Fault, Place, TableError
from drivers.spec.places import shown
from drivers.spec.table_shapes import FIRST_YEAR, LAST_YEAR

_SINCE = re.compile(r"\s*(months?|years?)\s+since\s+(\d{1,4})(?:-(\d{1,2}))?", re.IGNORECASE)


def time_steps(data: Any, name: str, path: Path, place: Place) -> list[tuple[int, int | None]]:
    """(year, month) of every step; the month is None where the axis only counts years.

    An axis with bounds takes the middle of each span: files that label a month by its end would otherwise
    be a month late.
    """
    axis = data[name] if name in data.variables else None
    if axis is None:
        raise TableError(Fault(f"{shown(path)} has no coordinates for `{name}`", place))
    units = str(axis.attrs.get("units", ""))
    values = np.asarray(axis.values)
    try:
        if len(np.unique(values)) < len(values):
            raise ValueError("it has one time twice; is the file whole?")
        if " since " in units:
            match = _SINCE.match(units)
            if match is not None:  # months and years have no length, so the CF decoders refuse them
                return _counted(values, match)
            return _decoded(data, name, axis)
        return _plain(values)
    except (ValueError, OverflowError, TypeError) as error:
        said = " ".join(str(error).split())
        message = f"`{name}` of {shown(path)} is no time axis that can be read: {said}"
        raise TableError(Fault(message, place)) from None


def _decoded(data: Any, name: str, axis: Any) -> list[tuple[int, int | None]]:
    import xarray as xr

    values = np.asarray(axis.values, dtype=np.float64)
    bounds = str(axis.attrs.get("bounds", ""))
    if bounds in data.variables and data[bounds].shape == (len(values), 2):
        spans = np.asarray(data[bounds].values, dtype=np.float64)
        if (spans[:, 1] > spans[:, 0]).all():
            values = spans.mean(axis=1)
    attributes = {key: axis.attrs[key] for key in ("units", "calendar") if key in axis.attrs}
    decoded = xr.decode_cf(xr.Dataset({"when": ("when", values, attributes)}))["when"]
    return [(int(y), int(m)) for y, m in zip(decoded.dt.year.values, decoded.dt.month.values, strict=True)]


def _counted(values: Any, match: re.Match[str]) -> list[tuple[int, int | None]]:
    unit, year, month = match.group(1).lower(), int(match.group(2)), int(match.group(3) or 1)
    if unit.startswith("year"):
        return [(year + int(np.floor(value)), None) for value in values]
    months = [12 * year + month - 1 + int(np.floor(value)) for value in values]
    return [(count // 12, count % 12 + 1) for count in months]


def _plain(values: Any) -> list[tuple[int, int | None]]:
    """Numbers without a unit: years (2001), or years and months (200101)."""
    if values.dtype.kind == "M":
        stamps = values.astype("datetime64[M]").astype(int)
        return [(1970 + int(s) // 12, int(s) % 12 + 1) for s in stamps]
    numbers = np.asarray(values, dtype=np.float64)
    if not (numbers == np.floor(numbers)).all():
        raise ValueError("it has no units")
    if ((numbers >= FIRST_YEAR) & (numbers <= LAST_YEAR)).all():
        return [(int(n), None) for n in numbers]
    years, months = numbers // 100, numbers % 100
    if ((years >= FIRST_YEAR) & (years <= LAST_YEAR) & (months >= 1) & (months <= 12)).all():
        return [(int(y), int(m)) for y, m in zip(years, months, strict=True)]
    raise ValueError("it has no units")
