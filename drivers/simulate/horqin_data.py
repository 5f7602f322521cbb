"""The numbers of the world `horqin`: a region like the Horqin Sandy Land, one path diagram per land use.

Reported numbers are those of XU Xiaona & ZHANG Huayong (2026), J Arid Land 18(1): 34-55,
doi:10.1016/j.jaridl.2026.01.008 (sections 2.1, 3.1, 3.2, 3.4 and 4.1; the numbers of its Table S1 are
not in the text we have). Each is named in `reported`; every other number is filled in by us.

How the paper's words are read: a "total effect coefficient" is the standardised total effect of a
composite on NEP; the coefficient of a member (temperature -0.54) is its standardised direct effect on
NEP, that is, its coefficient in the regression of NEP on all members of all groups.

Two of the paper's drivers have another form here. `LUCC` codes are constant inside one land use, so
they cannot drive anything there: the numeric `LUC`, the intensity of land-use change, stands in.
Aspect in degrees is circular (0 and 360 are the same slope), so no straight line fits it:
`NORTHNESS`, the cosine of aspect, stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Source = Literal["paper", "adjusted", "filled"]

RESPONSE = "NEP"
COMPOSITES = ("human", "topography", "climate", "soil")
"""In causal order: topography ~ human; climate ~ human + topography; soil ~ climate + topography."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver on its raw scale: region-wide mean and standard deviation within a land use."""

    name: str
    group: str
    unit: str
    mean: float
    sd: float


DRIVERS = (
    # Ranges in the paper: TEM -0.26..9.00 degC, PRE 300..600 mm, PET 700.77..1042.03 mm.
    Driver("TEM", "climate", "degC", 5.0, 1.0),
    Driver("PRE", "climate", "mm", 420.0, 35.0),
    Driver("PET", "climate", "mm", 870.0, 40.0),
    # The world is Gaussian; means are five sds or more where a negative value would make no sense.
    Driver("PH", "soil", "1", 8.0, 0.35),
    Driver("TP", "soil", "g kg-1", 0.45, 0.08),
    Driver("TN", "soil", "g kg-1", 0.95, 0.17),
    Driver("TK", "soil", "g kg-1", 20.0, 1.6),
    Driver("SOM", "soil", "g kg-1", 16.0, 2.8),
    Driver("DEM", "topography", "m", 420.0, 70.0),
    Driver("SLOPE", "topography", "degree", 4.5, 0.8),
    Driver("NORTHNESS", "topography", "1", 0.0, 0.2),
    Driver("GDP", "human", "1e4 CNY km-2", 150.0, 27.0),
    Driver("HFP", "human", "1", 14.0, 2.5),
    Driver("LUC", "human", "%", 22.0, 4.0),  # the paper: 27,880 of 125,670 km2 changed, 22 %
)

CORRELATIONS: Mapping[str, Mapping[tuple[str, str], float]] = {
    # Warm cells evaporate more; the TEM-PRE entry is what lets cropland's reported -0.54 and 0.31
    # live with its reported total of 0.48 (a more negative one would make the composite too wide).
    "climate": {("TEM", "PRE"): 0.1, ("TEM", "PET"): 0.8, ("PRE", "PET"): -0.2},
    "soil": {
        ("PH", "TP"): -0.1,
        ("PH", "TN"): -0.3,
        ("PH", "TK"): 0.1,
        ("PH", "SOM"): -0.4,
        ("TP", "TN"): 0.5,
        ("TP", "TK"): 0.1,
        ("TP", "SOM"): 0.4,
        ("TN", "TK"): 0.0,
        ("TN", "SOM"): 0.7,
        ("TK", "SOM"): -0.1,
    },
    "topography": {("DEM", "SLOPE"): 0.5, ("DEM", "NORTHNESS"): 0.0, ("SLOPE", "NORTHNESS"): 0.1},
    "human": {("GDP", "HFP"): 0.45, ("GDP", "LUC"): 0.1, ("HFP", "LUC"): 0.2},
}
"""Correlations of members within a land use, the same in all of them (filled)."""

