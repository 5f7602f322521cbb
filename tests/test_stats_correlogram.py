"""The correlogram that made a field comes back from it, whatever the mask."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft, ndimage

from drivers.stats.correlogram import (
    INDEPENDENT,
    SMOOTHNESS,
    Correlogram,
    fit_correlogram,
    matern,
    pair_moments,
)
from drivers.stats.lattice import Lattice, make_lattice

FIELDS = 20
"""Fields per recovery: the median of 20 ranges that vary by 15 % each has a standard error of 4 %."""

RECOVERED = 0.15
"""So the median range may be this far off: over three standard errors."""


def torus(correlation, size, rng):
    """A field on a torus far larger than what is cut from it: opposite edges are strangers."""
    lag = np.minimum(np.arange(size), size - np.arange(size))
    spectrum = np.maximum(fft.fft2(correlation(np.hypot(lag[:, None], lag))).real, 0.0)
    noise = rng.standard_normal((size, size)) + 1j * rng.standard_normal((size, size))
    return fft.fft2(noise * np.sqrt(spectrum) / size).real


def masked(name, rng):
    """Pixels of a square, of a thin strip, or of blobs over half of a square."""
    shapes = {"square": (64, 64), "strip": (12, 256), "blobs": (90, 90)}
    mask = np.ones(shapes[name], dtype=bool)
    if name == "blobs":
        smooth = ndimage.gaussian_filter(rng.standard_normal(mask.shape), 4)
        mask = smooth > np.median(smooth)
    row, column = np.nonzero(mask)
    return mask, make_lattice(column.astype(float), row.astype(float))


def fits(truth, name, seed, fields=FIELDS):
    """The correlograms fitted to fields of one correlogram, each on a new mask."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(fields):
        mask, lattice = masked(name, rng)
        field = torus(truth.structured, 320, rng)[: mask.shape[0], : mask.shape[1]][mask]
        noise = rng.standard_normal(len(field))
        values = np.sqrt(1 - truth.nugget) * field + np.sqrt(truth.nugget) * noise
        found.append(fit_correlogram(values, lattice))
    return found


@settings(max_examples=40)
@given(st.floats(0.0, 0.99), st.floats(0.1, 1e4), st.sampled_from(SMOOTHNESS))
def test_a_correlogram_falls_from_one(nugget, reach, smoothness):
    c = Correlogram(nugget, reach, smoothness)
    d = np.linspace(0.0, 5.0 * reach, 200)
    assert c.at(0.0) == 1.0
    assert c.at(1e-9 * reach) == pytest.approx(1 - nugget)
    assert (np.diff(c.at(d)) <= 0).all()
    assert float(c.structured(c.practical_range)) == pytest.approx(0.05, rel=1e-5)


def test_independent_pixels_share_nothing():
    assert INDEPENDENT.at([0.0, 1.0, 5.0]).tolist() == [1.0, 0.0, 0.0]
    assert INDEPENDENT.practical_range == 0.0


def test_other_smoothnesses_are_refused():
    with pytest.raises(ValueError, match=r"smoothness must be one of \(0.5, 1.5, 2.5, inf\), not 1"):
        matern(np.ones(1), 1.0)


@pytest.mark.parametrize(("height", "width"), [(1.0, 1.0), (1.3, 0.7)])
def test_pair_moments_are_sums_over_pairs(height, width):
    rng = np.random.default_rng(1)
    # 60 pixels on 7 x 9 cells: holes, and several pixels in a cell.
    row, column = rng.integers(0, 7, 60), rng.integers(0, 9, 60)
    lattice = Lattice(row, column, (7, 9), height, width, False)
    values = rng.standard_normal(60) + 100.0
    moments = pair_moments(values, lattice)
    i, j = np.triu_indices(60, 1)
    distance = np.hypot((row[i] - row[j]) * height, (column[i] - column[j]) * width)
    near = distance <= 0.5 * np.hypot(6 * height, 8 * width)
    halves = (values[i] - values[j])[near] ** 2 / 2
    deviation = values - values.mean()
    products = (deviation[i] * deviation[j])[near]
    assert moments.pairs.sum() == near.sum()
    assert moments.distance[0] == 0.0
    assert moments.pairs[0] == (distance == 0).sum()
    assert moments.pairs @ moments.distance == pytest.approx(distance[near].sum())
    assert moments.pairs @ moments.semivariance == pytest.approx(halves.sum())
    assert moments.pairs @ moments.covariance == pytest.approx(products.sum())
    assert moments.semivariance[0] == pytest.approx(halves[distance[near] == 0].mean())


