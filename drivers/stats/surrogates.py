"""What chance alone does to classes of neighbouring pixels: surrogate responses and the null of q.

The geodetector's q of a response over classes is large by chance when neighbours are alike, and larger when
the classes were the best of many. Surrogates are other responses that might as well have been: they keep the
response's values and the way its correlation falls with distance, and have nothing to do with any driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special

from drivers.stats.correlogram import Correlogram, fit_correlogram
from drivers.stats.lattice import Lattice, workers

Array = NDArray[np.float64]

EXACT_REACH = 1e-10
"""Class covariances: correlations below this are left to wrap around the padded grid."""

FIELD_REACH = 0.01
"""Surrogates: correlations below this may wrap around the padded grid. Only pixels on opposite edges share so
much then, and classes average over all."""


MANY = 100_000
"""From so many pixels on, a surrogate's ranks are rounded (see `in_order_of`)."""

LEVELS = 65_536
"""Levels of rounded ranks: about 1e-4 standard deviations of the field each."""

HERMITE = 40
"""Terms of the Hermite expansion: the exponential of two standard deviations needs 15."""

QUANTILES = 4001
"""Points at which the marginal and its correlations are tabulated."""


def torus_spectrum(lattice: Lattice, correlation: Callable[[Array], Array], reach: float) -> Array:
    """Eigenvalues of a correlation on a padded torus, shape (rows, columns) of the torus.

    The grid is padded by the distance at which the correlation has fallen to `reach`, at most by itself,
    so that no two pixels meet around the back.
    """
    sizes = []
    for cells, step in zip(lattice.shape, (lattice.height, lattice.width), strict=True):
        pad = int(np.count_nonzero(correlation(np.arange(1.0, cells) * step) > reach))
        sizes.append(fft.next_fast_len(cells + pad, real=False))
    rows, columns = (np.minimum(np.arange(m), m - np.arange(m)) for m in sizes)
    distance: Array = np.hypot((rows * lattice.height)[:, None], columns * lattice.width)
    spectrum = fft.fft2(correlation(distance), workers=workers(distance.size))
    return np.ascontiguousarray(spectrum.real)


