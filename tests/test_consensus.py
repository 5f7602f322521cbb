"""Methods side by side: ranks, shares and signs by hand; reasons, each from its evidence; agreement."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from drivers.consensus import consensus
from drivers.disagreement import (
    NO_REASON,
    Evidence,
    bend,
    masked_by,
    partner_in_classes,
    partner_in_trees,
    reason,
    repeated_by,
)
from drivers.glossary import TABLES
from drivers.methods.result import frame

RESPONSES = {"paths": ["NEP"], "trees": ["NEP"], "detector": ["NEP"]}
METHOD = {"paths": "psem", "trees": "brt", "detector": "geodetector"}


def fit(*models, stratum="all", status="ok"):
    rows = [{"model": m, "stratum": stratum, "method": METHOD[m], "status": status} for m in models]
    return frame("fit", rows, keys=True)


def totals(effects, error=0.01, stratum="all", response="NEP"):
    """effects.csv of total effects from driver -> standardised effect; raw ones are ten times as large."""
    rows = [
        {
            **{"model": "paths", "stratum": stratum, "driver": d, "group": "", "response": response},
            **{"kind": "total", "estimate": 10 * b, "std_estimate": b, "std_estimate_error": error},
            **{"conf_low": 10 * b - 20 * error, "conf_high": 10 * b + 20 * error},
        }
        for d, b in effects.items()
    ]
    return frame("effects", rows, keys=True)


def influence(shares, error=0.01, stratum="all"):
    key = {"model": "trees", "stratum": stratum, "measure": "gain", "share_error": error}
    rows = [{**key, "driver": d, "group": "", "share": s, "value": s} for d, s in shares.items()]
    rows.append({**key, "driver": None, "group": "climate", "share": 1.0, "value": 1.0})
    return pd.DataFrame(rows)


def q_table(found, error=0.01, stratum="all"):
    key = {"model": "detector", "stratum": stratum, "group": "climate", "std_error": error}
    return frame("q", [{**key, "driver": d, "q": q} for d, q in found.items()], keys=True)


def three(effects=None, shares=None, q=None):
    return {
        "fit": fit("paths", "trees", "detector"),
        "effects": totals(effects or {"TEM": -0.5, "PRE": 0.3, "DEM": 0.01, "SOM": 0.19}),
        "importance": influence(shares or {"TEM": 0.5, "PRE": 0.3, "DEM": 0.1, "SOM": 0.1}),
        "q": q_table(q or {"TEM": 0.1, "PRE": 0.3, "DEM": 0.05, "SOM": 0.05}),
    }


def agree(tables):
    return consensus(tables, RESPONSES, np.random.default_rng(1))


def row_of(found, driver):
    (row,) = found.consensus[found.consensus.driver == driver].to_dict("records")
    return row


# Ranks, shares, signs


def test_three_methods_by_hand():
    found = agree(three())
    assert found.consensus["driver"].tolist() == ["TEM", "PRE", "DEM", "SOM"]
    assert found.consensus["rank_psem"].tolist() == [1, 2, 4, 3]
    assert found.consensus["rank_brt"].tolist() == [1, 2, 3, 3]  # ties share the better rank
    assert found.consensus["rank_geodetector"].tolist() == [2, 1, 3, 3]
    assert found.consensus["sign"].tolist() == ["-", "+", "0", "+"]
    assert found.consensus["agreement"].tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1])
    assert found.consensus["share_psem"].tolist() == pytest.approx([0.5, 0.3, 0.01, 0.19])
    assert found.consensus["share_brt"].tolist() == pytest.approx([0.5, 0.3, 0.1, 0.1])
    assert found.consensus["share_geodetector"].tolist() == pytest.approx([0.2, 0.6, 0.1, 0.1])
    assert set(found.consensus["model"]) == {"paths + trees + detector"}
    assert set(found.consensus["group"]) == {"climate"}
    assert found.consensus["reason"].isna().all()
    assert list(found.consensus.columns) == list(TABLES["consensus"])
    assert found.notes == ()


def test_agreement_of_methods_by_hand():
    row = agree(three()).rank_agreement.to_dict("records")[0]
    ranks = np.array([[1, 2, 4, 3], [1, 2, 3.5, 3.5], [2, 1, 3.5, 3.5]])
    sums = ranks.sum(axis=0)
    ties = 2 * (2**3 - 2)
    w = 12 * ((sums - 7.5) ** 2).sum() / (9 * (64 - 4) - 3 * ties)
    assert (row["quantity"], row["response"], row["n_raters"], row["n_items"]) == ("methods", "NEP", 3, 4)
    assert row["w"] == pytest.approx(w)
    assert row["p_value"] == pytest.approx(stats.chi2.sf(3 * 3 * w, 3))
    assert 0 < row["w_low"] < row["w_high"] <= 1


def test_an_unknown_error_leaves_no_interval():
    tables = three() | {"q": q_table({"TEM": 0.1, "PRE": 0.3, "DEM": 0.05}, error=None)}
    row = agree(tables).rank_agreement.to_dict("records")[0]
    assert row["n_items"] == 3
    assert np.isnan(row["w_low"])
    assert np.isnan(row["w_high"])


def test_the_same_seed_gives_the_same_bytes():
    one, two = agree(three()), agree(three())
    pd.testing.assert_frame_equal(one.rank_agreement, two.rank_agreement)


def test_two_methods_leave_the_third_empty():
    tables = three()
    del tables["effects"]
    found = agree(tables | {"fit": fit("trees", "detector")}).consensus
    assert set(found["model"]) == {"trees + detector"}
    assert found[["rank_psem", "share_psem", "sign"]].isna().all().all()


def test_one_method_has_nothing_to_agree_with():
    assert len(agree({"fit": fit("trees"), "importance": influence({"TEM": 1.0})}).consensus) == 0


def test_a_failed_fit_is_no_method():
    failed = fit("paths", status="failed")
    tables = three() | {"fit": pd.concat([failed, fit("trees", "detector")])}
    assert set(agree(tables).consensus["model"]) == {"trees + detector"}


def test_models_of_other_responses_do_not_meet():
    responses = {"paths": ["soil"], "trees": ["NEP"], "detector": ["NEP"]}
    found = consensus(three(), responses, np.random.default_rng(1)).consensus
    assert set(found["model"]) == {"trees + detector"}


def test_the_first_model_of_a_method_is_taken_and_strata_keep_apart():
    tables = three()
    more = {name: table.assign(stratum="use=a") for name, table in tables.items() if name != "fit"}
    second = fit("trees").assign(model="later")
    tables["fit"] = pd.concat([tables["fit"], second, fit("trees", "detector", stratum="use=a")])
    tables |= {name: pd.concat([tables[name], table]) for name, table in more.items()}
    found = consensus(tables, RESPONSES | {"later": ["NEP"]}, np.random.default_rng(1)).consensus
    assert found.groupby("stratum", sort=False)["model"].first().to_dict() == {
        "all": "paths + trees + detector",
        "use=a": "trees + detector",
    }


def test_a_driver_that_one_method_lacks_is_ranked_among_the_common_ones():
    shares = {"TEM": 0.4, "LUC": 0.3, "PRE": 0.2, "DEM": 0.1}
    q = {"TEM": 0.4, "LUC": 0.1, "PRE": 0.3, "DEM": 0.2}
    found = agree(three({"TEM": 0.5, "PRE": 0.3, "DEM": 0.1, "SOM": 0.9}, shares, q))
    # SOM is known to psem alone and has no row; LUC is not a rival of the others in any method.
    assert found.consensus["driver"].tolist() == ["TEM", "PRE", "DEM", "LUC"]
    assert found.consensus["rank_brt"].tolist() == [1, 2, 3, 2]
    row = row_of(found, "LUC")
    assert np.isnan(row["rank_psem"])
    assert np.isnan(row["share_psem"])
    assert (row["rank_brt"], row["rank_geodetector"]) == (2, 4)
    assert row["agreement"] == pytest.approx(1 - 2 / 3)
    assert pd.isna(row["sign"])
    assert row_of(found, "TEM")["share_psem"] == pytest.approx(0.5 / 1.8)


def test_without_common_drivers_there_are_no_ranks():
    found = agree(three({"climate": 0.5, "soil": 0.3}))
    assert len(found.consensus) == 4
    assert found.consensus[["rank_brt", "agreement", "reason"]].isna().all().all()
    assert len(found.rank_agreement) == 0
    assert found.notes == (
        "paths + trees + detector: fewer than two drivers are in all of these models, so there are no ranks "
        "to compare",
    )


def test_composites_are_not_drivers_and_their_members_are():
    weight = {"model": "paths", "stratum": "all", "response": "climate", "op": "<~", "term": "TEM"}
    effects = {"TEM": 0.3, "PRE": 0.2, "DEM": 0.1, "SOM": 0.4, "climate": 0.9}
    tables = three(effects) | {"coefficients": frame("coefficients", [weight], keys=True)}
    found = agree(tables).consensus
    assert "climate" not in set(found["driver"])
    assert found["share_psem"].sum() == pytest.approx(1.0)


def test_dummies_become_their_driver():
    effects = {"TEM": 0.5, "PRE": 0.3, "LUCC[2]": 0.2, "LUCC[7]": -0.4, "LUCC[4]": 0.1, "LUCC[2]:TEM": 0.05}
    shares = {"TEM": 0.5, "PRE": 0.3, "LUCC": 0.2}
    found = agree(three(effects, shares, {"TEM": 0.5, "PRE": 0.3, "LUCC": 0.2}))
    row = row_of(found, "LUCC")
    assert row["rank_psem"] == 2
    assert pd.isna(row["sign"])
    assert row["share_psem"] == pytest.approx(0.4 / (0.5 + 0.3 + 0.4 + 0.05))
    assert found.notes == (
        "paths + trees + detector: `LUCC` is categorical, so psem has an effect for each of its levels; the "
        "largest stands for it, without a sign",
    )


def test_empty_tables_have_their_columns():
    found = agree({"fit": frame("fit", [], keys=True)})
    assert list(found.consensus.columns) == list(TABLES["consensus"])
    assert list(found.rank_agreement.columns) == list(TABLES["rank_agreement"])


sizes = st.lists(st.floats(0.01, 1), min_size=4, max_size=4, unique=True)


@settings(max_examples=20)
@given(sizes, st.permutations(range(4)))
def test_the_order_of_drivers_changes_no_rank(values, order):
    names = ["TEM", "PRE", "DEM", "SOM"]
    shuffled = {names[i]: values[i] for i in order}
    one, two = (agree(three(effects)) for effects in (dict(zip(names, values, strict=True)), shuffled))
    for driver in names:
        for column in ("rank_psem", "rank_brt", "rank_geodetector", "agreement"):
            assert row_of(one, driver)[column] == row_of(two, driver)[column]


@settings(max_examples=20)
@given(sizes)
def test_methods_that_rank_alike_agree_fully(values):
    found = dict(zip(["TEM", "PRE", "DEM", "SOM"], values, strict=True))
    agreed = agree(three(found, {d: 2 * v for d, v in found.items()}, {d: v / 2 for d, v in found.items()}))
    assert (agreed.consensus["agreement"] == 1.0).all()
    assert agreed.rank_agreement["w"].tolist() == pytest.approx([1.0])


# Reasons


def evidence(effects=None, **tables):
    made = dict(tables)
    if effects is not None:
        key = {"driver": "TEM", "response": "NEP"}
        made["effects"] = pd.DataFrame([{**key, "kind": k, "std_estimate": b} for k, b in effects.items()])
    return Evidence("NEP", made)


def curve(height):
    x = np.linspace(0, 1, 21)
    return pd.DataFrame({"driver": "TEM", "kind": "accumulated", "x": x, "level": None, "value": height(x)})


def pairs(q_ab, **more):
    rows = {"driver_a": ["TEM"], "driver_b": ["PRE"], "q_a": [0.1], "q_b": [0.3], "q_ab": [q_ab]}
    return pd.DataFrame(rows | {name: [value] for name, value in more.items()})


LOW = {"psem": 7, "brt": 1, "geodetector": 2}
"""psem ranks it low, the others high."""


@pytest.mark.parametrize(("ranks", "n"), [({"psem": 1, "brt": 3}, 8), ({"psem": 2, "brt": 1}, 3)])
def test_ranks_that_hardly_differ_need_no_reason(ranks, n):
    assert reason("TEM", ranks, n, evidence()) == ""


def test_mediated():
    found = evidence({"direct": 0.1, "total_indirect": 0.4, "total": 0.5})
    assert reason("TEM", {"psem": 1, "brt": 6}, 8, found) == "mediated: most of its effect is indirect"
    # q does not hold mediators fixed, so mediation is no reason for a low q.
    assert reason("TEM", {"psem": 1, "geodetector": 6}, 8, found) == NO_REASON


def test_cancelled():
    found = evidence({"direct": 0.5, "total_indirect": -0.4, "total": 0.1})
    assert reason("TEM", {"psem": 7, "brt": 1}, 8, found) == "direct and indirect effects cancel"


def test_bent_by_the_curve_of_the_trees():
    found = evidence(curves=curve(lambda x: (x - 0.5) ** 2))
    assert reason("TEM", LOW, 8, found) == "non-monotone: a straight path does not follow its curve"
    found = evidence(curves=curve(lambda x: np.exp(9 * x)))
    assert reason("TEM", LOW, 8, found) == "nonlinear: a straight path does not follow its curve"
    assert reason("TEM", LOW, 8, evidence(curves=curve(lambda x: 2 * x))) == NO_REASON


def test_bent_by_the_means_of_classes():
    means = {
        "driver": "TEM",
        "lower": [0.0, 1, 2],
        "upper": [1.0, 2, 3],
        "mean": [1.0, 9, 1],
        "n": [50, 50, 50],
    }
    found = evidence(risk_means=pd.DataFrame(means))
    want = "non-monotone: a straight path does not follow its curve"
    assert reason("TEM", {"psem": 7, "geodetector": 1}, 8, found) == want


def test_bent_as_ranks_suggest_where_there_is_no_curve():
    assert reason("TEM", LOW, 8, evidence()) == "non-monotone or nonlinear: high q and influence, small path"
    assert reason("TEM", {"psem": 7, "brt": 1}, 8, evidence()) == NO_REASON


def test_interaction_in_the_trees():
    rows = {
        "driver_a": ["TEM", "DEM"],
        "driver_b": ["PRE", "SOM"],
        "measure": "h_statistic",
        "value": [0.4, 0.2],
    }
    strong, weak = ({**rows, "strength": strength} for strength in ([5.0, 6.0], [1.0, 6.0]))
    ranks = {"brt": 1, "geodetector": 6}
    found = evidence(tree_interactions=pd.DataFrame(strong))
    assert reason("TEM", ranks, 8, found) == "interaction: high H with PRE"
    # H of a weak pair is large by itself.
    assert reason("TEM", ranks, 8, evidence(tree_interactions=pd.DataFrame(weak))) == NO_REASON


def test_interaction_of_classes():
    ranks = {"brt": 1, "geodetector": 6}
    found = evidence(q_interaction=pairs(0.7))
    assert reason("TEM", ranks, 8, found) == "interaction: Enhance, nonlinear with PRE"
    # Many crossed classes raise q by themselves.
    assert reason("TEM", ranks, 8, evidence(q_interaction=pairs(0.7, q_adjusted=0.41))) == NO_REASON


def test_shared_and_masked_signals():
    shared = evidence(q_interaction=pairs(0.305), curves=curve(lambda x: x))
    assert reason("TEM", {"psem": 7, "geodetector": 1}, 8, shared) == "shares its signal with PRE"
    masked = evidence({"direct": 0.5, "total": 0.5}, q_interaction=pairs(0.5))
    want = "masked by PRE: beside it, it adds more to q than alone"
    assert reason("TEM", {"psem": 1, "geodetector": 7}, 8, masked) == want


def test_several_reasons_are_all_given():
    found = evidence(
        {"direct": 0.5, "total_indirect": -0.5, "total": 0.0}, curves=curve(lambda x: np.exp(9 * x))
    )
    assert reason("TEM", {"psem": 8, "brt": 1}, 8, found) == (
        "direct and indirect effects cancel; nonlinear: a straight path does not follow its curve"
    )


def test_reasons_reach_the_table():
    names = [f"d{i}" for i in range(8)]
    down, up = ({d: 0.9 - 0.1 * i for i, d in enumerate(order)} for order in (names, names[::-1]))
    key = {"model": "paths", "stratum": "all", "driver": "d0", "response": "NEP"}
    parts = [
        {**key, "kind": "direct", "std_estimate": 0.1},
        {**key, "kind": "total_indirect", "std_estimate": 0.8},
    ]
    tables = three(down, up, down)
    tables["effects"] = pd.concat([tables["effects"], frame("effects", parts, keys=True)])
    assert row_of(agree(tables), "d0")["reason"] == "mediated: most of its effect is indirect"


def test_pairs_without_a_table_or_the_driver_tell_nothing():
    for tell in (partner_in_classes, repeated_by, masked_by, partner_in_trees):
        assert tell(None, "TEM") == ""
        assert tell(pairs(0.9, measure="h_statistic", value=0.9, strength=1.0), "SOM") == ""
        assert tell(pairs(0.9).iloc[:0], "TEM") == ""


def test_a_flat_curve_is_straight_and_order_does_not_matter():
    x = np.array([2.0, 0.0, 1.0])
    assert bend(x, np.ones(3), np.ones(3)) == ""
    assert bend(x, 3 * x, np.ones(3)) == ""
    assert Evidence("NEP").curve("TEM") is None
    assert Evidence("NEP").effect("TEM", "total") == 0.0
