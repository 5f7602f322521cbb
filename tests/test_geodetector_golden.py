"""The geodetector against R's GD, gdverse and geodetector on the tables that these packages ship.

q and its candidates to 1e-10 relative; limits to 1e-9. p-values of GD to 1e-8 absolute: R's noncentral F is
no better (golden/BEHAVIOUR.md, item 8).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import drivers as dr
from drivers.methods.geodetector import GeodetectorResult

Table = Callable[[str], Path]
Golden = Callable[[str], Any]

NDVI = "NDVIchange ~ Climatezone + Mining + Tempchange + Precipitation + GDP + Popdensity"
GD_RULES = ["equal", "natural", "quantile", "geometric", "sd"]
Q, LIMITS, P = 1e-10, 1e-9, 1e-8


def detect(formula: str, data: pd.DataFrame, **options: Any) -> GeodetectorResult:
    more = {key: options.pop(key) for key in ("categorical",) if key in options}
    options = {"permutations": 0, "folds": 0, **options}
    result = dr.fit(formula, data, method="geodetector", options=options, **more)
    assert isinstance(result, GeodetectorResult)
    return result


def both_ways(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs by either order of their drivers: ours is that of the table, R's that of typing."""
    turned = pairs.rename(columns={"driver_a": "driver_b", "driver_b": "driver_a"})
    return pd.concat([pairs, turned]).set_index(["driver_a", "driver_b"]).sort_index()


@pytest.fixture(scope="module")
def ndvi(shared_table: Table) -> pd.DataFrame:
    return pd.read_csv(shared_table("ndvi_40"))


@pytest.fixture(scope="module")
def as_gd(ndvi: pd.DataFrame) -> GeodetectorResult:
    return detect(NDVI, ndvi, compat="GD", discretize={"methods": GD_RULES, "classes": [3, 8]})


def test_every_candidate_of_gd(as_gd: GeodetectorResult, golden: Golden) -> None:
    found = as_gd.breaks().set_index(["driver", "method", "n_classes"]).q
    seen = 0
    for driver, best in golden("gd.json")["optidisc"].items():
        for rule, by_k in best["q_matrix"].items():
            for k, q in by_k.items():
                got = found[driver, rule, int(k)]
                if q is None:
                    assert np.isnan(got), (driver, rule, k)
                else:
                    assert got == pytest.approx(q, rel=Q), (driver, rule, k)
                seen += 1
    assert seen == 120


def test_winners_of_gd(as_gd: GeodetectorResult, golden: Golden) -> None:
    chosen = as_gd.breaks().query("chosen").set_index("driver")
    for driver, best in golden("gd.json")["optidisc"].items():
        row = chosen.loc[driver]
        assert (row["method"], row["n_classes"]) == (best["method"], best["k"])
        limits = [float(v) for v in row["breaks"].split(";")]
        np.testing.assert_allclose(limits, best["breaks"], rtol=LIMITS)
        means = pd.DataFrame(as_gd.records["risk_means"]).query("driver == @driver")
        assert means.n.tolist() == best["counts"]


def test_detectors_of_gd(as_gd: GeodetectorResult, golden: Golden) -> None:
    want = golden("gd.json")["gdm"]
    q = as_gd.tidy().set_index("driver")
    for row in want["factor"]:
        assert q.q[row["variable"]] == pytest.approx(row["qv"], rel=Q)
        assert q.p_value[row["variable"]] == pytest.approx(row["sig"], abs=P)
    pairs = as_gd.interactions().set_index(["driver_a", "driver_b"])
    for row in want["interaction"]:
        key = (row["var1"], row["var2"])
        got = pairs.loc[key if key in pairs.index else key[::-1]]
        assert got.q_ab == pytest.approx(row["qv12"], rel=Q)
        assert got.type == row["interaction"]
    assert len(pairs) == 15
    for row in want["ecological_F_as_GD"]:
        ours = as_gd.ecological().set_index(["driver_a", "driver_b"]).loc[(row["var1"], row["var2"])]
        assert ours.f_statistic == pytest.approx(row["F_q2_over_q1"], rel=Q)


