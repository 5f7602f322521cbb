"""prune and suggest leave a trail and do what refits do; the verdicts say what they should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import drivers as dr


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(21)
    n = 300
    x = rng.normal(size=(n, 6))
    m = 0.6 * x[:, 0] + rng.normal(size=n)
    y = 0.5 * m + 0.4 * x[:, 1] + rng.normal(size=n)
    made = pd.DataFrame(x, columns=[f"x{i}" for i in range(6)])
    return made.assign(m=m, y=y, kind=rng.choice(["a", "b", "c"], size=n))


FULL = "m ~ x0 + x1 + x2 + x3; y ~ m + x1 + x2 + x4 + x5"


def paths(result: Any) -> set[tuple[str, str]]:
    return {(r.response, r.term) for r in result.tidy().itertuples() if r.op == "~"}


def formula_of(found: set[tuple[str, str]]) -> str:
    by_response: dict[str, list[str]] = {}
    for response, term in sorted(found):
        by_response.setdefault(response, []).append(term)
    return "; ".join(f"{response} ~ {' + '.join(right)}" for response, right in by_response.items())


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.001])
def test_prune_ends_with_every_path_significant(threshold: float, frame: pd.DataFrame) -> None:
    result = dr.fit(FULL, frame, options={"prune": {"p_value": threshold}})
    assert (result.tidy().p_value <= threshold).all()
    assert {("m", "x0"), ("y", "m"), ("y", "x1")} <= paths(result)
    trail = result.trail()
    assert trail.step.tolist() == list(range(1, len(trail) + 1))
    assert set(trail.action) == {"drop"}
    assert (trail.p_value > threshold).all()
    dropped = set(zip(trail.response, trail.term, strict=True))
    assert dropped.isdisjoint(paths(result))
    assert dropped | paths(result) == paths(dr.fit(FULL, frame))


def test_every_step_of_prune_drops_the_weakest_path_and_refits(frame: pd.DataFrame) -> None:
    result = dr.fit(FULL, frame, options={"prune": {"p_value": 0.05}})
    left = paths(dr.fit(FULL, frame))
    before = dr.fit(FULL, frame).glance().iloc[0]
    for step in result.trail().itertuples():
        table = dr.fit(formula_of(left), frame).tidy()
        worst = table.loc[table.p_value.idxmax()]
        assert (step.response, step.term) == (worst.response, worst.term)
        assert step.p_value == pytest.approx(worst.p_value, rel=1e-9)
        left.discard((step.response, step.term))
        # Nothing is forgotten: a dropped path is a claim from then on.
        isolated = {t for _, t in paths(dr.fit(FULL, frame))} - {t for _, t in left} - {r for r, _ in left}
        after = dr.fit(formula_of(left) + "".join(f"; {t} ~ 1" for t in isolated), frame).glance().iloc[0]
        for column in ("fishers_c", "fishers_c_p", "aicc"):
            assert getattr(step, column) == pytest.approx(after[column], rel=1e-9), column
        assert step.fishers_c_df == after.fishers_c_df
        assert step.delta_aicc == pytest.approx(after.aicc - before.aicc, abs=1e-9)
        assert step.delta_c == pytest.approx(after.fishers_c - before.fishers_c, abs=1e-9)
        before = after
    assert left == paths(result)
    final = result.glance().iloc[0]
    assert final.fishers_c == pytest.approx(before.fishers_c, rel=1e-12)
    assert final.aicc == pytest.approx(before.aicc, rel=1e-12)


def test_prune_drops_a_class_as_a_whole(frame: pd.DataFrame) -> None:
    result = dr.fit("y ~ m + kind", frame, options={"prune": {"p_value": 0.05}})
    full = dr.fit("y ~ m + kind", frame).tidy().set_index("term")
    assert full.loc["kind", "p_value"] > 0.05
    assert paths(result) == {("y", "m")}
    assert result.trail().term.tolist() == ["kind"]
    assert result.trail().p_value.item() == pytest.approx(full.loc["kind", "p_value"], rel=1e-9)


def test_a_main_effect_stays_while_a_product_needs_it(frame: pd.DataFrame) -> None:
    made = frame.assign(y=frame.y + 1.5 * frame.x4 * frame.x5)
    result = dr.fit("y ~ m + x4 * x5", made, options={"prune": {"p_value": 0.05}})
    full = dr.fit("y ~ m + x4 * x5", made).tidy().set_index("term")
    assert max(full.loc["x4", "p_value"], full.loc["x5", "p_value"]) > 0.05
    assert paths(result) == {("y", "m"), ("y", "x4"), ("y", "x5"), ("y", "x4:x5")}
    assert len(result.trail()) == 0
    # Without the product there is nothing to protect: it goes first, then they do.
    gone = dr.fit("y ~ m + x4 * x5", frame, options={"prune": {"p_value": 0.05}})
    assert gone.trail().term.tolist()[0] == "x4:x5"
    assert paths(gone) == {("y", "m")}


def test_prune_may_drop_everything(frame: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    noise = pd.DataFrame(rng.normal(size=(200, 3)), columns=list("abc"))
    noise["c"] -= noise[["a", "b"]] @ np.linalg.lstsq(noise[["a", "b"]], noise.c, rcond=None)[0]
    result = dr.fit("c ~ a + b", noise, options={"prune": {"p_value": 0.05}})
    assert len(result.tidy()) == 0
    assert len(result.trail()) == 2
    assert result.glance().fishers_c_df.item() == 4
    assert result.glance().status.item() == "ok"


def test_suggest_adds_nothing_and_says_what_each_path_would_do(frame: pd.DataFrame) -> None:
    formula = "m ~ x3; y ~ x4"
    plain, result = dr.fit(formula, frame), dr.fit(formula, frame, options={"suggest": True})
    pd.testing.assert_frame_equal(result.tidy(), plain.tidy())
    pd.testing.assert_frame_equal(result.claims(), plain.claims())
    pd.testing.assert_frame_equal(result.glance(), plain.glance())
    trail, claims = result.trail(), plain.claims()
    failed = claims[claims.p_value < 0.05].sort_values("p_value")
    assert len(trail) == len(failed) >= 1
    assert list(zip(trail.response, trail.term, strict=True)) == list(
        zip(failed.response, failed.term, strict=True)
    )
    assert set(trail.action) == {"suggest"}
    before = plain.glance().iloc[0]
    for step in trail.itertuples():
        right = {"m": ["x3"], "y": ["x4"]}
        right[step.response].append(step.term)
        larger = "; ".join(f"{left} ~ {' + '.join(terms)}" for left, terms in right.items())
        after = dr.fit(larger, frame).glance().iloc[0]
        assert step.fishers_c == pytest.approx(after.fishers_c, rel=1e-9, nan_ok=True)
        assert step.aicc == pytest.approx(after.aicc, rel=1e-10)
        assert step.delta_aicc == pytest.approx(after.aicc - before.aicc, abs=1e-9)
        assert step.delta_c == pytest.approx(after.fishers_c - before.fishers_c, abs=1e-8)


def test_prune_and_suggest_in_one_trail(frame: pd.DataFrame) -> None:
    result = dr.fit("m ~ x2 + x0; y ~ x1 + x5", frame, options={"prune": {"p_value": 0.05}, "suggest": True})
    trail = result.trail()
    assert trail.step.tolist() == list(range(1, len(trail) + 1))
    kinds = trail.action.tolist()
    assert kinds == sorted(kinds)  # drops first
    assert ("y", "m") in set(zip(trail.response, trail.term, strict=True)) | {
        (b, a) for a, b in zip(trail.response, trail.term, strict=True)
    }


def test_a_good_model_suggests_nothing(frame: pd.DataFrame) -> None:
    result = dr.fit("m ~ x0; y ~ m + x1", frame, options={"suggest": True})
    assert len(result.trail()) == (result.claims().p_value < 0.05).sum()


def chain(n: int, leak: float, seed: int = 5) -> pd.DataFrame:
    """x -> m -> y, and a leak of x straight into y."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    m = 0.6 * x + 0.8 * rng.normal(size=n)
    y = 0.5 * m + leak * x + rng.normal(size=n)
    return pd.DataFrame({"x": x, "m": m, "y": y})


