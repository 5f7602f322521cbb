"""Forests that predict without their table: the same to the last bit, on tables and rasters, safe to read."""

from __future__ import annotations

import json
import shutil
import string
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr

import drivers as dr
from drivers.methods import METHODS, predicted_table, predictor, raster_cells
from drivers.methods.boosting import Pixels, Setting, between_values, grow_forest
from drivers.methods.driver_sample import DriverTable, Levels
from drivers.methods.forest_file import AREA, FORMAT, TREES, WORDS
from drivers.methods.learnt import Learnt
from drivers.methods.predicted_table import predict_table
from drivers.methods.predictor import Predictor
from drivers.methods.tree_scale import TreeScale
from drivers.report.target import folder_name
from drivers.spec import Vocabulary, bind, model_from_text
from drivers.stats.applicability import fit_applicability
from drivers.table import make_partition, pixel_table_from_frame

AGAIN = "  run the study again: `drivers run SPEC`"


def pixels(n: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, z, w = rng.normal(size=n), rng.uniform(1, 5, n), rng.normal(size=n)
    zone = rng.choice(["dry", "wet", "bog"], n)
    use = rng.choice([1, 2, 7], n)
    y = 2.0 * (x > 0) * z + (zone == "wet") + (use == 7) + 0.3 * rng.normal(size=n)
    frame = pd.DataFrame({"y": y, "x": x, "z": z, "w": w, "zone": zone, "use": use})
    frame.loc[frame.index % 17 == 3, "x"] = np.nan
    return frame


def forest(formula: str, data: pd.DataFrame, family: str = "gaussian", stratum: str = "all") -> Predictor:
    """A forest of all pixels, without the folds of a fit."""
    table = pixel_table_from_frame(data, units={"y": "g m-2"})
    names = Vocabulary(table.source, (), table.columns, (), table.categorical)
    model = bind(model_from_text(formula, method="brt", family=family), names)
    partition = make_partition(table, [], [()], {model.response})
    sample = DriverTable(model, table).sample(partition, partition.strata[0])
    matrix = TreeScale.of(sample).matrix(sample.drivers)
    flags = tuple(isinstance(d, Levels) for d in sample.drivers)
    seen = Pixels(matrix, flags, sample.response, None, family)
    grown = between_values(grow_forest(seen, Setting(4, 0.1, 0.5, 5, 1), 40), seen.matrix)
    folds = np.arange(sample.n) % 4
    area = fit_applicability(matrix.astype(float), np.arange(1.0, 1.0 + len(flags)), folds, flags)
    made = Predictor.of(model, stratum, sample, grown, area, Learnt.of(model, table))
    np.testing.assert_array_equal(made.predict(data), grown.predict(matrix))  # as they were fitted
    return made


FORMULAS = (
    "y ~ x + z + zone",
    "y ~ x + log(z) + C(use)",
    "y ~ scale(x) + zone + use",
    "y ~ log(scale(z) + 5) + I(scale(x)^2 / scale(w * z)) + zone",
    "log(y) ~ x + I(x^0) + scale(scale(z) - 3)",
    "y ~ `soil pH` + I(`soil pH` * z) + use",
)


def with_all(data: pd.DataFrame) -> pd.DataFrame:
    return data.assign(**{"soil pH": data.w + 7.0, "y": data.y + 20})


@pytest.mark.parametrize("formula", FORMULAS)
def test_what_is_read_back_is_what_was_saved(formula: str, tmp_path: Path) -> None:
    data = with_all(pixels())
    made = forest(formula, data)
    made.save(tmp_path / "forest")
    back = Predictor.load(tmp_path / "forest")
    new = with_all(pixels(500, seed=9)).assign(z=lambda d: d.z + 0.5)
    for table in (data, new):
        np.testing.assert_array_equal(back.predict(table), made.predict(table))
        np.testing.assert_array_equal(back.dissimilarity(table), made.dissimilarity(table))
        np.testing.assert_array_equal(back.applicable(table), made.applicable(table))
    assert (back.drivers, back.response, back.unit) == (made.drivers, made.response, made.unit)
    for field in fields(made.area):
        one, other = (getattr(of.area, field.name) for of in (back, made))
        pairs = zip(one, other, strict=True) if isinstance(one, tuple) else [(one, other)]
        for a, b in pairs:
            assert np.asarray(a).dtype == np.asarray(b).dtype
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert repr(back) == repr(made)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "gamma", "tweedie", "quantile"])
def test_every_family_comes_back(family: str, tmp_path: Path) -> None:
    data = pixels()
    data["y"] = (data.y > data.y.median()) * 1.0 if family == "binomial" else data.y.clip(lower=0) + 1
    made = forest("y ~ x + z + zone", data, family)
    made.save(tmp_path)
    np.testing.assert_array_equal(Predictor.load(tmp_path).predict(data), made.predict(data))


