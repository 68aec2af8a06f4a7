"""Plain health of a model's vectors: not finite, zero, or collapsed."""

from collections.abc import Iterable

import numpy as np

from kindex.core.space import Space, unit

SAMPLE = 4000
"""Vectors that collapse is measured on, at most."""


def health(spaces: Iterable[Space]) -> dict[str, float]:
    """Over all spaces: `vectors_nan` and `vectors_zero` count vectors, `vectors_collapse` is that of the worst space."""
    found = {"vectors_nan": 0.0, "vectors_zero": 0.0, "vectors_collapse": 0.0}
    for space in spaces:
        finite_N = np.isfinite(space.vectors_ND).all(1)
        found["vectors_nan"] += float((~finite_N).sum())
        found["vectors_zero"] += float((~space.vectors_ND.any(1)).sum())
        rows = np.linspace(0, len(space.ids) - 1, min(SAMPLE, len(space.ids))).astype(np.int64)
        sound_ND = unit(space.vectors_ND[rows[finite_N[rows]]])
        found["vectors_collapse"] = max(found["vectors_collapse"], collapse(sound_ND))
    return found


def collapse(unit_ND: np.ndarray) -> float:
    """0 when all directions are used alike, 1 when all vectors lie on one line.

    1 - (r - 1) / (min(N, D) - 1), where r is the effective rank: e to the entropy of the singular values, not centred, so
    that vectors which differ only a little from one common direction count as collapsed (Roy and Vetterli 2007; RankMe,
    Garrido et al. 2023).
    """
    most = min(unit_ND.shape)
    if most < 2:
        return 0.0
    # eigenvalues of the smaller Gram matrix are the squares of the singular values
    small = unit_ND if unit_ND.shape[1] <= unit_ND.shape[0] else unit_ND.T
    eigenvalues = np.linalg.eigvalsh(small.astype(np.float64).T @ small.astype(np.float64))
    singular = np.sqrt(np.clip(eigenvalues, 0, None))
    singular[eigenvalues < eigenvalues.max(initial=0.0) * 1e-12] = 0
    if not singular.any():
        return 1.0
    share = singular[singular > 0] / singular.sum()
    rank = float(np.exp(-(share * np.log(share)).sum()))
    return float(np.clip(1 - (rank - 1) / (most - 1), 0.0, 1.0))