def test_a_large_table_rejects_what_is_negligible() -> None:
    """A partial r of 0.02 at 100,000 pixels: C rejects, the equivalence test finds it negligible."""
    glance = dr.fit("m ~ x; y ~ m", chain(100_000, 0.025)).glance().iloc[0]
    assert glance.verdict == "rejected"
    assert glance.fishers_c_p < 1e-4
    assert abs(glance.max_partial_r) < 0.04
    assert glance.equivalence_bound == 0.05
    assert glance.equivalence_p < 0.05
    assert glance.equivalence_verdict == "equivalent"
    assert glance.max_partial_r_low < glance.max_partial_r < glance.max_partial_r_high


def test_a_real_misfit_is_not_equivalent() -> None:
    glance = dr.fit("m ~ x; y ~ m", chain(20_000, 0.3)).glance().iloc[0]
    assert (glance.verdict, glance.equivalence_verdict) == ("rejected", "not equivalent")
    assert glance.equivalence_p > 0.95
    fit = smf.ols("y ~ m + x", chain(20_000, 0.3)).fit()
    t = fit.tvalues["x"]
    assert glance.max_partial_r == pytest.approx(t / np.sqrt(t**2 + fit.df_resid), rel=1e-9)


def test_a_small_table_accepts_and_cannot_tell() -> None:
    glance = dr.fit("m ~ x; y ~ m", chain(60, 0.0)).glance().iloc[0]
    assert (glance.verdict, glance.equivalence_verdict) == ("accepted", "inconclusive")


