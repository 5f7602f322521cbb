"""A latent-variable SEM fitted on one stratum: estimates, errors by every way of counting pixels, fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.latent_layout import Layout, make_layout
from drivers.methods.sample import Sample, listed
from drivers.spec.latent_model import LatentModel
from drivers.spec.lsem_options import LsemOptions
from drivers.stats.blas import one_blas_thread
from drivers.stats.sandwich import positive_covariance, small_sample
from drivers.stats.sem_checks import Improper, improper, unidentified
from drivers.stats.sem_dependence import dependent_test, effective_covariance
from drivers.stats.sem_errors import (
    block_sums,
    influence,
    parameter_covariance,
    robust_covariance,
    scores,
)
from drivers.stats.sem_fit import Fit, fit_moments
from drivers.stats.sem_indices import FitMeasures, ScaledMeasures, fit_measures, scaled_measures
from drivers.stats.sem_missing import (
    UnseenPair,
    fit_rows,
    incomplete_scaled_test,
    incomplete_scores,
    unrestricted,
)
from drivers.stats.sem_moments import SampleMoments, SingularCovariance, sample_moments
from drivers.stats.sem_scaling import ChiSquare, plain_test, scaled_test
from drivers.stats.sem_search import Outcome
from drivers.stats.sem_standardised import Standardised, standardised
from drivers.stats.sem_structure import independence

Array = NDArray[np.float64]

LatentKind = Literal["classical", "robust", "effective", "block"]
"""What errors count: normal pixels, pixels of any distribution, independent pixels, or spatial blocks."""

FEWEST_DF = 1.0
"""Below one degree of freedom an interval is a thousand times its error: that is no test."""


def test_of_tails(fit: Fit, rows: Sequence[Array], options: LsemOptions) -> ChiSquare:
    """χ² of one or more groups, scaled for pixels that are not normal."""
    if options.missing == "ml":
        return incomplete_scaled_test(fit, rows)
    return scaled_test(
        fit, rows, "satorra_bentler" if options.test == "satorra_bentler" else "yuan_bentler_mplus"
    )


@dataclass(frozen=True, slots=True)
class ParameterErrors:
    """Errors of one kind of the k free parameters.

    Attributes
    ----------
    covariance : shape (k, k); NaN where not known
    df : of each t, shape (k,): infinite for z, NaN where there is no test
    n_effective : independent pixels behind each, shape (k,); NaN where none are counted
    """

    covariance: Array
    df: Array
    n_effective: Array


@dataclass(frozen=True)
class LatentFit:
    """A model at its optimum on one stratum.

    Attributes
    ----------
    model, sample, layout : what was fitted, on which pixels, as which cells
    fit : the optimum
    baseline : that of the independence model
    n : number of pixels
    rows : the values of the observed variables, shape (n, p), where something asked for them
    """

    model: LatentModel
    sample: Sample
    layout: Layout
    fit: Fit
    baseline: Fit
    n: int
    rows: Array | None

    @cached_property
    def numbers(self) -> list[int]:
        """The parameter of every entry of the layout; -1 where it is fixed."""
        return self.layout.numbers()

    @cached_property
    def values(self) -> Array:
        """Every entry's estimate or fixed value, shape (entries,)."""
        return np.array(
            [
                self.fit.estimates[number] if number >= 0 else entry.value
                for entry, number in zip(self.layout.entries, self.numbers, strict=True)
            ]
        )

    @cached_property
    def std(self) -> Standardised:
        """Every entry standardised, with its gradient by parameter."""
        return standardised(self.fit)

    @cached_property
    def measures(self) -> FitMeasures:
        """Indices of fit."""
        return fit_measures(self.fit, self.baseline)

    @cached_property
    def improper(self) -> Improper:
        """Heywood cases and the like."""
        return improper(self.fit)

    def group_of(self, variable: int) -> str:
        """The driver group of a variable; empty for none."""
        node = self.layout.nodes[variable]
        terms = {term.text: term for term in self.model.observed}
        own = terms[node].variables if node in terms else (node,)
        homes = {self.model.group_of(name) for name in own}
        return homes.pop() if len(homes) == 1 else ""

    @property
    def chosen(self) -> LatentKind:
        """The errors that p-values and intervals rest on."""
        asked = self.model.options.errors
        kind = asked or "effective"
        if kind in self.errors:
            return kind
        return "classical"

    @cached_property
    def errors(self) -> dict[LatentKind, ParameterErrors]:
        """Errors of every kind that there is."""
        found: dict[LatentKind, ParameterErrors] = {"classical": self._classical}
        if self.model.options.errors == "robust":
            found["robust"] = self._robust
        if self.sample.vicinity is not None and self.model.options.missing == "listwise":
            found["effective"] = self._effective
            if self.model.options.likelihood == "normal":
                found["block"] = self._block
        return found

    @property
    def _classical(self) -> ParameterErrors:
        kind: Literal["observed", "expected"] = (
            "observed" if self.model.options.missing == "ml" else "expected"
        )
        return self._known(parameter_covariance(self.fit, kind))

    @property
    def _robust(self) -> ParameterErrors:
        assert self.rows is not None
        if self.model.options.missing == "ml":
            each = influence(self.fit, incomplete_scores(self.fit, [self.rows]).values, "observed")
            return self._known(each.T @ each)
        normal = self.model.options.test == "satorra_bentler"
        return self._known(
            robust_covariance(self.fit, [self.rows], "satorra_bentler" if normal else "huber_white")
        )

    def _known(self, covariance: Array) -> ParameterErrors:
        k = len(self.fit.estimates)
        return ParameterErrors(covariance, np.full(k, np.inf), np.full(k, np.nan))

    @cached_property
    def _effective(self) -> ParameterErrors:
        near = self.sample.vicinity
        assert near is not None
        found = effective_covariance(self.fit, [near.dependence], self.layout.columns)
        df = found.n_effective - self.layout.observed
        return ParameterErrors(found.covariance, np.where(df >= FEWEST_DF, df, np.nan), found.n_effective)

    @cached_property
    def _block(self) -> ParameterErrors:
        near = self.sample.vicinity
        assert near is not None
        k = len(self.fit.estimates)
        unknown = np.full(k, np.nan)
        if near.moments.n_blocks < 2:
            return ParameterErrors(np.full((k, k), np.nan), unknown, unknown)
        found = scores(self.fit, [block_sums(near.moments, self.layout.columns)])
        each = influence(self.fit, found.values, "observed")
        trust = small_sample(near.moments.weight[:, None], near.borders)
        covariance = positive_covariance(each, near.borders)
        if not trust.df[0] >= FEWEST_DF:
            return ParameterErrors(np.full((k, k), np.nan), unknown, unknown)
        return ParameterErrors(covariance / trust.bias[0], np.full(k, trust.df[0]), unknown)

    @cached_property
    def test(self) -> ChiSquare:
        """The χ² behind the p-value: plain, or scaled for what the chosen errors count."""
        return self._tested(self.fit)

    @cached_property
    def scaled(self) -> ScaledMeasures | None:
        """Indices from the scaled χ²; None where it is the plain one."""
        if not self.fit.df or not np.isfinite(self.test.scaling) or self.test.scaling == 1.0:
            return None
        return scaled_measures(self.fit, self.test, self._tested(self.baseline))

    def _tested(self, fit: Fit) -> ChiSquare:
        """χ² of a model of these pixels, scaled where something asks for it."""
        options, near = self.model.options, self.sample.vicinity
        if not fit.df:
            return plain_test(fit)
        if options.test != "standard":
            assert self.rows is not None
            return test_of_tails(fit, [self.rows], options)
        if self.chosen == "block" and near is not None:
            if np.isnan(self.errors["block"].df).all():
                return ChiSquare(fit.chisq, fit.df, float("nan"), float("nan"))
            sums = block_sums(near.moments, self.layout.columns)
            return scaled_test(fit, [sums], "satorra_bentler")
        if self.chosen == "effective" and near is not None:
            return dependent_test(fit, [near.dependence], self.layout.columns)
        return plain_test(fit)


