"""Effective pixels: n where pixels are independent, the trace formula where their correlation is known."""

import numpy as np
import pytest
from scipy import fft, special

from drivers.stats.effective import BLOCKS, FEWEST, Dependence, block_likelihood, effective_n
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


@pytest.mark.parametrize("most", BLOCKS)
def test_blocks_are_no_more_than_allowed(most):
    lagged = lagged_moments(np.random.default_rng(0).normal(size=(1, 2500)), square(50))
    found = block_likelihood(lagged, most)
    assert most / 3 < found.blocks <= most
    assert found.precision.shape == (len(found.log_det), 2, 2)
    assert np.isfinite(found.precision).all()