def test_risk_of_gd(as_gd: GeodetectorResult, golden: Golden) -> None:
    """Pairs by their means: GD orders levels as they come, and calls classes by their limits."""
    want = golden("gd.json")["gdm"]
    risk = as_gd.risk()
    for driver, tests in want["risk_ttest"].items():
        means = {row["itv"]: row["meanrisk"] for row in want["risk_mean"][driver]}
        mine = risk[risk.driver == driver]
        assert len(mine) == len(tests)
        for test in tests:
            a, b = means[test["itv1"]], means[test["itv2"]]
            forward = np.isclose(mine.mean_a, a, rtol=1e-9) & np.isclose(mine.mean_b, b, rtol=1e-9)
            backward = np.isclose(mine.mean_a, b, rtol=1e-9) & np.isclose(mine.mean_b, a, rtol=1e-9)
            (row,) = mine[forward | backward].to_dict("records")
            assert abs(row["statistic"]) == pytest.approx(abs(test["t"]), rel=1e-8)
            assert row["df"] == pytest.approx(test["df"], rel=1e-8)
            assert row["p_value"] == pytest.approx(test["sig"], rel=1e-6)
            assert row["p_adjusted"] >= row["p_value"]


@pytest.mark.parametrize("package", ["gdverse", "GD", "geodetector"])
def test_categorical_drivers(shared_table: Table, golden: Golden, package: str) -> None:
    """CollectData, R geodetector's example. GD and gdverse leave out pixels alone in a cell; the R package
    geodetector keeps them, as we do by default."""
    data = pd.read_csv(shared_table("CollectData"))
    names = ["soiltype", "watershed", "elevation"]
    compat = {"compat": "GD"} if package != "geodetector" else {}
    found = detect(f"incidence ~ {' + '.join(names)}", data, categorical=names, **compat)
    q, pairs = found.tidy().set_index("driver"), both_ways(found.interactions())
    if package == "gdverse":
        want = golden("gdverse.json")["CollectData"]
        for row in want["factor"]:
            assert q.q[row["variable"]] == pytest.approx(row["q"], rel=Q)
            assert q.p_value[row["variable"]] == pytest.approx(row["p"], abs=P)
        for row in want["interaction"]:
            assert pairs.q_ab[row["var1"], row["var2"]] == pytest.approx(row["q12"], rel=Q)
            assert pairs.type[row["var1"], row["var2"]] == row["type"]
    elif package == "GD":
        want = golden("geodetector.json")["GD_on_same"]
        for row in want["factor"]:
            assert q.q[row["variable"]] == pytest.approx(row["qv"], rel=Q)
            assert q.p_value[row["variable"]] == pytest.approx(row["sig"], abs=P)
        for row in want["interaction"]:
            assert pairs.q_ab[row["var1"], row["var2"]] == pytest.approx(row["qv12"], rel=Q)
        risk = found.risk()
        for driver, tests in want["risk"].items():
            mine = risk[risk.driver == driver].set_index(["class_a", "class_b"])
            for test in tests:
                got = mine.loc[(str(test["itv1"]), str(test["itv2"]))]
                assert got.statistic == pytest.approx(test["t"], rel=1e-8)
                assert got.p_value == pytest.approx(test["sig"], rel=1e-6)
    else:
        want = golden("geodetector.json")
        for row in want["factor"]:
            assert q.q[row["variable"]] == pytest.approx(row["q"], rel=Q)
        assert pairs.q_ab["soiltype", "watershed"] == pytest.approx(0.735680548139531, rel=Q)


def test_p_of_q_is_central_by_default(shared_table: Table, golden: Golden) -> None:
    data = pd.read_csv(shared_table("CollectData"))
    names = ["soiltype", "watershed", "elevation"]
    want = golden("q_exact_pvalues.json")["CollectData"]
    for shift in (0.0, 1.0, 1000.0):
        moved = data.assign(incidence=data.incidence + shift)
        q = detect(f"incidence ~ {' + '.join(names)}", moved, categorical=names).tidy().set_index("driver")
        for name in names:
            assert q.p_value[name] == pytest.approx(float(want[name]["central_F_p (ANOVA)"]), rel=1e-6)