def test_the_same_forest_is_the_same_bytes_and_holds_no_code(tmp_path: Path) -> None:
    for name in ("a", "b"):
        forest("y ~ x + scale(z) + zone", pixels()).save(tmp_path / name)
    files = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("a", "b")]
    assert files[0] == files[1]
    assert set(files[0]) == {WORDS, TREES, AREA}
    json.loads(files[0][WORDS]), json.loads(files[0][TREES])
    with np.load(tmp_path / "a" / AREA, allow_pickle=False) as area:
        assert all(area[name].dtype.kind in "fi" for name in area.files)


def test_scale_keeps_what_it_learnt() -> None:
    """Learnt on one table, a mean of 3; on another with a mean of 300 nothing is learnt anew."""
    data = pixels()
    scaled, plain = forest("y ~ scale(z) + x", data), forest("y ~ z + x", data)
    moved = data.assign(z=data.z + 2.0).iloc[:50]
    assert scaled.predict(moved).std() > 0
    np.testing.assert_allclose(scaled.predict(moved), plain.predict(moved), rtol=1e-5)
    one_pixel = data.iloc[[7]]
    np.testing.assert_array_equal(scaled.predict(one_pixel), scaled.predict(data)[[7]])


def test_scale_learns_on_the_whole_table_in_many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit what patsy's pass over the same chunks gives, missing values left out."""
    from drivers.methods import design, learnt

    monkeypatch.setattr(design, "CHUNK_ROWS", 64)
    monkeypatch.setattr(learnt, "CHUNK_ROWS", 64)
    forest("y ~ scale(x * z) + log(scale(z) + 5)", pixels())  # compares with the fit itself


def test_rows_do_not_depend_on_their_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    made, data = forest("y ~ scale(x) + z + zone", pixels()), pixels(200, seed=4)
    whole = made.augment(data)
    said: list[tuple[int, int]] = []

    class Told:
        def part(self, what: str, done: int, of: int) -> None:
            assert what == "pixels predicted"
            said.append((done, of))

    monkeypatch.setattr(predictor, "CHUNK", 64)
    pd.testing.assert_frame_equal(made.augment(data, Told()), whole)
    assert said == [(64, 200), (128, 200), (192, 200), (200, 200)]


def test_what_the_training_never_lacked_is_not_guessed() -> None:
    """A forest without missing values has not learnt where pixels without one go."""
    whole = pixels().fillna({"x": 0.0})
    made, data = forest("y ~ x + z", whole), whole.copy()
    data.loc[:9, "x"] = np.nan
    data.loc[5:14, "z"] = np.nan
    found = made.augment(data)
    assert found.predicted_y.isna().tolist() == [i < 15 for i in range(len(data))]
    assert found.dissimilarity.isna().sum() == 15
    assert not found.applicable[:15].any()
    assert made.unpredicted(data) == {"x": (10, 0), "z": (10, 0)}
    assert made.unpredicted(whole) == {}
    learnt = forest("y ~ x + z", pixels())
    assert np.isfinite(learnt.predict(pixels())).all()
    assert learnt.unpredicted(pixels()) == {}


def test_a_table_in_single_precision_is_predicted_as_its_own() -> None:
    """Thresholds lie between the values of pixels, so that a digit less moves nobody."""
    data = pixels()
    made = forest("y ~ x + z + w", data)
    coarse = data.assign(**{name: data[name].astype(np.float32).astype(float) for name in ("x", "z", "w")})
    np.testing.assert_array_equal(made.predict(coarse), made.predict(data))


def test_augment_is_a_row_per_pixel() -> None:
    made, data = forest("log(y) ~ x + zone", pixels().assign(y=lambda d: d.y + 20)), pixels()
    data.index = data.index[::-1]
    found = made.augment(data)
    assert found.columns.tolist() == ["predicted_log(y)", "dissimilarity", "applicable"]
    assert found.index.equals(data.index)
    np.testing.assert_array_equal(found["predicted_log(y)"], made.predict(data))
    assert found.applicable.dtype == "boolean"
    assert made.unit == ""  # of a function of the response
    assert repr(made) == "<Predictor model on all: log(y) from 2 drivers, 40 trees>"
    assert made.augment(data.iloc[:0]).shape == (0, 3)


