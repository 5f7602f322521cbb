"""Strata and runs side by side: by hand, laws, rates of false and true discoveries, refusals."""

import copy
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from drivers.comparable import common_ground
from drivers.compare import compare_runs, compare_strata
from drivers.contrasts import make_panel, rank_agreement
from drivers.errors import TableError
from drivers.glossary import TABLES
from drivers.methods.result import frame
from drivers.quantities import composite_weights, differing_composites, read_estimates
from drivers.stats.differences import wald_differences
from drivers.table import Stratum

APART = lambda a, b: False  # noqa: E731
SHARING = lambda a, b: not set(a.cells).isdisjoint(b.cells)  # noqa: E731


def stratum(label, cells=(0,), selects=False):
    levels = tuple(tuple(pair.split("=")) for pair in label.split(",")) if label != "all" else ()
    return Stratum(label, levels, selects, tuple(cells), 100)


def strata(*labels):
    return [stratum(label, (i,)) for i, label in enumerate(labels)]


def half(value):
    return None if value is None else value / 2


def paths(cells, model="m", response="NEP", **more):
    """coefficients.csv from (stratum, term, estimate, std_error, df)."""
    rows = [
        {
            **{"model": model, "stratum": s, "response": response, "op": "~"},
            **{"term": term, "group": "climate", "estimate": b, "std_error": se, "df": df},
            **{"p_value": 0.5, "std_estimate": half(b), "std_estimate_error": half(se)},
            **more,
        }
        for s, term, b, se, df in cells
    ]
    return frame("coefficients", rows, keys=True)


def shares(cells, model="trees"):
    """importance.csv from (stratum, driver, share, error, df)."""
    key = {"model": model, "measure": "gain", "group": "climate"}
    rows = [
        {**key, "stratum": s, "driver": d, "share": share, "share_error": error, "share_error_df": df}
        for s, d, share, error, df in cells
    ]
    return pd.DataFrame(rows)


def compare(tables, members, overlapping=APART, **more):
    return compare_strata(tables, members, overlapping, np.random.default_rng(1), **more)


def only(table, **where):
    for name, value in where.items():
        table = table[table[name] == value]
    (row,) = table.to_dict("records")
    return row


# Differences


def test_a_difference_of_paths_by_hand():
    table = paths([("use=crop", "TEM", 1.0, 0.2, 20), ("use=grass", "TEM", 0.4, np.sqrt(0.05), 30)])
    found = compare({"coefficients": table}, strata("use=crop", "use=grass"))
    row = only(found.comparison, quantity="path")
    df = 0.09**2 / (0.04**2 / 20 + 0.05**2 / 30)
    assert (row["model"], row["stratum"], row["driver"], row["group"]) == ("m", "use", "TEM", "climate")
    assert (row["stratum_a"], row["stratum_b"], row["response"]) == ("use=crop", "use=grass", "NEP")
    assert (row["estimate_a"], row["estimate_b"], row["difference"]) == (1.0, 0.4, 0.6)
    assert row["std_error"] == pytest.approx(0.3)
    assert row["statistic"] == pytest.approx(2.0)
    assert row["df"] == pytest.approx(df)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(2.0, df))
    assert np.exp(row["log_p"]) == pytest.approx(row["p_value"])
    half = stats.t.ppf(0.975, df) * 0.3
    assert (row["conf_low"], row["conf_high"]) == pytest.approx((0.6 - half, 0.6 + half))
    # The standardised path is half of it with half the error: the same test, adjusted by itself.
    std = only(found.comparison, quantity="std_path")
    assert (std["difference"], std["statistic"]) == pytest.approx((0.3, 2.0))
    assert row["p_adjusted"] == std["p_adjusted"] == pytest.approx(row["p_value"])
    assert list(found.comparison.columns) == list(TABLES["comparison"])
    assert list(found.comparison_omnibus.columns) == list(TABLES["comparison_omnibus"])
    assert list(found.rank_agreement.columns) == list(TABLES["rank_agreement"])


