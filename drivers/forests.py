"""Forests that a run leaves in its report, and how to get them back: what predicts other tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from drivers.errors import Fault, TableError, propose
from drivers.methods import Result
from drivers.report.target import folder_name
from drivers.report.write import read_facts

if TYPE_CHECKING:
    from drivers.methods.predictor import Predictor

FORESTS = "forests"
"""The folder of a report with what predicts: forests/MODEL/STRATUM."""


@runtime_checkable
class Predicting(Protocol):
    """A result that can predict other tables."""

    @property
    def predictor(self) -> Predictor:
        """What it predicts with, without the table it was fitted on."""


def save_forests(results: Mapping[tuple[str, str], Result], folder: Path) -> None:
    """What can predict, for every model and stratum that has it."""
    for (model, stratum), result in results.items():
        if isinstance(result, Predicting):
            result.predictor.save(folder / FORESTS / folder_name(model) / folder_name(stratum))


def read_forest(run: str | Path, model: str | None = None, stratum: str | None = None) -> Predictor:
    """A forest that a run has saved in its report, to predict other tables and rasters.

    Parameters
    ----------
    run : the folder of the report
    model : which model; may be left out where only one has forests
    stratum : the label of a stratum, such as `balance=sink`; by default `all`, or else the only one

    Returns
    -------
    A predictor with `predict(data)`, `dissimilarity(data)`, `applicable(data)` and `augment(data)`.

    Raises
    ------
    TableError
        If the folder is not a report, has no such forest, or the forest is damaged.
    """
    folder, facts = Path(run), read_facts(Path(run))
    named = facts.get("models")
    names = [str(m.get("name")) for m in named if isinstance(m, dict)] if isinstance(named, list) else []
    labels = facts.get("strata")
    strata = [str(label) for label in labels] if isinstance(labels, list) else []

    def place(model: str, stratum: str) -> Path:
        return folder / FORESTS / folder_name(model) / folder_name(stratum)

    there = {m: found for m in names if (found := [s for s in strata if place(m, s).is_dir()])}
    if not there:
        hint = "boosted trees (method brt) leave one for every stratum: run the study again"
        raise TableError(Fault(f"{folder} holds no forest", hint=hint))
    model = _chosen(model, list(there), f"{folder} holds no forest of model", f"{folder} has forests of")
    of = f"model `{model}` in {folder}"
    first = "all" if "all" in there[model] else None
    stratum = _chosen(
        stratum or first, there[model], f"{of} has no forest of stratum", f"{of} has forests of"
    )
    from drivers.methods.predictor import Predictor  # xgboost takes a second to import

    forest = Predictor.load(place(model, stratum))
    if (forest.model, forest.stratum) != (model, stratum):
        message = f"{place(model, stratum)} holds the forest of {forest.model} on {forest.stratum}"
        raise TableError(Fault(message, hint="the report is damaged: run its spec again"))
    return forest


def _chosen(name: str | None, known: Sequence[str], none: str, several: str) -> str:
    """The one that is named, or the only one there is."""
    if name is not None:
        if name not in known:
            raise TableError(Fault(f"{none} `{name}`", hint=propose(name, known)))
        return name
    if len(known) > 1:
        raise TableError(Fault(f"{several} {', '.join(known)}", hint="say which of them"))
    return known[0]
