"""A forest read from xgboost's JSON predicts as xgboost does and knows its gains."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats.forest import (
    LINKS,
    Forest,
    forest_from_json,
    only_reached,
    predict_margin,
    relative_influence,
)

SINGLE = 2e-5
"""xgboost adds up leaves in single precision (6e-8 relative at each addition); margins here are below 10."""

NAMED = 2
"""The driver of these tests that is categorical, with the classes 0 to 5."""

TYPES = ["q", "q", "c", "q"]


def pixels(n, seed=0, missing=0.1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).round(1)
    x[:, NAMED] = rng.integers(0, 6, n)
    x[rng.random(x.shape) < missing] = np.nan
    return x


def response(x, objective="reg:squarederror", seed=1):
    rng = np.random.default_rng(seed)
    known = np.nan_to_num(x)
    mean = known[:, 0] * known[:, 1] + np.isin(x[:, NAMED], (1, 4)) + np.isnan(x[:, 3])
    if objective == "count:poisson":
        return rng.poisson(np.exp(mean / 2)).astype(float)
    if objective.endswith("logistic"):
        return (mean + rng.normal(size=len(x)) > 0.5).astype(float)
    return mean + 0.3 * rng.normal(size=len(x)) if objective.startswith("reg:s") else np.exp(mean)


def table(x, y=None):
    return xgboost.DMatrix(x, y, feature_types=TYPES, enable_categorical=True)


def trained(x, objective="reg:squarederror", rounds=30, **options):
    options = {"eta": 0.2, "max_leaves": 6, "max_depth": 0, "grow_policy": "lossguide", **options}
    options = {"objective": objective, "nthread": 1, "max_cat_to_onehot": 2, **options}
    return xgboost.train(options, table(x, response(x, objective)), rounds)


def document(booster):
    return json.loads(booster.save_raw("json"))


def forest_of(booster, trees=None):
    return forest_from_json(document(booster), trees)


def random_forest(seed, trees=4, drivers=4, leaves=5, named=()):
    """A forest that nobody trained: thresholds that pixels meet exactly, classes, any covers, stumps."""
    rng = np.random.default_rng(seed)
    nodes, sets, root = [], [], []

    def node(driver=-1, row=-1):
        cut = np.nan if driver < 0 or row >= 0 else rng.integers(-2, 3) / 2
        value = rng.normal() if driver < 0 else 0.0
        nodes.append([driver, cut, -1, -1, rng.random() < 0.5, value, rng.integers(1, 50), 0.0, row])
        return len(nodes) - 1

    for _ in range(trees):
        root.append(node())
        tips = [root[-1]]
        for _ in range(rng.integers(0, leaves)):
            tip = tips.pop(rng.integers(len(tips)))
            driver = int(rng.integers(drivers))
            row = -1
            if driver in named:
                row = len(sets)
                sets.append(np.append(rng.random(4) < 0.5, False))
            cover = nodes[tip][6]
            nodes[tip] = nodes.pop(node(driver, row))
            nodes[tip][6], nodes[tip][7] = cover, rng.random()
            nodes[tip][2], nodes[tip][3] = node(), node()
            tips += nodes[tip][2:4]
    kinds = (np.int32, float, np.int32, np.int32, np.bool_, float, float, float, np.int32)
    feature, cut, left, right, default, value, cover, gain, row = (
        np.array(column, dtype=kind) for column, kind in zip(zip(*nodes, strict=True), kinds, strict=True)
    )
    goes_right = np.array(sets, dtype=np.bool_).reshape(-1, 5)
    roots = np.array(root, dtype=np.int32)
    return Forest(feature, cut, left, right, default, value, cover, gain, roots, row, goes_right, 0.25)


def random_pixels(seed, n=12, drivers=4):
    """Values on a coarse lattice around the thresholds; as classes: known, unknown and missing ones."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 5, (n, drivers)) / 2
    x[rng.random(x.shape) < 0.15] = np.nan
    return x


def one_tree(forest, tree):
    return only_reached(replace(forest, root=forest.root[[tree]], base=0.0))


