"""A driver cut into classes: every candidate with its q, and the one that is chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drivers.methods.driver_sample import DriverSample, Levels, Numbers
from drivers.spec.bound import Driver
from drivers.spec.options import Discretize, GeodetectorOptions
from drivers.stats.binning import BinSums, Codes, bin_codes, bin_sums
from drivers.stats.breaks import Breaks, rule_breaks
from drivers.stats.optimal import optimal_partition
from drivers.stats.q import FEWEST_IN_CLASS, ClassSums, Cuts, best, candidate_q, crossfit_q, smallest_class

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

MOST_LEVELS = 1000
"""Levels of a categorical driver; what has more is an identifier."""

FINE_BINS = 512
"""Bins among which `optimal` looks for limits, beside those of the other rules: 0.2 % of the pixels each."""


EMPTY = "a class is empty"
SINGLE = "a class has a single pixel"
"""Why a candidate with limits cannot be chosen."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to cut a driver, with its q."""

    method: str
    n_classes: int
    limits: Array | None
    """Shape (k + 1,); None for levels, and where the rule gives none."""
    edges: Indices | None
    """The limits as positions among the bins, shape (k + 1,)."""
    q: float
    reason: str = ""
    gap: float = 0.0
    eligible: bool = False
    """Whether it may be chosen."""


@dataclass(frozen=True)
class Classes:
    """A driver on a sample, after the one pass over its pixels."""

    driver: Driver
    labels: tuple[str, ...]
    """The levels of a categorical driver; empty for numbers."""
    n: int
    """Pixels with a value."""
    bins: Codes
    """The fine bin of each pixel, shape (n of the sample,); `sums.counts.shape[1]` where missing."""
    sums: BinSums
    candidates: tuple[Candidate, ...]
    chosen: int | None
    note: str = ""
    """Why there is no q, or why it is 0."""

    @property
    def candidate(self) -> Candidate | None:
        """The candidate that was chosen."""
        return None if self.chosen is None else self.candidates[self.chosen]

    @property
    def n_classes(self) -> int:
        """Classes of the chosen candidate; 1 where the driver does not vary."""
        found = self.candidate
        return 1 if found is None or found.edges is None else len(found.edges) - 1

    @property
    def q(self) -> float:
        """q of the chosen candidate; 0 for a constant driver, NaN where there is none."""
        found = self.candidate
        return found.q if found is not None else float("nan")

    def class_sums(self) -> ClassSums:
        """What the chosen classes hold."""
        pooled = self.sums.pooled()
        assert self.candidate is not None
        assert self.candidate.edges is not None
        cuts = Cuts.of([self.candidate.edges])
        parts = (pooled.counts, pooled.weights, pooled.sums, pooled.squares)
        return ClassSums(*(cuts.over(part[0]) for part in parts))

    @property
    def lossy(self) -> bool:
        """Whether some pixels with a value are in no class, which only GD's breaks can do."""
        found = self.candidate
        if found is None or found.edges is None:
            return False
        return bool(found.edges[0] > 0 or found.edges[-1] < self.sums.counts.shape[1])

    @cached_property
    def codes(self) -> Codes:
        """The chosen class of each pixel, shape (n,).

        Pixels in no class have code `n_classes`; missing ones have the code after all others.
        """
        found = self.candidate
        size = self.sums.counts.shape[1]
        class_of = np.full(size + 1, self.n_classes, dtype=np.uint16)
        class_of[size] += self.lossy
        if found is not None and found.edges is not None:
            first, last = found.edges[0], found.edges[-1]
            spans = np.diff(found.edges)
            class_of[first:last] = np.repeat(np.arange(len(spans), dtype=np.uint16), spans)
        return np.asarray(class_of[self.bins])

    def crossfit(self) -> float:
        """q predicted for each fold by what is chosen and learnt on the others."""
        if self.candidate is None:
            return float("nan")
        choices: list[tuple[BinSums, Indices | None]] = []
        for fold in range(len(self.sums.counts)):
            train = self.sums.without(fold)
            able = _with_optimal([c for c in self.candidates if c.eligible], train)
            edges = [c.edges for c in able if c.edges is not None]
            if not edges or train.counts.sum() == 0:
                choices.append((train, None))
                continue
            index = best(candidate_q(train, Cuts.of(edges)), [len(e) - 1 for e in edges])
            choices.append((train, None if index is None else edges[index]))
        return crossfit_q(self.sums, choices)


