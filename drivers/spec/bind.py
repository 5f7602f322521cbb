"""A model file and a vocabulary -> a bound model: every name known, every rule of its method kept."""

from __future__ import annotations

from collections.abc import Callable

from drivers.errors import Fault, SpecError
from drivers.spec.bind_drivers import bind_drivers
from drivers.spec.bind_latent import bind_latent
from drivers.spec.bind_paths import bind_paths
from drivers.spec.bound import BoundModel
from drivers.spec.model import ModelFile
from drivers.spec.vocabulary import Vocabulary


def bind(model: ModelFile, vocabulary: Vocabulary) -> BoundModel:
    """Look up every name of a model in a study's vocabulary.

    Parameters
    ----------
    model
        A model file, or a model made from a text.
    vocabulary
        The names that a study, or a bare table, defines.

    Raises
    ------
    SpecError
        With everything that is wrong: unknown names, cycles, two equations for one response, ...

    Examples
    --------
    >>> from drivers.spec.model import model_from_text
    >>> words = Vocabulary("the spec", ("NEP",), ("TEM", "PRE"), (("climate", ("TEM", "PRE")),))
    >>> bind(model_from_text("NEP ~ climate"), words).columns
    ('TEM', 'PRE', 'NEP')
    """
    faults: list[Fault] = []
    bound = bind_model(model, vocabulary, faults)
    if faults or bound is None:
        raise SpecError(faults)
    return bound


def bind_model(model: ModelFile, vocabulary: Vocabulary, faults: list[Fault]) -> BoundModel | None:
    """As `bind`, but what is wrong is added to `faults`; None when anything is."""
    own: list[Fault] = []
    bound = _BINDERS[model.method](model, vocabulary, own)
    faults.extend(sorted(own, key=place_order))
    return bound


_BINDERS: dict[str, Callable[[ModelFile, Vocabulary, list[Fault]], BoundModel | None]] = {
    "psem": bind_paths,
    "lsem": bind_latent,
    "brt": bind_drivers,
    "geodetector": bind_drivers,
}


def place_order(fault: Fault) -> tuple[int, int]:
    """Faults of one file as a reader meets them."""
    place = fault.place
    return (place.line or 0, place.column or 0) if place is not None else (0, 0)
