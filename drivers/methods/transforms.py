"""The functions of the formula language, as patsy calls them.

`scale` and `poly` learn from all complete pixels of the table, not from each stratum: a slope then means
the same in every stratum. Standardisation within a stratum is what `std_estimate` is for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import patsy
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Poly:
    """Orthogonal polynomials of degree 1 to d, scaled to unit length, as R's `poly`.

    Notes
    -----
    The three-term recurrence of Kennedy & Gentle (1980, Statistical Computing, pp. 343-344):
    P_{j+1} = (x - α_j) P_j - (|P_j|² / |P_{j-1}|²) P_{j-1}; the columns are P_j / |P_j|.
    """

    def __init__(self) -> None:
        self._chunks: list[Array] = []
        self._centres: list[float] = []
        self._squares: list[float] = []

    def memorize_chunk(self, x: Array, degree: int) -> None:
        """Keep some rows; orthogonality needs all of them at once."""
        self._chunks.append(np.asarray(x, dtype=np.float64))
        self._degree = degree

    def memorize_finish(self) -> None:
        """Find the recurrence's constants."""
        x = np.concatenate(self._chunks)
        self._chunks = []
        before, now = np.zeros_like(x), np.ones_like(x)
        squares = [float(now @ now)]
        for _ in range(self._degree):
            centre = float((x * now) @ now / squares[-1])
            ratio = squares[-1] / squares[-2] if len(squares) > 1 else 0.0
            before, now = now, (x - centre) * now - ratio * before
            self._centres.append(centre)
            squares.append(float(now @ now))
        self._squares = squares

    def transform(self, x: Array, degree: int) -> Array:
        """The columns at some rows, shape (m, degree)."""
        x = np.asarray(x, dtype=np.float64)
        before, now = np.zeros_like(x), np.ones_like(x)
        columns = []
        for j in range(degree):
            ratio = self._squares[j] / self._squares[j - 1] if j else 0.0
            before, now = now, (x - self._centres[j]) * now - ratio * before
            columns.append(now / np.sqrt(self._squares[j + 1]))
        return np.column_stack(columns)


class Scale:
    """(x - mean) / sd with divisor n - 1, as R's `scale`."""

    def __init__(self) -> None:
        self._n, self._mean, self._m2 = 0, 0.0, 0.0

    def memorize_chunk(self, x: Array) -> None:
        """Add some rows to the running moments."""
        x = np.asarray(x, dtype=np.float64)
        if len(x) == 0:
            return
        mean, n = float(x.mean()), self._n + len(x)
        apart = mean - self._mean
        self._m2 += float(((x - mean) ** 2).sum()) + apart**2 * self._n * len(x) / n
        self._mean += apart * len(x) / n
        self._n = n

    def memorize_finish(self) -> None:
        """Nothing is left to do."""

    def transform(self, x: Array) -> Array:
        """The scaled rows."""
        return np.asarray((np.asarray(x, dtype=np.float64) - self._mean) / np.sqrt(self._m2 / (self._n - 1)))


TRANSFORMS: dict[str, Any] = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "poly": patsy.stateful_transform(Poly),
    "scale": patsy.stateful_transform(Scale),
}
"""Name -> function for every function of the language that patsy evaluates (`C` and `I` are ours)."""
