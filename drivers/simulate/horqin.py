"""The world `horqin`: pixels of five land uses, each obeying its own planted path diagram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from drivers.simulate.ground import FloatArray, Ground, IntArray
from drivers.simulate.horqin_data import (
    COMPOSITES,
    CORRELATIONS,
    DRIVERS,
    LAND_USES,
    NOTE,
    RESPONSE,
    SHAPE,
    LandUse,
)
from drivers.simulate.simulated import SimulatedTable, planted_table

GROUPS = {group: tuple(d for d in DRIVERS if d.group == group) for group in CORRELATIONS}


@dataclass(frozen=True, slots=True)
class Diagram:
    """The population of one land use, all on the standardised scale. Nodes: COMPOSITES, then NEP."""

    paths: FloatArray
    """B[j, i] = effect of node i on node j, shape (5, 5), strictly lower triangular."""
    correlation: FloatArray
    """Implied correlations of the nodes, shape (5, 5)."""
    innovation_sd: FloatArray
    """Residual sd of each node, shape (5,); the last gives 1 - R2 of NEP as its square."""
    members: dict[str, FloatArray]
    """Per group: direct effect of each member on NEP, shape (m,), so C = sum of these times x."""

    @property
    def total(self) -> FloatArray:
        """Total effect of each composite on NEP, shape (4,): the last row of (I - B)^-1 - I."""
        total = np.linalg.inv(np.eye(len(self.paths)) - self.paths)[-1, :-1]
        return np.asarray(total, dtype=np.float64)


def diagram(landuse: LandUse) -> Diagram:
    """Solve a land use's path diagram from the totals and the paths it gives.

    With t the total and d the direct effects on NEP, and one missing edge (human -> soil):

        d_soil    = t_soil
        d_climate = t_climate - b(soil ~ climate) d_soil
        b(climate ~ topography) = (t_topography - d_topography - b(soil ~ topography) d_soil) / t_climate
        b(climate ~ human)      = (t_human - d_human - b(topography ~ human) t_topography) / t_climate
    """
    t, d = landuse.total, landuse.direct
    human, topography, climate, soil = range(4)
    b = np.zeros((5, 5))
    b[topography, human] = landuse.topography_on_human
    b[soil, climate] = landuse.soil_on_climate
    b[soil, topography] = landuse.soil_on_topography
    b[climate, topography] = (t["topography"] - d["topography"] - landuse.soil_on_topography * t["soil"]) / t[
        "climate"
    ]
    b[climate, human] = (t["human"] - d["human"] - landuse.topography_on_human * t["topography"]) / t[
        "climate"
    ]
    b[4, human], b[4, topography] = d["human"], d["topography"]
    b[4, soil] = t["soil"]
    b[4, climate] = t["climate"] - landuse.soil_on_climate * t["soil"]

    correlation = np.eye(5)
    residual = np.ones(5)
    for j in range(5):
        with_parents = correlation[:j, :j] @ b[j, :j]
        correlation[j, :j] = correlation[:j, j] = with_parents
        residual[j] = 1.0 - b[j, :j] @ with_parents
    if not (residual > 0).all():
        raise ValueError(f"the planted numbers of {landuse.name} explain more than all variance: {residual}")
    members = {name: _member_effects(landuse, name, b[4, k]) for k, name in enumerate(COMPOSITES)}
    return Diagram(b, correlation, np.sqrt(residual), members)


def member_correlation(group: str) -> FloatArray:
    """Correlation matrix of a group's members in table order, shape (m, m)."""
    names = [d.name for d in GROUPS[group]]
    r = np.eye(len(names))
    for (a, b), value in CORRELATIONS[group].items():
        r[names.index(a), names.index(b)] = r[names.index(b), names.index(a)] = value
    return r


def members_around(z: FloatArray, free: FloatArray, group: str, world: Diagram) -> FloatArray:
    """Standardised members of a group whose weighted sum beta'x is exactly the composite.

    Parameters
    ----------
    z
        The standardised composite, shape (n,).
    free
        Independent standard fields, shape (n, m), from which the members take what the composite leaves open.
    group, world
        Which group, in which land use.

    Returns
    -------
    Array of shape (n, m), with population correlations R and variances 1.

    Notes
    -----
    Fields u ~ (0, R) are moved along R beta until beta'x = p z, with p = sqrt(beta' R beta) the path:
    x = u + R beta (p z - beta'u) / p^2. As u - R beta beta'u / p^2 has covariance
    R - R beta beta' R / p^2, the covariance of x is R again.
    """
    r = member_correlation(group)
    beta = world.members[group]
    path = world.paths[-1, COMPOSITES.index(group)]
    u = free @ np.linalg.cholesky(r).T
    moved: FloatArray = u + np.outer((path * z - u @ beta) / path**2, r @ beta)
    return moved


