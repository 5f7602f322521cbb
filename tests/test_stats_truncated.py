"""Truncated regression: against R and scipy, recovery, laws, and what has no maximum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import optimize, stats

from drivers.stats import truncated
from drivers.stats.truncated import truncated_regression

R_TOLERANCE = 2e-6
"""R's optim stops when the likelihood no longer changes, which leaves half of the digits."""

INF = math.inf


# R 4.2.2: optim (BFGS and Nelder-Mead in turn) on -sum(dnorm(y, mu, s, log = TRUE) - log P(lo < Y < hi)).

TOBIN = {  # survival::tobin with durable > 0; the example of R's truncreg
    "durable": [0.7, 3.7, 3.0, 10.4, 1.5, 3.5, 6.1],
    "age": [50.9, 45.1, 50.0, 46.8, 34.1, 48.1, 46.6],
    "quant": [283.0, 221.0, 269.0, 207.0, 231.0, 266.0, 214.0],
}

# datasets::mtcars, mpg, wt, hp
MTCARS = """
21 2.62 110;21 2.875 110;22.8 2.32 93;21.4 3.215 110;18.7 3.44 175;18.1 3.46 105;14.3 3.57 245;
24.4 3.19 62;22.8 3.15 95;19.2 3.44 123;17.8 3.44 123;16.4 4.07 180;17.3 3.73 180;15.2 3.78 180;
10.4 5.25 205;10.4 5.424 215;14.7 5.345 230;32.4 2.2 66;30.4 1.615 52;33.9 1.835 65;21.5 2.465 97;
15.5 3.52 150;15.2 3.435 150;13.3 3.84 245;19.2 3.845 175;27.3 1.935 66;26 2.14 91;30.4 1.513 113;
15.8 3.17 264;19.7 2.77 175;15 3.57 335;21.4 2.78 109
"""