def cut_driver(
    column: Numbers | Levels,
    sample: DriverSample,
    options: GeodetectorOptions,
    folds: NDArray[np.uint8] | None = None,
    n_folds: int = 1,
) -> Classes:
    """All candidates of a driver with their q, and the choice: one sort and one pass over the pixels."""
    if isinstance(column, Levels):
        return _cut_levels(column, sample, folds, n_folds)
    missing = np.isnan(column.values)
    found = column.values[~missing] if missing.any() else column.values
    ordered = np.sort(found)
    if len(ordered) == 0 or ordered[0] == ordered[-1]:
        return _flat(column, sample, folds, n_folds, len(ordered))
    gd = options.compat == "GD"
    rules, fine = _rules(ordered, column.driver.label, options.discretize, gd=gd)
    inner = _bin_limits(ordered, rules, fine)
    bins = bin_codes(column.values, inner)
    size = len(inner) + 1
    sums = bin_sums(bins, size, sample.centred, weights=sample.weights, folds=folds, n_folds=n_folds)
    pooled = sums.pooled()
    placed = [_placed(rule, inner, ordered) for rule in rules]
    candidates = _with_q(_with_optimal(placed, pooled, inner, ordered), pooled, gd=gd)
    q = np.array([c.q if c.eligible else np.nan for c in candidates])
    chosen = best(q, [c.n_classes for c in candidates], first=gd)
    return Classes(
        column.driver, (), len(ordered), bins, sums, tuple(candidates), chosen, _note(candidates, chosen)
    )


def _note(candidates: Sequence[Candidate], chosen: int | None) -> str:
    """Why no candidate was chosen: what most of them lack; or that given breaks cut nothing."""
    if chosen is None:
        (most, _), *_ = Counter(c.reason for c in candidates).most_common(1)
        return f"no rule gives classes ({most})"
    if candidates[chosen].n_classes == 1:
        return "no given break lies inside its values"
    return ""


def _rules(ordered: Array, label: str, discretize: Discretize, *, gd: bool) -> tuple[list[Breaks], bool]:
    """The breaks that compete for a driver, and whether `optimal` is among them (still without limits)."""
    own = discretize.per_driver.get(label)
    if own is not None and own.breaks is not None:
        # The lowest value and the highest may be among them: outer limits, as breaks.csv has them.
        inside = [b for b in own.breaks if ordered[0] < b < ordered[-1]]
        limits = np.array([ordered[0], *inside, ordered[-1]])
        return [Breaks("manual", len(limits) - 1, limits)], False
    methods = (own.methods if own is not None else None) or discretize.methods
    low, high = (own.classes if own is not None else None) or discretize.classes
    if not gd:  # a driver of two values has two classes, whatever the lowest number asked for
        low = min(low, _distinct(ordered, low))
        high = max(low, high)
    classes = range(low, high + 1)
    found = iter(rule_breaks(ordered, [m for m in methods if m != "optimal"], classes, gd=gd))
    made = [Breaks("optimal", k, None) if m == "optimal" else next(found) for m in methods for k in classes]
    return made, "optimal" in methods


def _distinct(ordered: Array, most: int) -> int:
    """The number of different values, or `most` where there are more."""
    at = found = 0
    while at < len(ordered) and found < most:
        at = int(np.searchsorted(ordered, ordered[at], side="right"))
        found += 1
    return found


