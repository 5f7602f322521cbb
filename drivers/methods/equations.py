"""One equation fitted on one stratum: from moments where it is Gaussian, from rows where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from drivers.errors import FitError
from drivers.methods.sample import Sample, Selection
from drivers.methods.slope_errors import KINDS, Kind, SlopeErrors
from drivers.spec.bound import Equation
from drivers.spec.terms import Term
from drivers.stats.effective import EffectiveN
from drivers.stats.glm import GlmFit, fit_glm
from drivers.stats.linear import aliased, least_squares, log_likelihood, residual_sum, standardised_error
from drivers.stats.mixed import MixedFit, fit_random_intercept
from drivers.stats.mixed_glm import MixedGlmFit, fit_mixed_glm
from drivers.stats.sandwich import influence_errors
from drivers.stats.slope_dependence import slope_correlation, standardised_slope_errors
from drivers.stats.tails import log_p_f, log_p_t_or_nan

Array = NDArray[np.float64]

EXACT = 1e-12
"""Share of variance left below which an equation reproduces its response: doubles hold no less."""

RANGE_SDS = 6.0
"""The range of a non-Gaussian response on its link scale, in standard deviations (piecewiseSEM)."""


@dataclass(frozen=True)
class Fitted:
    """An equation with numbers; k columns."""

    sample: Sample
    equation: Equation
    response: int | None
    """Column of the response; None where its family has a link."""
    selection: Selection
    labels: tuple[str, ...]
    coefficients: Array
    intercept: float
    classical: SlopeErrors
    """As if pixels were independent."""
    log_likelihood: float
    parameters: int
    n: int
    r2: float
    r2_conditional: float
    response_sd: float
    """What a raw coefficient is divided by to standardise it, per sd of its column."""
    response_range: float

    @property
    def by_pixels(self) -> bool:
        """Whether it has errors of one kind only: it was fitted on rows, or its pixels have no place."""
        gaussian = self.equation.family == "gaussian" and self.equation.random is None
        return self.sample.vicinity is None or not gaussian or not self.labels

    @cached_property
    def n_effective(self) -> Array:
        """Independent pixels behind each slope, shape (k,); NaN where that is not known."""
        if self.by_pixels:
            return np.full(len(self.labels), np.nan)
        return self._effective.n_effective

    @property
    def _effective(self) -> EffectiveN:
        assert self.sample.vicinity is not None
        assert self.response is not None
        return self.sample.vicinity.effective(self.response, self.selection.columns)

    @cached_property
    def effective(self) -> SlopeErrors | None:
        """Errors that count independent pixels: each classical one times √(n / n_effective)."""
        if self.by_pixels:
            return None
        counted, near = self._effective, self.sample.vicinity
        assert near is not None
        assert self.response is not None
        error = self.classical.std_error * counted.std_error_factor
        if not np.isfinite(error).all():
            unknown = np.full(len(error), np.nan)
            return SlopeErrors(np.diag(error**2), counted.df, unknown)
        dependence, at = near.dependence, self.selection.columns
        covariance = slope_correlation(dependence, self.response, at) * np.outer(error, error)
        std = standardised_slope_errors(
            dependence, self.response, at, self.coefficients, covariance, self.sample.moments.covariance
        )
        return SlopeErrors(covariance, counted.df, std)

    @cached_property
    def block(self) -> SlopeErrors | None:
        """Errors over spatial blocks."""
        if self.by_pixels:
            return None
        assert self.sample.vicinity is not None
        assert self.response is not None
        found = self.sample.vicinity.sandwich(self.response, self.selection.columns)
        covariance = found.covariance
        # With borders the sum of products can come out negative; `std_error` then takes the blocks alone.
        covariance[np.diag_indices_from(covariance)] = found.std_error**2
        # Below one degree of freedom an interval is a thousand times its error: that is no test.
        df = np.where(found.df >= 1.0, found.df, np.nan)
        return SlopeErrors(covariance, df, influence_errors(found.std_influence, found.borders))

    def of_kind(self, kind: Kind) -> SlopeErrors | None:
        """Errors of one kind; None where the equation has none of it."""
        return {"classical": self.classical, "effective": self.effective, "block": self.block}[kind]

    @property
    def errors(self) -> SlopeErrors:
        """The errors that were asked for, the classical ones where there are no others."""
        return self.of_kind(self.sample.errors) or self.classical

    @property
    def covariance(self) -> Array:
        """Covariance of the slopes, shape (k, k)."""
        return self.errors.covariance

    @property
    def df(self) -> Array:
        """Degrees of freedom of each t, infinite for z, NaN where there is no test; shape (k,)."""
        return self.errors.df

    @property
    def std_error(self) -> Array:
        """Standard errors, shape (k,)."""
        return self.errors.std_error

    @property
    def statistic(self) -> Array:
        """t or z of each column, shape (k,)."""
        return self.coefficients / self.std_error

    @cached_property
    def log_p_by_kind(self) -> dict[Kind, Array]:
        """ln of the two-sided p-values by kind of errors, shape (k,) each; NaN where there is no test."""
        known = {kind: self.of_kind(kind) for kind in KINDS}
        some = {kind: errors for kind, errors in known.items() if errors is not None}
        together = [
            np.concatenate(v)
            for v in zip(*((self.coefficients / e.std_error, e.df) for e in some.values()), strict=True)
        ]
        found = np.split(log_p_t_or_nan(*together), len(some))
        unknown = np.full(len(self.labels), np.nan)
        return dict.fromkeys(KINDS, unknown) | dict(zip(some, found, strict=True))

    @property
    def log_p(self) -> Array:
        """Those of the errors that were asked for, shape (k,)."""
        kind = self.sample.errors
        return self.log_p_by_kind[kind if self.of_kind(kind) is not None else "classical"]

    def fitted_values(self, matrix: Array) -> Array:
        """Fitted values on the response's scale, without random intercepts; `matrix` as `Sample.matrix`."""
        linear = self.intercept + self.coefficients @ matrix[list(self.selection.columns)]
        if self.equation.family == "binomial":
            return np.asarray(special.expit(linear))
        return np.exp(linear) if self.equation.family == "poisson" else np.asarray(linear)

    def standardised(self, how: Literal["scale", "range"]) -> Array:
        """b · s(x) / s(y), or with ranges for sds; shape (k,)."""
        return self.coefficients * self.unit(how)

    def unit(self, how: Literal["scale", "range"]) -> Array:
        """What a slope is multiplied with to standardise it, shape (k,)."""
        index, sample = np.asarray(self.selection.columns, dtype=np.intp), self.sample
        if how == "range":
            return np.asarray((sample.moments.high[index] - sample.moments.low[index]) / self.response_range)
        return np.asarray(sample.moments.sd[index] / self.response_sd)

    def standardised_errors(self, how: Literal["scale", "range"], kind: Kind) -> Array:
        """Standard errors of the standardised slopes, shape (k,); NaN where the kind is not known.

        Ranges are taken as given, and so are the standard deviations where a response has a link.
        """
        found = self.of_kind(kind)
        if found is None:
            return np.full(len(self.labels), np.nan)
        return found.std_error * self.unit(how) if how == "range" else found.std_error_std

    def joint_test(self, term: str, kind: Kind | None = None) -> tuple[float, float, float]:
        """Wald test of all columns of a term, beside all other terms: (statistic, residual df, ln p).

        F for a Gaussian equation, χ² with infinite df otherwise. Of independent pixels it has as many as the
        column of the term that has fewest.
        """
        kind, mine = kind or self.sample.errors, self.places(term)
        if kind == "block" and self.block is not None:
            return self.block.joint(self.coefficients, mine, from_blocks=True)
        found = self.classical.joint(self.coefficients, mine)
        return self.counted(found[0], mine) if kind == "effective" and self.effective is not None else found

    def counted(self, f: float, mine: list[int]) -> tuple[float, float, float]:
        """The F test of some slopes with independent pixels counted: (F, residual df, ln p)."""
        assert self.effective is not None
        # NaN, where a slope has no test, is what a minimum hands on.
        df, f = float(self.effective.df[mine].min()), f * float(self.n_effective[mine].min()) / self.n
        return f, df, float(log_p_f(f, len(mine), df))

    def places(self, term: str) -> list[int]:
        """Which slopes belong to a term."""
        return [i for i, owner in enumerate(self.selection.terms) if owner == term]


