"""Direct, indirect and total effects of drivers, composites and groups, with their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

import drivers as dr
from drivers import pathways
from drivers.effect_errors import EdgeErrors
from drivers.glossary import TABLES

FORMULA = "m ~ x + z; k ~ m + z; y ~ m + k + z"
GROUPS = {"far": ["x", "z"], "near": ["m", "k"]}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(31)
    n = 500
    x, z = rng.normal(10, 2, n), rng.normal(400, 30, n)
    m = 0.3 * x + 0.01 * z + rng.normal(size=n)
    k = -0.6 * m + 0.005 * z + rng.normal(size=n)
    y = 2 * m - 3 * k + 0.05 * z + 4 * rng.normal(size=n)
    return pd.DataFrame({"x": x, "z": z, "m": m, "k": k, "y": y})


@pytest.fixture(scope="module")
def fits(frame: pd.DataFrame) -> dict[str, Any]:
    return {line.split(" ~")[0]: smf.ols(line, frame).fit() for line in FORMULA.split("; ")}


def one(table: pd.DataFrame, **where: str) -> pd.Series:
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1, where
    return table.iloc[0]


def test_columns_are_the_glossarys(frame: pd.DataFrame) -> None:
    found = dr.effects(dr.fit(FORMULA, frame))
    assert list(found.columns) == [c for c in TABLES["effects"] if c not in ("model", "stratum")]


def test_every_path_has_its_row(frame: pd.DataFrame) -> None:
    found = dr.effects(dr.fit(FORMULA, frame))
    mine = found[(found.driver == "z") & (found.response == "y")]
    assert mine.kind.tolist() == ["direct", "indirect", "indirect", "indirect", "total_indirect", "total"]
    assert mine.via.tolist()[0] == "z -> y"
    assert set(mine.via.tolist()[1:4]) == {"z -> k -> y", "z -> m -> y", "z -> m -> k -> y"}
    assert mine.via.tolist()[4:] == ["", ""]
    assert set(found.response) == {"m", "k", "y"}
    # x has no direct effect on y, and no row that says it is zero.
    assert "direct" not in set(found[(found.driver == "x") & (found.response == "y")].kind)


def test_a_direct_effect_is_its_coefficient(frame: pd.DataFrame) -> None:
    result = dr.fit(FORMULA, frame)
    found = dr.effects(result)
    for path in result.tidy().itertuples():
        got = one(found, driver=path.term, response=path.response, kind="direct")
        for column in ("estimate", "std_estimate", "std_error", "conf_low", "conf_high", "p_value"):
            assert got[column] == pytest.approx(getattr(path, column), rel=1e-12), column


def test_estimates_and_delta_errors(frame: pd.DataFrame, fits: dict[str, Any]) -> None:
    """Gradients by central differences over the parameters of statsmodels' fits, V from its covariances."""
    found = dr.effects(dr.fit(FORMULA, frame))
    names = [("m", "x"), ("m", "z"), ("k", "m"), ("k", "z"), ("y", "m"), ("y", "k"), ("y", "z")]
    at = np.array([fits[r].params[t] for r, t in names])
    v = np.zeros((7, 7))
    for i, (ri, ti) in enumerate(names):
        for j, (rj, tj) in enumerate(names):
            if ri == rj:
                v[i, j] = fits[ri].cov_params().loc[ti, tj]

    def value(kind: str, b: np.ndarray) -> float:
        mx, mz, km, kz, ym, yk, yz = b
        del mx
        return {
            "z -> m -> y": mz * ym,
            "z -> k -> y": kz * yk,
            "z -> m -> k -> y": mz * km * yk,
            "total_indirect": mz * ym + kz * yk + mz * km * yk,
            "total": yz + mz * ym + kz * yk + mz * km * yk,
        }[kind]

    mine = found[(found.driver == "z") & (found.response == "y")]
    for kind in ("z -> m -> y", "z -> k -> y", "z -> m -> k -> y", "total_indirect", "total"):
        got = one(mine, via=kind) if "->" in kind else one(mine, kind=kind)
        g = np.array([(value(kind, at + s) - value(kind, at - s)) / 2e-6 for s in 1e-6 * np.eye(7)])
        error = float(np.sqrt(g @ v @ g))
        assert got.estimate == pytest.approx(value(kind, at), rel=1e-9)
        assert got.std_error == pytest.approx(error, rel=1e-6)
        assert got.p_value == pytest.approx(2 * stats.norm.sf(abs(got.estimate / error)), rel=1e-5)
        assert got.conf_low == pytest.approx(got.estimate - stats.norm.ppf(0.975) * error, rel=1e-6)
        assert got.conf_high == pytest.approx(got.estimate + stats.norm.ppf(0.975) * error, rel=1e-6)
        std = got.estimate * frame.z.std() / frame.y.std()
        assert got.std_estimate == pytest.approx(std, rel=1e-9)


