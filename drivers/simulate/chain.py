"""A small world for tests: x and z cause m, m and z cause y, and x reaches y only through m."""

from __future__ import annotations

import math

import pandas as pd

from drivers.simulate.ground import Ground
from drivers.simulate.simulated import SimulatedTable, planted_table

SD = {"x": 2.0, "z": 30.0, "m": 0.5, "y": 12.0}
MEAN = {"x": 10.0, "z": 400.0, "m": 3.0, "y": 50.0}
"""Scales far from 1 and means far from 0, so that a test notices a forgotten standardisation."""

R_XZ = 0.3
"""Correlation of the two exogenous variables."""

PATHS = {("m", "x"): 0.5, ("m", "z"): 0.3, ("y", "m"): 0.6, ("y", "z"): -0.25}
"""Standardised path coefficients; the one missing edge x -> y is the one independence claim."""

NOTE = (
    "Simulated, not measured: the world `chain` (x, z -> m -> y), made to test estimators against known "
    "path coefficients. Its one independence claim, x _||_ y | m, z, holds."
)


def build_chain(ground: Ground, range_pixels: float) -> SimulatedTable:
    """Four Gaussian variables: m = 0.5 x + 0.3 z + e, y = 0.6 m - 0.25 z + e (standardised).

    Residual variances make every variable's population variance 1 before it is put on its raw scale.
    """
    fields = ground.fields(4, range_pixels)
    r_xz = R_XZ
    x = fields[:, 0]
    z = r_xz * x + math.sqrt(1 - r_xz**2) * fields[:, 1]
    mx, mz, ym, yz = PATHS["m", "x"], PATHS["m", "z"], PATHS["y", "m"], PATHS["y", "z"]
    r_mz = mz + mx * r_xz
    m_explained = mx**2 + mz**2 + 2 * mx * mz * r_xz
    y_explained = ym**2 + yz**2 + 2 * ym * yz * r_mz
    m = mx * x + mz * z + math.sqrt(1 - m_explained) * fields[:, 2]
    y = ym * m + yz * z + math.sqrt(1 - y_explained) * fields[:, 3]

    frame = pd.DataFrame({"easting": ground.easting, "northing": ground.northing})
    for name, values in {"x": x, "z": z, "m": m, "y": y}.items():
        frame[name] = MEAN[name] + SD[name] * values

    rows = [
        ("all", response, "~", term, value, value * SD[response] / SD[term], "filled")
        for (response, term), value in PATHS.items()
    ]
    effects = {
        "x": (0.0, mx * ym),
        "z": (yz, mz * ym),
        "m": (ym, 0.0),
    }
    for term, (direct, indirect) in effects.items():
        raw = SD["y"] / SD[term]
        for op, value in {"direct": direct, "indirect": indirect, "total": direct + indirect}.items():
            rows.append(("all", "y", op, term, value, value * raw, "filled"))
    return SimulatedTable(frame=frame, planted=planted_table(rows), note=NOTE)