def cars(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    table = np.array([[float(v) for v in row.split()] for row in MTCARS.split(";")])
    inside = (table[:, 0] > low) & (table[:, 0] < high)
    return table[inside, 0], table[inside, 1:]


def test_tobin_as_r() -> None:
    fit = truncated_regression(
        np.array(TOBIN["durable"]), [np.array(TOBIN[c]) for c in ("age", "quant")], 0.0
    )
    found = [fit.intercept, *fit.coefficients, fit.sigma]
    assert found == pytest.approx(
        [12.599642624544, 0.430994409129, -0.118776427716, 1.651780782905], rel=R_TOLERANCE
    )
    assert fit.std_error == pytest.approx([0.2271909681, 0.0325864488], rel=1e-4)  # R's by differences
    assert fit.log_likelihood == pytest.approx(-11.726300106828, rel=1e-12)
    assert (fit.n, fit.parameters, fit.converged, fit.reason) == (7, 4, True, "")


R_CARS = {
    (-INF, 22.0): [31.5246228130695, -2.8107307025199, -0.0235635403956, 1.6250773965843, -40.679800226414],
    (14.0, 25.0): [32.3200100808957, -2.3308223674682, -0.0410713302223, 1.6896709886020, -38.260189460172],
}


@pytest.mark.parametrize("limits", R_CARS)
def test_cars_as_r(limits: tuple[float, float]) -> None:
    fit = truncated_regression(*cars(*limits), *limits)
    found = [fit.intercept, *fit.coefficients, fit.sigma, fit.log_likelihood]
    assert found == pytest.approx(R_CARS[limits], rel=R_TOLERANCE)


# Against scipy.


def scipy_log_likelihood(
    parameters: np.ndarray, y: np.ndarray, x: np.ndarray, low: float, high: float
) -> float:
    intercept, *slopes, log_sigma = parameters
    mean, sigma = intercept + x @ np.array(slopes), math.exp(log_sigma)
    limits = (low - mean) / sigma, (high - mean) / sigma
    return float(stats.truncnorm.logpdf(y, *limits, loc=mean, scale=sigma).sum())


def planted(
    n: int, low: float, high: float, seed: int = 0, noise: float = 1.5
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) * [1.0, 3.0] + [0.0, 5.0]
    y = 1.0 + x @ SLOPES + noise * rng.normal(size=n)
    inside = (y > low) & (y < high)
    return y[inside], x[inside]


SLOPES = np.array([1.0, -0.5])
LIMITS = [(0.0, INF), (-INF, 0.0), (-2.0, 1.0), (-INF, INF), (3.0, INF)]


@pytest.mark.parametrize("limits", LIMITS)
def test_as_scipy(limits: tuple[float, float]) -> None:
    y, x = planted(1500, *limits)
    fit = truncated_regression(y, x, *limits)
    ours = np.array([fit.intercept, *fit.coefficients, math.log(fit.sigma)])
    assert fit.log_likelihood == pytest.approx(scipy_log_likelihood(ours, y, x, *limits), rel=1e-11)
    start = np.array([1.0, *SLOPES, math.log(1.5)])
    theirs = optimize.minimize(
        lambda p: -scipy_log_likelihood(p, y, x, *limits), start, method="BFGS", options={"gtol": 1e-4}
    )
    assert -theirs.fun <= fit.log_likelihood + 1e-9
    assert ours[1:3] == pytest.approx(theirs.x[1:3], abs=1e-3 * float(fit.std_error.max()))
    step = 1e-4
    by_differences = optimize.approx_fprime(
        ours,
        lambda p: optimize.approx_fprime(p, lambda q: scipy_log_likelihood(q, y, x, *limits), 1e-5),
        step,
    )
    covariance = np.linalg.inv(-(by_differences + by_differences.T) / 2)
    assert np.sqrt(np.diag(covariance))[1:3] == pytest.approx(fit.std_error, rel=0.01)
    assert math.sqrt(covariance[-1, -1]) * fit.sigma == pytest.approx(fit.sigma_error, rel=0.01)


def test_without_limits_it_is_least_squares() -> None:
    y, x = planted(300, -INF, INF)
    fit = truncated_regression(y, x)
    design = np.column_stack([np.ones(len(y)), x])
    beta, rss = np.linalg.lstsq(design, y, rcond=None)[:2]
    assert [fit.intercept, *fit.coefficients] == pytest.approx(beta.tolist(), rel=1e-12)
    assert fit.sigma == pytest.approx(math.sqrt(rss[0] / len(y)), rel=1e-12)
    expected = np.linalg.inv(design.T @ design)[1:, 1:] * rss[0] / len(y)
    np.testing.assert_allclose(fit.covariance, expected, rtol=1e-9)


def test_far_limits_are_no_limits() -> None:
    y, x = planted(300, -INF, INF)
    plain, far = truncated_regression(y, x), truncated_regression(y, x, -1e6, 1e6)
    np.testing.assert_allclose(far.coefficients, plain.coefficients, rtol=1e-11)
    assert far.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-12)


# Gradient and Hessian.


