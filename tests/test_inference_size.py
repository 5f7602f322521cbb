"""The quick version of tests/calibration/inference.py: a planted world through the whole of a piecewise SEM.

Seeds are fixed, so a test fails always or never. A right method fails a bound below in one of ten thousand
choices of seeds (`CHANCE`), taking each test at its nominal rate; that is wide: 0.05 of 144 tests is 7, and
up to 19 pass. The rates to a digit more are in docs/inference.md.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats

CHANCE = 1e-4
LEVEL = 0.05
SEEDS = range(24)
MAPS = [("48 × 48", 2.0), ("patches", 2.0)]
"""Map and range of all fields; some 350 and 120 independent pixels."""

EFFECTIVE, BLOCK = 1, 2


@cache
def found(shape: str, reach: float) -> list[tuple[np.ndarray, ...]]:
    """(p of the path of nil, p of claims, p of Fisher's C, intervals that hold) of every seed."""
    from tests.calibration.inference import World, one

    seeds = [one(World(shape, reach, reach), seed) for seed in SEEDS]
    return [(s.nil, s.claims, np.array(s.model), s.held) for s in seeds]


def most(tests: int) -> int:
    """Rejections that a test of the right size exceeds by chance alone."""
    return int(stats.binom.isf(CHANCE, tests, LEVEL))


@pytest.mark.parametrize(("shape", "reach"), MAPS)
def test_size_of_coefficients_and_claims(shape: str, reach: float) -> None:
    """144 claims and 24 paths of nil: at most 19 and 7 rejected; as if pixels were independent, a third."""
    nil = np.array([one[0] for one in found(shape, reach)])
    claims = np.array([one[1] for one in found(shape, reach)])
    assert np.isfinite(nil).all()
    assert np.isfinite(claims).all()
    for kind in (EFFECTIVE, BLOCK):
        assert (nil[:, kind] < LEVEL).sum() <= most(len(nil)) == 7
        assert (claims[:, kind] < LEVEL).sum() <= most(claims[:, kind].size) == 19
    assert (claims[:, 0] < LEVEL).mean() > 0.2


@pytest.mark.parametrize(("shape", "reach"), MAPS)
def test_a_true_model_is_not_rejected(shape: str, reach: float) -> None:
    """Fisher's C of 24 true models: at most 7 rejected; as if pixels were independent, most."""
    classical, effective = np.array([one[2] for one in found(shape, reach)]).T
    assert (effective < LEVEL).sum() <= most(len(effective))
    assert (classical < LEVEL).mean() > 0.6


@pytest.mark.parametrize(("shape", "reach"), MAPS)
def test_intervals_hold_the_truth(shape: str, reach: float) -> None:
    """Each of the first four quantities by effective, block and bootstrap: at least 17 of 24."""
    held = np.array([one[3] for one in found(shape, reach)])[:, :4]
    assert np.isfinite(held).all()
    assert (held[:, :, 1:].sum(axis=0) >= len(held) - most(len(held))).all()
    assert held[:, :, 0].mean() < 0.8


def test_strata_without_a_difference() -> None:
    """8 studies of four land uses: at most 4 show a difference; if pixels were independent, nearly all."""
    from tests.calibration.inference import Planted, compared

    false = np.array([compared(Planted(48, 2, 0.0), seed)[:, :, 1] for seed in range(8)])
    wrong = (false > 0).sum(axis=0)
    assert (wrong[EFFECTIVE] <= most(8)).all()
    assert most(8) == 4
    assert (wrong[0] > 4).any()