def test_paths_without_df_are_z_tests_with_an_empty_df():
    table = paths([("use=a", "TEM", 1.0, 0.3, np.nan), ("use=b", "TEM", 0.0, 0.4, None)])
    row = only(compare({"coefficients": table}, strata("use=a", "use=b")).comparison, quantity="path")
    assert np.isnan(row["df"])
    assert row["p_value"] == pytest.approx(2 * stats.norm.sf(2.0))
    assert row["conf_low"] == pytest.approx(1.0 - stats.norm.ppf(0.975) * 0.5)


def test_every_pair_in_declared_order_and_joint_rows_left_out():
    cells = [(s, "TEM", i, 1.0, 50) for i, s in enumerate(["use=a", "use=b", "use=c"])]
    joint = [("use=a", "LUCC", np.nan, np.nan, 3), ("use=b", "LUCC", None, None, 3)]
    found = compare({"coefficients": paths([*cells, *joint])}, strata("use=c", "use=a", "use=b")).comparison
    pairs = found[found.quantity == "path"][["stratum_a", "stratum_b", "difference"]].values.tolist()
    assert pairs == [["use=c", "use=a", 2.0], ["use=c", "use=b", 1.0], ["use=a", "use=b", -1.0]]
    assert set(found["driver"]) == {"TEM"}


def test_crossed_families_are_compared_among_themselves():
    labels = ["all", "use=a", "use=b", "use=a,side=n", "use=b,side=n"]
    table = paths([(s, "TEM", 1.0, 0.1, 50) for s in labels])
    found = compare({"coefficients": table}, strata(*labels)).comparison
    assert found.groupby("stratum", sort=False).size().to_dict() == {"use": 2, "use*side": 2}


def test_models_with_the_same_paths_do_not_collide():
    cells = [("use=a", "TEM", 1.0, 0.1, 50), ("use=b", "TEM", 0.0, 0.1, 50)]
    table = pd.concat([paths(cells), paths([(s, t, 3 * b, se, df) for s, t, b, se, df in cells], model="n")])
    found = compare({"coefficients": table}, strata("use=a", "use=b")).comparison
    assert found[found.quantity == "path"][["model", "difference"]].values.tolist() == [["m", 1], ["n", 3]]


def test_the_same_term_in_two_equations_is_two_numbers():
    cells = [("use=a", "TEM", 1.0, 0.1, 50), ("use=b", "TEM", 0.0, 0.1, 50)]
    table = pd.concat([paths(cells), paths(cells, response="soil")])
    found = compare({"coefficients": table}, strata("use=a", "use=b")).comparison
    assert found[found.quantity == "path"]["response"].tolist() == ["NEP", "soil"]


def test_a_driver_that_one_stratum_lacks_has_no_row_there():
    cells = [("use=a", "TEM", 1.0, 0.1, 9), ("use=b", "TEM", 0.0, 0.1, 9), ("use=a", "PRE", 1.0, 0.1, 9)]
    assert set(compare({"coefficients": paths(cells)}, strata("use=a", "use=b")).comparison["driver"]) == {
        "TEM"
    }


def test_without_an_error_there_is_a_difference_and_no_test():
    q = {"model": "g", "stratum": ["use=a", "use=b"], "driver": "TEM", "q": [0.5, 0.3], "group": None}
    found = compare({"q": pd.DataFrame(q)}, strata("use=a", "use=b"), responses={"g": ["NEP"]})
    row = only(found.comparison)
    assert (row["quantity"], row["response"], row["group"]) == ("q", "NEP", "")
    assert row["difference"] == pytest.approx(0.2)
    tests = ["std_error", "statistic", "p_value", "p_adjusted", "df", "log_p", "conf_low", "conf_high"]
    assert all(np.isnan(row[name]) for name in tests)
    assert len(found.comparison_omnibus) == 0


