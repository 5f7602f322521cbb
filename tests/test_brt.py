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
from drivers.methods import METHODS, boosting
from drivers.methods.boosting import Pixels, Setting, grow_forest
from drivers.methods.brt_result import BrtResult
from drivers.spec import Vocabulary, bind, model_from_text
from drivers.stats.scores import roc_auc
from drivers.table import make_partition, pixel_table_from_frame

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


def anguilla(shared_table: Table, names: list[str]) -> tuple[BrtResult, float]:
    """The forest of dismo's eels, and its AUC on the test table."""
    data, test = (pd.read_csv(shared_table(f"Anguilla_{part}")) for part in ("train", "test"))
    options = {"tree_complexity": 5, "learning_rate": 0.01, "n_trees": "auto", "folds": 10, "train": 1.0}
    formula = f"Angaus ~ {' + '.join(names)}"
    found = trees(formula, data, categorical=["Method"], family="binomial", seed=1, **options)
    elsewhere = found.predict(test.assign(Method="electric", Angaus=np.nan))
    return found, roc_auc(test.Angaus_obs.to_numpy(float), elsewhere).auc


def test_anguilla_as_dismo(shared_table: Table, golden: Golden) -> None:
    """The mean of gbm.step's five seeds; the third driver is one of those that its seeds put third."""
    runs = golden("gbm.json")["anguilla"]
    names = [row["var"] for row in runs[0]["contributions"]]
    found, auc = anguilla(shared_table, names)
    pooled = found.validation().query("scheme == 'random' and fold == 'all'").iloc[0]
    want = {key: np.mean([run[key] for run in runs]) for key in runs[0] if key != "contributions"}
    assert pooled.auc == pytest.approx(want["cv_auc"], abs=0.01)
    assert pooled.deviance == pytest.approx(want["cv_deviance"], abs=want["cv_deviance_se"])
    assert auc == pytest.approx(want["test_auc"], abs=0.01)
    mine = shares(found)
    first = sorted(mine, key=mine.__getitem__)[:-4:-1]
    assert first in [[row["var"] for row in run["contributions"][:3]] for run in runs]


def test_anguilla_with_missing_values(shared_table: Table, golden: Golden) -> None:
    want = golden("gbm.json")["anguilla_with_missing"]
    found, auc = anguilla(shared_table, [row["var"] for row in want["contributions"]])
    assert "`LocSed`" in found.glance().message.item()
    pooled = found.validation().query("scheme == 'random' and fold == 'all'").iloc[0]
    assert pooled.auc == pytest.approx(want["cv_auc"], abs=0.01)
    assert auc == pytest.approx(want["test_auc"], abs=0.01)


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
    assert str(caught.value) == (
        "too few pixels: 20, and 70 are needed for 10 folds of trees with 10 pixels in a leaf and a bag of "
        "0.5"
    )
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


# What a hostile tester found.


@pytest.mark.parametrize("unit", [1.0, 3.0, 0.51, 1000.0])
def test_equal_weights_are_none_in_any_unit(unit: float) -> None:
    data = pixels().assign(area=unit)
    options = {"n_trees": "auto", "min_node": 20}
    plain = trees("y ~ x + z", data, **options)
    weighed = trees("y ~ x + z", data, weights="area", **options)
    assert weighed.grown.n_trees == plain.grown.n_trees
    np.testing.assert_allclose(weighed.augment(), plain.augment(), rtol=1e-6)


def test_a_heavy_pixel_does_not_stop_the_trees() -> None:
    data = pixels().assign(area=1.0)
    data.loc[0, "area"] = 20.0
    assert trees("y ~ x + z", data, weights="area").glance().r2_random.item() > 0.5


@pytest.mark.parametrize("unit", [1e-12, 1e-8, 1.0, 1e6, 1e60])
@pytest.mark.parametrize("family", ["poisson", "gamma", "tweedie"])
def test_the_unit_of_amounts_changes_no_tree(family: str, unit: float) -> None:
    data = pixels()
    data["y"] = np.exp(data.x) * (1.0 if family == "gamma" else data.z > 1)
    one, other = (trees("y ~ x + z", data.assign(y=data.y * u), family=family) for u in (1.0, unit))
    np.testing.assert_allclose(other.augment().fitted / unit, one.augment().fitted, rtol=1e-5)


