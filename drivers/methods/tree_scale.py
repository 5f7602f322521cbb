"""Drivers as trees see them: in single precision, without loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.methods.driver_sample import DriverSample, Levels, Numbers, power_of_two
from drivers.stats.forest import single_precision

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TreeScale:
    """Where the drivers are moved to before trees see them in single precision, which has seven digits.

    Attributes
    ----------
    centre, unit : of every driver, shape (d,); 0 and 1 for levels
    """

    centre: Array
    unit: Array

    @classmethod
    def of(cls, sample: DriverSample) -> TreeScale:
        """Means, and powers of two as large as the deviations: no digit is lost."""
        centre, unit = np.zeros(len(sample.drivers)), np.ones(len(sample.drivers))
        for j, column in enumerate(sample.drivers):
            if not isinstance(column, Levels) and not np.isnan(column.values).all():
                top = power_of_two(column.values)
                centre[j] = float(np.nanmean(column.values / top)) * top
                unit[j] = power_of_two(column.values - centre[j])
        return cls(centre, unit)

    def matrix(self, drivers: Sequence[Numbers | Levels]) -> NDArray[np.float32]:
        """Drivers as trees see them, shape (n, d): numbers, codes of levels, NaN where missing.

        What is beyond single precision becomes its largest number.
        """
        columns = [
            np.where(d.codes < 0, np.nan, d.codes)
            if isinstance(d, Levels)
            else (d.values - self.centre[j]) / self.unit[j]
            for j, d in enumerate(drivers)
        ]
        return single_precision(np.column_stack(columns))