@one_blas_thread()
def fit_latent(model: LatentModel, sample: Sample) -> LatentFit:
    """Fit a model on the pixels of one stratum.

    Raises
    ------
    FitError
        With the reason why the model cannot be fitted there, and the parameter or column to blame.
    """
    layout = make_layout(model, sample)
    if not layout.entries:
        raise FitError("the model has no parameters")
    found = layout.structure()
    if found.df < 0:
        raise FitError(
            f"not identified: {found.parameters} parameters for {found.parameters + found.df} covariances"
            " and means; fix some, or leave them out"
        )
    fit, baseline, n, rows = _fitted(model, sample, layout)
    if fit.search.outcome is Outcome.START:
        raise FitError("the fixed values allow no covariance matrix: look at variances that are 0")
    blamed = unidentified(fit)
    if fit.converged and blamed:
        raise FitError(
            f"not identified: {_named(layout, blamed)} can change without any change of what the model "
            "implies; fix one of them, or leave it out"
        )
    if not fit.converged:
        at = f"; {_named(layout, blamed)} could be anything where it stopped" if blamed else ""
        raise FitError(
            f"no convergence after {fit.search.steps} steps{at}: weak indicators, or a model that is wrong "
            "or not identified; a model with fewer parameters, or another marker, may converge"
        )
    return LatentFit(model, sample, layout, fit, baseline, n, rows)