def test_shares_need_their_degrees_of_freedom_and_groups_compare():
    cells = [("use=a", "TEM", 0.5, 0.03, 9), ("use=b", "TEM", 0.4, 0.04, np.nan)]
    grouped = [("use=a", None, 0.7, 0.03, 9), ("use=b", None, 0.4, 0.04, 9)]
    found = compare({"importance": shares(cells + grouped)}, strata("use=a", "use=b")).comparison
    driver, group = only(found, driver="TEM"), only(found, driver="")
    assert driver["std_error"] == pytest.approx(0.05)
    assert np.isnan(driver["p_value"])
    assert np.isnan(driver["statistic"])
    df = 0.0025**2 / ((0.0009**2 + 0.0016**2) / 9)
    assert (group["group"], group["df"], group["statistic"]) == ("climate", *map(pytest.approx, (df, 6.0)))


def test_only_the_gain_of_importance_is_influence():
    table = shares([("use=a", "TEM", 0.5, 0.1, 9), ("use=b", "TEM", 0.4, 0.1, 9)])
    other = table.assign(measure="shap", share=0.9)
    found = compare({"importance": pd.concat([other, table])}, strata("use=a", "use=b")).comparison
    assert found["estimate_a"].tolist() == [0.5]


def test_effects_of_groups_are_left_out_and_total_ones_taken():
    key = {"model": "m", "response": "NEP", "std_error": 0.1, "std_estimate_error": 0.1, "df": np.nan}
    rows = [
        {**key, "stratum": s, "driver": d, "group": "climate", "kind": kind, "estimate": b, "std_estimate": b}
        for s, b in (("use=a", 1.0), ("use=b", 0.5))
        for d, kind in (("TEM", "total"), ("TEM", "direct"), (None, "total"))
    ]
    found = compare({"effects": frame("effects", rows, keys=True)}, strata("use=a", "use=b")).comparison
    assert found[["quantity", "driver"]].values.tolist() == [
        ["total_effect", "TEM"],
        ["std_total_effect", "TEM"],
    ]


def test_p_values_are_adjusted_over_families_and_models_by_quantity():
    labels = ["use=a", "use=b", "side=n", "side=s"]
    cells = [(s, "TEM", b, 0.1, np.nan) for s, b in zip(labels, (0.4, 0.0, 0.3, 0.0), strict=True)]
    tables = {"coefficients": pd.concat([paths(cells), paths(cells, model="n")], ignore_index=True)}
    found = compare(tables, strata(*labels)).comparison
    mine = found[found.quantity == "path"]
    p = mine["p_value"].to_numpy()
    ordered = np.sort(p)
    want = {value: min(ordered[j] * 4 / (j + 1) for j in range(4) if ordered[j] >= value) for value in p}
    assert mine["p_adjusted"].tolist() == pytest.approx([want[value] for value in p])


def test_p_values_below_the_smallest_double_keep_their_logarithm():
    table = paths([("use=a", "TEM", 100.0, 0.1, np.nan), ("use=b", "TEM", 0.0, 0.1, np.nan)])
    row = only(compare({"coefficients": table}, strata("use=a", "use=b")).comparison, quantity="path")
    assert row["p_value"] == 0.0
    assert row["log_p"] < -200000


def test_nothing_to_compare_gives_empty_tables_with_their_columns():
    for tables in ({}, {"coefficients": paths([])}, {"coefficients": paths([("all", "TEM", 1, 1, 9)])}):
        found = compare(tables, strata("all", "use=a"))
        assert [len(t) for t in (found.comparison, found.comparison_omnibus, found.rank_agreement)] == [0] * 3
        assert list(found.comparison.columns) == list(TABLES["comparison"])
        assert found.notes == ()


def test_tables_from_a_csv_give_the_same_bytes(tmp_path):
    cells = [(s, t, b, 0.1, df) for s, b, df in (("use=a", 1.0, 9), ("use=b", 0.0, None)) for t in ("x", "z")]
    table = paths(cells)
    table.to_csv(tmp_path / "c.csv", index=False)
    members = strata("use=a", "use=b")
    first, second = (
        compare({"coefficients": t}, members).comparison for t in (table, pd.read_csv(tmp_path / "c.csv"))
    )
    pd.testing.assert_frame_equal(first, second)


# Laws

numbers_of = st.lists(
    st.tuples(st.floats(-5, 5), st.floats(0.01, 3), st.integers(2, 200)), min_size=4, max_size=4
)


