"""Two dimensions out of many: principal components and t-SNE, the same points every time."""

import io
from base64 import b64encode

import numpy as np

PERPLEXITY = 30.0
EXAGGERATED_STEPS = 100
STEPS = 250
"""Fewer than openTSNE's 250 + 500: from a PCA start, some thousand points move little afterwards."""


def pca_2d(vectors_ND: np.ndarray) -> np.ndarray:
    """The first two principal components (N, 2), each with its largest entry positive, for the sign is arbitrary."""
    centred_ND = vectors_ND.astype(np.float64) - vectors_ND.mean(0)
    _, axes_DD = np.linalg.eigh(centred_ND.T @ centred_ND)
    axes_D2 = axes_DD[:, ::-1][:, :2]
    axes_D2 = axes_D2 * np.sign(axes_D2[np.abs(axes_D2).argmax(0), np.arange(axes_D2.shape[1])])
    points_N2 = np.zeros((len(vectors_ND), 2))
    points_N2[:, : axes_D2.shape[1]] = centred_ND @ axes_D2
    return points_N2


def tsne_2d(vectors_ND: np.ndarray, seed: int) -> np.ndarray | None:
    """t-SNE (van der Maaten and Hinton 2008) by Barnes-Hut from a PCA start (N, 2); None for too few points."""
    perplexity = min(PERPLEXITY, (len(vectors_ND) - 1) / 3)
    if perplexity < 2 or np.ptp(vectors_ND, axis=0).max() == 0:
        return None
    from openTSNE import TSNE

    model = TSNE(
        perplexity=perplexity,
        initialization="pca",
        neighbors="exact",
        negative_gradient_method="bh",
        early_exaggeration_iter=EXAGGERATED_STEPS,
        n_iter=STEPS,
        n_jobs=1,
        random_state=seed,
    )
    return np.asarray(model.fit(np.ascontiguousarray(vectors_ND, np.float64)))


def thumbnail(image_HWC: np.ndarray, side: int) -> str:
    """A PNG data URI of an image with values in 0..1, no side longer than `side` pixels."""
    from PIL import Image

    pixels_HWC = (np.clip(image_HWC, 0, 1) * 255).round().astype(np.uint8)
    image = Image.fromarray(pixels_HWC[:, :, 0] if pixels_HWC.shape[2] == 1 else pixels_HWC[:, :, :3])
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"
