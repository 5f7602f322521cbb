"""The shape of `change` in a study spec: what is asked of which series, and the options of each method.

Every default says why, or is that of the numbers themselves in `stats/`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from drivers.spec.options import Options
from drivers.stats import persistence, series_correlation, trend

ALPHA = 0.05
"""The field's level of significance, |Z| = 1.96 (both seed papers)."""

MOST_LEVELS = 3
"""Levels of |Z| that have a name: weakly significant, significant, extremely significant."""

FIRST_YEAR, LAST_YEAR = 1000, 9999
"""Years have four digits, as in the names of columns."""


def _kind(value: object) -> str | None:
    """Which branch of a `name, list or mapping` a value asks for."""
    if isinstance(value, str):
        return "<word>"
    if isinstance(value, dict):
        return "<mapping>"
    return "<list>" if isinstance(value, list) else None


def _pairs_kind(value: object) -> str | None:
    """`{NEP: [TEM, PRE]}`, or the same under `series` beside options."""
    if not isinstance(value, dict):
        return None
    return "<options>" if isinstance(value.get("series"), dict) else "<pairs>"


def _levels(value: list[float]) -> list[float]:
    if not 1 <= len(value) <= MOST_LEVELS or any(b <= a for a, b in pairwise(value)):
        message = f"must be one to {MOST_LEVELS} numbers that increase, as in `[1.65, 1.96, 2.58]`"
        raise PydanticCustomError("shape", message)
    return value


def _years(value: list[int]) -> list[int]:
    if len(value) < 2 or any(b <= a for a, b in pairwise(value)):
        raise PydanticCustomError("shape", "must be two years or more, each later than the one before")
    return value


Year = Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR)]
Names = Annotated[
    Annotated[str, Tag("<word>")] | Annotated[list[str], Tag("<list>"), Field(min_length=1)],
    Discriminator(
        _kind,
        custom_error_type="shape",
        custom_error_message="must be the name of a series or a list of names",
    ),
]
_Alpha = Annotated[float, Field(gt=0, lt=1)]
_FewestYears = Annotated[int, Field(ge=2, le=1000)]


def each(names: str | list[str]) -> tuple[str, ...]:
    """One name or several, each once.

    >>> each("NEP"), each(["NEP", "TEM", "NEP"])
    (('NEP',), ('NEP', 'TEM'))
    """
    return (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))


class OfSeries(Options):
    """What the methods of change share: the series they are asked of."""

    model_config = ConfigDict(strict=True)

    series: Names = Field(description="The series, by name, or several.")

    @property
    def names(self) -> tuple[str, ...]:
        """The series, each once."""
        return each(self.series)


class TrendOptions(OfSeries):
    """Theil-Sen slope and Mann-Kendall test of every pixel."""

    min_years: _FewestYears = Field(
        trend.FEWEST_YEARS, description="Pixels with fewer years have no trend: below ten Z is not normal."
    )
    levels: Annotated[list[Annotated[float, Field(gt=0)]], AfterValidator(_levels)] = Field(
        list(trend.LEVELS),
        description="|Z| at which classes begin: [1.65, 1.96, 2.58] makes nine classes, [1.96] five.",
    )
    inclusive: bool = Field(True, description="Whether |Z| equal to a level has reached it.")
    alpha: _Alpha = Field(ALPHA, description="Level of the false-discovery control over pixels.")


class PersistenceOptions(OfSeries):
    """Hurst exponent of every pixel by rescaled range, with a test against series without memory."""

    rule: persistence.BlockRule = Field(
        persistence.RULE, description="Sizes of blocks: n, n/2, n/4 (halving), all up to n/2, or expanding."
    )
    smallest_block: int = Field(persistence.SMALLEST_BLOCK, ge=2, description="Years of the smallest block.")
    min_years: _FewestYears = Field(
        persistence.FEWEST_YEARS, description="Pixels with a shorter run of years have no exponent."
    )
    alpha: _Alpha = Field(ALPHA, description="Level of the test, on either side.")