def class_covariance(
    codes: NDArray[np.integer],
    n_classes: int,
    lattice: Lattice,
    correlogram: Correlogram,
    weights: Array | None = None,
) -> Array:
    """Covariance of the class means of a field of unit variance with that correlogram, shape (K, K).

    Parameters
    ----------
    codes : class of each pixel, 0 to K - 1, shape (n,); negative: in no class
    n_classes : K; the row and column of an empty class are NaN
    weights : of the pixels in the means, shape (n,); None for equal ones

    Notes
    -----
    V_hk = Σ_i∈h Σ_j∈k w_i w_j ρ(d_ij) / (W_h W_k): the pixels of each class are convolved with the
    correlogram by FFT, on a grid padded so far that nothing wraps, then summed over each class. The nugget
    stands on the diagonal. Independent pixels give diag(1 / n_h).

    Examples
    --------
    >>> grid = Lattice(np.array([0, 0, 0]), np.array([0, 1, 2]), (1, 3), 1.0, 1.0, True)
    >>> class_covariance(np.array([0, 0, 1]), 2, grid, Correlogram(0.0, 1.0, 0.5)).round(4).tolist()
    [[0.6839, 0.2516], [0.2516, 1.0]]
    """
    inside = codes >= 0
    codes, cell = codes[inside], lattice.cell[inside]
    w = np.ones(len(codes)) if weights is None else np.asarray(weights, dtype=np.float64)[inside]
    total = np.bincount(codes, w, n_classes)
    square = np.bincount(codes, w**2, n_classes)
    covariance = np.zeros((n_classes, n_classes))
    if correlogram.nugget < 1.0:
        spectrum = torus_spectrum(lattice, correlogram.structured, EXACT_REACH)
        half = spectrum[:, : spectrum.shape[1] // 2 + 1]
        rows, columns = lattice.shape
        threads = workers(spectrum.size)
        for h in range(n_classes):
            own = codes == h
            grid = np.bincount(cell[own], w[own], rows * columns).reshape(rows, columns)
            shared = fft.irfft2(
                fft.rfft2(grid, spectrum.shape, workers=threads) * half, spectrum.shape, workers=threads
            )
            covariance[h] = np.bincount(codes, w * shared[:rows, :columns].ravel()[cell], n_classes)
        covariance = (1.0 - correlogram.nugget) * (covariance + covariance.T) / 2.0
    covariance[np.diag_indices(n_classes)] += correlogram.nugget * square
    with np.errstate(invalid="ignore"):
        return np.asarray(covariance / np.outer(total, total))


def surrogate_fields(
    values: Array, lattice: Lattice, correlogram: Correlogram | None, draws: int, rng: np.random.Generator
) -> Iterator[Array]:
    """Other responses that might as well have been: `draws` arrays of shape (n,).

    Each holds the same values in another order (with `MANY` pixels, nearly the same), has the same
    correlogram, and knows nothing of any driver; plain permutations when the nugget is 1.

    Parameters
    ----------
    values : the response, finite, shape (n,)
    lattice : where its pixels are
    correlogram : of `values`, as `fit_correlogram` gives it; None fits it to their normal scores, which is
        steadier where values are skewed: the size of a test at 0.05 on a lognormal field was 0.050 with None
        and 0.073 with the correlogram of the values
    rng : the only source of randomness; the number of threads changes nothing

    Notes
    -----
    A Gaussian field at the pixels' cells, its ranks filled with the sorted values (compare Viladomat et al.
    2014, doi:10.1111/biom.12139, and Burt et al. 2020, doi:10.1016/j.neuroimage.2020.117038, who smooth
    permutations instead). Skewed values are less alike than the field behind them, so that one is made more
    alike: see `latent_correlation`.

    The size of the best of 18 partitions at 0.05 was 0.03 to 0.065 where the practical range was below 3/8 of
    the map's side, 0.08 at 0.43 and about 0.1 from 0.9 on: a map of one hill says little about hills.

    Examples
    --------
    >>> grid = Lattice(np.zeros(6, dtype=int), np.arange(6), (1, 6), 1.0, 1.0, True)
    >>> values = np.array([1.0, 2.0, 2.0, 3.0, 5.0, 8.0])
    >>> correlogram, rng = Correlogram(0.1, 3.0, 0.5), np.random.default_rng(1)
    >>> [sorted(v.tolist()) for v in surrogate_fields(values, grid, correlogram, 2, rng)]
    [[1.0, 2.0, 2.0, 3.0, 5.0, 8.0], [1.0, 2.0, 2.0, 3.0, 5.0, 8.0]]
    """
    values = np.asarray(values, dtype=np.float64)
    described = values
    if correlogram is None:
        described = normal_scores(values)
        correlogram = fit_correlogram(described, lattice)
    if correlogram.nugget >= 1.0:
        for _ in range(draws):
            yield rng.permutation(values)
        return
    ordered = np.sort(values)
    latent = latent_correlation(np.sort(described))
    structured, shared = correlogram.structured, 1.0 - correlogram.nugget

    def behind(distance: Array) -> Array:
        return latent(shared * structured(distance))

    fields = gaussian_fields(lattice, behind, rng)
    for field in islice(fields, draws):
        yield in_order_of(field, ordered)


def in_order_of(field: NDArray[np.float32], ordered: Array) -> Array:
    """The sorted values, put where the field has the same rank, shape (n,).

    With `MANY` pixels or more, ranks are counted in `LEVELS` levels between the field's ends, and all pixels
    of a level get its middle value: sorting takes longer than making the field.

    Examples
    --------
    >>> in_order_of(np.array([0.3, -1.0, 2.0], dtype=np.float32), np.array([5.0, 6.0, 90.0])).tolist()
    [6.0, 5.0, 90.0]
    """
    if len(field) < MANY:
        out = np.empty(len(field))
        out[np.argsort(field)] = ordered
        return out
    low, high = field.min(), field.max()
    scale = np.float32((LEVELS - 1) / (high - low)) if high > low else np.float32(0.0)
    level = ((field - low) * scale).astype(np.uint16)
    count = np.bincount(level, minlength=LEVELS)
    # An empty level past the last pixel is asked for nothing, but must not point outside.
    middle = np.minimum(np.cumsum(count) - (count + 1) // 2, len(field) - 1)
    return np.asarray(ordered[middle][level])


def normal_scores(values: Array) -> Array:
    """Normal quantiles of the values' ranks, tied ones sharing their mean rank; shape (n,).

    Examples
    --------
    >>> normal_scores(np.array([7.0, 1.0, 7.0, 900.0])).round(3).tolist()
    [0.0, -1.15, 0.0, 1.15]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2.0) / len(values)
    return np.asarray(special.ndtri(middle)[inverse])


def latent_correlation(ordered: Array) -> Callable[[Array], Array]:
    """From correlations of the values to those of the Gaussian field whose ranks they fill.

    Parameters
    ----------
    ordered : sorted values, shape (n,)

    Notes
    -----
    With values Σ c_k He_k(z) / √k! of a Gaussian z, a correlation r of z is Σ c_k² r^k / Σ c_k² of the values
    (Hermite expansion; Chilès & Delfiner 2012, doi:10.1002/9781118136188, section 6.4.3); inverted by
    interpolation. What `HERMITE` terms do not reach (steps of tied values) counts as nugget. Behind skewed
    values with a Gaussian correlogram there is no such field: 3 % of its spectrum are negative and cut off.

    Examples
    --------
    >>> z = special.ndtri((np.arange(4000) + 0.5) / 4000)
    >>> latent_correlation(z)(np.array([0.5])).round(2).tolist()
    [0.5]
    >>> round(float(latent_correlation(np.exp(z))(np.array([0.5]))[0]), 2)   # ln(1 + 0.5 (e - 1))
    0.62
    """
    p = (np.arange(QUANTILES) + 0.5) / QUANTILES
    z = special.ndtri(p)
    v = np.interp(p, (np.arange(len(ordered)) + 0.5) / len(ordered), ordered)
    v = v - v.mean()
    before, now = np.zeros_like(z), np.ones_like(z)
    grid = np.linspace(0.0, 1.0, QUANTILES)
    of_values = np.zeros(QUANTILES)
    for k in range(1, HERMITE + 1):
        before, now = now, (z * now - np.sqrt(k - 1.0) * before) / np.sqrt(k)
        of_values += float(np.mean(v * now)) ** 2 * grid**k
    of_values /= max(float(np.mean(v**2)), of_values[-1], 1e-300)

    def latent(correlation: Array) -> Array:
        return np.interp(correlation, of_values, grid)

    return latent


def gaussian_fields(
    lattice: Lattice, correlation: Callable[[Array], Array], rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    """Gaussian fields at the pixels, without end; shape (n,), mean 0, variance 1.

    Parameters
    ----------
    lattice : where the pixels are
    correlation : of two pixels at distances of any shape; below 1 at distance 0, the rest is nugget
    rng : source of randomness

    Notes
    -----
    Circulant embedding (Dietrich & Newsam 1997, doi:10.1137/S1064827592240555): a complex white field times
    the root of the eigenvalues, transformed; real and imaginary part are two independent fields. Negative
    eigenvalues, which ranges near the extent of the map can have, are set to 0 and the rest rescaled.
    """
    shared = float(correlation(np.zeros(1))[0])
    eigenvalues = np.maximum(torus_spectrum(lattice, correlation, FIELD_REACH), 0.0)
    eigenvalues *= shared / max(float(eigenvalues.mean()), 1e-300)
    cell = lattice.cell
    alone = int(np.bincount(cell).max()) == 1
    if alone:
        # One pixel per cell: the nugget is white noise on the grid too, and costs nothing there.
        eigenvalues += 1.0 - shared
    root = np.sqrt(eigenvalues / eigenvalues.size).astype(np.float32)
    threads = workers(root.size)
    rows, columns = lattice.shape
    nugget = np.float32(np.sqrt(1.0 - shared))
    while True:
        noise = rng.standard_normal((*root.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
        noise *= root
        both = fft.fft2(noise, overwrite_x=True, workers=threads)[:rows, :columns]
        for part in (both.real, both.imag):
            field = part.ravel()[cell]
            if not alone:
                field += nugget * rng.standard_normal(len(field), dtype=np.float32)
            yield field


@dataclass(frozen=True, slots=True)
class PartitionNull:
    """What q of a given partition is by chance alone.

    Attributes
    ----------
    expected_q : mean of q
    df : numerator degrees of freedom
    df_residual : denominator degrees of freedom
    n_effective : independent pixels that would give the same mean of q
    """

    expected_q: float
    df: float
    df_residual: float
    n_effective: float


def partition_null(counts: Array, covariance: Array) -> PartitionNull:
    """Mean of q by chance, and the F distribution that its odds follow.

    F = q / (1 - q) · (1 - E0) / E0, E0 the mean of q, on `df` and `df_residual` degrees of freedom.

    Parameters
    ----------
    counts : pixels of each class, shape (K,), none of them 0
    covariance : of the class means, for pixels of unit variance, shape (K, K); from `class_covariance`

    Notes
    -----
    With w = counts / n and V the covariance, E0 = (Σ n_h V_hh - n w'Vw) / (n - n w'Vw): what classes take
    from the total sum of squares by chance, over that total. Satterthwaite's df = (Σ λ)² / Σ λ² with λ the
    eigenvalues of the classes' quadratic form, n_effective = 1 + (K - 1) / E0 (as Clifford, Richardson &
    Hémon 1989, doi:10.2307/2532039, do for a correlation), and df_residual = n_effective - K. Independent
    pixels give the classical F test on K - 1 and n - K. Where V is known, the size at 0.05 is 0.043 to 0.047
    for n_effective from 40 to 600 (4000 fields for each of 8 partitions).

    Examples
    --------
    >>> null = partition_null(np.array([40.0, 60.0]), np.diag([1 / 40, 1 / 60]))
    >>> [round(v, 6) for v in (null.expected_q * 99, null.df, null.df_residual, null.n_effective)]
    [1.0, 1.0, 98.0, 100.0]
    """
    counts = np.asarray(counts, dtype=np.float64)
    n, classes = float(counts.sum()), len(counts)
    share = counts / n
    of_mean = float(share @ covariance @ share)
    margin = covariance @ share
    root = np.sqrt(counts)
    between = (covariance - margin[:, None] - margin + of_mean) * np.outer(root, root)
    explained = float(np.trace(between))
    expected = explained / (n - n * of_mean)
    n_effective = 1.0 + (classes - 1) / expected
    return PartitionNull(
        expected_q=expected,
        df=explained**2 / float((between**2).sum()),
        df_residual=max(n_effective - classes, 0.0),
        n_effective=n_effective,
    )
