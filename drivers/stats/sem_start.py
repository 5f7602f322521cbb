"""Where the search for the optimum of a structural model starts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from drivers.stats.sem_scaled import ScaledModel
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Structure

Array = NDArray[np.float64]

LIKELY = 0.5
"""Share of an indicator's variance that its latent variable has, where nothing tells."""

SHARES = (0.1, 0.95)
"""A share that a start may have: neither nil nor all."""

FARTHEST = 5.0
"""Largest ratio of two loadings at the start, in standard units."""

LEAST_ERROR = 0.05
"""Least share of a variance that is error at the start, where latent variables take part."""

HIGHEST_CORRELATION = 0.8
"""Of latent variables, and of errors, at the start."""


def units(model: Structure, spread: Array) -> Array:
    """Unit of every variable, shape (v,): of a latent one, that of its marker over the marker's loading.

    Parameters
    ----------
    model : the structure
    spread : standard deviations of the observed variables, shape (p,)
    """
    found = np.concatenate([spread, np.full(model.latent, np.nan)])
    first = model.matrix == DIRECTED
    for _ in range(model.latent):  # a marker may itself be latent
        for f in np.flatnonzero(np.isnan(found)):
            fixed = first & (model.column == f) & (model.number < 0) & (model.value != 0)
            for i in np.flatnonzero(fixed):
                if np.isfinite(found[model.row[i]]):
                    found[f] = found[model.row[i]] / abs(model.value[i])
                    break
    for f in np.flatnonzero(np.isnan(found)):
        own = (model.matrix == SYMMETRIC) & (model.row == f) & (model.column == f) & (model.number < 0)
        value = model.value[own & (model.value > 0)]
        found[f] = np.sqrt(value[0]) if len(value) else 1.0
    return found


def start(scaled: ScaledModel, covariance: Array, mean: Array, *, plain: bool = False) -> Array:
    """Parameters to start from, in the model's units, shape (k,).

    Parameters
    ----------
    scaled : the model
    covariance, mean : of the sample in the model's units, means about the centre, shapes (G, p, p), (G, p)
    plain : from signs and halves only, where a start from correlations has failed

    Notes
    -----
    Loadings are instrumental-variable ratios to the marker (Hägglund 1982, doi:10.1007/BF02296273), latent
    covariances come from those of their indicators, and paths are least squares on the covariances so
    completed: the optimum where all variables are observed, no errors correlate and no path is cyclic.
    """
    s = scaled.structure
    total, count = np.zeros(s.parameters), np.zeros(s.parameters)
    base = scaled.state(np.zeros(s.parameters))
    for g in range(s.groups):
        a, c = _group(s, base.directed[g], base.symmetric[g], g, covariance[g], plain)
        # All about the centre; what the intercept is called follows from whether it is its variable's own.
        full = np.concatenate([mean[g], np.zeros(s.latent)])
        m = full - a @ full
        for i in np.flatnonzero((s.group == g) & (s.number >= 0)):
            r, k, n = s.row[i], s.column[i], s.number[i]
            if s.matrix[i] == MEAN:
                value = m[r]
                if not scaled.centres.inside[g, r]:
                    about = scaled.centre / scaled.scale
                    value += scaled.offset[g, r] - a[r] @ about
            else:
                value = a[r, k] if s.matrix[i] == DIRECTED else c[r, k]
            total[n] += value / (scaled.factor[i] * scaled.unit[n])
            count[n] += 1
    return total / count