def _bin_limits(ordered: Array, rules: Sequence[Breaks], fine: bool) -> Array:
    """The inner limits of the bins: every limit of every rule, and a fine grid of values for `optimal`."""
    parts = []
    for rule in rules:
        if rule.values is None:
            continue
        low = [np.nextafter(rule.values[0], -np.inf)] if rule.values[0] > ordered[0] else []
        high = [rule.values[-1]] if rule.values[-1] < ordered[-1] else []
        parts.append(np.concatenate([low, rule.values[1:-1], high]))
    if fine:
        distinct = ordered[np.append(ordered[1:] != ordered[:-1], False)]
        if len(distinct) > FINE_BINS:
            distinct = ordered[np.arange(1, FINE_BINS) * len(ordered) // FINE_BINS]
        parts.append(distinct)
    inner = np.unique(np.concatenate(parts)) if parts else np.empty(0)
    return np.asarray(inner[inner < ordered[-1]])


def _placed(rule: Breaks, inner: Array, ordered: Array) -> Candidate:
    """A rule's limits as positions among the bins; values outside its limits are in no class."""
    plain = Candidate(rule.method, rule.n_classes, rule.values, None, float("nan"), rule.reason, rule.gap)
    limits = rule.values
    if limits is None:
        return plain
    edges = np.searchsorted(inner, limits, side="left") + 1
    edges[0] = np.searchsorted(inner, limits[0], side="left") if limits[0] > ordered[0] else 0
    if limits[-1] >= ordered[-1]:
        edges[-1] = len(inner) + 1
    return replace(plain, edges=edges.astype(np.intp))


def _with_optimal(
    candidates: Sequence[Candidate], bins: BinSums, inner: Array | None = None, ordered: Array | None = None
) -> list[Candidate]:
    """The candidates, `optimal` ones with the classes of bins that maximise q for their number of classes."""
    ks = [c.n_classes for c in candidates if c.method == "optimal"]
    if not ks:
        return list(candidates)
    found = iter(optimal_partition(bins.weights[0], bins.sums[0], bins.counts[0], ks, FEWEST_IN_CLASS))
    out = []
    for candidate in candidates:
        if candidate.method != "optimal":
            out.append(candidate)
            continue
        cuts = next(found)
        if cuts is None:
            reason = f"no {candidate.n_classes} classes of {FEWEST_IN_CLASS} pixels or more can be made"
            out.append(replace(candidate, edges=None, limits=None, reason=reason))
            continue
        edges = np.concatenate([[0], cuts, [bins.counts.shape[1]]]).astype(np.intp)
        limits = candidate.limits
        if inner is not None and ordered is not None:
            limits = np.concatenate([ordered[:1], inner[cuts - 1], ordered[-1:]])
            if (
                limits[1] == limits[0]
            ):  # the lowest value is a class of its own; it ends before the next value
                above = ordered[np.searchsorted(ordered, ordered[0], side="right")]
                limits[1] = ordered[0] / 2 + above / 2
        out.append(replace(candidate, edges=edges, limits=limits))
    return out


def _with_q(candidates: Sequence[Candidate], bins: BinSums, *, gd: bool) -> list[Candidate]:
    """The candidates with q; those with a class of a single pixel cannot be chosen, and in GD have no q."""
    placed = [c.edges for c in candidates if c.edges is not None]
    if not placed:
        return list(candidates)
    cuts = Cuts.of(placed)
    found = iter(zip(candidate_q(bins, cuts).tolist(), smallest_class(bins, cuts).tolist(), strict=True))
    out = []
    for candidate in candidates:
        if candidate.edges is None:
            out.append(candidate)
            continue
        q, fewest = next(found)
        if fewest >= (1 if candidate.method == "manual" else FEWEST_IN_CLASS):
            out.append(replace(candidate, q=q, eligible=True))
        else:
            reason = EMPTY if fewest == 0 else SINGLE
            out.append(replace(candidate, q=float("nan") if gd else q, reason=reason))
    return out


def _cut_levels(
    column: Levels, sample: DriverSample, folds: NDArray[np.uint8] | None, n_folds: int
) -> Classes:
    """A categorical driver: its levels are its classes, single pixels included."""
    size = len(column.labels)
    known = int((column.codes >= 0).sum())
    if size > MOST_LEVELS or (2 * size > known and size > 1):
        nothing = np.full(sample.n, 1, dtype=np.uint16)
        sums = bin_sums(nothing, 1, sample.centred, folds=folds, n_folds=n_folds)
        reason = f"{size} levels for {known} pixels"
        candidate = Candidate("categorical", size, None, None, float("nan"), reason)
        note = f"{reason} are too many to explain anything: leave it out, or join levels"
        return Classes(column.driver, column.labels, known, nothing, sums, (candidate,), None, note)
    bins = np.where(column.codes < 0, size, column.codes).astype(np.uint16)
    sums = bin_sums(bins, size, sample.centred, weights=sample.weights, folds=folds, n_folds=n_folds)
    n = int(sums.counts.sum())
    if size < 2:
        return _flat(column, sample, folds, n_folds, n)
    edges = np.arange(size + 1, dtype=np.intp)
    candidate = Candidate("categorical", size, None, edges, float("nan"))
    q = float(candidate_q(sums.pooled(), Cuts.of([edges]))[0])
    return Classes(column.driver, column.labels, n, bins, sums, (replace(candidate, q=q, eligible=True),), 0)


def _flat(
    column: Numbers | Levels,
    sample: DriverSample,
    folds: NDArray[np.uint8] | None,
    n_folds: int,
    n: int,
) -> Classes:
    """A driver that does not vary explains nothing: q = 0, one class."""
    if isinstance(column, Levels):
        missing, labels, method = column.codes < 0, column.labels, "categorical"
    else:
        missing, labels, method = np.isnan(column.values), (), "constant"
    bins = missing.astype(np.uint16)
    sums = bin_sums(bins, 1, sample.centred, weights=sample.weights, folds=folds, n_folds=n_folds)
    edges = np.array([0, 1], dtype=np.intp)
    if n == 0:
        return Classes(column.driver, labels, 0, bins, sums, (), None, "no pixel has a value")
    note = "it does not vary here"
    return Classes(
        column.driver, labels, n, bins, sums, (Candidate(method, 1, None, edges, 0.0, note),), 0, note
    )
