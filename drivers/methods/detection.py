"""The geodetector on one sample: factor, interaction, risk and ecological detectors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.driver_classes import Classes, cut_driver
from drivers.methods.driver_sample import DriverSample
from drivers.methods.neighbours import (
    ErrorBlocks,
    Neighbours,
    error_blocks,
    find_neighbours,
    independent_covariance,
    spatial_folds,
)
from drivers.spec.options import GeodetectorOptions
from drivers.stats.binning import response_sums
from drivers.stats.interaction import interaction_type, pair_sums
from drivers.stats.optimal import optimal_between
from drivers.stats.q import (
    ClassSums,
    Cuts,
    QTest,
    adjusted_q,
    gd_factor,
    q_test,
    surrogate_q,
)
from drivers.stats.q_error import q_influence, q_std_error
from drivers.stats.surrogates import PartitionNull, partition_null

Array = NDArray[np.float64]

WORKERS = os.cpu_count() or 1
"""Threads over drivers; each driver is worked on by one, so their number changes nothing."""

BATCH = 2_000_000
"""Values of surrogate responses held at once: 16 MB."""


@dataclass(frozen=True)
class Factor:
    """The factor detector of one driver."""

    classes: Classes
    sums: ClassSums
    """What its chosen classes hold."""
    q: float
    null: PartitionNull | None
    """What chance alone does to these classes; None for a single class."""
    covariance: Array
    """Of the class means of a response of unit variance, shape (K, K)."""
    independent: Array
    """The same as if pixels were independent."""
    test: QTest
    p_value: float
    p_classical: float
    p_max: float
    q_adjusted: float
    q_crossfit: float
    std_error: float
    """Of q, from spatial blocks; from pixels where they count as independent."""

    @property
    def label(self) -> str:
        """The driver's name."""
        return self.classes.driver.label

    @property
    def group(self) -> str:
        """The driver's group."""
        return self.classes.driver.group

    @property
    def n_effective(self) -> float:
        """Independent pixels that the test counts on."""
        return self.null.n_effective if self.null is not None else float("nan")


@dataclass(frozen=True, slots=True)
class Pair:
    """The interaction detector of two drivers."""

    a: Factor
    b: Factor
    q_a: float
    q_b: float
    q_ab: float
    q_adjusted: float
    kind: str
    n: int
    n_effective: float
    """Independent pixels that its tests count on: the fewer of its two drivers'."""


@dataclass(frozen=True)
class Detection:
    """All detectors on one sample."""

    sample: DriverSample
    neighbours: Neighbours
    errors: str
    """What p-values count: `classical`, `effective` or `GD`."""
    factors: tuple[Factor, ...]
    pairs: tuple[Pair, ...]


def detect(
    sample: DriverSample, options: GeodetectorOptions, rng: np.random.Generator, *, crossed: bool = True
) -> Detection:
    """Run the detectors on a sample.

    Parameters
    ----------
    sample : the pixels
    options : of the model
    rng : for folds and surrogate responses
    crossed : whether pairs of drivers are wanted

    Raises
    ------
    FitError
        If the response does not vary, or no driver has a q.
    """
    if sample.n < 2 or np.ptp(sample.response) == 0:
        raise FitError("the response is constant here" if sample.n > 1 else "one pixel has no variance")
    neighbours = find_neighbours(sample)
    made = None
    if options.folds > 1:
        made = spatial_folds(sample.n, neighbours, options.folds, options.block, rng)
    folds, n_folds = (made.folds, made.n_folds) if made is not None else (None, 1)
    with ThreadPoolExecutor(WORKERS) as pool:
        cut = list(pool.map(lambda c: cut_driver(c, sample, options, folds, n_folds), sample.drivers))
        _require_some(cut)
        p_max = _p_max(cut, sample, neighbours, options.permutations, rng, pool)
        effective = neighbours.lattice is not None and options.errors != "classical"
        errors = "GD" if options.compat else "effective" if effective else "classical"
        blocks = None if errors == "classical" else error_blocks(neighbours, options.block)
        factors = tuple(pool.map(lambda c, p: _factor(c, p, sample, neighbours, errors, blocks), cut, p_max))
        pairs = tuple(_pairs(factors, sample, pool, gd=errors == "GD")) if crossed else ()
    return Detection(sample, neighbours, errors, factors, pairs)


def _require_some(cut: Sequence[Classes]) -> None:
    if all(np.isnan(c.q) for c in cut):
        reasons = "; ".join(f"`{c.driver.label}`: {c.note}" for c in cut)
        raise FitError(f"no driver has a q here ({reasons})")


