"""What boosted trees choose by cross-validation, and what is said of drivers and of a fit's parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_brt import LEAN, QUICK, pixels, trees

import drivers as dr
from drivers.errors import SpecError
from drivers.methods import METHODS, boosting
from drivers.methods.boosting import Pixels, Setting, grow_forest
from drivers.methods.brt_result import BrtResult
from drivers.methods.cross_validation import BATCH, FoldedPixels, cross_validate
from drivers.spec import Vocabulary, bind, model_from_text
from drivers.stats.forest import forest_from_json, relative_influence
from drivers.table import make_partition, pixel_table_from_frame

SEARCH = {"tune": {"trials": 6}, "n_trees": 40, "folds": 5}


def folded(n: int = 300, folds: int = 6) -> FoldedPixels:
    data = pixels(n)
    matrix = data[["x", "z", "w"]].to_numpy(np.float32)
    some = Pixels(matrix, (False,) * 3, data.y.to_numpy(), None, "gaussian")
    return FoldedPixels(some, (np.arange(n) % folds).astype(np.uint8), folds)


def searched(data: pd.DataFrame, **options: Any) -> pd.DataFrame:
    found = dr.fit("y ~ x + z + zone", data, method="brt", seed=1, options={**LEAN, **SEARCH, **options})
    return pd.DataFrame(found.records["tuning"])


# A search with a budget.


def test_a_search_starts_from_the_defaults_and_keeps_the_least_deviance() -> None:
    tuning = searched(pixels())
    assert len(tuning) == 6
    first = tuning.iloc[0]
    assert (first.tree_complexity, first.learning_rate, first.bag_fraction) == (5, 0.01, 0.5)
    whole = tuning[tuning.folds == 5]
    assert tuning.chosen.sum() == 1
    assert whole.deviance.idxmin() == tuning.chosen.idxmax()
    assert tuning.learning_rate.between(0.005, 0.1).all()
    assert tuning.bag_fraction.between(0.4, 0.9).all()
    assert tuning.tree_complexity.between(1, 10).all()


def test_a_search_finds_more_than_the_defaults_do() -> None:
    """Forty trees at a rate of 0.01 have hardly begun; the search must find that out."""
    tuning = searched(pixels())
    assert tuning.deviance[tuning.chosen].item() < 0.7 * tuning.deviance[0]


def test_a_search_finds_the_number_of_trees_of_every_trial() -> None:
    """Folds come in batches, and those of the second catch up with the first."""
    options = {"n_trees": "auto", "max_trees": 1500, "folds": 10, "tune": {"trials": 5}}
    tuning = searched(pixels(), **options)
    assert len(tuning) == 5
    assert tuning.n_trees.nunique() > 1
    chosen = tuning[tuning.chosen].iloc[0]
    fixed = {"learning_rate": chosen.learning_rate, "bag_fraction": chosen.bag_fraction}
    grid = {**LEAN, **options, **fixed, "tree_complexity": int(chosen.tree_complexity), "tune": None}
    alone = dr.fit("y ~ x + z + zone", pixels(), method="brt", seed=1, options=grid)
    assert isinstance(alone, BrtResult)
    assert alone.grown.n_trees == chosen.n_trees
    assert pd.DataFrame(alone.records["tuning"]).deviance[0] == pytest.approx(chosen.deviance)


def test_hopeless_settings_are_given_up_after_some_folds() -> None:
    tuning = searched(pixels(), folds=10, tune={"trials": 12})
    assert set(tuning.folds) <= {BATCH, 2 * BATCH, 10}
    assert (tuning.folds < 10).any()
    assert tuning.folds[tuning.chosen].item() == 10


def test_what_is_given_is_not_searched() -> None:
    tuning = searched(pixels(), learning_rate=0.07, tune={"trials": 5, "tree_complexity": [2, 3]})
    assert set(tuning.learning_rate) == {0.07}
    assert set(tuning.tree_complexity) <= {2, 3}
    assert tuning.bag_fraction.nunique() > 1


def test_settings_that_come_again_cost_no_trial() -> None:
    tuning = searched(
        pixels(), learning_rate=0.07, bag_fraction=0.5, tune={"trials": 8, "tree_complexity": [1, 3]}
    )
    assert sorted(tuning.tree_complexity) == [1, 2, 3]


def test_a_search_is_the_same_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for workers in (1, 3):
        monkeypatch.setattr(boosting, "WORKERS", workers)
        found.append(searched(pixels(), folds=10, tune={"trials": 8}).to_csv())
    assert found[0] == found[1]


def test_the_unit_of_the_response_changes_no_trial() -> None:
    one, other = (searched(pixels().assign(y=lambda d, u=u: d.y * u)) for u in (1.0, 1024.0))
    keys = ["tree_complexity", "learning_rate", "bag_fraction", "n_trees", "folds", "chosen"]
    pd.testing.assert_frame_equal(one[keys], other[keys])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            "tune: {trials: 3}, learning_rate: [0.1, 0.2]",
            "`options` must not list `learning_rate` beside `tune`, which searches: give one number or none",
        ),
        (
            "tune: {trials: 3, bag_fraction: [0.4, 0.5]}, bag_fraction: 0.5",
            "`options` must not give `bag_fraction` that has a range in `tune`: leave one of them out",
        ),
        (
            "tune: {trials: 3}, bag_fraction: 0.5, learning_rate: 0.1, tree_complexity: 3",
            "`options` must leave a setting open for `tune` to search",
        ),
        ("tune: {trials: 0}", "`options.tune.trials` must be at least 1, and is 0"),
        (
            "tune: {trials: 2, learning_rate: [0.2, 0.1]}",
            "`options.tune.learning_rate` must be `[lowest, highest]`, the second above the first",
        ),
    ],
)
def test_a_search_that_cannot_be_meant(options: str, said: str, tmp_path: Any) -> None:
    file = tmp_path / "trees.yaml"
    file.write_text(f"method: brt\nformula: y ~ x\noptions: {{{options}}}\n")
    with pytest.raises(SpecError) as caught:
        dr.read_model(file)
    assert str(caught.value).splitlines()[0].removeprefix("SpecError: ").startswith(said)


# The folds of one setting.


def test_folds_that_are_given_up_leave_no_predictions() -> None:
    told: list[int] = []

    def verdict(fold: int, loss: float) -> bool:
        told.append(fold)
        return loss < 0

    some = folded()
    found = cross_validate(some, Setting(2, 0.1, 0.5, 5, 1), n_trees=20, max_trees=20, verdict=verdict)
    assert told == list(range(BATCH))
    assert len(found.forests) == BATCH
    np.testing.assert_array_equal(np.isnan(found.predicted), some.folds >= BATCH)


def test_influence_is_that_of_the_trees_as_arrays() -> None:
    pixels_ = folded().pixels
    forest = grow_forest(pixels_, Setting(3, 0.1, 0.5, 5, 1), 60)
    for n_trees in (10, 60):
        want = relative_influence(forest_from_json(forest.model(), n_trees), 3)
        np.testing.assert_allclose(forest.influence(n_trees), want, atol=1e-6)
    flat = grow_forest(pixels_, Setting(3, 0.1, 0.5, 500, 1), 5)
    assert flat.influence(5).tolist() == [0, 0, 0]


def test_matrices_serve_every_setting() -> None:
    """The second setting on the same folds is what it is on fresh ones."""
    settings = [Setting(2, 0.1, 0.5, 5, 1), Setting(4, 0.2, 0.8, 5, 1)]
    one = folded()
    used = [cross_validate(one, s, n_trees=30, max_trees=30).predicted for s in settings]
    fresh = [cross_validate(folded(), s, n_trees=30, max_trees=30).predicted for s in settings]
    np.testing.assert_array_equal(used, fresh)


def test_no_fold_hides_what_more_trees_do_for_the_others() -> None:
    """The number chosen has the least mean deviance over all folds, also where one fold would stop early."""
    data = pixels(300, seed=2)
    rng = np.random.default_rng(2)
    y = data.x + data.z + rng.standard_t(2, 300)
    some = Pixels(data[["x", "z", "w"]].to_numpy(np.float32), (False,) * 3, y.to_numpy(), None, "gaussian")
    folds = FoldedPixels(some, (np.arange(300) % 10).astype(np.uint8), 10)
    setting = Setting(5, 0.01, 0.5, 10, 1)
    chosen = cross_validate(folds, setting, n_trees=None, max_trees=2000).n_trees
    grown = cross_validate(folds, setting, n_trees=chosen + 300, max_trees=2000).forests
    losses = []
    for trees_ in range(25, chosen + 301, 25):
        guess = np.empty(300)
        for fold, forest in enumerate(grown):
            guess[folds.held(fold)] = forest.predict(some.matrix[folds.held(fold)], trees_)
        losses.append(some.deviance(guess))
    assert 25 * (int(np.argmin(losses)) + 1) == chosen


def test_number_of_trees_of_a_given_count_and_of_an_early_stop() -> None:
    """Trees grown until the error rises predict, at their number, what as many trees predict."""
    some, setting = folded(), Setting(3, 0.2, 0.5, 5, 1)
    auto = cross_validate(some, setting, n_trees=None, max_trees=500)
    assert 25 <= auto.n_trees < 500
    again = cross_validate(some, setting, n_trees=auto.n_trees, max_trees=500)
    np.testing.assert_allclose(auto.predicted, again.predicted, rtol=1e-6)


# Fewer drivers.


def noisy(n: int = 600) -> pd.DataFrame:
    data = pixels(n, seed=3)
    rng = np.random.default_rng(9)
    for name in ("n1", "n2", "n3"):
        data[name] = rng.normal(size=n)
    return data


def test_drivers_that_add_nothing_are_dropped() -> None:
    formula = "y ~ x + z + zone + w + n1 + n2 + n3"
    found = trees(formula, noisy(), simplify=True, n_trees=100, seed=2)
    trail = pd.DataFrame(found.records["simplify"])
    kept = [d.driver.label for d in found.sample.drivers]
    dropped = trail.driver[1 : trail.index[trail.chosen].item() + 1].tolist()
    assert set(dropped) >= {"n1", "n2", "n3", "w"}
    assert {"x", "z"} <= set(kept)
    assert sorted(kept + dropped) == sorted(["x", "z", "zone", "w", "n1", "n2", "n3"])
    assert trail.step.tolist() == list(range(len(trail)))
    assert trail.n_drivers.tolist() == list(range(7, 7 - len(trail), -1))
    inside = trail.delta_deviance[: trail.index[trail.chosen].item() + 1] <= trail.deviance_se[0]
    assert inside.all()
    assert trail.delta_deviance[0] == 0
    assert trail.iloc[-1].delta_deviance > trail.deviance_se[0] or trail.n_drivers.iloc[-1] == 1
    np.testing.assert_allclose(trail.delta_deviance, trail.deviance - trail.deviance[0], atol=1e-12)
    assert set(found.tidy().driver.dropna()) == set(kept)
    assert found.glance().r2_random.item() == pytest.approx(trail.r2[trail.chosen].item())
    named = ", ".join(f"`{name}`" for name in ("w", "zone", "n1", "n2", "n3") if name in dropped)
    assert f"dropped: {named}" in found.glance().message.item()


def test_the_standard_error_is_that_of_the_mean_over_folds() -> None:
    found = trees("y ~ x + z + w", noisy(), simplify=True, train=1.0)
    trail = pd.DataFrame(found.records["simplify"])
    whole = trees("y ~ x + z + w", noisy(), train=1.0)
    by_fold = whole.validation().query("scheme == 'random' and fold != 'all'").deviance.astype(float)
    assert trail.deviance_se[0] == pytest.approx(by_fold.std(ddof=1) / np.sqrt(3))
    assert trail.deviance[0] == pytest.approx(
        whole.validation().query("scheme == 'random' and fold == 'all'").deviance.item()
    )


def test_nothing_is_dropped_where_all_matter() -> None:
    data = pixels(600)
    data["y"] = data.x + data.z + 2 * data.w
    found = trees("y ~ x + z + w", data, simplify=True)
    trail = pd.DataFrame(found.records["simplify"])
    assert trail.chosen.tolist() == [True, False]
    assert trail.driver.isna().tolist() == [True, False]
    assert len(found.sample.drivers) == 3
    assert "dropped" not in found.glance().message.item()


def test_predictions_need_only_what_was_kept() -> None:
    data = noisy()
    found = trees("y ~ x + z + n1 + n2", data, simplify=True, n_trees=80)
    kept = [d.driver.label for d in found.sample.drivers]
    assert len(kept) < 4
    np.testing.assert_allclose(found.predict(data[kept]), found.augment().fitted, rtol=1e-12)


def test_one_driver_cannot_become_fewer() -> None:
    trail = pd.DataFrame(trees("y ~ x", pixels(), simplify=True).records["simplify"])
    assert len(trail) == 1
    assert trail.chosen.item()


# kNNDM folds.


def placed(data: pd.DataFrame, **options: Any) -> BrtResult:
    table = pixel_table_from_frame(data, easting="e", northing="n")
    names = ("x",)
    text = model_from_text("y ~ x", method="brt", options={**QUICK, "knndm": True, **options})
    model = bind(text, Vocabulary("test", ("y",), names))
    partition = make_partition(table, [], [()])
    found = METHODS["brt"](model, table, partition, 1).fit(partition.strata[0])
    assert isinstance(found, BrtResult)
    return found


def clustered() -> pd.DataFrame:
    """A map of 40 x 40 pixels whose response is known in a few patches only."""
    rng = np.random.default_rng(5)
    north, east = (a.ravel().astype(float) for a in np.mgrid[:40, :40])
    x = np.sin(east / 6) + np.cos(north / 5)
    y = x + 0.1 * rng.normal(size=1600)
    centres = rng.uniform(4, 36, (12, 2))
    near = (np.hypot(east[:, None] - centres[:, 0], north[:, None] - centres[:, 1]) < 3).any(axis=1)
    return pd.DataFrame({"e": east, "n": north, "x": x, "y": np.where(near, y, np.nan)})


def test_knndm_folds_are_as_far_as_the_map() -> None:
    found = placed(clustered(), train=1.0)
    fit = found.glance()
    assert np.isfinite(fit.r2_knndm.item())
    assert "kNNDM folds are random" not in fit.message.item()
    matched = next(v for v in found.validations if v.scheme == "knndm")
    where = clustered().iloc[found.sample.rows][["e", "n"]].to_numpy()
    near = [np.hypot(*(where - place).T) < 1.5 for place in where]
    alone = [len(set(matched.folds[around].tolist())) == 1 for around in near]
    assert np.mean(alone) > 0.5  # most neighbours are held out together; random folds: 3^-8
    pooled = found.validation().query("scheme == 'knndm' and fold == 'all'").iloc[0]
    assert pooled.r2 == fit.r2_knndm.item()


def test_knndm_folds_of_a_map_that_is_known_are_random_ones() -> None:
    data = clustered()
    found = placed(data.assign(y=data.x))
    assert "kNNDM folds are random: the pixels to be predicted lie among those learnt from" in (
        found.glance().message.item()
    )


@pytest.mark.parametrize(("towers", "folds"), [(2, 2), (3, 3), (12, 3)])
def test_knndm_folds_of_few_places_are_whole_places(towers: int, folds: int) -> None:
    """Years of a few towers: a tower is held out whole, also where one has most of the years."""
    rng = np.random.default_rng(towers)
    data = clustered().assign(y=np.nan, t=0.0)
    at = rng.choice(1600, towers, replace=False)
    years = [60 if i == 0 else 20 for i in range(towers)]
    rows = data.loc[np.repeat(at, years)].assign(t=lambda d: rng.normal(size=len(d)))
    rows["y"] = rows.t + 0.1 * rng.normal(size=len(rows))
    found = placed(pd.concat([rows, data], ignore_index=True), train=1.0)
    matched = next(v for v in found.validations if v.scheme == "knndm")
    assert matched.n_folds == folds
    place = np.repeat(at, years)
    for tower in at:
        assert len(set(matched.folds[place == tower].tolist())) == 1
    assert "kNNDM folds are random" not in found.glance().message.item()


def test_no_knndm_folds_of_one_place() -> None:
    data = clustered().assign(y=np.nan)
    rows = data.loc[np.repeat(700, 120)].assign(y=np.random.default_rng(0).normal(size=120))
    found = placed(pd.concat([rows, data], ignore_index=True))
    assert "no kNNDM folds: the response is known in one place" in found.glance().message.item()


def test_no_knndm_folds_where_pixels_have_no_place() -> None:
    found = trees("y ~ x", clustered(), knndm=True)
    assert "no kNNDM folds: the table has no coordinates" in found.glance().message.item()
    assert [v.scheme for v in found.validations] == ["holdout", "random"]


# What is said of the drivers.


def test_shap_interactions_are_both_halves_and_their_error_that_of_a_mean() -> None:
    data = pixels(500)
    found = trees("y ~ x + z + w", data, interactions=True, shap_interactions=500)
    rows = pd.DataFrame(found.records["tree_interactions"]).query("measure == 'shap'")
    matrix = found.scale.matrix(found.sample.drivers)
    phi = found.grown.interactions(matrix)
    both = 2 * np.abs(phi[:, 0, 1])
    assert rows.value.iloc[0] == pytest.approx(both.mean(), rel=1e-6)
    assert rows.std_error.iloc[0] == pytest.approx(both.std(ddof=1) / np.sqrt(500), rel=1e-6)
    assert rows.n.iloc[0] == 500
    np.testing.assert_allclose(phi.sum(axis=2), found.grown.contributions(matrix)[:, :-1], atol=1e-5)


def test_importance_says_how_many_pixels_it_rests_on() -> None:
    groups = {"a": ["x"], "b": ["z", "zone"]}
    found = trees("y ~ x + z + zone", pixels(), shap_pixels=200, permutations=1, groups=groups)
    rows = found.tidy()
    shap = rows[rows.measure.isin(["shap", "shapley"])]
    assert set(shap.n) == {200}
    assert (shap.std_error > 0).all()
    assert rows[rows.measure.isin(["gain", "permutation"])].std_error.isna().all()


def test_shap_values_are_those_of_the_pixels_named() -> None:
    data = pixels(500).assign(w=lambda d: d.w.where(d.index % 7 > 0))
    found = trees("y ~ x + w + zone", data, shap_pixels=400)
    rows = pd.DataFrame(found.records["shap_values"])
    assert rows.groupby("driver").size().to_dict() == {"x": 300, "w": 300, "zone": 300}
    want = found.grown.contributions(found.scale.matrix(found.sample.drivers))
    for j, name in enumerate(("x", "w")):
        of = rows[rows.driver == name]
        np.testing.assert_allclose(of.value, want[of.pixel, j], rtol=1e-6)
        np.testing.assert_array_equal(of.x.to_numpy(float), data[name].to_numpy()[of.pixel])
        assert of.level.isna().all()
    zone = rows[rows.driver == "zone"]
    assert zone.level.tolist() == data.zone[zone.pixel].tolist()


def test_parts_of_a_fit_are_told_and_come_to_an_end() -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard: list[tuple[str, int, int]] = []

        def start(self, what: str) -> None: ...

        def part(self, what: str, done: int, of: int) -> None:
            self.heard.append((what, done, of))

        def done(self) -> None: ...

    options = {**LEAN, **SEARCH, "simplify": True, "knndm": True}
    table = pixel_table_from_frame(clustered().assign(z=1.0), easting="e", northing="n")
    model = bind(
        model_from_text("y ~ x + z", method="brt", options=options), Vocabulary("test", ("y",), ("x", "z"))
    )
    partition = make_partition(table, [], [()])
    ear = Listener()
    METHODS["brt"](model, table, partition, 1).fit(partition.strata[0], ear)
    counts = [done for _, done, _ in ear.heard]
    assert counts == sorted(counts)
    assert ear.heard[-1][1] == ear.heard[-1][2]
    said = list(dict.fromkeys(what.split(":")[0] for what, *_ in ear.heard))
    assert said[0] == "trial 1 of 6"
    assert said[6:] == [
        "fewer drivers",
        "holdout",
        "folds of blocks",
        "kNNDM folds",
        "all pixels",
        "SHAP values",
        "permutations",
        "interactions and curves",
        "area of applicability",
    ]
    assert "best R²" in next(what for what, *_ in ear.heard if what.startswith("trial 2"))
