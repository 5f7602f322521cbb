"""Transfer matrices: laws of their margins, and three real pairs of maps counted cell by cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from drivers.stats import transfer as module
from drivers.stats.transfer import Transfer, transfer_matrix

MAPS = Path(__file__).resolve().parents[2] / "shared" / "data" / "rasters" / "landcover_two_dates"

CODES = hnp.arrays(np.int64, 40, elements=st.integers(-1, 3))
AREAS = hnp.arrays(np.float64, 40, elements=st.floats(0, 9))


@given(before=CODES, after=CODES, areas=AREAS)
def test_margins(before: NDArray[np.int64], after: NDArray[np.int64], areas: NDArray[np.float64]) -> None:
    found = transfer_matrix(before, after, 4, areas)
    both = (before >= 0) & (after >= 0)
    assert found.area.sum() == pytest.approx(areas[both].sum())
    assert found.pixels.sum() == both.sum()
    assert found.missing_pixels == (~both).sum()
    assert found.missing_area == pytest.approx(areas[~both].sum())
    for j in range(4):
        assert found.before[j] == pytest.approx(areas[both & (before == j)].sum())
        assert found.after[j] == pytest.approx(areas[both & (after == j)].sum())
        assert found.persistence[j] == pytest.approx(areas[(before == j) & (after == j)].sum())


@given(before=CODES, after=CODES, areas=AREAS)
def test_pontius(before: NDArray[np.int64], after: NDArray[np.int64], areas: NDArray[np.float64]) -> None:
    """Total change of a class is its net change and its swap; what one loses another gains."""
    found = transfer_matrix(before, after, 4, areas)
    np.testing.assert_allclose(found.persistence + found.gain, found.after)
    np.testing.assert_allclose(found.persistence + found.loss, found.before)
    np.testing.assert_allclose(found.gain + found.loss, np.abs(found.net) + found.swap)
    assert found.net.sum() == pytest.approx(0, abs=1e-9)
    assert found.gain.sum() == pytest.approx(found.loss.sum())
    assert found.changed == pytest.approx(found.gain.sum())
    assert found.flows().area.sum() == pytest.approx(found.changed)
    assert (np.diff(found.flows().area) <= 0).all()
    assert (found.flows().source != found.flows().target).all()


@given(before=CODES, after=CODES, areas=AREAS)
def test_symmetries(before: NDArray[np.int64], after: NDArray[np.int64], areas: NDArray[np.float64]) -> None:
    found, back = transfer_matrix(before, after, 4, areas), transfer_matrix(after, before, 4, areas)
    np.testing.assert_array_equal(found.area, back.area.T)
    np.testing.assert_array_equal(found.gain, back.loss)
    parts = transfer_matrix(before[:13], after[:13], 4, areas[:13]) + transfer_matrix(
        before[13:], after[13:], 4, areas[13:]
    )
    np.testing.assert_allclose(parts.area, found.area)
    np.testing.assert_array_equal(parts.pixels, found.pixels)
    assert parts.missing_pixels == found.missing_pixels


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    before, after = rng.integers(-1, 5, (2, 1000)).astype(np.int8)
    one = transfer_matrix(before, after, 5)
    monkeypatch.setattr(module, "CHUNK_PIXELS", 77)
    np.testing.assert_array_equal(transfer_matrix(before, after, 5).area, one.area)


def test_edges() -> None:
    none = transfer_matrix(np.zeros(0, np.int8), np.zeros(0, np.int8), 2)
    assert none.area.tolist() == [[0, 0], [0, 0]]
    assert none.flows().area.shape == (0,)
    gone = transfer_matrix(np.array([-1, -1]), np.array([0, -1]), 1, np.array([2.0, 3.0]))
    assert (gone.missing_pixels, gone.missing_area, gone.changed) == (2, 5.0, 0.0)


@pytest.mark.parametrize(
    ("before", "after", "k", "areas", "message"),
    [
        ([0, 3], [0, 1], 2, None, "codes run from 0 to 3"),
        ([0, 1], [0, -2], 2, None, "codes run from -2 to 0"),
        ([0, 1], [0], 2, None, "shapes"),
        ([0, 1], [0, 1], 2, [1.0], "areas have shape"),
        ([0, 1], [0, 1], 2, [1.0, -1.0], "not negative"),
        ([0, 1], [0, 1], 2, [1.0, float("nan")], "finite"),
        ([0, 1], [0, 1], 0, None, "0 classes"),
    ],
)
def test_faults(before: list[int], after: list[int], k: int, areas: list[float] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        transfer_matrix(np.array(before), np.array(after), k, None if areas is None else np.array(areas))


def read_pair(first: tuple[str, int], second: tuple[str, int], classes: list[int]) -> Transfer:
    """The transfer between two bands of the shared maps, in cells; codes that are no class are missing."""
    rasterio = pytest.importorskip("rasterio", reason="needs rasterio to read the maps")
    codes = []
    for name, band in (first, second):
        if not (MAPS / name).exists():
            pytest.skip(f"needs {MAPS / name}, a shared map that is not part of the repository")
        # Some of these maps have no geographic reference; their cells are all that counts here.
        with rasterio.open(MAPS / name) as file:
            values = file.read(band).ravel()
        found = np.full(values.shape, -1, dtype=np.int8)
        for code, value in enumerate(classes):
            found[values == value] = code
        codes.append(found)
    return transfer_matrix(codes[0], codes[1], len(classes))


def test_pie() -> None:
    """data/PUBLISHED.md, section 5: 1985 to 1999."""
    found = read_pair(("pie/pie.tif", 1), ("pie/pie.tif", 3), [1, 2, 3])
    assert found.pixels.tolist() == [[44107, 4250, 656], [11, 36957, 154], [1259, 2248, 23921]]
    assert found.pixels.sum() == 113_563


def test_sibuyan() -> None:
    """data/PUBLISHED.md, section 5: 1997 to 2011."""
    found = read_pair(("sibuyan/sibuyan.tif", 1), ("sibuyan/sibuyan.tif", 2), [1, 2, 3, 4, 5])
    want = np.diag([4160, 1140, 745, 156, 282])
    flows = {(1, 2): 126, (1, 3): 320, (1, 4): 116, (1, 5): 1, (3, 2): 77, (2, 3): 18}
    flows |= {(3, 4): 16, (3, 5): 1, (4, 2): 61, (4, 3): 7}
    for (source, target), cells in flows.items():
        want[source - 1, target - 1] = cells
    np.testing.assert_array_equal(found.pixels, want)
    assert found.pixels.sum() == 7226
    largest = found.flows()
    assert (largest.source[0], largest.target[0], largest.pixels[0]) == (0, 2, 320)


def test_newguinea() -> None:
    """data/PUBLISHED.md, section 5: 2001 to 2015, 28 million cells."""
    folder = "newguinea/landcover"
    found = read_pair((f"{folder}2001.tif", 1), (f"{folder}2015.tif", 1), [1, 2, 3, 5, 6, 7, 9])
    assert found.pixels[:2, :2].tolist() == [[784_973, 125_954], [74_468, 7_988_226]]
    assert found.pixels.sum() == 9_358_246
