"""Boosted regression trees: against gbm and dismo, in space, and on odd input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import fft

import drivers as dr
from drivers.methods import boosting
from drivers.methods.boosting import Pixels, Setting, grow_forest
from drivers.methods.brt_result import BrtResult
from drivers.stats.scores import roc_auc
from drivers.table import pixel_table_from_frame

Table = Callable[[str], Path]
Golden = Callable[[str], Any]

LEAN = {"shap_pixels": 0, "permutations": 0, "interactions": False, "curves": False}
QUICK = {**LEAN, "n_trees": 60, "folds": 3, "learning_rate": 0.1}
NDVI = "NDVIchange ~ Climatezone + Mining + Tempchange + Precipitation + GDP + Popdensity"


def trees(formula: str, data: Any, **options: Any) -> BrtResult:
    more = {
        key: options.pop(key)
        for key in ("categorical", "where", "seed", "groups", "family")
        if key in options
    }
    found = dr.fit(formula, data, method="brt", options={**QUICK, **options}, **more)
    assert isinstance(found, BrtResult)
    return found


def pixels(n: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, z, w = rng.normal(size=n), rng.uniform(0, 5, n), rng.normal(size=n)
    zone = rng.choice(["dry", "wet", "bog"], n)
    y = 2.0 * (x > 0) * z + (zone == "wet") + 0.3 * rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "z": z, "w": w, "zone": zone})


def shares(found: BrtResult, measure: str = "gain") -> dict[str, float]:
    rows = found.tidy().query("measure == @measure and driver.notna()")
    return dict(zip(rows.driver, rows.share, strict=True))


# Against gbm.


def test_ndvi_as_gbm(shared_table: Table, golden: Golden) -> None:
    """gbm's numbers vary with its seed: R² by 0.001, influence by 1.5 points; ours may by three of these."""
    want = golden("gbm.json")["ndvi_40_gaussian"]
    options = {"tree_complexity": 5, "learning_rate": 0.01, "n_trees": 1000, "folds": 10, "train": 1.0}
    found = trees(NDVI, pd.read_csv(shared_table("ndvi_40")), **options)
    assert found.glance().r2_random[0] == pytest.approx(want["cv_R2_mean"], abs=0.005)
    mine, theirs = shares(found), want["rel_inf_mean"]
    for name, value in theirs.items():
        assert 100 * mine[name] == pytest.approx(value, abs=3 * want["rel_inf_sd"][name] + 1), name
    assert sorted(mine, key=mine.__getitem__)[-3:] == sorted(theirs, key=theirs.__getitem__)[-3:]


def test_anguilla_as_dismo(shared_table: Table, golden: Golden) -> None:
    want = golden("gbm.json")["anguilla"]
    data, test = (pd.read_csv(shared_table(f"Anguilla_{part}")) for part in ("train", "test"))
    names = [row["var"] for row in want["contributions"]]
    options = {"tree_complexity": 5, "learning_rate": 0.01, "n_trees": "auto", "folds": 10, "train": 1.0}
    formula = f"Angaus ~ {' + '.join(names)}"
    found = trees(formula, data, categorical=["Method"], family="binomial", seed=1, **options)
    pooled = found.validation().query("scheme == 'random' and fold == 'all'").iloc[0]
    assert pooled.auc == pytest.approx(want["cv_auc"], abs=0.01)
    assert pooled.deviance == pytest.approx(want["cv_deviance"], abs=0.03)
    elsewhere = found.predict(test.assign(Method=None, Angaus=np.nan))
    assert roc_auc(test.Angaus_obs.to_numpy(float), elsewhere).auc == pytest.approx(
        want["test_auc"], abs=0.01
    )
    mine = shares(found)
    assert sorted(mine, key=mine.__getitem__)[:-4:-1] == names[:3]


