"""Scores against hand computation, scipy and closed forms."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from drivers.stats.scores import (
    DOMAINS,
    fold_scores,
    mean_deviance,
    pooled_scores,
    roc_auc,
    unit_deviance,
)

seeds = st.integers(0, 1000)
FAMILIES = list(DOMAINS)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def draw(family, seed, n=60):
    """A response and predictions that are possible in the family."""
    rng = np.random.default_rng(seed)
    mu = rng.uniform(0.2, 0.8, n)
    if family == "binomial":
        return rng.binomial(1, mu).astype(float), mu
    if family == "poisson":
        return rng.poisson(5.0 * mu).astype(float), 5.0 * mu
    if family == "gamma":
        return rng.gamma(2.0, mu), 2.0 * mu
    if family == "tweedie":
        return rng.gamma(2.0, mu) * rng.binomial(1, 0.7, n), 2.0 * mu
    return mu + rng.normal(size=n), mu


def test_scores_by_hand():
    scores = pooled_scores([1.0, 2.0, 3.0, 6.0], [2.0, 2.0, 3.0, 4.0])
    assert scores.n == 4
    assert scores.r2 == pytest.approx(1.0 - 5.0 / 14.0)
    assert scores.rmse == pytest.approx(np.sqrt(5.0 / 4.0))
    assert scores.mae == pytest.approx(3.0 / 4.0)


@given(seeds)
def test_weights_are_repetitions(seed):
    rng = np.random.default_rng(seed)
    y, fit, times = rng.normal(size=20), rng.normal(size=20), rng.integers(0, 4, 20)
    times[:2] = 1
    weighted = pooled_scores(y, fit, times)
    repeated = pooled_scores(np.repeat(y, times), np.repeat(fit, times))
    assert weighted.n == 20
    assert (weighted.r2, weighted.rmse, weighted.mae) == pytest.approx(
        (repeated.r2, repeated.rmse, repeated.mae)
    )


@given(seeds)
def test_folds_are_pools_of_their_own(seed):
    rng = np.random.default_rng(seed)
    y, fit, w = rng.normal(size=(3, 50))
    folds = rng.integers(6, size=50)
    scores = fold_scores(y, fit, folds, 7, w**2)
    assert len(scores) == 7
    for fold, score in enumerate(scores[:-1]):
        mine = folds == fold
        assert score == pooled_scores(y[mine], fit[mine], w[mine] ** 2) or score.n < 2
    assert scores[-1].n == 0
    pooled = pooled_scores(y, fit)
    plain = fold_scores(y, fit, folds, 6)
    squares = sum(s.n * s.rmse**2 for s in plain if s.n)
    assert pooled.rmse**2 * 50 == pytest.approx(squares)
    assert sum(s.n for s in plain) == pooled.n


def test_each_fold_has_its_own_mean():
    y, fit, folds = [0.0, 2.0, 10.0, 12.0], [1.0, 1.0, 11.0, 11.0], [0, 0, 1, 1]
    assert [s.r2 for s in fold_scores(y, fit, folds, 2)] == [0.0, 0.0]
    assert pooled_scores(y, fit).r2 == pytest.approx(1.0 - 4.0 / 104.0)


@given(seeds, st.floats(-100.0, 100.0), st.floats(0.01, 100.0))
def test_units_of_the_response_change_no_r2(seed, shift, scale):
    rng = np.random.default_rng(seed)
    y, fit = rng.normal(size=(2, 30))
    plain, moved = pooled_scores(y, fit), pooled_scores(y * scale + shift, fit * scale + shift)
    assert moved.r2 == pytest.approx(plain.r2, rel=1e-6)
    assert moved.rmse == pytest.approx(plain.rmse * scale, rel=1e-6)


def test_edges_are_nan_without_a_warning():
    for scores in (pooled_scores([], []), pooled_scores([1.0, 2.0], [1.0, 2.0], [0.0, 0.0])):
        assert np.isnan([scores.r2, scores.rmse, scores.mae]).all()
    one = pooled_scores([3.0], [1.0])
    assert (one.n, one.rmse, one.mae) == (1, 2.0, 2.0)
    assert np.isnan(one.r2)
    # The mean of three times 0.1 is not 0.1 in binary.
    assert np.isnan(pooled_scores([0.1] * 3, [0.1, 0.2, 0.3]).r2)
    assert np.isnan(pooled_scores([0.1, 0.1, 5.0], [0.0] * 3, [1.0, 1.0, 0.0]).r2)
    unknown = pooled_scores([1.0, np.nan, 2.0], [1.0, 1.0, 1.0])
    assert np.isnan([unknown.r2, unknown.rmse, unknown.mae]).all()
    assert [s.n for s in fold_scores([], [], [], 2)] == [0, 0]


@given(seeds, st.sampled_from(FAMILIES))
def test_exact_predictions_have_no_deviance_and_others_have_some(seed, family):
    y, mu = draw(family, seed)
    assert unit_deviance(y, y, family) == pytest.approx(np.zeros(60), abs=1e-12)
    assert (unit_deviance(y, mu, family) >= 0.0).all()


@given(seeds)
def test_deviances_are_their_closed_forms(seed):
    y, mu = draw("gaussian", seed)
    assert mean_deviance(y, mu, "gaussian") == pytest.approx(((y - mu) ** 2).mean())
    y, mu = draw("binomial", seed)
    logit = np.log(mu / (1 - mu))
    gbm = -2.0 * (y * logit - np.log1p(np.exp(logit))).mean()
    assert mean_deviance(y, mu, "binomial") == pytest.approx(gbm)
    y, mu = draw("poisson", seed)
    assert mean_deviance(y, mu, "poisson") == pytest.approx(-2.0 * (y * np.log(mu) - mu).mean())
    full = 2.0 * (np.where(y > 0, y * np.log(np.maximum(y, 1.0) / mu), 0.0) - (y - mu))
    assert unit_deviance(y, mu, "poisson") == pytest.approx(full)
    y, mu = draw("gamma", seed)
    assert mean_deviance(y, mu, "gamma") == pytest.approx(2.0 * ((y - mu) / mu - np.log(y / mu)).mean())
    y, mu = draw("tweedie", seed)
    p = 1.5
    terms = y ** (2 - p) / ((1 - p) * (2 - p)) - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p)
    assert mean_deviance(y, mu, "tweedie") == pytest.approx(2.0 * terms.mean())
    y, mu = draw("quantile", seed)
    pinball = np.maximum(0.9 * (y - mu), -0.1 * (y - mu)).mean()
    assert mean_deviance(y, mu, "quantile", level=0.9) == pytest.approx(pinball)
    assert mean_deviance(y, mu, "quantile") == pytest.approx(0.5 * np.abs(y - mu).mean())


@given(seeds, st.sampled_from(FAMILIES))
def test_deviances_weigh_pixels_like_repetitions(seed, family):
    y, mu = draw(family, seed)
    times = np.random.default_rng(seed).integers(0, 3, 60)
    repeated = mean_deviance(np.repeat(y, times), np.repeat(mu, times), family, level=0.3)
    assert mean_deviance(y, mu, family, times, level=0.3) == pytest.approx(repeated)


def test_edges_of_deviances():
    for family in FAMILIES:
        assert np.isnan(mean_deviance([], [], family))
        assert np.isnan(mean_deviance([np.nan, 1.0], [0.5, 0.5], family))
    assert mean_deviance([1.0, 0.0], [0.0, 0.0], "binomial") == np.inf
    assert mean_deviance([1.0, 0.0], [1.0, 0.0], "binomial") == 0.0
    assert mean_deviance([0.0], [0.0], "poisson") == 0.0
    assert mean_deviance([0.0], [0.0], "tweedie") == 0.0
    for family in ("poisson", "gamma", "tweedie"):
        assert mean_deviance([2.0], [0.0], family) == np.inf
        assert mean_deviance([2.0, 2.0], [0.0, 1.0], family, [0.0, 1.0]) < np.inf


@given(seeds, st.integers(2, 50))
def test_auc_is_mann_whitney(seed, steps):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(60) < rng.integers(2, 59)).astype(int)
    score = np.round(rng.random(60) + 0.3 * y, 2) if steps > 25 else rng.integers(steps, size=60)
    found = roc_auc(y, score)
    u = mannwhitneyu(score[y == 1], score[y == 0]).statistic
    assert found.auc == pytest.approx(u / (found.n_one * found.n_zero))
    assert (found.n_one, found.n_zero) == (y.sum(), 60 - y.sum())
    assert roc_auc(1 - y, score).auc == pytest.approx(1.0 - found.auc)
    assert roc_auc(y, np.exp(score)).auc == pytest.approx(found.auc)


@given(seeds)
def test_delong_by_all_pairs(seed):
    rng = np.random.default_rng(seed)
    y = np.arange(40) < 15
    score = rng.integers(8, size=40) + 2 * y
    wins = np.sign(score[y][:, None] - score[~y][None]) / 2 + 0.5
    variance = wins.mean(axis=1).var(ddof=1) / 15 + wins.mean(axis=0).var(ddof=1) / 25
    assert roc_auc(y, score).std_error == pytest.approx(np.sqrt(variance))


def test_delong_is_the_spread_of_repeated_samples():
    rng = np.random.default_rng(1)
    y = np.arange(200) < 80
    found = [roc_auc(y, rng.normal(size=200) + y) for _ in range(600)]
    spread = np.std([f.auc for f in found])
    assert np.mean([f.std_error for f in found]) == pytest.approx(spread, rel=0.1)


def test_edges_of_auc():
    for y in ([], [1, 1], [0]):
        found = roc_auc(y, np.zeros(len(y)))
        assert np.isnan([found.auc, found.std_error]).all()
    lone = roc_auc([1, 0, 0], [2.0, 1.0, 3.0])
    assert lone.auc == 0.5
    assert np.isnan(lone.std_error)
    assert roc_auc([0, 0, 1, 1], [0.0, 1.0, 2.0, 3.0]).std_error == 0.0
    assert roc_auc([0, 1, 0, 1], [1.0] * 4).auc == 0.5
    assert np.isnan(roc_auc([0, 0, 1, 1], [0.0, np.nan, 2.0, 3.0]).auc)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: pooled_scores([1.0, 2.0], [1.0]),
            "observed (2,), predicted (1,) and weights (2,) must be (n,) each",
        ),
        (
            lambda: pooled_scores([1.0], [1.0], [-1.0]),
            "a weight is negative or missing: give pixels that do not count a 0",
        ),
        (
            lambda: fold_scores([1.0], [1.0], [2], 2),
            "folds run from 0 to 1, but 2 to 2 occur",
        ),
        (
            lambda: fold_scores([1.0], [1.0], [0, 1], 2),
            "folds (2,) and observed (1,) must be (n,) each",
        ),
        (
            lambda: mean_deviance([-1.0], [1.0], "poisson"),
            "a response of the poisson family lies from 0 to inf; this one does not",
        ),
        (
            lambda: mean_deviance([1.0], [1.5], "binomial"),
            "a predicted mean of the binomial family lies from 0 to 1; this one does not",
        ),
        (
            lambda: mean_deviance([0.0], [1.5], "gamma"),
            "a response of the gamma family is above 0; this one has zeros",
        ),
        (
            lambda: mean_deviance([0.0], [1.5], "quantile", level=1.0),
            "the level of a quantile lies between 0 and 1, not 1",
        ),
        (lambda: roc_auc([2], [1.0]), "the area under the ROC curve needs classes 0 and 1"),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()