def goes_left(forest, node, x):
    """xgboost's rule, one value at a time."""
    if np.isnan(x):
        return bool(forest.default_left[node])
    if forest.category_row[node] < 0:
        return bool(np.float32(x) < np.float32(forest.threshold[node]))
    sets = forest.goes_right[forest.category_row[node]]
    return not (0 <= x < len(sets) and sets[int(x)])


def walk(forest, pixel):
    total = forest.base
    for node in forest.root:
        while forest.feature[node] >= 0:
            side = forest.left if goes_left(forest, node, pixel[forest.feature[node]]) else forest.right
            node = side[node]
        total += forest.value[node]
    return total


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "count:poisson"])
@pytest.mark.parametrize("onehot", [2, 10])
def test_predicts_as_xgboost(objective, onehot):
    x = pixels(600)
    booster = trained(x, objective, max_cat_to_onehot=onehot)
    forest = forest_of(booster)
    assert set(forest.feature) == {-1, 0, 1, 2, 3}
    assert (forest.category_row >= 0).any()
    fresh = np.vstack([x, pixels(400, seed=5, missing=0.4)])
    expected = booster.predict(table(fresh), output_margin=True)
    np.testing.assert_allclose(predict_margin(forest, fresh), expected, atol=SINGLE)


def test_a_value_at_the_threshold_goes_right_in_single_precision():
    x = pixels(500, missing=0.0)
    booster = trained(x, rounds=10)
    forest = forest_of(booster)
    cuts = forest.threshold[(forest.feature == 0)]
    at = np.repeat(x[:1], 3 * len(cuts), axis=0)
    # A double just below the threshold is the threshold itself for xgboost.
    below = np.nextafter(cuts.astype(np.float32), np.float32(-np.inf)).astype(float)
    at[:, 0] = np.concatenate([cuts, np.nextafter(cuts, -np.inf), below])
    expected = booster.predict(table(at), output_margin=True)
    np.testing.assert_allclose(predict_margin(forest, at), expected, atol=SINGLE)


def test_a_class_the_trees_do_not_know_goes_left():
    x = pixels(500)
    booster = trained(x)
    strange = x[:50].copy()
    strange[:, NAMED] = np.resize([6.0, 40.0, 1000.0], 50)
    expected = booster.predict(table(strange), output_margin=True)
    np.testing.assert_allclose(predict_margin(forest_of(booster), strange), expected, atol=SINGLE)


@pytest.mark.parametrize("objective", LINKS)
@pytest.mark.parametrize("score", [None, 0.3])
def test_base_score_is_on_the_link_scale(objective, score):
    x = pixels(300)
    options = {} if score is None else {"base_score": score}
    if objective == "reg:quantileerror":
        options["quantile_alpha"] = 0.5
    booster = trained(x, objective, rounds=3, **options)
    expected = booster.predict(table(x), output_margin=True)
    np.testing.assert_allclose(predict_margin(forest_of(booster), x), expected, atol=SINGLE)


@pytest.mark.parametrize("stored", ["5E-1", "[5E-1]", 0.5, [0.5]])
def test_base_score_in_every_form_that_xgboost_wrote(stored):
    model = document(trained(pixels(100), "binary:logistic", rounds=1))
    model["learner"]["learner_model_param"]["base_score"] = stored
    assert forest_from_json(model).base == 0.0


def test_first_trees_only():
    x = pixels(300)
    booster = trained(x, rounds=8)
    forest = forest_of(booster, trees=5)
    assert len(forest.root) == 5
    expected = booster.predict(table(x), output_margin=True, iteration_range=(0, 5))
    np.testing.assert_allclose(predict_margin(forest, x), expected, atol=SINGLE)
    assert len(forest_of(booster, trees=0).root) == 0


