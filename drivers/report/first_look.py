"""The columns of fit.csv that a first look at each method needs."""

from __future__ import annotations

import pandas as pd

from drivers.report.run_tables import RunTables
from drivers.report.wording import LATENT_METHOD

# fmt: off
OVERVIEW = (
    "model", "stratum", "n", "n_effective", "fishers_c", "fishers_c_df", "fishers_c_p", "verdict", "aicc",
    "r2", "status",
)
"""The columns of fit.csv that a first look needs."""
LATENT = (
    "model", "stratum", "n", "n_effective", "chisq", "chisq_df", "chisq_p", "cfi", "rmsea", "srmr", "status",
)
"""The columns of fit.csv that a first look at latent-variable models needs."""
INDICES = frozenset(LATENT) - {"model", "stratum", "n", "status"}
"""What a latent-variable model has none of where no stratum could be fitted."""
TREES = ("r2_holdout", "r2_random", "r2_block", "r2_knndm")
"""The columns of fit.csv that a first look at boosted trees needs, besides; `r2` is that of random folds."""
PATH_METHOD = "psem"
VERDICTS = frozenset(("n_effective", "fishers_c", "fishers_c_df", "fishers_c_p", "verdict", "aicc", "r2"))
"""What only path models have: left out of the first look where there is none."""
# fmt: on


def by_method(run: RunTables, fits: pd.DataFrame) -> list[pd.DataFrame]:
    """fit.csv method by method, each with the columns that a first look at it needs."""
    if not len(fits) or "model" not in fits.columns:
        return [fits[[name for name in OVERVIEW if name in fits.columns]]]
    method = fits["model"].map(lambda name: run.method(str(name)))
    found = []
    for one in dict.fromkeys(method):
        mine = fits[method == one]
        trees = [name for name in TREES if name in mine.columns and mine[name].notna().any()]
        latent = one == LATENT_METHOD
        kept = [name for name in (LATENT if latent else OVERVIEW) if name in mine.columns]
        at = kept.index("status") if "status" in kept else len(kept)
        kept[at:at] = trees
        if latent:
            kept = [name for name in kept if name not in INDICES or mine[name].notna().any()]
        elif one != PATH_METHOD:
            kept = [name for name in kept if name not in VERDICTS or mine[name].notna().any()]
            kept = [name for name in kept if name != "r2" or not trees]
        found.append(mine[kept].reset_index(drop=True))
    return found
