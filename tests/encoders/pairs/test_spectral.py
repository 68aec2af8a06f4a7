"""The randomised singular vectors against numpy's exact ones of the same dense matrix, and bases that could break."""

import numpy as np
import pytest
import torch

from kindex.encoders.pairs.matrix import Matrix
from kindex.encoders.pairs.spectral import Spectrum, orthonormal, spectral, triangle
from tests.encoders.pairs.small import groups, links_of


def found(dense_LR: np.ndarray, dimensions: int, left_power: float = 0.5, steps: int = 12) -> Spectrum:
    matrices = Matrix.both(links_of(dense_LR))
    return spectral(*matrices, dimensions, np.random.default_rng(0), left_power, steps)


def normalised(dense_LR: np.ndarray, left_power: float) -> np.ndarray:
    """By slow loops."""
    made = np.zeros_like(dense_LR)
    for left, right in np.argwhere(dense_LR):
        made[left, right] = dense_LR[left, right] / (dense_LR[left].sum() ** left_power * dense_LR[:, right].sum() ** 0.5)
    return made


@pytest.mark.parametrize("left_power", [0.5, 0.3, 0.0])
@pytest.mark.parametrize("weighted", [True, False])
def test_values_spans_and_products_are_those_of_the_exact_svd(weighted: bool, left_power: float) -> None:
    dense = groups(weighted=weighted)
    u, s, vt = np.linalg.svd(normalised(dense, left_power), full_matrices=False)
    spectrum = found(dense, 5, left_power)
    left, value, right = (part.double().numpy() for part in (spectrum.left_LD, spectrum.values_D, spectrum.right_RD))
    np.testing.assert_allclose(value, s[:5], rtol=1e-4)
    np.testing.assert_allclose(left @ left.T, u[:, :5] @ u[:, :5].T, atol=1e-3)
    np.testing.assert_allclose(right @ right.T, vt[:5].T @ vt[:5], atol=1e-3)
    np.testing.assert_allclose((left * value) @ right.T, (u[:, :5] * s[:5]) @ vt[:5], atol=1e-4)


def test_three_steps_are_within_two_percent() -> None:
    s = np.linalg.svd(normalised(groups(), 0.5), compute_uv=False)
    np.testing.assert_allclose(found(groups(), 20, steps=3).values_D.numpy(), s[:20], rtol=0.02)


def test_popularity_stretches_right_vectors_by_a_power_of_what_their_links_count() -> None:
    dense = groups()
    spectrum, degree_R = found(dense, 5), dense.sum(0)
    matrix_RL = Matrix.both(links_of(dense))[1]
    left_LD, right_RD = spectrum.tables(matrix_RL.degree_N, 0.25)
    np.testing.assert_allclose(left_LD.numpy(), spectrum.left_LD.numpy() * spectrum.values_D.numpy(), rtol=1e-6)
    np.testing.assert_allclose(right_RD.numpy(), spectrum.right_RD.numpy() * degree_R[:, None] ** 0.25, rtol=1e-5)


def low_rank() -> np.ndarray:
    """Everyone of three groups linked to everything of it: rank 3."""
    return (np.arange(40)[:, None] % 3 == np.arange(30)[None, :] % 3).astype(float)


def separate() -> np.ndarray:
    """Twenty pairs linked to each other only: all singular values are 1."""
    return np.eye(20)


def with_idle_rows() -> np.ndarray:
    dense = groups(30, 20)
    dense[4] = dense[:, 7] = 0
    return dense