@settings(max_examples=30)
@given(numbers_of)
def test_swapping_strata_turns_the_sign_and_nothing_else(cells):
    labels = ["use=a", "use=b"]
    table = paths([(labels[i % 2], f"d{i // 2}", *cell) for i, cell in enumerate(cells)])
    one, two = (
        compare({"coefficients": table}, strata(*order)).comparison for order in (labels, labels[::-1])
    )
    assert one["difference"].tolist() == (-two["difference"]).tolist()
    assert one["conf_low"].tolist() == (-two["conf_high"]).tolist()
    for same in ("std_error", "df", "log_p", "p_adjusted", "driver"):
        assert one[same].tolist() == two[same].tolist()


@settings(max_examples=20)
@given(st.permutations(["use=a", "use=b", "use=c", "use=d"]), st.integers(0, 99))
def test_the_order_of_strata_changes_no_test(order, seed):
    rng = np.random.default_rng(seed)
    cells = [(s, t, rng.normal(), 0.2, 30) for s in sorted(order) for t in "xyz"]
    one, two = (
        compare({"coefficients": paths(cells)}, strata(*members)) for members in (sorted(order), order)
    )

    def pairs(table):
        names = ("quantity", "driver", "stratum_a", "stratum_b", "p_adjusted")
        rows = zip(*(table[name] for name in names), strict=True)
        return {(q, d, frozenset((a, b))): p for q, d, a, b, p in rows}

    assert pairs(one.comparison) == pairs(two.comparison)
    assert one.comparison_omnibus["statistic"].tolist() == pytest.approx(
        two.comparison_omnibus["statistic"].tolist(), rel=1e-9
    )


def test_rows_are_what_the_tests_say_one_by_one():
    rng = np.random.default_rng(5)
    cells = [(s, t, rng.normal(), rng.random() + 0.1, 20) for s in ("use=a", "use=b", "use=c") for t in "xy"]
    known = {(s, t): cell for s, t, *cell in cells}
    found = compare({"coefficients": paths(cells)}, strata("use=a", "use=b", "use=c")).comparison
    for row in found[found.quantity == "path"].to_dict("records"):
        (b, se, df), (c, te, _) = (known[row[f"stratum_{k}"], row["driver"]] for k in "ab")
        test = wald_differences(b, c, se**2, te**2, df, df)
        assert (row["statistic"], row["log_p"]) == pytest.approx((float(test.statistic), float(test.log_p)))


def family(rng, shift):
    """Three strata, ten paths each, errors estimated on 20 degrees of freedom."""
    cells = []
    for s, driver in itertools.product(("use=a", "use=b", "use=c"), range(10)):
        true = shift if (s, driver) == ("use=c", 0) else 0.0
        cells.append((s, f"d{driver}", rng.normal(true, 0.1), 0.1 * np.sqrt(rng.chisquare(20) / 20), 20))
    table = paths(cells, std_estimate=np.nan)
    return compare({"coefficients": table}, strata("use=a", "use=b", "use=c"))


def test_families_without_a_difference_seldom_show_one():
    rng = np.random.default_rng(20261122)
    found = [family(rng, 0.0) for _ in range(200)]
    most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    for table in ("comparison", "comparison_omnibus"):
        false = np.mean([(getattr(one, table)["p_adjusted"] < 0.05).any() for one in found])
        assert false <= most


def test_a_planted_difference_is_found():
    rng = np.random.default_rng(20261123)
    rates = []
    for _ in range(50):
        found = family(rng, 0.8)
        hits = found.comparison[found.comparison["p_adjusted"] < 0.05]
        rates.append(((hits.driver == "d0") & (hits.stratum_b == "use=c")).sum() / 2)
    assert np.mean(rates) > 0.9


# All strata at once


