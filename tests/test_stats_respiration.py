"""Respiration: both variants by hand, a plausible year, and a year in the wrong units."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats.respiration import check_annual_respiration, monthly_respiration

HORQIN_T = np.array([-13.0, -9, -1, 8, 16, 21, 23, 22, 15, 7, -3, -11])
HORQIN_P = np.array([1.0, 2, 6, 14, 34, 70, 115, 85, 36, 18, 6, 2])
"""A year of a semi-arid steppe: 6 degC and 390 mm."""


@given(t=st.floats(-40, 40), p=st.floats(0, 900))
def test_by_hand(t: float, p: float) -> None:
    values = np.array([t]), np.array([p])
    warm, wet = math.exp(0.0913 * t), math.log(0.3145 * p + 1)
    additive, product = (monthly_respiration(*values, v)[0] for v in ("pei2009_additive", "product"))
    assert additive == pytest.approx(0.22 * (warm + wet) * 30 * 0.465, rel=1e-12)
    assert product == pytest.approx(0.22 * warm * wet, rel=1e-9)


def test_why_there_are_two() -> None:
    """As printed in the Horqin paper a year gives about 24 g C m-2; the additive form 187 (PEERS 0.5)."""
    additive, product = (
        monthly_respiration(HORQIN_T, HORQIN_P, v).sum() for v in ("pei2009_additive", "product")
    )
    assert 150 < additive < 230
    assert 15 < product < 35


def test_shapes_and_missing() -> None:
    t, p = np.full((12, 3), 10.0), np.full((12, 3), 50.0)
    t[0, 1] = p[1, 2] = np.nan
    found = monthly_respiration(t, p, "pei2009_additive")
    assert found.shape == (12, 3)
    assert np.isnan(found).sum() == 2
    assert np.isnan(found.sum(axis=0)).tolist() == [False, True, True]


def test_faults() -> None:
    t = np.array([1.0])
    with pytest.raises(ValueError, match=r"no variant `pei`.*known: pei2009_additive, product"):
        monthly_respiration(t, t, "pei")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="below 0 in 1 of 1 values"):
        monthly_respiration(t, -9999 * t, "product")
    with pytest.raises(ValueError, match="shape"):
        monthly_respiration(t, np.ones(2), "product")


def test_plausibility() -> None:
    found = check_annual_respiration(
        np.array([20.0, 1500.0, 19.9, np.nan, 1501.0]), np.array([1.0, 1, 2, 9, 4])
    )
    assert (found.n, found.below, found.above, found.outside) == (4, 0.25, 0.5, 0.75)
    year = monthly_respiration(HORQIN_T, HORQIN_P, "pei2009_additive").sum(keepdims=True)
    assert check_annual_respiration(year).outside == 0
    tenths = monthly_respiration(10 * HORQIN_T, 10 * HORQIN_P, "pei2009_additive").sum(keepdims=True)
    assert check_annual_respiration(tenths).above == 1
    assert np.isnan(check_annual_respiration(np.array([np.nan])).outside)
