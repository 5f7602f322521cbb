"""What a user may rely on: the names of the package, its errors, its signatures, its wheel."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest

import drivers as dr
from drivers import study

REPOSITORY = Path(__file__).resolve().parents[1]


def project() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def test_public_names() -> None:
    assert dr.__all__ == [
        "DriversError",
        "FitError",
        "SpecError",
        "TableError",
        "effects",
        "fit",
        "read_forest",
        "read_model",
        "read_spec",
        "read_table",
        "run",
        "simulate",
    ]
    assert all(callable(getattr(dr, name)) for name in dr.__all__)
    assert dr.effects is not sys.modules["drivers.effects"]


def test_a_star_import_brings_those_and_no_more() -> None:
    space: dict[str, object] = {}
    exec("from drivers import *", space)
    assert sorted(name for name in space if not name.startswith("__")) == sorted(dr.__all__)


SIGNATURES = {
    "fit": ["model", "data", "where", "groups", "categorical", "family", "options", "method", "seed"],
    "read_forest": ["run", "model", "stratum"],
    "run": ["spec", "out", "reporting"],
    "read_spec": ["path"],
    "read_model": ["path"],
    "simulate": ["world", "pixels", "seed", "range_pixels", "missing"],
    "effects": ["result"],
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    parameters = inspect.signature(getattr(dr, name)).parameters
    assert list(parameters) == SIGNATURES[name]
    assert not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters.values())


def test_one_tree_of_errors() -> None:
    assert all(issubclass(e, dr.DriversError) for e in (dr.SpecError, dr.TableError, dr.FitError))
    assert dr.DriversError.__bases__ == (Exception,)


def test_everything_public_is_documented() -> None:
    for name in dr.__all__:
        assert (getattr(dr, name).__doc__ or "").strip(), name


def test_two_lines_in_a_notebook() -> None:
    pixels = pd.DataFrame({"soil": [1.0, 2, 3, 4, 5, 6], "NEP": [2.1, 3.9, 6.2, 7.8, 10.1, 12.2]})
    result = dr.fit("NEP ~ soil", pixels)
    assert result.tidy().estimate.item() == pytest.approx(2.02)


def test_version_is_the_distributions() -> None:
    assert dr.__version__ == version("ecodrivers") == project()["project"]["version"]


def test_importing_is_light() -> None:
    """Nothing of the heavy packages before it is needed: a command must answer at once."""
    code = (
        "import sys, drivers; "
        "heavy = {'matplotlib', 'geopandas', 'xarray', 'xgboost', 'shap', 'semopy', 'dask'}; "
        "print(sorted((heavy | {'statsmodels.api'}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_wheel_holds_drivers_only() -> None:
    content = project()
    assert content["project"]["name"] == "ecodrivers"
    assert content["project"]["scripts"] == {"drivers": "drivers.cli:main"}
    assert content["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["drivers"]
    assert content["project"]["license"] == "BSD-3-Clause"
    assert content["project"]["requires-python"] == ">=3.11"


def test_the_wheels_top_level(tmp_path: Path) -> None:
    """Built with the backend itself, without a network."""
    pytest.importorskip("hatchling", reason="needs hatchling to build a wheel")
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(tmp_path)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    names = zipfile.ZipFile(tmp_path / done.stdout.split()[-1]).namelist()
    top = {name.split("/")[0] for name in names}
    assert top == {"drivers", f"ecodrivers-{dr.__version__}.dist-info"}
    assert "drivers/py.typed" in names
    assert any(name.endswith(".html") for name in names)  # the report's templates travel along
    assert any(name.endswith(".css") for name in names)
    assert not any("test" in name for name in names)


def test_packages_that_run_json_names_are_dependencies() -> None:
    wanted = {"ecodrivers", *(d.split(">")[0].split("[")[0] for d in project()["project"]["dependencies"])}
    assert set(study.PACKAGES) <= wanted
