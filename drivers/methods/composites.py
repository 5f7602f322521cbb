"""Weights of composites (METHODS, section 3): one number per member, from moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.equations import Fitted, fit_equation
from drivers.methods.sample import Sample
from drivers.spec.bound import Composite, Equation, PathModel
from drivers.spec.terms import Term

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weighting:
    """A composite's members as columns, with their weights."""

    name: str
    columns: tuple[int, ...]
    weights: Array
    regression: Fitted | None = None
    """The regression that gave the weights, with their errors; None where it was none."""
    places: tuple[int, ...] = ()
    """Which of its slopes they are."""


def weigh(sample: Sample, model: PathModel) -> tuple[Sample, tuple[Weighting, ...]]:
    """Find the weights of every composite and add the composites to the sample's columns.

    Notes
    -----
    `regression` (Grace & Bollen 2008, doi:10.1007/s10651-007-0047-7): the coefficients of the members in
    the regression of the study's response on all members of all composites, and on what else its own
    equation holds. `pc1`: first principal component of the standardised members, the largest loading
    positive. `equal`: the mean of the standardised members. `fixed`: as given.
    """
    if not model.composites:
        return sample, ()
    regression = None
    if any(c.how == "regression" for c in model.composites):
        regression = fit_equation(sample, response_equation(model), regression_terms(model))
    found = tuple(_weighting(sample, composite, regression) for composite in model.composites)
    matrix = np.zeros((len(found), sample.design.width))
    for row, weighting in zip(matrix, found, strict=True):
        row[list(weighting.columns)] = weighting.weights
    return sample.with_composites([w.name for w in found], matrix), found


def response_equation(model: PathModel) -> Equation:
    """The equation of the study's response."""
    return next(e for e in model.equations if e.node == model.response)


def regression_terms(model: PathModel) -> list[Term]:
    """All members of all composites, then whatever else the response's equation holds."""
    names = {composite.name for composite in model.composites}
    terms = [term for composite in model.composites for term in composite.members]
    terms += [term for term in response_equation(model).terms if not names & set(term.variables)]
    return list({term.text: term for term in terms}.values())


def _weighting(sample: Sample, composite: Composite, regression: Fitted | None) -> Weighting:
    if composite.how == "regression":
        assert regression is not None
        members = {term.text for term in composite.members}
        mine = [i for i, owner in enumerate(regression.selection.terms) if owner in members]
        return Weighting(
            composite.name,
            tuple(regression.selection.columns[i] for i in mine),
            regression.coefficients[mine],
            regression,
            tuple(mine),
        )
    selection = sample.select(composite.members)
    index = np.asarray(selection.columns, dtype=np.intp)
    sd = sample.moments.sd[index]
    if composite.how == "fixed":
        weights = _fixed(composite, selection.terms)
    elif composite.how == "equal":
        weights = 1.0 / (len(index) * sd)
    else:
        correlation = sample.moments.covariance[np.ix_(index, index)] / np.outer(sd, sd)
        loadings = np.linalg.eigh(correlation)[1][:, -1]
        weights = loadings * np.sign(loadings[np.argmax(np.abs(loadings))]) / sd
    return Weighting(composite.name, selection.columns, weights)


def _fixed(composite: Composite, owners: Sequence[str]) -> Array:
    given = dict(zip((term.text for term in composite.members), composite.weights, strict=True))
    weights = np.array([given[owner] for owner in owners])
    if not np.any(weights):
        raise FitError(f"all weights of the composite `{composite.name}` are zero")
    return weights
