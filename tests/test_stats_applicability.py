"""The dissimilarity index against brute force, and its laws."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist

from drivers.stats import applicability
from drivers.stats.applicability import DISTANCE_SAMPLE, fit_applicability

seeds = st.integers(0, 1000)


def world(seed, n=80, d=4, n_folds=5):
    rng = np.random.default_rng(seed)
    train = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    return train, rng.random(d) + 0.1, rng.integers(n_folds, size=n) + np.arange(n) % 2 * 100


def brute_force(train, weights, folds, new):
    """The index by its definition: of training pixels, their threshold, and of new pixels."""
    mean, sd = train.mean(axis=0), train.std(axis=0, ddof=1)
    mine, theirs = ((v - mean) / sd * weights for v in (train, new))
    scale = pdist(mine).mean()
    apart = cdist(mine, mine)
    apart[folds[:, None] == folds] = np.inf
    train_di = apart.min(axis=1) / scale
    lower, upper = np.quantile(train_di, [0.25, 0.75])
    threshold = min(upper + 1.5 * (upper - lower), train_di.max())
    return train_di, threshold, cdist(theirs, mine).min(axis=1) / scale


@given(seeds)
def test_index_is_its_definition(seed):
    train, importance, folds = world(seed)
    new = np.random.default_rng(seed + 1).normal(size=(50, 4)) * 3.0
    area = fit_applicability(train, importance, folds)
    train_di, threshold, di = brute_force(train, importance, folds, new)
    assert area.train_di == pytest.approx(train_di, rel=1e-12)
    assert area.threshold == pytest.approx(threshold, rel=1e-12)
    assert area.dissimilarity(new) == pytest.approx(di, rel=1e-12)
    assert (area.inside(new) == (area.dissimilarity(new) <= area.threshold)).all()
    assert area.n_reference == len(train)
    assert area.reference.tolist() == list(range(len(train)))


def test_training_pixels_are_at_zero_and_far_pixels_outside():
    train, importance, folds = world(1, 500)
    area = fit_applicability(train, importance, folds)
    assert area.dissimilarity(train).tolist() == [0.0] * 500
    assert area.inside(train).all()
    far = train + 20.0 * train.std(axis=0)
    assert (area.dissimilarity(far) > 1.0).all()
    assert not area.inside(far).any()
    assert area.dissimilarity(train[:0]).shape == (0,)


def test_threshold_is_the_fence_or_the_largest_index():
    # An outlier lies beyond the fence; even spacing leaves nothing beyond it, and the cap holds.
    line = np.append(np.arange(30.0), 100.0)[:, None]
    area = fit_applicability(line, [1.0], np.arange(31))
    assert area.threshold < area.train_di.max()
    lower, upper = np.quantile(area.train_di, [0.25, 0.75])
    assert area.threshold == upper + 1.5 * (upper - lower)
    pairs = np.array([0.0, 1.0, 10.0, 12.0, 20.0, 23.0])[:, None]
    capped = fit_applicability(pairs, [1.0], np.arange(6))
    assert capped.threshold == capped.train_di.max()


@given(seeds)
def test_whole_folds_are_farther_than_single_pixels(seed):
    train, importance, folds = world(seed)
    by_fold = fit_applicability(train, importance, folds).train_di
    alone = fit_applicability(train, importance, np.arange(len(train))).train_di
    assert (by_fold >= alone * (1 - 1e-12)).all()


@given(seeds, st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_units_of_drivers_and_of_importance_change_nothing(seed, shift, scale):
    train, importance, folds = world(seed)
    new = train[::3] * 1.7
    area = fit_applicability(train, importance, folds)
    moved = fit_applicability(train * scale + shift, importance * scale, folds)
    assert moved.dissimilarity(new * scale + shift) == pytest.approx(area.dissimilarity(new), rel=1e-6)
    assert moved.train_di == pytest.approx(area.train_di, rel=1e-6)
    assert moved.threshold == pytest.approx(area.threshold, rel=1e-6)


@given(seeds)
def test_order_of_rows_and_of_drivers_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    train, importance, folds = world(seed)
    rows, columns = rng.permutation(len(train)), rng.permutation(4)
    area = fit_applicability(train, importance, folds)
    mixed = fit_applicability(train[rows][:, columns], importance[columns], folds[rows])
    assert mixed.train_di == pytest.approx(area.train_di[rows], rel=1e-9)
    assert mixed.threshold == pytest.approx(area.threshold, rel=1e-9)
    new = train * 1.5
    assert mixed.dissimilarity(new[:, columns]) == pytest.approx(area.dissimilarity(new), rel=1e-9)


@pytest.mark.parametrize("dropped", ["unimportant", "negative", "constant", "noise", "missing"])
def test_drivers_without_importance_or_variation_drop_out(dropped):
    train, importance, folds = world(3)
    extra = np.random.default_rng(3).normal(size=len(train))
    weight = {"unimportant": 0.0, "negative": -2.0}.get(dropped, 5.0)
    if dropped == "constant":
        extra[:] = 0.1
    elif dropped == "noise":
        extra = 1.0 + extra * 1e-15
    elif dropped == "missing":
        extra[:] = np.nan
    area = fit_applicability(train, importance, folds)
    more = fit_applicability(np.column_stack([train, extra]), np.append(importance, weight), folds)
    assert more.weights.tolist() == [*area.weights, 0.0]
    assert more.train_di.tolist() == area.train_di.tolist()
    new = np.column_stack([train * 2.0, np.full(len(train), 1e6)])
    assert more.dissimilarity(new).tolist() == area.dissimilarity(train * 2.0).tolist()


def test_importance_stretches_a_driver():
    train = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    area = fit_applicability(train, [3.0, 1.0], np.arange(4))
    along = area.dissimilarity([[2.0, 0.0], [0.0, 2.0]])
    assert along[0] == pytest.approx(3.0 * along[1])
    assert area.weights.tolist() == [1.0, pytest.approx(1.0 / 3.0)]


def test_missing_values_are_at_the_mean():
    train, importance, folds = world(5)
    holes = train.copy()
    holes[::7, 1] = np.nan
    area = fit_applicability(holes, importance, folds)
    assert area.mean[1] == pytest.approx(np.nanmean(holes[:, 1]))
    assert area.sd[1] == pytest.approx(np.nanstd(holes[:, 1], ddof=1))
    filled, new = np.where(np.isnan(holes), area.mean, holes), train[3] * 2.0
    scaled = (filled - area.mean) / area.sd * area.weights
    new[2] = area.mean[2]
    expected = np.sqrt((((new - area.mean) / area.sd * area.weights - scaled) ** 2).sum(axis=1)).min()
    new[2] = np.nan
    assert area.dissimilarity(new[None])[0] * area.mean_distance == pytest.approx(expected)


def test_two_classes_are_one_unit_apart_whatever_their_codes_and_shares():
    x = np.tile([0.0, 100.0], 30)
    code = np.repeat([7.0, 3.0, 50.0], [2, 8, 50])
    train = np.column_stack([x, code])
    area = fit_applicability(train, [1.0, 0.5], np.arange(60) % 5, [False, True])
    assert np.isnan(area.mean[1])
    assert area.levels[1].tolist() == [3.0, 7.0, 50.0]
    assert area.shares[1] == pytest.approx(np.array([8, 2, 50]) / 60)
    scaled = np.column_stack([x / x.std(ddof=1)])
    apart = np.sqrt(pdist(scaled) ** 2 + 0.25 * (pdist(code[:, None]) > 0.0))
    assert area.mean_distance == pytest.approx(apart.mean())
    only = fit_applicability(train[:, 1:], [1.0], np.arange(60) % 5, [True])
    distance = only.dissimilarity([[7.0], [8.0], [np.nan]]) * only.mean_distance
    # A class that was never seen is one unit from all; a missing one is at the shares of the classes.
    shares = only.shares[0]
    missing = np.sqrt(0.5 * ((1 - shares[2]) ** 2 + shares[0] ** 2 + shares[1] ** 2))
    assert distance == pytest.approx([0.0, 1.0, missing])


def test_many_pixels_at_few_places():
    train = np.column_stack([np.arange(3000) % 3, np.arange(3000) % 2]).astype(float)
    area = fit_applicability(train, [1.0, 2.0], np.arange(3000) % 5, [True, True])
    assert area.train_di.shape == (3000,)
    assert area.train_di.tolist() == [0.0] * 3000
    assert area.inside([[0.0, 1.0], [3.0, 1.0], [0.0, 2.0]]).tolist() == [True, False, False]
    # By class of the first driver the nearest pixel of another fold is one unit away.
    by_class = fit_applicability(train, [1.0, 2.0], train[:, 0], [True, True])
    assert by_class.train_di * by_class.mean_distance == pytest.approx(np.full(3000, 0.5))


def test_a_single_class_drops_out():
    train, importance, folds = world(2)
    more = np.column_stack([train, np.full(len(train), 4.0)])
    area = fit_applicability(more, np.append(importance, 1.0), folds, [False] * 4 + [True])
    assert area.weights[-1] == 0.0


def test_many_training_pixels_are_represented(monkeypatch):
    train, importance, folds = world(8, 6000, 3)
    rows = np.random.default_rng(8).permutation(6000)
    exact = fit_applicability(train, importance, folds)
    monkeypatch.setattr(applicability, "MOST_REFERENCE", 1500)
    area = fit_applicability(train, importance, folds)
    mixed = fit_applicability(train[rows], importance, folds[rows])
    assert area.n_reference == len(area.train_di) == len(area.coordinates) == 1500
    assert set(folds[area.reference].tolist()) == set(folds.tolist())
    assert sorted(rows[mixed.reference]) == area.reference.tolist()
    assert mixed.threshold == pytest.approx(area.threshold, rel=1e-9)
    new = train * 1.3
    ratio = np.median(area.dissimilarity(new)) / np.median(exact.dissimilarity(new))
    assert 1.0 < ratio < 1.2 * 4.0 ** (1 / 3)
    assert abs(area.inside(new).mean() - exact.inside(new).mean()) < 0.05
    assert area.dissimilarity(train[area.reference]).tolist() == [0.0] * 1500


def test_a_tiny_fold_stays_among_the_references(monkeypatch):
    monkeypatch.setattr(applicability, "MOST_REFERENCE", 50)
    train, importance, _ = world(8, 5000, 3)
    for tiny in (-1, 1):
        folds = np.zeros(5000, dtype=int)
        folds[17] = tiny
        assert np.isfinite(fit_applicability(train, importance, folds).threshold)


def test_mean_distance_of_a_sample_is_that_of_all():
    train, importance, folds = world(9, 3 * DISTANCE_SAMPLE // 2, 3)
    area = fit_applicability(train, importance, folds)
    scaled = (train - area.mean) / area.sd * area.weights
    assert area.mean_distance == pytest.approx(pdist(scaled).mean(), rel=0.005)


def test_chunks_change_nothing(monkeypatch):
    train, importance, folds = world(4)
    area = fit_applicability(train, importance, folds)
    whole = area.dissimilarity(train * 2.0)
    monkeypatch.setattr(applicability, "CHUNK", 7)
    assert area.dissimilarity(train * 2.0).tolist() == whole.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"folds": np.zeros(80)},
            "all training pixels are in one fold: the threshold needs at least two folds",
        ),
        (
            {"importance": np.zeros(4)},
            "no driver has both importance and variation: nothing tells pixels apart",
        ),
        (
            {"importance": np.full(4, np.nan)},
            "an importance is NaN or infinite: give drivers without one a 0",
        ),
        (
            {"train": np.full((80, 4), np.inf)},
            "a driver is infinite: make it missing (NaN) or drop these pixels",
        ),
        ({"train": np.zeros(80)}, "drivers (80,) must be (m, d)"),
        (
            {"folds": np.arange(3)},
            "train (80, 4), importance (4,), folds (3,) and categorical (4,) "
            "must be (n, d), (d,), (n,) and (d,)",
        ),
    ],
)
def test_messages(change, message):
    train, importance, folds = world(1)
    given = {"train": train, "importance": importance, "folds": folds} | change
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fit_applicability(**given)


def test_new_pixels_need_the_same_drivers():
    area = fit_applicability(*world(1))
    with pytest.raises(ValueError, match=r"drivers \(2, 3\) must be \(m, 4\)"):
        area.dissimilarity(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="a driver is infinite"):
        area.inside(np.full((1, 4), -np.inf))
