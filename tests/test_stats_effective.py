"""Effective pixels: n where pixels are independent, the trace formula where their correlation is known."""

import numpy as np
import pytest
from scipy import fft, special

from drivers.stats import effective
from drivers.stats.effective import (
    FEWEST,
    Dependence,
    correlograms,
    effective_n,
    effective_ns,
    error_correlation,
)
from drivers.stats.lagged import lagged_moments
from drivers.stats.lattice import Lattice, make_lattice
from drivers.stats.linear import least_squares
from drivers.stats.moments import moments

SEEDS = 60
"""Of 60 tests at 0.05, 8 or more reject in 1 % of trials."""


def fields(reach, side, count, rng):
    """exp(-d / reach) on a torus three times as wide as what is cut from it; white noise for 0."""
    if reach == 0:
        return rng.standard_normal((count, side, side))
    lag = np.minimum(np.arange(3 * side), 3 * side - np.arange(3 * side))
    spectrum = np.maximum(fft.fft2(np.exp(-np.hypot(lag[:, None], lag) / reach)).real, 0.0)
    noise = rng.standard_normal((2, count, 3 * side, 3 * side))
    field = fft.fft2((noise[0] + 1j * noise[1]) * np.sqrt(spectrum) / (3 * side)).real
    return field[:, :side, :side]


def square(side):
    north, east = (v.ravel() for v in np.mgrid[0:side, 0:side])
    return make_lattice(east * 1.0, north * 1.0)


def dependence(columns, side):
    return Dependence(lagged_moments(columns.reshape(len(columns), -1), square(side)))


@pytest.mark.parametrize("side", [10, 40, 120])
def test_independent_pixels_count_in_full(side):
    rng = np.random.default_rng(side)
    found = [
        effective_n(dependence(rng.normal(size=(3, side, side)), side), 2, [0, 1]).n_effective[0]
        for _ in range(9)
    ]
    assert 0.85 * side**2 < np.median(found) <= side**2


@pytest.mark.parametrize(("smooth", "rough"), [(0, 1), (1, 0)])
def test_one_smooth_side_alone_costs_nothing(smooth, rough):
    rng = np.random.default_rng(7)
    found = []
    for _ in range(7):
        columns = np.empty((2, 40, 40))
        columns[smooth], columns[rough] = fields(5, 40, 1, rng)[0], rng.normal(size=(40, 40))
        found.append(effective_n(dependence(columns, 40), 1, [0]).n_effective[0])
    assert np.median(found) > 0.75 * 1600


def test_the_trace_formula_with_the_correlation_known():
    # n tr(MR) / (n - k - 1) · x'x / x'Rx, with R a 576 × 576 matrix (Dutilleul 1993).
    rng, side, reach = np.random.default_rng(3), 24, 3.0
    n = side**2
    north, east = (v.ravel() for v in np.mgrid[0:side, 0:side])
    r = np.exp(-np.hypot(north[:, None] - north, east[:, None] - east) / reach)
    ratios = []
    for _ in range(15):
        z, x, y = fields(reach, side, 3, rng).reshape(3, n)
        others = np.column_stack([np.ones(n), z])
        left = x - others @ np.linalg.lstsq(others, x, rcond=None)[0]
        q = np.linalg.qr(np.column_stack([others, x]))[0]
        exact = n * (n - np.einsum("ij,ij->", q, r @ q)) / (n - 3) * (left @ left) / (left @ r @ left)
        ratios.append(effective_n(dependence(np.vstack([z, x, y]), side), 2, [0, 1]).n_effective[1] / exact)
    assert 0.85 < np.median(ratios) < 1.15


@pytest.mark.parametrize(("side", "reach"), [(24, 2.0), (32, 4.0)])
def test_size_and_coverage(side, reach):
    rng = np.random.default_rng(11)
    rejected, classical, held = [], [], []
    for _ in range(SEEDS):
        z, x, e = fields(reach, side, 3, rng)
        columns = np.array([z, x + 0.7 * z, e + 0.8 * z]).reshape(3, -1)
        fit = least_squares(moments(columns), 2, [0, 1])
        found = effective_n(dependence(columns, side), 2, [0, 1])
        error = fit.std_error * found.std_error_factor
        apart = np.abs(fit.coefficients - [0.8, 0.0])
        bound = special.stdtrit(found.df, 0.975) * error
        assert found.enough.all()
        rejected.append(apart[1] > bound[1])
        held.append(apart[0] <= bound[0])
        classical.append(apart[1] > special.stdtrit(fit.df, 0.975) * fit.std_error[1])
    assert np.sum(rejected) < 8
    assert SEEDS - np.sum(held) < 8
    assert np.mean(classical) > 0.25


