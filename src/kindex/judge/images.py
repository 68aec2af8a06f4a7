"""How well an encoder keeps what is in an image, beside a linear code of the same width."""

import numpy as np

from kindex.judge.intervals import Interval, of_mean, resamples

FIT_IMAGES = 4000
"""Images that the principal components are fitted on, at most."""


def judge_reconstruction(
    heldout_NHWC: np.ndarray, rebuilt_NHWC: np.ndarray, train_NHWC: np.ndarray, width: int, *, bootstrap: int, seed: int
) -> dict[str, Interval]:
    """Mean squared error of a pixel in 0..1, over held-out images: of the encoder, of PCA, of the mean train image.

    `width` is the number of components, the width of the encoder's code. Raises `ValueError` when shapes differ.
    """
    if heldout_NHWC.shape != rebuilt_NHWC.shape:
        raise ValueError(f"reconstructions have the shape {rebuilt_NHWC.shape}, the images {heldout_NHWC.shape}")
    heldout_NP, train_NP = _flat(heldout_NHWC), _flat(train_NHWC[:FIT_IMAGES])
    counts_SN = resamples(len(heldout_NP), bootstrap, seed)
    mean_P = train_NP.mean(0)
    rebuilt = {
        "reconstruction_mse": _flat(rebuilt_NHWC),
        "pca_reconstruction_mse": pca_rebuilt(heldout_NP, train_NP, width, seed),
        "mean_image_reconstruction_mse": np.broadcast_to(mean_P, heldout_NP.shape),
    }
    return {name: of_mean(((heldout_NP - other_NP) ** 2).mean(1), counts_SN) for name, other_NP in rebuilt.items()}


def pca_rebuilt(heldout_NP: np.ndarray, train_NP: np.ndarray, width: int, seed: int) -> np.ndarray:
    """Held-out images (N, P) projected on the first `width` principal components of the train images and back."""
    from sklearn.utils.extmath import randomized_svd

    mean_P = train_NP.mean(0)
    width = max(1, min(width, *train_NP.shape))
    if min(train_NP.shape) <= 1024:
        components_DP = np.linalg.svd(train_NP - mean_P, full_matrices=False)[2][:width]
    else:
        components_DP = randomized_svd(train_NP - mean_P, width, n_iter=6, random_state=seed)[2]
    return mean_P + (heldout_NP - mean_P) @ components_DP.T @ components_DP


def _flat(images_NHWC: np.ndarray) -> np.ndarray:
    return images_NHWC.reshape(len(images_NHWC), -1).astype(np.float64)