@pytest.mark.parametrize("name", ["square", "strip", "blobs"])
@pytest.mark.parametrize("truth", [Correlogram(0.0, 4.0, 0.5), Correlogram(0.0, 5.0, np.inf)])
def test_the_range_comes_back(truth, name):
    found = fits(truth, name, seed=2)
    assert np.median([c.practical_range for c in found]) == pytest.approx(
        truth.practical_range, rel=RECOVERED
    )
    assert np.median([c.nugget for c in found]) < 0.05
    near = [c.smoothness for c in found].count(truth.smoothness)
    assert near > FIELDS / 2


def test_long_ranges_are_not_shortened_by_the_estimated_mean():
    # Autocovariances around the mean of this map would cross zero at 20 pixels.
    found = fits(Correlogram(0.0, 10.0, 0.5), "square", seed=3, fields=2 * FIELDS)
    assert np.median([c.practical_range for c in found]) > 0.8 * 29.96


def test_the_nugget_comes_back():
    found = fits(Correlogram(0.5, 8.0, 0.5), "blobs", seed=4)
    assert np.median([c.nugget for c in found]) == pytest.approx(0.5, abs=0.08)
    assert 5.0 < np.median([c.range for c in found]) < 12.0


@pytest.mark.parametrize("name", ["square", "strip", "blobs"])
def test_independent_pixels_are_found_to_be_independent(name):
    # 5 % of maps stand out by chance: more than 9 of 60 have a probability of 0.001.
    rng = np.random.default_rng(5)
    found = []
    for _ in range(60):
        mask, lattice = masked(name, rng)
        found.append(fit_correlogram(rng.standard_normal(int(mask.sum())), lattice))
    assert sum(c.nugget < 1.0 for c in found) <= 9
    assert min(c.nugget for c in found if c.practical_range > 1.0 or c.nugget == 1.0) > 0.9


def test_units_and_origin_change_nothing():
    rng = np.random.default_rng(6)
    _, lattice = masked("square", rng)
    values = torus(Correlogram(0.0, 4.0, 0.5).structured, 160, rng)[:64, :64].ravel()
    wide = Lattice(lattice.row, lattice.column, lattice.shape, 250.0, 250.0, True)
    a, b = fit_correlogram(values, lattice), fit_correlogram(1e-6 * values + 3.0, wide)
    assert b.nugget == pytest.approx(a.nugget, abs=1e-6)
    assert b.range == pytest.approx(250.0 * a.range, rel=1e-6)
    assert b.smoothness == a.smoothness


def test_a_trend_reaches_to_the_end_of_the_map():
    _, lattice = masked("square", np.random.default_rng(7))
    trend = lattice.column + 0.3 * np.random.default_rng(7).standard_normal(len(lattice))
    fitted = fit_correlogram(trend, lattice)
    assert fitted.nugget < 0.01
    assert fitted.practical_range > 64.0


def test_pixels_that_share_a_cell_count():
    rng = np.random.default_rng(8)
    truth = Correlogram(0.4, 6.0, 0.5)
    field = torus(truth.structured, 160, rng)[:64, :64]
    row, column = rng.integers(0, 64, (2, 8000))
    values = np.sqrt(0.6) * field[row, column] + np.sqrt(0.4) * rng.standard_normal(8000)
    fitted = fit_correlogram(values, Lattice(row, column, (64, 64), 1.0, 1.0, False))
    assert fitted.nugget == pytest.approx(0.4, abs=0.08)
    assert 3.5 < fitted.range < 10.0


@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_constant_and_tiny_samples_share_nothing(n):
    lattice = make_lattice(np.arange(float(n)), np.zeros(n))
    assert fit_correlogram(np.full(n, 0.1), lattice) == INDEPENDENT
    if n < 4:
        assert fit_correlogram(np.arange(float(n)), lattice) == INDEPENDENT


def test_all_pixels_in_one_cell():
    values = np.random.default_rng(9).standard_normal(30)
    assert fit_correlogram(values, make_lattice(np.zeros(30), np.zeros(30))) == INDEPENDENT
