"""What a reader of a fitted latent model must know, in words for fit.csv."""

from __future__ import annotations

import numpy as np

from drivers.methods.fit_messages import FEWEST_FOR_SIZE
from drivers.methods.latent_definitions import definitions
from drivers.methods.latent_fit import LatentFit
from drivers.methods.sample import listed
from drivers.stats.blocks import FEWEST_BLOCKS


def latent_messages(found: LatentFit) -> list[str]:
    """What to be careful about, one part a sentence."""
    messages = [] if found.fit.df else ["saturated: the model implies every covariance, nothing is tested"]
    return [*_improper(found), *messages, *_definitions(found), *_neighbours(found)]


def _definitions(found: LatentFit) -> list[str]:
    """What was defined and is no number, and effects that have no sum."""
    values = definitions(found, found.values, np.zeros((len(found.values), 0)))[0]
    undefined = [d.name for d, value in zip(found.model.definitions, values, strict=True) if np.isnan(value)]
    messages = [f"{listed(undefined)}: no number at these estimates"] if undefined else []
    paths = found.fit.directed[0]
    if np.abs(np.linalg.eigvals(paths)).max(initial=0.0) >= 1.0:
        messages.append("paths in a circle grow from turn to turn: their effects have no sum")
    return messages


def _improper(found: LatentFit) -> list[str]:
    """Estimates that no population could have, with their names."""
    names, bad = found.layout.names, found.improper
    messages = []
    heywood = [names[i] for _, i in bad.negative_variance]
    if heywood:
        what = "variance" if len(heywood) == 1 else "variances"
        messages.append(
            f"improper solution: negative {what} of {listed(heywood)} (a Heywood case: too few "
            "indicators, too few pixels, or a wrong model)"
        )
    pairs = [f"{names[i]} ~~ {names[j]}" for _, i, j in bad.correlation]
    if pairs:
        messages.append(f"improper solution: {listed(pairs)} is a correlation beyond 1")
    if bad.latent and not heywood and not pairs:
        messages.append("improper solution: the covariances of the latent variables are no covariance matrix")
    return messages


def _neighbours(found: LatentFit) -> list[str]:
    """What the errors leave out, and where there is too little to judge by."""
    near = found.sample.vicinity
    own_test = found.model.options.test
    if own_test != "standard" and near is not None and found.fit.df:
        name = "Satorra-Bentler" if own_test == "satorra_bentler" else "Yuan-Bentler"
        said = f"χ² is {name}'s, for pixels that are not normal: it counts neighbours as independent"
        return [said, *_by_errors(found)]
    return _by_errors(found)


def _by_errors(found: LatentFit) -> list[str]:
    near, kind = found.sample.vicinity, found.chosen
    if kind in ("classical", "robust"):
        if found.sample.design.table.easting is not None:
            if found.model.options.missing == "ml" and near is not None:
                return ["with `missing: ml` errors count pixels as if neighbours were independent"]
            return [f"the errors are {kind}, as if neighbouring pixels were independent"]
        return []
    errors = found.errors[kind]
    refused = sorted(
        {
            found.layout.text(entry)
            for entry, number in zip(found.layout.entries, found.numbers, strict=True)
            if number >= 0 and np.isnan(errors.df[number])
        }
    )
    if kind == "block" and near is not None:
        many = near.moments.n_blocks
        if refused:
            return [f"too few blocks ({many}) for tests"]
        if many < FEWEST_BLOCKS:
            return [f"only {many} blocks: errors over fewer than {FEWEST_BLOCKS} are rough"]
        return []
    chisq = ["χ²"] if found.fit.df and np.isnan(found.test.log_p) else []
    if refused or chisq:
        named = [*(f"`{text}`" for text in refused), *chisq]
        return [f"too few independent pixels for a test of {', '.join(named)}"]
    fewest = float(errors.n_effective.min())
    if fewest < FEWEST_FOR_SIZE:
        return [f"only {fewest:.0f} independent pixels behind some tests: their p-values are rough"]
    return []
