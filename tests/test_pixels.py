"""pixels.parquet: every pixel in table order, with the columns that models were asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import drivers as dr
from drivers.pixels import pixel_frame
from drivers.study import Run
from drivers.table import make_partition

TREES = {
    "n_trees": 30,
    "folds": 3,
    "shap_pixels": 0,
    "permutations": 0,
    "interactions": False,
    "curves": False,
}


def table(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    side = int(np.sqrt(n))
    north, east = (a.ravel() * 1000.0 for a in np.mgrid[:side, :side])
    x, z = rng.normal(size=(2, n))
    y = x + np.sin(z) + 0.1 * rng.normal(size=n)
    kind = rng.choice(["wood", "grass"], n)
    data = pd.DataFrame({"e": east, "n": north, "x": x, "z": z, "kind": kind, "y": y})
    data.loc[::17, "y"] = np.nan
    return data


def ran(project: Any, tmp_path: Path, asked: list[str], strata: Any = None, over: Any = None) -> Run:
    model = {"method": "brt", "formula": "y ~ x + z", "options": {**TREES, "pixels": asked}}
    (project.root / "models" / "trees.yaml").write_text(json.dumps(model))
    spec = project.spec(
        "study",
        {
            "study": "study",
            "table": {"path": str(project.table("pixels", table()))},
            "pixel": {"easting": "e", "northing": "n"},
            "response": {"y": {}},
            "drivers": {"a": {"x": {}, "z": {}}},
            "strata": strata or {"kind": {"column": "kind"}},
            "fit": [{"models": ["trees"], "over": over or ["all", "kind"]}],
        },
    )
    return dr.run(spec, tmp_path / "out")


def test_a_row_per_pixel_of_the_table(project: Any, tmp_path: Path) -> None:
    done = ran(project, tmp_path, ["fitted", "applicability", "shap"])
    written = pd.read_parquet(tmp_path / "out" / "tables" / "pixels.parquet")
    assert done.pixels is not None
    pd.testing.assert_frame_equal(written, done.pixels)
    data = table()
    assert written.columns[:3].tolist() == ["e", "n", "kind"]
    np.testing.assert_array_equal(written[["e", "n"]], data[["e", "n"]])
    assert written.kind.tolist() == data.kind.tolist()
    columns = ["fitted", "predicted_holdout", "predicted_random", "predicted_block"]
    columns += ["dissimilarity", "applicable", "shap_x", "shap_z"]
    assert written.columns[3:].tolist() == [f"trees.{f}.{c}" for f in ("all", "kind") for c in columns]
    of_all = done.results["trees", "all"].pixel_columns()
    known = data.y.notna().to_numpy()
    np.testing.assert_array_equal(written["trees.all.fitted"][known], of_all.fitted)
    assert written["trees.all.fitted"][~known].isna().all()
    for level in ("wood", "grass"):
        own = done.results["trees", f"kind={level}"].pixel_columns()
        here = (data.kind == level).to_numpy() & known
        np.testing.assert_array_equal(written["trees.kind.shap_z"][here], own.shap_z)
    # The base is left out: SHAP values differ from the predictions by one number.
    apart = written["trees.all.fitted"] - written["trees.all.shap_x"] - written["trees.all.shap_z"]
    assert np.ptp(apart[known]) < 1e-4
    assert written["trees.all.applicable"].dtype == "boolean"
    inside = written["trees.all.applicable"][known].astype(bool)
    assert inside.mean() == pytest.approx(done.table("fit").applicable[0])
    # Those that trained are like themselves; and a pixel is in the holdout or in the folds.
    trained = written["trees.all.predicted_random"].notna()
    assert (written["trees.all.dissimilarity"][trained] == 0).all()
    assert (written["trees.all.dissimilarity"][known & ~trained] > 0).all()
    held = written["trees.all.predicted_holdout"].notna()
    assert (held ^ written["trees.all.predicted_random"].notna())[known].all()


def test_what_is_not_asked_for_is_not_written(project: Any, tmp_path: Path) -> None:
    done = ran(project, tmp_path, ["applicability"], over=["all"])
    assert done.pixels is not None
    assert [c for c in done.pixels if c.startswith("trees")] == [
        "trees.all.dissimilarity",
        "trees.all.applicable",
    ]
    none = ran(project, tmp_path, [])
    assert none.pixels is None
    assert not (tmp_path / "out" / "tables" / "pixels.parquet").exists()


def test_strata_that_overlap_have_columns_of_their_own(project: Any, tmp_path: Path) -> None:
    strata = {"part": {"low": "x < 0.5", "high": "x > -0.5"}}
    done = ran(project, tmp_path, ["fitted"], strata, ["part"])
    assert done.pixels is not None
    assert "part" not in done.pixels
    low, high = (done.pixels[f"trees.part={level}.fitted"] for level in ("low", "high"))
    x = table().x
    assert low[x >= 0.5].isna().all()
    assert (low.notna() & high.notna()).sum() > 50


def test_methods_without_pixels_have_none(project: Any) -> None:
    frame = dr.read_table(project.table("pixels", table()))
    found = dr.fit("y ~ x + z", frame)
    assert pixel_frame(frame, make_partition(frame, [], [()]), {("paths", "all"): found}) is None