def _group(
    s: Structure, fixed_a: Array, fixed_c: Array, g: int, covariance: Array, plain: bool
) -> tuple[Array, Array]:
    """A and S of a group, in the model's units."""
    p, v = s.observed, s.variables
    mine = s.group == g
    paths = np.zeros((v, v), dtype=bool)
    at = mine & (s.matrix == DIRECTED) & (s.number >= 0)
    paths[s.row[at], s.column[at]] = True
    pairs = np.zeros((v, v), dtype=bool)
    at = mine & (s.matrix == SYMMETRIC) & (s.number >= 0)
    pairs[s.row[at], s.column[at]] = pairs[s.column[at], s.row[at]] = True
    whole = np.eye(v)
    whole[:p, :p] = covariance
    known = list(range(p))
    a, loads = fixed_a.copy(), (paths | (fixed_a != 0))
    latent_rows = set()
    while len(known) < v:
        left = [f for f in range(p, v) if f not in known]
        usable = [f for f in left if any(loads[j, f] for j in known)]
        f = min(usable or left, key=lambda f: (sum(bool(loads[j, h]) for j in range(v) for h in left), f))
        own = [j for j in known if loads[j, f]]
        _latent(f, own, known, whole, a, fixed_a, fixed_c, pairs, plain)
        latent_rows.update(own)
        known.append(f)
    c = fixed_c.copy()
    for r in range(v):
        parents = np.flatnonzero(paths[r])
        if len(parents) and (len(parents) > 1 or r not in latent_rows or fixed_a[r].any()):
            target = whole[parents, r] - whole[parents] @ fixed_a[r]
            # Latent covariances are guesses, so that together they may be no covariance matrix.
            block = whole[np.ix_(parents, parents)]
            guessed = bool((parents >= p).any() or r >= p)
            ridge = 0.05 * np.diag(np.diag(block)) if guessed else 0.0
            a[r, parents] = 0.0 if plain and guessed else np.linalg.lstsq(block + ridge, target)[0]
    errors = (np.eye(v) - a) @ whole @ (np.eye(v) - a).T
    for r in np.flatnonzero(np.diag(pairs)).tolist():
        least = LEAST_ERROR * whole[r, r] if s.latent else 0.0
        c[r, r] = np.clip(errors[r, r], least, max(whole[r, r], least))
        if plain and s.latent:
            c[r, r] = LIKELY * whole[r, r]
    for r, k in np.argwhere(np.triu(pairs, 1)).tolist():
        bound = HIGHEST_CORRELATION * np.sqrt(max(c[r, r] * c[k, k], 0.0))
        if r < p and k < p and not s.latent:
            bound = np.inf
        c[r, k] = c[k, r] = 0.0 if plain else np.clip(errors[r, k], -bound, bound)
    return a, c


def _latent(
    f: int,
    own: list[int],
    known: list[int],
    whole: Array,
    a: Array,
    fixed_a: Array,
    fixed_c: Array,
    free_pairs: NDArray[np.bool_],
    plain: bool,
) -> None:
    """Fill in the loadings of a latent variable and its covariances with what is known, in place."""
    if not own:
        return
    marked = [j for j in own if fixed_a[j, f] != 0]
    marker = marked[0] if marked else own[0]
    ratio = {marker: 1.0}
    for j in (j for j in own if j != marker):
        rest = [i for i in own if i not in (j, marker)]
        size = float(np.sum(whole[marker, rest] ** 2))
        value = float(whole[j, rest] @ whole[marker, rest]) / size if size > 1e-6 and not plain else 0.0
        sign = 1.0 if whole[j, marker] >= 0 else -1.0
        ratio[j] = float(np.clip(value, -FARTHEST, FARTHEST)) if abs(value) > 0.05 else sign
    others = [j for j in own if j != marker]
    shared = LIKELY
    if others and not plain:
        r = np.array([ratio[j] for j in others])
        shared = float(r @ whole[others, marker] / (r @ r)) / whole[marker, marker]
    shared = float(np.clip(shared, *SHARES)) * whole[marker, marker]
    unit = fixed_a[marker, f] if marked else 1.0
    variance = shared / unit**2
    if not marked and not free_pairs[f, f] and fixed_c[f, f] > 0:
        variance = float(fixed_c[f, f])
        unit = np.sqrt(shared / variance)
    loading = {j: fixed_a[j, f] if fixed_a[j, f] != 0 else unit * ratio[j] for j in own}
    for j in own:
        a[j, f] = loading[j]
    whole[f, f] = variance
    for o in (o for o in known if o != f):
        use = [j for j in own if j != o] or own
        weight = np.array([loading[j] for j in use])
        value = float(weight @ whole[use, o] / (weight @ weight))
        bound = np.sqrt(variance * whole[o, o]) * HIGHEST_CORRELATION
        whole[f, o] = whole[o, f] = float(np.clip(value, -bound, bound))