def test_groups(frame: pd.DataFrame, fits: dict[str, Any]) -> None:
    """The sheaf effect of x and z together: the sd of t_x x + t_z z, split along its ways."""
    found = dr.effects(dr.fit(FORMULA, frame, groups=GROUPS))
    assert set(found[found.driver == "x"].group) == {"far"}
    rows = found[(found.driver == "") & (found.group == "far") & (found.response == "y")]
    b = {(r, t): fits[r].params[t] for r in fits for t in fits[r].params.index}
    parts = {
        "far -> y": np.array([0.0, b["y", "z"]]),
        "far -> m -> y": np.array([b["m", "x"], b["m", "z"]]) * b["y", "m"],
        "far -> k -> y": np.array([0.0, b["k", "z"]]) * b["y", "k"],
        "far -> m -> k -> y": np.array([b["m", "x"], b["m", "z"]]) * b["k", "m"] * b["y", "k"],
    }
    total = sum(parts.values())
    covariance = np.cov(frame[["x", "z"]].T)
    length = float(np.sqrt(total @ covariance @ total))
    assert set(rows.via) == {*parts, ""}
    for via, part in parts.items():
        got = one(rows, via=via)
        assert got.estimate == pytest.approx(part @ covariance @ total / length, rel=1e-8)
        assert got.kind == ("direct" if via == "far -> y" else "indirect")
        assert got.std_estimate == pytest.approx(got.estimate / frame.y.std(), rel=1e-10)
    assert one(rows, kind="total").estimate == pytest.approx(length, rel=1e-9)
    ways = rows[rows.via != ""].estimate.sum()
    assert ways == pytest.approx(length, rel=1e-12)
    indirect = rows[rows.kind == "indirect"].estimate.sum()
    assert one(rows, kind="total_indirect").estimate == pytest.approx(indirect, rel=1e-12)


def test_a_group_of_one_is_its_driver(frame: pd.DataFrame) -> None:
    found = dr.effects(dr.fit(FORMULA, frame, groups={"only": ["x"], "rest": ["z"]}))
    for response in ("m", "y"):
        own = one(found, driver="x", response=response, kind="total")
        joint = one(found[found.group == "only"], driver="", response=response, kind="total")
        assert joint.estimate == pytest.approx(abs(own.estimate) * frame.x.std(), rel=1e-10)
        assert joint.std_estimate == pytest.approx(abs(own.std_estimate), rel=1e-10)
        assert joint.std_error == pytest.approx(own.std_error * frame.x.std(), rel=1e-8)


def test_paths_through_another_member_are_that_members_share(frame: pd.DataFrame) -> None:
    """m acts on y directly and through k of the same group: counted once, at k."""
    found = dr.effects(dr.fit(FORMULA, frame, groups=GROUPS))
    rows = found[(found.driver == "") & (found.group == "near") & (found.response == "y")]
    assert rows[rows.via != ""].via.tolist() == ["near -> y"]
    fit = smf.ols("y ~ m + k + z", frame).fit().params[["m", "k"]]
    want = float(np.sqrt(fit @ np.cov(frame[["m", "k"]].T) @ fit))
    assert one(rows, kind="total").estimate == pytest.approx(want, rel=1e-9)
    # A group has no effect on its own members.
    assert len(found[(found.driver == "") & (found.group == "near") & (found.response == "k")]) == 0


def test_group_p_values_keep_their_size_without_any_effect() -> None:
    """Four drivers that do nothing: every row of the group may be significant in 5 % of tables, no more.

    The joint effect is a length, so it is never negative and its z is not normal; 4000 tables of 200.
    """
    rng = np.random.default_rng(7)
    draws = 300
    direct = total = 0
    for _ in range(draws):
        made = pd.DataFrame(rng.normal(size=(100, 5)), columns=[*"abcd", "y"])
        found = dr.effects(dr.fit("y ~ a + b + c + d", made, groups={"g": list("abcd")}))
        rows = found[found.driver == ""].set_index("kind")
        direct += rows.loc["direct", "p_value"] < 0.05
        total += rows.loc["total", "p_value"] < 0.05
    assert stats.binomtest(int(total), draws, 0.06, alternative="greater").pvalue > 1e-3
    assert stats.binomtest(int(direct), draws, 0.06, alternative="greater").pvalue > 1e-3


def test_one_way_alone_says_what_the_total_says(frame: pd.DataFrame) -> None:
    """Where a group has one way only, its row and the total are the same effect, with the same p."""
    found = dr.effects(dr.fit("y ~ x + z", frame, groups={"far": ["x", "z"]}))
    rows = found[found.driver == ""].set_index("kind")
    for column in ("estimate", "std_estimate", "std_error", "conf_low", "conf_high", "p_value"):
        assert rows.loc["direct", column] == pytest.approx(
            rows.loc["total", column], rel=1e-9, nan_ok=True
        ), column


