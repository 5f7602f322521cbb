"""Laws that hold for every path model and every table."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivers as dr

EXAMPLES = settings(max_examples=25)
"""A fit costs some ten milliseconds; the laws below are broken everywhere or nowhere."""


def world(seed: int, n: int = 80) -> pd.DataFrame:
    """Five numbers and a class, all related."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n), rng.normal(size=n)
    kind = rng.choice(["clay", "loam", "sand"], size=n)
    c = 0.6 * a - 0.3 * b + rng.normal(size=n)
    d = 0.5 * c + 0.2 * (kind == "clay") + rng.normal(size=n)
    y = 0.4 * d - 0.5 * a + 0.1 * b + rng.normal(size=n)
    return pd.DataFrame({"a": 5 + a, "b": -2 + b, "c": c, "d": d, "kind": kind, "y": y})


EQUATIONS = ("c ~ a + b", "d ~ c + kind", "y ~ d + a")
FORMULA = "; ".join(EQUATIONS)


def tables(result: Any) -> dict[str, pd.DataFrame]:
    return {
        "coefficients": result.tidy(),
        "dsep": result.claims(),
        "fit": result.glance(),
        "effects": dr.effects(result),
    }


def assert_close(got: dict[str, pd.DataFrame], want: dict[str, pd.DataFrame], rtol: float = 1e-7) -> None:
    for name, table in want.items():
        pd.testing.assert_frame_equal(got[name], table, rtol=rtol, atol=1e-10, obj=name)


@EXAMPLES
@given(seed=st.integers(0, 10_000), powers=st.lists(st.integers(-6, 6), min_size=5, max_size=5))
def test_standardised_numbers_ignore_units(seed: int, powers: list[int]) -> None:
    frame = world(seed)
    scaled = frame.copy()
    for name, power in zip("abcdy", powers, strict=True):
        scaled[name] = frame[name] * 10.0**power
    one, other = tables(dr.fit(FORMULA, frame)), tables(dr.fit(FORMULA, scaled))
    free = {
        "coefficients": ["response", "op", "term", "statistic", "df", "p_value", "log_p", "std_estimate"],
        "dsep": ["response", "term", "statistic", "p_value", "partial_r", "partial_r_low", "partial_r_high"],
        "fit": ["fishers_c", "fishers_c_p", "chisq", "chisq_p", "r2", "verdict", "equivalence_p"],
        "effects": ["driver", "response", "kind", "via", "std_estimate", "p_value"],
    }
    for name, columns in free.items():
        pd.testing.assert_frame_equal(other[name][columns], one[name][columns], rtol=1e-6, atol=1e-9)


@EXAMPLES
@given(seed=st.integers(0, 10_000))
def test_standardised_numbers_ignore_the_zero_of_a_scale(seed: int) -> None:
    frame = world(seed)
    moved = frame.assign(a=frame.a + 1e7, d=frame.d - 1e6)
    one, other = dr.fit(FORMULA, frame).tidy(), dr.fit(FORMULA, moved).tidy()
    np.testing.assert_allclose(other.std_estimate.dropna(), one.std_estimate.dropna(), rtol=1e-6, atol=1e-7)


@EXAMPLES
@given(seed=st.integers(0, 10_000))
def test_permuting_pixels_changes_nothing(seed: int) -> None:
    frame = world(seed)
    order = np.random.default_rng(seed).permutation(len(frame))
    shuffled = frame.iloc[order].reset_index(drop=True)
    assert_close(tables(dr.fit(FORMULA, shuffled)), tables(dr.fit(FORMULA, frame)))


@EXAMPLES
@given(seed=st.integers(0, 10_000))
def test_names_of_classes_change_nothing_but_labels(seed: int) -> None:
    frame = world(seed)
    renamed = frame.assign(kind=frame.kind.map({"clay": "A", "loam": "B", "sand": "C"}))
    one, other = dr.fit(FORMULA, frame), dr.fit(FORMULA, renamed)
    np.testing.assert_allclose(other.tidy().estimate, one.tidy().estimate, rtol=1e-9)
    assert other.glance().fishers_c.item() == pytest.approx(one.glance().fishers_c.item(), rel=1e-12)