def test_the_omnibus_test_of_known_errors_is_chi_square():
    table = paths([(f"use={s}", "TEM", b, 0.2, np.nan) for s, b in zip("abc", (1.0, 0.4, 0.1), strict=True)])
    row = only(
        compare({"coefficients": table}, strata("use=a", "use=b", "use=c")).comparison_omnibus,
        quantity="path",
    )
    assert row["pooled"] == pytest.approx(0.5)
    assert row["statistic"] == pytest.approx(10.5)  # (0.25 + 0.01 + 0.16) / 0.04
    assert (row["n_strata"], row["df"]) == (3, 2.0)
    assert np.isnan(row["df_residual"])
    assert row["p_value"] == pytest.approx(stats.chi2.sf(10.5, 2))


def test_the_omnibus_test_of_two_is_the_square_of_the_difference():
    table = paths([("use=a", "TEM", 1.0, 0.2, 20), ("use=b", "TEM", 0.4, 0.3, 30)])
    found = compare({"coefficients": table}, strata("use=a", "use=b"))
    pair, all_of_them = (only(t, quantity="path") for t in (found.comparison, found.comparison_omnibus))
    assert all_of_them["statistic"] == pytest.approx(pair["statistic"] ** 2)
    assert all_of_them["df_residual"] == pytest.approx(pair["df"])
    assert all_of_them["p_value"] == pytest.approx(pair["p_value"])


# Overlaps


def test_strata_that_share_pixels_are_refused_with_a_note():
    members = [
        stratum("use=a", (0, 1)),
        stratum("use=b", (1, 2)),
        stratum("use=c", (3,)),
        stratum("use=d", (4,)),
    ]
    table = paths([(s.label, "TEM", i, 0.1, 50) for i, s in enumerate(members)])
    found = compare({"coefficients": table}, members, SHARING)
    mine = found.comparison[found.comparison.quantity == "path"]
    assert len(mine) == 5
    assert not ((mine.stratum_a == "use=a") & (mine.stratum_b == "use=b")).any()
    # Of all strata only those that overlap none are tested together.
    assert only(found.comparison_omnibus, quantity="path")["n_strata"] == 2
    assert found.notes == (
        "`use`: `use=a` and `use=b` share pixels, so their difference cannot be tested as if they were two "
        "samples; make the conditions exclude each other",
    )


def test_many_overlaps_are_one_note():
    members = [stratum(f"use={s}", (0, i)) for i, s in enumerate("abcde")]
    table = paths([(s.label, "TEM", 1.0, 0.1, 50) for s in members])
    found = compare({"coefficients": table}, members, SHARING)
    assert len(found.comparison) == len(found.comparison_omnibus) == 0
    assert found.notes == (
        "`use`: `use=a` and `use=b`; `use=a` and `use=c`; `use=a` and `use=d`; `use=a` and `use=e`; `use=b` "
        "and `use=c`; `use=b` and `use=d`; and 4 more pairs share pixels, so their differences cannot be "
        "tested as if they were two samples; make the conditions exclude each other",
    )


def test_strata_cut_on_the_response_carry_a_warning():
    members = [stratum("balance=sink", (0,), True), stratum("balance=source", (1,), True)]
    table = paths([(s.label, "TEM", 1.0, 0.1, 50) for s in members])
    assert compare({"coefficients": table}, members).notes == (
        "`balance`: its strata are cut on the response, which bends every slope, share and q in them; a "
        "difference between two of them need not mean that drivers act differently",
    )


# Composites


def composite_table(weights):
    """NEP ~ climate, climate <~ TEM, with a weight per stratum."""
    weight = [
        {"model": "m", "stratum": s, "response": "climate", "op": "<~", "term": "TEM", "estimate": w}
        for s, w in weights.items()
    ]
    effects = [(s, "climate", 1.0, 0.1, 50) for s in weights] + [(s, "DEM", 2.0, 0.1, 50) for s in weights]
    return pd.concat([paths(effects), frame("coefficients", weight, keys=True)], ignore_index=True)


def test_raw_paths_of_a_composite_with_other_weights_are_left_out():
    found = compare({"coefficients": composite_table({"use=a": 1.0, "use=b": 3.0})}, strata("use=a", "use=b"))
    assert found.comparison[["quantity", "driver"]].values.tolist() == [
        ["path", "DEM"],
        ["std_path", "climate"],
        ["std_path", "DEM"],
    ]
    assert found.notes == (
        "model `m`: `climate` is a composite with other weights in other places, so raw paths and effects "
        "from or to it have no common unit and are left out; compare `std_path` and `std_total_effect`",
    )


