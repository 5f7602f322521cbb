"""A forest on disk: words and trees as JSON, the area of applicability as plain arrays; nothing runs code.

xgboost ends the process, or never ends, on trees that are damaged. So bytes are compared with their digest,
and trees are checked here before xgboost sees them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from drivers.errors import Fault, TableError
from drivers.methods.boosting import LOSSES
from drivers.spec.bound import TreeFamily
from drivers.stats.applicability import Applicability

FORMAT = 1
"""Raised when an older ecodrivers would misread the files."""

WORDS, TREES, AREA = "forest.json", "trees.json", "area.npz"
"""The files of a forest."""

AGAIN = "run the study again: `drivers run SPEC`"

ARRAYS = ("mean", "sd", "weights", "mean_distance", "threshold", "train_di", "reference", "coordinates")
"""The arrays of an area of applicability, beside its levels and their shares."""


NODE_ARRAYS = (
    *("left_children", "right_children", "parents", "split_indices", "split_conditions", "split_type"),
    *("default_left", "base_weights", "loss_changes", "sum_hessian"),
)
"""The arrays of xgboost's trees with a value for every node."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class DriverWords(_Strict):
    """A driver: a column by its name, or a function of columns in the formula language."""

    column: str | None = None
    function: str | None = None
    group: str
    categorical: bool
    levels: tuple[str, ...]
    centre: float
    unit: float
    missing: bool
    """Whether pixels of the training lacked it: only then do the trees know where such pixels go."""
    scaled: tuple[tuple[float, float] | None, ...]
    """Mean and deviation of every `scale()`; None where the table had no values to learn from."""


class ForestWords(_Strict):
    """All of a forest but its trees and its area of applicability."""

    model: str
    stratum: str
    response: str
    unit: str
    family: TreeFamily
    centre: float
    spread: float
    n_trees: int
    drivers: tuple[DriverWords, ...]


