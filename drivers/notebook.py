"""One model on one data frame in two lines, without documents."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from drivers.errors import Fault, Place, SpecError, TableError, propose
from drivers.methods import METHODS, Result
from drivers.spec import (
    ConditionFamily,
    ModelFile,
    Vocabulary,
    bind,
    model_from_text,
    parse_condition,
)
from drivers.spec.tokens import Refused
from drivers.table import PixelTable, make_partition, pixel_table_from_frame


def fit(
    model: str | ModelFile,
    data: pd.DataFrame | PixelTable,
    *,
    where: str | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    categorical: Collection[str] | None = None,
    family: str | Mapping[str, str] = "gaussian",
    options: Mapping[str, object] | None = None,
    method: str = "psem",
    seed: int = 0,
) -> Result:
    """Fit one model on one table, or on the part of it where a condition holds.

    Parameters
    ----------
    model : a formula with one equation per line, or a model file from `read_model`
    data : a data frame, or a table from `read_table`
    where : a condition such as `NEP > 0`
    groups : the drivers of each group; their names then stand for their members
    categorical : columns that are classes; text columns are classes anyway
    family : family of all equations, or by response; for a formula only
    options : options of the method, as in a model file; for a formula only
    method : how the model is fitted; for a formula only
    seed : the seed of everything random

    Returns
    -------
    A result with `tidy()`, `glance()` and `augment()`.

    Raises
    ------
    SpecError, TableError
        If the formula or the table is wrong, with all faults at once.
    FitError
        If the model cannot be fitted on these pixels.

    Examples
    --------
    >>> import drivers as dr
    >>> chain = dr.simulate("chain", pixels=5000, seed=1).frame
    >>> result = dr.fit("m ~ x + z; y ~ m + z", chain)
    >>> result.glance()["fishers_c_df"].item()
    2
    """
    if not isinstance(data, PixelTable | pd.DataFrame):
        raise TableError(f"a data frame or a table from read_table is needed, not {type(data).__name__}")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise SpecError(Fault(f"`seed` must be a whole number of 0 or more, and is {seed!r}"))
    table = data if isinstance(data, PixelTable) else pixel_table_from_frame(data, categorical=categorical)
    if isinstance(model, str):
        model = model_from_text(model, method=method, family=family, options=options)  # type: ignore[arg-type]
    named = _groups(groups or {}, table)
    vocabulary = Vocabulary(
        table.source, (), table.columns, named, table.categorical | set(categorical or ())
    )
    bound = bind(model, vocabulary)
    over: tuple[str, ...] = ()
    families: list[ConditionFamily] = []
    if where is not None:
        here = Place("where")
        try:
            condition = parse_condition(where)
        except Refused as refused:
            raise SpecError(
                refused.fault(lambda at: Place("where", 1, at.start + 1, at.end - at.start, where))
            ) from None
        families = [ConditionFamily("where", ((where, condition),), here, (here,))]
        over = ("where",)
    partition = make_partition(table, families, [over], {bound.response})
    return METHODS[bound.method](bound, table, partition, seed).fit(partition.strata[0])


def _groups(
    groups: Mapping[str, Sequence[str]], table: PixelTable
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The groups of a notebook user, checked against the table."""
    faults = []
    homes: dict[str, str] = {}
    for name, members in groups.items():
        if isinstance(members, str):
            faults.append(Fault(f"the group `{name}` needs a list of columns, not the text `{members}`"))
            continue
        if name in table.columns:
            faults.append(Fault(f"the group `{name}` has the name of a column"))
        for m in members:
            if homes.setdefault(m, name) != name:
                faults.append(Fault(f"`{m}` is in two driver groups, `{homes[m]}` and `{name}`"))
        faults += [
            Fault(
                f"the group `{name}` names `{m}`, which {table.source} has not",
                hint=propose(m, table.columns),
            )
            for m in members
            if m not in table.columns
        ]
    if faults:
        raise SpecError(faults)
    return tuple((name, tuple(members)) for name, members in groups.items())
