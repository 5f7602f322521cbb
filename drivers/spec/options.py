"""The options of each method, as a model file gives them. Every default says why."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FIELD_P_VALUE = 0.05
"""The field's threshold for a path (Horqin paper: only significant paths are kept)."""

EQUIVALENCE_BOUND = 0.05
"""|partial r| below which a missing path is called negligible: 0.25 % of the variance left."""


class Options(BaseModel):
    """What all option tables share: unknown keys are faults, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


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