def test_training_error_follows_gbm_tree_by_tree(shared_table: Table, golden: Golden) -> None:
    """No randomness, depth 1: bins are the only difference (METHODS: 1e-3 when they are fine enough)."""
    want = golden("gbm.json")["deterministic_bag1_numeric"]
    data = pd.read_csv(shared_table("ndvi_40"))
    matrix = data[["Tempchange", "Precipitation", "GDP", "Popdensity"]].to_numpy(np.float32)
    y = data.NDVIchange.to_numpy()
    fine = Pixels(matrix, (False,) * 4, y, None, "gaussian")
    error = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boosting, "FEWEST_BINS", 1024)
        for n_trees in range(1, 51):
            forest = grow_forest(fine, Setting(1, 0.1, 1.0, 10, 1), n_trees)
            error.append(float(((y - forest.predict(matrix)) ** 2).mean()))
    np.testing.assert_allclose(error, want["train_error"], rtol=1e-3)


# Laws.


def test_the_unit_of_the_response_changes_no_tree() -> None:
    data = pixels()
    one, other = (trees("y ~ x + z + zone", data.assign(y=data.y * u), n_trees="auto") for u in (1, 1000))
    assert one.grown.n_trees == other.grown.n_trees
    np.testing.assert_allclose(other.augment() / 1000, one.augment(), rtol=1e-5)
    assert shares(one) == pytest.approx(shares(other), rel=1e-5)


def test_same_seed_same_bytes_however_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pixels()
    full = {"shap_pixels": 100, "permutations": 2, "interactions": True, "curves": True}
    texts = []
    for workers, seed in ((1, 1), (4, 1), (4, 2)):
        monkeypatch.setattr(boosting, "WORKERS", workers)
        found = trees("y ~ x + z + zone", data, seed=seed, **full)
        texts.append(repr([(k, v) for k, v in found.records.items()]) + found.tidy().to_csv())
    assert texts[0] == texts[1] != texts[2]


def test_what_matters_is_found() -> None:
    full = {"shap_pixels": 200, "permutations": 3, "interactions": True, "curves": True, "n_trees": 150}
    found = trees("y ~ x + z + w + zone", pixels(800), groups={"a": ["x", "z"], "b": ["w", "zone"]}, **full)
    for measure in ("gain", "shap", "permutation"):
        of = shares(found, measure)
        assert sorted(of, key=of.__getitem__)[-2:] in (["x", "z"], ["z", "x"]), measure
        assert sum(of.values()) == pytest.approx(1)
    pairs = pd.DataFrame(found.records["tree_interactions"])
    for measure in ("h_statistic", "shap"):
        first = pairs.query("measure == @measure and rank == 1").iloc[0]
        assert {first.driver_a, first.driver_b} == {"x", "z"}, measure
    groups = found.tidy().query("driver.isna()").set_index(["measure", "group"])
    assert {m for m, _ in groups.index} == {"gain", "shap", "shapley", "permutation"}
    for measure in ("gain", "shap", "shapley", "permutation"):
        assert groups.value[measure, "a"] > groups.value[measure, "b"]
    curves = pd.DataFrame(found.records["curves"])
    x = curves.query("driver == 'x' and kind == 'partial'")
    assert x.value.iloc[-1] - x.value.iloc[0] == pytest.approx(2 * 2.5, rel=0.2)  # 2 z, whose mean is 2.5
    assert curves.query("driver == 'zone'").level.tolist() == ["bog", "dry", "wet"]
    assert found.glance().applicable[0] > 0.9


def test_a_grid_of_settings_is_tried() -> None:
    found = trees("y ~ x + z", pixels(), tree_complexity=[1, 4], bag_fraction=[0.5, 0.8])
    tried = pd.DataFrame(found.records["tuning"])
    assert len(tried) == 4
    assert tried.chosen.sum() == 1
    assert tried.deviance[tried.chosen].iloc[0] == tried.deviance.min()
    assert tried.tree_complexity[tried.chosen].iloc[0] == 4  # 2 z (x > 0) is no sum


