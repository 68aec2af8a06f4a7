"""Two dimensions out of many: principal components and t-SNE, the same points every time."""

import io
import logging
from base64 import b64encode

import numpy as np

from kindex.core.nearest import nearest

PERPLEXITY = 30.0
EXAGGERATED_STEPS = 100
STEPS = 250
"""Fewer than openTSNE's 250 + 500: from a PCA start, some thousand points move little afterwards."""

STEPS_ON = 100
"""From last night's places: without exaggeration, which would throw the groups together again."""

NEAREST = 5
"""Placed items among which a new one is put."""


def pca_2d(vectors_ND: np.ndarray) -> np.ndarray:
    """The first two principal components (N, 2), each with its largest entry positive, for the sign is arbitrary."""
    centred_ND = vectors_ND.astype(np.float64) - vectors_ND.mean(0)
    _, axes_DD = np.linalg.eigh(centred_ND.T @ centred_ND)
    axes_D2 = axes_DD[:, ::-1][:, :2]
    axes_D2 = axes_D2 * np.sign(axes_D2[np.abs(axes_D2).argmax(0), np.arange(axes_D2.shape[1])])
    points_N2 = np.zeros((len(vectors_ND), 2))
    points_N2[:, : axes_D2.shape[1]] = centred_ND @ axes_D2
    return points_N2


def placed_among(start_N2: np.ndarray, unit_ND: np.ndarray) -> np.ndarray:
    """`start_N2` with a place for each row that has none (NaN): the mean of its nearest placed ones, weighed by similarity."""
    known_N = np.isfinite(start_N2).all(1)
    if known_N.all() or not known_N.any():
        return start_N2
    scores_QK, rows_QK = nearest(unit_ND[known_N], unit_ND[~known_N], NEAREST)
    weights_QK = np.exp(5.0 * (scores_QK.astype(np.float64) - scores_QK.max(1, keepdims=True)))
    places_QK2 = start_N2[known_N][rows_QK]
    found_N2 = start_N2.copy()
    found_N2[~known_N] = (places_QK2 * weights_QK[:, :, None]).sum(1) / weights_QK.sum(1, keepdims=True)
    return found_N2


def turned_onto(points_N2: np.ndarray, start_N2: np.ndarray) -> np.ndarray:
    """The points turned or mirrored in their plane so that they lie nearest to `start_N2` where that has a place (Schönemann
    1966): the axes of PCA have no sign, and two that explain alike change places from night to night."""
    known_N = np.isfinite(start_N2).all(1)
    if known_N.sum() < 2:
        return points_N2
    mine, theirs = points_N2[known_N], start_N2[known_N]
    left, _, right = np.linalg.svd(mine.T @ theirs)
    return np.asarray(points_N2 @ left @ right)


def moved(points_N2: np.ndarray, start_N2: np.ndarray) -> float:
    """How far the points that had a place moved (median), as a share of the map's radius (root mean square); 0 without any."""
    known_N = np.isfinite(start_N2).all(1)
    if not known_N.any():
        return 0.0
    former = start_N2[known_N]
    radius = float(np.sqrt(((former - former.mean(0)) ** 2).sum(1).mean()))
    return float(np.median(np.linalg.norm(points_N2[known_N] - former, axis=1)) / radius) if radius > 0 else 0.0


def tsne_2d(vectors_ND: np.ndarray, seed: int, start_N2: np.ndarray | None = None) -> np.ndarray | None:
    """t-SNE (van der Maaten and Hinton 2008) by Barnes-Hut (N, 2); None for too few points.

    It starts from PCA, or goes on from `start_N2`, which has a place for every row.
    """
    perplexity = min(PERPLEXITY, (len(vectors_ND) - 1) / 3)
    if perplexity < 2 or np.ptp(vectors_ND, axis=0).max() == 0:
        return None
    from openTSNE import TSNE

    model = TSNE(
        perplexity=perplexity,
        initialization="pca" if start_N2 is None else np.ascontiguousarray(start_N2, np.float64),
        neighbors="exact",
        negative_gradient_method="bh",
        early_exaggeration_iter=EXAGGERATED_STEPS if start_N2 is None else 0,
        n_iter=STEPS if start_N2 is None else STEPS_ON,
        n_jobs=1,
        random_state=seed,
    )
    # it warns of a start that is wide, which a map of last night is meant to be
    logging.getLogger("openTSNE.tsne").setLevel(logging.ERROR)
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