def test_levels_missing_and_not_seen() -> None:
    """Trees that have learnt where pixels without a zone go send both there; the area knows a stranger."""
    made = forest("y ~ x + zone + C(use)", pixels().assign(zone=lambda d: d.zone.where(d.index % 9 > 0)))
    row = {"x": 0.1, "zone": "wet", "use": 7}
    data = pd.DataFrame([row, {**row, "zone": None}, {**row, "zone": "marsh"}, {**row, "use": 99}])
    guess, index = made.predict(data), made.dissimilarity(data)
    assert guess[1] == guess[2] != guess[0]
    assert np.isfinite(guess[:3]).all()
    assert index[2] > 1.5 * index[1]
    assert np.isnan([guess[3], index[3]]).all()  # no pixel lacked its use
    assert made.applicable(data).tolist()[2:] == [False, False]
    assert made.unpredicted(data) == {"C(use)": (0, 1)}
    ordered = pd.CategoricalDtype(["wet", "never", "bog", "dry"])
    again = pixels().assign(zone=lambda d: d.zone.astype(ordered), use=lambda d: d.use.astype(float))
    np.testing.assert_array_equal(made.predict(again), made.predict(pixels()))
    assert np.isfinite(made.predict(pixels().assign(zone=None))).all()


def test_the_table_may_be_a_pixel_table_and_of_small_types() -> None:
    made, data = forest("y ~ x + z + zone", pixels()), pixels().astype({"z": "float32"})
    for given in (pixel_table_from_frame(data), data.astype({"z": "Float32", "zone": "string"})):
        np.testing.assert_array_equal(made.predict(given), made.predict(data))


FAULTS: list[tuple[Callable[[pd.DataFrame], Any], str]] = [
    (
        lambda d: d.drop(columns=["x", "zone"]).rename(columns={"z": "Z"}),
        "TableError: the data frame has no column `x`\n  known: y, Z, w, use\n"
        "the data frame has no column `z`\n  did you mean `Z`?  known: y, Z, w, use\n"
        "the data frame has no column `zone`\n  known: y, Z, w, use",
    ),
    (
        lambda d: d.assign(x="low", z=d.z.astype(str)),
        "TableError: column `x` of the data frame holds text (`low`)\n"
        "  the forest has learnt `x` as numbers\n"
        "column `z` of the data frame holds numbers that are stored as text (`3.5`, `2.0`)\n"
        "  store them as numbers",
    ),
    (
        lambda d: d.assign(x=[0.0, -np.inf]),
        "TableError: column `x` of the data frame is infinite, first in row 2\n  write missing values as NaN",
    ),
    (
        lambda d: d.assign(z=[1.0, -1.0]),
        "TableError: `log(z)` is infinite or undefined in the data frame, first in row 2\n"
        "  a logarithm or root of zero or less, a division by zero, or an overflow: make it missing there",
    ),
    (
        lambda d: pd.concat([d, d[["x"]]], axis=1),
        "TableError: the data frame has several columns `x`",
    ),
    (
        lambda d: d.x.to_numpy(),
        "TableError: a data frame, a pixel table or an xarray Dataset is needed, not ndarray",
    ),
]


@pytest.mark.parametrize(("break_it", "message"), FAULTS)
def test_tables_that_cannot_be_predicted(break_it: Callable[[pd.DataFrame], Any], message: str) -> None:
    made = forest("y ~ x + z + log(z) + zone", pixels())
    data = pixels(2).assign(z=[3.5, 2.0])
    with pytest.raises(dr.TableError) as caught:
        made.predict(break_it(data))
    assert str(caught.value) == message


def test_a_forest_without_an_area() -> None:
    made = forest("y ~ x + z", pixels())
    bare = Predictor(**{f.name: getattr(made, f.name) for f in fields(made)} | {"area": None})
    found = bare.augment(pixels())
    np.testing.assert_array_equal(found.predicted_y, made.predict(pixels()))
    assert found.dissimilarity.isna().all()
    assert found.applicable.isna().all()
    with pytest.raises(dr.FitError) as caught:
        bare.applicable(pixels())
    assert str(caught.value) == "the forest has no area of applicability: none of its drivers matters"


# Rasters.


def raster(data: pd.DataFrame, shape: tuple[int, int] = (12, 25)) -> xr.Dataset:
    coords = {"y": np.arange(shape[0]) * -1000.0, "x": np.arange(shape[1]) * 1000.0, "spatial_ref": 0}
    names = [name for name in data if name not in ("y", "x")]
    held = {name: (("y", "x"), data[name].to_numpy().reshape(shape).copy()) for name in names}
    return xr.Dataset(held, coords)


def test_a_raster_is_predicted_cell_by_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pixels().rename(columns={"x": "tem", "y": "nep"})
    made = forest("nep ~ tem + scale(z) + zone + C(use)", data)
    data.loc[5, ["tem", "z", "zone"]] = np.nan, np.nan, None
    stack = raster(data)
    want = made.predict(data)
    for chunk in (10**6, 64):  # whole, and in slabs
        monkeypatch.setattr(predictor, "CHUNK", chunk)
        found = made.predict(stack)
        np.testing.assert_array_equal(found.values.ravel(), want)
    assert (found.dims, found.name) == (("y", "x"), "predicted_nep")
    assert set(found.coords) == {"y", "x", "spatial_ref"}
    np.testing.assert_array_equal(made.dissimilarity(stack).values.ravel(), made.dissimilarity(data))
    where = made.applicable(stack)
    assert (where.dtype, where.name) == (bool, "applicable")
    np.testing.assert_array_equal(where.values.ravel(), made.applicable(data))


