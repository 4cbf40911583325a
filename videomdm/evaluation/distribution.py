"""Distances between sets of features: FID, KID, precision, recall, recall-dagger, diversity, multimodality.

Features are embeddings of motions, one row per motion, from whatever encoder the caller chose.  Everything
is computed in float64 on the features' device, and pairwise matrices in blocks of rows, so memory stays
bounded.  All functions raise ``ValueError`` for wrong shapes, NaN or infinite values and too few samples.

Where a metric draws at random, ``indices`` fixes the draw (to repeat numbers obtained elsewhere) and
``generator`` seeds it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 2**24  # entries of a pairwise matrix held at once: 128 MB in float64
_SAME = 1e-12  # squared distances below this share of the squared norms are rounding, hence 0


def fid(real: Tensor, generated: Tensor) -> float:
    """Frechet distance between the Gaussians fitted to two sets of features (Heusel et al. 2017).

    ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`` with unbiased covariances.  The last trace is the sum of
    the singular values of ``A1 A2^T`` for any ``S = A^T A``.  Taking triangular ``A`` from the centred
    features avoids the square root of a nearly singular product, so the distance is exact (and defined) for
    singular covariances too, without a ridge.  With few samples per dimension it is still biased upwards.

    Args:
        real: (N, D) features, N >= 2.
        generated: (M, D) features, M >= 2.
    Returns:
        The distance; of a set to itself it is 0 up to rounding (either sign).
    """
    real, generated = check_pair(real, generated, least=2)
    gap = (real.mean(0) - generated.mean(0)).square().sum()
    a, b = _covariance_factor(real), _covariance_factor(generated)
    cross = torch.linalg.svdvals(a @ b.mT).sum()
    return float(gap + a.square().sum() + b.square().sum() - 2 * cross)


def kid(
    real: Tensor,
    generated: Tensor,
    n_subsets: int = 100,
    subset_size: int | None = None,
    indices: tuple[Tensor, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> tuple[float, float]:
    """Kernel distance (Binkowski et al. 2018): unbiased squared MMD with the kernel ``(x.y / D + 1)^3``.

    Subsets are drawn with replacement.  A subset enters only through how often it holds each sample, so all
    subsets share the three kernel matrices.

    Args:
        real: (N, D) features, N >= 2.
        generated: (M, D) features, M >= 2.
        n_subsets: number S of subsets drawn from each set.
        subset_size: samples K per subset; the smaller set's size if None.
        indices: (real (S, K), generated (S, K)) rows to use instead of drawing them.
        generator: seeds the draw.
    Returns:
        Mean and (population) standard deviation over the subsets.
    Raises:
        ValueError: ``indices`` of other shapes, or fewer than two samples in a subset.
    """
    real, generated = check_pair(real, generated, least=2)
    if indices is None:
        size = subset_size or min(len(real), len(generated))
        indices = tuple(_draw(len(x), (n_subsets, size), generator) for x in (real, generated))
    first, second = (_indices(i, len(x), 2) for i, x in zip(indices, (real, generated), strict=True))
    if first.shape != second.shape or first.shape[1] < 2:
        raise ValueError(
            f"kid: indices have shapes {tuple(first.shape)} and {tuple(second.shape)}, "
            "expected equal (S, K) with K >= 2"
        )
    a, b = _counts(first, real), _counts(second, generated)
    size = first.shape[1]
    within = _kernel_sums(real, real, a, a) - a @ _kernel_diagonal(real)
    within += _kernel_sums(generated, generated, b, b) - b @ _kernel_diagonal(generated)
    mmd = within / (size * (size - 1)) - 2 * _kernel_sums(real, generated, a, b) / size**2
    return float(mmd.mean()), float(mmd.std(correction=0))


def precision(real: Tensor, generated: Tensor, k: int = 3) -> float:
    """Share of generated samples within the k-NN ball of some real sample (Kynkaanniemi et al. 2019).

    Args:
        real: (N, D) features, N > k.
        generated: (M, D) features.
        k: which neighbour gives a ball's radius; a sample is not its own neighbour.
    Returns:
        A share in 0..1.

    Explained in :doc:`/notebooks/explain_recall`.
    """
    real, generated = check_pair(real, generated, least=1)
    return _share_inside(generated, real, _radii(real, k, "real"))


def recall(real: Tensor, generated: Tensor, k: int = 3) -> float:
    """Share of real samples within the k-NN ball of some generated sample (Kynkaanniemi et al. 2019).

    ``mean_r 1[exists g: |r - g| <= NN_k(g; G)]``, appendix E.  One far-off generated sample has a large ball
    and can cover much of the real set: :func:`recall_dagger` cannot be fooled like that.

    Args:
        real: (N, D) features.
        generated: (M, D) features, M > k.
        k: which neighbour gives a ball's radius; a sample is not its own neighbour.
    Returns:
        A share in 0..1.

    Explained in :doc:`/notebooks/explain_recall`.
    """
    real, generated = check_pair(real, generated, least=1)
    return _share_inside(real, generated, _radii(generated, k, "generated"))


def recall_dagger(real: Tensor, generated: Tensor, k: int = 3) -> float:
    """Share of real samples whose own k-NN ball holds a generated sample.

    ``mean_r 1[exists g: |r - g| <= NN_k(r; R)]``, appendix E: the coverage of Naeem et al. (2020).

    Args:
        real: (N, D) features, N > k.
        generated: (M, D) features.
        k: which neighbour gives a ball's radius; a sample is not its own neighbour.
    Returns:
        A share in 0..1.

    Explained in :doc:`/notebooks/explain_recall`.
    """
    real, generated = check_pair(real, generated, least=1)
    nearest = torch.cat([_distances(rows, generated).amin(1) for rows in _row_blocks(real, len(generated))])
    return float((nearest <= _radii(real, k, "real")).double().mean())


def diversity(
    features: Tensor,
    n_pairs: int = 300,
    indices: tuple[Tensor, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> float:
    """Mean distance of random pairs (Guo et al. 2022); the nearer to the real data's, the better.

    The two members of the pairs are drawn independently, each without replacement, so a sample may meet
    itself, as in the published code.

    Args:
        features: (N, D) features, N >= n_pairs unless ``indices`` are given.
        n_pairs: number P of pairs.
        indices: (first (P,), second (P,)) rows to use instead of drawing them.
        generator: seeds the draw.
    Returns:
        The mean Euclidean distance.
    """
    features = _features(features, "features", least=1)
    first, second = _pairs(len(features), n_pairs, indices, generator)
    return float((features[first] - features[second]).norm(dim=-1).mean())


def multimodality(
    features: Tensor,
    n_pairs: int = 10,
    indices: tuple[Tensor, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> float:
    """Mean distance of random pairs among the samples of one text, averaged over texts (Guo et al. 2022).

    The same pairs are used for every text, as in the published code.

    Args:
        features: (n_texts, n_samples, D) features, n_samples >= n_pairs unless ``indices`` are given.
        n_pairs: number P of pairs per text.
        indices: (first (P,), second (P,)) samples to use instead of drawing them.
        generator: seeds the draw.
    Returns:
        The mean Euclidean distance.
    """
    features = _features(features, "features", least=1, ndim=3)
    first, second = _pairs(features.shape[1], n_pairs, indices, generator)
    return float((features[:, first] - features[:, second]).norm(dim=-1).mean())


def _features(features: Tensor, name: str, least: int, ndim: int = 2) -> Tensor:
    features = torch.as_tensor(features).detach().double()
    expected = "(samples, width)" if ndim == 2 else "(texts, samples, width)"
    if features.ndim != ndim or 0 in features.shape[ndim - 1 :]:
        raise ValueError(f"{name}: shape {tuple(features.shape)}, expected {expected}")
    if features.shape[ndim - 2] < least:
        raise ValueError(f"{name}: {features.shape[ndim - 2]} samples, expected at least {least}")
    bad = ~features.isfinite()
    if bad.any():
        where = tuple(bad.nonzero()[0].tolist())
        raise ValueError(f"{name}: {features[where]} at {where}, expected finite features")
    return features


def check_pair(
    real: Tensor, generated: Tensor, least: int, names: tuple[str, str] = ("real", "generated")
) -> tuple[Tensor, Tensor]:
    """Both sets (N, D), (M, D) in float64; raises ``ValueError`` unless finite and of one width."""
    real, generated = (_features(x, name, least) for x, name in zip((real, generated), names, strict=True))
    if real.shape[1] != generated.shape[1]:
        raise ValueError(f"{names[1]}: width {generated.shape[1]}, expected {real.shape[1]} as in {names[0]}")
    return real, generated


def _covariance_factor(features: Tensor) -> Tensor:
    """A with covariance ``A^T A``, at most D rows."""
    centred = (features - features.mean(0)) / (len(features) - 1) ** 0.5
    return torch.linalg.qr(centred, mode="r")[1]


def _row_blocks(rows: Tensor, n_columns: int) -> Iterator[Tensor]:
    return iter(rows.split(max(1, BLOCK // max(n_columns, 1))))


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances (N, M) by one matrix product, exactly 0 between equal rows."""
    centre = b.mean(0)
    a, b = a - centre, b - centre
    norms = a.square().sum(1)[:, None] + b.square().sum(1)
    squared = norms - 2 * a @ b.mT
    return torch.where(squared <= _SAME * norms, 0, squared).sqrt()


