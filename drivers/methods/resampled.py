"""A path model on resamples of blocks: weights of composites and all equations found anew in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from drivers.methods.composites import Weighting
from drivers.spec.bound import Composite
from drivers.stats.block_bootstrap import Resamples, Statistic, first_components, resampled_least_squares

if TYPE_CHECKING:
    from drivers.methods.psem import Fit

Array = NDArray[np.float64]


def edge_statistic(fit: Fit) -> Statistic:
    """Every weight and slope as a function of moments: raw ones, then standardised ones, shape (B, 2 E).

    In the order of weightings, then equations. NaN for equations that do not follow from moments. Ranges,
    where they standardise, are taken as given.
    """
    width, how = fit.sample.design.width, fit.graph.model.options.standardize

    def statistic(resamples: Resamples) -> Array:
        # Composites are made anew, so those with the weights of the whole stratum go.
        own = Resamples(resamples.weight, resamples.mean[:, :width], resamples.cross[:, :width, :width])
        draws = len(own.weight)
        weights = [
            _weights(own, w, c) for w, c in zip(fit.weightings, fit.graph.model.composites, strict=True)
        ]
        if weights:
            matrix = np.zeros((draws, len(weights), width))
            for i, (found, weighting) in enumerate(zip(weights, fit.weightings, strict=True)):
                matrix[:, i, list(weighting.columns)] = found
            own = own.extend(matrix)
        with np.errstate(all="ignore"):
            raw, std = (
                list(weights),
                [
                    found * own.sd[:, list(weighting.columns)] / own.sd[:, [width + i]]
                    for i, (found, weighting) in enumerate(zip(weights, fit.weightings, strict=True))
                ],
            )
        for e in fit.equations:
            if e.by_pixels:
                raw.append(np.full((draws, len(e.labels)), np.nan))
                std.append(raw[-1])
                continue
            assert e.response is not None
            slopes = resampled_least_squares(own, e.response, e.selection.columns)
            raw.append(slopes.coefficients)
            std.append(slopes.standardised if how == "scale" else slopes.coefficients * e.unit(how))
        return np.hstack([*raw, *std, np.zeros((draws, 0))])

    return statistic


def _weights(resamples: Resamples, weighting: Weighting, composite: Composite) -> Array:
    """The weights of one composite in every resample, shape (B, k)."""
    columns, draws = list(weighting.columns), len(resamples.weight)
    if composite.how == "regression":
        regression = weighting.regression
        assert regression is not None
        if regression.response is None or regression.by_pixels:
            return np.full((draws, len(columns)), np.nan)
        found = resampled_least_squares(resamples, regression.response, regression.selection.columns)
        return found.coefficients[:, list(weighting.places)]
    if composite.how == "pc1":
        return first_components(resamples, columns, weighting.weights)
    if composite.how == "equal":
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / (len(columns) * resamples.sd[:, columns]))
    return np.broadcast_to(weighting.weights, (draws, len(columns)))
