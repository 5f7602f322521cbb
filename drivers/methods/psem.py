"""Piecewise structural equation models (METHODS, section 1).

Each equation by itself, tested together by the paths that are missing (Shipley 2000; Lefcheck 2016,
doi:10.1111/2041-210X.12512). All Gaussian equations of all strata come from one pass over the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.blocked_cells import BlockedCells
from drivers.methods.claims import TestedClaims, free_log_likelihoods, run_claims
from drivers.methods.composites import Weighting, regression_terms, weigh
from drivers.methods.covariances import CorrelatedErrors, correlated_errors
from drivers.methods.design import make_design
from drivers.methods.driver_sample import own_stream
from drivers.methods.equations import Fitted, fit_equation
from drivers.methods.positions import check_positions
from drivers.methods.result import Shown, Summary, frame
from drivers.methods.rows import psem_records
from drivers.methods.sample import Sample
from drivers.methods.vicinity import Blocks, Equation
from drivers.progress import SILENT, Reporter
from drivers.spec.bound import BoundModel, PathModel
from drivers.spec.options import PsemOptions
from drivers.spec.path_graph import PathGraph, make_graph
from drivers.spec.terms import Term
from drivers.stats.blas import one_blas_thread
from drivers.stats.dsep import FIELD_P, FishersC, fishers_c
from drivers.stats.likelihood import (
    Criteria,
    chi_square,
    dsep_criteria,
    information_criteria,
    misfit_per_df,
)
from drivers.table import Partition, PixelTable, Stratum

Array = NDArray[np.float64]

FEWEST_PIXELS = 3
"""A slope and its error need three."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A graph fitted on a sample: every number of one piecewise SEM."""

    sample: Sample
    graph: PathGraph
    weightings: tuple[Weighting, ...]
    equations: tuple[Fitted, ...]
    correlated: tuple[CorrelatedErrors, ...]
    claims: TestedClaims
    fishers_c: FishersC
    chisq: float
    chisq_df: int
    chisq_p: float
    criteria: Criteria
    aic_dsep: float
    aicc_dsep: float

    @property
    def classical_c(self) -> FishersC:
        """Fisher's C as if pixels were independent."""
        return fishers_c(self.claims.log_p_classical)

    @property
    def fewest_independent(self) -> float:
        """The fewest independent pixels behind any slope or claim; NaN where none are counted."""
        every = np.concatenate([self.claims.n_effective, *(e.n_effective for e in self.equations)])
        return float(np.nanmin(every)) if np.isfinite(every).any() else float("nan")

    @property
    def rmsea(self) -> float:
        """Misfit per degree of freedom beyond what sampling gives."""
        counted, n = self.claims.n_effective, float(self.sample.n)
        independent = counted if self.sample.errors == "effective" else np.full(len(counted), n)
        return misfit_per_df(self.chisq, self.chisq_df, self.sample.n, independent)

    @property
    def r2(self) -> float:
        """R² of the study's response; NaN where it has no equation."""
        found = [e.r2 for e in self.equations if e.equation.node == self.graph.model.response]
        return found[0] if found else float("nan")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a search: what was dropped or could be added, and what that does."""

    step: int
    action: str
    response: str
    term: str
    log_p: float
    before: Fit
    after: Fit


@dataclass(frozen=True, slots=True, repr=False)
class PsemResult(Shown):
    """A piecewise SEM on one stratum.

    `tidy()` has a row per path, covariance and weight; `glance()` one row with the fit; `augment()` a row
    per pixel with fitted values and residuals.
    """

    fit: Fit
    steps: tuple[Step, ...]
    method: str = field(default="psem", init=False)

    @property
    def stratum(self) -> str:
        """The stratum's label."""
        return self.fit.sample.stratum.label

    @property
    def records(self) -> dict[str, list[dict[str, Any]]]:
        """The rows that the result adds to each table (effects.csv comes from `drivers.effects`)."""
        return psem_records(self.fit, self.steps)

    def claims(self) -> pd.DataFrame:
        """The independence claims with their tests."""
        return frame("dsep", self.records["dsep"])

    def trail(self) -> pd.DataFrame:
        """What `prune` dropped and what `suggest` would add, step by step."""
        return frame("trail", self.records["trail"])

    def augment(self) -> pd.DataFrame:
        """Fitted values and residuals of every equation for every complete pixel of the stratum.

        The index is the row of the table. Fitted values are on the scale of the response as the equation
        has it; a random intercept is not in them.
        """
        sample = self.fit.sample
        rows = sample.rows()
        matrix = sample.matrix(rows)
        out: dict[str, Array] = {}
        for e in self.fit.equations:
            name = e.equation.response.text
            observed = matrix[sample.select([Term((e.equation.response,))]).columns[0]]
            fitted = e.fitted_values(matrix)
            out[f"{name}_fitted"], out[f"{name}_residual"] = fitted, observed - fitted
        return pd.DataFrame(out, index=sample.design.table.frame.index[rows])

    def _summary(self) -> Summary:
        c = self.fit.fishers_c
        test = (
            "saturated: nothing to test"
            if not c.df
            else f"Fisher's C = {c.c:.4g} on {c.df} df, p = {c.p_value:.4g}, {c.verdict}"
        )
        title = f"Piecewise SEM, {self.stratum}: {self.fit.sample.n} pixels; {test}"
        wanted = ["response", "op", "term", "estimate", "std_error", "p_value", "std_estimate"]
        return Summary(title, self.tidy()[wanted])