def test_rare_events_are_dealt_to_all_folds() -> None:
    data = pixels(300)
    data["y"] = 0.0
    data.loc[[3, 90, 150, 200, 260, 299], "y"] = 1.0
    found = trees("y ~ x + z", data, family="binomial")
    folds = next(v for v in found.validations if v.scheme == "random")
    held = next(v for v in found.validations if v.scheme == "holdout")
    events = np.bincount(folds.folds, weights=data.y[folds.rows], minlength=3)
    assert events.max() - events.min() <= 1
    assert data.y[held.rows].sum() in (1, 2)
    assert len(held.rows) == 90
    assert np.isfinite(found.validation()[["r2", "deviance", "auc"]].to_numpy(float)).all()


@pytest.mark.parametrize("family", ["binomial", "poisson", "tweedie"])
def test_folds_that_learn_from_nothing_have_finite_errors(family: str) -> None:
    """All events in one block: the fold that holds it learns that there are none."""
    side = 30
    north, east = (a.ravel().astype(float) for a in np.mgrid[:side, :side])
    rng = np.random.default_rng(0)
    y = ((north < 6) & (east < 6)).astype(float) * (1.0 if family == "binomial" else 2.0)
    data = pd.DataFrame({"x": rng.normal(size=side**2), "y": y, "e": east, "n": north})
    table = pixel_table_from_frame(data, easting="e", northing="n")
    text = model_from_text("y ~ x", method="brt", family=family, options={**QUICK, "block": 6.0})  # type: ignore[arg-type]
    model = bind(text, Vocabulary("test", ("y",), ("x",)))
    partition = make_partition(table, [], [()])
    found = METHODS["brt"](model, table, partition, 1).fit(partition.strata[0])
    assert isinstance(found, BrtResult)
    assert np.isfinite(found.validation()[["rmse", "mae", "deviance"]].to_numpy(float)).all()
    said = "1 of 3 block folds learnt from one class alone" in found.glance().message.item()
    assert said == (family == "binomial")


def test_a_leak_is_named_with_weights_and_with_missing_values() -> None:
    rng = np.random.default_rng(1)
    data = pixels().assign(copy=lambda d: 3 * d.y + 1, area=rng.uniform(1, 3, 400))
    said = "`copy` is `y` in other units, and explains nothing"
    assert said in trees("y ~ x + copy", data, weights="area").glance().message.item()
    data.loc[5, "copy"] = np.nan
    message = trees("y ~ x + copy", data).glance().message.item()
    assert message == f"`copy`: 1 pixels have no value; {said}"


def test_a_driver_that_varies_outside_the_training_only() -> None:
    data = pixels()
    alone = data.assign(k=np.where(data.index % 3, 1.0, np.nan))
    found = trees("y ~ k", alone)
    assert np.isnan(found.glance().applicable.item())
    for row in range(6):
        found = trees("y ~ k", data.assign(k=(data.index == row).astype(float)), min_node=1)
        assert found.glance().status.item() == "ok"


def test_trees_without_a_split_say_so() -> None:
    found = trees("y ~ x", pixels().assign(x=1.0))
    assert found.glance().message.item() == (
        "no tree has a split: the drivers tell nothing, or leaves are too large"
    )


def test_numbers_beyond_single_precision_are_its_largest() -> None:
    data = pixels()
    found = trees("y ~ x + z", data.assign(x=data.x * 1e307))
    assert np.isfinite(found.predict(data.assign(x=-3.4028235e38))).all()
    assert found.glance().r2_random.item() > 0.5


def test_options_without_effect_are_named() -> None:
    table = pixel_table_from_frame(pixels())
    text = model_from_text("y ~ x", method="brt", options={**QUICK, "block": 3.0, "quantile": 0.9})
    model = bind(text, Vocabulary("test", ("y",), ("x",)))
    assert METHODS["brt"](model, table, make_partition(table, [], [()]), 1).warnings == (
        "`block` has no effect: the table has no coordinates",
        "`quantile` has no effect on a gaussian response: write `family: quantile`",
    )


def test_trees_at_their_limit_are_named() -> None:
    found = trees("y ~ x + z", pixels(), n_trees="auto", max_trees=30)
    assert found.grown.n_trees == 30
    assert found.glance().message.item() == (
        "all 30 trees of `max_trees` are used, and more might predict better"
    )
