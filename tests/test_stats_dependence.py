"""Leaves as boxes hold each pixel once; partial dependence and ALE are what brute force gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_stats_forest import SINGLE, forest_of, pixels, random_forest, random_pixels, table, trained

from drivers.stats import forest as forest_room
from drivers.stats.dependence import (
    accumulated_effects,
    boxes_of,
    leaf_boxes,
    partial_dependence,
    share_inside,
)
from drivers.stats.forest import predict_margin

SEEDS = st.integers(0, 10_000)
CLASSES = st.sampled_from([(), (0,), (1, 3)])


def set_to(x, drivers, point):
    moved = x.copy()
    moved[:, list(drivers)] = point
    return moved


def brute_dependence(predict, background, drivers, points):
    return np.array([predict(set_to(background, drivers, point)).mean() for point in points])


def brute_ale(predict, x, driver, limits):
    """Apley & Zhu, pixel by pixel."""
    held = x[(x[:, driver] >= limits[0]) & (x[:, driver] <= limits[-1])]
    at = [max(k for k in range(1, len(limits)) if k == 1 or v > limits[k - 1]) for v in held[:, driver]]
    effect = [0.0]
    for k in range(1, len(limits)):
        own = held[np.array(at) == k]
        ends = [predict(set_to(own, [driver], limits[i])) for i in (k, k - 1)]
        effect.append(effect[-1] + (float(np.mean(ends[0] - ends[1])) if len(own) else 0.0))
    return np.array(effect) - np.mean([(effect[k] + effect[k - 1]) / 2 for k in at])


@given(SEEDS, CLASSES)
def test_a_pixel_is_in_one_box_of_each_tree(seed, named):
    forest, x = random_forest(seed, named=named), random_pixels(seed, n=20)
    boxes = leaf_boxes(forest)
    inside = boxes.misses(x, boxes.drivers) == 0
    assert (inside.sum(axis=0) == len(forest.root)).all()
    np.testing.assert_allclose(boxes.base + boxes.value @ inside, predict_margin(forest, x), atol=1e-12)
    reach = np.ones(len(boxes.value))
    np.multiply.at(reach, boxes.leaf, boxes.share)
    assert reach.sum() == pytest.approx(len(forest.root), abs=1e-12)


@given(SEEDS, CLASSES)
def test_boxes_of_some_leaves(seed, named):
    forest, x = random_forest(seed, named=named), random_pixels(seed)
    boxes = leaf_boxes(forest)
    some = np.flatnonzero(np.random.default_rng(seed).random(len(boxes.value)) < 0.5)
    part = boxes.only(some)
    assert (part.misses(x, part.drivers) == boxes.misses(x, boxes.drivers)[some]).all()
    assert (part.value == boxes.value[some]).all()


@given(SEEDS, CLASSES, st.sampled_from([0, (0,), (3, 1), (0, 1, 2), (0, 1, 2, 3)]))
def test_partial_dependence_is_brute_force(seed, named, drivers):
    forest, x = random_forest(seed, named=named), random_pixels(seed)
    chosen = (drivers,) if isinstance(drivers, int) else drivers
    points = random_pixels(seed + 1)[:, : len(chosen)]
    points[0] = np.nan
    found = partial_dependence(forest, x, drivers, points[:, 0] if drivers == 0 else points)
    expected = brute_dependence(lambda m: predict_margin(forest, m), x, chosen, points)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("drivers", [(0,), (1, 2), (2,)])
def test_partial_dependence_is_that_of_the_booster(drivers):
    x = pixels(400)
    booster = trained(x)
    background, points = x[:60], x[60:80, list(drivers)]
    expected = brute_dependence(
        lambda m: booster.predict(table(m), output_margin=True), background, drivers, points
    )
    found = partial_dependence(forest_of(booster), background, drivers, points)
    np.testing.assert_allclose(found, expected, atol=SINGLE)


@given(SEEDS, st.sampled_from([(), (1, 3)]))
def test_accumulated_effects_are_brute_force(seed, named):
    forest, x = random_forest(seed, named=named, leaves=7), random_pixels(seed, n=30)
    limits = np.array([-1.5, -1.0, -0.25, 0.0, 0.1, 1.0])
    found = accumulated_effects(forest, x, 0, limits)
    np.testing.assert_allclose(
        found, brute_ale(lambda m: predict_margin(forest, m), x, 0, limits), atol=1e-12
    )


def test_accumulated_effects_are_those_of_the_booster():
    x = pixels(500)
    booster = trained(x)
    limits = np.unique(np.nanquantile(x[:, 1], np.linspace(0, 1, 11)))
    expected = brute_ale(lambda m: booster.predict(table(m), output_margin=True), x, 1, limits)
    np.testing.assert_allclose(accumulated_effects(forest_of(booster), x, 1, limits), expected, atol=SINGLE)


def test_accumulated_effects_of_an_additive_forest_are_partial_dependence():
    x = pixels(500)
    forest = forest_of(trained(x, max_leaves=2))
    limits = np.unique(np.nanquantile(x[:, 0], np.linspace(0, 1, 9)))
    ale = accumulated_effects(forest, x, 0, limits)
    np.testing.assert_allclose(np.diff(ale), np.diff(partial_dependence(forest, x, 0, limits)), atol=1e-12)


def test_an_interval_without_pixels_adds_nothing():
    forest = forest_of(trained(pixels(500)))
    x = pixels(200, seed=3, missing=0.0)
    x = x[np.abs(x[:, 0]) > 0.5]
    ale = accumulated_effects(forest, x, 0, [-2.0, -0.5, 0.0, 0.5, 2.0])
    assert ale[1] == ale[2] == ale[3]


def test_few_rows_at_once_give_the_same(monkeypatch):
    x = pixels(300)
    boxes = leaf_boxes(forest_of(trained(x)))
    whole = partial_dependence(boxes, x, 0, x[:40, 0])
    monkeypatch.setattr(forest_room, "AT_ONCE", 1000)
    np.testing.assert_allclose(partial_dependence(boxes, x, 0, x[:40, 0]), whole, rtol=1e-14)


@pytest.mark.parametrize("rounds", [0, 3])
def test_a_forest_that_never_splits(rounds):
    x = pixels(50)
    forest = forest_of(trained(x, rounds=rounds, gamma=1e9))
    level = forest.base + forest.value.sum()
    assert partial_dependence(forest, x, 0, [0.0, np.nan]) == pytest.approx([level, level])
    assert partial_dependence(forest, x, (0, 3), [[0.0, 1.0]]) == pytest.approx([level])
    assert accumulated_effects(forest, x, 0, [-1.0, 0.0, 1.0]).tolist() == [0.0] * 3


def test_a_driver_that_is_never_split_on_is_flat():
    forest = random_forest(1, drivers=2)
    x = random_pixels(1)
    level = predict_margin(forest, x).mean()
    assert partial_dependence(forest, x, 3, [0.0, 1.0]) == pytest.approx([level, level])
    assert accumulated_effects(forest, x, 3, [-2.0, 0.0, 2.0]).tolist() == [0.0] * 3


def test_boxes_are_made_once():
    boxes = leaf_boxes(random_forest(0))
    assert boxes_of(boxes) is boxes
    everywhere = share_inside(boxes, random_pixels(0), [])
    assert everywhere.tolist() == [1.0] * len(boxes.value)


def test_refusals():
    forest, x = random_forest(2, trees=9, named=(1,)), random_pixels(2)
    with pytest.raises(ValueError, match=r"^no background to average over: give at least one pixel$"):
        partial_dependence(forest, x[:0], 0, [0.0])
    with pytest.raises(
        ValueError, match=r"^a grid of shape \(2, 1\) does not give one column to each of \(0, 1\)"
    ):
        partial_dependence(forest, x, (0, 1), [0.0, 1.0])
    with pytest.raises(ValueError, match="does not give one column to each"):
        partial_dependence(forest, x, (0, 0), [[0.0, 1.0]])
    with pytest.raises(ValueError, match=r"lacks driver 3"):
        partial_dependence(forest, x[:, :3], 0, [0.0])
    with pytest.raises(ValueError, match=r"^the limits of the intervals must rise, and be two at least$"):
        accumulated_effects(forest, x, 0, [0.0, 0.0])
    with pytest.raises(ValueError, match=r"^driver 1 is categorical: its classes have no order along"):
        accumulated_effects(forest, x, 1, [0.0, 1.0])
    with pytest.raises(ValueError, match=r"^no pixel has its driver 0 within the limits 50 to 60$"):
        accumulated_effects(forest, x, 0, [50.0, 60.0])
    mixed = random_forest(2, trees=9, named=(1,))
    first = np.flatnonzero(mixed.feature == 1)[0]
    mixed.category_row[first], mixed.threshold[first] = -1, 0.0
    with pytest.raises(ValueError, match=r"^driver 1 is numeric in one split and categorical in another$"):
        leaf_boxes(mixed)
