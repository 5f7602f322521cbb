"""The section of the geodetector: what its figures and sentences say of fake tables; no fit is made."""

from __future__ import annotations

import numpy as np
import pandas as pd

from drivers.report import RunTables

GROUPS = {
    "climate": {"TEM": "degC", "PRE": "mm", "PET": "mm"},
    "soil": {"PH": "", "TP": "g kg-1", "TN": "g kg-1", "TK": "g kg-1", "SOM": "g kg-1"},
    "topography": {"DEM": "m", "SLOPE": "degree", "NORTHNESS": ""},
    "human": {"GDP": "1e4 CNY km-2", "HFP": "", "SOILTYPE": ""},
}
RULES = ("equal", "natural", "quantile", "geometric", "sd")
STRATA = ("all", "balance=sink", "balance=source", "landuse=forestland", "landuse=unused")
FAILED = "landuse=unused"
LEVELS = tuple(
    f"{name} soil" for name in ("brown", "chestnut", "aeolian sandy", "meadow", "dark brown forest")
)
MODEL = "nep-q"


def long_groups(many: int) -> dict[str, dict[str, str]]:
    """`many` drivers with long names in five groups."""
    found: dict[str, dict[str, str]] = {}
    for k in range(many):
        name = f"{('mean', 'maximum', 'seasonal')[k % 3]}_potential_evapotranspiration_of_month_{k + 1:02d}"
        found.setdefault(f"a rather long group name {k % 5}", {})[name] = "mm"
    return found


def fake_geodetector(
    groups: dict[str, dict[str, str]] | None = None,
    strata: tuple[str, ...] = STRATA,
    *,
    levels: tuple[str, ...] = LEVELS,
    scales: bool = True,
) -> RunTables:
    """A geodetector on some strata, one failed; the same on every call."""
    groups = GROUPS if groups is None else groups
    rng = np.random.default_rng(11)
    tables: dict[str, list[dict[str, object]]] = {}
    for stratum in strata:
        key = {"model": MODEL, "stratum": stratum}
        n = 40000 if stratum == "all" else int(rng.integers(900, 20000))
        add(tables, "strata", {"stratum": stratum, "n": n, "dropped": 3, "share": n / 40000, "mean": 61.0,
            "sd": 55.1, "min": -137.8, "max": 462.0, "selects_on_response": "balance" in stratum})  # fmt: skip
        fit = {**key, "method": "geodetector", "n": n}
        if stratum == FAILED:
            add(tables, "fit", {**fit, "status": "failed", "message": "only 9 pixels: 16 are needed"})
            continue
        add(tables, "fit", {**fit, "n_effective": n / 120, "status": "ok", "errors": "effective"})
        fill(tables, key, groups, rng, n, levels, scales)
    return RunTables({name: pd.DataFrame(rows) for name, rows in tables.items()}, meta_of(groups, strata))


def add(tables: dict[str, list[dict[str, object]]], name: str, row: dict[str, object]) -> None:
    tables.setdefault(name, []).append(row)


