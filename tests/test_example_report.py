"""The committed example report is what the code writes today."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import drivers as dr
from drivers.report import read_report

ROOT = Path(__file__).resolve().parents[1]

RTOL = 1e-6
"""Other versions of BLAS sum in another order; what makes a difference to a reader is far larger."""


@pytest.mark.parametrize("name", ["horqin-sim"])
def test_the_committed_report_is_current(name: str) -> None:
    committed = read_report(ROOT / "reports" / name)
    fresh = dr.run(ROOT / "specs" / f"{name}.yaml").tables
    assert set(fresh.tables) == set(committed.tables)
    for table, want in committed.tables.items():
        got = fresh.tables[table].reset_index(drop=True)
        assert list(got.columns) == list(want.columns), table
        for column in want:
            if pd.api.types.is_numeric_dtype(want[column]) and want[column].dtype != bool:
                values = pd.to_numeric(got[column]).to_numpy(dtype=float)
                assert values == pytest.approx(
                    want[column].to_numpy(dtype=float), rel=RTOL, abs=1e-12, nan_ok=True
                )
            else:
                assert (
                    got[column].fillna("").astype(str).tolist()
                    == want[column].fillna("").astype(str).tolist()
                )
    assert "simulated" in str(committed.meta["table"]["simulated"]).lower()