def _factor(
    classes: Classes,
    p_max: float,
    sample: DriverSample,
    neighbours: Neighbours,
    errors: str,
    blocks: ErrorBlocks | None,
) -> Factor:
    nothing = QTest(*[float("nan")] * 5)
    sums = classes.class_sums() if classes.candidate is not None else ClassSums(*[np.zeros(0)] * 4)
    k = classes.n_classes
    if classes.candidate is None or k < 2:
        nan = float("nan")
        none = np.zeros((k, k))
        return Factor(classes, sums, classes.q, None, none, none, nothing, nan, nan, nan, nan, nan, nan)
    alone = independent_covariance(classes.codes, sums.counts, sample.weights)
    near = neighbours.covariance(classes.codes, k, sample.weights) if errors == "effective" else None
    covariance = alone if near is None else near
    null, plain_null = (partition_null(sums.weights, c) for c in (covariance, alone))
    q = classes.q
    test = q_test(q, null.expected_q, null.df, null.df_residual)
    plain = q_test(q, plain_null.expected_q, plain_null.df, plain_null.df_residual)
    p_value = test.p_value
    if errors == "GD":
        pooled = classes.sums.pooled()
        whole = ClassSums(*(part[0] for part in (pooled.counts, pooled.weights, pooled.sums, pooled.squares)))
        q, p_value = gd_factor(sums, whole, sample.centre / sample.unit)
    return Factor(
        classes,
        sums,
        q,
        null,
        covariance,
        alone,
        test,
        p_value,
        plain.p_value,
        p_max,
        adjusted_q(q, null.expected_q),
        classes.crossfit() if len(classes.sums.counts) > 1 else float("nan"),
        _std_error(classes, sample, blocks),
    )


def _std_error(classes: Classes, sample: DriverSample, blocks: ErrorBlocks | None) -> float:
    """The standard error of a driver's q; the blocks are those of all drivers."""
    found = q_influence(
        sample.centred,
        classes.codes,
        classes.n_classes,
        None if blocks is None else blocks.codes,
        weights=sample.weights,
        unclassed=classes.lossy,
    )
    return q_std_error(found, None if blocks is None else blocks.borders)


def _p_max(
    cut: Sequence[Classes],
    sample: DriverSample,
    neighbours: Neighbours,
    draws: int,
    rng: np.random.Generator,
    pool: ThreadPoolExecutor,
) -> list[float]:
    """For every driver the share of surrogate responses whose best candidate is as good as the chosen one."""
    tested = [c if c.candidate is not None and c.n_classes > 1 else None for c in cut]
    if not draws or not any(tested):
        return [float("nan")] * len(cut)
    reached = np.zeros(len(cut))
    fields = neighbours.surrogates(sample.response, draws, rng)
    size = max(1, BATCH // sample.n)
    for start in range(0, draws, size):
        batch = np.array([next(fields) for _ in range(min(size, draws - start))])
        batch -= sample.centre
        batch /= sample.unit
        counts = pool.map(lambda c, batch=batch: 0 if c is None else _as_good(c, batch, sample), tested)
        reached += np.fromiter(counts, dtype=np.float64, count=len(cut))
    return [
        float("nan") if c is None else (1.0 + hits) / (draws + 1.0)
        for c, hits in zip(tested, reached, strict=True)
    ]


def _as_good(classes: Classes, batch: Array, sample: DriverSample) -> int:
    """How many surrogates reach the driver's q with their own best candidate."""
    size = classes.sums.counts.shape[1]
    pooled = classes.sums.pooled()
    fixed = [c for c in classes.candidates if c.eligible and c.method != "optimal"]
    lossy = any(c.edges is not None and (c.edges[0] > 0 or c.edges[-1] < size) for c in fixed)
    complete = classes.n == sample.n and sample.weights is None
    weighted = batch if sample.weights is None else batch * sample.weights
    sums = response_sums(classes.bins, size, weighted)
    if complete and not lossy:
        squares = np.einsum("ij,ij->i", batch, batch)[:, None]
    else:
        squares = response_sums(classes.bins, size, weighted * batch)
    largest = np.full(len(batch), -np.inf)
    if fixed:
        cuts = Cuts.of([c.edges for c in fixed if c.edges is not None])
        largest = surrogate_q(sums, squares, pooled.weights[0], cuts)
    free = sorted({c.n_classes for c in classes.candidates if c.method == "optimal" and c.eligible})
    if free:
        between = optimal_between(pooled.weights[0], sums, pooled.counts[0], free)
        mean = sums.sum(axis=1) ** 2 / pooled.weights.sum()
        total = squares.sum(axis=1) - mean
        largest = np.maximum(largest, (np.nanmax(between, axis=1) - mean) / total)
    return int((largest >= classes.q - 1e-12).sum())


def _pairs(
    factors: Sequence[Factor], sample: DriverSample, pool: ThreadPoolExecutor, *, gd: bool
) -> list[Pair]:
    able = [f for f in factors if f.q == f.q]
    found = pair_sums(
        [f.classes.codes for f in able],
        [f.classes.n_classes + f.classes.lossy for f in able],
        sample.centred,
        sample.weights,
        complete=all(f.classes.n == sample.n for f in able),
        each=pool.map,
    )
    out = []
    for (a, b), sums in zip(combinations(able, 2), found, strict=True):
        q_a, q_b = (a.q, b.q) if gd else (sums.q_of(0), sums.q_of(1))
        q_ab = sums.q_without_singles() if gd else sums.q()
        cells, n = int((sums.counts > 0).sum()), int(sums.counts.sum())
        worth = float(min([n, *(f.n_effective for f in (a, b) if f.null is not None)]))
        adjusted = adjusted_q(q_ab, (cells - 1) / (worth - 1)) if worth > cells else float("nan")
        out.append(Pair(a, b, q_a, q_b, q_ab, adjusted, interaction_type(q_a, q_b, q_ab), n, worth))
    return out