def fill(tables, key, groups, rng, n, levels, scales) -> None:  # type: ignore[no-untyped-def]
    """The tables of one fitted stratum."""
    drivers = [(d, g) for g, ds in groups.items() for d in ds]
    q = dict(zip([d for d, _ in drivers], rng.beta(1.2, 5.0, len(drivers)), strict=True))
    first = len(tables.get("q", []))
    for name, group in drivers:
        if name == "NORTHNESS":
            q[name] = 1e-5
        categorical = name == "SOILTYPE"
        top = q[name]
        rule, many = (
            ("categorical", len(levels))
            if categorical
            else (RULES[int(rng.integers(5))], int(rng.integers(3, 9)))
        )
        p = float(10.0 ** (-60 * top))
        row = {**key, "driver": name, "group": group, "method": rule, "n_classes": many, "q": top,
               "f_statistic": 100 * top, "p_value": p, "log_p": np.log(p), "p_classical": p * 1e-9,
               "p_max": max(0.005, min(1.0, p * 3)), "q_adjusted": top - 0.01,
               "q_crossfit": top * 0.82 - 0.012, "n": n, "n_effective": n / 100 * (1 + 3 * rng.random())}  # fmt: skip
        add(tables, "q", row)
        risk(tables, key, name, rng, n, levels if categorical else many, top)
        if categorical:
            add(tables, "breaks", {**key, "driver": name, "method": rule, "n_classes": many, "breaks": ";".join(levels), "q": top, "chosen": True})  # fmt: skip
            continue
        for other in RULES:
            for k in range(3, 9):
                own = other == rule and k == many
                value = top if own else top * (1 - 0.22 / (k - 1) - 0.12 * rng.random())
                add(tables, "breaks", {**key, "driver": name, "method": other, "n_classes": k,
                    "breaks": ";".join(repr(float(v)) for v in limits(rng, name, k)), "q": value, "chosen": own,
                    "gap": 0.0 if other == "natural" else np.nan})  # fmt: skip
    mine = tables["q"][first:]
    for rank, row in enumerate(sorted(mine, key=lambda r: -float(r["q"]))):
        row["rank"] = rank + 1
    pairs(tables, key, drivers, q, rng, n)
    importance(tables, key, groups, q)
    if scales:
        for scale in (1, 2, 4, 8):
            for name, group in drivers:
                add(tables, "q_scales", {**key, "scale": scale, "cell_size": 1000.0 * scale, "driver": name, "group": group,
                    "method": "natural", "n_classes": 5, "q": min(q[name] * scale**0.2 * (0.9 + 0.2 * rng.random()), 1), "rank": 1, "n": n // scale**2})  # fmt: skip
        for year in (2001, 2005, 2010, 2015, 2020):
            for name, group in drivers:
                add(tables, "q_years", {**key, "year": year, "driver": name, "group": group, "method": "sd", "n_classes": 4,
                    "q": q[name] * (0.8 + 0.4 * rng.random()), "p_value": 0.01, "rank": 1, "n": n})  # fmt: skip


def limits(rng: np.random.Generator, name: str, k: int) -> np.ndarray:
    low, high = {"GDP": (0.0, 8.2e5), "DEM": (120.0, 1490.0), "NORTHNESS": (-1.0, 1.0)}.get(name, (2.0, 9.4))
    inner = np.sort(rng.uniform(low, high, k - 1))
    return np.r_[low, inner, high]


def risk(tables, key, name, rng, n, many, top) -> None:  # type: ignore[no-untyped-def]
    names = many if isinstance(many, tuple) else tuple(str(k + 1) for k in range(many))
    ends = limits(rng, name, len(names))
    means = 61 + 120 * top * np.sin(np.linspace(0, 2.6, len(names)) + rng.normal(0, 0.3, len(names)))
    for k, level in enumerate(names):
        error = 3 + 8 * rng.random()
        numeric = not isinstance(many, tuple)
        add(tables, "risk_means", {**key, "driver": name, "class": level, "lower": ends[k] if numeric else np.nan,
            "upper": ends[k + 1] if numeric else np.nan, "n": n // len(names), "mean": means[k], "sd": 40.0, "std_error": error,
            "conf_low": means[k] - 2 * error, "conf_high": means[k] + 2 * error, "n_effective": 44.0})  # fmt: skip
        for j in range(k):
            t = (means[j] - means[k]) / 8
            p = float(np.exp(-(t**2)))
            add(tables, "risk", {**key, "driver": name, "class_a": names[j], "class_b": level, "mean_a": means[j],
                "mean_b": means[k], "statistic": t, "df": 60.0, "p_value": p, "p_adjusted": min(1.0, 6 * p), "p_classical": p / 9})  # fmt: skip


KINDS = ("Enhance, bi-", "Enhance, nonlinear", "Independent", "Weaken, uni-", "Weaken, nonlinear")


def pairs(tables, key, drivers, q, rng, n) -> None:  # type: ignore[no-untyped-def]
    for j, (b, _) in enumerate(drivers):
        for a, _ in drivers[:j]:
            kind = KINDS[int(rng.choice(5, p=[0.55, 0.35, 0.04, 0.04, 0.02]))]
            high, low, both = max(q[a], q[b]), min(q[a], q[b]), q[a] + q[b]
            q_ab = {"Enhance, bi-": (high + both) / 2, "Enhance, nonlinear": both + 0.03, "Independent": both,
                    "Weaken, uni-": (high + low) / 2, "Weaken, nonlinear": low / 2}[kind]  # fmt: skip
            add(tables, "q_interaction", {**key, "driver_a": a, "driver_b": b, "q_a": q[a], "q_b": q[b], "q_ab": min(q_ab, 0.97),
                "type": kind, "q_adjusted": q_ab * 0.97, "n": n})  # fmt: skip
            p = float(rng.random() ** 3)
            add(tables, "ecological", {**key, "driver_a": a, "driver_b": b, "f_statistic": (1 - q[a]) / (1 - q[b]), "p_value": p, "df": 300.0})  # fmt: skip


def importance(tables, key, groups, q) -> None:  # type: ignore[no-untyped-def]
    total = sum(q.values())
    for rank, name in enumerate(sorted(q, key=lambda d: -q[d])):
        group = next(g for g, ds in groups.items() if name in ds)
        add(tables, "importance", {**key, "driver": name, "group": group, "measure": "q", "value": q[name], "share": q[name] / total, "rank": rank + 1})  # fmt: skip
    values = {
        g: min(sum(sorted((q[d] for d in ds), reverse=True)[:2]) * 1.05, 0.99) for g, ds in groups.items()
    }
    for rank, group in enumerate(sorted(values, key=lambda g: -values[g])):
        add(tables, "importance", {**key, "driver": None, "group": group, "measure": "q", "value": values[group], "share": np.nan, "rank": rank + 1})  # fmt: skip


def meta_of(groups: dict[str, dict[str, str]], strata: tuple[str, ...]) -> dict[str, object]:
    return {
        "study": "horqin-q",
        "title": "What divides NEP in a simulated Horqin Sandy Land",
        "response": {"name": "NEP", "unit": "g C m-2 yr-1"},
        "drivers": [
            {"name": d, "unit": u, "group": g, "categorical": d == "SOILTYPE"}
            for g, ds in groups.items()
            for d, u in ds.items()
        ],
        "groups": list(groups),
        "table": {"source": "simulate: horqin", "n": 40000, "coordinates": True},
        "models": [
            {"name": MODEL, "method": "geodetector", "title": "Optimal classes", "options": {"folds": 5}}
        ],
        "strata": list(strata),
        "seed": 1,
        "sha256": {},
        "versions": {"ecodrivers": "0.1.0"},
        "warnings": [],
    }
