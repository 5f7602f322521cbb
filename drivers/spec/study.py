"""Study specs: which table, which columns in which role, which strata, which models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from drivers.errors import Fault, Place, SpecError, propose
from drivers.spec.bind import bind_model, place_order
from drivers.spec.bound import BoundModel
from drivers.spec.change import Change, read_change, refuse_model_name
from drivers.spec.document import load_document
from drivers.spec.model import load_model
from drivers.spec.places import KeyPath, Places, shown
from drivers.spec.roles import Roles, Variable, read_roles
from drivers.spec.series import Series, read_series
from drivers.spec.shapes import StudyShape
from drivers.spec.strata import ConditionFamily, LevelFamily, read_over, read_strata
from drivers.spec.table_source import TableSource, is_file, read_table_source
from drivers.spec.validation import validate
from drivers.spec.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Pixel:
    """Where the pixels lie; whatever is not said is None."""

    easting: str | None
    northing: str | None
    crs: str | None
    size: float | None
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class FitRequest:
    """Which models on which strata."""

    models: tuple[str, ...]
    """Keys of `StudySpec.models`."""
    over: tuple[tuple[str, ...], ...]
    """Families that are crossed, for each item; () is the stratum of all pixels."""


@dataclass(frozen=True, slots=True)
class StudySpec:
    """A study: everything a run needs to know but the data."""

    name: str
    title: str
    path: Path
    table: TableSource
    pixel: Pixel | None
    responses: tuple[Variable, ...]
    drivers: tuple[Variable, ...]
    """As the spec declares them; this is the canonical order of all tables."""
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    series: tuple[Series, ...]
    strata: tuple[ConditionFamily | LevelFamily, ...]
    """The families that the spec declares, then the zones of `change`."""
    fits: tuple[FitRequest, ...]
    models: Mapping[str, BoundModel]
    """Every model that `fits` name, bound, by name."""
    change: Change | None
    """What is asked about change over years."""
    seed: int
    documents: tuple[tuple[str, str], ...]
    """(file, sha256) of the spec, of every model file that was read, and of the table spec that it names."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The names that models may use."""
        roles = Roles(self.responses, self.drivers, self.groups)
        return _vocabulary(self.documents[0][0], roles, self.series)

    def family(self, name: str) -> ConditionFamily | LevelFamily:
        """A family of strata by its name."""
        return next(family for family in self.strata if family.name == name)

    def selects_on_response(self, family: str, label: str) -> bool:
        """Whether a level of a family is cut on a response, so slopes inside it shrink by construction."""
        found = self.family(family)
        responses = {variable.name for variable in self.responses}
        if isinstance(found, LevelFamily):
            return found.column in responses
        return any(name == label and responses & set(cut.variables) for name, cut in found.levels)


def read_spec(path: str | Path) -> StudySpec:
    """Read a study spec and all its model files, and bind the models.

    Parameters
    ----------
    path
        A YAML file; the paths inside are relative to it.

    Raises
    ------
    SpecError
        With all that is wrong in all the files at once.
    """
    return _Reader(Path(path)).read()


def _vocabulary(label: str, roles: Roles, series: tuple[Series, ...]) -> Vocabulary:
    return Vocabulary(
        label,
        tuple(variable.name for variable in roles.responses),
        tuple(variable.name for variable in roles.drivers),
        roles.groups,
        frozenset(variable.name for variable in (*roles.responses, *roles.drivers) if variable.categorical),
        tuple((one.name, one.template) for one in series),
    )