def test_the_bound_is_an_option() -> None:
    frame = chain(20_000, 0.3)
    glance = dr.fit("m ~ x; y ~ m", frame, options={"equivalence_bound": 0.5}).glance().iloc[0]
    assert (glance.equivalence_bound, glance.equivalence_verdict) == (0.5, "equivalent")


def test_saturated_models_have_no_verdict_to_give() -> None:
    glance = dr.fit("m ~ x; y ~ m + x", chain(100, 0.1)).glance().iloc[0]
    assert glance.message == "saturated: no path is missing, so nothing can be tested"
    assert (glance.verdict, glance.fishers_c_df, glance.chisq_df) == ("saturated", 0, 0)
    assert (glance.chisq, glance.chisq_p) == (0.0, 1.0)
    assert pd.isna(glance.fishers_c)
    assert pd.isna(glance.fishers_c_p)
    assert pd.isna(glance.c_per_df)
    assert pd.isna(glance.aic_dsep)
    assert pd.isna(glance.equivalence_p)
    assert not glance.equivalence_verdict or pd.isna(glance.equivalence_verdict)


def test_c_is_finite_where_p_underflows() -> None:
    """p of a claim is about 1e-1400 here; C is summed from its logarithm."""
    frame = chain(200_000, 0.25)
    result = dr.fit("m ~ x; y ~ m", frame)
    claim, glance = result.claims().iloc[0], result.glance().iloc[0]
    assert claim.p_value == 0.0
    assert claim.log_p < -1000
    assert np.isfinite(claim.log_p)
    assert glance.fishers_c == pytest.approx(-2 * claim.log_p, rel=1e-14)
    fit = smf.ols("y ~ m + x", frame).fit()
    assert claim.statistic == pytest.approx(fit.tvalues["x"], rel=1e-9)
