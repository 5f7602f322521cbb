"""Area that passed from each class to each other class between two years, in every stratum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from drivers.change.ground import Ground, Plain, Rows, ratio
from drivers.change.years import YearSeries
from drivers.errors import Fault, Place, TableError
from drivers.stats.transfer import Transfer
from drivers.table import PixelTable
from drivers.table.levels import match_level, natural_order

Array = NDArray[np.float64]
Codes = NDArray[np.int32]

MOST_SUMS = 1 << 25
"""Classes squared times cells: more sums than this would take more than half a gigabyte."""


class TransferWork(Plain):
    """Transfers of one series between every pair of some years.

    Parameters
    ----------
    ground : the pixels
    series : the series
    years : that are compared
    place : where the spec asks for it

    Raises
    ------
    TableError
        if `levels` names no class that occurs, or there are too many classes and strata
    """

    def __init__(self, ground: Ground, series: YearSeries, years: Sequence[int], place: Place) -> None:
        self._ground, self.of_series, self._years = ground, series, years
        columns = [series.spec.column(year) for year in years]
        self.classes, self._code_of, self._left_out = _classes(ground.table, series, columns)
        self._codes = [ground.table.codes(column) for column in columns]
        self._pairs = list(combinations(range(len(years)), 2))
        size = ground.cells * (len(self.classes) + 1) ** 2
        if size > MOST_SUMS:
            message = f"{len(self.classes)} classes of `{series.name}` in {ground.cells} cells of the strata"
            raise TableError(Fault(f"{message} are too many", place, "name fewer strata under `over`"))
        self._pixels = np.zeros((len(self._pairs), size), dtype=np.int64)
        self._weight = np.zeros((len(self._pairs), size))

    @property
    def series(self) -> tuple[str, ...]:
        """None: classes are read as codes."""
        return ()

    def take(self, rows: slice, values: Mapping[str, Array]) -> None:
        """Some pixels."""
        k, size = len(self.classes) + 1, self._pixels.shape[1]
        base, weight = self._ground.codes[rows].astype(np.int64) * k * k, self._ground.areas.of(rows)
        held = [own[codes[rows]] for own, codes in zip(self._code_of, self._codes, strict=True)]
        for at, (i, j) in enumerate(self._pairs):
            cell = base + (held[i].astype(np.int64) + 1) * k + (held[j] + 1)
            self._pixels[at] += np.bincount(cell, minlength=size)
            self._weight[at] += np.bincount(cell, weight, minlength=size)

    def tables(self) -> Mapping[str, Rows]:
        """transfer.csv: a row per stratum and pair of classes; transfer_classes.csv: one per class."""
        flows: Rows = []
        margins: Rows = []
        for stratum in self._ground.strata:
            for at, (i, j) in enumerate(self._pairs):
                key = {
                    "stratum": stratum.label,
                    "series": self.of_series.name,
                    "year_from": self._years[i],
                    "year_to": self._years[j],
                }
                found = self._between(at, list(stratum.cells))
                flows += [{**key, **row} for row in self._flows(found)]
                margins += [{**key, **row} for row in self._margins(found)]
        return {"transfer": flows, "transfer_classes": margins}

    def _between(self, at: int, cells: list[int]) -> Transfer:
        k = len(self.classes) + 1
        shape = (self._ground.cells, k, k)
        pixels = self._pixels[at].reshape(shape)[cells].sum(axis=0)
        weight = self._weight[at].reshape(shape)[cells].sum(axis=0)
        # A row and a column ahead of the classes hold what is missing.
        return Transfer(
            weight[1:, 1:],
            pixels[1:, 1:],
            float(weight[0].sum() + weight[1:, 0].sum()),
            int(pixels[0].sum() + pixels[1:, 0].sum()),
        )

    def _flows(self, found: Transfer) -> Rows:
        total = float(found.area.sum())
        return [
            {
                "from": self.classes[i],
                "to": self.classes[j],
                "area": self._ground.areas.area(float(found.area[i, j])),
                "pixels": int(found.pixels[i, j]),
                "share": ratio(float(found.area[i, j]), total),
            }
            for i, j in np.argwhere(found.pixels).tolist()
        ]

    def _margins(self, found: Transfer) -> Rows:
        total = float(found.area.sum())
        amounts = {
            "before": found.before,
            "after": found.after,
            "stayed": found.persistence,
            "gain": found.gain,
            "loss": found.loss,
            "net": found.net,
            "swap": found.swap,
        }
        return [
            {
                "class": name,
                **{word: self._ground.areas.area(float(amount[i])) for word, amount in amounts.items()},
                "pixels_before": int(found.pixels[i].sum()),
                "pixels_after": int(found.pixels[:, i].sum()),
                "share_before": ratio(float(found.before[i]), total),
                "share_after": ratio(float(found.after[i]), total),
                "share_gain": ratio(float(found.gain[i]), total),
                "share_loss": ratio(float(found.loss[i]), total),
            }
            for i, name in enumerate(self.classes)
        ]

    def warnings(self) -> list[str]:
        """Pixels without a class in one of two years, and values that `levels` does not name."""
        name = self.of_series.name
        found = [
            f"`{name}` holds {value} ({count} times), which `levels` does not name: it counts as missing"
            for value, count in self._left_out.items()
        ]
        everywhere = list(range(self._ground.cells))
        for at, (i, j) in enumerate(self._pairs):
            missing = self._between(at, everywhere).missing_pixels
            if missing:
                years = f"{self._years[i]} or {self._years[j]}"
                found.append(
                    f"`{name}` has no class in {years} in {missing} pixels, which no transfer counts"
                )
        return found


def _classes(
    table: PixelTable, series: YearSeries, columns: Sequence[str]
) -> tuple[tuple[str, ...], list[Codes], dict[str, int]]:
    """Labels of the classes; for each column the class of its levels; pixels of levels that do not count.

    With `levels` the classes are those, in that order; without, all that occur in any year, under the labels
    that the strata of that column give them.
    """
    occur = natural_order({level for column in columns for level in table.levels(column)})
    label_of: dict[str, str] = {} if series.spec.levels is not None else {level: level for level in occur}
    for value, label in series.spec.levels or series.spec.names:
        position = match_level(value, occur)
        if position is not None:
            label_of[occur[position]] = label
    if not label_of:
        hint = "in the table: " + ", ".join(occur)
        message = f"`levels` of the series `{series.name}` names no class of the table"
        raise TableError(Fault(message, series.spec.place, hint))
    named = [label for _, label in series.spec.levels or ()]
    ordered = [label_of[level] for level in occur if level in label_of]
    classes = tuple(dict.fromkeys(label for label in (named or ordered) if label in ordered))
    code_of, left_out = [], dict.fromkeys((level for level in occur if level not in label_of), 0)
    for column in columns:
        levels = table.levels(column)
        own = [classes.index(label_of[level]) if level in label_of else -1 for level in levels]
        # -1, the missing, indexes the last element.
        code_of.append(np.array([*own, -1], dtype=np.int32))
        if left_out:
            counts = np.bincount(table.codes(column) + 1, minlength=len(levels) + 1)[1:]
            for level, count in zip(levels, counts.tolist(), strict=True):
                if level in left_out:
                    left_out[level] += count
    return classes, code_of, left_out
