"""The shape of a model file and of a study spec: which keys, which kinds of value, what they mean.

Pydantic checks the shape and writes the JSON Schemas; what the values mean together is checked in
`model.py`, `strata.py`, `study.py` and `bind.py`.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from drivers.spec.bound import Family, TreeFamily
from drivers.spec.change_shapes import ChangeShape, Year
from drivers.spec.lsem_options import LsemOptions
from drivers.spec.options import BrtOptions, GeodetectorOptions, PsemOptions

DEMO_PIXELS = 40_000
"""Pixels of a simulated table: enough for every stratum of the demo, a second to fit."""

MAX_SIMULATED = 100_000_000
"""A larger simulated table is a slip of the finger."""

RESERVED = "=,*"
"""Signs that make up the names of strata (`balance=sink,landuse=forestland`) and of `over` (`a * b`)."""


def _kind(value: object) -> str | None:
    """Which branch of a `word or mapping or list` a value asks for."""
    if isinstance(value, str):
        return "<word>"
    if isinstance(value, dict):
        return "<mapping>"
    return "<list>" if isinstance(value, list) else None


def _one_of(message: str) -> Discriminator:
    return Discriminator(_kind, custom_error_type="shape", custom_error_message=message)


def _text(value: object) -> object:
    """Numbers are texts too where a text is wanted: `unit: 1`, `2: 2020`."""
    if isinstance(value, float) and not math.isfinite(value):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _named(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("shape", "must not be empty")
    return value


def _label(value: str) -> str:
    found = next((sign for sign in RESERVED if sign in value), None)
    if found is not None:
        raise PydanticCustomError("shape", f"must not hold `{found}`: strata are written `family=level,...`")
    if value != value.strip() or not value.isprintable():
        raise PydanticCustomError("shape", "must not begin or end with a blank, or hold control characters")
    return value


def _study_name(value: str) -> str:
    if re.fullmatch(r"\w[\w .+-]*", value) is None:
        raise PydanticCustomError("shape", "must be made of letters, digits, `-`, `_`, `.` and blanks")
    return value


def _by_year(value: str) -> str:
    if "{year}" not in value:
        raise PydanticCustomError("shape", "must hold `{year}`, as in `NEP_{year}`")
    other = re.search(r"\{(?!year\}).*?\}", value)
    if other is not None:
        raise PydanticCustomError("shape", f"holds `{other[0]}`: a series has a column a year, `{{year}}`")
    return value


def _first_and_last(value: list[int]) -> list[int]:
    if len(value) != 2 or not value[0] < value[1]:
        raise PydanticCustomError("shape", "must be `[first, last]`, the second after the first")
    return value


def _finite(value: bool | int | float | str) -> bool | int | float | str:
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("shape", "must be a finite number or a text")
    return value


Name = Annotated[str, AfterValidator(_named)]
Loose = Annotated[str, BeforeValidator(_text, json_schema_input_type=str | float)]
Label = Annotated[Loose, AfterValidator(_named), AfterValidator(_label)]
LevelValue = Annotated[bool | int | float | str, AfterValidator(_finite)]
HowWord = Literal["regression", "pc1", "equal", "fixed"]


class Shape(BaseModel):
    """What all documents share: unknown keys are faults, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


FamilyChoice = Annotated[
    Annotated[Family, Tag("<word>")] | Annotated[dict[Name, Family], Tag("<mapping>")],
    _one_of("must be a word, or a mapping `response: family`"),
]
HowChoice = Annotated[
    Annotated[HowWord, Tag("<word>")] | Annotated[dict[Name, float], Tag("<mapping>")],
    _one_of("must be a word, or a mapping `member: weight`"),
]
CompositeChoice = Annotated[
    Annotated[HowWord, Tag("<word>")] | Annotated[dict[Name, HowChoice], Tag("<mapping>")],
    _one_of("must be a word, or a mapping `composite: how`"),
]


class ModelShape(Shape):
    """What all model files share: what is assumed, for which method."""

    method: str = Field(description="How the model is fitted.")
    title: str = Field("", description="What the model says, in a line for the report.")
    formula: str = Field(description="One equation per line.")


class PsemModelOptions(PsemOptions):
    """The options of a psem model as its file may give them."""

    model_config = ConfigDict(strict=True)

    family: FamilyChoice = Field("gaussian", description="The same as `family` at the top of the file.")
    composite: CompositeChoice = Field("regression", description="The same as `composite` at the top.")