def _radii(features: Tensor, k: int, name: str) -> Tensor:
    """Distance of every row to its k-th nearest other row, (N,)."""
    if not 1 <= k < len(features):
        raise ValueError(f"{name}: {len(features)} samples, expected more than k = {k} >= 1")
    blocks = _row_blocks(features, len(features))
    return torch.cat([_distances(rows, features).kthvalue(k + 1, dim=1).values for rows in blocks])


def _share_inside(samples: Tensor, centres: Tensor, radii: Tensor) -> float:
    """Share of ``samples`` that lie in the ball of at least one centre."""
    blocks = _row_blocks(samples, len(centres))
    return float(torch.cat([(_distances(rows, centres) <= radii).any(1) for rows in blocks]).double().mean())


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.mT / a.shape[1] + 1) ** 3


def _kernel_diagonal(features: Tensor) -> Tensor:
    return (features.square().sum(1) / features.shape[1] + 1) ** 3


def _kernel_sums(a: Tensor, b: Tensor, weights_a: Tensor, weights_b: Tensor) -> Tensor:
    """``sum_ij wa[s, i] k(a_i, b_j) wb[s, j]`` for every subset s, (S,)."""
    total, start = 0, 0
    for rows in _row_blocks(a, len(b)):
        stop = start + len(rows)
        total = total + (weights_a[:, start:stop] @ _kernel(rows, b) * weights_b).sum(1)
        start = stop
    return total


