"""What cannot be fitted is said in words a person can act on; messages are compared whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import drivers as dr

N = 120


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(41)
    made = pd.DataFrame(rng.normal(size=(N, 4)), columns=list("abcy"))
    made["y"] += made.a
    return made.assign(
        twin=2 * made.a - 1,
        sum=made.a + made.b,
        still=0.1,
        kind=rng.choice(["clay", "sand"], size=N),
        only="clay",
        site=[f"s{i % 8}" for i in range(N)],
        own=[f"p{i}" for i in range(N)],
        hit=(made.y > 0).astype(float),
        count=rng.poisson(3, N).astype(float),
        above=(made.y > 1).astype(float),
    )


Case = tuple[str, dict[str, Any], str]

CASES: dict[str, Case] = {
    "a constant driver": (
        "y ~ a + still",
        {},
        "`still` is constant here: it has no effect that could be estimated",
    ),
    "a constant response": (
        "still ~ a",
        {},
        "`still` is constant here: it has no effect that could be estimated",
    ),
    "a twin": (
        "y ~ a + twin",
        {},
        "collinear columns in the equation of `y`: `twin` is a combination of `a`; leave one of them out",
    ),
    "a sum": (
        "y ~ a + b + sum",
        {},
        "collinear columns in the equation of `y`: `sum` is a combination of `a` and `b`; leave one of them "
        "out",
    ),
    "a twin behind a link": (
        "hit ~ a + twin",
        {"family": "binomial"},
        "collinear columns in the equation of `hit`: `twin` is a combination of `a`; leave one of them out",
    ),
    "a twin beside a random intercept": (
        "y ~ a + twin + (1 | site)",
        {},
        "collinear columns in the equation of `y`: `twin` is a combination of `a`; leave one of them out",
    ),
    "a twin in a claim": (
        "b ~ a; y ~ b + twin",
        {},
        "collinear columns in the claim that `twin` and `b` are independent: `twin` is a combination of `a`; "
        "leave one of them out",
    ),
    "a response made of its driver": (
        "twin ~ a",
        {},
        "the predictors in the equation of `twin` reproduce it exactly; one of them is made from it",
    ),
    "one level": (
        "y ~ only",
        {},
        "`only` has a single level (`clay`) here; leave it out of the model, or do not cut strata on it",
    ),
    "a separated class": (
        "hit ~ a + above",
        {"family": "binomial"},
        "a predictor separates the classes of the response; its coefficient is infinite",
    ),
    "no counts": (
        "y ~ a",
        {"family": "poisson"},
        "a poisson response is a count; this one has negative values",
    ),
    "no shares": (
        "count ~ a",
        {"family": "binomial"},
        "a binomial response lies between 0 and 1; this one does not",
    ),
    "one group": (
        "y ~ a + (1 | only)",
        {},
        "a random intercept needs at least two groups; this stratum has one",
    ),
    "a group for every pixel": (
        "y ~ a + (1 | own)",
        {},
        "120 pixels in 120 groups leave nothing to estimate within groups",
    ),
    "nowhere": ("y ~ a", {"where": "a > 100"}, "no pixels in this stratum"),
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(("formula", "more", "message"), CASES.values(), ids=CASES)
def test_reasons(formula: str, more: dict[str, Any], message: str, frame: pd.DataFrame) -> None:
    with pytest.raises(dr.FitError) as caught:
        dr.fit(formula, frame, **more)
    assert str(caught.value) == message


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    "term", ["log(a)", "sqrt(a)", "log1p(I(a - 5))", "exp(I(a * 1e4))", "I(1 / (a - a))", "log(I(a * 0))"]
)
def test_transforms_that_are_not_numbers(term: str, frame: pd.DataFrame) -> None:
    with pytest.raises(dr.FitError) as caught:
        dr.fit(f"y ~ b + {term}", frame)
    assert "is infinite or undefined for some pixels" in str(caught.value)
    assert "a - a" in str(caught.value) or "a" in str(caught.value).split("`")[1]


@pytest.mark.parametrize("n", range(1, 9))
def test_few_pixels_fail_or_are_right(n: int, frame: pd.DataFrame) -> None:
    """Three slopes and an intercept leave one degree of freedom at five pixels: the fewest there can be."""
    few = frame.iloc[:n]
    if n < 5:
        with pytest.raises(dr.FitError) as caught:
            dr.fit("y ~ a + b + c", few)
        assert str(caught.value).startswith(f"too few pixels: {n} ")
        if n > 2:
            assert str(caught.value) == (
                f"too few pixels: {n} complete ones for the 5 parameters of the equation of `y`"
            )
    else:
        result = dr.fit("y ~ a + b + c", few)
        want = smf.ols("y ~ a + b + c", few).fit()
        tidy = result.tidy().set_index("term")
        np.testing.assert_allclose(tidy.estimate, want.params[1:], rtol=1e-8)
        np.testing.assert_allclose(tidy.std_error, want.bse[1:], rtol=1e-6)
        np.testing.assert_allclose(tidy.p_value, want.pvalues[1:], rtol=1e-6)
        assert tidy.df.tolist() == [n - 4] * 3
        glance = result.glance().iloc[0]
        assert np.isfinite(glance.aic)
        assert np.isnan(glance.aicc) == (n < 7)


def test_few_pixels_for_a_claim(frame: pd.DataFrame) -> None:
    """The equations have enough pixels, their claim has not."""
    with pytest.raises(dr.FitError) as caught:
        dr.fit("y ~ a; c ~ b", frame.iloc[:4])
    assert str(caught.value).startswith("too few pixels: 4 complete ones for ")
    with pytest.raises(dr.FitError) as caught:
        dr.fit("y ~ a; c ~ b; y ~~ c", frame.iloc[:4])
    assert str(caught.value) == "too few pixels: 4 complete ones for `c ~~ y`"


def test_a_combination_of_levels_that_no_pixel_has(frame: pd.DataFrame) -> None:
    """R drops what it cannot tell apart; ecodrivers says which columns those are."""
    made = frame.assign(other=np.where(frame.kind == "clay", "wet", np.where(frame.a > 0, "wet", "dry")))
    with pytest.raises(dr.FitError) as caught:
        dr.fit("y ~ kind * other", made)
    assert str(caught.value) == (
        "collinear columns in the equation of `y`: `kind[sand]:other[wet]` is a combination of `kind[sand]` "
        "and `other[wet]`; leave one of them out"
    )


def test_nothing_missing_is_nothing_lost(frame: pd.DataFrame) -> None:
    """An all-missing column stops the models that use it and no other."""
    holed = frame.assign(c=np.nan)
    with pytest.raises(dr.FitError) as caught:
        dr.fit("y ~ a + c", holed)
    assert str(caught.value) == "none of the 120 pixels of this stratum has a value in every variable"
    assert dr.fit("y ~ a", holed).glance().n.item() == N


def test_a_missing_group_costs_its_pixel(frame: pd.DataFrame) -> None:
    holed = frame.assign(site=frame.site.where(frame.index >= 7))
    assert dr.fit("y ~ a + (1 | site)", holed).glance().n.item() == N - 7


def test_an_empty_table() -> None:
    with pytest.raises(dr.TableError) as caught:
        dr.fit("y ~ a", pd.DataFrame({"a": [], "y": []}, dtype=float))
    assert str(caught.value) == "TableError: the data frame has no rows"


def test_text_where_numbers_are_needed(frame: pd.DataFrame) -> None:
    for formula in ("kind ~ a", "y ~ log(kind)", "y ~ I(kind * 2)", "y ~ a; kind ~~ a"):
        with pytest.raises((dr.SpecError, dr.TableError)) as caught:
            dr.fit(formula, frame)
        assert "`kind`" in str(caught.value), formula


def test_numbers_stored_as_text_are_named(frame: pd.DataFrame) -> None:
    made = frame.assign(code=[str(i % 3) for i in range(N)])
    for formula in ("code ~ a", "y ~ log(code)", "y ~ code", "y ~ code:kind", "y ~ code * a"):
        with pytest.raises((dr.SpecError, dr.TableError)) as caught:
            dr.fit(formula, made)
        assert "`code`" in str(caught.value)
    assert dr.fit("y ~ C(code)", made).fit.sample.n == N
