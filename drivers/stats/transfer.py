"""Area that passed from each class to each other class between two years, and what follows from it.

Pontius, Shusas & McEachern 2004, doi:10.1016/j.agee.2003.09.008.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Codes = NDArray[np.integer]

CHUNK_PIXELS = 1 << 20
"""Pixels at a time: what is made of their codes takes 16 MB."""


@dataclass(frozen=True, slots=True)
class Flows:
    """Changes between classes, largest area first; every array has shape (flows,).

    Attributes
    ----------
    source, target : class before and after, never the same
    area, pixels : that passed
    """

    source: NDArray[np.intp]
    target: NDArray[np.intp]
    area: Array
    pixels: Counts


@dataclass(frozen=True, slots=True)
class Transfer:
    """Area by class before (rows) and after (columns); those of two parts of a region add up (`+`).

    Attributes
    ----------
    area, pixels : shape (K, K); their sums are over the pixels with a class in both years
    missing_area, missing_pixels : of the pixels without a class in either year

    Notes
    -----
    Per class j, with P its share of the matrix: gain P+j - Pjj, loss Pj+ - Pjj, swap 2 min(gain, loss), total
    change gain + loss = |net| + swap (Pontius et al. 2004).
    """

    area: Array
    pixels: Counts
    missing_area: float
    missing_pixels: int

    def __add__(self, other: Transfer) -> Transfer:
        return Transfer(
            self.area + other.area,
            self.pixels + other.pixels,
            self.missing_area + other.missing_area,
            self.missing_pixels + other.missing_pixels,
        )

    @property
    def before(self) -> Array:
        """Area of each class in the first year, shape (K,)."""
        return np.asarray(self.area.sum(axis=1))

    @property
    def after(self) -> Array:
        """Area of each class in the second year, shape (K,)."""
        return np.asarray(self.area.sum(axis=0))

    @property
    def persistence(self) -> Array:
        """Area that each class held in both years, shape (K,)."""
        return np.diagonal(self.area).copy()

    @property
    def gain(self) -> Array:
        """Area that came to each class from others, shape (K,)."""
        return np.asarray(self._changed().sum(axis=0))

    @property
    def loss(self) -> Array:
        """Area that went from each class to others, shape (K,)."""
        return np.asarray(self._changed().sum(axis=1))

    @property
    def net(self) -> Array:
        """Gain less loss, shape (K,); its absolute value is the net change of Pontius et al."""
        return np.asarray(self.gain - self.loss)

    @property
    def swap(self) -> Array:
        """Area lost in one place and gained in another, counted in both, shape (K,)."""
        return np.asarray(2.0 * np.minimum(self.gain, self.loss))

    @property
    def changed(self) -> float:
        """Area whose class is another; half the sum of gains and losses, which count it twice."""
        return float(self._changed().sum())

    def flows(self) -> Flows:
        """All changes between classes that occurred, largest area first."""
        source, target = np.nonzero(self.pixels - np.diag(np.diagonal(self.pixels)))
        order = np.argsort(-self.area[source, target], kind="stable")
        source, target = source[order], target[order]
        return Flows(source, target, self.area[source, target], self.pixels[source, target])

    def _changed(self) -> Array:
        """The matrix with a nil diagonal: sums off it lose no digits to the large areas that stayed."""
        return np.asarray(self.area - np.diag(np.diagonal(self.area)))


def transfer_matrix(before: Codes, after: Codes, n_classes: int, areas: Array | None = None) -> Transfer:
    """Area and pixels by class in one year and class in another.

    Parameters
    ----------
    before, after : class of each pixel, 0 to K - 1, or -1 where missing; shape (n,)
    n_classes : K
    areas : of the pixels, shape (n,); 1 each if None

    Raises
    ------
    ValueError
        codes outside -1 to K - 1, no class, shapes that differ, or areas that are negative or not finite

    Notes
    -----
    Memory beyond the matrix does not grow with n.

    Examples
    --------
    >>> found = transfer_matrix(np.array([0, 0, 0, 1, 1, -1]), np.array([0, 1, 1, 0, 1, 1]), 2)
    >>> found.area.tolist(), found.missing_pixels
    ([[1.0, 2.0], [1.0, 1.0]], 1)
    >>> found.gain.tolist(), found.loss.tolist(), found.net.tolist(), found.swap.tolist()
    ([1.0, 2.0], [2.0, 1.0], [-1.0, 1.0], [2.0, 2.0])
    >>> found.flows().source.tolist(), found.flows().target.tolist(), found.flows().area.tolist()
    ([0, 1], [1, 0], [2.0, 1.0])
    """
    k = n_classes
    if k < 1:
        raise ValueError(f"{k} classes; a transfer matrix needs at least 1")
    if before.ndim != 1 or before.shape != after.shape:
        raise ValueError(f"codes have shapes {before.shape} and {after.shape}; both need (pixels,)")
    if areas is not None and areas.shape != before.shape:
        raise ValueError(f"areas have shape {areas.shape} and codes {before.shape}")
    if areas is not None and not (np.isfinite(areas).all() and (areas >= 0).all()):
        raise ValueError("areas must be finite and not negative")
    for codes in (before, after):
        if len(codes) and not -1 <= int(codes.min()) <= int(codes.max()) < k:
            raise ValueError(f"codes run from {codes.min()} to {codes.max()}; they must lie in -1 to {k - 1}")
    area, pixels = np.zeros((k + 1) ** 2), np.zeros((k + 1) ** 2, dtype=np.int64)
    for start in range(0, len(before), CHUNK_PIXELS):
        here = slice(start, start + CHUNK_PIXELS)
        # A row and a column ahead of the classes hold what is missing.
        cell = (before[here].astype(np.int64) + 1) * (k + 1) + (after[here].astype(np.int64) + 1)
        pixels += np.bincount(cell, minlength=len(pixels))
        if areas is not None:
            area += np.bincount(cell, areas[here], minlength=len(area))
    if areas is None:
        area = pixels.astype(np.float64)
    counted, held = pixels.reshape(k + 1, k + 1), area.reshape(k + 1, k + 1)
    return Transfer(
        held[1:, 1:].copy(),
        counted[1:, 1:].copy(),
        float(held[0].sum() + held[1:, 0].sum()),
        int(counted[0].sum() + counted[1:, 0].sum()),
    )
