"""The standard error of q, from what each block of neighbouring pixels adds to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.stats.binning import Codes
from drivers.stats.sandwich import influence_errors, small_sample

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class QInfluence:
    """What blocks add to the error of one q; G blocks.

    Attributes
    ----------
    influence : derivative of q by the weight of each block, adding up to nil, shape (G,)
    share : of each block in the variance of q if pixels were independent, up to a factor, shape (G,)
    """

    influence: Array
    share: Array


def q_influence(
    response: Array,
    codes: Codes,
    n_classes: int,
    blocks: NDArray[np.integer] | None,
    *,
    weights: Array | None = None,
    unclassed: bool = False,
) -> QInfluence:
    """The derivative of q = 1 - Σ_h SS_h / SS by the weight of each block.

    Parameters
    ----------
    response : centred and in units of its size (`q` knows neither), shape (n,)
    codes : class of each pixel; from `n_classes` on in no class, shape (n,)
    n_classes : K
    blocks : block of each pixel, 0 to G - 1 without gaps, shape (n,); None makes each pixel a block
    weights : of the pixels, shape (n,), if any
    unclassed : whether pixels with code K count in SS all the same, as GD has it; others have no value

    Notes
    -----
    With weights v_g of the blocks dSS_h/dv_g is Σ w (y - ȳ_h)² over the block's pixels of class h, because a
    mean is where that sum is least, and likewise dSS/dv_g = Σ w (y - ȳ)². Hence dq/dv_g = Σ w [(1 - q)
    (y - ȳ)² - (y - ȳ_h)²] / SS: the infinitesimal jackknife (Efron 1982, doi:10.1137/1.9781611970319). It is
    what the block bootstrap (blocks drawn with replacement, q found anew) gives to first order. NaN where the
    response does not vary.

    Examples
    --------
    >>> y, block = np.array([-4.0, -3.0, 2.0, 5.0]), np.array([0, 0, 1, 1])
    >>> q_influence(y, np.array([0, 0, 1, 1], dtype=np.uint16), 2, block).influence.round(6).tolist()
    [0.033608, -0.033608]
    """
    counted = n_classes + unclassed
    weighted = response if weights is None else response * weights
    size = max(counted, int(codes.max(initial=0))) + 1
    at = codes.astype(np.intp)  # once, and not by every count
    parts = (weights, weighted, weighted * response)
    w, s, ss = (np.bincount(at, part, size)[:counted] for part in parts)
    with np.errstate(all="ignore"):
        mean, means = s.sum() / w.sum(), s[:n_classes] / w[:n_classes]
        total = ss.sum() - s.sum() * mean
        left = (ss[:n_classes].sum() - np.nansum(s[:n_classes] * means)) / total  # 1 - q
        # (1 - q) (y - ȳ)² - (y - ȳ_h)² as a polynomial in y, with the coefficients of each code; 0 outside.
        by_code = np.zeros((3, size))
        by_code[:, :counted] = np.array([[left * mean**2], [-2.0 * left * mean], [left]])
        by_code[:, :n_classes] -= [means**2, -2.0 * means, np.ones(n_classes)]
        by_code /= total
        own = by_code[2].take(at)
        own *= response
        own += by_code[1].take(at)
        own *= response
        own += by_code[0].take(at)
    present = (at < counted).astype(np.float64)
    if weights is not None:
        own *= weights
        present *= weights**2
    if blocks is None:
        return QInfluence(own, present)
    many = int(blocks.max()) + 1
    return QInfluence(*(np.bincount(blocks, part, many).astype(np.float64) for part in (own, present)))


def q_std_error(found: QInfluence, borders: Array | None = None) -> float:
    """Standard error of q for the classes that it has; NaN from fewer than two blocks.

    Parameters
    ----------
    found : what each block adds
    borders : what touching blocks share counts too (`border_weights`), shape (G, G)

    Notes
    -----
    √(Σ_gh K_gh u_g u_h / bias) of the influences u, the bias being that of so few blocks (`small_sample`).
    Of independent smooth fields (exponential, bell-shaped, ranges 1 to 8 pixels on 60², 200 seeds, q 0.15 to
    0.57) it was 0.89 to 0.99 of the standard deviation of q over seeds; without borders 0.72 to 0.89, from
    pixels as if independent 0.11 to 0.74. Where q is near nil it is too large, by a quarter to two thirds.
    It is an error about the q of these classes: that they were chosen for their q is in `p_max` and
    `q_crossfit`.
    """
    bias = float(small_sample(found.share[:, None], borders).bias[0])
    if not bias > 0.0:
        return float("nan")
    return float(influence_errors(found.influence[:, None], borders)[0] / np.sqrt(bias))
