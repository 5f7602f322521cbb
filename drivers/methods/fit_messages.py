"""What a reader of a fitted path model must know, in words for fit.csv."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from drivers.methods.equations import Fitted
from drivers.spec.terms import Term
from drivers.stats.blocks import FEWEST_BLOCKS

if TYPE_CHECKING:
    from drivers.methods.psem import Fit

MOST_NAMED = 6
"""Names in one sentence; the tables have them all."""

FEWEST_FOR_SIZE = 40
"""Independent pixels from which on tests hold their size (METHODS, section 2)."""


def fit_messages(fit: Fit) -> list[str]:
    """What to be careful about, one part a sentence."""
    messages = [] if fit.fishers_c.df else ["saturated: no path is missing, so nothing can be tested"]
    curved = sorted({t.label for e in fit.graph.equations for t in e.terms if _is_curved(fit, t)})
    if curved:
        names = _listed(curved)
        messages.append(f"{names} act as drivers of their own: effects that pass through them are not summed")
    return [*messages, *_neighbours(fit)]


def _neighbours(fit: Fit) -> list[str]:
    """What the errors leave out, and where there is too little to judge by."""
    sample, messages = fit.sample, []
    if sample.errors == "classical":
        if sample.design.table.easting is not None:
            messages.append("the errors are classical, as if neighbouring pixels were independent")
        return messages
    others = [e.equation.response.label for e in fit.equations if e.by_pixels and e.labels]
    if others:
        messages.append(
            f"the errors of {_listed(others)} are classical: {sample.errors} ones need a Gaussian equation "
            "without a random intercept"
        )
    near = sample.vicinity
    refused = [
        *(f"{e.equation.response.label} ~ {label}" for e in fit.equations for label in _refused(e)),
        *_untested(fit),
    ]
    if sample.errors == "block" and near is not None:
        many = near.moments.n_blocks
        if many == 1:
            messages.append("all pixels lie in one block: there are no errors over blocks")
        elif refused:
            messages.append(f"too few blocks ({many}) for a test of {_listed(refused)}")
        elif many < FEWEST_BLOCKS:
            messages.append(f"only {many} blocks: errors over fewer than {FEWEST_BLOCKS} are rough")
    if sample.errors == "effective":
        fewest = fit.fewest_independent
        if refused:
            messages.append(f"too few independent pixels for a test of {_listed(refused)}")
        elif fewest < FEWEST_FOR_SIZE:
            messages.append(
                f"only {fewest:.0f} independent pixels behind some tests: their p-values are rough"
            )
    return messages


def _refused(e: Fitted) -> list[str]:
    """Slopes without a test."""
    if e.by_pixels:
        return []
    return [label for label, df in zip(e.labels, e.df.tolist(), strict=True) if np.isnan(df)]


def _untested(fit: Fit) -> list[str]:
    """Claims without a test."""
    forms, tested = fit.graph.forms, fit.claims
    return [
        f"{forms[claim.response].label} ⫫ {forms[claim.cause].label}"
        for claim, df in zip(tested.claims, tested.df.tolist(), strict=True)
        if np.isnan(df)
    ]


def _is_curved(fit: Fit, term: Term) -> bool:
    """Whether a term is a product or function of a variable that has causes in the model."""
    if not any(fit.graph.has_equation(v) for v in term.variables):
        return False
    return len(term.factors) > 1 or fit.graph.forms[term.variables[0]].text != term.text


def _listed(names: Iterable[str]) -> str:
    """`a`, `b`, and how many more there are."""
    quoted = [f"`{name}`" for name in names]
    shown = ", ".join(quoted[:MOST_NAMED])
    return shown if len(quoted) <= MOST_NAMED else f"{shown} and {len(quoted) - MOST_NAMED} more"