@pytest.mark.parametrize(
    ("low", "high", "at"),
    [
        (-1.0, INF, [0.3, 0.8, 1.2]),
        (-1.0, INF, [-4.0, 0.8, 0.1]),
        (-INF, 0.9, [9.0, -1.0, 0.5]),
        (-1.2, 0.9, [0.3, 0.4, 2.0]),
        (-1.2, 0.9, [0.3, 0.4, 0.05]),
        (-1.2, 0.9, [8.0, 0.4, 1.0]),
        (-INF, INF, [0.3, 0.4, 2.0]),
    ],
)
def test_derivatives(low: float, high: float, at: list[float]) -> None:
    rng = np.random.default_rng(3)
    v = rng.uniform(max(low, -1.1), min(high, 0.8), 40)
    design = np.column_stack([np.ones(40), rng.normal(size=40)])
    rows = truncated._Rows(v, design, low, high, np.zeros(2), np.ones(2))
    here = truncated._log_likelihood(rows, np.array(at))
    step = 1e-5 * np.array([1.0, 1.0, at[-1]])
    ends = [
        [truncated._log_likelihood(rows, np.array(at) + sign * step[j] * np.eye(3)[j]) for sign in (1, -1)]
        for j in range(3)
    ]
    slope = [(up.value - down.value) / (2 * s) for (up, down), s in zip(ends, step, strict=True)]
    np.testing.assert_allclose(here.gradient, slope, rtol=1e-6, atol=1e-6 * np.abs(slope).max())
    curve = [(up.gradient - down.gradient) / (2 * s) for (up, down), s in zip(ends, step, strict=True)]
    scale = np.sqrt(np.diag(here.information))
    np.testing.assert_allclose(
        -np.array(curve) / np.outer(scale, scale), here.information / np.outer(scale, scale), atol=1e-6
    )


@given(
    st.floats(-60.0, 60.0),
    st.floats(-4.0, 4.0),
    st.floats(0.05, 3.0),
    st.floats(0.01, 5.0) | st.just(INF),
)
@hypothesis_settings(deadline=None)
def test_information_is_positive(eta: float, log_tau: float, below: float, above: float) -> None:
    """The likelihood is concave wherever one looks, by the closed form and by quadrature."""
    tau = math.exp(log_tau)
    found = truncated._inside(np.zeros(1), np.array([eta]), tau, -below, above)
    assert np.isfinite(found.log_density).all()
    assert 0 < found.one[0] <= 1 + 1e-12
    assert found.mixed[0] ** 2 < found.one[0] * found.two[0]


def test_quadrature_and_closed_form_meet() -> None:
    """On both sides of the lines between them, from either end."""
    seen = np.array([0.1])
    for low, high, eta in ((-0.5, INF, -3.5), (-0.5, 0.5, -3.5), (-0.5, 0.5, 0.2), (-INF, 0.5, 3.5)):
        parts = []
        for far in (2.9, 5.0):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(truncated, "FAR", far)
                patch.setattr(truncated, "NARROW", 1.01 if far < 3 else 0.0)
                found = truncated._inside(seen, np.array([eta]), 1.0, low, high)
            r = found.reference
            parts.append(
                [
                    found.log_density,
                    r + found.mean,
                    found.one,
                    2 * r * found.one + found.mixed,
                    4 * r * (r * found.one + found.mixed) + found.two,
                ]
            )
        np.testing.assert_allclose(parts[0], parts[1], rtol=1e-11, atol=1e-12)


# Recovery.


def test_slopes_that_least_squares_shrinks() -> None:
    y, x = planted(60_000, 0.0, INF)
    fit = truncated_regression(y, x, 0.0)
    plain = np.linalg.lstsq(np.column_stack([np.ones(len(y)), x]), y, rcond=None)[0][1:]
    assert (np.abs(plain) < 0.75 * np.abs(SLOPES)).all()
    assert (np.abs(fit.coefficients - SLOPES) < 3 * fit.std_error).all()
    assert abs(fit.sigma - 1.5) < 3 * fit.sigma_error
    assert fit.intercept == pytest.approx(1.0, abs=0.1)


def test_standard_errors_cover() -> None:
    """Nominal 95 %; 200 samples leave 3 points either way."""
    z = []
    for seed in range(200):
        y, x = planted(600, 0.0, INF, seed)
        fit = truncated_regression(y, x, 0.0)
        z.append((fit.coefficients - SLOPES) / fit.std_error)
    covered = (np.abs(z) < 1.96).mean()
    assert 0.92 < covered < 0.98
    assert np.std(z) == pytest.approx(1.0, abs=0.1)


# Laws.