def build_horqin(ground: Ground, range_pixels: float) -> SimulatedTable:
    """Simulate the region: land use, drivers and NEP at every cell.

    Per land use, with z the standardised composites and e independent fields, z = B z + s e and
    NEP = mean + sd z_NEP; the members follow their composite (`members_around`). All fields are centred
    within each land use, so class means are exact; slopes within a land use and their sampling
    distribution are not touched by that.
    """
    landuse_index = _land_uses(ground, range_pixels)
    nodes = ground.fields(len(COMPOSITES) + 1, range_pixels)
    free = ground.fields(len(DRIVERS), range_pixels)
    n = ground.cells.size
    nep = np.empty(n)
    columns = {d.name: np.empty(n) for d in DRIVERS}
    rows: list[tuple[str, str, str, str, float, float, str]] = []
    for k, landuse in enumerate(LAND_USES):
        here = np.flatnonzero(landuse_index == k)
        world = diagram(landuse)
        rows += _planted(landuse, world)
        e = _centred(nodes[here])
        for name in landuse.turned:  # keep the map of its members continuous across the border
            e[:, COMPOSITES.index(name)] *= -1.0
        z = np.zeros_like(e)
        for j in range(e.shape[1]):
            z[:, j] = z @ world.paths[j] + world.innovation_sd[j] * e[:, j]
        nep[here] = landuse.nep_mean + landuse.nep_sd * z[:, -1]
        for group, drivers in GROUPS.items():
            place = [DRIVERS.index(d) for d in drivers]
            x = members_around(z[:, COMPOSITES.index(group)], _centred(free[here][:, place]), group, world)
            for d, values in zip(drivers, x.T, strict=True):
                columns[d.name][here] = d.mean + d.sd * (landuse.shift.get(d.name, 0.0) + values)
    codes = np.array([landuse.code for landuse in LAND_USES], dtype=np.int64)
    frame = pd.DataFrame(
        {
            "easting": ground.easting,
            "northing": ground.northing,
            "LUCC": codes[landuse_index],
            RESPONSE: nep,
            **columns,
        }
    )
    return SimulatedTable(frame=frame, planted=planted_table(rows), note=NOTE)


def _member_effects(landuse: LandUse, group: str, path: float) -> FloatArray:
    """Direct effects beta of a group's members, with beta' R beta = path^2.

    beta = fixed + s shape, where shape is 0 for the fixed members; s is the root of the quadratic with
    the smaller magnitude (the free members do as little as they must), positive when nothing is fixed.
    """
    r = member_correlation(group)
    sign = -1.0 if group in landuse.turned else 1.0
    names = [d.name for d in GROUPS[group]]
    fixed = np.array([landuse.members.get(name, 0.0) for name in names])
    shape = np.array([0.0 if name in landuse.members else sign * SHAPE[group][name] for name in names])
    a, b, c = shape @ r @ shape, 2.0 * (shape @ r @ fixed), fixed @ r @ fixed - path**2
    discriminant = b**2 - 4.0 * a * c
    if discriminant < 0:
        raise ValueError(f"{landuse.name}: no weights of {group} give a path of {path}")
    roots = (-b + np.array([1.0, -1.0]) * np.sqrt(discriminant)) / (2.0 * a)
    scale = roots[np.argmin(np.abs(roots))] if fixed.any() else roots.max()
    beta: FloatArray = fixed + scale * shape
    return beta


def _centred(fields: FloatArray) -> FloatArray:
    """The same fields with mean 0 over the cells at hand."""
    centred: FloatArray = fields - fields.mean(axis=0)
    return centred


def _land_uses(ground: Ground, range_pixels: float) -> IntArray:
    """Index into LAND_USES of each cell, shape (n,), in patches and with exact shares.

    The rare land uses take the cells where their own smooth field is highest; the commonest has the rest.
    """
    n = ground.cells.size
    rarest_first = sorted(range(len(LAND_USES)), key=lambda k: LAND_USES[k].share)
    out = np.full(n, rarest_first[-1], dtype=np.int64)
    left = np.arange(n)
    for k in rarest_first[:-1]:
        reach = min(LAND_USES[k].patch * range_pixels, ground.side / 2.0)
        field = ground.fields(1, reach, "gaussian")[:, 0]
        count = max(round(LAND_USES[k].share * n), 1)
        order = np.argsort(-field[left], kind="stable")
        out[left[order[:count]]] = k
        left = np.sort(left[order[count:]])
    return out


def _planted(landuse: LandUse, world: Diagram) -> list[tuple[str, str, str, str, float, float, str]]:
    """The true numbers of one land use; see `SimulatedTable` for the meaning of a row."""
    stratum = f"landuse={landuse.name}"
    nodes = (*COMPOSITES, RESPONSE)
    # The sd of a composite C = sum of b_i x_i, in sds of NEP, is its standardised path to NEP.
    width = dict(zip(nodes, (*world.paths[-1, :-1], 1.0), strict=True))
    rows: list[tuple[str, str, str, str, float, float, str]] = []

    def add(response: str, op: str, term: str, std: float, raw_unit: float) -> None:
        kind = "direct" if op == "~" and response == RESPONSE else op
        source = landuse.reported.get((kind, term), "filled")
        rows.append((stratum, response, op, term, float(std), float(std * raw_unit), source))

    for j, response in enumerate(nodes):
        for i, term in enumerate(nodes[:j]):
            if world.paths[j, i] != 0.0:
                add(response, "~", term, world.paths[j, i], width[response] / width[term])
    for group in COMPOSITES:
        for d, beta in zip(GROUPS[group], world.members[group], strict=True):
            weight = beta / width[group]
            add(group, "<~", d.name, weight, width[group] * landuse.nep_sd / d.sd)
    for k, group in enumerate(COMPOSITES):
        direct, total = world.paths[-1, k], world.total[k]
        effects = {"direct": direct, "indirect": total - direct, "total": total}
        for op, value in effects.items():
            add(RESPONSE, op, group, value, 1.0 / width[group])
        for d, beta in zip(GROUPS[group], world.members[group], strict=True):
            for op, value in effects.items():
                add(RESPONSE, op, d.name, value * beta / width[group], landuse.nep_sd / d.sd)
    return rows
