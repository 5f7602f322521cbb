"""Strata of one table: their neighbours' sums depend neither on the order of asking nor on each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from drivers.errors import FitError, Place
from drivers.methods import METHODS
from drivers.spec import LevelFamily, Vocabulary, bind, model_from_text
from drivers.stats import near_lags
from drivers.table import make_partition, pixel_table_from_frame

SIDE = 130
"""More than `MOST_CELLS` cells, so that near pairs are summed apart from far ones."""

NUMBERS = ["estimate", "std_error", "n_effective", "p_value", "p_block"]


def world() -> pd.DataFrame:
    rng = np.random.default_rng(5)

    def field() -> np.ndarray:
        return ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 2.0).ravel() * 7.0

    x, z = field(), field()
    y = 0.5 * x - 0.3 * z + field()
    use = np.digitize(ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 8.0).ravel(), [-0.03, 0.03])
    north, east = np.divmod(np.arange(SIDE**2), SIDE)
    made = pd.DataFrame({"x": x, "z": z, "y": y, "use": use, "e": east * 1.0, "n": north * 1.0})
    return made.drop(index=np.flatnonzero(rng.random(SIDE**2) < 0.1)).reset_index(drop=True)


def fits(frame: pd.DataFrame, order: list[int], model: str = "y ~ x + z") -> dict[str, Any]:
    """Coefficients of each stratum, or why it has none, in the order in which they are asked for."""
    table = pixel_table_from_frame(frame, categorical=["use"], easting="e", northing="n")
    family = LevelFamily("use", "use", None, Place("test"))
    partition = make_partition(table, [family], [(), ("use",)], ())
    bound = bind(model_from_text(model, options={"draws": 0}), Vocabulary("test", ("y",), ("x", "z")))
    fitter = METHODS["psem"](bound, table, partition, 1)
    made: dict[str, Any] = {}
    for i in order:
        stratum = partition.strata[i]
        try:
            rows = pd.DataFrame(fitter.fit(stratum).records["coefficients"])
            made[stratum.label] = rows.set_index("term")[NUMBERS]
        except FitError as error:
            made[stratum.label] = str(error)
    return made


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return world()


@pytest.fixture(scope="module")
def found(frame: pd.DataFrame) -> dict[str, Any]:
    return fits(frame, [0, 1, 2, 3])


@pytest.mark.parametrize("order", [[3, 2, 1, 0], [2], [1, 3, 3, 0, 1]])
def test_strata_may_be_asked_for_in_any_order_and_again(
    frame: pd.DataFrame, found: dict[str, Any], order: list[int]
) -> None:
    other = fits(frame, order)
    assert len(other) == len(set(order))
    for label, rows in other.items():
        pd.testing.assert_frame_equal(rows, found[label], check_exact=True)


def test_pixels_may_come_in_any_order(frame: pd.DataFrame, found: dict[str, Any]) -> None:
    shuffled = frame.sample(frac=1.0, random_state=3).reset_index(drop=True)
    for label, rows in fits(shuffled, [0, 1, 2, 3]).items():
        pd.testing.assert_frame_equal(rows, found[label], rtol=1e-8)


def test_compiled_or_not_the_numbers_are_the_same(
    frame: pd.DataFrame, found: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_lags, "COMPILED", 0)
    monkeypatch.setattr(near_lags, "SHARED", 8000)
    for label, rows in fits(frame, [0, 1, 2, 3]).items():
        pd.testing.assert_frame_equal(rows, found[label], rtol=1e-8)


def test_a_stratum_whose_column_is_infinite_spoils_no_other(
    frame: pd.DataFrame, found: dict[str, Any]
) -> None:
    """The logarithm is infinite in one class of three; the other two have the errors they had alone."""
    at = {i: frame.loc[frame.use == i].index for i in (1, 2)}
    bad = frame.assign(z=np.exp(frame.z.where(frame.use > 0, -np.inf)))
    logs = fits(bad, [0, 1, 2, 3], "y ~ x + log(z)")
    assert isinstance(logs["use=0"], str)
    assert "infinite" in logs["use=0"] or "finite" in logs["use=0"]
    for i in at:
        rows = logs[f"use={i}"].rename(index={"log(z)": "z"})
        pd.testing.assert_frame_equal(rows, found[f"use={i}"], rtol=1e-8)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_stratum_without_complete_pixels_spoils_no_other(
    frame: pd.DataFrame, found: dict[str, Any], compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sums would be begun ahead of the fit that says why there are none. Blocks are as wide as the errors
    of the largest stratum ask, which is another one."""
    monkeypatch.setattr(near_lags, "COMPILED", 0 if compiled else 10**6)
    for missing in (1, 2):
        bare = fits(frame.assign(x=frame.x.where(frame.use != missing)), [0, 1, 2, 3])
        assert bare[f"use={missing}"].endswith("has a value in every variable")
        kept = NUMBERS[:-1]
        pd.testing.assert_frame_equal(bare["use=0"][kept], found["use=0"][kept], rtol=1e-8)
