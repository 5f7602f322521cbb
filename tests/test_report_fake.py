"""Fake runs, shaped as the table contract says, for all tests of the report, and what looks at their figures.

No fit is made.
"""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pandas as pd
from rich.console import Console

from drivers.report import RunTables
from drivers.report.lettering import text_width
from drivers.report.terminal import overview, print_to

GROUPS = {
    "climate": {"TEM": "degC", "PRE": "mm", "PET": "mm"},
    "soil": {"PH": "", "TP": "g kg-1", "TN": "g kg-1", "TK": "g kg-1", "SOM": "g kg-1"},
    "topography": {"DEM": "m", "SLOPE": "degree", "ASPECT": "degree"},
    "human": {"GDP": "", "LUCC": "", "HFP": ""},
}
STRATA = [
    "all",
    "balance=sink",
    "balance=source",
    *(f"landuse={k}" for k in ("cropland", "forestland", "grassland", "unused", "impervious")),
]
PATHS = [
    ("climate", "topography"),
    ("climate", "human"),
    ("soil", "climate"),
    ("soil", "topography"),
    ("NEP", "climate"),
    ("NEP", "soil"),
    ("NEP", "topography"),
    ("NEP", "human"),
]
CHAINS = {
    "climate": [["climate", "soil", "NEP"]],
    "soil": [],
    "human": [["human", "climate", "NEP"], ["human", "climate", "soil", "NEP"]],
    "topography": [
        ["topography", "climate", "NEP"],
        ["topography", "soil", "NEP"],
        ["topography", "climate", "soil", "NEP"],
    ],
}
FAILED = "landuse=unused"
FORMULA = """climate    <~ TEM + PRE + PET
soil       <~ PH + TP + TN + TK + SOM
topography <~ DEM + SLOPE + ASPECT
human      <~ GDP + LUCC + HFP
climate ~ topography + human
soil    ~ climate + topography
NEP     ~ climate + soil + topography + human
soil ~~ human
"""


def fake_run(members: int | None = None) -> RunTables:
    """Eight strata of one model with four composites, one stratum failed; the same on every call."""
    groups = GROUPS
    if members is not None:
        groups = {g: {f"{g[:4].upper()}_{k + 1:02d}": "" for k in range(members)} for g in GROUPS}
    rng = np.random.default_rng(7)
    rows: dict[str, list[dict[str, object]]] = {
        name: [] for name in ("strata", "coefficients", "dsep", "fit", "r2", "effects", "trail", "planted")
    }
    sizes = [40000, 28113, 11887, 14020, 6200, 15110, 3270, 1400]
    for stratum, n in zip(STRATA, sizes, strict=True):
        key = {"model": "nep-paths", "stratum": stratum}
        mean = {"balance=sink": 96.4, "balance=source": -41.2}.get(stratum, float(rng.normal(60, 40)))
        rows["strata"].append(
            {
                "stratum": stratum,
                "n": n,
                "dropped": 12 if n > 2000 else 0,
                "share": n / 40000,
                "mean": mean,
                "sd": 55.123456789,
                "min": -137.79 if stratum != "balance=sink" else 0.0012,
                "max": 461.96 if stratum != "balance=source" else -0.00321,
                "selects_on_response": "balance" in stratum,
            }
        )
        if stratum == FAILED:
            rows["fit"].append(
                {
                    **key,
                    "method": "psem",
                    "n": n,
                    "status": "failed",
                    "message": "`LUCC` is constant (7) in this stratum: leave it out of the model",
                }
            )
            continue
        _fitted(rows, key, groups, rng, n)
    tables = {name: pd.DataFrame(found) for name, found in rows.items()}
    for name, column in (("fit", "fishers_c_df"), ("strata", "n")):
        tables[name][column] = tables[name][column].astype("Int64")
    return RunTables(tables, _meta(groups))