def _fitted(model: LatentModel, sample: Sample, layout: Layout) -> tuple[Fit, Fit, int, Array | None]:
    """The optimum, that of the independence model, the number of pixels, and their rows where wanted."""
    structure, options = layout.structure(), model.options
    if options.missing == "ml":
        rows = latent_rows(sample, layout, complete=False)
        try:
            free = unrestricted([rows])
            fit = fit_rows(structure, [rows], free)
            baseline = fit_rows(independence(structure), [rows], free)
        except UnseenPair as error:
            names = listed(layout.names[i] for i in error.columns)
            raise FitError(
                f"no pixel has a value in all of {names}, so nothing says how they covary"
            ) from error
        except SingularCovariance as error:
            raise explain_singular(sample, layout, error) from error
        return fit, baseline, len(rows), rows
    try:
        moments = latent_moments(sample, layout)
    except SingularCovariance as error:
        raise explain_singular(sample, layout, error) from error
    wishart = options.likelihood == "wishart"
    fit = fit_moments(structure, moments, wishart=wishart)
    baseline = fit_moments(independence(structure), moments, wishart=wishart)
    wanted = options.errors == "robust" or options.test != "standard"
    return fit, baseline, sample.n, latent_rows(sample, layout, complete=True) if wanted else None


def latent_moments(sample: Sample, layout: Layout) -> SampleMoments:
    """Moments of the observed variables, covariances with divisor n.

    Raises
    ------
    SingularCovariance
    """
    index, own = np.asarray(layout.columns, dtype=np.intp), sample.moments
    covariance = own.covariance[np.ix_(index, index)] * ((sample.n - 1.0) / sample.n)
    return sample_moments(sample.n, own.mean[index], covariance)


def latent_rows(sample: Sample, layout: Layout, *, complete: bool) -> Array:
    """Values of the observed variables by pixel, shape (n, p); with gaps, of pixels that have any."""
    if complete:
        return np.ascontiguousarray(sample.matrix(sample.rows())[list(layout.columns)].T)
    inside = np.flatnonzero(sample.partition.rows_of(sample.stratum))
    found = np.ascontiguousarray(sample.design.matrix(inside)[list(layout.columns)].T)
    kept = ~np.isnan(found).all(axis=1)
    if layout.fixed_x and layout.exogenous:
        # The moments of fixed causes are given, so a pixel without them is left out, as lavaan does.
        kept &= ~np.isnan(found[:, list(layout.exogenous)]).any(axis=1)
    return found[kept]


def explain_singular(sample: Sample, layout: Layout, error: SingularCovariance) -> FitError:
    """Why covariances cannot be fitted, with the columns to blame."""
    names = listed(layout.names[i] for i in error.columns)
    if sample.n <= layout.observed:
        return FitError(f"too few pixels: {sample.n} complete ones for {layout.observed} observed variables")
    if len(error.columns) == 1:
        return FitError(f"{names} does not vary here")
    return FitError(f"{names} are linear combinations of each other here; leave one of them out")


def _named(layout: Layout, numbers: Sequence[int]) -> str:
    """The parameters of some numbers, as lavaan writes them."""
    every = layout.numbers()
    return listed(layout.text(layout.entries[every.index(number)]) for number in numbers)