def _counts(indices: Tensor, features: Tensor) -> Tensor:
    """How often each subset holds each sample, (S, N)."""
    counts = features.new_zeros(len(indices), len(features))
    indices = indices.to(features.device)
    return counts.scatter_add_(1, indices, torch.ones_like(indices, dtype=counts.dtype))


def _draw(n: int, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    return torch.randint(n, shape, generator=generator, device=generator.device if generator else None)


def _indices(indices: Tensor, n: int, ndim: int) -> Tensor:
    indices = torch.as_tensor(indices)
    if indices.ndim != ndim or indices.numel() == 0 or indices.is_floating_point():
        raise ValueError(f"indices: {indices.dtype} of shape {tuple(indices.shape)}, expected {ndim}-d integers")
    if indices.min() < 0 or indices.max() >= n:
        raise ValueError(f"indices: {int(indices.min())}..{int(indices.max())}, expected within 0..{n - 1}")
    return indices.long()


def _pairs(
    n: int, n_pairs: int, indices: tuple[Tensor, Tensor] | None, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    if indices is None:
        if not 1 <= n_pairs <= n:
            raise ValueError(f"features: {n} samples, expected at least n_pairs = {n_pairs} >= 1")
        device = generator.device if generator else None
        indices = tuple(torch.randperm(n, generator=generator, device=device)[:n_pairs] for _ in range(2))
    first, second = (_indices(i, n, 1) for i in indices)
    if len(first) != len(second):
        raise ValueError(f"indices: {len(first)} first and {len(second)} second members, expected as many")
    return first, second