@given(st.floats(-6, 6), st.floats(-6, 6), st.floats(-1e3, 1e3))
@hypothesis_settings(max_examples=25, deadline=None)
def test_units_do_not_matter(of_x: float, of_y: float, moved: float) -> None:
    y, x = planted(200, 0.0, 6.0)
    a, b = 10.0**of_x, 10.0**of_y
    fit = truncated_regression(y, x, 0.0, 6.0)
    other = truncated_regression((y + moved) * b, (x + 3.0) * a, moved * b, (6.0 + moved) * b)
    np.testing.assert_allclose(other.coefficients * a / b, fit.coefficients, rtol=1e-7)
    np.testing.assert_allclose(other.std_error * a / b, fit.std_error, rtol=1e-7)
    assert other.sigma / b == pytest.approx(fit.sigma, rel=1e-7)
    assert other.log_likelihood + len(y) * math.log(b) == pytest.approx(fit.log_likelihood, rel=1e-8)


def test_a_column_of_large_numbers() -> None:
    y, x = planted(300, 0.0, INF)
    fit, other = (truncated_regression(y, c, 0.0) for c in (x, x * 1e6 + 1e9))
    np.testing.assert_allclose(other.coefficients * 1e6, fit.coefficients, rtol=1e-8)


def test_mirrored() -> None:
    y, x = planted(300, -1.0, INF)
    fit, other = truncated_regression(y, x, -1.0), truncated_regression(-y, x, -INF, 1.0)
    np.testing.assert_allclose(other.coefficients, -fit.coefficients, rtol=1e-10)
    np.testing.assert_allclose(other.covariance, fit.covariance, rtol=1e-8)
    assert other.log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-12)


def test_order_of_rows_and_columns_does_not_matter() -> None:
    y, x = planted(400, 0.0, INF)
    order = np.random.default_rng(1).permutation(len(y))
    fit, other = truncated_regression(y, x, 0.0), truncated_regression(y[order], x[order][:, ::-1], 0.0)
    np.testing.assert_allclose(other.coefficients[::-1], fit.coefficients, rtol=1e-10)


def test_columns_may_come_one_by_one() -> None:
    y, x = planted(400, 0.0, INF)
    one, other = truncated_regression(y, x, 0.0), truncated_regression(y, list(x.T), 0.0)
    assert one.coefficients.tolist() == other.coefficients.tolist()


def test_without_predictors() -> None:
    y, _ = planted(4000, 0.0, INF)
    fit = truncated_regression(y, np.empty((len(y), 0)), 0.0)
    best = optimize.minimize(
        lambda p: -scipy_log_likelihood(p, y, np.empty((len(y), 0)), 0.0, INF), [0.0, 0.0], method="BFGS"
    )
    assert fit.log_likelihood == pytest.approx(-best.fun, rel=1e-9)
    assert fit.coefficients.shape == (0,)


def test_chunks_and_the_first_sample_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = planted(3000, 0.0, INF)
    whole = truncated_regression(y, x, 0.0)
    monkeypatch.setattr(truncated, "CHUNK", 100)
    monkeypatch.setattr(truncated, "SAMPLED", 200)
    parts = truncated_regression(y, x, 0.0)
    np.testing.assert_allclose(parts.coefficients, whole.coefficients, rtol=1e-9)
    np.testing.assert_allclose(parts.covariance, whole.covariance, rtol=1e-6)
    assert parts.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)


# What has no maximum.