def fit_equation(sample: Sample, equation: Equation, terms: Sequence[Term] | None = None) -> Fitted:
    """Fit `equation`, or the same response and family on other terms.

    Raises
    ------
    FitError
        With the reason why this stratum does not allow it.
    """
    selection = sample.select(equation.terms if terms is None else terms)
    k = len(selection.columns)
    where = f"the equation of `{equation.response.text}`"
    if sample.n < k + 2:
        raise FitError(f"too few pixels: {sample.n} complete ones for the {k + 2} parameters of {where}")
    if equation.family == "gaussian" and equation.random is None:
        return _gaussian(sample, equation, selection, where)
    return _on_rows(sample, equation, selection)


def best_log_likelihood(sample: Sample, equation: Equation, terms: Sequence[Term]) -> tuple[float, int]:
    """Maximised log-likelihood of an equation on other terms, and how many columns they make."""
    if equation.family != "gaussian" or equation.random is not None:
        fit = fit_equation(sample, equation, terms)
        return fit.log_likelihood, len(fit.selection.columns)
    columns = sample.select(terms).columns
    response = sample.select([Term((equation.response,))]).columns[0]
    try:
        return log_likelihood(sample.moments, response, columns), len(columns)
    except np.linalg.LinAlgError as error:
        where = f"the equation of `{equation.response.text}` with its missing paths"
        raise sample.explain_collinearity(columns, where) from error


