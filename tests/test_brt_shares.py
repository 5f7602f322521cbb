"""Standard errors of shares of influence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from drivers.methods import METHODS
from drivers.methods.brt_result import BrtResult
from drivers.methods.forest_meaning import _summed
from drivers.spec import Vocabulary, bind, model_from_text
from drivers.table import make_partition, pixel_table_from_frame

LEAN = {"shap_pixels": 0, "permutations": 0, "interactions": False, "curves": False}
QUICK = {**LEAN, "n_trees": 100, "learning_rate": 0.1, "folds": 10, "train": 1.0}
NAMES = ("x", "z", "w")


def smooth(side: int, reach: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth field that knows of no edge: cut out of a torus twice as wide."""
    size = 2 * side
    at = np.minimum(np.arange(size), size - np.arange(size))
    root = np.sqrt(np.maximum(np.fft.fft2(np.exp(-np.hypot(at[:, None], at) / reach)).real, 0))
    return np.fft.ifft2(root * np.fft.fft2(rng.normal(size=(size, size)))).real[:side, :side].ravel()


def planted(seed: int, side: int = 40) -> pd.DataFrame:
    """x drives y twice as much as z does; w does not."""
    rng = np.random.default_rng(seed)
    north, east = np.divmod(np.arange(side * side), side)
    x, z, w, noise = (smooth(side, 3.0, rng) for _ in range(4))
    return pd.DataFrame(
        {"e": 1.0 * east, "n": 1.0 * north, "x": x, "z": z, "w": w, "y": x + 0.5 * z + 0.5 * noise}
    )


def fit(data: pd.DataFrame, *, known: bool = True, groups: Any = (), **options: Any) -> BrtResult:
    at = {"easting": "e", "northing": "n"} if known else {}
    table = pixel_table_from_frame(data, **at)
    text = model_from_text("y ~ x + z + w", method="brt", options={**QUICK, **options})
    model = bind(text, Vocabulary("test", ("y",), NAMES, groups=groups))
    partition = make_partition(table, [], [()])
    found = METHODS["brt"](model, table, partition, 1).fit(partition.strata[0])
    assert isinstance(found, BrtResult)
    return found


def shares(found: BrtResult) -> pd.DataFrame:
    rows = found.tidy().query("measure == 'gain'")
    return rows.set_index(rows.driver.fillna(rows.group))


def test_shares_have_errors_from_the_folds_of_blocks() -> None:
    found = fit(planted(1))
    rows = shares(found)
    block = next(v for v in found.validations if v.scheme == "block")
    assert block.influence.shape == (10, 3)
    want = np.sqrt(9 / 10 * ((block.influence - block.influence.mean(axis=0)) ** 2).sum(axis=0))
    assert rows.share_error.tolist() == pytest.approx(want.tolist(), rel=1e-12)
    assert set(rows.share_error_df) == {9}
    random = next(v for v in found.validations if v.scheme == "random")
    assert rows.spread.tolist() == pytest.approx(random.influence.std(axis=0, ddof=1).tolist(), rel=1e-12)
    assert (rows.share_error > 2 * rows.spread).all()


def test_without_blocks_the_random_folds_tell() -> None:
    found = fit(planted(1), known=False)
    rows = shares(found)
    # SE² = (K - 1)/K Σ = (K - 1)²/K times the variance over folds
    assert rows.share_error.tolist() == pytest.approx((9 / np.sqrt(10) * rows.spread).tolist(), rel=1e-12)
    assert (rows.share_error < shares(fit(planted(1))).share_error)["x"]


def test_a_group_has_the_error_of_its_sum() -> None:
    """Two groups share everything, so the errors of their shares are the same, and that of x alone."""
    rows = shares(fit(planted(1), groups=(("one", ("x",)), ("two", ("z", "w")))))
    assert rows.share_error["one"] == pytest.approx(rows.share_error["two"], rel=1e-9)
    assert rows.share_error["one"] == pytest.approx(rows.share_error["x"], rel=1e-9)


def test_other_measures_have_none() -> None:
    rows = fit(planted(1), shap_pixels=100, permutations=1).tidy().query("measure != 'gain'")
    assert rows.share_error.isna().all()
    assert rows.share_error_df.isna().all()


def test_forests_without_a_split_share_nothing() -> None:
    none = np.zeros((3, 2))
    found = _summed("gain", none[0], none, none, [np.array([0]), np.array([1])])
    for part in (found.drivers, found.groups):
        assert part is not None
        assert part.share is not None
        assert np.isnan(part.share.std_error).all()


def test_the_error_is_about_the_spread_of_shares_over_worlds() -> None:
    """Over 24 planted worlds; what chance forests have of their own makes it larger, never much smaller."""
    found = [shares(fit(planted(seed))) for seed in range(24)]
    share = np.array([rows.share.tolist() for rows in found], dtype=float)
    error = np.array([rows.share_error.tolist() for rows in found])
    ratio = np.sqrt((error**2).mean(axis=0)) / share.std(axis=0, ddof=1)
    assert (share.mean(axis=0) == np.sort(share.mean(axis=0))[::-1]).all()
    assert (ratio > 0.7).all(), ratio
    assert (ratio < 2.0).all(), ratio