@EXAMPLES
@given(seed=st.integers(0, 10_000))
def test_the_reference_class_does_not_change_the_model(seed: int) -> None:
    """Another first level: other dummies, the same F, likelihood, and claims."""
    frame = world(seed)
    turned = frame.assign(kind=frame.kind.map({"clay": "z", "loam": "y", "sand": "x"}))
    one, other = dr.fit(FORMULA, frame), dr.fit(FORMULA, turned)
    for column in ("fishers_c", "chisq", "aic", "r2"):
        assert other.glance()[column].item() == pytest.approx(one.glance()[column].item(), rel=1e-8)
    joint = [r.tidy().set_index("term").loc["kind", "statistic"] for r in (one, other)]
    assert joint[0] == pytest.approx(joint[1], rel=1e-8)


def test_every_order_of_equations_and_terms_gives_the_same_bytes_from_fit() -> None:
    frame = world(3)
    texts = set()
    for order in permutations(EQUATIONS):
        for turned in (False, True):
            lines = []
            for line in order:
                left, right = line.split(" ~ ")
                parts = right.split(" + ")
                lines.append(f"{left} ~ {' + '.join(parts[::-1] if turned else parts)}")
            result = dr.fit("\n".join(lines), frame)
            made = tables(result)
            coefficients = made.pop("coefficients").sort_values(["response", "term"]).reset_index(drop=True)
            texts.add((turned, *(table.to_csv() for table in made.values()), coefficients.to_csv()))
    assert len(texts) <= 2  # one per order of terms
    same_terms = {text[1:] for text in texts if not text[0]}
    assert len(same_terms) == 1


def test_every_order_of_equations_gives_the_same_bytes_from_run(project: Any) -> None:
    project.table("world", world(4))
    equations = ("c ~ group", "d ~ c + kind", "y ~ d + group", "group <~ a + b")
    orders = list(permutations(range(4)))[::3]
    for i, order in enumerate(orders):
        project.model(f"m{i}", "\n".join(equations[j] for j in order))
    content = {
        "study": "order",
        "table": {"path": "../data/world.csv"},
        "response": {"y": {}},
        "drivers": {"one": {"a": {}, "b": {}}, "two": {"c": {}, "d": {}, "kind": {"categorical": True}}},
        "strata": {"side": {"left": "a <= 5", "right": "a > 5"}},
        "seed": 1,
    }
    seen: dict[str, set[bytes]] = {}
    for i in range(len(orders)):
        # The model keeps one name, so that the tables may be equal to the byte.
        text = (project.root / "models" / f"m{i}.yaml").read_text()
        (project.root / "models" / "paths.yaml").write_text(text)
        spec = project.spec("order", {**content, "fit": [{"models": ["paths"], "over": ["all", "side"]}]})
        out = project.root / "out" / str(i)
        dr.run(spec, out)
        for path in sorted((out / "tables").glob("*.csv")):
            seen.setdefault(path.name, set()).add(path.read_bytes())
    assert {"coefficients.csv", "dsep.csv", "effects.csv", "fit.csv", "r2.csv", "strata.csv"} <= set(seen)
    assert [name for name, texts in seen.items() if len(texts) > 1] == []


def random_model(rng: np.random.Generator, p: int) -> tuple[list[str], np.ndarray]:
    """Equations of a random graph over v0 ... v(p-1), with at least one path into the last node."""
    edges = np.tril(rng.random((p, p)) < 0.6, -1)
    edges[-1, 0] = True
    lines = [
        f"v{j} ~ " + " + ".join(f"v{i}" for i in np.flatnonzero(edges[j])) for j in range(p) if edges[j].any()
    ]
    return lines, edges


