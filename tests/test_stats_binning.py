"""Bins are exact whatever the limits, and their sums are those of the pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats.binning import CHUNK, bin_codes, bin_sums, response_sums

NUMBER = st.floats(-1e12, 1e12) | st.sampled_from([0.0, -0.0, 1.0, 1e-300, 5e-324, 1e300, -1e300])


@given(st.lists(NUMBER, min_size=1, max_size=60), st.lists(NUMBER, max_size=40, unique=True))
def test_codes_are_those_of_a_binary_search(values: list[float], limits: list[float]) -> None:
    ascending = np.unique(np.array(limits, dtype=np.float64))
    x = np.concatenate([values, ascending, np.nextafter(ascending, np.inf), np.nextafter(ascending, -np.inf)])
    x = x[np.isfinite(x)]
    assert bin_codes(x, ascending).tolist() == np.searchsorted(ascending, x).tolist()


@pytest.mark.parametrize("skew", [0.0, 1.0, 4.0])
def test_codes_of_skewed_limits(skew: float) -> None:
    rng = np.random.default_rng(1)
    x = np.exp(skew * rng.normal(size=3 * CHUNK + 7)) if skew else rng.normal(size=3 * CHUNK + 7)
    parts = [np.quantile(x, np.linspace(0.01, 0.99, 200)), np.linspace(x.min(), x.max(), 90)]
    limits = np.unique(np.concatenate(parts))
    x[::7] = rng.choice(limits, len(x[::7]))
    assert (bin_codes(x, limits) == np.searchsorted(limits, x)).all()


def test_missing_values_have_a_code_of_their_own() -> None:
    assert bin_codes(np.array([np.nan, 1.0]), np.array([1.0])).tolist() == [2, 0]
    assert bin_codes(np.array([np.nan, 1.0]), np.empty(0)).tolist() == [1, 0]


def test_more_bins_than_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="70001 bins"):
        bin_codes(np.zeros(2), np.arange(70_000.0))


def test_sums_by_fold_and_weight() -> None:
    rng = np.random.default_rng(2)
    n, bins, folds = 2 * CHUNK + 11, 9, 3
    codes, fold = rng.integers(0, bins + 1, n).astype(np.uint16), rng.integers(0, folds, n).astype(np.uint8)
    y, w = rng.normal(size=n), rng.uniform(0.5, 2.0, n)
    found = bin_sums(codes, bins, y, weights=w, folds=fold, n_folds=folds)
    for f in range(folds):
        for b in range(bins):
            here = (codes == b) & (fold == f)
            wanted = [here.sum(), w[here].sum(), (w * y)[here].sum(), (w * y * y)[here].sum()]
            got = [part[f, b] for part in (found.counts, found.weights, found.sums, found.squares)]
            np.testing.assert_allclose(got, wanted, rtol=1e-10)
    for part in ("counts", "weights", "sums", "squares"):
        whole = getattr(found, part).sum(axis=0)
        np.testing.assert_allclose(getattr(found.pooled(), part)[0], whole, rtol=1e-12)
        rest = getattr(found.without(1), part)[0] + getattr(found.only(1), part)[0]
        np.testing.assert_allclose(rest, whole, rtol=1e-12)
    plain = bin_sums(codes, bins, y)
    np.testing.assert_allclose(response_sums(codes, bins, np.array([y, 2 * y])), plain.sums * [[1], [2]])
    assert (plain.weights == plain.counts).all()