def _fitted(rows: dict, key: dict, groups: dict, rng: np.random.Generator, n: int) -> None:  # type: ignore[type-arg]
    stratum = key["stratum"]
    std = {path: float(rng.normal(0.25, 0.3)) for path in PATHS}
    for k, path in enumerate(PATHS):
        b, t = std[path] * 3.1, std[path] * 40
        p = 0.31 if abs(std[path]) < 0.06 else 10.0 ** (-2 - 30 * abs(std[path]))
        rows["coefficients"].append(
            {
                **key,
                "response": path[0],
                "op": "~",
                "term": path[1],
                "group": path[1],
                "estimate": b,
                "std_error": abs(b / t),
                "statistic": t,
                "df": n - 5,
                "p_value": p,
                "log_p": float(np.log(p)),
                "std_estimate": std[path],
                "conf_low": b - 0.16,
                "conf_high": b + 0.16,
                "p_classical": p,
            }
        )
        rows["planted"].append(
            {
                "stratum": stratum,
                "response": path[0],
                "op": "~",
                "term": path[1],
                "std_estimate": std[path] + (0.02 if k != 3 else 0.2),
                "estimate": np.nan,
                "source": ("paper", "filled", "adjusted")[k % 3],
            }
        )
    rows["coefficients"].append(
        {
            **key,
            "response": "soil",
            "op": "~~",
            "term": "human",
            "std_estimate": -0.11,
            "estimate": -0.11,
            "statistic": -4.2,
            "df": n - 5,
            "p_value": 0.002,
        }
    )
    weights = {}
    for group, drivers in groups.items():
        for k, driver in enumerate(drivers):
            weights[driver] = float(rng.normal(0, 0.5))
            rows["coefficients"].append(
                {
                    **key,
                    "response": group,
                    "op": "<~",
                    "term": driver,
                    "group": group,
                    "estimate": weights[driver] * (1 + k),
                    "std_estimate": weights[driver],
                }
            )
    for group, drivers in groups.items():
        direct = std["NEP", group]
        specific = [
            (" -> ".join(c), float(np.prod([std[b, a] for a, b in pairwise(c)]))) for c in CHAINS[group]
        ]
        for name, w in [(group, 1.0), *((d, weights[d]) for d in drivers)]:
            where = {**key, "driver": name, "group": group, "response": "NEP"}
            lead = "" if name == group else f"{name} -> "
            _effect(rows, where, "direct", f"{lead}{group} -> NEP", w * direct)
            for via, value in specific:
                _effect(rows, where, "indirect", lead + via, w * value)
            _effect(rows, where, "total_indirect", None, w * sum(v for _, v in specific))
            _effect(rows, where, "total", None, w * (direct + sum(v for _, v in specific)))
        _effect(rows, {**key, "driver": None, "group": group, "response": "NEP"}, "total", None, direct)
    for response, r2 in (("climate", 0.43), ("soil", 0.61), ("NEP", 0.58)):
        rows["r2"].append({**key, "response": response, "r2": r2})
    for term, r in (("human", 0.013), ("TEM", -0.044)):
        rows["dsep"].append(
            {
                **key,
                "response": "soil",
                "term": term,
                "given": "climate + topography",
                "statistic": r * 190,
                "df": n - 4,
                "p_value": 0.04 if r < 0 else 0.2,
                "log_p": -3.2,
                "p_classical": 0.04,
                "partial_r": r,
                "partial_r_low": r - 0.01,
                "partial_r_high": r + 0.01,
            }
        )
    ok = rng.random() < 0.6
    c, df = (11.2, 10) if ok else (2310.7, 10)
    rows["fit"].append(
        {
            **key,
            "method": "psem",
            "n": n,
            "fishers_c": c,
            "fishers_c_df": df,
            "fishers_c_p": 0.34 if ok else 0.0,
            "c_per_df": c / df,
            "chisq": c * 0.6,
            "chisq_df": 5,
            "chisq_p": 0.31 if ok else 0.0,
            "aic": 411556.97,
            "aicc": 411557.3,
            "bic": 411999.1,
            "logl": -205700.0,
            "r2": 0.58,
            "status": "ok",
            "message": None,
            "verdict": "accepted" if ok else "rejected",
            "max_partial_r": -0.044,
            "max_partial_r_low": -0.0487,
            "max_partial_r_high": -0.034,
            "equivalence_bound": 0.05,
            "equivalence_p": 0.002 if ok else 0.11,
            "equivalence_verdict": "equivalent" if ok else "inconclusive",
        }
    )
    rows["trail"].append(
        {
            **key,
            "step": 1,
            "action": "suggest",
            "response": "soil",
            "term": "human",
            "p_value": 0.04,
            "fishers_c": 5.1,
            "fishers_c_df": 8,
            "fishers_c_p": 0.6,
            "aicc": 411540.0,
            "delta_c": -6.1,
            "delta_aicc": -17.3,
        }
    )