SHAPE: Mapping[str, Mapping[str, float]] = {
    "climate": {"TEM": -0.6, "PRE": 1.0, "PET": -0.3},
    "soil": {"PH": -0.5, "TP": 0.3, "TN": 0.6, "TK": 0.2, "SOM": 1.0},
    "topography": {"DEM": 1.0, "SLOPE": 0.5, "NORTHNESS": 0.2},
    "human": {"GDP": 0.5, "HFP": 1.0, "LUC": 0.4},
}
"""Proportions in which the members that no one reports share what is left of their composite (filled)."""


@dataclass(frozen=True, slots=True)
class LandUse:
    """One land use: its pixels, its NEP, and its path diagram in standardised effects on NEP.

    Given the totals of the four composites, the direct effects of topography and human, and three
    paths, all other paths follow (`horqin.py`), so reported totals hold exactly.
    """

    name: str
    code: int
    share: float
    nep_mean: float
    nep_sd: float
    total: Mapping[str, float]
    """Total effect of each composite on NEP; soil's is also its direct effect."""
    direct: Mapping[str, float]
    """Direct effect of topography and human; positive, as `regression` weights make it."""
    topography_on_human: float
    soil_on_climate: float
    soil_on_topography: float
    members: Mapping[str, float]
    """Direct effects of single members that are fixed; the others follow SHAPE."""
    reported: Mapping[tuple[str, str], Source]
    """Which numbers the paper gives: (direct | indirect | total, term)."""
    patch: float = 3.0
    """Range of the land use's patches over the range of the drivers (filled)."""
    turned: frozenset[str] = frozenset()
    """Composites whose sign is turned against the paper's, to make the direct effect positive."""
    shift: Mapping[str, float] = field(default_factory=dict)
    """Class mean of a driver minus the region's, in sds (filled)."""


