"""Boosted trees on real tables: against gbm on 46,295 pixels; folds in space on longitude and latitude."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_brt import LEAN

from drivers.methods import METHODS
from drivers.methods.brt_result import BrtResult
from drivers.spec import Vocabulary, bind, model_from_text
from drivers.spec.bound import TreeFamily
from drivers.table import make_partition, pixel_table_from_frame

Table = Callable[[str], Path]

SITES = ("Elevation", "Slope", "Water", "NDVI", "SOC", "pH", "Road", "Mine")


def placed(formula: str, data: pd.DataFrame, family: TreeFamily = "gaussian", **options: object) -> BrtResult:
    """Trees on points with longitude and latitude."""
    table = pixel_table_from_frame(data, easting="Lon", northing="Lat", crs="EPSG:4326")
    text = model_from_text(formula, method="brt", family=family, options={**LEAN, **options})
    target = formula.split(" ~")[0]
    names = tuple(c for c in data.columns if c not in ("Lon", "Lat", target))
    partition = make_partition(table, [], [()])
    model = bind(text, Vocabulary("test", (target,), names))
    found = METHODS["brt"](model, table, partition, 1).fit(partition.strata[0])
    assert isinstance(found, BrtResult)
    return found


def test_ndvi_5_predicts_as_well_as_gbm(shared_table: Table) -> None:
    """At equal settings, and as much as its mean over two seeds (gbm_ndvi_5.json)."""
    want = json.loads((Path(__file__).parent / "golden" / "gbm_ndvi_5.json").read_text())
    text = model_from_text(
        "NDVIchange ~ Climatezone + Mining + Tempchange + Precipitation + GDP + Popdensity",
        method="brt",
        options={**LEAN, "n_trees": 500, "learning_rate": 0.05, "train": 1.0},
    )
    table = pixel_table_from_frame(pd.read_csv(shared_table("ndvi_5")))
    names = ("Climatezone", "Mining", "Tempchange", "Precipitation", "GDP", "Popdensity")
    model = bind(text, Vocabulary("test", ("NDVIchange",), names, categorical=frozenset(names[:2])))
    partition = make_partition(table, [], [()])
    found = METHODS["brt"](model, table, partition, 1).fit(partition.strata[0])
    assert isinstance(found, BrtResult)
    theirs = [run["cv_R2"] for run in want["runs"]]
    assert found.glance().r2_random.item() >= np.mean(theirs)
    rows = found.tidy().query("measure == 'gain' and driver.notna()")
    mine = dict(zip(rows.driver, 100 * rows.share, strict=True))
    influence = want["runs"][0]["rel_inf"]
    ranked = sorted(influence, key=influence.__getitem__)
    assert sorted(mine, key=mine.__getitem__)[-3:] == ranked[-3:]
    for name, share in influence.items():
        assert mine[name] == pytest.approx(share, abs=3), name


def test_zinc_of_scattered_samples(shared_table: Table) -> None:
    """894 samples of Western Australia: neighbours help random folds and not blocks of 16 km."""
    data = pd.read_csv(shared_table("zn_wa"))
    found = placed(f"Zn ~ {' + '.join(SITES)}", data, "gamma", learning_rate=0.02, n_trees=200)
    fit = found.glance().iloc[0]
    assert fit.status == "ok"
    assert 0.2 < fit.r2_block < fit.r2_random < 0.5
    blocks = next(v for v in found.validations if v.scheme == "block")
    assert blocks.n_folds == 10
    assert np.bincount(blocks.folds).min() > 20
    assert 5 < fit.block_side < 60  # km, of a region of 120 by 140
    # A pixel's nearest neighbour is mostly held out with it.
    at = data[["Lon", "Lat"]].to_numpy()[found.sample.rows[blocks.rows]] * (np.cos(np.radians(28)), 1.0)
    apart = ((at[:, None] - at) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (blocks.folds == blocks.folds[apart.argmin(axis=1)]).mean() > 0.8


def test_zinc_to_be_predicted_on_a_grid(shared_table: Table) -> None:
    """The pixels without a response are the map that the samples are matched with."""
    grid = pd.read_csv(shared_table("soil_grid_wa")).drop(columns="GridID").assign(Zn=np.nan)
    data = pd.concat([pd.read_csv(shared_table("zn_wa")), grid], ignore_index=True)
    found = placed(
        f"Zn ~ {' + '.join(SITES)}", data, "gamma", learning_rate=0.02, n_trees=100, knndm=True, train=1.0
    )
    fit = found.glance().iloc[0]
    assert fit.n == 894
    assert fit.message.startswith(f"{len(grid)} pixels have no response")
    assert np.isfinite(fit.r2_knndm)
    elsewhere = found.predict(grid)
    assert np.isfinite(elsewhere).all()
    assert 2 < elsewhere.min() < elsewhere.max() < 353.5


def test_soil_grid_in_space(shared_table: Table) -> None:
    """13,132 pixels on a grid in degrees: organic carbon is smooth, and blocks show what that is worth."""
    data = pd.read_csv(shared_table("soil_grid_wa"))
    formula = "SOC ~ Elevation + Slope + Water + NDVI + pH + Road + Mine"
    found = placed(formula, data, learning_rate=0.1, n_trees=200)
    fit = found.glance().iloc[0]
    assert fit.r2_holdout == pytest.approx(fit.r2_random, abs=0.03)
    assert fit.r2_gap > 0.05
    assert fit.applicable > 0.9