def test_cells_outside_the_map_have_no_prediction() -> None:
    data = pixels().rename(columns={"x": "tem", "y": "nep"})
    made = forest("nep ~ tem + z + C(use)", data)
    stack = raster(data)
    sea, part = {"y": 3, "x": slice(4, 9)}, {"y": 7, "x": 2}
    codes = stack.use.where(stack.use != 2).copy()
    stack["use"] = codes.fillna(-9).astype("int16").assign_attrs(_FillValue=np.int16(-9))
    for name in ("tem", "z"):
        stack[name][sea] = np.nan
    stack["use"][sea] = -9
    stack["tem"][part] = np.nan
    found = made.predict(stack)
    assert found[sea].isnull().all()
    assert np.isfinite(found[part])  # pixels of the training lacked it too, and none lacked its use
    assert int(found.isnull().sum()) == int((stack.use == -9).sum())
    assert not made.applicable(stack)[sea].any()
    table = pd.DataFrame({name: stack[name].values.ravel() for name in ("tem", "z")})
    table["use"] = codes.values.ravel()
    inside = found.notnull().values.ravel()
    np.testing.assert_array_equal(found.values.ravel()[inside], made.predict(table)[inside])


def test_units_and_dims_in_other_orders() -> None:
    data = pixels()
    made = forest("y ~ x + z", data)
    cells = {name: (("time", "row", "col"), data[name].to_numpy().reshape(3, 10, 10)) for name in ("x", "z")}
    stack = xr.Dataset(cells)
    stack["z"] = stack.z.transpose("col", "time", "row")
    found = made.predict(stack)
    assert found.attrs == {"units": "g m-2"}
    np.testing.assert_array_equal(found.values.ravel(), made.predict(data))
    point = stack.isel(time=1, row=2, col=3)
    assert made.predict(point).item() == found[1, 2, 3]
    assert made.predict(stack.isel(row=slice(0, 0))).shape == (3, 0, 10)


RASTER_FAULTS: list[tuple[Callable[[xr.Dataset], Any], str]] = [
    (
        lambda d: d.rename(tem="Tem"),
        "TableError: the Dataset has no variable `tem`\n"
        "  did you mean `Tem`?  known: Tem, z, w, zone, use, y, x, spatial_ref",
    ),
    (
        lambda d: d.assign(z=d.z.isel(y=0)),
        "TableError: `z` has the dims (x), and `tem` (y, x)\n"
        "  give all drivers the same dims, for example with xarray.broadcast",
    ),
    (
        lambda d: d.assign(z=d.z.where(d.z.x != 2000, 0.0)),
        "TableError: `log(z)` is infinite or undefined in the Dataset, first in cell (0, 2)\n"
        "  a logarithm or root of zero or less, a division by zero, or an overflow: make it missing there",
    ),
    (
        lambda d: d.tem,
        "TableError: a data frame, a pixel table or an xarray Dataset is needed, not DataArray\n"
        '  `.to_dataset("band")` makes a Dataset',
    ),
]


@pytest.mark.parametrize(("break_it", "message"), RASTER_FAULTS)
def test_rasters_that_cannot_be_predicted(break_it: Callable[[xr.Dataset], Any], message: str) -> None:
    data = pixels().rename(columns={"x": "tem", "y": "nep"}).drop(columns="nep")
    made = forest("nep ~ tem + log(z)", pixels().rename(columns={"x": "tem", "y": "nep"}))
    with pytest.raises(dr.TableError) as caught:
        made.predict(break_it(raster(data)))
    assert str(caught.value) == message


def test_bands_may_be_numbers() -> None:
    data = pixels().rename(columns={"x": "1", "z": "2"})
    made = forest("y ~ `1` + `2`", data)
    bands = np.stack([data["1"].to_numpy().reshape(12, 25), data["2"].to_numpy().reshape(12, 25)])
    stack = xr.DataArray(bands, {"band": [1, 2]}, ("band", "y", "x")).to_dataset("band")
    np.testing.assert_array_equal(made.predict(stack).values.ravel(), made.predict(data))


def test_what_is_lazy_is_read_in_slabs() -> None:
    parts = list(raster_cells.RasterCells(raster(pixels()), ["z", "zone"]).blocks(64))
    assert [block.inside.shape for block in parts] == [(12, 5)] * 5
    assert parts[1].cell(6) == "cell (1, 6)"


