"""What a simulation hands back: the pixels, and the truth that was planted in them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

PLANTED_COLUMNS = ["stratum", "response", "op", "term", "std_estimate", "estimate", "source"]


@dataclass(frozen=True, slots=True)
class SimulatedTable:
    """A simulated pixel table and its planted causes.

    `frame` has one row per pixel. `planted` has one row per true number, with the columns

    - `stratum`: `landuse=cropland`, or `all`;
    - `response`, `op`, `term`: `~` a path (climate ~ human), `<~` a weight (climate <~ TEM), and
      `direct`, `indirect`, `total` an effect of a composite or of one of its members on the response;
    - `std_estimate`: the population value, standardised within the stratum (b s_x / s_y; for a weight
      s_y is the sd of the composite, so a member's direct effect = weight x path);
    - `estimate`: the same on the raw scale, where a composite is C = sum of b_i x_i with b_i the raw
      coefficients of the regression of the response on all members (METHODS, section 3). Then a weight
      is b_i and the path from a composite to the response is exactly 1;
    - `source`: `paper`, `adjusted` or `filled`.
    """

    frame: pd.DataFrame
    planted: pd.DataFrame
    note: str
    """Says that the table is simulated, and what is not planted; show it wherever the table is shown."""


def planted_table(rows: list[tuple[str, str, str, str, float, float, str]]) -> pd.DataFrame:
    """Rows in the order of `PLANTED_COLUMNS`, as a table."""
    return pd.DataFrame(rows, columns=PLANTED_COLUMNS)
