"""Ways of holding pixels out: a holdout, random folds, folds of spatial blocks, and kNNDM folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.methods.boosting import Pixels, Setting, grow_forest
from drivers.methods.cross_validation import CrossValidated, FoldedPixels, cross_validate
from drivers.methods.driver_sample import DriverSample
from drivers.methods.neighbours import (
    Folds,
    SpatialFolds,
    find_neighbours,
    reaching_as_far,
    spatial_folds,
)
from drivers.methods.positions import Positions, lattice_of
from drivers.progress import Parts
from drivers.stats.knndm import Knndm, knndm_folds

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Validation:
    """Held-out predictions by one scheme.

    Attributes
    ----------
    scheme : holdout, random, block or knndm
    rows : pixels of the sample that take part, shape (m,)
    folds : fold of each of them, shape (m,); all 0 for the holdout
    n_folds : their number
    predicted : held-out predictions, shape (m,)
    n_train : pixels behind the predictions of each fold, shape (n_folds,)
    influence : share of each driver in the gain of each fold's forest, shape (n_folds, d); None for a holdout
    """

    scheme: str
    rows: Rows
    folds: Folds
    n_folds: int
    predicted: Array
    n_train: NDArray[np.intp]
    influence: Array | None = None

    @classmethod
    def of_holdout(cls, rows: Rows, predicted: Array, n_train: int) -> Validation:
        """Pixels that no fold has seen."""
        return cls("holdout", rows, np.zeros(len(rows), dtype=np.uint8), 1, predicted, np.array([n_train]))

    @classmethod
    def of_folds(cls, scheme: str, rows: Rows, folded: FoldedPixels, found: CrossValidated) -> Validation:
        """Predictions of each fold by a forest of the others."""
        sizes = np.bincount(folded.folds, minlength=folded.n_folds)
        influence = np.array([forest.influence(found.n_trees) for forest in found.forests])
        return cls(scheme, rows, folded.folds, folded.n_folds, found.predicted, len(rows) - sizes, influence)


@dataclass(frozen=True, slots=True)
class Settled:
    """What the random folds have chosen, to be tried on other folds.

    Attributes
    ----------
    pixels, rows : the pixels that take part, and their rows in the sample, shape (m,)
    setting, n_trees : of the forests
    """

    pixels: Pixels
    rows: Rows
    setting: Setting
    n_trees: int

    def on_holdout(self, held: Rows, matrix: NDArray[np.float32]) -> Validation:
        """Predictions of a forest of all pixels for others."""
        forest = grow_forest(self.pixels, self.setting, self.n_trees)
        return Validation.of_holdout(held, forest.predict(matrix), len(self.rows))

    def on_folds(self, scheme: str, folds: Folds, n_folds: int, parts: Parts) -> Validation:
        """Predictions of each fold by a forest of the others; every fold is a part."""
        folded = FoldedPixels(self.pixels, folds, n_folds)
        n = self.n_trees
        found = cross_validate(folded, self.setting, n_trees=n, max_trees=n, parts=parts)
        return Validation.of_folds(scheme, self.rows, folded, found)


def deal(pixels: Pixels, train: float, n_folds: int, rng: np.random.Generator) -> tuple[Rows, Rows, Folds]:
    """Pixels for training and for the holdout, both ascending, and the random fold of those for training.

    The two classes of a binomial response are dealt evenly, so that rare events are in all folds as far as
    they go (dismo's `prev.stratify`).
    """
    order = rng.permutation(pixels.n)
    n_train = round(train * pixels.n)
    if pixels.family != "binomial":
        inside, held = np.sort(order[:n_train]), np.sort(order[n_train:])
        return inside, held, np.asarray(rng.permutation(np.arange(n_train) % n_folds), dtype=np.uint8)
    order = order[np.argsort(pixels.response[order], kind="stable")]
    n_held = pixels.n - n_train
    out = np.zeros(pixels.n, dtype=bool)
    out[((np.arange(n_held) + rng.uniform()) * pixels.n / max(n_held, 1)).astype(np.intp)] = True
    held, inside = np.sort(order[out]), order[~out]
    dealt = np.empty(pixels.n, dtype=np.uint8)
    dealt[inside] = np.arange(n_train) % n_folds
    inside = np.sort(inside)
    return inside, held, dealt[inside]


def block_folds(
    sample: DriverSample,
    rows: Rows,
    folds: int,
    side: float | None,
    residuals: Array,
    rng: np.random.Generator,
) -> SpatialFolds | None:
    """Folds of whole square blocks; None where the table has no coordinates, or one block alone.

    Parameters
    ----------
    rows : pixels of the sample that take part, shape (m,)
    side : of the blocks; None for as far as the response's or the residuals' correlogram reaches
    residuals : response less the predictions of random folds at these pixels, shape (m,)
    """
    if sample.positions is None:
        return None
    neighbours = find_neighbours(sample, correlated=side is None)
    if neighbours.lattice is None:
        return None
    if side is None:
        neighbours = reaching_as_far(neighbours, rows, residuals)
    found = spatial_folds(sample.n, neighbours, folds, side, rng)
    if found is None:
        return None
    labels, codes = np.unique(found.folds[rows], return_inverse=True)
    return SpatialFolds(codes.astype(np.uint8), len(labels), found.side) if len(labels) > 1 else None


def matched_folds(positions: Positions, trained: Rows, folds: int, rng: np.random.Generator) -> Knndm | None:
    """kNNDM folds of the trained pixels among all of a stratum's; None where these are in one place.

    Parameters
    ----------
    positions : of all pixels that are to be predicted, the trained ones too
    trained : the places of the trained pixels among them, shape (n,)
    """
    lattice = lattice_of(positions)
    if lattice.shape == (1, 1):
        return None
    places = np.column_stack([lattice.column * lattice.width, lattice.row * lattice.height]).astype(float)
    at = places[trained]
    return knndm_folds(at, places, folds, rng) if (at != at[0]).any() else None
