"""The randomised SVD against the exact one of the same dense matrix."""

import numpy as np

from kindex.encoders.parts.links import Links
from kindex.encoders.parts.recall import link_recall
from kindex.encoders.parts.spectral import spectral


def linked(seed: int = 0) -> tuple[Links, np.ndarray]:
    rng = np.random.default_rng(seed)
    inside = np.arange(90)[:, None] % 5 == np.arange(70)[None, :] % 5
    dense = (rng.random((90, 70)) < np.where(inside, 0.5, 0.05)).astype(float)
    pairs = np.argwhere(dense)
    return Links.of(pairs[:, 0], pairs[:, 1], 90, 70), dense


def test_its_product_is_that_of_the_exact_svd() -> None:
    links, dense = linked()
    left, right = dense.sum(1), dense.sum(0)
    normal = dense / np.sqrt(np.outer(left + left.mean(), right + right.mean()))
    u, s, vt = np.linalg.svd(normal, full_matrices=False)
    left_LD, right_RD = spectral(links, 5, np.random.default_rng(0), power_steps=12)
    np.testing.assert_allclose((left_LD @ right_RD.T).numpy(), (u[:, :5] * s[:5]) @ vt[:5], atol=1e-6)
    np.testing.assert_allclose(left_LD.square().sum(0).numpy(), s[:5], rtol=1e-6)


def test_more_dimensions_than_items_are_zeros() -> None:
    links, _ = linked()
    left_LD, right_RD = spectral(links, 80, np.random.default_rng(0))
    assert (left_LD.shape, right_RD.shape) == ((90, 80), (70, 80))
    assert (left_LD[:, 70:] == 0).all()
    assert np.isfinite(left_LD.numpy()).all()


def test_link_recall_is_the_slow_one() -> None:
    known, dense = linked()
    rng = np.random.default_rng(4)
    pairs = np.argwhere((dense == 0) & (rng.random(dense.shape) < 0.05))
    hidden = Links.of(pairs[:, 0], pairs[:, 1], 90, 70)
    left_LD, right_RD = spectral(known, 5, rng)
    found = []
    for left, right in pairs.tolist():
        scores = (right_RD @ left_LD[left]).numpy()
        scores[dense[left] > 0] = -np.inf
        found.append(right in np.argsort(-scores)[:10])
    rows = np.unique(pairs[:, 0])
    assert link_recall(left_LD, right_RD, known, hidden, rows, 10) == np.mean(found)
