"""Groups share a prediction as the game of their coalitions says; drivers alone as TreeSHAP does."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest
import shap
from hypothesis import given
from hypothesis import strategies as st
from test_stats_forest import (
    forest_of,
    goes_left,
    one_tree,
    pixels,
    random_forest,
    random_pixels,
    table,
    trained,
)

from drivers.stats import forest as forest_room
from drivers.stats.dependence import leaf_boxes
from drivers.stats.forest import predict_margin
from drivers.stats.shapley import expected_value, group_shapley, group_sums, mean_abs, product_game

SEEDS = st.integers(0, 10_000)
SINGLES = [(0,), (1,), (2,), (3,)]
GROUPINGS = st.sampled_from([SINGLES, [(0, 1), (2, 3)], [(3, 0), (2,), (1,)], [(0, 1, 2, 3)]])


def known_value(forest, pixel, known, node):
    """E[f | x_S] of one tree, Lundberg et al. 2020, algorithm 1."""
    if forest.feature[node] < 0:
        return forest.value[node]
    left, right = forest.left[node], forest.right[node]
    driver = forest.feature[node]
    if driver in known:
        side = left if goes_left(forest, node, pixel[driver]) else right
        return known_value(forest, pixel, known, side)
    covers = forest.cover[left], forest.cover[right]
    branches = [known_value(forest, pixel, known, side) for side in (left, right)]
    return np.average(branches, weights=covers)


def coalition_values(forest, pixel, groups):
    """The value of every coalition of groups."""
    every = [c for size in range(len(groups) + 1) for c in combinations(range(len(groups)), size)]
    return {
        frozenset(c): forest.base
        + sum(known_value(forest, pixel, {f for g in c for f in groups[g]}, root) for root in forest.root)
        for c in every
    }


def enumerated(value, players):
    """Shapley's formula over all coalitions."""
    out = np.zeros(players)
    for s in range(players):
        others = [p for p in range(players) if p != s]
        for size in range(players):
            weight = factorial(size) * factorial(players - 1 - size) / factorial(players)
            for chosen in map(frozenset, combinations(others, size)):
                out[s] += weight * (value[chosen | {s}] - value[chosen])
    return out


@given(SEEDS, GROUPINGS, st.sampled_from([(), (0,), (1, 3)]))
def test_is_the_enumeration_of_all_coalitions(seed, groups, named):
    forest, x = random_forest(seed, named=named), random_pixels(seed, n=4)
    found = group_shapley(forest, x, groups)
    for phi, pixel in zip(found, x, strict=True):
        value = coalition_values(forest, pixel, groups)
        np.testing.assert_allclose(phi, enumerated(value, len(groups)), atol=1e-12)
    assert expected_value(forest) == pytest.approx(value[frozenset()], abs=1e-12)


@given(SEEDS, st.integers(1, 6))
def test_product_game_is_the_enumeration(seed, players):
    rng = np.random.default_rng(seed)
    known, unknown = rng.integers(0, 2, players).astype(float), rng.random(players)
    every = [frozenset(c) for size in range(players + 1) for c in combinations(range(players), size)]
    value = {c: np.prod([known[s] if s in c else unknown[s] for s in range(players)]) for c in every}
    np.testing.assert_allclose(product_game(known, unknown), enumerated(value, players), atol=1e-14)


def test_product_game_of_many_players_is_efficient():
    rng = np.random.default_rng(0)
    known, unknown = rng.random((5, 12)), rng.random((5, 12))
    total = known.prod(axis=1) - unknown.prod(axis=1)
    np.testing.assert_allclose(product_game(known, unknown).sum(axis=1), total, atol=1e-15)


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "count:poisson"])
def test_drivers_alone_are_treeshap_of_xgboost(objective):
    x = pixels(500)
    booster = trained(x, objective)
    forest = forest_of(booster)
    expected = booster.predict(table(x[:200]), pred_contribs=True)
    found = group_shapley(forest, x[:200], SINGLES)
    np.testing.assert_allclose(found, expected[:, :-1], atol=1e-4 * np.abs(expected[:, :-1]).max())
    assert expected_value(forest) == pytest.approx(float(expected[0, -1]), rel=1e-5)


def test_drivers_alone_are_treeshap_of_shap():
    x = np.nan_to_num(pixels(500))
    x[:, 2] = 0.0  # shap reads no categorical splits, so that driver never varies here
    booster = trained(x, rounds=15)
    forest = forest_of(booster)
    assert set(forest.feature) == {-1, 0, 1, 3}
    explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
    expected = explainer.shap_values(table(x[:50]))
    np.testing.assert_allclose(group_shapley(forest, x[:50], SINGLES), expected, atol=1e-5)


@given(SEEDS, GROUPINGS, st.sampled_from([(), (1, 3)]))
def test_efficiency(seed, groups, named):
    forest, x = random_forest(seed, trees=8, leaves=9, named=named), random_pixels(seed)
    total = group_shapley(forest, x, groups).sum(axis=1)
    np.testing.assert_allclose(total, predict_margin(forest, x) - expected_value(forest), atol=1e-12)


def test_efficiency_of_a_trained_forest():
    x = pixels(800)
    forest = forest_of(trained(x, rounds=300, max_leaves=11))
    total = group_shapley(forest, x, [(0, 2), (1, 3)]).sum(axis=1)
    np.testing.assert_allclose(total, predict_margin(forest, x) - expected_value(forest), atol=1e-8)