class FrequencyOptions(OfSeries):
    """Years that rose, fell or stood still."""

    tolerance: float = Field(
        0.0, ge=0, description="Changes up to this size are none, in units of the series."
    )


class CentreOptions(OfSeries):
    """Centre of gravity of every year, and how it moves."""

    weights: Literal["all", "positive"] = Field(
        "all", description="all refuses negative values, positive counts them as 0."
    )


class TransferOptions(OfSeries):
    """Area that passed from each class to each other class."""

    years: Annotated[list[Year], AfterValidator(_years)] | None = Field(
        None, description="Every pair of these years is compared; by default the first and the last."
    )


class DescribeOptions(OfSeries):
    """Mean, spread, growth and share of sinks of every stratum, over all years and year by year."""


class CorrelationOptions(Options):
    """Correlation over years of every pixel, of one series with others."""

    model_config = ConfigDict(strict=True)

    series: dict[str, Names] = Field(description="Series -> the series it is correlated with.", min_length=1)
    min_years: Annotated[int, Field(ge=3, le=1000)] = Field(
        series_correlation.FEWEST_YEARS, description="Pixels with fewer common years have no correlation."
    )
    alpha: _Alpha = Field(ALPHA, description="Level of significance, and of the false-discovery control.")

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(series, its partner), each once."""
        return tuple((one, other) for one, others in self.series.items() for other in each(others))


_of_series = Discriminator(
    _kind,
    custom_error_type="shape",
    custom_error_message="must be a series, a list of series, or a mapping `{series: NAME, ...}`",
)
_Listed = Annotated[list[str], Tag("<list>"), Field(min_length=1)]
_Word = Annotated[str, Tag("<word>")]
_Partners = Annotated[dict[str, Names], Tag("<pairs>"), Field(min_length=1)]
_of_pairs = Discriminator(
    _pairs_kind,
    custom_error_type="shape",
    custom_error_message="must be a mapping `series: [series, ...]`",
)


class ChangeShape(Options):
    """Change over years: what is asked of which series, on which strata."""

    model_config = ConfigDict(strict=True)

    trend: Annotated[_Word | _Listed | Annotated[TrendOptions, Tag("<mapping>")], _of_series] | None = Field(
        None, description="Theil-Sen slope, Mann-Kendall test, and classes of both."
    )
    persistence: (
        Annotated[_Word | _Listed | Annotated[PersistenceOptions, Tag("<mapping>")], _of_series] | None
    ) = Field(None, description="Hurst exponent by rescaled range, crossed with the classes of the trend.")
    frequency: (
        Annotated[_Word | _Listed | Annotated[FrequencyOptions, Tag("<mapping>")], _of_series] | None
    ) = Field(None, description="Years that rose, fell or stood still.")
    centre: Annotated[_Word | _Listed | Annotated[CentreOptions, Tag("<mapping>")], _of_series] | None = (
        Field(None, description="Centre of gravity by year.")
    )
    transfer: Annotated[_Word | _Listed | Annotated[TransferOptions, Tag("<mapping>")], _of_series] | None = (
        Field(None, description="Area from class to class between years, as of land use.")
    )
    correlation: Annotated[_Partners | Annotated[CorrelationOptions, Tag("<options>")], _of_pairs] | None = (
        Field(None, description="Correlation over years: `NEP: [TEM, PRE]`.")
    )
    describe: Annotated[_Word | _Listed | Annotated[DescribeOptions, Tag("<mapping>")], _of_series] | None = (
        Field(None, description="Mean, spread, growth and share of sinks by stratum and year.")
    )
    over: Names | None = Field(
        None, description="Strata, as in `fit`; by default all, and those of every item of `fit`."
    )
    zones: Names | None = Field(
        None, description="Columns whose values are zones, such as prefectures: strata of `change` alone."
    )


METHODS = ("trend", "persistence", "frequency", "centre", "transfer", "correlation", "describe")
"""The keys of `change` that ask for something."""
