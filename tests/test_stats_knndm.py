"""Folds by distance: the distances are exact, the folds match the map better than random ones."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from drivers.stats import knndm
from drivers.stats.knndm import UNEVEN, cluster, knndm_folds, other_fold_distances

seeds = st.integers(0, 1000)
few = settings(max_examples=15)
"""A search over candidates takes a tenth of a second."""


def clustered(seed, clusters=25, each=20, extent=100.0):
    rng = np.random.default_rng(seed)
    centres = rng.random((clusters, 2)) * extent
    return np.repeat(centres, each, axis=0) + rng.normal(size=(clusters * each, 2))


def everywhere(seed, n=1000, extent=100.0):
    return np.random.default_rng(seed + 5000).random((n, 2)) * extent


def grid(side):
    y, x = np.mgrid[:side, :side].astype(float)
    return np.column_stack([x.ravel(), y.ravel()])


@given(seeds, st.integers(1, 6), st.sampled_from([2, 3, 17, 40, 1000]))
def test_distances_to_other_folds_are_exact(seed, d, n_folds):
    rng = np.random.default_rng(seed)
    points, folds = rng.normal(size=(120, d)), rng.integers(n_folds, size=120) * 7 - 50
    apart = cdist(points, points)
    apart[folds[:, None] == folds] = np.inf
    assert other_fold_distances(points, folds) == pytest.approx(apart.min(axis=1), rel=1e-12)
    rows = rng.permutation(120)[:30]
    assert other_fold_distances(points, folds, rows) == pytest.approx(apart.min(axis=1)[rows], rel=1e-12)


def test_one_fold_is_infinitely_far_from_others():
    assert other_fold_distances(np.zeros((3, 2)), np.ones(3, dtype=int)).tolist() == [np.inf] * 3


@few
@given(seeds, st.integers(2, 10))
def test_folds_are_all_used_and_even(seed, k):
    train = clustered(seed)
    found = knndm_folds(train, everywhere(seed), k, np.random.default_rng(seed))
    sizes = np.bincount(found.folds, minlength=k)
    share = len(train) / k
    assert found.folds.shape == (len(train),)
    assert len(sizes) == k
    assert share / UNEVEN <= sizes.min() <= sizes.max() <= share * UNEVEN


@pytest.mark.parametrize("seed", range(5))
def test_clustered_pixels_get_larger_folds_that_match_the_map(seed):
    train, predict = clustered(seed), everywhere(seed)
    found = knndm_folds(train, predict, 5, np.random.default_rng(seed))
    assert not found.random
    assert found.n_clusters < len(train) / 3
    assert found.w < 0.4 * found.w_random
    chance = np.random.default_rng(seed).permutation(len(train)) % 5
    apart = np.median(other_fold_distances(train, found.folds))
    assert apart > 3.0 * np.median(other_fold_distances(train, chance))
    # Most pixels of a cluster are held out together.
    own = np.repeat(np.arange(25), 20)
    together = [np.bincount(found.folds[own == c]).max() for c in range(25)]
    assert np.mean(together) > 12


def test_w_is_the_distance_of_the_two_distributions():
    # Equally many distances on both sides, so W is the mean difference of the sorted ones.
    train, predict = clustered(3), everywhere(3, 500)
    found = knndm_folds(train, predict, 5, np.random.default_rng(3))
    held_out = np.sort(other_fold_distances(train, found.folds))
    on_map = np.sort(cdist(predict, train).min(axis=1))
    assert found.w == pytest.approx(np.abs(held_out - on_map).mean(), rel=1e-9)


@pytest.mark.parametrize("k", [2, 5, 10])
def test_random_folds_come_back_where_the_map_is_as_near_as_training_pixels(k):
    train = grid(25)
    # Pixels themselves, between them, at random, and a few far ones that do not outweigh the rest.
    outlying = np.vstack([train, train[:20] - [0.0, 20.0]])
    for predict in (train, train + 0.5, everywhere(k, 500, 24.0), outlying):
        found = knndm_folds(train, predict, k, np.random.default_rng(k))
        assert found.random
        assert found.n_clusters == len(train)
        assert found.w == found.w_random
        assert np.ptp(np.bincount(found.folds)) <= 1
        # Neighbours on the grid are in the same fold as often as chance has it.
        same = found.folds.reshape(25, 25)
        assert (same[1:] == same[:-1]).mean() == pytest.approx(1.0 / k, abs=0.1)


@few
@given(seeds)
def test_same_seed_same_folds(seed):
    train, predict = clustered(seed, 10, 10), everywhere(seed, 200)
    first, second = (knndm_folds(train, predict, 4, np.random.default_rng(seed)) for _ in range(2))
    assert first.folds.tolist() == second.folds.tolist()
    assert (first.w, first.w_random, first.n_clusters) == (second.w, second.w_random, second.n_clusters)


@few
@given(seeds)
def test_units_of_coordinates_change_nothing_but_w(seed):
    train, predict = clustered(seed, 10, 10), everywhere(seed, 200)
    found = knndm_folds(train, predict, 4, np.random.default_rng(seed))
    # A power of two, so that not even rounding differs.
    larger = knndm_folds(train * 1024.0, predict * 1024.0, 4, np.random.default_rng(seed))
    assert larger.folds.tolist() == found.folds.tolist()
    assert larger.w == pytest.approx(1024.0 * found.w, rel=1e-12)


def test_threads_change_nothing(monkeypatch):
    train, predict = clustered(2), everywhere(2)
    runs = []
    for threads in (1, 3):
        monkeypatch.setattr(knndm, "query_threads", lambda queries, dimensions, threads=threads: threads)
        runs.append(knndm_folds(train, predict, 5, np.random.default_rng(2)))
    assert runs[0].folds.tolist() == runs[1].folds.tolist()
    assert runs[0].w == runs[1].w


def test_samples_stand_for_all(monkeypatch):
    monkeypatch.setattr(knndm, "SAMPLE", 200)
    monkeypatch.setattr(knndm, "HELD_OUT", 300)
    train, predict = clustered(6, 25, 80), everywhere(6, 3000)
    found = knndm_folds(train, predict, 5, np.random.default_rng(6))
    assert found.folds.shape == (2000,)
    assert found.w < 0.5 * found.w_random


@given(seeds, st.integers(1, 400))
def test_clusters_have_no_gaps_and_are_near(seed, wanted):
    points = clustered(seed)
    labels = cluster(points, wanted, np.random.default_rng(seed))
    assert set(labels.tolist()) == set(range(labels.max() + 1))
    assert wanted / 2 < labels.max() + 1 <= wanted


@pytest.mark.parametrize("places", [1, 2, 7])
def test_many_pixels_at_few_places(places):
    train = np.repeat(everywhere(1, places), 30, axis=0)
    found = knndm_folds(train, everywhere(2, 100), 5, np.random.default_rng(1))
    assert found.n_folds == min(max(places, 2), 5)
    assert set(found.folds.tolist()) == set(range(found.n_folds))
    assert found.random == (places == 1)
    if places > 1:
        assert all(len(set(found.folds[at : at + 30].tolist())) == 1 for at in range(0, len(train), 30))


def test_as_many_folds_as_pixels():
    found = knndm_folds(grid(2), everywhere(1, 10), 4, np.random.default_rng(1))
    assert sorted(found.folds.tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("train", "predict", "k", "message"),
    [
        (grid(3), grid(2), 10, "folds must be 2 to 9 (9 training pixels), not 10"),
        (grid(3), grid(2), 1, "folds must be 2 to 9 (9 training pixels), not 1"),
        (grid(3)[:, 0], grid(2), 2, "train_xy (9,) must be (n, 2), with n >= 1"),
        (grid(3), grid(2)[:0], 2, "predict_xy (0, 2) must be (n, 2), with n >= 1"),
        (
            grid(3),
            grid(2) * np.nan,
            2,
            "a coordinate of predict_xy is NaN or infinite: drop these pixels first",
        ),
    ],
)
def test_messages(train, predict, k, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        knndm_folds(train, predict, k, np.random.default_rng(1))