@given(SEEDS)
def test_identical_players_get_the_same(seed):
    """A forest and its mirror, drivers 0 and 1 swapped: pixels with both alike see no difference."""
    one, other = random_forest(seed, drivers=2), random_forest(seed, drivers=2)
    swapped = np.where(other.feature >= 0, 1 - other.feature, -1)
    other.feature[:] = swapped
    x = np.repeat(random_pixels(seed, drivers=1), 2, axis=1)
    both = group_shapley(one, x, [(0,), (1,)]) + group_shapley(other, x, [(0,), (1,)])
    np.testing.assert_allclose(both[:, 0], both[:, 1], atol=1e-12)


@given(SEEDS)
def test_a_dummy_gets_nothing_and_changes_nothing(seed):
    forest, x = random_forest(seed, drivers=3), random_pixels(seed)
    with_dummy = group_shapley(forest, x, [(0,), (3,), (1, 2)])
    assert (with_dummy[:, 1] == 0.0).all()
    without = group_shapley(forest, x, [(0,), (1, 2)])
    np.testing.assert_allclose(with_dummy[:, [0, 2]], without, atol=1e-14)


@given(SEEDS, GROUPINGS)
def test_trees_add(seed, groups):
    forest, x = random_forest(seed, named=(2,)), random_pixels(seed)
    parts = sum(group_shapley(one_tree(forest, t), x, groups) for t in range(len(forest.root)))
    np.testing.assert_allclose(group_shapley(forest, x, groups), parts, atol=1e-12)


@given(SEEDS)
def test_without_interaction_across_groups_the_sums_are_the_game(seed):
    """Trees that stay within a group: both answers are the same. In general they are not."""
    forest = random_forest(seed, drivers=2)
    x = random_pixels(seed)
    phi = group_shapley(forest, x, SINGLES)
    groups = [(0, 1), (2, 3)]
    np.testing.assert_allclose(group_sums(phi, groups), group_shapley(forest, x, groups), atol=1e-12)


def test_the_game_differs_from_the_sums_where_interactions_cross():
    x = pixels(500)
    forest = forest_of(trained(x))
    groups = [(0, 2, 3), (1,)]
    sums = group_sums(group_shapley(forest, x, SINGLES), groups)
    game = group_shapley(forest, x, groups)
    np.testing.assert_allclose(sums.sum(axis=1), game.sum(axis=1), atol=1e-10)
    assert np.abs(sums - game).max() > 1e-3


def test_order_of_groups_and_drivers_does_not_matter():
    forest, x = random_forest(5, trees=9), random_pixels(5)
    one = group_shapley(forest, x, [(0, 1), (2,), (3,)])
    other = group_shapley(leaf_boxes(forest), x, [(3,), (1, 0), (2,)])
    np.testing.assert_allclose(one, other[:, [1, 2, 0]], atol=1e-13)


def test_few_rows_at_once_give_the_same(monkeypatch):
    x = pixels(300)
    forest = forest_of(trained(x))
    whole = group_shapley(forest, x, SINGLES)
    monkeypatch.setattr(forest_room, "AT_ONCE", 500)
    np.testing.assert_allclose(group_shapley(forest, x, SINGLES), whole, atol=1e-13)


@pytest.mark.parametrize("rounds", [0, 3])
def test_a_forest_that_never_splits(rounds):
    x = pixels(20)
    forest = forest_of(trained(x, rounds=rounds, gamma=1e9))
    assert group_shapley(forest, x, [(0, 1), (2, 3)]).tolist() == [[0.0, 0.0]] * 20
    assert group_shapley(forest, x, []).shape == (20, 0)
    assert expected_value(forest) == pytest.approx(forest.base + forest.value.sum())


def test_branches_that_no_weight_came_by_count_alike():
    forest = random_forest(7, trees=1, leaves=2)
    forest.cover[:] = 0.0
    leaves = leaf_boxes(forest)
    assert leaves.share.tolist() == [0.5] * len(leaves.share)


def test_mean_absolute():
    found = mean_abs([[1.0, -1.0], [-2.0, -1.0], [3.0, -1.0]])
    assert found.estimate.tolist() == [2.0, 1.0]
    assert found.std_error == pytest.approx([1 / np.sqrt(3), 0.0])
    assert found.n == 3
    one, none = mean_abs([[1.0, -1.0]]), mean_abs(np.empty((0, 2)))
    assert one.estimate.tolist() == [1.0, 1.0]
    assert np.isnan(one.std_error).all()
    assert np.isnan(none.estimate).all()
    assert none.estimate.shape == (2,)


def test_refusals():
    forest, x = random_forest(0, trees=9), random_pixels(0)
    with pytest.raises(
        ValueError, match=r"^driver 3 contributes and is in no group: give it one, if only its own$"
    ):
        group_shapley(forest, x, [(0, 1, 2)])
    with pytest.raises(ValueError, match=r"^driver 1 is in group 0 and in group 1$"):
        group_shapley(forest, x, [(0, 1), (1, 2, 3)])
    with pytest.raises(ValueError, match=r"^group 0 names driver 4; the matrix has 4 columns$"):
        group_shapley(forest, x, [(4,)])
    with pytest.raises(ValueError, match=r"lacks driver 3"):
        group_shapley(forest, x[:, :2], [(0, 1)])
    with pytest.raises(ValueError, match=r"^driver 1 contributes and is in no group"):
        group_sums([[1.0, 2.0, 0.0]], [(0,)])
    assert group_sums([[1.0, 2.0, 0.0]], [(0, 1)]).tolist() == [[3.0]]
    deep = random_forest(1, trees=1, drivers=200, leaves=600)
    with pytest.raises(
        ValueError, match=r"^a path of the forest crosses 1\d groups, more than 12: make the g"
    ):
        group_shapley(deep, np.zeros((1, 200)), [(f,) for f in range(200)])