def test_a_composite_with_the_same_weights_is_one_variable():
    found = compare({"coefficients": composite_table({"use=a": 1.0, "use=b": 1.0})}, strata("use=a", "use=b"))
    assert len(found.comparison) == 4
    assert found.notes == ()


def test_weights_differ_by_value_and_by_member():
    table = composite_table({"use=a": 1.0, "use=b": 1.0 + 1e-12})
    weights = list(composite_weights(table).values())
    assert weights[0] == {"climate": {"TEM": 1.0}}
    assert differing_composites(weights) == []
    assert differing_composites([{"c": {"TEM": 1.0}}, {"c": {"TEM": 1.0, "PRE": 0.0}}]) == ["c"]
    assert composite_weights(None) == {}


# Agreement of ranks


def q_table(values, errors=0.01, model="g"):
    rows = [
        {"model": model, "stratum": s, "driver": d, "q": q, "std_error": errors}
        for s, found in values.items()
        for d, q in found.items()
    ]
    return pd.DataFrame(rows)


def test_rank_agreement_by_hand():
    values = {"use=a": {"TEM": 0.6, "PRE": 0.4, "DEM": 0.2}, "use=b": {"TEM": 0.6, "PRE": 0.2, "DEM": 0.4}}
    values["use=a"]["SOM"] = 0.9  # only here, so it is not ranked
    row = only(compare({"q": q_table(values)}, strata("use=a", "use=b")).rank_agreement)
    assert (row["quantity"], row["n_raters"], row["n_items"], row["w"]) == ("q", 2, 3, pytest.approx(0.75))
    assert row["p_value"] == pytest.approx(stats.chi2.sf(2 * 2 * 0.75, 2))
    assert (row["w_low"], row["w_high"]) == (0.75, 0.75)  # errors too small to change a rank


def test_effects_are_ranked_by_size_and_composites_are_not_ranked():
    key = {"model": "m", "response": "NEP", "kind": "total", "std_error": 0.1}
    rows = [
        {**key, "stratum": s, "driver": d, "estimate": 1.0, "std_estimate": b}
        for s, found in {"use=a": (0.9, -0.5, 0.1, 0.3), "use=b": (-0.9, 0.5, 0.1, 0.0)}.items()
        for d, b in zip(("TEM", "PRE", "DEM", "climate"), found, strict=True)
    ]
    tables = {"effects": pd.DataFrame(rows), "coefficients": composite_table({"use=a": 1.0, "use=b": 2.0})}
    row = only(compare(tables, strata("use=a", "use=b")).rank_agreement)
    assert (row["quantity"], row["response"]) == ("std_total_effect", "NEP")
    assert (row["n_items"], row["w"]) == (3, pytest.approx(1.0))
    assert np.isnan(row["w_low"])  # no standard errors


def test_two_drivers_are_too_few_to_rank():
    values = {s: {"TEM": 0.6, "PRE": 0.4} for s in ("use=a", "use=b")}
    assert len(compare({"q": q_table(values)}, strata("use=a", "use=b")).rank_agreement) == 0


def test_the_interval_of_agreement_widens_with_the_errors_and_repeats():
    estimates = np.array([[0.6, 0.4, 0.2, 0.1], [0.5, 0.4, 0.1, 0.2]])
    narrow, wide, again = (
        rank_agreement(estimates, np.full((2, 4), error), np.random.default_rng(3))
        for error in (0.02, 0.2, 0.2)
    )
    assert wide == again
    assert wide["w_high"] - wide["w_low"] > narrow["w_high"] - narrow["w_low"]


