"""Every model of lavaan 0.6-14 in golden/lavaan.json: our numbers against its numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import lavaan_models as lm
import numpy as np
import pytest
from scipy import stats

from drivers.stats.path_effects import delta_error
from drivers.stats.sem_checks import improper, unidentified
from drivers.stats.sem_errors import parameter_covariance, robust_covariance
from drivers.stats.sem_fit import Fit, fit_moments
from drivers.stats.sem_indices import fit_measures, scaled_measures
from drivers.stats.sem_missing import fit_rows
from drivers.stats.sem_modification import modification_indices
from drivers.stats.sem_scaling import difference_test, plain_test, scaled_test
from drivers.stats.sem_standardised import explained_variance, residuals, standardised
from drivers.stats.sem_structure import Cell, independence

RTOL = 3e-5
"""lavaan stops when its estimates move by about 1e-5; where it is exact (path models) so are we."""

CHISQ_ATOL = 1e-6
"""χ² is flat at the optimum, so that lavaan's is right to the square of that; of a robust one, 1e-4."""


@dataclass(frozen=True)
class Settings:
    """How lavaan was called; its own defaults where nothing is said."""

    table: str
    means: bool = False
    fixed_x: bool = True
    equal: tuple[str, ...] = ()
    wishart: bool = False
    missing: bool = False
    robust: Literal["huber_white", "satorra_bentler"] | None = None


CASES = {
    "political_democracy": Settings("PoliticalDemocracy"),
    "hs_cfa": Settings("HolzingerSwineford1939"),
    "hs_cfa_mlr": Settings("HolzingerSwineford1939", robust="huber_white"),
    "hs_group_configural": Settings("HolzingerSwineford1939", means=True),
    "hs_group_loadings": Settings("HolzingerSwineford1939", means=True, equal=("loadings",)),
    "keeley_mediation": Settings("keeley"),
    "keeley_mediation_meanstructure": Settings("keeley", means=True),
    "keeley_mediation_wishart": Settings("keeley", wishart=True),
    "keeley_mediation_mlm": Settings("keeley", robust="satorra_bentler"),
    "keeley_docs_chain": Settings("keeley"),
    "airquality_listwise": Settings("airquality"),
    "airquality_fiml": Settings("airquality", means=True, fixed_x=False, missing=True),
}


@dataclass
class Case:
    settings: Settings
    gold: dict[str, Any]
    parsed: lm.Parsed
    rows: list[np.ndarray]
    fit: Fit
    baseline: Fit


@cache
def case(name: str) -> Case:
    own, gold = CASES[name], lm.lavaan()[name]
    frame = lm.table(own.table)
    grouped = isinstance(gold["nobs"], list)
    parsed = lm.parse(
        gold["model"],
        groups=2 if grouped else 1,
        means=own.means,
        fixed_x=own.fixed_x,
        equal=own.equal,
    )
    parts = [frame[frame.school == s] for s in frame.school.unique()] if grouped else [frame]
    rows = [part[parsed.columns].to_numpy(dtype=np.float64) for part in parts]
    models = parsed.structure, independence(parsed.structure)
    if own.missing:
        return Case(own, gold, parsed, rows, *(fit_rows(m, rows) for m in models))
    rows = [x[~np.isnan(x).any(axis=1)] for x in rows]
    sample = lm.sample_of(rows)
    assert sample.n.tolist() == (gold["nobs"] if grouped else [gold["nobs"]])
    return Case(own, gold, parsed, rows, *(fit_moments(m, sample, wishart=own.wishart) for m in models))


def covariance(c: Case) -> np.ndarray:
    if c.settings.robust:
        return robust_covariance(c.fit, c.rows, c.settings.robust)
    return parameter_covariance(c.fit, "observed" if c.settings.missing else "expected")


