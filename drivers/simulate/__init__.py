"""Simulated pixel tables and rasters whose causes are known (METHODS, section 11).

They serve the demo, recovery and coverage tests, and benchmarks; show `SimulatedTable.note` wherever
one is shown. Only the linear, spatially smooth part is here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from drivers.errors import Fault, TableError, propose
from drivers.simulate.chain import build_chain
from drivers.simulate.ground import Ground, lay_ground, side_for
from drivers.simulate.horqin import build_horqin
from drivers.simulate.horqin_data import MISSING_IN
from drivers.simulate.horqin_years import build_horqin_years
from drivers.simulate.rasters import SimulatedRasters, simulate_rasters
from drivers.simulate.simulated import SimulatedTable

__all__ = ["WORLDS", "SimulatedRasters", "SimulatedTable", "World", "simulate", "simulate_rasters"]

FEWEST_PIXELS = 100
"""Below this, the rarest land use (2.7 %) would have fewer than three pixels."""

MOST_PIXELS = 10_000_000
"""About 6 GB of memory while it is made (0.6 GB per million)."""

SMOOTH_RANGE = 12.0
"""Cells until 5 % correlation is left: at 40,000 pixels every land use keeps some 90 effective ones."""


@dataclass(frozen=True, slots=True)
class World:
    """A way to make pixels: what builds it, its usual range, and the columns that can lose values."""

    build: Callable[[Ground, float], SimulatedTable]
    range_pixels: float
    missing_in: tuple[str, ...]


WORLDS: Mapping[str, World] = {
    "horqin": World(build_horqin, SMOOTH_RANGE, MISSING_IN),
    "horqin-years": World(build_horqin_years, SMOOTH_RANGE, MISSING_IN),
    "chain": World(build_chain, 0.0, ("z",)),
}


def simulate(
    world: str = "horqin",
    *,
    pixels: int = 40_000,
    seed: int = 0,
    range_pixels: float | None = None,
    missing: float = 0.0,
) -> SimulatedTable:
    """Make a pixel table with known causes.

    Parameters
    ----------
    world
        `horqin` (a region of five land uses, 14 drivers in four groups, NEP), `horqin-years` (the same with
        twenty years of NEP, temperature and rain, and five of land use) or `chain` (x, z -> m -> y).
    pixels
        How many pixels, exactly: 100 to 10 million.
    seed
        Of `numpy.random.default_rng`; the same seed gives the same table.
    range_pixels
        Practical range of spatial correlation in cells (exp(-3 h / range)); 0 makes pixels independent.
        By default 12 in `horqin`, less in a table too small for that, and 0 in `chain`.
    missing
        Share of cells set to NaN, at random, in a few driver columns (0 <= missing < 1).

    Returns
    -------
    SimulatedTable
        The pixels, the planted truth and a note that says the table is simulated.

    Raises
    ------
    TableError
        For an unknown world, or numbers out of range; all faults at once.

    Examples
    --------
    >>> table = simulate("horqin", pixels=2000, seed=1)
    >>> table.frame.shape
    (2000, 18)
    >>> truth = table.planted.query("stratum == 'landuse=cropland' and op == 'total'")
    >>> truth.set_index("term").std_estimate.round(2).to_dict()["climate"]
    0.48
    """
    faults = _faults(world, pixels, seed, range_pixels, missing)
    if faults:
        raise TableError(faults)
    chosen = WORLDS[world]
    rng = np.random.default_rng(seed)
    reach = min(chosen.range_pixels, side_for(pixels) / 8.0) if range_pixels is None else range_pixels
    table = chosen.build(lay_ground(pixels, rng), float(reach))
    if missing > 0:
        # Drawn last, so a table with missing values is the same table with holes.
        for name in chosen.missing_in:
            table.frame.loc[rng.random(pixels) < missing, name] = np.nan
    return table


def _faults(world: str, pixels: int, seed: int, range_pixels: float | None, missing: float) -> list[Fault]:
    """What is wrong with the arguments, all at once."""
    faults = []
    if world not in WORLDS:
        faults.append(Fault(f"there is no simulated world `{world}`", hint=propose(world, list(WORLDS))))
    if not FEWEST_PIXELS <= pixels <= MOST_PIXELS:
        faults.append(
            Fault(
                f"cannot simulate {pixels} pixels",
                hint=f"choose {FEWEST_PIXELS} to {MOST_PIXELS:,} pixels",
            )
        )
    elif range_pixels is not None and not 0 <= range_pixels <= side_for(pixels) / 2:
        faults.append(
            Fault(
                f"a range of {range_pixels} pixels does not fit {pixels} pixels",
                hint=f"choose 0 (independent pixels) to {math.floor(side_for(pixels) / 2)}",
            )
        )
    if seed < 0:
        faults.append(Fault(f"a seed cannot be negative: {seed}", hint="choose 0 or more"))
    if not 0 <= missing < 1:
        faults.append(
            Fault(f"the share of missing cells cannot be {missing}", hint="choose 0 or more and less than 1")
        )
    return faults