class _Reader:
    """Reads one spec; gathers the faults of the spec and then those of its models."""

    def __init__(self, path: Path) -> None:
        self.faults: list[Fault] = []
        self.document = document = load_document(path, self.faults)
        self.places: Places = document
        self.folder = document.path.parent
        self.model_faults: list[Fault] = []
        self.files: dict[str, Path] = {}
        self.models: dict[str, BoundModel] = {}
        self.documents = [(document.file, document.sha256)]

    def read(self) -> StudySpec:
        content = self.document.content
        if not isinstance(content, dict):
            message = f"{self.document.file} is not a study spec: it is no mapping of keys"
            raise SpecError(Fault(message, self.places.value(()), "a study spec begins with `study: NAME`"))
        if "study" not in content and {"grid", "layers"} <= content.keys():
            message = f"{self.document.file} is a table spec, not a study spec"
            raise SpecError(
                Fault(message, self.places.key(("grid",)), f"`drivers table {self.document.file}`")
            )
        stand_in = {"study": "x", "table": {"simulate": "x"}}
        study, unsound = validate(StudyShape, content, self.places, self.faults, stand_in)
        sound = "table" not in unsound
        table = read_table_source(
            study.table, self.places, self.folder, self.faults, self.model_faults, sound=sound
        )
        pixel = self._pixel(study)
        before = len(self.faults)
        roles = read_roles(study, self.places, self.faults)
        strata = read_strata(study, self.places, self.faults)
        known = not {"response", "drivers"} & unsound and len(self.faults) == before
        series = read_series(study, roles, strata, self.places, self.faults)
        vocabulary = _vocabulary(self.document.file, roles, series)
        if not study.fit and not {"fit", "change"} & unsound and study.change is None:
            place = self.places.key(("fit",) if study.fit is not None else ("study",))
            hint = "add `fit: [{models: [NAME], over: [all]}]`"
            self.faults.append(Fault("the study asks for nothing: `fit` names no model", place, hint))
        fits = self._fits(study, strata, "strata" not in unsound)
        change = self._change(study, series, strata, fits, unsound)
        self._check_roles(study, unsound)
        self._bind(vocabulary if known else None)
        if self.faults or self.model_faults:
            raise SpecError([*sorted(self.faults, key=place_order), *self.model_faults])
        made = [(shown(table.spec.path), table.spec.sha256)] if table.spec is not None else []
        return StudySpec(
            name=study.study,
            title=study.title,
            path=self.document.path,
            table=table,
            pixel=pixel,
            responses=roles.responses,
            drivers=roles.drivers,
            groups=roles.groups,
            series=series,
            strata=strata if change is None else (*strata, *change.zones),
            fits=fits,
            models=self.models,
            change=change,
            seed=study.seed,
            documents=(*self.documents, *made),
        )

    def _fault(self, message: str, place: Place, hint: str = "") -> None:
        self.faults.append(Fault(message, place, hint))

    def _pixel(self, study: StudyShape) -> Pixel | None:
        pixel = study.pixel
        if pixel is None:
            return None
        at: KeyPath = ("pixel",)
        for one, other in (("easting", "northing"), ("northing", "easting")):
            if getattr(pixel, one) is not None and getattr(pixel, other) is None:
                self._fault(f"`pixel` has `{one}` and no `{other}`", self.places.key((*at, one)))
        if pixel.easting is not None and pixel.easting == pixel.northing:
            self._fault("easting and northing are the same column", self.places.value((*at, "northing")))
        crs = f"EPSG:{pixel.crs}" if isinstance(pixel.crs, int) else pixel.crs
        if crs is not None and not _is_crs(crs):
            hint = "write it as `EPSG:32651`"
            self._fault(f"`{crs}` is not a coordinate system", self.places.value((*at, "crs")), hint)
        return Pixel(pixel.easting, pixel.northing, crs, pixel.size, self.places.key(at))

    def _check_roles(self, study: StudyShape, unsound: frozenset[str]) -> None:
        for key, given in (("response", study.response), ("drivers", study.drivers)):
            if study.fit and not given and key not in unsound:
                self._fault(f"the key `{key}` is missing: models are to be fitted", self.places.key(("fit",)))

    def _fits(
        self, study: StudyShape, strata: tuple[ConditionFamily | LevelFamily, ...], sound: bool
    ) -> tuple[FitRequest, ...]:
        requests = []
        for index, fit in enumerate(study.fit or ()):
            at: KeyPath = ("fit", index)
            names: dict[str, None] = {}
            for text, path in _each(fit.models, (*at, "models")):
                name = self._model_file(text, self.places.value(path))
                if name is not None:
                    names[name] = None
            over: dict[tuple[str, ...], None] = {}
            for text, path in _each(fit.over, (*at, "over")) if sound else ():
                crossed = read_over(text, strata, self.places.value(path), self.faults)
                if crossed is not None:
                    over[crossed] = None
            requests.append(FitRequest(tuple(names), tuple(over)))
        return tuple(requests)

    def _change(
        self,
        study: StudyShape,
        series: tuple[Series, ...],
        strata: tuple[ConditionFamily | LevelFamily, ...],
        fits: tuple[FitRequest, ...],
        unsound: frozenset[str],
    ) -> Change | None:
        """What is asked about change; nothing is said where what it names is itself in disorder."""
        if study.change is None or {"series", "strata"} & unsound:
            return None
        overs = [over for fit in fits for over in fit.over]
        sound = "change" not in unsound
        change = read_change(study.change, series, strata, overs, self.places, self.faults, sound=sound)
        refuse_model_name(self.files, change, self.faults)
        return change

    def _model_file(self, text: str, place: Place) -> str | None:
        """Find the file of a model; its name is the file's stem."""
        named = text.endswith((".yaml", ".yml"))
        home = self.folder if named else self.folder / ".." / "models"
        path = Path(os.path.normpath(home / (text if named else f"{text}.yaml")))
        if not is_file(path):
            self._missing_model(text, path, named, place)
            return None
        first = self.files.setdefault(path.stem, path)
        if first.resolve() != path.resolve():
            self._fault(
                f"two models are called `{path.stem}`: {first.as_posix()} and {path.as_posix()}", place
            )
            return None
        return path.stem

    def _missing_model(self, text: str, path: Path, named: bool, place: Place) -> None:
        if named:
            self._fault(f"there is no model file `{text}`", place, "the path is relative to the spec")
            return
        there = sorted(found.stem for found in path.parent.glob("*.yaml"))
        hint = propose(text, there) if there else f"put it at ../models/{text}.yaml, from the spec"
        self._fault(f"there is no model `{text}` in ../models", place, hint)

    def _bind(self, vocabulary: Vocabulary | None) -> None:
        for name, path in self.files.items():
            faults: list[Fault] = []
            try:
                document = load_document(path, faults)
                self.documents.append((document.file, document.sha256))
                model = load_model(document, faults)
            except SpecError as error:
                self.model_faults.extend(error.faults)
                continue
            if model is not None and vocabulary is not None:
                bound = bind_model(model, vocabulary, faults)
                if bound is not None:
                    self.models[name] = bound
            self.model_faults.extend(sorted(faults, key=place_order))


def _each(given: str | list[str], path: KeyPath) -> list[tuple[str, KeyPath]]:
    """One text or a list of texts, each with its path."""
    if isinstance(given, str):
        return [(given, path)]
    return [(text, (*path, index)) for index, text in enumerate(given)]


def _is_crs(text: str) -> bool:
    from pyproj import CRS  # it takes a tenth of a second, and many specs name none
    from pyproj.exceptions import CRSError

    try:
        CRS.from_user_input(text)
    except CRSError:
        return False
    return True