def test_units_order_of_predictors_and_composites_change_nothing():
    rng = np.random.default_rng(5)
    columns = fields(3, 30, 4, rng).reshape(4, -1)
    base = Dependence(lagged_moments(columns, square(30)))
    found = effective_n(base, 3, [0, 1, 2])
    turned = effective_n(base, 3, [2, 0, 1])
    np.testing.assert_allclose(turned.n_effective, found.n_effective[[2, 0, 1]], rtol=1e-6)
    scaled = columns * np.array([[1e4], [1e-3], [1.0], [50.0]]) + 7.0
    again = effective_n(Dependence(lagged_moments(scaled, square(30))), 3, [0, 1, 2])
    np.testing.assert_allclose(again.n_effective, found.n_effective, rtol=1e-6)
    weights = np.array([[0.5, 0.5, 0.0, 0.0]])
    made = Dependence(lagged_moments(np.vstack([columns, weights @ columns]), square(30)))
    extended = Dependence(base.lagged.extend(weights))
    np.testing.assert_allclose(
        effective_n(extended, 3, [4, 2]).n_effective, effective_n(made, 3, [4, 2]).n_effective, rtol=1e-6
    )


def test_the_numbers_fit_together():
    columns = fields(3, 30, 3, np.random.default_rng(8))
    found = effective_n(dependence(columns, 30), 2, [0, 1])
    np.testing.assert_allclose(found.df, found.n_effective - 3)
    np.testing.assert_allclose(found.std_error_factor**2 * found.n_effective, 900)
    assert (found.n_effective <= found.by_lags).all()


def test_scattered_points():
    rng = np.random.default_rng(9)
    field = fields(6, 64, 2, rng)
    north, east = np.nonzero(rng.random((64, 64)) < 0.1)
    shift = rng.uniform(-0.3, 0.3, size=(2, len(north)))
    grid = make_lattice(east + shift[0], north + shift[1])
    assert not grid.exact
    found = effective_n(Dependence(lagged_moments(field[:, north, east], grid)), 1, [0])
    assert 30 < found.n_effective[0] < 250


def test_too_few_pixels_are_said_to_be_too_few():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:20, 0:20] / 10.0
    hill = np.array([np.sin(x + 0.3) + y + 1e-3 * rng.normal(size=(20, 20)), np.cos(y) + x**2 * y])
    found = effective_n(dependence(hill, 20), 1, [0])
    assert not found.enough[0]
    assert not found.n_effective[0] >= FEWEST


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_a_handful_of_pixels(n):
    rng = np.random.default_rng(n)
    grid = Lattice(np.zeros(n, dtype=int), np.arange(n), (1, n), 1.0, 1.0, True)
    lagged = lagged_moments(rng.normal(size=(2, n)), grid)
    if n == 1:
        with pytest.raises(np.linalg.LinAlgError, match="constant column"):
            effective_n(Dependence(lagged), 1, [0])
    else:
        assert not effective_n(Dependence(lagged), 1, [0]).enough.any()


def test_all_pixels_in_one_cell():
    grid = Lattice(np.zeros(50, dtype=int), np.zeros(50, dtype=int), (1, 1), 1.0, 1.0, False)
    columns = np.random.default_rng(2).normal(size=(2, 50))
    assert not effective_n(Dependence(lagged_moments(columns, grid)), 1, [0]).enough.any()


def test_a_response_without_error_and_collinear_predictors():
    rng = np.random.default_rng(6)
    x, z = rng.normal(size=(2, 400))
    found = effective_n(Dependence(lagged_moments(np.array([x, z, 2 * x - z]), square(20))), 2, [0, 1])
    assert np.isnan(found.n_effective).all()
    assert not found.enough.any()
    made = Dependence(lagged_moments(np.array([x, z, x + z, rng.normal(size=400)]), square(20)))
    with pytest.raises(np.linalg.LinAlgError, match="collinear columns"):
        effective_n(made, 3, [0, 1, 2])
    with pytest.raises(np.linalg.LinAlgError, match="constant column"):
        effective_n(Dependence(lagged_moments(np.array([np.ones(400), x]), square(20))), 1, [0])


def test_a_combination_of_columns_factors_no_covariance_again(monkeypatch):
    rng = np.random.default_rng(14)
    columns = fields(3, 30, 4, rng).reshape(4, -1)
    weights = np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 1.0, -2.0, 0.0]])
    made = Dependence(lagged_moments(np.vstack([columns, weights @ columns]), square(30)))
    base = Dependence(lagged_moments(columns, square(30)))
    wide, twice = base.extend(weights), base.extend(weights[:1]).extend(np.append(weights[1], 0.0)[None])
    expected = {most: made.blocks(most).precision for most in effective.BLOCKS}
    base.blocks(effective.BLOCKS[0])
    # The others are made when an extended one first asks for them, and then the first one has them too.
    calls = []
    original = effective.block_likelihood
    monkeypatch.setattr(effective, "block_likelihood", lambda *a: calls.append(a[1]) or original(*a))
    for most, precision in expected.items():
        for extended in (wide, twice, base):
            found = extended.blocks(most).precision
            size = found.shape[1]
            np.testing.assert_allclose(found, precision[:, :size, :size], rtol=1e-8, atol=1e-8)
    assert calls == list(effective.BLOCKS[1:])
    for response, predictors in ((3, [4, 2]), (5, [0, 3]), (4, [5])):
        a, b, c = (effective_n(d, response, predictors) for d in (made, wide, twice))
        np.testing.assert_allclose(b.n_effective, a.n_effective, rtol=1e-8)
        np.testing.assert_allclose(c.n_effective, a.n_effective, rtol=1e-8)
    np.testing.assert_allclose(wide.lagged.cross, made.lagged.cross, rtol=1e-8, atol=1e-6)