def test_gd_p_moves_with_a_constant(shared_table: Table, golden: Golden) -> None:
    data = pd.read_csv(shared_table("CollectData"))
    for case in golden("gd_behaviour.json")["shift_invariance"]:
        moved = data.assign(incidence=data.incidence + case["shift"])
        names = ["soiltype", "watershed"]
        q = detect("incidence ~ soiltype + watershed", moved, categorical=names, compat="GD").tidy()
        q = q.set_index("driver").loc[names]
        assert q.q.tolist() == pytest.approx(case["q"], rel=1e-9)
        assert q.p_value.tolist() == pytest.approx(case["p"], abs=P)


def test_odd_input_as_gd(golden: Golden, ndvi: pd.DataFrame) -> None:
    probes = golden("gd_behaviour.json")
    single = pd.DataFrame({"y": probes["singleton"]["y"], "x": probes["singleton"]["x"]})
    single = single.astype({"y": float})
    found = detect("y ~ x", single, compat="GD").tidy().iloc[0]
    assert found.q == pytest.approx(probes["singleton"]["GD"][0]["qv"], rel=Q)
    assert found.p_value == pytest.approx(probes["singleton"]["GD"][0]["sig"], abs=P)
    kept = detect("y ~ x", single).tidy().iloc[0]
    assert kept.q == pytest.approx(probes["singleton"]["manual_keep"], rel=Q)
    holes = ndvi.copy()
    (want,) = probes["na_in_x_rows_dropped"]
    holes.loc[:4, "Mining"] = None
    assert detect("NDVIchange ~ Mining", holes).tidy().q[0] == pytest.approx(want["qv"], rel=Q)


PUBLISHED = {
    "Climatezone": ("categorical", 5, 0.8218335),
    "Popdensity": ("quantile", 15, 0.2100134),
    "Mining": ("categorical", 5, 0.1411154),
}
"""gdverse's vignette (data/PUBLISHED.md, section 1) for 3 to 15 classes, where it can be reproduced."""


def test_published_results(ndvi: pd.DataFrame) -> None:
    """Natural breaks: gdverse's are not the optimum (0.8809405 published)."""
    found = detect(NDVI, ndvi, discretize={"classes": [3, 15]})
    breaks = found.breaks().set_index(["driver", "method", "n_classes"]).q
    for driver, (rule, k, q) in PUBLISHED.items():
        assert breaks[driver, rule, k] == pytest.approx(q, abs=5e-8)
    chosen = found.breaks().query("chosen").set_index("driver")
    assert tuple(chosen.loc["Precipitation", ["method", "n_classes"]]) == ("natural", 14)
    assert chosen.q["Precipitation"] == pytest.approx(0.8811989, abs=5e-8)  # classInt's exact optimum
    # gdverse leaves the one pixel of the highest class out of both sums; we keep it, and do not choose it.
    values = ndvi.Tempchange
    limits = np.linspace(values.min(), values.max(), 15)[1:-1].tolist()
    given = {"per_driver": {"Tempchange": {"breaks": limits}}}
    kept = detect("NDVIchange ~ Tempchange", ndvi, discretize=given).tidy().q[0]
    left_out = detect("NDVIchange ~ Tempchange", ndvi, discretize=given, compat="GD").tidy().q[0]
    assert left_out == pytest.approx(0.3478433, abs=5e-8)
    assert breaks["Tempchange", "equal", 14] == pytest.approx(kept, rel=1e-12)
    # GDP: gdverse's 15-quantiles repeat at 0 and keep the zeros as a class of their own, 13 in all.
    above = ndvi.GDP[ndvi.GDP > 0].min()
    quantiles = np.unique(np.quantile(ndvi.GDP, np.linspace(0, 1, 16)))[1:-1].tolist()
    given = {"per_driver": {"GDP": {"breaks": [above / 2, *quantiles]}}}
    zeros_apart = detect("NDVIchange ~ GDP", ndvi, discretize=given).tidy()
    assert (zeros_apart.n_classes[0], zeros_apart.q[0]) == (13, pytest.approx(0.1096213, abs=5e-8))
    published_types = both_ways(found.interactions()).type
    assert published_types["Mining", "GDP"] == published_types["Mining", "Popdensity"] == "Enhance, nonlinear"
