"""semopy as an oracle: the same optimum where it finds it, ours where it does not (METHODS, section 4)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import semopy

import drivers as dr

FACTORS = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
GRACE = (
    "rich ~ distance + abiotic + hetero + cover\nabiotic ~ distance\nhetero ~ distance\n"
    "age ~ distance\nfiresev ~ age\ncover ~ firesev"
)


def by_semopy(formula: str, data: pd.DataFrame) -> tuple[float, pd.DataFrame]:
    """n F of its optimum, and its estimates."""
    model = semopy.Model(formula)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.fit(data)
    return float(found.fun) * len(data), model.inspect()


def test_a_factor_analysis_has_semopys_optimum(shared_table: Callable[[str], Path]) -> None:
    data = pd.read_csv(shared_table("HolzingerSwineford1939"))
    chisq, theirs = by_semopy(FACTORS, data)
    result = dr.fit(FACTORS, data, method="lsem")
    ours = result.glance().chisq.item()
    assert ours == pytest.approx(chisq, rel=1e-4)
    assert ours <= chisq * (1 + 1e-9)
    loadings = result.tidy().query("op == '=~'").set_index("response").estimate
    # semopy writes a loading as the regression of the indicator on the latent variable.
    for row in theirs[theirs.op == "~"].itertuples():
        assert loadings[row.lval] == pytest.approx(float(row.Estimate), abs=5e-3)


def test_units_do_not_matter_to_us(shared_table: Callable[[str], Path]) -> None:
    """Two columns in other units: semopy reports success far from the optimum, which is at χ² 20.866."""
    data = pd.read_csv(shared_table("keeley"))
    other = data.assign(rich=data.rich * 1e4, cover=data.cover * 1e-4)
    ours = [dr.fit(GRACE, table, method="lsem").glance().iloc[0] for table in (data, other)]
    assert ours[1].chisq == pytest.approx(ours[0].chisq, rel=1e-6)
    assert round(ours[0].chisq, 6) == 20.866363
    assert [row.chisq_df for row in ours] == [12, 12]
    assert by_semopy(GRACE, other)[0] > 2 * ours[1].chisq
