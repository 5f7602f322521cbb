"""Levels of a column: which there are, in which order, how they are written, and which one a spec means."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Codes = NDArray[np.int32]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

SMALL_RANGE = 65536
"""Integer codes that span less than this are counted instead of sorted: land-use codes are all here."""


def level_label(value: object) -> str:
    """How a level is written: whole numbers without a decimal point.

    >>> level_label(7.0), level_label(2.5), level_label("Bwk"), level_label(True)
    ('7', '2.5', 'Bwk', 'true')
    """
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()  # as YAML writes it
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        number = float(value)
        return str(int(number)) if number.is_integer() else repr(number)
    return str(value)


def level_key(value: object) -> Hashable:
    """What a level is matched by: `7`, `7.0`, `"7"` and `"07"` are one level.

    >>> level_key("7") == level_key(7.0), level_key("Bwk"), level_key(True)
    (True, 'Bwk', 1.0)
    """
    if isinstance(value, bool | np.bool_ | int | float | np.integer | np.floating):
        return float(value)
    text = str(value).strip()
    return _as_number(text) if _NUMBER.fullmatch(text) else text


def _as_number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def match_level(value: object, labels: Sequence[str]) -> int | None:
    """The position of the level that a spec's value means, or None; the exact label wins.

    >>> match_level(7, ("1", "7")), match_level("07", ("7", "07")), match_level(9, ("1", "7"))
    (1, 1, None)
    >>> match_level("TRUE", ("false", "true"))
    1
    """
    written = level_label(value)
    if written in labels:
        return labels.index(written)
    key = level_key(value)
    for position, label in enumerate(labels):
        if level_key(label) == key:
            return position
    if set(labels) <= {"false", "true"}:
        meant = {"1": "true", "0": "false"}.get(written, written.lower())
        return labels.index(meant) if meant in labels else None
    return None


def natural_order(labels: Iterable[str]) -> list[str]:
    """Numbers ascending where all labels are numbers, else text in sorted order.

    >>> natural_order(["10", "9", "1"]), natural_order(["b10", "b9", "a"])
    (['1', '9', '10'], ['a', 'b10', 'b9'])
    """
    found = list(labels)
    if all(_NUMBER.fullmatch(label) for label in found):
        return sorted(found, key=lambda label: (float(label), label))
    return sorted(found)


def encode(column: pd.Series) -> tuple[tuple[str, ...], Codes]:
    """The levels that occur, in natural order, and the code of every row (-1 where it is missing).

    A categorical keeps its own order, ordered or not; numbers ascend; text is sorted.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = np.asarray(column.cat.codes, dtype=np.int32)
        return _drop_absent([level_label(value) for value in column.cat.categories], codes)
    values = column.to_numpy()
    if values.dtype.kind in "bui":
        return _encode_integers(values)
    found, uniques = pd.factorize(column, sort=False, use_na_sentinel=True)
    labels = [level_label(value) for value in uniques]
    if values.dtype.kind == "f":
        order = [int(i) for i in np.argsort(np.asarray(uniques, dtype=np.float64), kind="stable")]
    else:
        place = {label: i for i, label in enumerate(natural_order(labels))}
        order = sorted(range(len(labels)), key=lambda i: place[labels[i]])
    rank = np.empty(len(order) + 1, dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    rank[-1] = -1  # factorize writes -1 for missing, which indexes the last element
    return tuple(labels[i] for i in order), rank[found]


def _encode_integers(values: NDArray[np.generic]) -> tuple[tuple[str, ...], Codes]:
    if values.size == 0:
        return (), np.empty(0, dtype=np.int32)
    boolean = values.dtype.kind == "b"
    lowest, highest = int(values.min()), int(values.max())
    if highest - lowest < SMALL_RANGE:
        shifted = values.astype(np.int64) - lowest
        present = np.flatnonzero(np.bincount(shifted))
        rank = np.zeros(highest - lowest + 1, dtype=np.int32)
        rank[present] = np.arange(present.size, dtype=np.int32)
        codes, uniques = rank[shifted], present + lowest
    else:
        uniques, inverse = np.unique(values, return_inverse=True)
        codes = inverse.astype(np.int32)
    return tuple(level_label(bool(u) if boolean else u) for u in uniques), codes


def _drop_absent(labels: list[str], codes: Codes) -> tuple[tuple[str, ...], Codes]:
    """Only the levels that occur: a level without pixels would be a design column of zeros."""
    counts = np.bincount(codes + 1, minlength=len(labels) + 1)[1:]
    if counts.all():
        return tuple(labels), codes
    rank = np.full(len(labels) + 1, -1, dtype=np.int32)
    present = np.flatnonzero(counts)
    rank[present] = np.arange(present.size, dtype=np.int32)
    return tuple(labels[i] for i in present), rank[codes]
