"""Model files: what is assumed, read and checked as far as that goes without a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast

from drivers.errors import Fault, Place, SpecError, propose
from drivers.spec.bound import Family, TreeFamily
from drivers.spec.document import Document, load_document
from drivers.spec.formula import ParsedEquation, parse_formula
from drivers.spec.latent_formula import LatentFormula, parse_latent
from drivers.spec.lsem_options import LsemOptions
from drivers.spec.options import BrtOptions, GeodetectorOptions, Options, PsemOptions
from drivers.spec.places import KeyPath, Places, TextPlaces
from drivers.spec.shapes import MODELS, AnyModel, BrtModel, GeodetectorModel, LsemModel, PsemModel
from drivers.spec.terms import Span
from drivers.spec.validation import validate

METHODS = tuple(MODELS)
"""Every method."""

Families = Family | TreeFamily | Mapping[str, Family]
How = Literal["regression", "pc1", "equal", "fixed"]
Composites = How | Mapping[str, How | Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model as its file says it; the names are not looked up yet (`bind` does that)."""

    name: str
    path: Path | None
    """The file; None for a model from a notebook."""
    method: str
    title: str
    formula: str
    """The text of the formula."""
    equations: tuple[ParsedEquation, ...]
    """Those of psem, brt and geodetector."""
    options: Options
    """Those of the method, such as `PsemOptions`."""
    places: Places = field(repr=False, compare=False)
    latent: LatentFormula = field(default_factory=LatentFormula)
    """lsem only: the lines of its formula."""
    family: Families = "gaussian"
    """psem and brt: one family for all equations; psem only: families by response."""
    composite: Composites = "regression"
    """psem only: how composites get their weights, for all of them or by name."""
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
        A YAML file with the keys method, title, formula, options; for psem also family and composite.

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
    method: str = "psem",
    name: str = "model",
    title: str = "",
    options: Options | Mapping[str, object] | None = None,
    family: Families = "gaussian",
    composite: Composites = "regression",
    source: str = "formula",
) -> ModelFile:
    """Make a model from a formula alone, as in a notebook.

    Parameters
    ----------
    formula
        One equation per line or `;`.
    method
        How the model is fitted.
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
    given = options.model_dump(exclude_unset=True) if isinstance(options, Options) else options
    content: dict[object, object] = {"method": method, "title": title, "formula": formula}
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
    if isinstance(method, str) and method not in METHODS:
        message = f"`{method}` is not a method"
        faults.append(Fault(message, places.value(("method",)), propose(method, METHODS)))
        return None
    kind = method if isinstance(method, str) else "psem"
    shape, unsound = validate(MODELS[kind], content, places, faults, {"method": kind, "formula": ""})
    equations: tuple[ParsedEquation, ...] = ()
    latent = LatentFormula()
    if "formula" not in unsound:

        def locate(span: Span) -> Place:
            return places.inside(("formula",), span)

        if isinstance(shape, LsemModel):
            latent = parse_latent(shape.formula, locate, faults)
        else:
            equations = parse_formula(shape.formula, locate, faults)
    model = ModelFile(
        name,
        path,
        shape.method,
        shape.title,
        shape.formula.strip(),
        equations,
        _options(shape),
        places,
        latent,
    )
    if isinstance(shape, PsemModel):
        model = _with_paths(model, shape, faults)
    elif isinstance(shape, BrtModel):
        model = replace(model, family=shape.family)
    return replace(model, whole=len(faults) == before)


def _options(shape: AnyModel) -> Options:
    """The options as methods get them: checked, without what only a file has."""
    given = shape.options.model_dump(exclude_unset=True)
    if isinstance(shape, GeodetectorModel):
        return GeodetectorOptions.model_validate(given)
    if isinstance(shape, BrtModel):
        return BrtOptions.model_validate(given)
    if isinstance(shape, LsemModel):
        return LsemOptions.model_validate(given)
    return PsemOptions.model_validate({k: v for k, v in given.items() if k not in ("family", "composite")})


def _with_paths(model: ModelFile, shape: PsemModel, faults: list[Fault]) -> ModelFile:
    """What only a piecewise SEM has."""
    family_at = _once("family", shape, model.places, faults)
    composite_at = _once("composite", shape, model.places, faults)
    return replace(
        model,
        family=cast(Families, shape.options.family if len(family_at) > 1 else shape.family),
        composite=cast(Composites, shape.options.composite if len(composite_at) > 1 else shape.composite),
        family_at=family_at,
        composite_at=composite_at,
    )


def _once(key: str, shape: PsemModel, places: Places, faults: list[Fault]) -> KeyPath:
    """Where a key that may stand in two places stands."""
    inner: KeyPath = ("options", key)
    if key not in shape.options.model_fields_set:
        return (key,)
    if key in shape.model_fields_set:
        message = f"`{key}` is given twice: at the top and inside `options`"
        faults.append(Fault(message, places.key(inner), "keep one of them"))
    return inner


def _plain(value: object) -> object:
    """Mappings as dicts, so that what a notebook passes is checked as a file would be."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value