def _effect(rows: dict, where: dict, kind: str, via: str | None, value: float) -> None:  # type: ignore[type-arg]
    raw = value * 2.7
    rows["effects"].append(
        {
            **where,
            "kind": kind,
            "via": via,
            "estimate": raw,
            "std_estimate": value,
            "std_error": 0.04,
            "conf_low": raw - 0.08,
            "conf_high": raw + 0.08,
            "p_value": 1e-9 if abs(value) > 0.05 else 0.2,
        }
    )


def _meta(groups: dict) -> dict:  # type: ignore[type-arg]
    return {
        "study": "horqin-sim",
        "title": "What drives NEP in a simulated Horqin Sandy Land",
        "response": {"name": "NEP", "unit": "g C m-2 yr-1"},
        "drivers": [
            {"name": d, "unit": u, "group": g, "categorical": d == "LUCC"}
            for g, ds in groups.items()
            for d, u in ds.items()
        ],
        "groups": {g: list(ds) for g, ds in groups.items()},
        "table": {
            "source": "simulate: horqin",
            "n": 40000,
            "coordinates": True,
            "crs": "EPSG:32651",
            "simulated": "Pixels were drawn from a planted world whose path coefficients are those the seed "
            "paper reports; nothing here was measured.",
        },
        "models": [
            {
                "name": "nep-paths",
                "method": "psem",
                "title": "Four driver groups and NEP",
                "formula": FORMULA,
                "options": {"errors": "classical", "suggest": True, "prune": None},
            }
        ],
        "strata": STRATA,
        "seed": 20260101,
        "versions": {"ecodrivers": "0.1.0", "numpy": "2.1.0", "pandas": "2.2.3"},
        "sha256": {"spec": "ab" * 32, "models": {"nep-paths": "cd" * 32}, "table": "ef" * 32},
        "warnings": ["nep-paths, landuse=impervious: only 1400 pixels; intervals are wide"],
        "timings": {"total": 1.25},
    }


# Drivers without paths, for the geodetector and for trees

DRIVER_GROUPS = {
    "climate": {"TEM": "degC", "PRE": "mm", "PET": "mm"},
    "soil": {"PH": "", "TP": "g kg-1", "TN": "g kg-1", "TK": "g kg-1", "SOM": "g kg-1"},
    "topography": {"DEM": "m", "SLOPE": "degree", "NORTHNESS": ""},
    "human": {"GDP": "1e4 CNY km-2", "HFP": "", "SOILTYPE": ""},
}
LEVELS = tuple(
    f"{name} soil" for name in ("brown", "chestnut", "aeolian sandy", "meadow", "dark brown forest")
)


def long_groups(many: int) -> dict[str, dict[str, str]]:
    """`many` drivers with long names in five groups."""
    found: dict[str, dict[str, str]] = {}
    for k in range(many):
        name = f"{('mean', 'maximum', 'seasonal')[k % 3]}_potential_evapotranspiration_of_month_{k + 1:02d}"
        found.setdefault(f"a rather long group name {k % 5}", {})[name] = "mm"
    return found


