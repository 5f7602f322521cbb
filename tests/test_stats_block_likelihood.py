"""Likelihoods of block means: few enough blocks, and the same for columns and combinations of them."""

import numpy as np
import pytest

from drivers.stats.block_likelihood import block_likelihood
from drivers.stats.effective import BLOCKS
from drivers.stats.lagged import lagged_moments
from drivers.stats.lattice import make_lattice


def square(side):
    north, east = (v.ravel() for v in np.mgrid[0:side, 0:side])
    return make_lattice(east * 1.0, north * 1.0)


@pytest.mark.parametrize("most", BLOCKS)
def test_blocks_are_no_more_than_allowed(most):
    lagged = lagged_moments(np.random.default_rng(0).normal(size=(1, 2500)), square(50))
    found = block_likelihood(lagged, most)
    assert most / 3 < found.blocks <= most
    assert found.precision.shape == (len(found.log_det), 2, 2)
    assert np.isfinite(found.precision).all()


def test_combinations_of_block_means():
    rng = np.random.default_rng(1)
    columns, weights = rng.normal(size=(3, 900)), rng.normal(size=(2, 3))
    base = block_likelihood(lagged_moments(columns, square(30)), 36)
    made = block_likelihood(lagged_moments(np.vstack([columns, weights @ columns]), square(30)), 36)
    np.testing.assert_allclose(base.extend(weights).precision, made.precision, rtol=1e-8, atol=1e-8)