class PsemFitter:
    """A piecewise SEM prepared on a table: the pixels have been read, strata cost small matrices."""

    def __init__(self, model: PathModel, table: PixelTable, partition: Partition, seed: int = 0) -> None:
        self._graph = make_graph(model)
        self._partition, self._seed = partition, seed
        groups = [e.random for e in model.equations if e.random is not None]
        self._design = make_design(table, _terms(self._graph), groups)
        check_positions(table)
        extremes = model.options.standardize == "range"
        self._cells = BlockedCells(self._design, partition, model.options.block, extremes=extremes)

    @property
    def _options(self) -> PsemOptions:
        return self._graph.model.options

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user asked for and does not get, whatever the stratum."""
        if self._cells.space is not None or self._options.errors not in ("effective", "block"):
            return ()
        return (
            f"`errors: {self._options.errors}` needs the coordinates of every pixel; p-values are classical",
        )

    @one_blas_thread()
    def fit(self, stratum: Stratum, reporter: Reporter = SILENT) -> PsemResult:
        """Fit one stratum.

        Raises
        ------
        FitError
            With the reason why the stratum cannot be fitted.
        """
        sample, weightings = self._sample(stratum, self._blocks)
        fit = fit_graph(sample, self._graph, weightings)
        steps: list[Step] = []
        if self._options.prune is not None:
            fit = _prune(fit, self._options.prune.p_value, steps)
        if self._options.suggest:
            _suggest(fit, steps)
        return PsemResult(fit, tuple(steps))

    def _sample(self, stratum: Stratum, blocks: Blocks | None) -> tuple[Sample, tuple[Weighting, ...]]:
        """The pixels of a stratum with their composites; their neighbours too where there are blocks."""
        moments = self._cells.moments(stratum)
        if 0 < moments.rows < FEWEST_PIXELS:
            raise FitError(f"too few pixels: {moments.rows} with a value in every variable")
        if moments.rows == 0:
            raise FitError(
                "no pixels in this stratum"
                if stratum.rows == 0
                else f"none of the {stratum.rows} pixels of this stratum has a value in every variable"
            )
        sample = Sample(self._design, self._partition, stratum, moments)
        if blocks is not None:
            near = self._cells.vicinity(stratum, blocks)
            kind = "classical" if near is None else self._options.errors or "effective"
            sample = replace(sample, vicinity=near, errors=kind)
        return weigh(sample, self._graph.model)

    @cached_property
    def _blocks(self) -> Blocks | None:
        return self._cells.blocks(self._linear, self._options.draws, own_stream(self._seed, "blocks"))

    def _linear(self, stratum: Stratum) -> tuple[list[Equation], Array | None]:
        """The Gaussian equations of a stratum, and the weights of its composites."""
        sample, _ = self._sample(stratum, None)
        equations = [
            (sample.select([Term((e.response,))]).columns[0], sample.select(e.terms).columns)
            for e in self._graph.equations
            if e.family == "gaussian" and e.random is None
        ]
        return equations, sample.weights


def fitter(model: BoundModel, table: PixelTable, partition: Partition, seed: int = 0) -> PsemFitter:
    """Prepare a piecewise SEM; reads every pixel once, for all strata. The seed is that of the bootstrap."""
    assert isinstance(model, PathModel)
    return PsemFitter(model, table, partition, seed)


def fit_graph(sample: Sample, graph: PathGraph, weightings: tuple[Weighting, ...]) -> Fit:
    """Fit all equations, test all claims, and judge the whole."""
    equations = tuple(fit_equation(sample, e) for e in graph.equations)
    if sample.vicinity is not None:
        # All at once they cost less.
        known = [
            (e.response, e.selection.columns) for e in equations if e.response is not None and not e.by_pixels
        ]
        sample.vicinity.effectives(known)
        sample.vicinity.sandwiches(known)
    claims = run_claims(sample, graph)
    c = fishers_c(claims.log_p)
    own = [e.log_likelihood for e in equations]
    free, added = free_log_likelihoods(sample, graph, own)
    chisq, chisq_p = chi_square(own, free, added) if added else (0.0, 1.0)
    criteria = information_criteria(own, [e.parameters for e in equations], [e.n for e in equations])
    aic_dsep, aicc_dsep = dsep_criteria(c.c, criteria.parameters, sample.n)
    return Fit(
        sample,
        graph,
        weightings,
        equations,
        correlated_errors(sample, graph, equations),
        claims,
        c,
        chisq,
        added,
        chisq_p,
        criteria,
        aic_dsep,
        aicc_dsep,
    )


def _terms(graph: PathGraph) -> list[Term]:
    """Everything that needs a design column: a variable's own forms first, in canonical order."""
    model = graph.model
    names = {composite.name for composite in model.composites}
    terms = [graph.forms[node] for node in graph.order if node not in names]
    if model.composites:
        terms += [t for c in model.composites for t in c.members]
        if any(c.how == "regression" for c in model.composites):
            terms += regression_terms(model)
    for equation in graph.equations:
        terms += [Term((equation.response,)), *equation.terms]
    return [t for t in terms if not names & set(t.variables)]