def heavy(draw: str, n: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    y = {"stretched": lambda: rng.exponential(size=n) ** 1.5, "cup": lambda: rng.beta(0.5, 0.5, n)}[draw]()
    return y, rng.normal(size=(n, 1))


@pytest.mark.parametrize(
    ("draw", "limits"), [("stretched", (0.0, INF)), ("cup", (0.0, 1.0)), ("mirrored", (-INF, 0.0))]
)
def test_no_maximum_is_said(draw: str, limits: tuple[float, float]) -> None:
    y, x = heavy("stretched" if draw == "mirrored" else draw)
    fit = truncated_regression(-y if draw == "mirrored" else y, x, *limits)
    assert not fit.converged
    assert fit.reason.startswith("the likelihood has no maximum")
    assert np.isnan([fit.intercept, fit.sigma, fit.sigma_error, fit.log_likelihood]).all()
    assert np.isnan(fit.coefficients).all()
    assert np.isnan(fit.covariance).all()


def test_no_maximum_means_that_wider_is_likelier() -> None:
    """The best likelihood for a given σ rises with σ, by scipy."""
    y, x = heavy("stretched", 200)

    def best(sigma: float) -> float:
        def loss(mean: np.ndarray) -> float:
            parameters = np.array([mean[0] * sigma**2, 0.0, math.log(sigma)])
            return -scipy_log_likelihood(parameters, y, x, 0.0, INF)

        return -float(optimize.minimize(loss, [-0.5], method="Nelder-Mead").fun)

    values = [best(sigma) for sigma in (3.0, 10.0, 30.0, 100.0)]
    assert values == sorted(values)


# Edges.


def test_limits_are_kept() -> None:
    y, x = planted(50, 0.0, INF)
    with pytest.raises(ValueError, match=r"\d+ values of y lie beyond the limits 1 and inf"):
        truncated_regression(y, x, 1.0)
    with pytest.raises(ValueError, match="the lower limit must be below the upper one, not 1 and 1"):
        truncated_regression(y, x, 1.0, 1.0)
    with pytest.raises(ValueError, match="a value is NaN or infinite"):
        truncated_regression(np.append(y, np.nan), np.vstack([x, [1.0, 1.0]]), 0.0)
    with pytest.raises(ValueError, match="must have the same rows"):
        truncated_regression(y, x[:-1], 0.0)
    with pytest.raises(ValueError, match=r"x must be \(n, k\)"):
        truncated_regression(y, x[:, 0], 0.0)


def test_a_value_on_the_limit_may_stay() -> None:
    y, x = planted(200, 0.0, INF)
    y[0] = 0.0
    assert truncated_regression(y, x, 0.0).converged


REASONS = {
    "3 rows are too few for 4 parameters": lambda y, x: (y[:3], x[:3]),
    "the response does not vary": lambda y, x: (np.ones_like(y), x),
    "columns without variation: 2": lambda y, x: (y, x * [1, 0]),
    "a column is a linear combination of others": lambda y, x: (y, np.column_stack([x, x.sum(axis=1)])),
    "the predictors reproduce the response exactly": lambda y, x: (
        20.0 + x @ SLOPES,
        x,
    ),
}


@pytest.mark.parametrize("reason", REASONS)
def test_reasons(reason: str) -> None:
    y, x = REASONS[reason](*planted(100, 0.0, INF))
    fit = truncated_regression(y, x, 0.0)
    assert (fit.converged, fit.reason) == (False, reason)
    assert np.isnan(fit.coefficients).all()


def test_a_class_that_lies_on_the_limit_has_no_slope() -> None:
    """Its mean runs to -∞; whatever Newton's method says of it, it must not be a number."""
    y, x = planted(200, 0.0, INF)
    dummy = np.arange(len(y)) < 20
    y[dummy] = 0.0
    fit = truncated_regression(y, [x[:, 0], dummy.astype(float)], 0.0)
    assert not fit.converged
    assert fit.reason


def test_steps_end_where_rounding_begins() -> None:
    """A decrement just above the threshold, with ln L flat to its last digit, went on for ever."""
    rng = np.random.default_rng(11)
    for _ in range(300):
        x = rng.normal(size=(400, 2))
        y = x @ rng.normal(size=2) + rng.normal(size=400) + rng.normal()
        low = float(np.quantile(y, rng.uniform(0.1, 0.6)))
        found = truncated_regression(y[y > low], x[y > low], low=low)
        assert found.converged or "no maximum: it rises" in found.reason, found.reason
