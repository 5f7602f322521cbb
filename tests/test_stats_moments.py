"""Moments: they add, whatever the pieces, and keep their digits."""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from drivers.stats import moments as module
from drivers.stats.moments import CellMoments, Moments, cell_moments, merge, moments

LAW = 1e-11
"""Sums of a few hundred doubles in another order agree to that; the values are of one size."""

STABLE = 1e-10
"""What issue 2 asks of columns such as 1e9 + small noise, against exact fractions."""

FIELDS = ("rows", "weight", "mean", "cross", "low", "high")


def table(n: int, p: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(p, n)) * 10.0 ** rng.integers(-3, 4, size=(p, 1)) + rng.normal(size=(p, 1))


def assert_same(got: Moments, want: Moments, rtol: float = LAW) -> None:
    assert got.rows == want.rows
    assert got.weight == pytest.approx(want.weight, rel=rtol)
    sd = np.sqrt(np.abs(np.diag(want.cross)) / max(want.weight, 1.0))
    scale = np.maximum(np.abs(want.mean), sd)
    np.testing.assert_allclose(got.mean, want.mean, rtol=0, atol=rtol * scale.max() + 1e-300)
    size = np.sqrt(np.outer(np.diag(want.cross), np.diag(want.cross)))
    assert np.all(np.abs(got.cross - want.cross) <= rtol * size + 1e-250)
    np.testing.assert_array_equal(got.low, want.low)
    np.testing.assert_array_equal(got.high, want.high)


def exact(
    columns: np.ndarray, weights: np.ndarray | None = None
) -> tuple[list[Fraction], list[list[Fraction]]]:
    """Means and centred cross-products without any rounding."""
    rows = [[Fraction(float(v)) for v in column] for column in columns]
    w = [Fraction(1)] * columns.shape[1] if weights is None else [Fraction(float(v)) for v in weights]
    total = sum(w)
    mean = [sum(a * b for a, b in zip(w, row, strict=True)) / total for row in rows]
    apart = [[v - m for v in row] for row, m in zip(rows, mean, strict=True)]
    cross = [[sum(a * b * c for a, b, c in zip(w, x, y, strict=True)) for y in apart] for x in apart]
    return mean, cross


def assert_exact(got: Moments, columns: np.ndarray, rtol: float, weights: np.ndarray | None = None) -> None:
    mean, cross = exact(columns, weights)
    for i in range(len(columns)):
        rounding = 2 * np.spacing(abs(float(mean[i]))) + 1e-14 * float(cross[i][i] / columns.shape[1]) ** 0.5
        assert float(abs(Fraction(float(got.mean[i])) - mean[i])) <= rounding
        for j in range(len(columns)):
            size = (cross[i][i] * cross[j][j]) ** 0.5
            assert float(abs(Fraction(float(got.cross[i, j])) - cross[i][j])) <= rtol * float(size)