def test_the_first_predictors_alone():
    columns = fields(3, 30, 5, np.random.default_rng(15))
    pixels = dependence(columns, 30)
    whole = effective_n(pixels, 4, [2, 0, 1, 3])
    for first in (1, 2, 4):
        found = effective_n(pixels, 4, [2, 0, 1, 3], first=first)
        np.testing.assert_allclose(found.n_effective, whole.n_effective[:first], rtol=1e-12)
        np.testing.assert_allclose(found.df, whole.df[:first], rtol=1e-12)


@pytest.mark.parametrize("predictors", [[], [0, 1]])
def test_the_range_of_the_errors_comes_back(predictors):
    # exp(-d / 3) has fallen to 0.05 at 9.0; single fields of 60 × 60 vary by a third.
    rng, found = np.random.default_rng(16), []
    for _ in range(9):
        columns = fields(3, 60, 3, rng)
        found.append(error_correlation(dependence(columns, 60), 2, predictors))
    for e in found:
        assert e.correlation[0] == pytest.approx(1.0)
        assert (np.diff(e.correlation) <= 1e-12).all()
    assert 6.5 < np.median([e.practical_range for e in found]) < 11.5
    assert 0.8 < np.median([e.variance for e in found]) < 1.2


def test_white_errors_have_no_range_and_no_errors_an_unknown_one():
    rng = np.random.default_rng(17)
    x, z = fields(4, 40, 2, rng)
    white = rng.normal(size=(5, 40, 40))
    pixels = dependence(np.concatenate([[x, z, 2 * x - z], white]), 40)
    assert np.median([error_correlation(pixels, 3 + i, [0]).practical_range for i in range(5)]) == 0.0
    assert error_correlation(pixels, 0, [3]).practical_range > 4.0
    assert np.isnan(error_correlation(pixels, 2, [0, 1]).practical_range)
    with pytest.raises(np.linalg.LinAlgError, match="collinear columns"):
        error_correlation(pixels, 3, [0, 1, 2])


def test_a_range_longer_than_the_map_is_the_longest_distance():
    found = effective.ErrorCorrelation(np.array([0.0, 2.0, 1.0]), np.array([1.0, 0.5, 0.8]), 1.0)
    assert found.practical_range == 2.0


def test_regressions_together_have_the_numbers_that_each_has_alone():
    columns = fields(2, 30, 4, np.random.default_rng(1)).reshape(4, -1)
    lagged = lagged_moments(columns, square(30))
    regressions = [(3, (0, 1)), (2, (1,)), (3, (0, 1, 2))]
    together = effective_ns(Dependence(lagged), regressions)
    for (response, predictors), found in zip(regressions, together, strict=True):
        alone = effective_n(Dependence(lagged), response, predictors)
        np.testing.assert_allclose(found.n_effective, alone.n_effective, rtol=1e-9)
        np.testing.assert_allclose(found.df, alone.df, rtol=1e-9)
    wider = Dependence(lagged).extend(np.array([[1.0, 1.0, 0.0, 0.0]]))
    found, of_sum = effective_ns(wider, [regressions[0], (4, (2,))])
    np.testing.assert_allclose(found.n_effective, together[0].n_effective, rtol=1e-9)
    alone = effective_n(Dependence(wider.lagged), 4, (2,))
    np.testing.assert_allclose(of_sum.n_effective, alone.n_effective, rtol=1e-9)
    first = effective_ns(Dependence(lagged), regressions, first=1)
    assert [len(found.n_effective) for found in first] == [1, 1, 1]
    with pytest.raises(np.linalg.LinAlgError):
        effective_ns(Dependence(lagged), [*regressions, (3, (0, 0))])


def test_a_combination_has_the_correlogram_of_the_column_that_it_makes():
    columns = fields(2, 30, 3, np.random.default_rng(2)).reshape(3, -1)
    weights = np.array([[1.0, 0.0, 0.0], [0.5, -1.0, 2.0], [0.0, 0.0, 0.0]])
    dependence = Dependence(lagged_moments(columns, square(30)))
    wider = dependence.extend(weights)
    *found, nothing = correlograms(dependence, weights)
    for i, correlogram in enumerate(found):
        wanted = error_correlation(wider, 3 + i, [])
        np.testing.assert_allclose(correlogram.correlation, wanted.correlation, atol=1e-9)
        assert correlogram.variance == pytest.approx(wanted.variance)
    assert np.isnan(nothing.variance)
