"""One word, one meaning: every column of every table is in the glossary, and nothing else is."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import drivers as dr
from drivers.glossary import COLUMNS, TABLES
from drivers.methods.result import frame

CONTRACT = {
    "strata": "n dropped share mean sd min max selects_on_response",
    "coefficients": "response op term group estimate std_error statistic df p_value log_p std_estimate "
    "conf_low conf_high p_classical p_block n_effective",
    "dsep": "response term given statistic df p_value log_p p_classical n_effective",
    "fit": "method n n_effective fishers_c fishers_c_df fishers_c_p c_per_df chisq chisq_df chisq_p aic aicc "
    "bic logl cfi tli rmsea srmr r2 status message",
    "r2": "response r2",
    "importance": "driver group measure value share rank",
    "cv": "scheme fold n_train n_test r2 rmse mae",
    "tuning": "tree_complexity learning_rate bag_fraction n_trees rmse r2 chosen",
    "tree_interactions": "driver_a driver_b measure value rank",
    "q": "driver group method n_classes q f_statistic p_value rank",
    "breaks": "driver method n_classes breaks q chosen",
    "q_interaction": "driver_a driver_b q_a q_b q_ab type",
    "risk": "driver class_a class_b mean_a mean_b statistic df p_value",
    "ecological": "driver_a driver_b f_statistic p_value",
    "effects": "driver group response kind via estimate std_estimate std_error conf_low conf_high p_value",
    "comparison": "driver quantity stratum_a stratum_b estimate_a estimate_b difference std_error statistic "
    "p_value p_adjusted",
    "consensus": "driver group rank_psem rank_brt rank_geodetector sign agreement",
}
"""DESIGN, section 5: the columns after model and stratum. Further ones may follow, never stand between."""


@pytest.mark.parametrize("table", CONTRACT)
def test_tables_begin_as_the_contract_says(table: str) -> None:
    columns = list(TABLES[table])
    keys = ["stratum"] if table == "strata" else ["model", "stratum"]
    wanted = CONTRACT[table].split()
    assert columns[: len(keys)] == keys
    assert columns[len(keys) :][: len(wanted)] == wanted


def test_every_column_of_every_table_is_explained() -> None:
    assert {name for columns in TABLES.values() for name in columns} <= set(COLUMNS)
    for columns in TABLES.values():
        assert len(set(columns)) == len(columns)


def test_no_word_is_explained_that_no_table_uses() -> None:
    assert set(COLUMNS) <= {name for columns in TABLES.values() for name in columns}


def test_meanings_are_sentences() -> None:
    for name, column in COLUMNS.items():
        assert column.meaning.endswith("."), name
        assert name == name.lower(), name
    assert list(COLUMNS) == sorted(COLUMNS)


@pytest.fixture(scope="module")
def results() -> list[Any]:
    pixels = dr.simulate("chain", pixels=400, seed=3).frame
    pixels["kind"] = pd.cut(pixels.x, [-1e9, 9, 11, 1e9], labels=["a", "b", "c"]).astype(str)
    pixels["hit"] = (pixels.y > 50).astype(float)
    pixels["site"] = [f"s{i % 9}" for i in range(400)]
    return [
        dr.fit("m ~ x + z; y ~ m", pixels, options={"prune": {"p_value": 0.05}, "suggest": True}),
        dr.fit("m ~ kind * z; y ~ m", pixels),
        dr.fit("g <~ x + z; y ~ g + m; m ~ g", pixels, groups={"g2": ["x", "z"]}),
        dr.fit("m ~ x; y ~ z; m ~~ y", pixels),
        dr.fit("m ~ x; hit ~ m + (1 | site)", pixels, family={"hit": "binomial"}),
        dr.fit("m ~ x + (1 | site); y ~ m", pixels),
    ]


def test_every_result_speaks_the_glossary(results: list[Any]) -> None:
    for result in results:
        for name, rows in result.records.items():
            for record in rows:
                unknown = set(record) - set(TABLES[name])
                assert not unknown, (name, unknown)
        shown = {
            "coefficients": result.tidy(),
            "fit": result.glance(),
            "dsep": result.claims(),
            "trail": result.trail(),
            "effects": dr.effects(result),
        }
        for name, table in shown.items():
            assert list(table.columns) == [c for c in TABLES[name] if c not in ("model", "stratum")]
        assert len(result.glance()) == 1


def test_values_keep_their_ranges(results: list[Any]) -> None:
    for result in results:
        tidy, effects = result.tidy(), dr.effects(result)
        for table in (tidy, effects, result.claims()):
            p = table.p_value.dropna().astype(float)
            assert ((p >= 0) & (p <= 1)).all()
        assert set(tidy.op) <= {"~", "~~", "<~"}
        assert set(effects.kind) <= {"direct", "indirect", "total_indirect", "total"}
        known = tidy.dropna(subset=["conf_low", "estimate"])
        assert (known.conf_low.astype(float) <= known.estimate.astype(float)).all()
        assert (known.estimate.astype(float) <= known.conf_high.astype(float)).all()
        assert all(0 <= r["r2"] <= 1 for r in result.records["r2"])


def test_a_frame_has_the_columns_in_order_and_keys_on_request() -> None:
    rows = [{"model": "m", "stratum": "all", "r2": 0.5, "response": "y"}]
    assert list(frame("r2", rows).columns) == ["response", "r2", "r2_conditional"]
    assert list(frame("r2", rows, keys=True).columns) == [
        "model",
        "stratum",
        "response",
        "r2",
        "r2_conditional",
    ]
    assert list(frame("r2", []).columns) == ["response", "r2", "r2_conditional"]
