"""Reconstruction errors against their definitions."""

import numpy as np
import pytest

from kindex.judge.images import judge_reconstruction, pca_rebuilt


def images(count: int, seed: int) -> np.ndarray:
    """Images (N, 6, 6, 1) on a plane of three dimensions, with a little noise."""
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng(0).random((3, 36))
    return (rng.random((count, 3)) @ patterns / 3 + 0.01 * rng.random((count, 36))).reshape(-1, 6, 6, 1).astype(np.float32)


def test_errors_are_means_over_pixels_and_the_sign_is_right() -> None:
    train, heldout = images(200, 1), images(50, 2)
    off = heldout.copy()
    off[:, 0, 0, 0] += 0.6  # one pixel of 36
    found = judge_reconstruction(heldout, off, train, 3, bootstrap=30, seed=1)
    assert found["reconstruction_mse"].value == pytest.approx(0.36 / 36, rel=1e-4)
    mean = ((heldout - train.mean(0)) ** 2).mean()
    assert found["mean_image_reconstruction_mse"].value == pytest.approx(mean, rel=1e-4)
    assert found["pca_reconstruction_mse"].value < 1e-4 < mean
    perfect = judge_reconstruction(heldout, heldout, train, 3, bootstrap=0, seed=1)
    assert perfect["reconstruction_mse"].value == 0


def test_pca_is_the_best_plane() -> None:
    train, heldout = images(100, 1).reshape(100, -1), images(20, 2).reshape(20, -1)
    _, axes = np.linalg.eigh(np.cov(train.T))
    axes = axes[:, ::-1][:, :2]
    expected = train.mean(0) + (heldout - train.mean(0)) @ axes @ axes.T
    np.testing.assert_allclose(pca_rebuilt(heldout, train, 2, 1), expected, atol=1e-5)
    assert pca_rebuilt(heldout, train[:3], 99, 1).shape == heldout.shape


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="reconstructions have the shape"):
        judge_reconstruction(images(5, 1), images(4, 1), images(5, 2), 2, bootstrap=0, seed=1)
