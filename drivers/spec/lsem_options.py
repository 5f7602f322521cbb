"""The options of a latent-variable SEM, as a model file gives them. Every default says why."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from drivers.spec.options import Options

Equal = Literal["loadings", "intercepts", "regressions"]

LADDER: tuple[Equal, ...] = ("loadings", "intercepts", "regressions")
"""The usual order of tests: what is measured, where it starts, how it acts (Meredith 1993)."""


def _each_once(value: list[Equal]) -> list[Equal]:
    return list(dict.fromkeys(value))


class LsemOptions(Options):
    """Options of a covariance SEM with latent variables."""

    errors: Literal["classical", "robust", "effective", "block"] | None = Field(
        None,
        description="Which standard errors fill std_error, p_value and conf_*: classical (expected "
        "information), robust (sandwich over pixels), effective or block; by default effective where the "
        "table has coordinates, classical where it has none.",
    )
    test: Literal["standard", "satorra_bentler", "yuan_bentler"] = Field(
        "standard",
        description="The chi-square behind chisq_p: as normal pixels have it, or scaled for pixels that are "
        "not normal, as lavaan's MLM (satorra_bentler) and MLR (yuan_bentler).",
    )
    block: float | None = Field(
        None,
        gt=0,
        description="Side of a spatial block in units of the coordinates (km for longitude and latitude); "
        "by default as far as the residuals of the observed variables reach.",
    )
    likelihood: Literal["normal", "wishart"] = Field(
        "normal", description="Covariances with divisor n (normal, lavaan's default) or n - 1 (wishart)."
    )
    missing: Literal["listwise", "ml"] = Field(
        "listwise",
        description="Pixels with a missing value are left out (listwise), or used as far as they go (ml, "
        "full-information maximum likelihood).",
    )
    intercepts: bool = Field(
        False, description="Intercepts of observed variables are parameters; on with `missing: ml` or `~ 1`."
    )
    fixed_x: bool = Field(
        True,
        description="Variances and covariances of observed causes are those of the sample, not parameters.",
    )
    scale: Literal["marker", "unit"] = Field(
        "marker",
        description="What gives a latent variable its unit: its first indicator (marker, loading 1) or its "
        "own standard deviation (unit, variance 1).",
    )
    equal: Annotated[list[Equal], AfterValidator(_each_once)] = Field(
        list(LADDER),
        description="What is held equal over the strata of a family, step by step: each step's chi-square "
        "difference is tested. An empty list compares nothing.",
    )
    partial: list[str] = Field(
        default_factory=list,
        description="Parameters that stay free in every step, as `soil =~ TN`, `NEP ~ soil` or `TN ~ 1`.",
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.missing == "ml" and self.likelihood == "wishart":
            raise PydanticCustomError("shape", "`likelihood: wishart` is not there for `missing: ml`")
        if self.missing == "ml" and self.test == "satorra_bentler":
            message = "`test: satorra_bentler` is not there for `missing: ml`; `yuan_bentler` is"
            raise PydanticCustomError("shape", message)
        if self.likelihood == "wishart" and (self.errors in ("robust", "block") or self.test != "standard"):
            raise PydanticCustomError(
                "shape", "`likelihood: wishart` has classical and effective errors only"
            )
        return self
