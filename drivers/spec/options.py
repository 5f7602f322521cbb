"""The options of each method, as a model file gives them. Every default says why."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

FIELD_P_VALUE = 0.05
"""The field's threshold for a path (Horqin paper: only significant paths are kept)."""

EQUIVALENCE_BOUND = 0.05
"""|partial r| below which a missing path is called negligible: 0.25 % of the variance left."""


DRAWS = 999
"""Draws of the block bootstrap: limits at 2.5 and 97.5 % are then the 25th and the 975th of them."""


FEWEST_DRAWS = 99
"""With fewer, the limits at 2.5 and 97.5 % are the outermost draws or lie beyond them."""


def _draws(value: int) -> int:
    if 0 < value < FEWEST_DRAWS:
        raise PydanticCustomError("shape", f"must be 0 or at least {FEWEST_DRAWS}")
    return value


class Options(BaseModel):
    """What all option tables share: unknown keys are faults, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


class Prune(Options):
    """Drop the least significant path of the whole model, refit, repeat."""

    p_value: float = Field(FIELD_P_VALUE, gt=0, lt=1, description="Paths with a larger p-value are dropped.")


class PsemOptions(Options):
    """Options of a piecewise SEM."""

    errors: Literal["classical", "effective", "block"] | None = Field(
        None,
        description="Which standard errors fill std_error, p_value and conf_*; "
        "by default effective where the table has coordinates, classical where it has none.",
    )
    block: float | None = Field(
        None,
        gt=0,
        description="Side of a spatial block in units of the coordinates (km for longitude and latitude); "
        "by default as far as the errors of the equations reach.",
    )
    draws: Annotated[int, AfterValidator(_draws)] = Field(
        DRAWS,
        ge=0,
        le=99_999,
        description=f"Draws of the block bootstrap, at least {FEWEST_DRAWS}; 0 leaves it out.",
    )
    prune: Prune | None = Field(None, description="Remove paths that are not significant; leaves a trail.")
    suggest: bool = Field(False, description="List the failed independence claims as paths to add.")
    conserve: bool = Field(
        False,
        description="Test a claim with a non-Gaussian intermediate in both directions; keep the smaller p.",
    )
    direction: list[str] = Field(
        default_factory=list,
        description="The direction of single claims, as `rich <- hetero` (test hetero in the model of rich).",
    )
    equivalence_bound: float = Field(
        EQUIVALENCE_BOUND,
        gt=0,
        lt=1,
        description="The equivalence test asks whether |partial r| is below this.",
    )
    standardize: Literal["scale", "range"] = Field(
        "scale", description="Standardise by standard deviations (scale) or by ranges (range)."
    )


BreakRule = Literal["equal", "natural", "quantile", "geometric", "sd", "optimal"]

BREAK_RULES: tuple[BreakRule, ...] = ("equal", "natural", "quantile", "geometric", "sd")
"""The rules that compete for a driver's classes; those of GD's `optidisc`, in its order."""

FEWEST_CLASSES, MOST_CLASSES = 3, 8
"""Numbers of classes that compete: the range of GD's own examples (Song et al. 2020)."""

PERMUTATIONS = 199
"""Surrogate responses behind a p-value of the maximum: the least that can show p = 0.005."""

FOLDS = 5
"""Folds of the cross-fitted q: four fifths of the blocks choose the classes, one fifth tries them."""


TREE_COMPLEXITY = 5
"""Elith et al. 2008, doi:10.1111/j.1365-2656.2008.01390.x: trees that join up to five drivers."""

LEARNING_RATE = 0.01
"""dismo's default, and where Elith et al. begin: 1000 trees or more come out."""

BAG_FRACTION = 0.5
"""gbm's default; Elith et al. found 0.5 to 0.75 best."""

MAX_TREES = 10_000
"""gbm.step's limit."""

MIN_NODE = 10
"""gbm's n.minobsinnode."""

TRAIN = 0.7
"""The seed study's share: 70 % for training, 30 % to validate."""

TREE_FOLDS = 10
"""gbm.step's folds, and the seed study's."""

SHAP_PIXELS = 2000
"""Mean |SHAP| of so many pixels has a standard error of about 2 %; all pixels would take minutes to hours."""

REPEATS = 5
"""Permutations of each driver in each fold."""

INTERACTION_PIXELS = 100
"""Pixels with SHAP interactions: a pixel costs as many as two SHAP values for each driver."""

TRIED_COMPLEXITY = [1, 10]
"""From stumps to more than Elith et al. (2008) used."""

TRIED_RATE = [0.005, 0.1]
"""Below, the search takes hours and forests gain little; above, too few trees are averaged."""

TRIED_BAG = [0.4, 0.9]
"""Around the 0.5 to 0.75 that Elith et al. (2008) found best."""


