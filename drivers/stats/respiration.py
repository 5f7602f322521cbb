"""Heterotrophic respiration from temperature and precipitation, in its published variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.floating]

Variant = Literal["pei2009_additive", "product"]

BASE = 0.22
"""Pei et al. 2009, both variants."""

TEMPERATURE_RATE = 0.0913
"""Per degC, both variants."""

PRECIPITATION_RATE = 0.3145
"""Per mm, both variants."""

DAYS = 30.0
"""Days that `pei2009_additive` takes for every month."""

CARBON_SHARE = 0.465
"""Share of carbon that `pei2009_additive` takes."""

PLAUSIBLE = (20.0, 1500.0)
"""Annual respiration in g C m-2 that is seen on land; units that are off leave it."""


def monthly_respiration(temperature: Floats, precipitation: Floats, variant: Variant) -> Array:
    """Heterotrophic respiration of one month, g C m-2.

    Parameters
    ----------
    temperature : mean of the month, degC, any shape
    precipitation : sum of the month, mm, of the same shape
    variant : there is no default, since over a year the two differ several-fold

        - `pei2009_additive`: 0.22 (exp(0.0913 T) + ln(0.3145 P + 1)) · 30 · 0.465
        - `product`: 0.22 exp(0.0913 T) ln(0.3145 P + 1), without a factor for units, as it is printed; it
          cannot give the range of NEP in the paper that prints it (about 24 against 138 g C m-2 a year)

    Returns
    -------
    Same shape; NaN where either is missing.

    Raises
    ------
    ValueError
        another variant, shapes that differ, or precipitation below 0

    References
    ----------
    Pei et al. 2009, as METHODS section 9 and the papers of the field quote it; the original was not at hand.

    Examples
    --------
    >>> t, p = np.array([20.0]), np.array([100.0])
    >>> monthly_respiration(t, p, "pei2009_additive").round(6).tolist()
    [29.734624]
    >>> monthly_respiration(t, p, "product").round(6).tolist()
    [4.753202]
    """
    if variant not in get_args(Variant):
        raise ValueError(f"no variant `{variant}` of respiration; known: {', '.join(get_args(Variant))}")
    t, p = (np.asarray(v, dtype=np.float64) for v in (temperature, precipitation))
    if t.shape != p.shape:
        raise ValueError(f"temperature has shape {t.shape} and precipitation {p.shape}")
    if (negative := int((p < 0).sum())) > 0:
        raise ValueError(f"precipitation is below 0 in {negative} of {p.size} values; is that a fill value?")
    warm, wet = np.exp(TEMPERATURE_RATE * t), np.log1p(PRECIPITATION_RATE * p)
    if variant == "product":
        return np.asarray(BASE * warm * wet)
    return np.asarray(BASE * (warm + wet) * DAYS * CARBON_SHARE)


@dataclass(frozen=True, slots=True)
class Plausibility:
    """How much of annual respiration leaves the range seen on land; shares are of the known pixels' weight.

    Attributes
    ----------
    n : pixels with a value
    below, above : share below 20 and above 1500 g C m-2; NaN without pixels
    """

    n: int
    below: float
    above: float

    @property
    def outside(self) -> float:
        """Share that leaves the range on either side."""
        return self.below + self.above


def check_annual_respiration(annual: Floats, weights: Array | None = None) -> Plausibility:
    """Share of pixels whose annual respiration lies outside 20 to 1500 g C m-2.

    Parameters
    ----------
    annual : g C m-2 a year, shape (n,), NaN where missing
    weights : area of the pixels, shape (n,)

    Examples
    --------
    >>> found = check_annual_respiration(np.array([10.0, 200.0, 400.0, 9000.0, np.nan]))
    >>> found.n, found.below, found.above, found.outside
    (4, 0.25, 0.25, 0.5)
    """
    known = ~np.isnan(annual)
    value = annual[known]
    weight = np.ones(len(value)) if weights is None else weights[known]
    total = float(weight.sum())
    if total == 0.0:
        return Plausibility(len(value), float("nan"), float("nan"))
    low, high = PLAUSIBLE
    return Plausibility(
        len(value), float(weight[value < low].sum()) / total, float(weight[value > high].sum()) / total
    )