class PsemModel(ModelShape):
    """A piecewise SEM: what is assumed."""

    method: Literal["psem"] = Field(description="How the model is fitted: psem is piecewise SEM.")
    formula: str = Field(
        description="One equation per line: `~` regression, `<~` composite, `~~` correlated errors. "
        "R's operators, C() I() exp log log1p poly scale sqrt, `.` for all drivers, (1 | g) for a random "
        "intercept; a group name stands for its drivers."
    )
    family: FamilyChoice = Field(
        "gaussian", description="gaussian, binomial or poisson: for all equations, or by response."
    )
    composite: CompositeChoice = Field(
        "regression",
        description="How composites get their weights: regression, pc1, equal, fixed, or given weights.",
    )
    options: PsemModelOptions = Field(default_factory=PsemModelOptions, description="Options of the method.")


class GeodetectorModelOptions(GeodetectorOptions):
    """The options of a geodetector model as its file may give them."""

    model_config = ConfigDict(strict=True)


class GeodetectorModel(ModelShape):
    """An optimal-parameter geodetector: which drivers of which response."""

    method: Literal["geodetector"] = Field(
        description="How the model is fitted: geodetector is the optimal-parameter geographical detector."
    )
    formula: str = Field(
        description="One equation, `NEP ~ climate + soil`: a group name stands for its drivers, `.` for all "
        "drivers; functions of one driver as in `log1p(GDP)`."
    )
    options: GeodetectorModelOptions = Field(
        default_factory=GeodetectorModelOptions, description="Options of the method."
    )


class BrtModelOptions(BrtOptions):
    """The options of a brt model as its file may give them."""

    model_config = ConfigDict(strict=True)


class BrtModel(ModelShape):
    """Boosted regression trees: which drivers of which response."""

    method: Literal["brt"] = Field(description="How the model is fitted: brt is boosted regression trees.")
    formula: str = Field(
        description="One equation, `NEP ~ climate + soil`: a group name stands for its drivers, `.` for all "
        "drivers; functions of one driver as in `log1p(GDP)`."
    )
    family: TreeFamily = Field(
        "gaussian", description="gaussian, binomial, poisson, gamma, tweedie or quantile."
    )
    options: BrtModelOptions = Field(default_factory=BrtModelOptions, description="Options of the method.")


class LsemModelOptions(LsemOptions):
    """The options of an lsem model as its file may give them."""

    model_config = ConfigDict(strict=True)


class LsemModel(ModelShape):
    """A covariance SEM with latent variables: what is assumed, in lavaan's words."""

    method: Literal["lsem"] = Field(description="How the model is fitted: lsem is SEM of covariances.")
    formula: str = Field(
        description="lavaan's syntax, one line each: `soil =~ SOM + TN` latent variable, `NEP ~ a*soil` "
        "regression, `~~` covariance, `~ 1` intercept, `ab := a*b` defined parameter; `a*x` label, `1*x` "
        "fixed value; functions of one variable as in `log1p(GDP)`."
    )
    options: LsemModelOptions = Field(default_factory=LsemModelOptions, description="Options of the method.")


AnyModel = PsemModel | LsemModel | GeodetectorModel | BrtModel

MODELS: dict[str, type[AnyModel]] = {
    "psem": PsemModel,
    "lsem": LsemModel,
    "geodetector": GeodetectorModel,
    "brt": BrtModel,
}
"""The methods -> the shape of their model files."""


class TableShape(Shape):
    """Where the pixel table comes from."""

    path: Name | None = Field(None, description="Parquet, CSV, Feather or GeoParquet, relative to this file.")
    simulate: Name | None = Field(None, description="A planted world with known causes, such as horqin.")
    spec: Name | None = Field(
        None, description="A table spec, NAME.table.yaml: rasters become the table when it is not there yet."
    )
    pixels: int | None = Field(None, ge=1, le=MAX_SIMULATED, description="Pixels of a simulated table.")
    seed: int | None = Field(None, ge=0, description="Seed of a simulated table; by default the study's.")


class PixelShape(Shape):
    """Where the pixels lie."""

    easting: Name | None = Field(None, description="The column of the easting or longitude.")
    northing: Name | None = Field(None, description="The column of the northing or latitude.")
    crs: str | int | None = Field(None, description="The coordinate system, as `EPSG:32651`.")
    size: float | None = Field(None, gt=0, description="The side of a pixel in units of the CRS.")