def _prune(fit: Fit, threshold: float, steps: list[Step]) -> Fit:
    """Drop the least significant path of the whole model until all are significant."""
    while True:
        worst = _least_significant(fit)
        if worst is None or worst[0] <= np.log(threshold):
            return fit
        log_p, response, term = worst
        after = fit_graph(fit.sample, fit.graph.without(response, term), fit.weightings)
        steps.append(Step(len(steps) + 1, "drop", response, term, log_p, fit, after))
        fit = after


def _least_significant(fit: Fit) -> tuple[float, str, str] | None:
    """(ln p, response, term) of the weakest term; a main effect stays while a product needs it."""
    found: list[tuple[float, str, str]] = []
    for e in fit.equations:
        needed = {
            factor.text for term in e.equation.terms if len(term.factors) > 1 for factor in term.factors
        }
        for term in e.equation.terms:
            if term.text in needed:
                continue
            mine = e.places(term.text)
            if mine:
                log_p = float(e.log_p[mine[0]]) if len(mine) == 1 else e.joint_test(term.text)[2]
                found.append((log_p, e.equation.node, term.text))
    # Where too few independent pixels allow no test, nothing says that a path can go.
    return max((one for one in found if not np.isnan(one[0])), default=None)


def _suggest(fit: Fit, steps: list[Step]) -> None:
    """List the claims that fail as paths to add, the worst first, each with what it alone would do."""
    alpha = np.log(FIELD_P)
    order = np.argsort(fit.claims.log_p, kind="stable")
    for i in order:
        if fit.claims.log_p[i] < alpha:
            claim = fit.claims.claims[i]
            after = fit_graph(fit.sample, fit.graph.with_path(claim.response, claim.cause), fit.weightings)
            log_p = float(fit.claims.log_p[i])
            steps.append(Step(len(steps) + 1, "suggest", claim.response, claim.cause, log_p, fit, after))