def write_forest(folder: Path, words: ForestWords, booster: xgb.Booster, area: Applicability | None) -> None:
    """Write the files of a forest into a folder, which is made; the same forest gives the same bytes.

    Raises
    ------
    OSError
        When the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {TREES: bytes(booster.save_raw("json"))}
    if area is not None:
        files[AREA] = _area_bytes(area)
    else:
        (folder / AREA).unlink(missing_ok=True)
    content = words.model_dump(mode="json", exclude_none=True)
    digests = {name: _digest(data) for name, data in files.items()}
    whole = {"format": FORMAT, "sha256": {**digests, WORDS: _digest_of(content)}, "forest": content}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / WORDS).write_text(text, encoding="utf-8", newline="\n")


def read_forest_files(folder: Path) -> tuple[ForestWords, xgb.Booster, Applicability | None]:
    """Read them back.

    Raises
    ------
    TableError
        When a file is missing or damaged, or was written by a newer ecodrivers.
    """
    if not (folder / WORDS).is_file():
        raise TableError(Fault(f"{folder} holds no forest: it has no {WORDS}", hint=AGAIN))
    words, digests = _words(folder / WORDS)
    width = len(words.drivers)
    booster = _booster(folder / TREES, _checked_bytes(folder / TREES, digests), words, width)
    area = None
    if AREA in digests:
        area = _area(folder / AREA, _checked_bytes(folder / AREA, digests), width)
    return words, booster, area


def damaged(path: Path, why: str) -> TableError:
    """The refusal of a file whose contents cannot be what was written."""
    return TableError(Fault(f"{path} is damaged: {why}", hint=AGAIN))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest_of(content: Any) -> str:
    return _digest(json.dumps(content, sort_keys=True, ensure_ascii=True).encode())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise TableError(Fault(f"{path} is missing", hint=AGAIN)) from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise TableError(Fault(f"{path} cannot be read: {why}")) from None


def _checked_bytes(path: Path, digests: Mapping[str, str]) -> bytes:
    data = _bytes(path)
    if digests.get(path.name) != _digest(data):
        raise damaged(path, "its bytes are not those that were written")
    return data


def _words(path: Path) -> tuple[ForestWords, dict[str, str]]:
    try:
        whole = json.loads(_bytes(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise damaged(path, "it is not JSON") from error
    if not isinstance(whole, dict) or not isinstance(whole.get("format"), int):
        raise damaged(path, "it does not say its format")
    if whole["format"] > FORMAT:
        message = (
            f"{path} is of format {whole['format']}, which a newer ecodrivers wrote; this one reads {FORMAT}"
        )
        raise TableError(Fault(message, hint="update ecodrivers, or run the study again with this one"))
    digests = whole.get("sha256")
    if not isinstance(digests, dict) or digests.get(WORDS) != _digest_of(whole.get("forest")):
        raise damaged(path, "its words are not those that were written")
    try:
        words = ForestWords.model_validate_json(json.dumps(whole["forest"]))
    except (ValidationError, ValueError) as error:
        raise damaged(path, "it does not describe a forest") from error
    if not words.drivers or words.n_trees < 1:
        raise damaged(path, "it has no drivers or no trees")
    if not (words.spread > 0 and all(driver.unit > 0 for driver in words.drivers)):
        raise damaged(path, "a unit in it is not above 0")
    return words, digests


def _booster(path: Path, data: bytes, words: ForestWords, width: int) -> xgb.Booster:
    try:
        why = _unsound(json.loads(data), words, width)
        if not why:
            booster = xgb.Booster()
            booster.load_model(bytearray(data))
            return booster
    # xgboost's own error is a ValueError too
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise damaged(path, "it is no forest of xgboost") from error
    raise damaged(path, why)


def _unsound(model: Any, words: ForestWords, width: int) -> str:
    """What would lead xgboost out of an array, or in a circle; empty when nothing would."""
    learner = model["learner"]
    gradient, shape = learner["gradient_booster"], learner["learner_model_param"]
    if gradient["name"] != "gbtree" or int(shape["num_feature"]) != width:
        return f"it is no forest of {width} drivers"
    forest = gradient["model"]
    trees = forest["trees"]
    if len(trees) < words.n_trees:
        return f"it has {len(trees)} trees of {words.n_trees}"
    if learner["objective"]["name"] != LOSSES[words.family] or learner["feature_names"]:
        return f"its trees were not grown for a {words.family} response"
    one_output = int(shape["num_class"]) == 0 and int(shape["num_target"]) == 1
    in_order = forest["iteration_indptr"] == list(range(len(trees) + 1))
    if not (one_output and in_order and forest["tree_info"] == [0] * len(trees)):
        return "it is no forest of one response"
    levels = np.array([len(driver.levels) for driver in words.drivers], dtype=np.int64)
    return "" if all(_sound(tree, levels) for tree in trees) else "a tree has branches that lead nowhere"


def _sound(tree: Any, levels: NDArray[np.int64]) -> bool:
    """Whether every walk from the root ends in a leaf, past splits on drivers and levels that there are."""
    left, right, features = (
        np.array(tree[key], dtype=np.int64) for key in ("left_children", "right_children", "split_indices")
    )
    n = int(tree["tree_param"]["num_nodes"])
    if n < 1 or any(len(tree[key]) != n for key in NODE_ARRAYS):
        return False
    inner = left >= 0
    parents, kinds = (np.array(tree[key], dtype=np.int64) for key in ("parents", "split_type"))
    numbers = np.array(tree["split_conditions"], dtype=np.float64)
    if int(tree["tree_param"]["size_leaf_vector"]) not in (0, 1) or not np.isin(kinds, (0, 1)).all():
        return False
    if np.isnan(numbers[(kinds == 0) | ~inner]).any():
        return False
    children = np.concatenate([left[inner], right[inner]])
    own = np.concatenate([np.flatnonzero(inner)] * 2)
    # Every node has one parent and the root has none: then no walk from the root comes back.
    return bool(
        (inner == (right >= 0)).all()
        and ((children >= 1) & (children < n)).all()
        and (parents[children] == own).all()
        and len(np.unique(children)) == len(children)
        and ((features[inner] >= 0) & (features[inner] < len(levels))).all()
        and _categories_fit(tree, features, inner, levels)
    )


def _categories_fit(
    tree: Any, features: NDArray[np.int64], inner: NDArray[np.bool_], levels: NDArray[np.int64]
) -> bool:
    """Whether splits by level name levels that there are, and lie one after the other."""
    nodes, starts, sizes, codes = (
        np.array(tree[key], dtype=np.int64)
        for key in ("categories_nodes", "categories_segments", "categories_sizes", "categories")
    )
    if not len(nodes) == len(starts) == len(sizes) or (sizes < 0).any() or sizes.sum() != len(codes):
        return False
    if ((nodes < 0) | (nodes >= len(features))).any() or not inner[nodes].all():
        return False
    if set(nodes.tolist()) != set(np.flatnonzero(np.array(tree["split_type"]) == 1).tolist()):
        return False
    most = np.repeat(levels[features[nodes]], sizes)
    return bool((starts == np.cumsum(sizes) - sizes).all() and ((codes >= 0) & (codes < most)).all())


def _area_bytes(area: Applicability) -> bytes:
    held: dict[str, NDArray[Any]] = {name: np.asarray(getattr(area, name)) for name in ARRAYS}
    for j, (levels, shares) in enumerate(zip(area.levels, area.shares, strict=True)):
        held[f"levels{j}"], held[f"shares{j}"] = levels, shares
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **held)
    return stream.getvalue()


def _area(path: Path, data: bytes, width: int) -> Applicability:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            held = {name: found[name] for name in found.files}
        area = Applicability(
            mean=held["mean"],
            sd=held["sd"],
            weights=held["weights"],
            levels=tuple(held[f"levels{j}"] for j in range(width)),
            shares=tuple(held[f"shares{j}"] for j in range(width)),
            mean_distance=float(held["mean_distance"]),
            threshold=float(held["threshold"]),
            train_di=held["train_di"],
            reference=held["reference"],
            coordinates=held["coordinates"],
        )
        if area.mean.shape != (width,) or not np.isfinite(area.coordinates).all():
            raise ValueError
        area.dissimilarity(np.zeros((1, width)))  # whatever does not fit together fails here
    except (ValueError, KeyError, TypeError, OSError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise damaged(path, "it is no area of applicability") from error
    return area