def test_moments_are_those_of_numpy() -> None:
    x = table(501, 4)
    m = moments(x)
    assert (m.rows, m.weight) == (501, 501.0)
    np.testing.assert_allclose(m.mean, x.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(m.covariance, np.cov(x), rtol=1e-11)
    np.testing.assert_allclose(m.sd, x.std(axis=1, ddof=1), rtol=1e-12)
    np.testing.assert_array_equal(m.low, x.min(axis=1))
    np.testing.assert_array_equal(m.high, x.max(axis=1))


@given(
    x=hnp.arrays(
        np.float64, st.tuples(st.just(3), st.integers(2, 40)), elements=st.floats(-1e3, 1e3, width=32)
    ),
    data=st.data(),
)
def test_moments_add_whatever_the_pieces(x: np.ndarray, data: st.DataObject) -> None:
    n = x.shape[1]
    cuts = sorted(data.draw(st.lists(st.integers(1, n - 1), max_size=5, unique=True)))
    parts = [moments(part) for part in np.split(x, cuts, axis=1)]
    whole = moments(x)
    size = float(np.abs(x).max()) + 1e-30
    for made in (merge(parts), merge(parts[::-1]), sum(parts[1:], start=parts[0])):
        assert made.rows == n
        np.testing.assert_allclose(made.mean, whole.mean, rtol=0, atol=1e-13 * size)
        np.testing.assert_allclose(made.cross, whole.cross, rtol=0, atol=1e-12 * n * size**2)
        np.testing.assert_array_equal(made.low, x.min(axis=1))
        np.testing.assert_array_equal(made.high, x.max(axis=1))


@given(seed=st.integers(0, 10_000), n=st.integers(2, 200))
def test_permuting_rows_changes_nothing(seed: int, n: int) -> None:
    x = table(n, 3, seed)
    order = np.random.default_rng(seed).permutation(n)
    assert_same(moments(x[:, order]), moments(x))


@pytest.mark.parametrize("chunk", [1, 7, 64, 499, 500, 10_000])
def test_chunks_change_nothing(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = table(500, 4, 3)
    whole = moments(x)
    monkeypatch.setattr(module, "CHUNK_ROWS", chunk)
    assert_same(moments(x), whole)


def read_cells(x: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None):
    def read(start: int, stop: int):
        part = None if weights is None else weights[start:stop]
        return [c[start:stop] for c in x], codes[start:stop], part

    return read


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), cells=st.integers(1, 9), chunk=st.sampled_from([3, 50, 1000]))
def test_cells_are_the_moments_of_their_rows(seed: int, cells: int, chunk: int) -> None:
    rng = np.random.default_rng(seed)
    x, codes = table(300, 3, seed), rng.integers(-1, cells, size=300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_ROWS", chunk)
        found = cell_moments(read_cells(x, codes), 300, cells, 3, extremes=True)
    for g in range(cells):
        if (codes == g).any():
            assert_same(found.merged([g]), moments(x[:, codes == g]))
        assert found.rows[g] == (codes == g).sum()
    chosen = [g for g in range(cells) if g % 2 == 0]
    inside = np.isin(codes, chosen)
    if inside.any():
        assert_same(found.merged(chosen), moments(x[:, inside]))


def test_cells_of_two_tables_add() -> None:
    rng = np.random.default_rng(2)
    x, codes = table(400, 3, 2), rng.integers(0, 5, size=400)
    codes[codes == 3] = 2  # a cell that neither has
    first = cell_moments(read_cells(x[:, :150], codes[:150]), 150, 5, 3, extremes=True)
    second = cell_moments(read_cells(x[:, 150:], codes[150:]), 250, 5, 3, extremes=True)
    both = first + second
    assert isinstance(both, CellMoments)
    for g in (0, 1, 2, 4):
        assert_same(both.merged([g]), moments(x[:, codes == g]))
    assert_same(both.merged(range(5)), moments(x))
    assert both.rows[3] == 0


@pytest.mark.parametrize("extremes", [True, False])
def test_threads_do_not_change_a_bit(extremes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    x, codes = table(4000, 5, 5), rng.integers(-1, 6, size=4000)
    monkeypatch.setattr(module, "CHUNK_ROWS", 111)
    made = []
    for cpus in (1, 2, 7, None):
        monkeypatch.setattr(os, "cpu_count", lambda cpus=cpus: cpus)
        made.append(cell_moments(read_cells(x, codes), 4000, 6, 5, extremes=extremes))
    for other in made[1:]:
        for name in FIELDS:
            assert getattr(other, name).tobytes() == getattr(made[0], name).tobytes()


def test_the_order_of_cells_does_not_change_the_sum() -> None:
    rng = np.random.default_rng(6)
    x, codes = table(900, 3, 6), rng.integers(0, 4, size=900)
    found = cell_moments(read_cells(x, codes), 900, 4, 3, extremes=True)
    assert_same(found.merged([3, 1, 0, 2]), found.merged([0, 1, 2, 3]))


@given(seed=st.integers(0, 10_000))
def test_whole_weights_are_repeated_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, times = table(60, 3, seed), rng.integers(0, 4, size=60)
    times[0] = 1
    got = moments(x, times.astype(float))
    want = moments(np.repeat(x, times, axis=1))
    assert got.weight == times.sum() == want.weight
    np.testing.assert_allclose(got.mean, want.mean, rtol=1e-10, atol=1e-12 * np.abs(x).max())
    size = np.sqrt(np.outer(np.diag(want.cross), np.diag(want.cross)))
    assert np.all(np.abs(got.cross - want.cross) <= 1e-10 * size)


@pytest.mark.parametrize("chunk", [10, 1000])
def test_weighted_moments_are_exact(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    x, w = table(90, 3, 8), rng.random(90) * 5
    monkeypatch.setattr(module, "CHUNK_ROWS", chunk)
    assert_exact(moments(x, w), x, STABLE, w)


@pytest.mark.parametrize("noise", [1.0, 1e-3])
@pytest.mark.parametrize("base", [1e9, -1e9, 0.0])
@pytest.mark.parametrize("chunk", [100_000, 97, 20])
def test_a_large_mean_costs_no_digits(
    base: float, noise: float, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column such as 1e9 + small noise, beside an ordinary one, in one chunk and in many."""
    rng = np.random.default_rng(9)
    x = np.array([base + noise * rng.normal(size=400), rng.normal(size=400)])
    x[1] += x[0] - base
    monkeypatch.setattr(module, "CHUNK_ROWS", chunk)
    assert_exact(moments(x), x, STABLE)


@pytest.mark.parametrize("noise", [1.0, 1e-3])
def test_a_large_mean_costs_no_digits_over_cells(noise: float) -> None:
    rng = np.random.default_rng(10)
    x = np.array([1e9 + noise * rng.normal(size=400), rng.normal(size=400)])
    codes = rng.integers(0, 8, size=400)
    assert_exact(cell_moments(read_cells(x, codes), 400, 8, 2).merged(range(8)), x, STABLE)
    assert_exact(merge([moments(part) for part in np.split(x, 8, axis=1)]), x, STABLE)


def test_weights_with_a_large_mean() -> None:
    rng = np.random.default_rng(11)
    x, w = np.array([1e9 + rng.normal(size=300), rng.normal(size=300)]), rng.random(300)
    assert_exact(moments(x, w), x, STABLE, w)


@pytest.mark.parametrize("value", [0.0, 0.1, -1 / 3, 1e9, 1e9 + 0.1, 1e-300, 1e150, 7.0])
@pytest.mark.parametrize("chunk", [100_000, 97])
def test_a_constant_column_is_seen(value: float, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.array([np.full(1000, value), np.arange(1000.0)])
    monkeypatch.setattr(module, "CHUNK_ROWS", chunk)
    codes = np.arange(1000) % 7
    assert moments(x).constant.tolist() == [True, False]
    assert cell_moments(read_cells(x, codes), 1000, 7, 2).merged(range(7)).constant.tolist() == [True, False]


@given(value=st.floats(-1e12, 1e12), n=st.integers(2, 400))
def test_any_constant_is_constant(value: float, n: int) -> None:
    assert moments(np.full((1, n), value)).constant.tolist() == [True]


@pytest.mark.parametrize(("base", "step"), [(1e9, 1e-3), (1.0, 1e-9), (0.0, 1e-140), (-5e4, 1e-6)])
def test_a_nearly_constant_column_is_not_constant(base: float, step: float) -> None:
    x = np.full((1, 500), base)
    x[0, ::2] += step
    assert moments(x).constant.tolist() == [False]


def test_a_missing_value_spoils_its_own_column_only() -> None:
    x = table(50, 3, 12)
    clean = moments(x)
    x[1, 7] = np.nan
    m = moments(x)
    assert np.isnan(m.mean[1])
    assert np.isnan(m.cross[1]).all()
    keep = [0, 2]
    np.testing.assert_allclose(m.mean[keep], clean.mean[keep], rtol=1e-12)
    np.testing.assert_allclose(m.cross[np.ix_(keep, keep)], clean.cross[np.ix_(keep, keep)], rtol=1e-10)


def test_nothing_has_no_moments() -> None:
    x, codes = table(20, 2, 13), np.zeros(20, dtype=np.int64)
    found = cell_moments(read_cells(x, codes), 20, 3, 2, extremes=True)
    nothing = found.merged([1, 2])
    assert (nothing.rows, nothing.weight) == (0, 0.0)
    assert np.isnan(nothing.mean).all()
    assert np.isnan(nothing.cross).all()
    assert_same(found.merged([0, 1, 2]), moments(x))
    assert cell_moments(read_cells(x[:, :0], codes[:0]), 0, 3, 2).merged([0]).rows == 0
    assert moments(x[:, :1]).rows == 1
    assert moments(x[:, :1]).cross.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_zero_weight_is_no_row_at_all() -> None:
    x = table(30, 2, 14)
    w = np.ones(30)
    w[10:] = 0.0
    got = moments(x, w)
    np.testing.assert_allclose(got.mean, x[:, :10].mean(axis=1), rtol=1e-12)
    assert got.weight == 10.0


def test_integer_columns_are_read_as_doubles() -> None:
    x = np.arange(12).reshape(2, 6) ** 3
    assert_same(
        cell_moments(read_cells(x, np.zeros(6, dtype=np.int32)), 6, 1, 2, extremes=True).merged([0]),
        moments(x.astype(float)),
    )


def test_combinations_are_columns_too() -> None:
    x = table(80, 3, 15)
    weights = np.array([[0.5, -1.0, 2.0], [0.0, 3.0, 0.0]])
    got, want = moments(x).extend(weights), moments(np.vstack([x, weights @ x]))
    np.testing.assert_allclose(got.mean, want.mean, rtol=1e-11)
    np.testing.assert_allclose(got.cross, want.cross, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(got.low[:3], want.low[:3])
    assert np.isnan(got.low[3:]).all()
    assert np.isnan(got.high[3:]).all()