def add(tables: dict[str, list[dict[str, object]]], name: str, row: dict[str, object]) -> None:
    tables.setdefault(name, []).append(row)


def add_stratum(tables: dict[str, list[dict[str, object]]], stratum: str, n: int) -> None:
    cut = {"mean": 61.0, "sd": 55.1, "min": -137.8, "max": 462.0, "selects_on_response": "balance" in stratum}
    add(tables, "strata", {"stratum": stratum, "n": n, "dropped": 3, "share": n / 40000, **cut})


def finished(
    tables: dict[str, list[dict[str, object]]],
    groups: dict[str, dict[str, str]],
    model: dict[str, object],
    title: str,
) -> RunTables:
    """The rows as a run of one model on drivers in groups."""
    meta = {
        "study": f"horqin-{model['name']}",
        "title": title,
        "response": {"name": "NEP", "unit": "g C m-2 yr-1"},
        "drivers": [
            {"name": d, "unit": u, "group": g, "categorical": d == "SOILTYPE"}
            for g, ds in groups.items()
            for d, u in ds.items()
        ],
        "groups": list(groups),
        "table": {"source": "simulate: horqin", "n": 40000, "coordinates": True},
        "models": [model],
        "seed": 1,
        "sha256": {},
        "versions": {"ecodrivers": "0.1.0"},
        "warnings": [],
    }
    return RunTables({name: pd.DataFrame(rows) for name, rows in tables.items()}, meta)


# What looks at figures and at the terminal

SVG = "{http://www.w3.org/2000/svg}"


def boxes(drawn: str) -> list[tuple[str, float, float, float, float]]:
    """(words, left, right, top, bottom) of every text; a text that reads upwards is turned."""
    root = ET.fromstring(drawn)
    turned = {id(t) for g in root.iter(f"{SVG}g") if g.get("transform") for t in g.iter(f"{SVG}text")}
    found = []
    for t in root.iter(f"{SVG}text"):
        words, size = t.text or "", float(t.attrib["font-size"])
        width = text_width(words, size, bold=t.get("font-weight") == "600")
        x, y = float(t.attrib["x"]), float(t.attrib["y"])
        back = {"middle": 0.5, "end": 1.0}.get(t.get("text-anchor", ""), 0.0)
        if id(t) in turned:
            found.append((words, x - 0.72 * size, x + 0.2 * size, y - width / 2, y + width / 2))
        else:
            found.append((words, x - back * width, x + (1 - back) * width, y - 0.72 * size, y + 0.2 * size))
    return found


def assert_legible(drawn: str) -> None:
    """Every text lies inside the figure and on no other one."""
    root = ET.fromstring(drawn)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert width <= 860
    assert not re.search(r"\b(nan|inf|None)\b", drawn)
    found = boxes(drawn)
    for words, left, right, top, bottom in found:
        assert left >= -1, words
        assert right <= width + 1, words
        assert top >= -1, words
        assert bottom <= height + 1, words
    found.sort(key=lambda box: box[3])
    for k, a in enumerate(found):
        for b in found[k + 1 :]:
            if b[3] >= a[4]:
                break
            assert a[1] + 1 >= b[2] or b[1] + 1 >= a[2], (a, b)


def printed(run: RunTables, width: int | None = None) -> str:
    stream = io.StringIO()
    terminal = width is not None
    print_to(
        Console(file=stream, width=width or 80, force_terminal=terminal, color_system=None), overview(run)
    )
    return stream.getvalue()


def test_the_fake_run_survives_json_and_has_every_stratum() -> None:
    run = fake_run()
    assert json.loads(json.dumps(run.meta)) == run.meta
    assert run.strata == STRATA
    assert run.fitted("nep-paths") == STRATA