def test_a_panel_puts_numbers_in_their_places():
    found = read_estimates({"q": q_table({"use=b": {"TEM": 0.1}, "use=a": {"PRE": 0.2, "TEM": 0.3}})})
    places = np.array([1, 0, 0])
    panel = make_panel("g", "use", ["use=a", "use=b"], found, places)
    assert panel.keys["driver"].tolist() == ["TEM", "PRE"]
    assert panel.estimates == pytest.approx(np.array([[0.3, 0.2], [0.1, np.nan]]), nan_ok=True)
    assert panel.separate.tolist() == [0, 1]


# Two runs

MODEL = {"name": "paths", "method": "psem", "formula": "NEP ~ TEM + PRE", "options": {}, "responses": ["NEP"]}


def facts(name, **changed):
    made = {
        "study": name,
        "response": {"name": "NEP", "unit": "g C m-2 yr-1"},
        "drivers": [{"name": "TEM", "unit": "degC"}, {"name": "PRE", "unit": "mm"}],
        "models": [copy.deepcopy(MODEL)],
        "strata": ["all", "use=a"],
        "sha256": {"table": f"table of {name}"},
    }
    return made | changed


def runs(facts_a=None, facts_b=None, name_a="north", name_b="south"):
    a = {"coefficients": paths([("all", d, 1.0, 0.3, 50) for d in ("TEM", "PRE")], model="paths")}
    b = {"coefficients": paths([("all", d, 0.0, 0.4, 50) for d in ("TEM", "PRE")], model="paths")}
    told = (facts_a or facts("north"), facts_b or facts("south"))
    return compare_runs(a, b, name_a, name_b, *told, np.random.default_rng(1))


def refusal(facts_a, facts_b):
    with pytest.raises(TableError) as caught:
        common_ground(facts_a, facts_b, "north", "south")
    return str(caught.value)


def test_two_runs_by_stratum():
    found = runs()
    row = only(found.comparison, quantity="path", driver="TEM")
    assert (row["model"], row["stratum"], row["stratum_a"], row["stratum_b"]) == (
        *("paths", "all"),
        *("north", "south"),
    )
    assert (row["difference"], row["statistic"]) == (1.0, pytest.approx(2.0))
    assert len(found.comparison) == 4
    assert len(found.comparison_omnibus) == 0
    assert found.notes == ()


def test_runs_of_one_name_are_told_apart():
    found = runs(name_a="horqin", name_b="horqin").comparison
    assert (set(found["stratum_a"]), set(found["stratum_b"])) == ({"horqin (a)"}, {"horqin (b)"})


def test_the_same_table_is_refused():
    same = facts("south", sha256={"table": "table of north"})
    assert refusal(facts("north"), same) == (
        "TableError: `north` and `south` used the same table, so a stratum would be compared with itself\n"
        "  give two runs on two tables, of two regions or two periods; strata of one run are compared in its "
        "own report"
    )


def test_runs_with_nothing_in_common_say_so_at_once():
    other = facts("south", models=[MODEL | {"name": "trees"}], strata=["use=b"])
    assert refusal(facts("north"), other) == (
        "TableError: no model is in both `north` and `south`\n"
        "  `north` has `paths`; `south` has `trees`\n"
        "no stratum is in both `north` and `south`\n"
        "  `north` has `all`, `use=a`; `south` has `use=b`"
    )


def test_models_of_one_name_that_differ_are_refused():
    changed = MODEL | {"formula": "NEP ~ TEM", "options": {"errors": "block"}}
    assert refusal(facts("north"), facts("south", models=[changed])) == (
        "TableError: model `paths` is not the same model in both runs\n"
        "  its formula is  NEP ~ TEM + PRE  in `north` and  NEP ~ TEM  in `south`\n"
        "  its option `errors` is the default in `north` and block in `south`"
    )


def test_one_model_that_differs_is_a_note():
    trees = {"name": "trees", "method": "brt", "formula": "NEP ~ TEM", "options": {}}
    north = facts("north", models=[MODEL, trees])
    south = facts("south", models=[MODEL, trees | {"method": "geodetector"}])
    ground = common_ground(north, south, "north", "south")
    assert ground.models == ("paths",)
    assert ground.notes == (
        "model `trees` is not compared, for it is not the same model in both runs: its method is brt in "
        "`north` and geodetector in `south`",
    )