def _range(value: list[int]) -> list[int]:
    if len(value) != 2 or not 2 <= value[0] <= value[1] <= 100:
        raise PydanticCustomError("shape", "must be `[lowest, highest]`, between 2 and 100 classes")
    return value


def _cuts(value: list[float]) -> list[float]:
    if sorted(set(value)) != value:
        raise PydanticCustomError("shape", "must rise from one break to the next")
    return value


def _some(value: list[str]) -> list[str]:
    if not value:
        raise PydanticCustomError("shape", "must not be empty")
    return list(dict.fromkeys(value))


def _whole(value: list[int]) -> list[int]:
    return sorted(set(value))


def _number_or_list(value: object) -> str | None:
    return "<list>" if isinstance(value, list) else "<number>"


Whole = Annotated[int, Field(ge=1, le=64)]
Share = Annotated[float, Field(ge=1e-6, le=1)]
Complexity = Annotated[
    Annotated[Whole, Tag("<number>")] | Annotated[list[Whole], Field(min_length=1), Tag("<list>")],
    Discriminator(_number_or_list),
]
Rate = Annotated[
    Annotated[Share, Tag("<number>")] | Annotated[list[Share], Field(min_length=1), Tag("<list>")],
    Discriminator(_number_or_list),
]
ClassRange = Annotated[list[int], AfterValidator(_range)]
Rules = Annotated[list[BreakRule], AfterValidator(_some)]


class DriverBreaks(Options):
    """How one driver is cut into classes, where that differs from the other drivers."""

    model_config = ConfigDict(strict=True)

    methods: Rules | None = Field(None, description="The rules that compete for this driver.")
    classes: ClassRange | None = Field(None, description="Lowest and highest number of classes.")
    breaks: Annotated[list[float], Field(min_length=1), AfterValidator(_cuts)] | None = Field(
        None, description="Given breaks, ascending; classes are closed on the right. No rule competes then."
    )


class Discretize(Options):
    """How numeric drivers are cut into classes: the candidate with the largest q is chosen."""

    model_config = ConfigDict(strict=True)

    methods: Rules = Field(
        list(BREAK_RULES),
        description="The rules that compete: equal, natural, quantile, geometric, sd; and optimal, which "
        "maximises q itself.",
    )
    classes: ClassRange = Field(
        [FEWEST_CLASSES, MOST_CLASSES], description="Lowest and highest number of classes."
    )
    per_driver: dict[str, DriverBreaks] = Field(
        default_factory=dict, description="Other rules, classes or given breaks for single drivers."
    )


Detector = Literal["factor", "interaction", "risk", "ecological"]


class GeodetectorOptions(Options):
    """Options of an optimal-parameter geodetector."""

    discretize: Discretize = Field(
        default_factory=lambda: Discretize(),
        description="How numeric drivers are cut into classes; categorical ones are taken as they are.",
    )
    detectors: Annotated[list[Detector], AfterValidator(_some)] = Field(
        ["factor", "interaction", "risk", "ecological"],
        description="Which tables are made; factor is always among them.",
    )
    compat: Literal["GD"] | None = Field(
        None, description="Reproduce the R package GD: its breaks, its q, its noncentral p, its faults."
    )
    ecological: Literal["two_sided", "gd", "gdverse"] | None = Field(
        None,
        description="The ecological detector's test: ratio of the variances within classes, two-sided "
        "(default) or as gdverse has it; or GD's ratio of q (default under `compat: GD`).",
    )
    errors: Literal["classical", "effective"] | None = Field(
        None,
        description="Whether p-values count pixels (classical) or independent pixels (effective); by "
        "default effective where the table has coordinates.",
    )
    permutations: int = Field(
        PERMUTATIONS,
        ge=0,
        le=99_999,
        description="Surrogate responses for the p-value of the maximum; 0 leaves it out.",
    )
    folds: int = Field(
        FOLDS, ge=0, le=100, description="Folds of the cross-fitted q, whole spatial blocks; 0 leaves it out."
    )
    block: float | None = Field(
        None,
        gt=0,
        description="Side of a spatial block in units of the coordinates (km for longitude and latitude); "
        "by default from the response's correlogram.",
    )
    weights: str | None = Field(None, description="A column of weights, such as cell areas; they enter q.")
    scales: Annotated[list[Annotated[int, Field(ge=1, le=1000)]], AfterValidator(_whole)] = Field(
        default_factory=list,
        description="Cell sizes, as multiples of the table's, at which q is computed again: [1, 2, 4].",
    )
    over_years: Annotated[list[int], AfterValidator(_whole)] = Field(
        default_factory=list,
        description="Years of the study's `series` for each of which q is computed: [2013, 2015].",
    )


def _span(value: list[float]) -> list[float]:
    if len(value) != 2 or not value[0] < value[1]:
        raise PydanticCustomError("shape", "must be `[lowest, highest]`, the second above the first")
    return value