@pytest.mark.parametrize(
    "dense", [low_rank(), separate(), with_idle_rows(), np.ones((1, 1)), np.ones((1, 9)), np.ones((9, 1))]
)
@pytest.mark.parametrize("dimensions", [2, 64])
def test_few_links_and_low_ranks_leave_scores_exact(dense: np.ndarray, dimensions: int) -> None:
    s = np.linalg.svd(normalised(dense, 0.5), compute_uv=False)
    spectrum = found(dense, dimensions)
    left, value, right = (part.double().numpy() for part in (spectrum.left_LD, spectrum.values_D, spectrum.right_RD))
    assert (left.shape, value.shape, right.shape) == ((len(dense), dimensions), (dimensions,), (dense.shape[1], dimensions))
    kept = min(dimensions, *dense.shape)
    np.testing.assert_allclose(value[:kept], s[:kept], atol=2e-3)  # the root of float32's noise where a value is 0
    assert not left[:, kept:].any() and not value[kept:].any() and not right[:, kept:].any()
    if dimensions >= (s > 1e-9).sum():
        np.testing.assert_allclose((left * value) @ right.T, normalised(dense, 0.5), atol=1e-4)
    idle_L, idle_R = dense.sum(1) == 0, dense.sum(0) == 0
    np.testing.assert_allclose(right[idle_R], 0, atol=1e-5)
    np.testing.assert_allclose((left * value)[idle_L], 0, atol=1e-5)


def awkward(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    base = rng.standard_normal((300, 40))
    return {
        "duplicates": np.repeat(base[:, :4], 10, 1),
        "near duplicates": base[:, :1] + 1e-6 * base,
        "three columns in six hundred": np.repeat(base[:, :3], 200, 1) + 1e-7 * rng.standard_normal((300, 600)),
        "zeros": np.zeros((50, 10)),
        "ones": np.ones((5000, 100)),
        "huge": 1e30 * base,
        "tiny": 1e-30 * base,
        "every scale": base * 10.0 ** -np.arange(40),
        "more columns than rows": base[:20],
    }[kind]


AWKWARD = ["duplicates", "near duplicates", "three columns in six hundred", "zeros", "ones", "huge", "tiny", "every scale"]


@pytest.mark.parametrize("kind", [*AWKWARD, "more columns than rows"])
def test_a_basis_of_any_columns_is_finite_and_never_longer_than_unit(kind: str) -> None:
    basis = orthonormal(torch.from_numpy(awkward(kind).astype(np.float32))).double().numpy()
    assert np.isfinite(basis).all()
    lengths = np.linalg.eigvalsh(basis.T @ basis)
    assert lengths.max() < 1 + 1e-4 and lengths.min() > -1e-4
    if kind in ("huge", "tiny"):
        assert lengths.min() > 1 - 1e-4


def test_a_basis_is_orthonormal_and_spans_the_columns() -> None:
    columns = np.random.default_rng(0).standard_normal((200, 30)) * np.geomspace(1, 1e-3, 30)
    basis = orthonormal(torch.from_numpy(columns.astype(np.float32))).double().numpy()
    np.testing.assert_allclose(basis.T @ basis, np.eye(30), atol=1e-4)
    exact = np.linalg.qr(columns)[0]
    np.testing.assert_allclose(basis @ basis.T, exact @ exact.T, atol=1e-3)


def test_the_triangle_is_the_cholesky_factor() -> None:
    columns = np.random.default_rng(0).standard_normal((200, 12))
    root = triangle(torch.from_numpy(columns.T @ columns)).numpy()
    np.testing.assert_allclose(root, np.linalg.cholesky(columns.T @ columns), atol=1e-3)


@pytest.mark.parametrize(
    "kind", ["duplicates", "near duplicates", "three columns in six hundred", "zeros", "ones", "every scale"]
)
def test_the_triangle_of_any_columns_is_a_root_of_their_products(kind: str) -> None:
    columns = awkward(kind).astype(np.float32)
    root = triangle(torch.from_numpy(columns.T @ columns).double()).numpy()
    products = columns.astype(float).T @ columns.astype(float)
    np.testing.assert_allclose(root @ root.T, products, atol=2e-4 * products.max() + 1e-12)
    assert (np.diag(root) > 0).all() and not np.triu(root, 1).any()
