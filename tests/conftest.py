"""What the tests share: hypothesis without a clock, real tables where they are, throw-away projects."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]
GOLDEN = Path(__file__).resolve().parent / "golden"
TABLES = REPOSITORY.parent / "shared" / "data" / "tables"
"""The project's shared tables: beside the repository, never in it."""

# A slow machine is no fault of a law. The same examples every time, unless HYPOTHESIS_PROFILE=search.
settings.register_profile(
    "repeat",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("search", parent=settings.get_profile("repeat"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


@pytest.fixture(scope="session")
def shared_table() -> Callable[[str], Path]:
    """The path of a shared table; skips the test where it is not there."""

    def find(name: str) -> Path:
        path = TABLES / f"{name}.csv"
        if not path.exists():
            pytest.skip(f"needs {path}, a shared table that is not part of the repository")
        return path

    return find


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    """Reference numbers by file name."""

    def read(name: str) -> Any:
        return json.loads((GOLDEN / name).read_text(encoding="utf-8"))

    return read


class Project:
    """A folder with specs/, models/ and data/, as a user has it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("specs", "models", "data"):
            (root / folder).mkdir()

    def model(self, name: str, formula: str, **options: Any) -> None:
        """Write models/NAME.yaml; keys other than the formula as YAML flow (JSON)."""
        method = options.pop("method", "psem")
        lines = [line.strip() for line in formula.replace(";", "\n").splitlines() if line.strip()]
        text = f"method: {method}\nformula: |\n" + "".join(f"  {line}\n" for line in lines)
        text += "".join(f"{key}: {json.dumps(value)}\n" for key, value in options.items())
        (self.root / "models" / f"{name}.yaml").write_text(text, encoding="utf-8")

    def table(self, name: str, frame: pd.DataFrame) -> Path:
        """Write data/NAME.csv."""
        path = self.root / "data" / f"{name}.csv"
        frame.to_csv(path, index=False)
        return path

    def spec(self, name: str, content: dict[str, Any]) -> Path:
        """Write specs/NAME.yaml (YAML holds JSON)."""
        path = self.root / "specs" / f"{name}.yaml"
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
        return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    root.mkdir()
    return Project(root)
