"""Dropout whose draws come from numpy's generator, so that a fit on a GPU draws as one on a CPU."""

from collections.abc import Sequence

import numpy as np


def dropout_mask(shape: Sequence[int], share: float, rng: np.random.Generator) -> np.ndarray:
    """What to multiply by: 0 for a `share` of the numbers and 1 / (1 - share) for the others, float32 of this shape.

    Without a share it is a single 1, and nothing is drawn (Srivastava et al. 2014, section 10).
    """
    if not share:
        return np.ones((1,) * len(shape), np.float32)
    kept = 1 - share
    return (rng.random(tuple(shape), np.float32) < kept).astype(np.float32) / np.float32(kept)