def test_holdout_and_folds_are_what_they_say() -> None:
    found = trees("y ~ x + z + zone", pixels(), train=0.7, folds=4)
    cv = found.validation()
    assert cv.scheme.tolist() == ["holdout"] + 5 * ["random"]
    assert cv.query("scheme == 'holdout'")[["n_train", "n_test"]].to_numpy().tolist() == [[280, 120]]
    assert cv.query("scheme == 'random'").n_test.tolist() == [70, 70, 70, 70, 280]
    held = found.augment()
    assert held.predicted_holdout.notna().sum() == 120
    both = held.predicted_holdout.notna() & held.predicted_random.notna()
    assert not both.any()
    random = held.dropna(subset=["predicted_random"])
    r2 = (
        1
        - ((random.observed - random.predicted_random) ** 2).sum()
        / ((random.observed - random.observed.mean()) ** 2).sum()
    )
    assert found.glance().r2_random[0] == pytest.approx(r2)


# In space.


def test_random_folds_flatter_where_neighbours_are_alike() -> None:
    """The response has nothing to do with a driver that is as smooth as a map of places."""
    side, rng = 40, np.random.default_rng(5)

    def smooth() -> np.ndarray:
        lag = np.minimum(np.arange(3 * side), 3 * side - np.arange(3 * side))
        root = np.sqrt(np.maximum(fft.fft2(np.exp(-((np.hypot(lag[:, None], lag) / 8) ** 2))).real, 0))
        return fft.ifft2(root * fft.fft2(rng.normal(size=root.shape))).real[:side, :side].ravel()

    north, east = np.divmod(np.arange(side * side), side)
    fields = {name: smooth() for name in ("y", "a", "b", "c", "d")}
    data = pd.DataFrame({**fields, "e": east, "n": north}, dtype=float)
    table = pixel_table_from_frame(data, easting="e", northing="n")
    found = trees("y ~ a + b + c + d", table, n_trees=400)
    fit = found.glance().iloc[0]
    assert fit.r2_random > 0.4
    assert fit.r2_block < 0.2
    assert fit.r2_gap == pytest.approx(fit.r2_random - fit.r2_block)
    blocks = found.validations[-1]
    assert blocks.scheme == "block"
    assert np.bincount(blocks.folds).min() > 0


# Families.


@pytest.mark.parametrize("family", ["poisson", "gamma", "tweedie", "quantile", "binomial"])
def test_families(family: str) -> None:
    n = 4000
    data = pixels(n)
    rng = np.random.default_rng(1)
    mean = np.exp(1.5 * (data.x > 0) + 0.4 * data.z - 1.5)
    made = {
        "poisson": rng.poisson(mean),
        "gamma": rng.gamma(3.0, mean / 3.0),
        "tweedie": np.where(rng.uniform(size=n) < 0.3, 0.0, rng.gamma(2.0, mean / 2.0)),
        "quantile": mean + rng.normal(size=n),
        "binomial": (rng.uniform(size=n) < mean / (1 + mean)).astype(float),
    }
    found = trees("y ~ x + z + w", data.assign(y=made[family].astype(float)), family=family, n_trees=100)
    guess = found.predict(data)
    assert np.isfinite(guess).all()
    wanted = mean / (1 + mean) if family == "binomial" else mean
    assert np.corrcoef(guess, wanted)[0, 1] > 0.9
    if family in ("poisson", "gamma", "tweedie", "binomial"):
        assert (guess > 0).all()
        assert guess.mean() == pytest.approx(made[family].mean(), rel=0.1)


@pytest.mark.parametrize(
    ("family", "value", "message"),
    [
        ("binomial", 0.5, "`y` must be 0 or 1 in a binomial model, and is not for 1 pixels"),
        ("poisson", -1.0, "`y` must be 0 or more in a poisson model, and is not for 1 pixels"),
        ("gamma", 0.0, "`y` must be above 0 in a gamma model, and is not for 1 pixels"),
    ],
)
def test_responses_that_do_not_suit_their_family(family: str, value: float, message: str) -> None:
    data = pixels().assign(y=1.0)
    data.loc[::2, "y"] = 0.0 if family == "binomial" else 2.0
    data.loc[7, "y"] = value
    with pytest.raises(dr.FitError) as caught:
        trees("y ~ x", data, family=family)
    assert str(caught.value) == message


