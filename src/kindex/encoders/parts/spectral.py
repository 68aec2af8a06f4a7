"""Truncated SVD of the degree-normalised link matrix: a cheap, deterministic place to start from."""

import warnings

import numpy as np
import torch
from torch import Tensor

from kindex.encoders.parts.links import Links


def spectral(links: Links, dimensions: int, rng: np.random.Generator, power_steps: int = 3) -> tuple[Tensor, Tensor]:
    """Left (L, D) and right (R, D) singular vectors, each times the root of its singular value, float64.

    The matrix is A_LR / sqrt((left degree + mean) (right degree + mean)). The added means keep the first components from
    settling on tiny separate groups of items (regularised spectral clustering, Qin & Rohe 2013). Computed by randomised
    subspace iteration (Halko, Martinsson & Tropp 2011). D is cut to the smaller side; the missing columns are zero.
    """
    matrix_LR, matrix_RL = _normalised(links)
    n_left, n_right = matrix_LR.shape
    kept = min(dimensions, n_left, n_right)
    width = min(kept + 10, n_left, n_right)
    basis_LW = torch.linalg.qr(matrix_LR @ torch.from_numpy(rng.standard_normal((n_right, width))))[0]
    for _ in range(power_steps):
        basis_RW = torch.linalg.qr(matrix_RL @ basis_LW)[0]
        basis_LW = torch.linalg.qr(matrix_LR @ basis_RW)[0]
    right_RW, value_W, mix_WW = torch.linalg.svd(matrix_RL @ basis_LW, full_matrices=False)
    root_K = value_W[:kept].clamp(min=0).sqrt()
    left_LK = basis_LW @ mix_WW.T[:, :kept] * root_K
    right_RK = right_RW[:, :kept] * root_K
    missing = (0, dimensions - kept)
    return torch.nn.functional.pad(left_LK, missing), torch.nn.functional.pad(right_RK, missing)


def _normalised(links: Links) -> tuple[Tensor, Tensor]:
    """The matrix and its transpose, as sparse rows."""
    left_L, right_R = links.left_degree_L, links.right_degree_R
    left_P = np.repeat(np.arange(len(left_L)), left_L)
    scale_P = (left_L + left_L.mean())[left_P] * (right_R + right_R.mean())[links.right_P]
    index_2P = torch.from_numpy(np.stack([left_P, links.right_P]))
    shape, value_P = (len(left_L), links.n_right), torch.from_numpy(scale_P**-0.5)
    matrix = torch.sparse_coo_tensor(index_2P, value_P, shape, is_coalesced=True, check_invariants=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return matrix.to_sparse_csr(), matrix.t().coalesce().to_sparse_csr()
