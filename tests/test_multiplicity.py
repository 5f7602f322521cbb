"""False discovery rates over a whole study, by hand and against statsmodels; and cells of finished tables."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from drivers.cells import numbers, texts
from drivers.methods.result import frame
from drivers.multiplicity import KINDS, adjust, adjusted_p

probabilities = st.lists(st.floats(1e-300, 1.0), min_size=1, max_size=30)


def coefficients(cells, stratum="all"):
    """Rows of coefficients.csv from (op, term, p)."""
    key = {"model": "m", "stratum": stratum, "response": "NEP"}
    rows = [{**key, "op": op, "term": term, "p_value": p} for op, term, p in cells]
    return frame("coefficients", rows, keys=True)


def test_kinds_are_adjusted_by_themselves_over_all_strata():
    first = coefficients([("~", "TEM", 0.01), ("~~", "PRE", 0.04)])
    second = coefficients([("~", "TEM", 0.04), ("~", "PRE", 0.03), ("<~", "DEM", 0.5)], "use=crop")
    found = adjust({"coefficients": pd.concat([first, second], ignore_index=True)})["coefficients"]
    # Three paths: 0.01 · 3/1, 0.03 · 3/2 and 0.04 · 3/3, the second no larger than the third.
    assert found["p_adjusted"].tolist() == pytest.approx([0.03, 0.04, 0.04, 0.04, 0.5])


def test_a_joint_row_of_a_factor_is_a_test_and_a_row_without_p_is_none():
    rows = coefficients([("~", "LUCC", 0.02), ("~", "LUCC[2]", 0.03), ("~", "LUCC[3]", None)])
    assert adjust({"coefficients": rows})["coefficients"]["p_adjusted"].tolist() == pytest.approx(
        [0.03, 0.03, np.nan], nan_ok=True
    )


def test_effects_of_a_kind_are_one_family():
    rows = [
        {"model": "m", "stratum": "all", "driver": d, "response": "NEP", "kind": kind, "p_value": p}
        for d, kind, p in [("a", "direct", 0.02), ("a", "total", 0.02), ("b", "total", 0.01)]
    ]
    found = adjust({"effects": frame("effects", rows, keys=True)})["effects"]
    assert found["p_adjusted"].tolist() == pytest.approx([0.02, 0.02, 0.02])


def test_logarithms_keep_the_order_that_p_values_have_lost():
    q = pd.DataFrame({"model": "m", "stratum": "all", "driver": list("abc"), "p_value": [0.0, 0.0, 0.5]})
    q["log_p"] = [-5000.0, -700.0, np.log(0.5)]
    found = adjust({"q": q})["q"]["p_adjusted"].to_numpy()
    assert found[0] == 0.0
    assert found[1] == pytest.approx(np.exp(-700.0) * 1.5, rel=1e-12)
    assert found[2] == 0.5


def test_p_of_nil_without_a_logarithm_stays_nil():
    dsep = pd.DataFrame({"model": "m", "stratum": "all", "p_value": [0.0, 0.4]})
    assert adjust({"dsep": dsep})["dsep"]["p_adjusted"].tolist() == [0.0, 0.4]


def test_missing_cells_in_every_form_are_no_tests():
    table = pd.DataFrame({"model": "m", "stratum": "all", "p_value": [0.01, None, np.nan, ""]})
    found = adjust({"ecological": table})["ecological"]["p_adjusted"].to_numpy()
    assert found[0] == pytest.approx(0.01)
    assert np.isnan(found[1:]).all()


def test_other_tables_and_the_tables_given_are_untouched():
    risk = pd.DataFrame({"model": ["m"], "stratum": ["all"], "p_value": [0.01], "p_adjusted": [0.07]})
    q = pd.DataFrame({"model": ["m"], "stratum": ["all"], "p_value": [0.01]})
    found = adjust({"risk": risk, "q": q})
    assert found["risk"] is risk
    assert list(q.columns) == ["model", "stratum", "p_value"]
    assert found["q"]["p_adjusted"].tolist() == pytest.approx([0.01])


@pytest.mark.parametrize("name", KINDS)
def test_empty_tables_stay_empty_with_the_columns_of_the_contract(name):
    empty = frame(name, [], keys=True)
    found = adjust({name: empty})[name]
    assert len(found) == 0
    assert list(found.columns) == list(empty.columns)


@given(probabilities)
def test_one_kind_is_statsmodels_fdr_bh(p):
    want = multipletests(p, method="fdr_bh")[1]
    assert adjusted_p(np.log(p), ["path"] * len(p)) == pytest.approx(want, rel=1e-9)


@given(probabilities)
def test_adjusting_keeps_the_order_and_never_lowers_a_p_value(p):
    found = adjusted_p(np.log(p), np.zeros(len(p)))
    order = np.argsort(p, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    assert (found >= np.array(p) * (1 - 1e-12)).all()
    assert (found <= 1.0).all()


def test_cells_missing_in_every_form():
    table = pd.DataFrame({"a": ["x", None, np.nan, pd.NA, ""], "b": [1, None, "", pd.NA, "2.5"]})
    assert texts(table, "a").tolist() == ["x", "", "", "", ""]
    assert numbers(table, "b").tolist() == pytest.approx([1.0, np.nan, np.nan, np.nan, 2.5], nan_ok=True)
    assert texts(table, "none").tolist() == [""] * 5
    assert np.isnan(numbers(table, "none")).all()
