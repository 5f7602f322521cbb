"""Model files: what is assumed, read and checked as far as that goes without a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from drivers.errors import Fault, Place, SpecError, propose
from drivers.spec.bound import Family
from drivers.spec.document import Document, load_document
from drivers.spec.formula import ParsedEquation, parse_formula
from drivers.spec.options import PsemOptions
from drivers.spec.places import KeyPath, Places, TextPlaces
from drivers.spec.shapes import ModelShape
from drivers.spec.terms import Span
from drivers.spec.validation import validate

METHODS = ("psem", "lsem", "brt", "geodetector")
"""Every method of the design."""

BUILT = ("psem",)
"""The methods of this version."""

Families = Family | Mapping[str, Family]
How = Literal["regression", "pc1", "equal", "fixed"]
Composites = How | Mapping[str, How | Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model as its file says it; the names are not looked up yet (`bind` does that)."""

    name: str
    path: Path | None
    """The file; None for a model from a notebook."""
    method: Literal["psem"]
    title: str
    formula: str
    """The text of the formula."""
    equations: tuple[ParsedEquation, ...]
    family: Families
    """One family for all equations, or families by response."""
    composite: Composites
    """How composites get their weights: for all of them, or by name."""
    options: PsemOptions
    places: Places = field(repr=False, compare=False)
    family_at: KeyPath = field(default=("family",), repr=False, compare=False)
    composite_at: KeyPath = field(default=("composite",), repr=False, compare=False)
    whole: bool = field(default=True, repr=False, compare=False)
    """False when parts were wrong and left out, so what is missing says nothing."""

    def locate(self, span: Span) -> Place:
        """The place of a part of the formula."""
        return self.places.inside(("formula",), span)


def read_model(path: str | Path) -> ModelFile:
    """Read a model file.

    Parameters
    ----------
    path
        A YAML file with the keys method, title, formula, family, composite, options.

    Raises
    ------
    SpecError
        With all that is wrong in the file.
    """
    faults: list[Fault] = []
    model = load_model(load_document(Path(path), faults), faults)
    if faults or model is None:
        raise SpecError(faults)
    return model


def model_from_text(
    formula: str,
    *,
    name: str = "model",
    title: str = "",
    options: PsemOptions | Mapping[str, object] | None = None,
    family: Families = "gaussian",
    composite: Composites = "regression",
    source: str = "formula",
) -> ModelFile:
    """Make a model from a formula alone, as in a notebook.

    Parameters
    ----------
    formula
        One equation per line or `;`.
    name, title
        What the model is called in tables and reports.
    options
        Options of the method, as in a model file.
    family, composite
        As in a model file.
    source
        What messages call the formula.

    Examples
    --------
    >>> [equation.text for equation in model_from_text("rich ~ cover; cover ~ firesev").equations]
    ['rich ~ cover', 'cover ~ firesev']
    """
    given = options.model_dump(exclude_unset=True) if isinstance(options, PsemOptions) else options
    content: dict[object, object] = {"method": "psem", "title": title, "formula": formula}
    if given:
        content["options"] = _plain(given)
    if family != "gaussian":
        content["family"] = _plain(family)
    if composite != "regression":
        content["composite"] = _plain(composite)
    faults: list[Fault] = []
    model = _model(name, None, content, TextPlaces(source, str(formula)), faults)
    if faults or model is None:
        raise SpecError(faults)
    return model


def load_model(document: Document, faults: list[Fault]) -> ModelFile | None:
    """The model of a document, as far as it is sound; what is wrong is added to `faults`."""
    if not isinstance(document.content, dict):
        message = f"{document.file} is not a model file: it is no mapping of keys"
        faults.append(Fault(message, document.value(()), "a model file begins with `method: psem`"))
        return None
    return _model(document.path.stem, document.path, document.content, document, faults)


def _model(
    name: str,
    path: Path | None,
    content: Mapping[object, object],
    places: Places,
    faults: list[Fault],
) -> ModelFile | None:
    before = len(faults)
    method = content.get("method")
    if isinstance(method, str) and method not in BUILT:
        faults.append(_method_fault(method, places))
        return None
    shape, unsound = validate(ModelShape, content, places, faults, {"method": "psem", "formula": ""})
    equations: tuple[ParsedEquation, ...] = ()
    if "formula" not in unsound:

        def locate(span: Span) -> Place:
            return places.inside(("formula",), span)

        equations = parse_formula(shape.formula, locate, faults)
    given = shape.options.model_fields_set
    options = PsemOptions.model_validate(
        shape.options.model_dump(include=given - {"family", "composite"}, exclude_unset=True)
    )
    family_at = _once("family", shape, places, faults)
    composite_at = _once("composite", shape, places, faults)
    return ModelFile(
        name,
        path,
        "psem",
        shape.title,
        shape.formula.strip(),
        equations,
        cast(Families, shape.options.family if len(family_at) > 1 else shape.family),
        cast(Composites, shape.options.composite if len(composite_at) > 1 else shape.composite),
        options,
        places,
        family_at,
        composite_at,
        whole=len(faults) == before,
    )


def _once(key: str, shape: ModelShape, places: Places, faults: list[Fault]) -> KeyPath:
    """Where a key that may stand in two places stands."""
    inner: KeyPath = ("options", key)
    if key not in shape.options.model_fields_set:
        return (key,)
    if key in shape.model_fields_set:
        message = f"`{key}` is given twice: at the top and inside `options`"
        faults.append(Fault(message, places.key(inner), "keep one of them"))
    return inner


def _method_fault(method: str, places: Places) -> Fault:
    if method in METHODS:
        message = f"method `{method}` is not in this version of ecodrivers; it has: {', '.join(BUILT)}"
        return Fault(message, places.value(("method",)))
    return Fault(f"`{method}` is not a method", places.value(("method",)), propose(method, BUILT))


def _plain(value: object) -> object:
    """Mappings as dicts, so that what a notebook passes is checked as a file would be."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value