class Tune(Options):
    """A search of settings with a budget, instead of a grid. What the options fix is not searched."""

    model_config = ConfigDict(strict=True)

    trials: int = Field(ge=1, le=10_000, description="Settings that are tried.")
    tree_complexity: Annotated[list[Annotated[int, Field(ge=1, le=64)]], AfterValidator(_span)] = Field(
        TRIED_COMPLEXITY, description="Range of tree_complexity, [lowest, highest]."
    )
    learning_rate: Annotated[list[Share], AfterValidator(_span)] = Field(
        TRIED_RATE, description="Range of learning_rate, [lowest, highest]; its logarithm is searched."
    )
    bag_fraction: Annotated[list[Share], AfterValidator(_span)] = Field(
        TRIED_BAG, description="Range of bag_fraction, [lowest, highest]."
    )


Searched = Literal["tree_complexity", "learning_rate", "bag_fraction"]
SEARCHED: tuple[Searched, ...] = ("tree_complexity", "learning_rate", "bag_fraction")
"""The settings that are tried."""

PixelColumn = Literal["fitted", "applicability", "shap"]


class BrtOptions(Options):
    """Options of boosted regression trees, in the vocabulary of gbm and dismo."""

    tree_complexity: Complexity = Field(
        TREE_COMPLEXITY, description="Splits of a tree; a list is tried by cross-validation."
    )
    learning_rate: Rate = Field(
        LEARNING_RATE, description="Shrinkage of each tree; a list is tried by cross-validation."
    )
    bag_fraction: Rate = Field(
        BAG_FRACTION, description="Share of pixels behind each tree; a list is tried by cross-validation."
    )
    n_trees: Annotated[int, Field(ge=1, le=100_000)] | Literal["auto"] = Field(
        "auto", description="Number of trees, or auto: where the cross-validated error is least."
    )
    max_trees: int = Field(MAX_TREES, ge=10, le=100_000, description="Most trees that auto grows.")
    tune: Tune | None = Field(
        None, description="A search of the settings that are not given, with a budget: {trials: 30}."
    )
    min_node: int = Field(MIN_NODE, ge=1, description="Fewest pixels in a leaf (gbm's n.minobsinnode).")
    train: float = Field(
        TRAIN, gt=0, le=1, description="Share of pixels for training; the others are the holdout; 1: none."
    )
    folds: int = Field(TREE_FOLDS, ge=2, le=100, description="Folds of the cross-validation.")
    block: float | None = Field(
        None,
        gt=0,
        description="Side of a spatial block in units of the coordinates (km for longitude and latitude); "
        "by default as far as the correlogram of the response or of the residuals reaches.",
    )
    knndm: bool = Field(
        False,
        description="A third validation, by folds as far from their training pixels as the stratum's "
        "pixels, those without a response too, are from all that have one (kNNDM).",
    )
    simplify: bool = Field(
        False,
        description="Drop drivers, the least important first, while the held-out deviance does not rise by "
        "more than its standard error (gbm.simplify).",
    )
    quantile: float = Field(0.5, gt=0, lt=1, description="Which quantile, for `family: quantile`.")
    shap_pixels: int = Field(
        SHAP_PIXELS, ge=0, description="Pixels whose SHAP values are computed; 0 leaves them out."
    )
    shap_interactions: int = Field(
        INTERACTION_PIXELS,
        ge=0,
        description="Pixels whose SHAP interactions are computed; 0 leaves them out.",
    )
    permutations: int = Field(
        REPEATS, ge=0, le=1000, description="Repeats of the permutation importance; 0 leaves it out."
    )
    interactions: bool = Field(
        True, description="Friedman's H of all pairs of drivers, and their SHAP interactions."
    )
    curves: bool = Field(True, description="Partial dependence and accumulated local effects.")
    weights: str | None = Field(None, description="A column of weights, such as cell areas.")
    pixels: list[PixelColumn] = Field(
        default_factory=list,
        description="What pixels.parquet gets of every pixel: fitted (and held-out) values, applicability, "
        "shap.",
    )

    @model_validator(mode="after")
    def _one_way_to_tune(self) -> Self:
        """A setting is given, listed, or searched."""
        if self.tune is None:
            return self
        for name in SEARCHED:
            if isinstance(getattr(self, name), list):
                message = f"must not list `{name}` beside `tune`, which searches: give one number or none"
                raise PydanticCustomError("shape", message)
            if name in self.model_fields_set and name in self.tune.model_fields_set:
                message = f"must not give `{name}` that has a range in `tune`: leave one of them out"
                raise PydanticCustomError("shape", message)
        if self.model_fields_set >= set(SEARCHED):
            raise PydanticCustomError("shape", "must leave a setting open for `tune` to search")
        return self
