"""H is what brute force gives, 0 without interaction, and finds a planted product."""

from itertools import combinations

import numpy as np
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st
from test_stats_forest import forest_of, pixels, random_forest, random_pixels, table, trained

from drivers.stats.dependence import leaf_boxes
from drivers.stats.forest import predict_margin
from drivers.stats.friedman import h_statistic

NOISE = 1e-4
"""Of brute force through the booster: its margins are single, and H is a ratio of their differences."""


def brute_h(predict, x):
    """Strength and spread of every pair by setting drivers at every pixel to those of every other."""
    n, d = x.shape

    def dependence(drivers):
        moved = np.repeat(x[None], n, axis=0)
        for f in drivers:
            moved[:, :, f] = x[:, f][:, None]
        means = predict(moved.reshape(-1, d)).astype(float).reshape(n, n).mean(axis=1)
        return means - means.mean()

    alone = [dependence([f]) for f in range(d)]
    both = [dependence(pair) for pair in combinations(range(d), 2)]
    together = [pd - alone[j] - alone[k] for pd, (j, k) in zip(both, combinations(range(d), 2), strict=True)]
    return [np.sqrt(np.mean(np.square(values), axis=1)) for values in (together, both)]


@given(st.integers(0, 10_000), st.sampled_from([(), (0,), (1, 3)]))
def test_is_brute_force(seed, named):
    forest, x = random_forest(seed, named=named), random_pixels(seed)
    found = h_statistic(forest, x)
    strength, spread = brute_h(lambda m: predict_margin(forest, m), x)
    np.testing.assert_allclose(found.strength, strength, atol=1e-12)
    np.testing.assert_allclose(found.spread, spread, atol=1e-12)
    known = spread > 1e-6
    np.testing.assert_allclose(found.h[known], np.minimum(strength[known] / spread[known], 1.0), atol=1e-9)
    assert ((found.h >= 0) & (found.h <= 1)).all()
    assert found.pairs.tolist() == [list(pair) for pair in combinations(range(4), 2)]


@pytest.mark.parametrize("objective", ["reg:squarederror", "count:poisson"])
def test_is_that_of_the_booster(objective):
    x = pixels(400)
    booster = trained(x, objective)
    found = h_statistic(leaf_boxes(forest_of(booster)), x[:40])
    strength, spread = brute_h(lambda m: booster.predict(table(m), output_margin=True), x[:40])
    np.testing.assert_allclose(found.strength, strength, atol=NOISE)
    np.testing.assert_allclose(found.spread, spread, atol=NOISE)
    # Hardly more than a product, at few pixels: the ratio of drivers 0 and 1 may exceed 1.
    np.testing.assert_allclose(found.h, np.minimum(strength / spread, 1.0), atol=NOISE)


def test_an_additive_forest_has_none():
    x = pixels(500)
    found = h_statistic(forest_of(trained(x, max_leaves=2, rounds=200)), x[:100])
    assert found.h.tolist() == found.strength.tolist() == [0.0] * 6
    assert (found.spread > 0).all()


def test_trees_that_only_seem_to_interact():
    """Two drivers on one path, but the same effect on either side: additive to rounding."""
    a, b = (v.ravel() for v in np.meshgrid(np.arange(8.0), np.arange(8.0)))
    x = np.c_[a, b]
    options = {"max_depth": 2, "eta": 1.0, "reg_lambda": 0.0, "base_score": 0.0}
    booster = xgboost.train(options, xgboost.DMatrix(x, (a > 3) + 0.5 * (b > 3)), 1)
    forest = forest_of(booster)
    assert len(forest.value) == 7
    found = h_statistic(forest, x)
    assert found.h[0] < 1e-6
    assert found.spread[0] > 0.1


def test_a_planted_product_is_the_strongest_pair():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 5))
    y = x @ [1.0, 1.0, 0.5, 2.0, 0.0] + 2 * x[:, 1] * x[:, 3] + 0.5 * rng.normal(size=3000)
    options = {"max_leaves": 6, "max_depth": 0, "grow_policy": "lossguide", "eta": 0.05, "nthread": 1}
    forest = forest_of(xgboost.train(options, xgboost.DMatrix(x, y), 300))
    found = h_statistic(forest, x[:200])
    assert found.pairs[found.h.argmax()].tolist() == [1, 3]
    assert found.pairs[found.strength.argmax()].tolist() == [1, 3]
    assert found.h.max() > 3 * np.sort(found.h)[-2]


def test_h_ends_at_one_where_drivers_go_together():
    """Main effects that cancel at the pixels leave a denominator smaller than the numerator."""
    for seed in range(200):
        found = h_statistic(random_forest(seed, trees=2, drivers=2), random_pixels(seed, n=6, drivers=2))
        if found.strength[0] > 1.01 * found.spread[0]:
            assert found.h[0] == 1.0
            return
    pytest.fail("no example found: the law is not tested")


@given(st.integers(0, 10_000))
def test_scale_and_order_of_pixels_do_not_matter(seed):
    forest, x = random_forest(seed), random_pixels(seed)
    found, turned = h_statistic(forest, x), h_statistic(forest, x[::-1])
    np.testing.assert_allclose(turned.strength, found.strength, atol=1e-12)
    forest.value[:] *= 1e6
    scaled = h_statistic(forest, x)
    np.testing.assert_allclose(scaled.strength, 1e6 * found.strength, rtol=1e-9, atol=1e-5)
    known = found.spread > 1e-6
    np.testing.assert_allclose(scaled.h[known], found.h[known], atol=1e-9)


@pytest.mark.parametrize("rounds", [0, 3])
def test_a_forest_that_never_splits(rounds):
    x = pixels(30)
    found = h_statistic(forest_of(trained(x, rounds=rounds, gamma=1e9)), x)
    assert found.h.tolist() == found.strength.tolist() == found.spread.tolist() == [0.0] * 6


def test_one_pixel_and_one_driver():
    forest = random_forest(0, drivers=1)
    assert h_statistic(forest, [[0.0, 1.0]]).h.tolist() == [0.0]
    alone = h_statistic(forest, [[0.0], [1.0]])
    assert alone.pairs.shape == (0, 2)
    assert alone.h.shape == (0,)
    with pytest.raises(ValueError, match=r"^no background to average over: give at least one pixel$"):
        h_statistic(forest, np.empty((0, 1)))