@pytest.mark.parametrize("name", CASES)
def test_estimates_and_their_errors(name: str) -> None:
    c = case(name)
    assert c.fit.converged
    assert c.fit.search.gradient <= 1e-8
    matrices = c.fit.directed, c.fit.symmetric, c.fit.intercept
    errors = np.sqrt(np.diag(covariance(c)))
    for row in (e for e in c.gold["estimates"] if e["op"] != ":="):
        matrix, g, i, j = c.parsed.key(row)
        found = matrices[matrix][g, i] if matrix == 2 else matrices[matrix][g, i, j]
        np.testing.assert_allclose(found, row["est"], rtol=RTOL, atol=RTOL, err_msg=str(row))
        cell = c.parsed.cell_of(row)
        number = -1 if cell is None else c.fit.structure.number[cell]
        assert (number >= 0) == (row["se"] > 0)
        if number >= 0:
            assert c.fit.estimates[number] == pytest.approx(found, rel=1e-12)
            np.testing.assert_allclose(errors[number], row["se"], rtol=RTOL, err_msg=str(row))


NAMES = {"nnfi": "tli", "srmr_bentler": "srmr"}


@pytest.mark.parametrize("name", CASES)
def test_fit_measures(name: str) -> None:
    c = case(name)
    found, gold = fit_measures(c.fit, c.baseline), c.gold["fit"]
    own = {field: getattr(found, field) for field in found.__slots__}
    ours = own | {
        "pvalue": np.exp(found.log_p),
        "rmsea": found.rmsea.rmsea,
        "rmsea.ci.lower": found.rmsea.low,
        "rmsea.ci.upper": found.rmsea.high,
        "rmsea.pvalue": np.exp(found.rmsea.log_p_close),
    }
    if "chisq.scaled" in gold:
        mlm = c.settings.robust == "satorra_bentler"
        tests = [
            scaled_test(f, c.rows, "satorra_bentler" if mlm else "yuan_bentler_mplus")
            for f in (c.fit, c.baseline)
        ]
        ours |= {
            "chisq.scaled": tests[0].chisq,
            "df.scaled": tests[0].df,
            "pvalue.scaled": tests[0].p_value,
            "chisq.scaling.factor": tests[0].scaling,
        }
        scaled = scaled_measures(c.fit, *tests)
        ours |= {field.replace("_", "."): getattr(scaled, field) for field in scaled.__slots__}
    compared = 0
    for key, value in gold.items():
        if key in ("cfi.robust", "tli.robust", "rmsea.robust") and c.settings.missing:
            continue  # Zhang & Savalei's, which needs the baseline of incomplete rows
        mine = ours[NAMES.get(key, key if key in ours else key.replace(".", "_"))]
        if value is None:
            assert np.isnan(mine), key
        elif key in ("df", "baseline.df", "npar", "ntotal"):
            assert mine == value, key
        elif key == "rmr":
            # Of raw moments, so it has units: the imprecision of lavaan's estimates is seen.
            np.testing.assert_allclose(mine, value, rtol=RTOL, atol=2e-4, err_msg=key)
        else:
            atol = 1e-4 if "scaled" in key or c.settings.missing else CHISQ_ATOL
            np.testing.assert_allclose(mine, value, rtol=1e-6, atol=atol, err_msg=key)
        compared += 1
    assert compared >= 31


@pytest.mark.parametrize("name", CASES)
def test_standardised_solution_and_its_errors(name: str) -> None:
    c = case(name)
    solutions = {"std_all": "all", "std.lv": "lv", "std.nox": "nox"}
    found = {key: standardised(c.fit, kind).values for key, kind in solutions.items()}  # type: ignore[arg-type]
    whole = standardised(c.fit)
    errors = delta_error(whole.jacobian, covariance(c))
    for row in (e for e in c.gold["estimates"] if e["op"] != ":="):
        cell = c.parsed.cell_of(row)
        if cell is not None:
            for key, values in found.items():
                np.testing.assert_allclose(values[cell], row[key], rtol=RTOL, atol=RTOL, err_msg=str(row))
    for row in (e for e in c.gold["std_se"] if e["op"] != ":="):
        cell = c.parsed.cell_of(row)
        if cell is not None:
            np.testing.assert_allclose(errors[cell], row["se"], rtol=RTOL, atol=1e-8, err_msg=str(row))


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("keeley_mediation")])
def test_defined_parameters(name: str) -> None:
    c = case(name)
    variance = covariance(c)
    whole = standardised(c.fit)
    cells = {n: int(np.flatnonzero(c.fit.structure.number == k)[0]) for n, k in c.parsed.labels.items()}
    std = {r["lhs"]: r for r in c.gold["std_se"] if r["op"] == ":="}
    checked = 0
    for row in (e for e in c.gold["estimates"] if e["op"] == ":="):
        value, gradient = _defined(c.parsed.defined[row["lhs"]], c.parsed.labels, c.fit.estimates)
        assert value == pytest.approx(row["est"], rel=RTOL)
        assert delta_error(gradient[None], variance)[0] == pytest.approx(row["se"], rel=RTOL)
        value, by_cell = _defined(c.parsed.defined[row["lhs"]], cells, whole.values)
        assert value == pytest.approx(std[row["lhs"]]["est.std"], rel=RTOL)
        error = delta_error(by_cell[None] @ whole.jacobian, variance)[0]
        assert error == pytest.approx(std[row["lhs"]]["se"], rel=RTOL)
        checked += 1
    assert checked == 3