class VariableShape(Shape):
    """A column of the table."""

    unit: Loose = Field("", description="Its unit, as `g C m-2 yr-1`, `degC`, `mm`.")
    categorical: bool = Field(False, description="Whether its values are classes, not quantities.")


_Variables = dict[Name, VariableShape | None]

ResponseChoice = Annotated[
    Annotated[Name, Tag("<word>")]
    | Annotated[list[Name], Tag("<list>")]
    | Annotated[_Variables, Tag("<mapping>")],
    _one_of("must be a name, a list of names, or a mapping `name: {unit: ...}`"),
]
GroupChoice = Annotated[
    Annotated[list[Name], Tag("<list>")] | Annotated[_Variables, Tag("<mapping>")],
    _one_of("must be a list of names, or a mapping `name: {unit: ...}`"),
]


LevelsChoice = Annotated[
    Annotated[list[LevelValue], Tag("<list>")] | Annotated[dict[LevelValue, Label], Tag("<mapping>")],
    _one_of("must be a list of values, or a mapping `value: label`"),
]


class LevelsShape(Shape):
    """Strata that are the levels of a column."""

    column: Name = Field(description="The column whose values make the strata.")
    levels: LevelsChoice | None = Field(
        None, description="The values that count, with their labels; by default all values."
    )


def _strata_kind(value: object) -> str | None:
    if not isinstance(value, dict):
        return None
    return "<levels>" if "column" in value else "<conditions>"


StrataChoice = Annotated[
    Annotated[LevelsShape, Tag("<levels>")] | Annotated[dict[Label, str], Tag("<conditions>")],
    Discriminator(
        _strata_kind,
        custom_error_type="shape",
        custom_error_message="must be a mapping `level: condition`, or `{column: NAME, levels: ...}`",
    ),
]

_Names = Annotated[
    Annotated[Name, Tag("<word>")] | Annotated[list[Name], Tag("<list>"), Field(min_length=1)],
    _one_of("must be a name or a list of names"),
]


Template = Annotated[str, AfterValidator(_by_year)]


class SeriesShape(Shape):
    """Columns that are years."""

    columns: Template = Field(description="The pattern of their names, as `NEP_{year}`.")
    years: Annotated[list[Year], AfterValidator(_first_and_last)] | None = Field(
        None, description="The first and the last year that count; by default all that the table has."
    )
    unit: Loose | None = Field(None, description="Its unit; by default that of the variable of its name.")
    categorical: bool | None = Field(
        None, description="Whether its values are classes; by default as the variable of its name."
    )
    levels: LevelsChoice | None = Field(
        None, description="The classes that count, with their labels; values with one label are one class."
    )


SeriesChoice = Annotated[
    Annotated[Template, Tag("<word>")] | Annotated[SeriesShape, Tag("<mapping>")],
    _one_of("must be a pattern of columns, as `NEP_{year}`, or a mapping `{columns: ...}`"),
]


class FitShape(Shape):
    """Which models are fitted on which strata."""

    models: _Names = Field(description="Names of model files in ../models, or paths that end in .yaml.")
    over: _Names = Field(
        "all", description="all, a family of strata, or families crossed: `balance * landuse`."
    )


class StudyShape(Shape):
    """A study spec: which table, which columns in which role, which strata, which models."""

    study: Annotated[Name, AfterValidator(_study_name)] = Field(description="The name of the study.")
    title: str = Field("", description="A line for the report.")
    table: TableShape = Field(description="Where the pixel table comes from.")
    pixel: PixelShape | None = Field(None, description="Where the pixels lie.")
    response: ResponseChoice | None = Field(None, description="What is to be explained.")
    drivers: dict[Name, GroupChoice] | None = Field(
        None, description="Groups of drivers: group -> its columns; the order is that of all tables."
    )
    series: dict[Name, SeriesChoice] | None = Field(
        None, description="Columns that are years: `NEP: NEP_{year}`."
    )
    strata: dict[Label, StrataChoice] | None = Field(None, description="Families of strata.")
    fit: list[FitShape] | None = Field(None, description="Which models on which strata.")
    change: ChangeShape | None = Field(None, description="Change over years: what is asked of which series.")
    seed: int = Field(0, ge=0, description="The seed of everything random.")
