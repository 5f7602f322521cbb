"""Blocks partition the pixels, folds partition the blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats.blocks import (
    FEWEST_BLOCKS,
    MOST_BLOCKS,
    block_folds,
    block_grid,
    block_side,
    square_blocks,
)
from drivers.stats.correlogram import INDEPENDENT, Correlogram


def grid(rows, columns, step=1.0):
    y, x = (v.ravel() * step for v in np.mgrid[:rows, :columns])
    return x, y


@given(st.floats(0.5, 60.0), st.integers(0, 100))
def test_blocks_are_squares_that_hold_every_pixel_once(side, seed):
    x, y = np.random.default_rng(seed).random((2, 500)) * 100.0
    blocks = square_blocks(x, y, side)
    assert blocks.dtype == np.int64
    assert set(blocks.tolist()) == set(range(blocks.max() + 1))
    for block in range(blocks.max() + 1):
        assert np.ptp(x[blocks == block]) <= side * (1 + 1e-5)
        assert np.ptp(y[blocks == block]) <= side * (1 + 1e-5)


@given(st.floats(0.5, 60.0), st.integers(0, 100))
def test_blocks_have_the_places_of_their_pixels(side, seed):
    x, y = np.random.default_rng(seed).random((2, 500)) * 100.0
    found = block_grid(x, y, side)
    assert found.codes.tolist() == square_blocks(x, y, side).tolist()
    assert len(found.row) == len(found.column) == found.codes.max() + 1
    # A block's corner is at (column, row) sides from the south-west; float noise of `EDGE` apart.
    for place, v in ((found.column, x), (found.row, y)):
        inside = (v - v.min()) / side - place[found.codes]
        assert inside.min() > -1e-5
        assert inside.max() < 1 + 1e-5


def test_places_are_numbered_from_the_south_west_and_may_have_gaps():
    found = block_grid(np.array([0.0, 5.0, 0.0]), np.array([0.0, 0.0, 7.0]), 1.0)
    assert (found.row.tolist(), found.column.tolist()) == ([0, 0, 7], [0, 5, 0])


def test_float_noise_does_not_move_pixels_over_a_line():
    x, y = grid(30, 30, 0.1)
    sizes = np.bincount(square_blocks(x, y, 0.3))
    assert sizes.tolist() == [9] * 100


def test_side_is_the_practical_range_where_blocks_allow():
    x, y = grid(100, 100)
    correlogram = Correlogram(0.1, 4.0, 0.5)
    assert block_side(correlogram, x, y) == pytest.approx(correlogram.practical_range)


@pytest.mark.parametrize("shape", [(100, 100), (16, 400), (7, 9)])
def test_side_leaves_enough_blocks_and_not_too_many(shape):
    x, y = grid(*shape)
    long = square_blocks(x, y, block_side(Correlogram(0.0, 1e4, np.inf), x, y))
    assert FEWEST_BLOCKS <= long.max() + 1 <= 2 * FEWEST_BLOCKS
    short = square_blocks(x, y, block_side(INDEPENDENT, x, y))
    assert min(len(x), MOST_BLOCKS) / 2 <= short.max() + 1 <= MOST_BLOCKS
    assert square_blocks(x, y, block_side(Correlogram(0.0, 1e4, 0.5), x, y, fewest=5)).max() + 1 >= 5


def test_side_in_kilometres_and_at_one_place():
    x, y = grid(100, 100, 0.01)
    correlogram = Correlogram(0.1, 4.0, 0.5)
    assert block_side(correlogram, x, y, geographic=True) == pytest.approx(correlogram.practical_range)
    assert square_blocks(x, y, 12.0, geographic=True).max() + 1 == 100
    assert block_side(INDEPENDENT, np.zeros(4), np.zeros(4)) == 1.0


@given(st.integers(2, 12), st.integers(0, 1000))
def test_folds_hold_whole_blocks_and_are_balanced(folds, seed):
    rng = np.random.default_rng(seed)
    blocks = np.unique(rng.integers(0, 40, 600), return_inverse=True)[1].astype(np.int64)
    fold = block_folds(blocks, folds, np.random.default_rng(seed))
    assert fold.dtype == np.uint8
    assert set(fold.tolist()) == set(range(folds))
    for block in range(blocks.max() + 1):
        assert len(set(fold[blocks == block].tolist())) == 1
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= np.bincount(blocks).max()
    assert (fold == block_folds(blocks, folds, np.random.default_rng(seed))).all()


def test_another_seed_gives_other_folds():
    blocks = np.arange(100)
    first, second = (block_folds(blocks, 5, np.random.default_rng(s)) for s in (1, 2))
    assert (first != second).any()


def test_messages():
    with pytest.raises(ValueError, match=r"folds must be 2 to 3 \(3 blocks\), not 4"):
        block_folds(np.arange(3), 4, np.random.default_rng(1))
    with pytest.raises(ValueError, match="the side of a block must be positive, not 0"):
        square_blocks(np.zeros(2), np.zeros(2), 0.0)
