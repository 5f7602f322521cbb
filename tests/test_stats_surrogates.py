"""Surrogates look like the response and know nothing of the driver; class means vary as they must."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft, special

from drivers.stats import lattice as lattice_room
from drivers.stats import surrogates
from drivers.stats.correlogram import INDEPENDENT, Correlogram, fit_correlogram, pair_moments
from drivers.stats.lattice import Lattice, flat_coordinates, make_lattice
from drivers.stats.surrogates import (
    class_covariance,
    in_order_of,
    normal_scores,
    partition_null,
    surrogate_fields,
)

EXPONENTIAL = Correlogram(0.2, 3.0, 0.5)
SMOOTH = Correlogram(0.0, 4.0, np.inf)


def square(side):
    y, x = (v.ravel().astype(float) for v in np.mgrid[:side, :side])
    return make_lattice(x, y)


def field(correlogram, side, rng):
    """A field cut from a torus twice as wide, so that opposite edges are strangers."""
    lag = np.minimum(np.arange(2 * side), 2 * side - np.arange(2 * side))
    spectrum = fft.fft2(correlogram.structured(np.hypot(lag[:, None], lag))).real
    noise = rng.standard_normal(spectrum.shape) + 1j * rng.standard_normal(spectrum.shape)
    return fft.fft2(noise * np.sqrt(np.maximum(spectrum, 0.0)) / (2 * side)).real[:side, :side].ravel()


def means(codes, k, weights):
    """The (K, n) matrix that takes weighted class means."""
    take = (codes == np.arange(k)[:, None]) * weights
    return take / take.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("correlogram", [EXPONENTIAL, SMOOTH, Correlogram(0.1, 500.0, 1.5), INDEPENDENT])
@pytest.mark.parametrize("geographic", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_covariance_is_that_of_all_pairs(correlogram, geographic, weighted):
    rng = np.random.default_rng(1)
    row, column = np.nonzero(rng.random((13, 21)) < 0.6)
    x, y = 120.0 + 0.01 * column, 50.0 + 0.01 * row
    if not geographic:
        x, y = column.astype(float), row.astype(float)
    lattice = make_lattice(x, y, geographic=geographic)
    codes = rng.integers(-1, 4, len(row))
    weights = rng.random(len(row)) + 0.5 if weighted else np.ones(len(row))
    flat = flat_coordinates(x, y, geographic=geographic)
    distance = np.hypot(*(v[:, None] - v for v in flat))
    # Rounding must not make a pixel a stranger to itself.
    np.fill_diagonal(distance, 0.0)
    take = means(codes, 4, weights)
    expected = take @ correlogram.at(distance) @ take.T
    found = class_covariance(codes, 4, lattice, correlogram, weights if weighted else None)
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_pixels_of_one_cell_share_all_but_the_nugget():
    lattice = Lattice(np.zeros(3, dtype=int), np.array([0, 0, 1]), (1, 2), 1.0, 1.0, False)
    found = class_covariance(np.array([0, 1, 1]), 2, lattice, EXPONENTIAL)
    near = 0.8 * np.exp(-1 / 3)
    assert found == pytest.approx(np.array([[1.0, (0.8 + near) / 2], [(0.8 + near) / 2, (1 + near) / 2]]))


def test_independent_pixels_give_the_classical_variances():
    codes = np.repeat([0, 1, 2, -1], [5, 10, 1, 84])
    found = class_covariance(codes, 3, square(10), INDEPENDENT)
    assert found == pytest.approx(np.diag([0.2, 0.1, 1.0]))
    assert np.isnan(class_covariance(codes, 4, square(10), EXPONENTIAL)[3]).all()


@given(
    st.integers(0, 500), st.floats(0.0, 0.9), st.floats(0.3, 30.0), st.sampled_from([0.5, 1.5, 2.5, np.inf])
)
def test_class_covariances_are_covariances(seed, nugget, reach, smoothness):
    codes = np.random.default_rng(seed).integers(0, 6, 144)
    found = class_covariance(codes, 6, square(12), Correlogram(nugget, reach, smoothness))
    assert (found == found.T).all()
    assert np.linalg.eigvalsh(found).min() > -1e-9


@settings(max_examples=40)
@given(st.integers(0, 500), st.sampled_from([EXPONENTIAL, SMOOTH, INDEPENDENT, None]))
def test_surrogates_keep_the_values_and_repeat_with_the_seed(seed, correlogram):
    lattice = square(12)
    values = np.random.default_rng(seed).standard_normal(144).round(1)
    one, two = (
        list(surrogate_fields(values, lattice, correlogram, 3, np.random.default_rng(seed))) for _ in range(2)
    )
    assert len(one) == 3
    for a, b in zip(one, two, strict=True):
        assert (np.sort(a) == np.sort(values)).all()
        assert (a == b).all()
    assert (one[0] != one[1]).any()
    assert list(surrogate_fields(values, lattice, correlogram, 0, np.random.default_rng(seed))) == []


def test_threads_change_nothing(monkeypatch):
    values = np.arange(3600.0)
    lattice, drawn = square(60), []
    for threads in (1, 2, 3):
        monkeypatch.setattr(lattice_room, "SMALL", 0)
        monkeypatch.setattr(lattice_room, "WORKERS", threads)
        drawn.append(list(surrogate_fields(values, lattice, EXPONENTIAL, 3, np.random.default_rng(1))))
    for other in drawn[1:]:
        assert all((a == b).all() for a, b in zip(drawn[0], other, strict=True))


@pytest.mark.parametrize(
    ("correlogram", "skew"),
    [
        (EXPONENTIAL, False),
        (EXPONENTIAL, True),
        (Correlogram(0.5, 4.0, 1.5), False),
        (Correlogram(0.5, 4.0, 1.5), True),
        (SMOOTH, False),
    ],
)
@pytest.mark.parametrize("crowded", [False, True])
def test_surrogates_have_the_correlogram_on_average(correlogram, skew, crowded):
    # 40 draws on 100 x 100 pixels: semivariances are known to 0.015 of the variance.
    rng = np.random.default_rng(2)
    lattice = square(100)
    if crowded:
        row, column = rng.integers(0, 100, (2, 10_000))
        lattice = Lattice(row, column, (100, 100), 1.0, 1.0, False)
    z = special.ndtri((np.arange(10_000) + 0.5) / 10_000)
    values = np.exp(z) if skew else z
    drawn = [pair_moments(v, lattice) for v in surrogate_fields(values, lattice, correlogram, 40, rng)]
    near = drawn[0].distance <= 8.0
    semivariance = np.mean([d.semivariance[near] for d in drawn], axis=0) / values.var()
    expected = 1.0 - correlogram.at(np.maximum(drawn[0].distance[near], 1e-9))
    assert semivariance == pytest.approx(expected, abs=0.05)


def test_rounded_ranks_are_nearly_ranks(monkeypatch):
    rng = np.random.default_rng(4)
    drawn, ordered = rng.standard_normal(50_000, dtype=np.float32), np.sort(rng.standard_normal(50_000))
    exact = in_order_of(drawn, ordered)
    monkeypatch.setattr(surrogates, "MANY", 1)
    rounded = in_order_of(drawn, ordered)
    assert rounded == pytest.approx(exact, abs=0.05)
    assert rounded.mean() == pytest.approx(exact.mean(), abs=1e-4)
    assert np.isin(rounded, ordered).all()
    assert in_order_of(np.zeros(3, dtype=np.float32), ordered[:3]).tolist() == [ordered[1]] * 3


def test_normal_scores_are_normal():
    scores = normal_scores(np.exp(np.random.default_rng(3).standard_normal(5000)))
    assert scores.mean() == pytest.approx(0.0, abs=1e-9)
    assert scores.std() == pytest.approx(1.0, abs=0.01)


def test_the_null_of_independent_pixels_is_the_classical_f():
    counts = np.array([10.0, 20.0, 30.0, 40.0])
    null = partition_null(counts, np.diag(1 / counts))
    assert null.expected_q == pytest.approx(3 / 99)
    assert (null.df, null.df_residual, null.n_effective) == pytest.approx((3.0, 96.0, 100.0))


def test_a_trend_leaves_next_to_no_degrees_of_freedom():
    codes = np.repeat([0, 1], 72)
    covariance = class_covariance(codes, 2, square(12), Correlogram(0.0, 99.0, np.inf))
    null = partition_null(np.bincount(codes), covariance)
    # A plane in a random direction: halves explain 3/4 of it on average, times the squared cosine.
    assert null.expected_q == pytest.approx(0.375, abs=0.01)
    assert 0.0 <= null.df_residual < 2.0


SEEDS = 100
"""Worlds of the size check. Of 100 tests at 0.05, 13 or more reject with a probability of 0.0015."""

MOST_REJECTIONS = 12


def q_of(values, codes, counts):
    """q of every column of `values`, shape (draws,)."""
    centred = values - values.mean(axis=0)
    between = sum(centred[codes == h].sum(axis=0) ** 2 / counts[h] for h in range(len(counts)))
    return between / (centred**2).sum(axis=0)


@pytest.mark.parametrize("truth", [Correlogram(0.0, 4.0, 0.5), Correlogram(0.0, 4.0, np.inf)])
def test_size_where_the_classical_test_is_lost(truth):
    """The best of six partitions by surrogates, and one by F, of two fields that have nothing in common."""
    lattice, rejected = square(36), np.zeros(3, dtype=int)
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        response, driver = field(truth, 36, rng), field(truth, 36, rng)
        correlogram = fit_correlogram(response, lattice)
        drawn = np.array(list(surrogate_fields(response, lattice, correlogram, 39, rng)))
        best, best_drawn = 0.0, np.zeros(39)
        for k in range(3, 9):
            codes = np.searchsorted(np.quantile(driver, np.arange(1, k) / k), driver)
            counts = np.bincount(codes).astype(float)
            q = float(q_of(response[:, None], codes, counts)[0])
            best, best_drawn = max(best, q), np.maximum(best_drawn, q_of(drawn.T, codes, counts))
            if k == 5:
                null = partition_null(counts, class_covariance(codes, k, lattice, correlogram))
                odds = q / (1 - q)
                f = odds * (1 - null.expected_q) / null.expected_q
                rejected[1] += special.fdtrc(null.df, null.df_residual, f) <= 0.05
                rejected[2] += special.fdtrc(k - 1, 1296 - k, odds * (1296 - k) / (k - 1)) <= 0.05
        rejected[0] += (1 + (best_drawn >= best).sum()) / 40 <= 0.05
    assert rejected[0] <= MOST_REJECTIONS
    assert rejected[1] <= MOST_REJECTIONS
    assert rejected[2] > SEEDS / 2
