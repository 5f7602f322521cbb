"""How often tests of a latent model reject what is true, where neighbouring pixels are alike.

    .venv/bin/python tests/calibration/latent_size.py [--seeds N] [--workers N]

A latent variable of three indicators with two causes, and a response; every field has the same range. For a
setting: the share of seeds with p below 0.05 of three nil paths, of the planted paths and loadings (against
their true values: one less coverage), and of χ² (the model is true), with effective errors and with classical
ones. docs/lsem.md holds the table.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from geodetector_size import blobs, exponential, field
from scipy import special

from drivers.errors import FitError
from drivers.methods.lsem import fitter
from drivers.spec import Vocabulary, bind, model_from_text
from drivers.table import make_partition, pixel_table_from_frame

FORMULA = "f =~ i0 + i1 + i2\nf ~ x + z\ny ~ f + x + z"
WORDS = Vocabulary("calibration", ("y",), ("i0", "i1", "i2", "x", "z"))
NIL = {("f", "z"): 0.0, ("y", "x"): 0.0, ("y", "z"): 0.0}
PLANTED = {("f", "x"): 0.5, ("y", "f"): 0.4, ("i1", "f"): 0.8, ("i2", "f"): 0.6}
LEVEL = 0.05
SETTINGS = (
    ("48 × 48", 48, 48, 0.0, False),
    ("48 × 48", 48, 48, 1.0, False),
    ("48 × 48", 48, 48, 2.0, False),
    ("96 × 96", 96, 96, 2.0, False),
    ("96 × 96", 96, 96, 4.0, False),
    ("96 × 96", 96, 96, 8.0, False),
    ("96 × 96, patches", 96, 96, 4.0, True),
    ("400 × 8", 400, 8, 2.0, False),
)
"""(name, rows, columns, s of exp(-d / s), whether land is patches)"""


def one(seed: int, rows: int, columns: int, reach: float, patches: bool) -> list[float] | None:
    """Whether each test rejects its truth: effective, then classical; and independent pixels."""
    rng = np.random.default_rng(seed)
    alike = exponential(reach) if reach else (lambda d: np.where(d == 0, 1.0, 0.0))

    def made() -> np.ndarray:
        return field(alike, rows, columns, rng).ravel()

    x, z = made(), made()
    f = 0.5 * x + made()
    columns_of = {f"i{k}": load * f + 0.7 * made() for k, load in enumerate((1.0, 0.8, 0.6))}
    north, east = np.divmod(np.arange(rows * columns), columns)
    frame = pd.DataFrame({"x": x, "z": z, **columns_of, "y": 0.4 * f + made()})
    frame = frame.assign(east=east * 1.0, north=north * 1.0)
    if patches:
        frame = frame[blobs(rows, columns, rng).ravel()].reset_index(drop=True)
    table = pixel_table_from_frame(frame, easting="east", northing="north", cell_size=1.0)
    partition = make_partition(table, [], [()], set())
    model = bind(model_from_text(FORMULA, method="lsem"), WORDS)
    try:
        records = fitter(model, table, partition, seed).fit(partition.strata[0]).records
    except FitError:
        return None
    errors = {(r["errors"], r["response"], r["term"]): r for r in records["coefficient_errors"]}
    found: list[float] = []
    for kind in ("effective", "classical"):
        for (response, term), value in (NIL | PLANTED).items():
            row = errors[kind, response, term]
            t = abs(row["estimate"] - value) / row["std_error"]
            df = np.inf if np.isnan(row["df"]) else row["df"]
            p = 2.0 * (special.ndtr(-t) if np.isinf(df) else special.stdtr(df, -t))
            found.append(p if np.isfinite(row["std_error"]) else np.nan)
        fit = records["fit"][0]
        found.append(fit["chisq_p"] if kind == "effective" else fit["chisq_p_classical"])
    return [*found, records["fit"][0]["n_effective"]]


def main(seeds: int, workers: int) -> None:
    """Print a line per setting."""
    head = ("map", "range", "independent pixels", "nil paths", "planted", "χ²", "nil, classical")
    print(f"| {' | '.join(head)} | χ², classical | refused |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    nil, all_of = len(NIL), len(NIL) + len(PLANTED)
    with ProcessPoolExecutor(workers) as pool:
        for name, rows, columns, reach, patches in SETTINGS:
            work = partial(one, rows=rows, columns=columns, reach=reach, patches=patches)
            every = list(pool.map(work, range(seeds), chunksize=4))
            p = np.array([row for row in every if row is not None])
            tested = p[np.isfinite(p[:, : all_of + 1]).all(axis=1)]
            below = tested[:, :-1] < LEVEL
            half = all_of + 1
            shares = (
                below[:, :nil].mean(),
                below[:, nil:all_of].mean(),
                below[:, all_of].mean(),
                below[:, half : half + nil].mean(),
                below[:, -1].mean(),
            )
            told = " | ".join(f"{share:.3f}" for share in shares)
            print(
                f"| {name} | {reach:g} | {np.median(tested[:, -1]):.0f} | {told} | "
                f"{1 - len(tested) / seeds:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    main(given.seeds, given.workers)