LAND_USES = (
    # nep_sd (filled) makes 81.17 % of all pixels sinks, as the paper reports.
    LandUse(
        name="cropland",
        code=1,
        share=0.3783,
        nep_mean=58.50,
        nep_sd=57.5,
        total={"climate": 0.48, "topography": 0.22, "human": 0.32, "soil": 0.30},
        direct={"topography": 0.14, "human": 0.29},
        topography_on_human=-0.15,
        soil_on_climate=0.25,
        soil_on_topography=0.12,
        members={"TEM": -0.54, "PRE": 0.31, "HFP": 0.25},
        reported={
            ("total", "climate"): "paper",
            ("total", "topography"): "paper",
            ("total", "human"): "paper",
            ("direct", "TEM"): "paper",
            ("direct", "PRE"): "paper",
            ("direct", "HFP"): "paper",
        },
        shift={"TEM": 0.4, "DEM": -0.5, "SLOPE": -0.4, "HFP": 0.5, "GDP": 0.4, "SOM": 0.2},
    ),
    LandUse(
        name="forestland",
        code=2,
        share=0.0500,
        nep_mean=194.83,
        nep_sd=72.0,
        # "Climate had the greatest impact", topography and human act "primarily through indirect
        # pathways", "the impact of soil was minimal": words, kept by the filled numbers.
        total={"climate": 0.774, "topography": 0.66, "human": 0.43, "soil": 0.08},
        direct={"topography": 0.10, "human": 0.08},
        topography_on_human=0.30,
        soil_on_climate=0.30,
        soil_on_topography=0.20,
        members={"PET": -0.86, "PRE": -0.16},
        reported={
            ("direct", "PET"): "paper",
            ("direct", "PRE"): "paper",
            ("total", "topography"): "paper",
            ("total", "human"): "paper",
        },
        shift={
            "TEM": -1.0,
            "PRE": 0.8,
            "PET": -1.0,
            "DEM": 1.5,
            "SLOPE": 1.0,
            "SOM": 1.0,
            "TN": 1.0,
            "HFP": -0.5,
        },
    ),
    LandUse(
        name="grassland",
        code=4,
        share=0.4954,
        nep_mean=62.69,
        nep_sd=61.0,
        # The paper's human activities have a direct effect of -0.14 and an indirect one of 0.55. With
        # `regression` weights the direct effect of a composite is positive by construction: so the
        # composite is turned (0.14 and -0.55), and its members carry the negative sign.
        # The paper's indirect effect of DEM is 0.48: weight of DEM 0.10 / 0.12 x (0.696 - 0.12).
        total={"climate": 0.88, "topography": 0.696, "human": 0.14 - 0.55, "soil": 0.10},
        direct={"topography": 0.12, "human": 0.14},
        topography_on_human=-0.40,
        soil_on_climate=0.30,
        soil_on_topography=0.15,
        members={"TEM": -0.91, "PRE": 0.15, "DEM": 0.10},
        reported={
            ("direct", "TEM"): "paper",
            ("direct", "PRE"): "paper",
            ("indirect", "DEM"): "paper",
            ("direct", "human"): "adjusted",
            ("indirect", "human"): "adjusted",
        },
        turned=frozenset({"human"}),
        shift={"PRE": -0.1, "HFP": -0.2},
    ),
    LandUse(
        name="unused",
        code=7,
        share=0.0493,
        nep_mean=-60.34,
        nep_sd=45.0,
        total={"climate": 0.15, "topography": 0.31, "human": 0.53, "soil": 0.12},
        direct={"topography": 0.22, "human": 0.46},
        topography_on_human=0.15,
        soil_on_climate=0.25,
        soil_on_topography=0.20,
        members={"LUC": 0.40},  # the paper's LUCC
        reported={
            ("total", "climate"): "paper",
            ("total", "topography"): "paper",
            ("total", "human"): "paper",
            ("total", "soil"): "paper",
            ("direct", "LUC"): "paper",
        },
        shift={
            "TEM": 0.3,
            "PRE": -0.8,
            "PET": 0.6,
            "SOM": -1.0,
            "TN": -1.0,
            "TP": -0.8,
            "HFP": -0.6,
            "GDP": -0.6,
        },
    ),
    LandUse(
        name="impervious",
        code=8,
        share=0.0270,
        patch=1.0,  # towns are small
        nep_mean=35.93,
        nep_sd=60.0,
        total={"climate": 0.14, "topography": 0.18, "human": 0.68, "soil": 0.13},
        direct={"topography": 0.12, "human": 0.64},
        topography_on_human=0.10,
        soil_on_climate=0.20,
        soil_on_topography=0.20,
        members={"HFP": 0.50},  # reported in words only: a significant positive effect
        reported={
            ("total", "climate"): "paper",
            ("total", "topography"): "paper",
            ("total", "soil"): "paper",
        },
        shift={"TEM": 0.5, "DEM": -0.6, "SLOPE": -0.5, "GDP": 1.0, "HFP": 1.0, "LUC": 0.5},
    ),
)

MISSING_IN = ("PET", "SOM", "HFP")
"""The driver columns that lose cells when `missing` is asked for."""

NOTE = (
    "Simulated, not measured: a region like the Horqin Sandy Land. Where XU & ZHANG (2026, J Arid Land "
    "18(1): 34-55, doi:10.1016/j.jaridl.2026.01.008) report a coefficient of a land use, that number was "
    "planted (source `paper`); the others were filled in. Class means of NEP are the paper's and exact. "
    "`LUC` (land-use change, %) stands for the paper's LUCC and `NORTHNESS` for aspect. In grassland the "
    "composite `human` is turned (source `adjusted`): the paper's direct -0.14 and indirect 0.55 appear "
    "as 0.14 and -0.55, because regression weights put the sign on the members. Nothing is planted for "
    "the whole region (a mixture of five land uses) or for sinks and sources (cuts on the response, "
    "which bend every slope)."
)