def test_dummies_and_products_start_effects_and_none_pass_through_them(frame: pd.DataFrame) -> None:
    made = frame.assign(kind=np.where(frame.x > 11, "wet", "dry"))
    result = dr.fit("m ~ kind + z; y ~ m + m:z + kind", made)
    found = dr.effects(result)
    assert set(found.driver) == {"kind[wet]", "z", "m", "m:z"}
    mine = found[(found.driver == "kind[wet]") & (found.response == "y")]
    assert set(mine.via) == {"kind[wet] -> y", "kind[wet] -> m -> y", ""}
    assert "m:z" not in " ".join(found[found.driver != "m:z"].via)
    assert "act as drivers of their own" in result.glance().message.item()


def test_too_many_paths_are_summed(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit: direct, total_indirect and total by matrix, with the same numbers and errors."""
    listed = dr.effects(dr.fit(FORMULA, frame))
    pathways.find_pathways.cache_clear()
    monkeypatch.setattr(pathways, "MOST_PATHS", 2)
    summed = dr.effects(dr.fit(FORMULA, frame))
    pathways.find_pathways.cache_clear()
    mine = summed[(summed.driver == "z") & (summed.response == "y")]
    assert mine.kind.tolist() == ["direct", "total_indirect", "total"]
    for kind in ("direct", "total_indirect", "total"):
        got, want = one(mine, kind=kind), one(listed, driver="z", response="y", kind=kind)
        for column in ("estimate", "std_estimate", "std_error", "conf_low", "conf_high", "p_value"):
            assert got[column] == pytest.approx(want[column], rel=1e-9), (kind, column)
    few = summed[(summed.driver == "x") & (summed.response == "m")]
    assert few.kind.tolist() == ["direct", "total"]


def test_a_dense_graph_of_many_paths_is_quick_and_right() -> None:
    """Sixteen nodes, every edge: 16,384 paths from first to last."""
    rng = np.random.default_rng(1)
    p = 16
    b = np.tril(rng.normal(size=(p, p)) * 0.3, -1)
    x = np.linalg.solve(np.eye(p) - b, rng.normal(size=(p, 400))).T
    made = pd.DataFrame(x, columns=[f"v{i:02d}" for i in range(p)])
    lines = [f"v{j:02d} ~ " + " + ".join(f"v{i:02d}" for i in range(j)) for j in range(1, p)]
    result = dr.fit("\n".join(lines), made)
    matrix = np.zeros((p, p))
    for r in result.tidy().itertuples():
        matrix[int(r.response[1:]), int(r.term[1:])] = r.estimate
    want = np.linalg.inv(np.eye(p) - matrix) - np.eye(p)
    found = dr.effects(result)
    for r in found[found.kind == "total"].itertuples():
        assert r.estimate == pytest.approx(want[int(r.response[1:]), int(r.driver[1:])], abs=1e-9)
    assert len(found[found.kind == "total"]) == p * (p - 1) / 2


def test_effects_behind_a_link_are_products_on_the_link_scale(frame: pd.DataFrame) -> None:
    made = frame.assign(hit=(frame.y > frame.y.median()).astype(float))
    result = dr.fit("m ~ x; hit ~ m", made, family={"hit": "binomial"})
    table = result.tidy().set_index(["response", "term"])
    got = one(dr.effects(result), driver="x", response="hit", kind="total")
    assert got.estimate == pytest.approx(
        table.loc[("m", "x"), "estimate"] * table.loc[("hit", "m"), "estimate"]
    )
    std = table.loc[("m", "x"), "std_estimate"] * table.loc[("hit", "m"), "std_estimate"]
    assert got.std_estimate == pytest.approx(std)


def test_what_cancels_in_a_gradient_does_not_count_for_degrees_of_freedom() -> None:
    """The joint effect of a composite does not depend on its weights; rounding leaves 1e-17 of them."""
    known = EdgeErrors(
        np.diag([0.04, 0.01, 0.0, np.nan]), np.zeros((4, 4)), np.array([90.0, 12.0, 3.0, 7.0]), np.zeros(4)
    )
    gradients = np.array(
        [[2.0, 1e-17, 5.0, 0.0], [2.0, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [2.0, 0.0, 0.0, 1.0]]
    )
    assert known.effect_df(gradients, "effective").tolist() == [90.0, 12.0, np.inf, 7.0]
    assert known.effect_df(gradients, "classical").tolist() == [90.0, np.inf, np.inf, np.inf]