def test_pruned_nodes_are_left_out():
    x = pixels(400)
    options = {"max_depth": 5, "gamma": 4.0, "tree_method": "exact", "nthread": 1}
    booster = xgboost.train(options, xgboost.DMatrix(x, response(x)), 5)
    model = document(booster)
    trees = model["learner"]["gradient_booster"]["model"]["trees"]
    stored = sum(len(tree["left_children"]) for tree in trees)
    forest = forest_from_json(model)
    deleted = sum(int(tree["tree_param"]["num_deleted"]) for tree in trees)
    assert deleted > 0
    assert len(forest.feature) == stored - deleted
    expected = booster.predict(xgboost.DMatrix(x), output_margin=True)
    np.testing.assert_allclose(predict_margin(forest, x), expected, atol=SINGLE)
    check_influence(booster, forest)


def check_influence(booster, forest):
    gain = booster.get_score(importance_type="total_gain")
    expected = np.array([gain.get(f"f{j}", 0.0) for j in range(4)])
    np.testing.assert_allclose(relative_influence(forest, 4), expected / expected.sum(), rtol=1e-5)


def test_influence_is_the_share_of_total_gain():
    booster = trained(pixels(600))
    check_influence(booster, forest_of(booster))
    assert relative_influence(forest_of(booster), 6)[4:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("rounds", [0, 4])
def test_a_forest_that_never_splits(rounds):
    x = pixels(50)
    forest = forest_of(trained(x, rounds=rounds, gamma=1e9))
    assert (forest.feature == -1).all()
    assert len(forest.root) == rounds
    expected = forest.base + forest.value.sum()
    np.testing.assert_allclose(predict_margin(forest, x), np.full(50, expected), rtol=1e-15)
    assert relative_influence(forest, 4).tolist() == [0.0] * 4
    assert predict_margin(forest, np.empty((0, 4))).shape == (0,)


@given(st.integers(0, 10_000), st.sampled_from([(), (0,), (1, 3)]))
def test_predicts_as_a_walk_from_node_to_node(seed, named):
    forest, x = random_forest(seed, named=named), random_pixels(seed)
    expected = [walk(forest, pixel) for pixel in x]
    np.testing.assert_allclose(predict_margin(forest, x), expected, atol=1e-12)


@given(st.integers(0, 10_000))
def test_trees_add(seed):
    forest, x = random_forest(seed, named=(1,)), random_pixels(seed)
    parts = sum(predict_margin(one_tree(forest, t), x) for t in range(len(forest.root)))
    np.testing.assert_allclose(predict_margin(forest, x), forest.base + parts, atol=1e-12)


def test_infinite_and_huge_values_compare_as_numbers():
    forest = random_forest(3, trees=6)
    x = np.full((2, 4), np.inf)
    x[1] = -1e300
    assert predict_margin(forest, x).tolist() == predict_margin(forest, [[9.0] * 4, [-9.0] * 4]).tolist()


def test_refusals():
    x, y = pixels(60), response(pixels(60))
    model = document(trained(x, rounds=2))
    with pytest.raises(ValueError, match=r"^the model has 2 trees; 3 were asked for$"):
        forest_from_json(model, trees=3)
    plain = xgboost.DMatrix(np.nan_to_num(x), y)
    dart = xgboost.train({"booster": "dart"}, plain, 1)
    with pytest.raises(ValueError, match=r"^only boosted trees are read, not `dart`: set booster to gbtree$"):
        forest_of(dart)
    hinge = xgboost.train({"objective": "binary:hinge"}, xgboost.DMatrix(x, y > 0), 1)
    with pytest.raises(
        ValueError, match=r"^the link of objective `binary:hinge` is not known; known: reg:sq"
    ):
        forest_of(hinge)
    two = xgboost.train({"tree_method": "hist"}, xgboost.DMatrix(x, np.c_[y, y]), 1)
    with pytest.raises(
        ValueError, match=r"^a forest has one output, this model has 2: fit one model for each$"
    ):
        forest_of(two)
    forest = random_forest(0, trees=9, drivers=4)
    with pytest.raises(ValueError, match=r"^a matrix of shape \(5, 2\) lacks driver 3, on which the forest"):
        predict_margin(forest, np.zeros((5, 2)))
    with pytest.raises(ValueError, match=r"^the forest splits on driver 3, but n_drivers is 2$"):
        relative_influence(forest, 2)