# Table files.


def write(data: pd.DataFrame, path: Path) -> None:
    ending = "".join(path.suffixes)
    if ending in (".csv", ".csv.gz", ".tsv"):
        data.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    elif ending == ".geoparquet":
        points = gpd.points_from_xy(data.w, data.z, crs="EPSG:32651")
        gpd.GeoDataFrame(data.drop(columns="z"), geometry=points).to_parquet(path)
    elif ending == ".arrow":
        table = pa.Table.from_pandas(data, preserve_index=False)
        with pa.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table)
    else:
        (data.to_parquet if ending == ".parquet" else data.to_feather)(path)


@pytest.mark.parametrize(
    "ending", [".csv", ".csv.gz", ".tsv", ".parquet", ".geoparquet", ".feather", ".arrow"]
)
def test_a_table_is_written_as_it_was_with_three_columns_more(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(predicted_table, "CHUNK", 64)
    data = pixels(200, seed=2)
    name = "northing" if ending == ".geoparquet" else "z"  # the geometry's own column
    made = forest(f"y ~ x + {name} + zone", pixels().rename(columns={"z": name}))
    path = tmp_path / "in" / f"new{ending}"
    path.parent.mkdir()
    write(data, path)
    told = predict_table(made, path)
    out = tmp_path / f"new-predicted{ending}"
    assert told.path.absolute() == out
    before, after = (pa_table(p) for p in (path, out))
    assert after.column_names[:-3] == before.column_names
    assert after.select(before.column_names).equals(before)
    want = made.augment(data.rename(columns={"z": name}))
    found = after.select(after.column_names[-3:]).to_pandas()
    assert found.columns.tolist() == ["predicted_y", "dissimilarity", "applicable"]
    np.testing.assert_array_equal(found.predicted_y, want.predicted_y)
    np.testing.assert_array_equal(found.dissimilarity, want.dissimilarity)
    np.testing.assert_array_equal(found.applicable, want.applicable)
    assert (told.n, told.low, told.high) == (200, want.predicted_y.min(), want.predicted_y.max())
    assert told.applicable == want.applicable.mean()
    first = out.read_bytes()
    predict_table(made, path)
    assert out.read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", out.name]
    if ending == ".geoparquet":
        assert gpd.read_parquet(out).crs == "EPSG:32651"


def pa_table(path: Path) -> pa.Table:
    ending = "".join(path.suffixes)
    if ending in (".csv", ".csv.gz", ".tsv"):
        frame = pd.read_csv(path, sep="\t" if ending == ".tsv" else ",")
        return pa.Table.from_pandas(frame, preserve_index=False)
    if "parquet" in ending:
        return pq.read_table(path)
    data = path.read_bytes()
    return (pa.ipc.open_file if data[:6] == b"ARROW1" else pa.ipc.open_stream)(data).read_all()


def test_text_keeps_its_zeros_its_breaks_and_its_digits(tmp_path: Path) -> None:
    made = forest("y ~ x + zone", pixels())
    path, out = tmp_path / "new.csv", tmp_path / "out.csv"
    path.write_text(
        '\ufeffid;x;note;zone;\r\n007;1.500;"two\nlines; ""quoted""";wet;\r\n\r\n008;NA;2020-01-01;NA;\r\n',
        encoding="utf-8",
        newline="",
    )
    predict_table(made, path, out)
    one = made.augment(pd.DataFrame({"x": [1.5], "zone": ["wet"]})).to_numpy().tolist()[0]
    assert out.read_text() == (
        "id;x;note;zone;;predicted_y;dissimilarity;applicable\n"
        f'007;1.500;"two\nlines; ""quoted""";wet;;{one[0]!r};{one[1]!r};{str(one[2]).lower()}\n'
        "008;NA;2020-01-01;NA;;;;false\n"
    )


def test_a_file_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = forest("y ~ x + zone", pixels())
    pixels(20).to_csv(tmp_path / "new.csv", index=False)
    (tmp_path / "out.csv").write_text("from before")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(predicted_table, "_texts", full)
    with pytest.raises(dr.TableError) as caught:
        predict_table(made, tmp_path / "new.csv", tmp_path / "out.csv")
    assert str(caught.value) == (
        f"TableError: cannot write {tmp_path / 'out.csv'}: no space left on device\n"
        "  name another file with --out"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.csv", "out.csv"]
    assert (tmp_path / "out.csv").read_text() == "from before"


# Files that were damaged, or made by somebody who means harm.


def words(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """Other words, with the digest that belongs to them."""

    def rewrite(folder: Path) -> None:
        from drivers.methods import forest_file

        whole = json.loads((folder / WORDS).read_text())
        change(whole)
        for name in (TREES, AREA):
            whole["sha256"][name] = forest_file._digest((folder / name).read_bytes())
        whole["sha256"][WORDS] = forest_file._digest_of(whole["forest"])
        (folder / WORDS).write_text(json.dumps(whole))

    return rewrite


def trees(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """Other trees, with the digest that belongs to them."""

    def rewrite(folder: Path) -> None:
        model = json.loads((folder / TREES).read_text())
        change(model["learner"])
        (folder / TREES).write_text(json.dumps(model))
        words(lambda _: None)(folder)

    return rewrite


def first_tree(**arrays: Any) -> Callable[[Path], None]:
    return trees(lambda learner: learner["gradient_booster"]["model"]["trees"][0].update(arrays))


def arrays(**changed: Any) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        with np.load(folder / AREA) as held:
            np.savez(folder / AREA, **{**dict(held), **changed})
        words(lambda _: None)(folder)

    return rewrite


def driver(j: int, **keys: Any) -> Callable[[Path], None]:
    return words(lambda whole: whole["forest"]["drivers"][j].update(keys))


def cut(name: str) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return rewrite


NOWHERE = "a tree has branches that lead nowhere"
NO_AREA = "it is no area of applicability"
DAMAGE: list[tuple[str, Callable[[Path], None], str, str]] = [
    ("trees cut", cut(TREES), TREES, "its bytes are not those that were written"),
    ("area cut", cut(AREA), AREA, "its bytes are not those that were written"),
    ("words cut", cut(WORDS), WORDS, "it is not JSON"),
    ("a child outside", first_tree(left_children=[10**6, -1, -1]), TREES, NOWHERE),
    ("not xgboost's", lambda f: ((f / TREES).write_text("[]"), words(lambda _: None)(f)), TREES,
     "it is no forest of xgboost"),
    ("empty trees", lambda f: ((f / TREES).write_text(""), words(lambda _: None)(f)), TREES,
     "it is no forest of xgboost"),
    ("another booster", trees(lambda m: m["gradient_booster"].update(name="gblinear")), TREES,
     "it is no forest of 3 drivers"),
    ("fewer trees", trees(lambda m: m["gradient_booster"]["model"].update(trees=[])), TREES,
     "it has 0 trees of 40"),
    ("two responses", trees(lambda m: m["learner_model_param"].update(num_target="2")), TREES,
     "it is no forest of one response"),
    ("a pickle", arrays(mean=np.array([{}, {}, {}])), AREA, NO_AREA),
    ("no coordinates", arrays(coordinates=np.zeros((5, 1))), AREA, NO_AREA),
    ("code", driver(1, function="scale(__import__('os').system('true'))"), WORDS,
     "`scale(__import__('os').system('true'))` is no function of the formula language"),
    ("two equations", driver(1, function="scale(z)\ny ~ log(z)"), WORDS,
     "`scale(z)\ny ~ log(z)` is no function of the formula language"),
    ("a polynomial", driver(1, function="poly(z, 2)"), WORDS,
     "`poly(z, 2)` is no function of the formula language"),
    ("no constants", driver(1, scaled=[]), WORDS, "what it says of `scale(z)` does not fit together"),
    ("nothing to work out", driver(1, function="I(z + 1 / 0)", scaled=[]), WORDS,
     "`I(z + 1 / 0)` cannot be worked out"),
    ("both", driver(1, column="z"), WORDS, "a driver is neither a column nor a function"),
    ("an unknown key", driver(1, python="1"), WORDS, "it does not describe a forest"),
    ("no number", driver(1, centre="0"), WORDS, "it does not describe a forest"),
    ("levels twice", driver(2, levels=["a", "a"]), WORDS, "what it says of `zone` does not fit together"),
    ("too few levels", driver(2, levels=["a"]), TREES, NOWHERE),
    ("no format", words(lambda whole: whole.pop("format")), WORDS, "it does not say its format"),
]  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forest")
    forest("y ~ x + scale(z) + zone", pixels()).save(folder)
    return folder


@pytest.mark.parametrize(("break_it", "name", "why"), [d[1:] for d in DAMAGE], ids=[d[0] for d in DAMAGE])
def test_damage_is_refused(
    break_it: Callable[[Path], Any], name: str, why: str, saved: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "forest"
    shutil.copytree(saved, folder)
    break_it(folder)
    with pytest.raises(dr.TableError) as caught:
        Predictor.load(folder)
    assert str(caught.value) == f"TableError: {folder / name} is damaged: {why}\n{AGAIN}"


def test_every_byte_of_the_words_counts(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "forest"
    shutil.copytree(saved, folder)
    text = (folder / WORDS).read_text()
    (folder / WORDS).write_text(text.replace('"unit": 4.0', '"unit": 8.0'))
    assert (folder / WORDS).read_text() != text
    with pytest.raises(dr.TableError, match="its words are not those that were written"):
        Predictor.load(folder)


def test_a_tree_that_goes_in_a_circle_is_refused(saved: Path, tmp_path: Path) -> None:
    """xgboost would walk it for ever."""
    folder = tmp_path / "forest"
    shutil.copytree(saved, folder)
    tree = json.loads((folder / TREES).read_text())["learner"]["gradient_booster"]["model"]["trees"][0]
    for left in ([0, *tree["left_children"][1:]], [tree["right_children"][0], *tree["left_children"][1:]]):
        first_tree(left_children=left)(folder)
        with pytest.raises(dr.TableError, match=NOWHERE):
            Predictor.load(folder)


def test_what_is_missing_and_what_is_newer(saved: Path, tmp_path: Path) -> None:
    def said(folder: Path) -> str:
        with pytest.raises(dr.TableError) as caught:
            Predictor.load(folder)
        return str(caught.value)

    folder = tmp_path / "forest"
    assert said(folder) == f"TableError: {folder} holds no forest: it has no forest.json\n{AGAIN}"
    shutil.copytree(saved, folder)
    words(lambda whole: whole.update(format=FORMAT + 1))(folder)
    assert said(folder) == (
        f"TableError: {folder / WORDS} is of format 2, which a newer ecodrivers wrote; this one reads 1\n"
        "  update ecodrivers, or run the study again with this one"
    )
    words(lambda whole: whole.update(format=FORMAT))(folder)
    (folder / AREA).unlink()
    assert said(folder) == f"TableError: {folder / AREA} is missing\n{AGAIN}"


# Fits and runs that save forests.

QUICK = {
    "n_trees": 30,
    "folds": 3,
    "shap_pixels": 0,
    "permutations": 0,
    "interactions": False,
    "curves": False,
}


def test_a_fit_predicts_with_its_predictor(tmp_path: Path) -> None:
    data, formula = pixels(), "y ~ x + scale(z) + zone"
    found = dr.fit(formula, data, method="brt", options=QUICK, seed=3)
    made = found.predictor
    assert made is found.predictor
    made.save(tmp_path)
    new = pixels(100, seed=5)
    np.testing.assert_array_equal(found.predict(data), found.augment().fitted)
    np.testing.assert_array_equal(found.predict(new), Predictor.load(tmp_path).predict(new))
    np.testing.assert_array_equal(found.predict(new.iloc[:1]), found.predict(new)[:1])
    assert made.applicable(data).mean() == found.glance().applicable[0]


def test_drivers_that_were_dropped_are_not_asked_for() -> None:
    data = pixels().assign(**{f"noise{i}": np.random.default_rng(i).normal(size=300) for i in range(3)})
    formula = "y ~ x + z + zone + noise0 + noise1 + noise2"
    found = dr.fit(formula, data, method="brt", options={**QUICK, "simplify": True})
    kept = found.predictor.columns
    assert {"x", "z"} <= set(kept) < {"x", "z", "zone", "noise0", "noise1", "noise2"}
    np.testing.assert_array_equal(found.predict(data[list(kept)]), found.augment().fitted)


SPEC: dict[str, Any] = {
    "study": "small",
    "table": {"path": "../data/pixels.csv"},
    "response": {"y": {"unit": "g m-2"}},
    "drivers": {"a": {"x": {}, "z": {}}, "b": {"zone": {"categorical": True}}},
    "strata": {"zone": {"column": "zone"}, "side": {"left / right": "w < 0", "..": "w > 100"}},
    "fit": [{"models": ["trees"], "over": ["all", "zone", "side"]}],
    "seed": 1,
}


SAFE = string.ascii_letters + string.digits + "=,%-_~"


class Fitted:
    """A result that predicts, and nothing else."""

    method = "brt"

    def __init__(self, stratum: str, data: pd.DataFrame) -> None:
        self.stratum = stratum
        self.records: dict[str, Any] = {"fit": [{"method": "brt", "n": 1, "status": "ok"}]}
        self._data = data

    def measured(self) -> list[Any]:
        return []

    @property
    def predictor(self) -> Predictor:
        made = forest("y ~ x + z + zone", self._data, stratum=self.stratum)
        return Predictor(**{f.name: getattr(made, f.name) for f in fields(made)} | {"model": "trees"})


@pytest.fixture
def small(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project whose trees take no folds."""

    class Fitter:
        warnings = ()

        def fit(self, stratum: Any, reporter: Any = None) -> Fitted:
            if stratum.rows == 0:
                raise dr.FitError("no pixels in this stratum")
            return Fitted(stratum.label, project.data)

    monkeypatch.setitem(METHODS, "brt", lambda *_: Fitter())
    project.data = pixels()
    project.table("pixels", project.data)
    text = "method: brt\nformula: y ~ x + z + zone\n"
    (project.root / "models" / "trees.yaml").write_text(text)
    project.path = project.spec("small", SPEC)
    return project


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


LABELS = (
    "all",
    "side=a/b",
    "side=a%2Fb",
    "..",
    ".",
    "side=a.b",
    "a~b",
    "地类=林地",
    "林" * 30,
    "林" * 31,
    "~",
)


def test_folders_of_strata_are_names_and_no_two_are_the_same() -> None:
    names = [folder_name(label) for label in LABELS]
    assert len(set(names)) == len(LABELS)
    assert all(len(name) <= 255 and set(name) <= set(SAFE) for name in names)


def test_every_stratum_that_was_fitted_has_its_forest(small: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = dr.run(small.path, out)
    assert [stratum for _, stratum in done.failures] == ["side=.."]
    names = ["all", "side=left%20%2F%20right", "zone=bog", "zone=dry", "zone=wet"]
    assert sorted(p.name for p in (out / "forests" / "trees").iterdir()) == names
    for stratum in ("all", "side=left / right", "zone=dry"):
        found = dr.read_forest(out, stratum=stratum)
        assert (found.model, found.stratum) == ("trees", stratum)
    assert dr.read_forest(out, "trees").stratum == "all"
    files = json.loads((out / "run.json").read_text())["files"]
    assert "forests/trees/zone=bog/trees.json" in files
    dr.run(small.path, tmp_path / "again")
    assert contents(out / "forests") == contents(tmp_path / "again" / "forests")


def test_a_rerun_replaces_the_forests_and_leaves_what_is_the_users(small: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dr.run(small.path, out)
    (out / "forests" / "trees" / "zone=dry" / "notes.md").write_text("mine")
    before = (out / "forests" / "trees" / "all" / TREES).read_bytes()
    small.data = pixels(seed=3)
    small.spec("small", {**SPEC, "fit": [{"models": ["trees"], "over": ["all"]}]})
    dr.run(small.path, out)
    left = contents(out / "forests" / "trees")
    assert set(left) == {f"all/{WORDS}", f"all/{TREES}", f"all/{AREA}", "zone=dry/notes.md"}
    assert left[f"all/{TREES}"] != before
    assert sorted(p.name for p in (out / "forests" / "trees").iterdir()) == ["all", "zone=dry"]
    small.model("paths", "y ~ x + z")
    small.spec("small", {**SPEC, "fit": [{"models": ["paths"], "over": ["all"]}]})
    dr.run(small.path, out)
    assert contents(out / "forests") == {"trees/zone=dry/notes.md": b"mine"}


def refusal(*arguments: Any) -> str:
    with pytest.raises(dr.TableError) as caught:
        dr.read_forest(*arguments)
    return str(caught.value)


def test_which_forest(small: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    some = {**SPEC, "fit": [{"models": ["trees"], "over": ["zone", "side"]}]}
    dr.run(small.spec("small", some), out)
    known = "zone=bog, zone=dry, zone=wet, side=left / right"
    assert refusal(out) == f"TableError: model `trees` in {out} has forests of {known}\n  say which of them"
    assert refusal(out, "tree") == (
        f"TableError: {out} holds no forest of model `tree`\n  did you mean `trees`?  known: trees"
    )
    for wanted in ("side=..", "../all", "all"):
        first, second = refusal(out, None, wanted).splitlines()
        assert first == f"TableError: model `trees` in {out} has no forest of stratum `{wanted}`"
        assert second.endswith(f"known: {known}")
    assert refusal(out, "../../x").startswith(f"TableError: {out} holds no forest of model `../../x`\n")
    assert refusal(tmp_path) == (
        f"TableError: {tmp_path} is not a report: it has no run.json\n  `drivers run SPEC` writes one"
    )


def test_a_forest_in_the_place_of_another(small: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    dr.run(small.path, out)
    home = out / "forests" / "trees"
    shutil.rmtree(home / "all")
    shutil.copytree(home / "zone=dry", home / "all")
    assert refusal(out) == (
        f"TableError: {home / 'all'} holds the forest of trees on zone=dry\n"
        "  the report is damaged: run its spec again"
    )


def test_a_report_without_forests(small: Any, tmp_path: Path) -> None:
    small.model("paths", "y ~ x + z")
    spec = small.spec("small", {**SPEC, "fit": [{"models": ["paths"], "over": ["all"]}]})
    dr.run(spec, tmp_path / "out")
    assert not (tmp_path / "out" / "forests").exists()
    assert refusal(tmp_path / "out") == (
        f"TableError: {tmp_path / 'out'} holds no forest\n"
        "  boosted trees (method brt) leave one for every stratum: run the study again"
    )
