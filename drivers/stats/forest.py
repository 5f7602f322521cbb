"""A boosted forest as plain arrays: its nodes, what it predicts, and which drivers its splits used.

Read from xgboost's model JSON, so that what is said about the drivers comes from the trees themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]

AT_ONCE = 1 << 20
"""Pixels times leaves held at once, a few bytes each: with fewer, calls cost more than numbers; more leave
the cache."""

LARGEST = float(np.finfo(np.float32).max)
"""The largest number of single precision, in which xgboost compares; what lies beyond is clipped to it."""

LINKS: Mapping[str, Callable[[float], float]] = {
    "reg:squarederror": float,
    "reg:absoluteerror": float,
    "reg:pseudohubererror": float,
    "reg:quantileerror": float,
    "reg:logistic": lambda p: float(np.log(p) - np.log1p(-p)),
    "binary:logistic": lambda p: float(np.log(p) - np.log1p(-p)),
    "count:poisson": lambda mean: float(np.log(mean)),
    "reg:gamma": lambda mean: float(np.log(mean)),
    "reg:tweedie": lambda mean: float(np.log(mean)),
}
"""From the response to the link scale, by objective: xgboost stores its base score on the response scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """All trees of a boosted model, laid end to end; a root leads to every node.

    Attributes
    ----------
    feature : driver of the split, (nodes,); -1 for a leaf
    threshold : x < threshold goes left, in single precision, (nodes,); NaN for leaves and categorical splits
    left, right : absolute positions of the children, (nodes,); -1 for a leaf
    default_left : where a missing value goes, (nodes,)
    value : of a leaf, on the link scale, (nodes,); 0 for inner nodes
    cover : sum of the hessians of the training pixels that came by, (nodes,)
    gain : reduction of the loss by a split, (nodes,); 0 for leaves
    root : first node of every tree, (trees,)
    category_row : row of `goes_right` of a categorical split, (nodes,); -1 for all other nodes
    goes_right : categories that a categorical split sends right, (categorical splits, categories + 1);
        the last column, never true, is for every category that the trees do not know
    base : added to the sum of the leaves, on the link scale
    """

    feature: Ints
    threshold: Array
    left: Ints
    right: Ints
    default_left: Bools
    value: Array
    cover: Array
    gain: Array
    root: Ints
    category_row: Ints
    goes_right: Bools
    base: float


def forest_from_json(model: Mapping[str, Any], trees: int | None = None) -> Forest:
    """The forest in a parsed model of xgboost: `json.loads(booster.save_raw("json"))`.

    Parameters
    ----------
    model : the parsed document
    trees : the first so many trees (early stopping); None for all

    Raises
    ------
    ValueError : a booster other than gbtree, several outputs, an objective whose link is not in `LINKS`, or
        fewer trees than asked for

    Notes
    -----
    xgboost prints single-precision numbers; they are read as such. Nodes that pruning cut off are left out.

    Examples
    --------
    >>> import json
    >>> import xgboost
    >>> x, y = np.arange(8.0)[:, None], np.arange(8.0) > 3
    >>> options = {"max_depth": 1, "eta": 1, "reg_lambda": 0, "base_score": 0}
    >>> model = xgboost.train(options, xgboost.DMatrix(x, y), 1)
    >>> forest = forest_from_json(json.loads(model.save_raw("json")))
    >>> forest.feature.tolist(), forest.threshold.tolist(), forest.gain.tolist()
    ([0, -1, -1], [4.0, nan, nan], [2.0, 0.0, 0.0])
    >>> predict_margin(forest, [[3.0], [4.0], [np.nan]]).tolist()
    [0.0, 1.0, 1.0]
    >>> relative_influence(forest, 2).tolist()
    [1.0, 0.0]
    """
    learner = model["learner"]
    booster, param = learner["gradient_booster"], learner["learner_model_param"]
    objective = learner["objective"]["name"]
    if booster["name"] != "gbtree":
        raise ValueError(f"only boosted trees are read, not `{booster['name']}`: set booster to gbtree")
    if objective not in LINKS:
        raise ValueError(f"the link of objective `{objective}` is not known; known: {', '.join(LINKS)}")
    score = param["base_score"]
    scores = score.strip("[]").split(",") if isinstance(score, str) else np.atleast_1d(score).tolist()
    outputs = max(int(param.get("num_class", 0)), int(param.get("num_target", 1)), len(scores))
    if outputs > 1:
        raise ValueError(f"a forest has one output, this model has {outputs}: fit one model for each")
    documents: Sequence[Mapping[str, Any]] = booster["model"]["trees"]
    if trees is not None and not 0 <= trees <= len(documents):
        raise ValueError(f"the model has {len(documents)} trees; {trees} were asked for")
    documents = documents[:trees]
    base = LINKS[objective](float(np.float32(scores[0])))
    return only_reached(_from_documents(documents, base))


