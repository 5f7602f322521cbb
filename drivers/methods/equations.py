"""One equation fitted on one stratum: from moments where it is Gaussian, from rows where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from drivers.errors import FitError
from drivers.methods.sample import Sample, Selection
from drivers.spec.bound import Equation
from drivers.spec.terms import Term
from drivers.stats.dsep import CONFIDENCE
from drivers.stats.glm import GlmFit, fit_glm
from drivers.stats.linear import aliased, least_squares, log_likelihood, residual_sum
from drivers.stats.mixed import MixedFit, fit_random_intercept
from drivers.stats.mixed_glm import MixedGlmFit, fit_mixed_glm
from drivers.stats.tails import log_p_chi2, log_p_f, log_p_t

Array = NDArray[np.float64]

EXACT = 1e-12
"""Share of variance left below which an equation reproduces its response: doubles hold no less."""

RANGE_SDS = 6.0
"""The range of a non-Gaussian response on its link scale, in standard deviations (piecewiseSEM)."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """An equation with numbers; k columns."""

    equation: Equation
    response: int | None
    """Column of the response; None where its family has a link."""
    selection: Selection
    labels: tuple[str, ...]
    coefficients: Array
    intercept: float
    covariance: Array
    df: Array
    """Degrees of freedom of each t, infinite for z; shape (k,)."""
    log_likelihood: float
    parameters: int
    n: int
    r2: float
    r2_conditional: float
    response_sd: float
    """What a raw coefficient is divided by to standardise it, per sd of its column."""
    response_range: float

    @property
    def std_error(self) -> Array:
        """Standard errors, shape (k,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def statistic(self) -> Array:
        """t or z of each column, shape (k,)."""
        return self.coefficients / self.std_error

    @property
    def log_p(self) -> Array:
        """ln of the two-sided p-values, shape (k,)."""
        return log_p_t(self.statistic, self.df)

    @property
    def half_width(self) -> Array:
        """Half the width of the confidence intervals, shape (k,)."""
        level = 0.5 + CONFIDENCE / 2
        normal = np.isinf(self.df)
        quantile = np.where(
            normal, special.ndtri(level), special.stdtrit(np.where(normal, 1, self.df), level)
        )
        return np.asarray(quantile * self.std_error)

    def fitted_values(self, matrix: Array) -> Array:
        """Fitted values on the response's scale, without random intercepts; `matrix` as `Sample.matrix`."""
        linear = self.intercept + self.coefficients @ matrix[list(self.selection.columns)]
        if self.equation.family == "binomial":
            return np.asarray(special.expit(linear))
        return np.exp(linear) if self.equation.family == "poisson" else np.asarray(linear)

    def standardised(self, sample: Sample, how: Literal["scale", "range"]) -> Array:
        """b · s(x) / s(y), or with ranges for sds; shape (k,)."""
        index = np.asarray(self.selection.columns, dtype=np.intp)
        if how == "range":
            width = sample.moments.high[index] - sample.moments.low[index]
            return np.asarray(self.coefficients * width / self.response_range)
        return np.asarray(self.coefficients * sample.moments.sd[index] / self.response_sd)

    def joint_test(self, term: str) -> tuple[float, float, float]:
        """Wald test of all columns of a term together: (statistic, residual df, ln p).

        F with the residual df for a Gaussian equation, χ² with infinite df otherwise.
        """
        mine = [i for i, owner in enumerate(self.selection.terms) if owner == term]
        b, v = self.coefficients[mine], self.covariance[np.ix_(mine, mine)]
        chisq = float(b @ np.linalg.solve(v, b))
        df = float(self.df[mine[0]])
        if np.isinf(df):
            return chisq, df, float(log_p_chi2(chisq, len(mine)))
        return chisq / len(mine), df, float(log_p_f(chisq / len(mine), len(mine), df))


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


def joint_test(sample: Sample, fitted: Fitted, term: Term) -> tuple[float, float, float]:
    """Test of all columns of a term together: (statistic, residual df, ln p).

    For a Gaussian equation from moments it is of type II: where the equation also holds products with the
    term, those are set aside: a main effect beside its product is only the effect at zero of the other side.
    """
    above = [t for t in fitted.equation.terms if t is not term and set(term.factors) < set(t.factors)]
    gaussian = fitted.equation.family == "gaussian" and fitted.equation.random is None
    if not above or not gaussian or fitted.response is None:
        return fitted.joint_test(term.text)
    rest = [t for t in fitted.equation.terms if t not in above]
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
    return Fitted(
        equation,
        response,
        selection,
        tuple(map(sample.label, selection.columns)),
        fit.coefficients,
        fit.intercept,
        fit.covariance,
        np.full(len(selection.columns), float(fit.df)),
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
    labels = tuple(map(sample.label, selection.columns))
    _require_rank(sample, selection, f"the equation of `{equation.response.text}`")
    no_df = np.full(x.shape[1], np.inf)
    fit: MixedFit | MixedGlmFit | GlmFit
    if equation.random is not None:
        groups = sample.design.table.codes(equation.random)[rows]
        if equation.family == "gaussian":
            fit = fit_random_intercept(y, x, groups)
            sd = float(sample.moments.sd[response])
            width = float(sample.moments.high[response] - sample.moments.low[response])
            return _from_rows(
                equation, response, selection, labels, fit, fit.df, fit.r2_conditional, sd, width
            )
        fit = fit_mixed_glm(y, x, groups, equation.family)
        conditional = fit.r2_conditional
    else:
        assert equation.family != "gaussian"
        fit, conditional = fit_glm(y, x, equation.family), float("nan")
    width = RANGE_SDS * fit.response_sd
    return _from_rows(equation, None, selection, labels, fit, no_df, conditional, fit.response_sd, width)


def _from_rows(
    equation: Equation,
    response: int | None,
    selection: Selection,
    labels: tuple[str, ...],
    fit: MixedFit | MixedGlmFit | GlmFit,
    df: Array,
    r2_conditional: float,
    sd: float,
    width: float,
) -> Fitted:
    return Fitted(
        equation,
        response,
        selection,
        labels,
        fit.coefficients,
        fit.intercept,
        fit.covariance,
        df,
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