# Odd input.


def test_few_pixels_and_constant_responses() -> None:
    with pytest.raises(dr.FitError) as caught:
        trees("y ~ x", pixels(20), folds=10)
    assert str(caught.value) == ("too few pixels: 20, and 10 folds of trees with 10 pixels in a leaf need 29")
    with pytest.raises(dr.FitError, match="the response is constant here"):
        trees("y ~ x", pixels().assign(y=1.0))


def test_missing_drivers_levels_not_seen_and_leaks() -> None:
    data = pixels()
    data.loc[:30, "x"] = np.nan
    data.loc[40:50, "zone"] = None
    data.loc[60:64, "y"] = np.nan
    found = trees("y ~ x + z + zone + twice", data.assign(twice=data.y.fillna(0) * 2 + 1))
    assert found.glance().message[0] == (
        "5 pixels have no response; `x`: 31 pixels have no value; `zone`: 11 pixels have no value; "
        "`twice` is `y` in other units, and explains nothing"
    )
    plain = trees("y ~ x + z + zone", data)
    new = pd.DataFrame({"y": [np.nan] * 2, "x": [1.0, np.nan], "z": [1.0, 2.0], "zone": ["marsh", None]})
    assert np.isfinite(plain.predict(new)).all()
    same = plain.predict(data)
    fitted = plain.augment().fitted
    np.testing.assert_allclose(same[fitted.index], fitted, rtol=1e-6)


def test_a_constant_driver_has_no_influence() -> None:
    found = trees(
        "y ~ x + flat", pixels().assign(flat=1.0), shap_pixels=50, permutations=1, interactions=True
    )
    assert shares(found)["flat"] == 0
    nothing = trees("y ~ flat + one", pixels().assign(flat=1.0, one=2.0), interactions=True, curves=True)
    assert nothing.glance().r2_random[0] < 0.01
    assert np.isnan(nothing.glance().applicable[0])


def test_verbs() -> None:
    found = trees("y ~ x + z", pixels())
    assert repr(found).startswith("Boosted regression trees, all: 400 pixels, 60 trees; R²: holdout 0.")
    assert "<table" in found._repr_html_()
    assert found.glance().status.tolist() == ["ok"]
    assert set(found.records) == {"fit", "cv", "tuning"}


def test_drivers_far_from_zero_keep_their_digits() -> None:
    data = pixels()
    near = trees("y ~ x + z", data, curves=True)
    for moved in (data.assign(x=1e9 + 1e-6 * data.x), data.assign(x=1e200 * data.x)):
        far = trees("y ~ x + z", moved, curves=True)
        assert far.glance().r2_random[0] == pytest.approx(near.glance().r2_random[0], abs=0.02)
        np.testing.assert_allclose(far.predict(moved), far.augment().fitted, rtol=1e-6)
        x = pd.DataFrame(far.records["curves"]).query("driver == 'x'").x
        assert (x.min(), x.max()) == pytest.approx((moved.x.min(), moved.x.max()), rel=1e-6)


def test_responses_without_squares() -> None:
    with pytest.raises(dr.FitError) as caught:
        trees("y ~ x", pixels().assign(y=lambda d: d.y * 1e200))
    assert str(caught.value).endswith("whose square is no number: give it in other units")


def test_weights_enter_the_deviance() -> None:
    data = pixels().assign(area=lambda d: np.where(d.x > 0, 9.0, 1.0))
    found = trees("y ~ z", data, weights="area")
    pooled = found.validation().query("scheme == 'random' and fold == 'all'").iloc[0]
    held = found.augment().dropna(subset=["predicted_random"])
    squares = (held.observed - held.predicted_random) ** 2
    assert pooled.deviance == pytest.approx(np.average(squares, weights=data.area[held.index]))
    assert pooled.deviance != pytest.approx(squares.mean(), rel=0.01)
    assert pooled.deviance == pytest.approx(found.records["tuning"][0]["deviance"])