@pytest.mark.parametrize(
    "formula",
    ["# why\nNEP ~  TEM + PRE  # because\n", "NEP ~ TEM + PRE;"],
)
def test_comments_and_blanks_do_not_change_a_formula(formula):
    same = facts("south", models=[MODEL | {"formula": formula}])
    assert common_ground(facts("north"), same, "north", "south").models == ("paths",)


def test_the_order_of_equations_does_not_change_a_formula_and_torn_ones_are_not_sorted():
    def models(formula):
        return [MODEL | {"formula": formula}]

    one, two = facts("n", models=models("a ~ x\nb ~ a")), facts("s", models=models("b ~ a\na ~ x"))
    assert common_ground(one, two, "n", "s").models == ("paths",)
    one, two = (
        facts("n", models=models("a ~ x +\n y\nb ~ z")),
        facts("s", models=models("b ~ z +\n y\na ~ x")),
    )
    with pytest.raises(TableError):
        common_ground(one, two, "n", "s")


def test_raw_numbers_of_other_units_are_left_out():
    south = facts("south", drivers=[{"name": "TEM", "unit": "K"}, {"name": "PRE", "unit": "mm"}])
    found = runs(facts_b=south)
    assert found.comparison[["quantity", "driver"]].values.tolist() == [
        ["path", "PRE"],
        ["std_path", "TEM"],
        ["std_path", "PRE"],
    ]
    assert found.notes == (
        "units differ between `north` and `south`: `TEM` (degC and K); raw paths and effects from or to them "
        "are left out, standardised ones, q and influence have no units",
    )


def test_another_unit_of_the_response_leaves_no_raw_number():
    found = runs(facts_b=facts("south", response={"name": "NEP", "unit": "kg C m-2 yr-1"}))
    assert set(found.comparison["quantity"]) == {"std_path"}


def test_the_unit_of_a_member_is_that_of_its_composite():
    weight = {"model": "paths", "stratum": "all", "response": "climate", "op": "<~", "term": "PRE"}
    rows = [paths([("all", d, 1.0, 0.3, 50) for d in ("climate", "DEM")], model="paths")]
    rows.append(frame("coefficients", [weight | {"estimate": 1.0}], keys=True))
    tables = {"coefficients": pd.concat(rows, ignore_index=True)}
    south = facts("south", drivers=[{"name": "PRE", "unit": "cm"}, {"name": "TEM", "unit": "degC"}])
    found = compare_runs(tables, tables, "n", "s", facts("n"), south, np.random.default_rng(1)).comparison
    assert found[found.quantity == "path"]["driver"].tolist() == ["DEM"]


def test_a_driver_of_one_run_is_named():
    south = facts("south", drivers=[{"name": "TEM", "unit": "degC"}])
    assert runs(facts_b=south).notes == (
        "`PRE` is a driver in `north` only; where a formula names a group or `.`, the numbers of other "
        "drivers do not allow for the same ones in both runs",
    )


def test_runs_without_a_fit_in_common_are_refused():
    with pytest.raises(TableError) as caught:
        compare_runs({}, {}, "north", "south", facts("north"), facts("south"), np.random.default_rng(1))
    assert str(caught.value) == "TableError: `north` and `south` have no model fitted on the same stratum"


def test_what_was_refused_a_test_is_not_compared() -> None:
    """Too few independent pixels: a standard error stands in the table, and no p-value."""
    rows = {"model": "m", "stratum": ["use=a", "use=b"], "response": "y", "op": "~", "term": "x", "group": ""}
    numbers = {"estimate": [1.0, 3.0], "std_error": 0.1, "df": [30.0, np.nan], "p_value": [0.001, np.nan]}
    strata = [Stratum(f"use={u}", (("use", u),), False, (i,), 100) for i, u in enumerate("ab")]
    tables = {"coefficients": pd.DataFrame({**rows, **numbers})}
    found = compare_strata(tables, strata, lambda a, b: False, np.random.default_rng(1)).comparison
    assert found["difference"].tolist() == [-2.0]
    assert found["p_value"].isna().all()