@settings(max_examples=30)
@given(seed=st.integers(0, 100_000), p=st.integers(2, 7))
def test_direct_plus_indirect_is_total_is_the_inverse(seed: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    lines, edges = random_model(rng, p)
    b = edges * rng.normal(size=(p, p))
    x = np.linalg.solve(np.eye(p) - b, rng.normal(size=(p, 60))).T
    frame = pd.DataFrame(x, columns=[f"v{i}" for i in range(p)])
    result = dr.fit("\n".join(rng.permutation(lines)), frame)
    found, tidy = dr.effects(result), result.tidy()
    for column in ("estimate", "std_estimate"):
        matrix = np.zeros((p, p))
        for r in tidy.itertuples():
            matrix[int(r.response[1:]), int(r.term[1:])] = getattr(r, column)
        want = np.linalg.inv(np.eye(p) - matrix) - np.eye(p)
        for (driver, response), rows in found.groupby(["driver", "response"]):
            i, j = int(driver[1:]), int(response[1:])
            by_kind = rows.set_index("kind")[column]
            direct, total = by_kind.get("direct", 0.0), by_kind["total"]
            parts = rows[rows.kind == "indirect"][column]
            size = max(1.0, abs(direct) + parts.abs().sum())
            assert direct == pytest.approx(matrix[j, i], abs=1e-15)
            assert direct + parts.sum() == pytest.approx(total, abs=1e-12 * size)
            assert total == pytest.approx(want[j, i], abs=1e-12 * size)
            assert by_kind.get("total_indirect", 0.0) == pytest.approx(parts.sum(), abs=1e-12 * size)
            want[j, i] = 0.0
        np.testing.assert_allclose(np.tril(want, -1), 0.0, atol=1e-12)  # no effect is left out


@settings(max_examples=15)
@given(seed=st.integers(0, 100_000), p=st.integers(3, 6))
def test_a_world_that_obeys_the_model_exactly_has_no_misfit(seed: int, p: int) -> None:
    """Sample moments equal to the implied ones: every partial r is 0, C and χ² are 0."""
    rng = np.random.default_rng(seed)
    lines, edges = random_model(rng, p)
    n = 50
    errors = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, p))]))[0][:, 1:] * np.sqrt(n)
    b = edges * rng.uniform(0.4, 1.0, size=(p, p))
    frame = pd.DataFrame(errors @ np.linalg.inv(np.eye(p) - b).T, columns=[f"v{i}" for i in range(p)])
    result = dr.fit("\n".join(lines), frame)
    glance = result.glance().iloc[0]
    assert np.abs(result.claims().partial_r).max() < 1e-10 if len(result.claims()) else True
    assert abs(glance.chisq) < 1e-9
    if glance.fishers_c_df:
        assert glance.fishers_c == pytest.approx(0.0, abs=1e-8)
        assert glance.verdict == "accepted"
    for r in result.tidy().itertuples():
        assert r.estimate == pytest.approx(b[int(r.response[1:]), int(r.term[1:])], rel=1e-9)


def test_strata_of_a_study_are_fits_of_their_rows(project: Any) -> None:
    """Partition law: what a stratum gives is what its rows alone give."""
    frame = world(6, 300)
    project.table("world", frame)
    project.model("paths", "\n".join(("c ~ a + b", "d ~ c", "y ~ d + a")))
    spec = project.spec(
        "cut",
        {
            "study": "cut",
            "table": {"path": "../data/world.csv"},
            "response": {"y": {}},
            "drivers": {"one": {"a": {}, "b": {}}, "two": {"c": {}, "d": {}, "kind": {"categorical": True}}},
            "strata": {"sign": {"sink": "y > 0", "source": "y <= 0"}, "kind": {"column": "kind"}},
            "fit": [{"models": ["paths"], "over": ["all", "sign", "kind", "sign * kind"]}],
            "seed": 1,
        },
    )
    done = dr.run(spec)
    assert len(done.results) == 1 + 2 + 3 + 6
    masks = {"sink": frame.y > 0, "source": frame.y <= 0}
    for (_, stratum), result in done.results.items():
        inside = np.ones(len(frame), dtype=bool)
        for part in stratum.split(",") if stratum != "all" else []:
            family, level = part.split("=")
            inside &= masks[level] if family == "sign" else frame.kind == level
        want = dr.fit("c ~ a + b; d ~ c; y ~ d + a", frame[inside].reset_index(drop=True))
        # A stratum that is cut on its response knows the cut, which rows alone do not tell.
        left_out = ["group", "truncated_estimate", "truncated_std_error"]
        pd.testing.assert_frame_equal(
            result.tidy().drop(columns=left_out), want.tidy().drop(columns=left_out), rtol=1e-8
        )
        pd.testing.assert_frame_equal(result.claims(), want.claims(), rtol=1e-7)
        assert result.glance().chisq.item() == pytest.approx(want.glance().chisq.item(), rel=1e-7)


def test_missing_values_are_the_same_as_rows_that_are_not_there(tmp_path: Path) -> None:
    frame = world(8, 200)
    holed = frame.copy()
    holed.loc[::7, "c"] = np.nan
    holed.loc[3::11, "kind"] = None
    keep = holed[["a", "b", "c", "d", "kind", "y"]].notna().all(axis=1)
    got, want = dr.fit(FORMULA, holed), dr.fit(FORMULA, frame[keep].reset_index(drop=True))
    assert_close(tables(got), tables(want))
    assert got.glance().n.item() == keep.sum()
