"""JSON Schemas of the documents, so that editors complete and check what a user writes.

`python -m drivers.spec.schema [FOLDER]` writes them; a test keeps `specs/schema/` current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from drivers.spec.shapes import AnyModel, StudyShape
from drivers.spec.table_shapes import TableDocument

ModelDocument = Annotated[AnyModel, Field(discriminator="method")]
"""A model file of any method; the key `method` says which."""

SCHEMAS: dict[str, tuple[str, Any]] = {
    "model.schema.json": ("An ecodrivers model file", ModelDocument),
    "study.schema.json": ("An ecodrivers study spec", StudyShape),
    "table.schema.json": ("An ecodrivers table spec", TableDocument),
}
"""File -> its title and the shape it is made from."""

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_text(file: str) -> str:
    """The text of one schema file.

    >>> schema_text("model.schema.json").splitlines()[1]
    '  "$schema": "https://json-schema.org/draft/2020-12/schema",'
    """
    title, shape = SCHEMAS[file]
    schema = {"$schema": _DRAFT, **_open(TypeAdapter(shape).json_schema()), "title": title}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _open(part: Any) -> Any:
    """`anyOf` for `oneOf`: the reader chooses a branch by its keys, and some values fit two of them."""
    if isinstance(part, dict):
        return {"anyOf" if key == "oneOf" else key: _open(value) for key, value in part.items()}
    return [_open(value) for value in part] if isinstance(part, list) else part


def write_schemas(folder: Path) -> list[Path]:
    """Write all schemas into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / file for file in SCHEMAS]
    for path in paths:
        path.write_text(schema_text(path.name), encoding="utf-8")
    return paths


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("specs") / "schema"
    for written in write_schemas(target):
        print(written)
