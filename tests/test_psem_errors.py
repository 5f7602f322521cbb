"""Errors of a path model by pixels, independent pixels and blocks: what the tables say, and from what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import drivers as dr
from drivers.effect_errors import over_blocks
from drivers.effect_graph import effect_graph
from drivers.effects import effect_records
from drivers.methods.resampled import edge_statistic
from drivers.spec import model_from_text
from drivers.stats.block_bootstrap import resampled_moments
from drivers.stats.block_moments import block_moments
from drivers.stats.effective import Dependence, effective_n
from drivers.stats.lagged import lagged_moments
from drivers.stats.lattice import make_lattice
from drivers.stats.linear import standardised_error
from drivers.stats.sandwich import border_weights, sandwich
from drivers.stats.truncated import truncated_regression
from drivers.table import pixel_table_from_frame

SIDE = 40
MODEL = "m ~ x + z; y ~ m + z"
KEYS = ["response", "term"]


def smooth(rng: np.random.Generator, reach: float, side: int = SIDE) -> np.ndarray:
    """A Gaussian field that forgets itself over about `reach` cells, on a torus; shape (side²,)."""
    lag = np.minimum(np.arange(side), side - np.arange(side))
    spectrum = np.fft.fft2(np.exp(-np.hypot(lag[:, None], lag) / reach)).real
    noise = rng.normal(size=(side, side)) + 1j * rng.normal(size=(side, side))
    return np.fft.fft2(noise * np.sqrt(np.maximum(spectrum, 0.0) / side**2)).real.ravel()


def world(seed: int = 1, reach: float = 3.0, side: int = SIDE) -> pd.DataFrame:
    """x and z act on m, m and z on y; x acts on y through m only."""
    rng = np.random.default_rng(seed)
    x, z, e, f = (smooth(rng, reach, side) for _ in range(4))
    m = 0.5 * x + 0.3 * z + e
    north, east = np.divmod(np.arange(side**2), side)
    kind = np.where(smooth(rng, reach, side) > 0.4, "wood", np.where(x > 0.8, "crop", "grass"))
    return pd.DataFrame(
        {"x": x, "z": z, "m": m, "y": 0.4 * m - 0.3 * z + f, "kind": kind, "e": east * 1.0, "n": north * 1.0}
    )


def fit(model: str, frame: pd.DataFrame, where: str | None = None, **options: Any) -> Any:
    table = pixel_table_from_frame(frame, easting="e", northing="n")
    return dr.fit(model, table, where=where, options=options)


def table(result: Any, name: str) -> pd.DataFrame:
    rows = {**result.records, **effect_records(result)}
    return pd.DataFrame(rows[name])


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return world()


@pytest.fixture(scope="module")
def found(frame: pd.DataFrame) -> Any:
    return fit(MODEL, frame)


def test_effective_errors_are_those_of_independent_pixels(frame: pd.DataFrame, found: Any) -> None:
    plain = dr.fit(MODEL, frame.drop(columns=["e", "n"])).tidy().set_index(KEYS)
    rows = found.tidy().set_index(KEYS)
    lattice = make_lattice(frame.e.to_numpy(), frame.n.to_numpy())
    columns = frame[["m", "z", "y"]].to_numpy().T
    wanted = effective_n(Dependence(lagged_moments(columns, lattice)), 2, [0, 1])
    mine = rows.loc["y"].loc[["m", "z"]]
    np.testing.assert_allclose(mine.n_effective, wanted.n_effective, rtol=1e-6)
    np.testing.assert_allclose(mine.df, wanted.df, rtol=1e-6)
    np.testing.assert_allclose(rows.estimate, plain.estimate, rtol=1e-10)
    np.testing.assert_allclose(
        rows.std_error, plain.std_error * np.sqrt(SIDE**2 / rows.n_effective), rtol=1e-10
    )
    np.testing.assert_allclose(rows.p_classical, plain.p_value, rtol=1e-8)
    assert (rows.std_error > 1.5 * plain.std_error).all()
    assert (rows.conf_high - rows.conf_low > 1.5 * (plain.conf_high - plain.conf_low)).all()
    assert found.glance().errors[0] == "effective"
    assert dr.fit(MODEL, frame.drop(columns=["e", "n"])).glance().errors[0] == "classical"


def test_a_claim_is_tested_as_the_slope_that_it_denies(frame: pd.DataFrame, found: Any) -> None:
    for kind in ("classical", "effective", "block"):
        claim = fit(MODEL, frame, errors=kind).claims().iloc[0]
        whole = fit("m ~ x + z; y ~ m + z + x", frame, errors=kind).tidy().set_index(KEYS).loc[("y", "x")]
        assert (claim.response, claim.term) == ("y", "x")
        for name in ("statistic", "df", "log_p", "p_classical", "p_block", "n_effective"):
            assert claim[name] == pytest.approx(whole[name], rel=1e-6), (kind, name)
        assert claim.partial_r_low < claim.partial_r < claim.partial_r_high
    c = found.glance().iloc[0]
    claim = found.claims().iloc[0]
    assert c.fishers_c == pytest.approx(-2 * claim.log_p)
    assert c.fishers_c_classical == pytest.approx(-2 * np.log(claim.p_classical))


def test_block_errors_are_the_sandwich_of_the_same_blocks(frame: pd.DataFrame) -> None:
    result = fit(MODEL, frame, errors="block", block=8)
    row, column = frame.n.to_numpy() // 8, frame.e.to_numpy() // 8
    codes = (row * 5 + column).astype(np.int64)
    places = np.divmod(np.arange(25), 5)
    own = sandwich(
        block_moments(frame[["m", "z", "y"]].to_numpy().T, codes),
        [(2, [0, 1])],
        correction="CR2",
        borders=border_weights(places[0], places[1]),
    )
    rows = result.tidy().set_index(KEYS).loc["y"].loc[["m", "z"]]
    np.testing.assert_allclose(rows.std_error, own.std_error, rtol=1e-8)
    np.testing.assert_allclose(rows.df, own.df, rtol=1e-8)
    np.testing.assert_allclose(rows.p_value, rows.p_block, rtol=1e-12)
    glance = result.glance().iloc[0]
    assert (glance.block_side, glance.n_blocks, glance.errors) == (8.0, 25, "block")


COMPOSITES = "c <~ x + z; d <~ w + v; d ~ c; y ~ c + d"


@pytest.mark.parametrize("how", ["regression", "equal", "pc1", "fixed"])
def test_draws_of_blocks_equal_resampled_rows(frame: pd.DataFrame, how: str) -> None:
    """Weights of composites and all slopes of a draw, as if the model were fitted on its rows."""
    rng = np.random.default_rng(4)
    data = frame.assign(w=rng.normal(size=len(frame)) + frame.m, v=rng.normal(size=len(frame)))
    given: Any = {"c": {"x": 1.0, "z": 2.0}, "d": {"w": 0.5, "v": 1.0}} if how == "fixed" else how
    model = model_from_text(COMPOSITES, composite=given, options={"block": 10})
    result = dr.fit(model, pixel_table_from_frame(data, easting="e", northing="n"))
    near = result.fit.sample.vicinity
    counts = near.counts[:3]
    drawn = edge_statistic(result.fit)(resampled_moments(near.moments, counts))
    blocks = ((data.n // 10) * 4 + data.e // 10).astype(int)
    for b, times in enumerate(counts):
        rows = np.repeat(np.arange(len(data)), times[blocks])
        again = effect_graph(dr.fit(model, data.drop(columns=["e", "n"]).iloc[rows].reset_index(drop=True)))
        np.testing.assert_allclose(drawn[b], np.concatenate([again.raw, again.std]), rtol=1e-8)


def test_every_kind_stands_beside_the_others(frame: pd.DataFrame, found: Any) -> None:
    sides = table(found, "coefficient_errors")
    assert sides.groupby("errors").size().to_dict() == {"classical": 4, "effective": 4, "block": 4}
    chosen = sides[sides.errors == "effective"].set_index(KEYS)
    rows = found.tidy().set_index(KEYS)
    for name in ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high", "std_estimate_error"):
        np.testing.assert_allclose(chosen[name], rows[name], rtol=1e-12)
    effects = table(found, "effect_errors")
    assert set(effects.errors) == {"classical", "effective", "block", "bootstrap"}
    keys = ["driver", "response", "kind", "via"]
    own = effects[effects.errors == "effective"].set_index(keys)
    told = table(found, "effects").query("driver != ''").set_index(keys)
    np.testing.assert_allclose(told.loc[own.index].std_error, own.std_error, rtol=1e-12)
    direct = told[told.index.get_level_values("kind") == "direct"]
    for (driver, response, _, _), row in direct.iterrows():
        slope = rows.loc[(response, driver)]
        for name in ("std_error", "df", "p_value", "std_estimate_error"):
            assert row[name] == pytest.approx(slope[name], rel=1e-9), name


def test_block_effects_have_the_interval_of_the_draws(frame: pd.DataFrame) -> None:
    result = fit(MODEL, frame, errors="block")
    keys = ["driver", "response", "kind", "via"]
    told = table(result, "effects").query("driver != ''").set_index(keys)
    drawn = table(result, "effect_errors").query("errors == 'bootstrap'").set_index(keys)
    for name in ("conf_low", "conf_high", "std_conf_low", "std_conf_high"):
        np.testing.assert_allclose(told[name], drawn[name].loc[told.index], rtol=1e-12)
    none = fit(MODEL, frame, errors="block", draws=0)
    assert "bootstrap" not in set(table(none, "effect_errors").errors)
    assert np.isfinite(table(none, "effects").conf_low).all()
    again = table(fit(MODEL, frame, errors="block"), "effects")
    pd.testing.assert_frame_equal(again, table(result, "effects"))
    assert over_blocks(result.fit, effect_graph(result).pathways).df > 3


def test_too_few_independent_pixels_are_refused() -> None:
    side, rng = 30, np.random.default_rng(3)
    north, east = np.divmod(np.arange(side**2), side)
    waves = np.exp(
        2j * np.pi / side * np.outer([0, 1, 1, 2], east) + 2j * np.outer([1, 0, 1, 1], north) / side
    )
    data = pd.DataFrame({name: (rng.normal(size=4) @ waves).real for name in ("x", "z", "m", "y")})
    data += 0.01 * rng.normal(size=data.shape)
    data = data.assign(e=east * 1.0, n=north * 1.0)
    result = fit(MODEL, data)
    rows, claim, glance = result.tidy(), result.claims().iloc[0], result.glance().iloc[0]
    assert rows.p_value.isna().all()
    assert rows.conf_low.isna().all()
    assert (rows.p_classical >= 0).all()
    assert np.isnan(claim.p_value)
    assert glance.verdict == "undecided"
    assert np.isnan(glance.fishers_c_p)
    assert glance.equivalence_verdict == "inconclusive"
    assert glance.message == (
        "too few independent pixels for a test of `m ~ x`, `m ~ z`, `y ~ m`, `y ~ z`, `y ⫫ x`"
    )
    pruned = fit(MODEL, data, prune={"p_value": 0.05})
    assert pruned.trail().empty  # what cannot be tested is not dropped


def test_factors_count_the_independent_pixels_of_their_worst_column(frame: pd.DataFrame) -> None:
    rows = fit("y ~ C(kind) + x", frame).tidy()
    joint = rows[rows.term == "C(kind)"].iloc[0]
    dummies = rows[rows.term.str.startswith("C(kind)[")]
    assert joint.n_effective == dummies.n_effective.min()
    plain = fit("y ~ C(kind) + x", frame, errors="classical").tidy().iloc[0]
    assert joint.statistic == pytest.approx(plain.statistic * joint.n_effective / len(frame))
    assert joint.p_classical == pytest.approx(plain.p_value)
    assert 0 < joint.p_block < 1
    claims = fit("m ~ C(kind); y ~ m", frame).claims().iloc[0]
    assert claims.p_classical < claims.p_value
    assert claims.partial_r_low <= claims.partial_r <= claims.partial_r_high


def test_correlated_errors_count_independent_pixels(frame: pd.DataFrame) -> None:
    rows = fit("m ~ x; y ~ z; m ~~ y", frame).tidy()
    row = rows[rows.op == "~~"].iloc[0]
    assert 10 < row.n_effective < len(frame) / 3
    assert row.p_classical < row.p_value
    assert 0 < row.p_block < 1
    # Two slopes on each side were taken out before.
    assert row.df == pytest.approx(row.n_effective - 4)


def test_equations_that_need_rows_keep_their_errors(frame: pd.DataFrame) -> None:
    data = frame.assign(many=np.random.default_rng(1).poisson(np.exp(0.3 * frame.m)))
    result = dr.fit(
        "m ~ x; many ~ m",
        pixel_table_from_frame(data, easting="e", northing="n"),
        family={"many": "poisson"},
    )
    rows = result.tidy().set_index("response")
    assert np.isnan(rows.loc["many"].n_effective)
    assert rows.loc["many"].p_value == rows.loc["many"].p_classical
    assert result.glance().message[0] == (
        "the errors of `many` are classical: effective ones need a Gaussian equation without a random "
        "intercept"
    )


def test_errors_without_coordinates(frame: pd.DataFrame, project: Any) -> None:
    one_place = fit(MODEL, frame.assign(e=1.0, n=1.0)).glance().iloc[0]
    assert one_place.errors == "classical"
    assert one_place.message == "the errors are classical, as if neighbouring pixels were independent"
    assert np.isnan(one_place.block_side)
    data = project.table("t", frame)
    project.model("m", MODEL, options={"errors": "block"})
    drivers = {"g": {"x": {}, "z": {}, "m": {}}}
    content = {"study": "s", "table": {"path": str(data)}, "response": {"y": {}}, "drivers": drivers}
    run = dr.run(project.spec("s", {**content, "fit": [{"models": ["m"], "over": ["all"]}]}))
    assert run.tables.meta["warnings"] == [
        "model m: `errors: block` needs the coordinates of every pixel; p-values are classical"
    ]
    assert run.table("fit").errors.tolist() == ["classical"]


def test_few_blocks_are_said(frame: pd.DataFrame) -> None:
    message = fit(MODEL, frame, errors="block", block=10).glance().message[0]
    assert message == "only 16 blocks: errors over fewer than 20 are rough"
    one = fit(MODEL, frame, errors="block", block=100)
    assert one.glance().message[0] == "all pixels lie in one block: there are no errors over blocks"
    assert one.tidy().p_value.isna().all()
    four = fit(MODEL, frame, errors="block", block=20)
    assert four.glance().message[0].startswith("too few blocks (4) for a test of `m ~ x`")
    with pytest.raises(dr.SpecError, match="must be 0 or at least 99"):
        fit(MODEL, frame, draws=5)


def test_the_error_of_a_standardised_slope_is_that_of_a_correlation() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=500)
    y = 0.6 * x + rng.normal(size=500)
    r = np.corrcoef(x, y)[0, 1]
    row = dr.fit("y ~ x", pd.DataFrame({"x": x, "y": y})).tidy().iloc[0]
    assert row.std_estimate_error == pytest.approx((1 - r**2) / np.sqrt(500), rel=0.01)
    given = standardised_error(np.array([r]), np.array([0.04]), np.array([0.8]), r**2, np.array([r]), 500)
    assert given[0] == pytest.approx(np.sqrt((0.04 * 0.8) ** 2 - r**2 * (1 - r**2) / 500))


def test_a_cut_on_the_response_is_allowed_for(frame: pd.DataFrame) -> None:
    result = fit("y ~ m + z", frame, where="y > 0")
    inside = frame[frame.y > 0]
    wanted = truncated_regression(inside.y.to_numpy(), inside[["m", "z"]].to_numpy(), low=0.0)
    rows = result.tidy()
    np.testing.assert_allclose(rows.truncated_estimate, wanted.coefficients, rtol=1e-9)
    wider = np.sqrt(len(inside) / rows.n_effective)
    np.testing.assert_allclose(rows.truncated_std_error, wanted.std_error * wider, rtol=1e-9)
    assert (rows.truncated_estimate.abs() > rows.estimate.abs()).all()
    swept = table(result, "threshold_sweep")
    own = swept[swept.threshold == 0.0]
    np.testing.assert_allclose(own.estimate, rows.estimate, rtol=1e-9)
    assert set(swept.side) == {"above"}
    assert swept.threshold.nunique() == 20
    assert (swept.groupby("threshold").n.first().diff().dropna() < 0).all()
    both = fit("y ~ m + z", frame, where="y > 0 and x > 0")
    assert "threshold_sweep" not in both.records
    assert np.isfinite(both.tidy().truncated_estimate).all()
    other = fit("y ~ m + z", frame, where="x > 0").tidy()
    assert other.truncated_estimate.isna().all()


def test_effects_of_members_rest_on_their_weights(frame: pd.DataFrame) -> None:
    """The direct effect of a member on the response is its slope in the regression on all members."""
    rng = np.random.default_rng(4)
    data = frame.assign(w=rng.normal(size=len(frame)) + frame.m, v=rng.normal(size=len(frame)))
    result = fit("c <~ x + z; d <~ w + v; y ~ c + d; d ~ c", data)
    plain = fit("y ~ x + z + w + v", data).tidy().set_index("term")
    told = table(result, "effects").query("kind == 'direct' and response == 'y'").set_index("driver")
    for name in ("x", "z", "w", "v"):
        assert told.loc[name].estimate == pytest.approx(plain.loc[name].estimate, rel=1e-8)
        assert told.loc[name].std_error == pytest.approx(plain.loc[name].std_error, rel=1e-8)
        assert told.loc[name].p_value == pytest.approx(plain.loc[name].p_value, rel=1e-6)
    sides = table(result, "effect_errors").query("driver == 'x' and response == 'y' and kind == 'total'")
    wide = sides.set_index("errors").std_error
    assert wide["effective"] > wide["classical"]
    assert 0.4 < wide["block"] / wide["effective"] < 2.5


def test_weights_of_an_equation_on_rows_have_errors(frame: pd.DataFrame) -> None:
    """Found by a tester: the effect of a member had no error where a binomial equation gave the weights."""
    rng = np.random.default_rng(4)
    data = frame.assign(b=(frame.y + rng.logistic(size=len(frame)) > 0).astype(float))
    table_ = pixel_table_from_frame(data, easting="e", northing="n")
    result = dr.fit("c <~ x + z; b ~ c + m; m ~ c", table_, family={"b": "binomial"})
    told = table(result, "effects").query("driver == 'x' and response == 'b'").set_index("kind")
    weights = result.tidy().query("op == '<~'").set_index("term")
    assert told.loc["direct"].std_error == pytest.approx(weights.loc["x"].std_error, rel=1e-6)
    assert told.loc["direct"].p_value == pytest.approx(weights.loc["x"].p_value, rel=1e-6)
    assert (told.std_error > 0).all()


def test_groups_are_tested_on_the_degrees_of_freedom_of_their_drivers(frame: pd.DataFrame) -> None:
    table_ = pixel_table_from_frame(frame, easting="e", northing="n")
    groups = {"one": ["x"], "two": ["z", "m"]}
    result = dr.fit(MODEL, table_, groups=groups, options={"errors": "block", "block": 10})
    rows = table(result, "effects")
    alone = rows[(rows.driver == "x") & (rows.kind == "direct") & (rows.response == "m")].iloc[0]
    group = rows[
        (rows.group == "one") & (rows.driver == "") & (rows.kind == "direct") & (rows.response == "m")
    ]
    assert group.iloc[0].p_value == pytest.approx(alone.p_value, rel=1e-6)
    known = rows[(rows.driver == "") & rows.conf_low.notna()]
    holds_nil = (known.conf_low < 0) & (known.conf_high > 0)
    assert (holds_nil == (known.p_value > 0.05)).all()
