"""The JSON Schemas are those of the shapes, and accept what the reader accepts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from drivers.spec.schema import SCHEMAS, schema_text, write_schemas

COMMITTED = Path(__file__).parent.parent / "specs" / "schema"

GOOD = {
    "model.schema.json": [
        "{method: psem, formula: y ~ x}",
        "{method: psem, formula: y ~ x, options: {errors: effective, prune: {p_value: 0.05}}}",
        "{method: psem, title: t, formula: y ~ x, family: poisson, composite: {a: pc1, b: {x: 1, y: 0.5}}}",
        "{method: psem, formula: y ~ x, options: {family: {y: binomial}, composite: fixed}}",
        "{method: brt, formula: y ~ x, family: poisson, options: {tree_complexity: [1, 5], n_trees: auto}}",
        "{method: geodetector, formula: y ~ x, options: {compat: GD, discretize: {methods: [sd, optimal], "
        "classes: [3, 8], per_driver: {x: {breaks: [1, 2.5]}}}, scales: [1, 2], permutations: 0}}",
    ],
    "study.schema.json": [
        "{study: a, table: {path: a.csv}}",
        "{study: a, table: {simulate: horqin, pixels: 4000, seed: 1}, response: y, drivers: {g: [a, b]}}",
        "{study: a, table: {path: a.csv}, response: {y: {unit: mm}}, drivers: {g: {a: null, b: {unit: 1}}},"
        " pixel: {easting: x, northing: y, crs: 32651, size: 30}, series: {y: 'y_{year}'}, seed: 3,"
        " strata: {s: {a: x > 1}, l: {column: c}, m: {column: c, levels: [1, a]},"
        " n: {column: c, levels: {'1': a, b: 2000}}},"
        " fit: [{models: a}, {models: [a, b.yaml], over: [all, s * l]}]}",
        "{study: a, table: {path: a.csv}, series: {y: {columns: 'y_{year}', unit: mm, years: [2001, 2005]}},"
        " change: {trend: y, correlation: {y: [z]}, centre: {series: y, weights: positive}}}",
    ],
    "table.schema.json": [
        "{table: a, grid: {like: npp.tif}, layers: {NPP: {source: npp.tif, band: npp}}, output: a.parquet}",
        "{table: a, grid: {crs: EPSG:32651, resolution: 1000, bounds: [0, 0, 1, 1], mask: region.gpkg},"
        " layers: {PRE: {source: '{year}_{month}.nc', variable: pr, resample: bilinear,"
        " nodata: [-9999, 65533], scale: 0.1, aggregate: sum}}, derive: {HALF: PRE / 2}, output: a.parquet}",
    ],
}
BAD = {
    "model.schema.json": [
        "{formula: y ~ x}",
        "{method: psem, formula: y ~ x, titel: t}",
        "{method: geodetector, formula: y ~ x, options: {prune: true}}",
        "{method: geodetector, formula: y ~ x, family: poisson}",
        "{method: brt, formula: y ~ x, options: {learning_rate: [0.01, 2]}}",
    ],
    "study.schema.json": ["{study: a}", "{study: a, table: {path: a.csv}, sede: 1}"],
    "table.schema.json": [
        "{table: a}",
        "{table: a, grid: {like: a.tif}, layers: {A: {sauce: a.tif}}, output: a.parquet}",
    ],
}


@pytest.mark.parametrize("file", SCHEMAS)
def test_committed_schemas_are_current(file: str) -> None:
    hint = "run `python -m drivers.spec.schema`"
    assert (COMMITTED / file).read_text(encoding="utf-8") == schema_text(file), hint


def test_write_schemas(tmp_path: Path) -> None:
    for path in write_schemas(tmp_path / "schema"):
        assert json.loads(path.read_text(encoding="utf-8"))["$schema"]


def test_every_key_says_what_it_is() -> None:
    for file in SCHEMAS:
        schema = json.loads(schema_text(file))
        for part in [schema, *schema["$defs"].values()]:
            for name, key in part.get("properties", {}).items():
                referred = schema["$defs"].get(key.get("$ref", "").rpartition("/")[2], {})
                assert key.get("description") or referred.get("description"), f"{file}: {name}"


@pytest.mark.parametrize("file", SCHEMAS)
def test_schemas_accept_what_the_reader_accepts(file: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(json.loads(schema_text(file)))
    for text in GOOD[file]:
        assert list(validator.iter_errors(yaml.safe_load(text))) == [], text
    for text in BAD[file]:
        assert list(validator.iter_errors(yaml.safe_load(text))), text