def _defined(text: str, labels: dict[str, int], values: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and gradient of an expression in labels, by complex steps."""
    gradient, value = np.zeros(len(values)), 0.0
    for name in set(re.findall(r"[a-z]\w*", text)):
        at = {n: complex(values[k]) for n, k in labels.items()}
        at[name] += 1e-30j
        result = eval(text, {}, at)
        value, gradient[labels[name]] = result.real, result.imag / 1e-30
    return value, gradient


@pytest.mark.parametrize(
    "name",
    [
        "political_democracy",
        "hs_cfa",
        "hs_group_configural",
        "hs_group_loadings",
        "keeley_mediation",
        "keeley_docs_chain",
    ],
)
def test_modification_indices(name: str) -> None:
    c = case(name)
    rows = c.gold["modindices"]
    keys = [c.parsed.key(r) for r in rows]
    found = modification_indices(c.fit, [Cell(m, i, j, group=g) for m, g, i, j in keys])
    for ours, theirs in (
        (found.index, "mi"),
        (found.change, "epc"),
        (found.change_lv, "sepc.lv"),
        (found.change_all, "sepc.all"),
    ):
        np.testing.assert_allclose(ours, [r[theirs] for r in rows], rtol=1e-4, err_msg=theirs)


@pytest.mark.parametrize("name", CASES)
def test_explained_variance_and_implied_moments(name: str) -> None:
    c = case(name)
    gold = c.gold["r2"] if isinstance(c.gold["r2"], dict) else {"": c.gold["r2"]}
    for ours, theirs in zip(explained_variance(c.fit), gold.values(), strict=True):
        known = np.sort(ours[~np.isnan(ours)])
        np.testing.assert_allclose(known, np.sort(theirs), rtol=RTOL, atol=1e-7)
    if "implied_cov" in c.gold:
        order = [c.parsed.columns.index(n) for n in c.gold["implied_cov"]["names"]]
        found = c.fit.covariance[0][np.ix_(order, order)]
        np.testing.assert_allclose(found, c.gold["implied_cov"]["cov"], rtol=1e-4, atol=1e-6)
    assert unidentified(c.fit) == ()
    assert not improper(c.fit).any


def test_ladder_of_the_schools() -> None:
    free, equal = case("hs_group_configural").fit, case("hs_group_loadings").fit
    found = difference_test(plain_test(equal), plain_test(free))
    assert found.df == 6
    assert found.chisq == pytest.approx(124.043544179993 - 115.851343875559, abs=1e-6)
    assert found.p_value == pytest.approx(float(stats.chi2.sf(8.192200304434, 6)), rel=1e-6)


def test_residual_moments_of_the_democracies() -> None:
    c = case("political_democracy")
    found = residuals(c.fit)
    low = np.tril_indices(11)
    assert np.sqrt(np.mean(found.bentler[0][low] ** 2)) == pytest.approx(c.gold["fit"]["srmr"], rel=1e-5)
    assert np.sqrt(np.mean(found.covariance[0][low] ** 2)) == pytest.approx(c.gold["fit"]["rmr"], rel=1e-5)
    np.testing.assert_allclose(np.diag(found.correlation[0]), 0.0, atol=1e-12)
    assert np.nanmax(np.abs(found.z)) < 4.0
    np.testing.assert_array_equal(found.mean, 0.0)