def joint_test(fitted: Fitted, term: Term, kind: Kind | None = None) -> tuple[float, float, float]:
    """Test of all columns of a term together: (statistic, residual df, ln p).

    For a Gaussian equation from moments it is of type II: where the equation also holds products with the
    term, those are set aside: a main effect beside its product is only the effect at zero of the other side.
    """
    kind, sample = kind or fitted.sample.errors, fitted.sample
    above = [t for t in fitted.equation.terms if t is not term and set(term.factors) < set(t.factors)]
    gaussian = fitted.equation.family == "gaussian" and fitted.equation.random is None
    if not above or not gaussian or fitted.response is None:
        return fitted.joint_test(term.text, kind)
    rest = [t for t in fitted.equation.terms if t not in above]
    if kind != "classical" and fitted.of_kind(kind) is not None:
        return fit_equation(sample, fitted.equation, rest).joint_test(term.text, kind)
    with_term = sample.select(rest).columns
    without = sample.select([t for t in rest if t is not term]).columns
    sums = [
        residual_sum(sample.moments, fitted.response, columns)
        for columns in (with_term, without, fitted.selection.columns)
    ]
    extra, df = len(with_term) - len(without), float(fitted.n - len(fitted.selection.columns) - 1)
    f = (sums[1] - sums[0]) / extra / (sums[2] / df)
    return f, df, float(log_p_f(f, extra, df))


def _gaussian(sample: Sample, equation: Equation, selection: Selection, where: str) -> Fitted:
    response = sample.select([Term((equation.response,))]).columns[0]
    try:
        fit = least_squares(sample.moments, response, selection.columns)
    except np.linalg.LinAlgError as error:
        raise sample.explain_collinearity(selection.columns, where) from error
    if fit.rss <= EXACT * fit.tss:
        raise FitError(f"the predictors in {where} reproduce it exactly; one of them is made from it")
    x = np.asarray(selection.columns, dtype=np.intp)
    sd, correlation = sample.moments.sd, sample.moments.covariance[x, response]
    correlation = correlation / (sd[x] * sd[response])
    unit = sd[x] / sd[response]
    errors = SlopeErrors(
        fit.covariance,
        np.full(len(x), float(fit.df)),
        standardised_error(fit.coefficients * unit, fit.std_error, unit, fit.r2, correlation, fit.n),
    )
    return Fitted(
        sample,
        equation,
        response,
        selection,
        tuple(map(sample.label, selection.columns)),
        fit.coefficients,
        fit.intercept,
        errors,
        fit.log_likelihood,
        fit.parameters,
        fit.n,
        fit.r2,
        float("nan"),
        float(sample.moments.sd[response]),
        float(sample.moments.high[response] - sample.moments.low[response]),
    )


def _on_rows(sample: Sample, equation: Equation, selection: Selection) -> Fitted:
    response = sample.select([Term((equation.response,))]).columns[0]
    rows = sample.rows()
    matrix = sample.matrix(rows)
    y, x = matrix[response], matrix[list(selection.columns)].T
    _require_rank(sample, selection, f"the equation of `{equation.response.text}`")
    no_df = np.full(x.shape[1], np.inf)
    fit: MixedFit | MixedGlmFit | GlmFit
    if equation.random is not None:
        groups = sample.design.table.codes(equation.random)[rows]
        if equation.family == "gaussian":
            fit = fit_random_intercept(y, x, groups)
            sd = float(sample.moments.sd[response])
            width = float(sample.moments.high[response] - sample.moments.low[response])
            conditional = fit.r2_conditional
            return _from_rows(sample, equation, response, selection, fit, fit.df, conditional, sd, width)
        fit = fit_mixed_glm(y, x, groups, equation.family)
        conditional = fit.r2_conditional
    else:
        assert equation.family != "gaussian"
        fit, conditional = fit_glm(y, x, equation.family), float("nan")
    width = RANGE_SDS * fit.response_sd
    return _from_rows(sample, equation, None, selection, fit, no_df, conditional, fit.response_sd, width)


def _from_rows(
    sample: Sample,
    equation: Equation,
    response: int | None,
    selection: Selection,
    fit: MixedFit | MixedGlmFit | GlmFit,
    df: Array,
    r2_conditional: float,
    sd: float,
    width: float,
) -> Fitted:
    unit = sample.moments.sd[list(selection.columns)] / sd
    return Fitted(
        sample,
        equation,
        response,
        selection,
        tuple(map(sample.label, selection.columns)),
        fit.coefficients,
        fit.intercept,
        SlopeErrors(fit.covariance, df, np.sqrt(np.diag(fit.covariance)) * unit),
        fit.log_likelihood,
        fit.parameters,
        fit.n,
        fit.r2,
        r2_conditional,
        sd,
        width,
    )


def _require_rank(sample: Sample, selection: Selection, where: str) -> None:
    """Collinear columns have no unique coefficients; iterative fits would return one of many."""
    if aliased(sample.moments, selection.columns):
        raise sample.explain_collinearity(selection.columns, where)