def _from_documents(documents: Sequence[Mapping[str, Any]], base: float) -> Forest:
    sizes = [len(tree["left_children"]) for tree in documents]
    start = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    offset = np.repeat(start[:-1], sizes)

    def column(key: str, kind: type = np.int64) -> NDArray[Any]:
        return np.fromiter(chain.from_iterable(tree[key] for tree in documents), kind, int(start[-1]))

    left, right = column("left_children"), column("right_children")
    leaf = left < 0
    single = column("split_conditions", np.float32).astype(np.float64)
    nodes = [
        int(first + node)
        for first, tree in zip(start[:-1], documents, strict=True)
        for node in tree["categories_nodes"]
    ]
    sets = [
        tree["categories"][first : first + size]
        for tree in documents
        for first, size in zip(tree["categories_segments"], tree["categories_sizes"], strict=True)
    ]
    goes_right = np.zeros((len(sets), 2 + max(chain.from_iterable(sets), default=-1)), dtype=np.bool_)
    for row, members in zip(goes_right, sets, strict=True):
        row[members] = True
    category_row = np.full(len(leaf), -1, dtype=np.int32)
    category_row[nodes] = np.arange(len(nodes))
    return Forest(
        feature=np.where(leaf, -1, column("split_indices")).astype(np.int32),
        threshold=np.where(leaf | (category_row >= 0), np.nan, single),
        left=np.where(leaf, -1, left + offset).astype(np.int32),
        right=np.where(leaf, -1, right + offset).astype(np.int32),
        default_left=column("default_left").astype(np.bool_),
        value=np.where(leaf, single, 0.0),
        cover=column("sum_hessian", np.float32).astype(np.float64),
        gain=np.where(leaf, 0.0, column("loss_changes", np.float32)).astype(np.float64),
        root=start[:-1].astype(np.int32),
        category_row=category_row,
        goes_right=goes_right,
        base=base,
    )


def only_reached(forest: Forest) -> Forest:
    """The forest without nodes that no root leads to, such as pruning leaves in xgboost's document."""
    reached = np.zeros(len(forest.feature), dtype=np.bool_)
    front = forest.root
    while len(front):
        reached[front] = True
        inner = front[forest.left[front] >= 0]
        front = np.concatenate([forest.left[inner], forest.right[inner]])
    if reached.all():
        return forest
    new = np.append(np.cumsum(reached) - 1, -1).astype(np.int32)  # position -1, no child, stays -1
    return Forest(
        feature=forest.feature[reached],
        threshold=forest.threshold[reached],
        left=new[forest.left[reached]],
        right=new[forest.right[reached]],
        default_left=forest.default_left[reached],
        value=forest.value[reached],
        cover=forest.cover[reached],
        gain=forest.gain[reached],
        root=new[forest.root],
        category_row=forest.category_row[reached],
        goes_right=forest.goes_right,
        base=forest.base,
    )


def predict_margin(forest: Forest, matrix: ArrayLike) -> Array:
    """Predictions on the link scale, shape (n,).

    Parameters
    ----------
    matrix : drivers, shape (n, d), in the columns of the training; NaN where missing, categories by code

    Notes
    -----
    base + Σ_trees value of the pixel's leaf (Friedman 2001, doi:10.1214/aos/1013203451), summed in double
    precision; xgboost sums in single.
    """
    x = checked_matrix(matrix, int(forest.feature.max(initial=-1)))
    columns = single_precision(x).T.copy()
    feature, left, right = forest.feature.tolist(), forest.left.tolist(), forest.right.tolist()
    total = np.full(len(x), forest.base)
    for root in forest.root.tolist():
        # Every node halves the pixels it holds; the forest is never walked pixel by pixel.
        waiting = [(root, np.arange(len(x)))]
        while waiting:
            node, pixels = waiting.pop()
            if feature[node] < 0:
                total[pixels] += forest.value[node]
            else:
                goes_left = _goes_left(forest, node, columns[feature[node]][pixels])
                waiting.append((left[node], pixels[goes_left]))
                waiting.append((right[node], pixels[~goes_left]))
    return total


def _goes_left(forest: Forest, node: int, x: NDArray[np.float32]) -> Bools:
    """Which values at an inner node go left."""
    row = forest.category_row[node]
    if row < 0:
        cut = np.float32(forest.threshold[node])
        # Comparisons with NaN are false: the one to ask is that which sends it the right way.
        return ~(x >= cut) if forest.default_left[node] else x < cut
    goes_left: Bools = ~forest.goes_right[row, category_codes(x, forest.goes_right.shape[1])]
    goes_left[np.isnan(x)] = forest.default_left[node]
    return goes_left


def relative_influence(forest: Forest, n_drivers: int) -> Array:
    """Share of every driver in the total gain of all splits, shape (n_drivers,); all 0 if nothing was split.

    Notes
    -----
    I_j = Σ_splits on j gain / Σ_splits gain (Friedman 2001, section 8.1, doi:10.1214/aos/1013203451). xgboost
    calls the numerator `total_gain`; its `gain` is the mean of a split, which favours drivers that are
    seldom used.
    """
    inner = forest.feature >= 0
    total = np.bincount(forest.feature[inner], forest.gain[inner], minlength=n_drivers)
    if len(total) > n_drivers:
        raise ValueError(f"the forest splits on driver {len(total) - 1}, but n_drivers is {n_drivers}")
    whole = total.sum()
    return np.asarray(total / whole if whole > 0 else np.zeros(n_drivers))


def single_precision(values: ArrayLike) -> NDArray[np.float32]:
    """Values as xgboost compares them."""
    return np.clip(np.asarray(values, dtype=np.float64), -LARGEST, LARGEST).astype(np.float32)


def category_codes(values: NDArray[np.float32], columns: int) -> NDArray[np.intp]:
    """Columns of categories in a table of sets; missing and unknown ones are in the last."""
    known = (values >= 0) & (values < columns - 1)
    return np.where(known, values, columns - 1).astype(np.intp)


def checked_matrix(matrix: ArrayLike, last: int) -> Array:
    """The matrix as doubles, or a ValueError where it lacks a driver that the forest splits on."""
    x = np.asarray(matrix, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] <= last:
        raise ValueError(f"a matrix of shape {x.shape} lacks driver {last}, on which the forest splits")
    return x


def parts(n: int, width: int) -> Iterator[slice]:
    """Rows in slices of so many that `AT_ONCE` numbers are held, `width` for every row."""
    step = max(AT_ONCE // max(width, 1), 1)
    return (slice(first, first + step) for first in range(0, n, step))
