"""Turned encoders: every family can be, and does what it did before in turned vectors."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kindex.core.blocks import build
from kindex.core.watch import Silent
from kindex.encoders import autoencoder, captioner, pairs
from tests.encoders.planted import Planted, planted

BRIEF: dict[str, dict[str, Any]] = {
    "pairs": {"epochs": 1, "objective": "spectral"},
    "autoencoder": {"epochs": 1},
    "captioner": {"epochs": 1},
}


def fitted(module: ModuleType, **changes: Any) -> tuple[Any, Planted]:
    case = planted(module.NEEDS)
    name = module.__name__.rpartition(".")[2]
    config = build(module.Config, {**case.config, **BRIEF[name], **changes}, "models.m")
    return module.fit(case.split.train, config, rng=np.random.default_rng(1), watch=Silent()), case


def rotation(width: int, seed: int = 0) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((width, width)))[0]


def test_pairs_fold_in_to_turned_vectors() -> None:
    encoder, case = fitted(pairs)
    turn_DD = rotation(8)
    spaces = encoder.embed(case.split.train)
    linked = [[("link", "l000"), ("link", "l007")]]
    folded, _ = encoder.fold_in(linked)
    encoder.turn({"pairs": turn_DD})
    for kind, space in encoder.embed(case.split.train).items():
        np.testing.assert_allclose(space.vectors_ND, spaces[kind].vectors_ND @ turn_DD, atol=1e-6)
    np.testing.assert_allclose(encoder.fold_in(linked)[0], folded @ turn_DD, rtol=1e-4, atol=1e-5)
    scores = [
        made["book"].vectors_ND.astype(float) @ made["link"].vectors_ND.T for made in (spaces, encoder.embed(case.split.train))
    ]
    np.testing.assert_allclose(*scores, atol=1e-6)


def test_an_autoencoder_draws_the_same_images_from_turned_vectors() -> None:
    encoder, case = fitted(autoencoder)
    turn_DD = rotation(4)
    vectors, drawn = encoder.embed(case.split.heldout)["image"].vectors_ND, encoder.reconstruct(case.split.heldout)
    encoder.turn({"autoencoder": turn_DD})
    np.testing.assert_allclose(encoder.embed(case.split.heldout)["image"].vectors_ND, vectors @ turn_DD, atol=1e-5)
    np.testing.assert_allclose(encoder.reconstruct(case.split.heldout), drawn, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"cell": "gru"}, {"attention": True}])
def test_a_captioner_says_and_finds_the_same_in_turned_spaces(changes: dict[str, Any]) -> None:
    encoder, case = fitted(captioner, **changes)
    turns = {"captioner": rotation(8), "captioner-words": rotation(8, 1)}
    images = case.split.heldout.images["image"].to_pylist()[:12]
    texts = case.split.heldout.captions["caption"].to_pylist()[:6]

    def all_of() -> tuple[Any, ...]:
        spaces = encoder.embed(case.split.heldout)
        seen = encoder.look(images)
        spoken = [[(one.text, one.score) for one in some] for some in encoder.captions(seen)]
        return (
            spaces["image"].vectors_ND,
            spaces["word"].vectors_ND,
            encoder.text_vectors(texts),
            encoder.inverted(texts),
            spoken,
        )

    before = all_of()
    encoder.turn(turns)
    after = all_of()
    for place, frame in ((0, "captioner"), (1, "captioner-words"), (2, "captioner")):
        np.testing.assert_allclose(after[place], before[place] @ turns[frame], atol=2e-5)
    np.testing.assert_allclose(after[3].loss_Q, before[3].loss_Q, atol=0.05)  # Adam's steps go by coordinates
    assert [[text for text, _ in some] for some in after[4]] == [[text for text, _ in some] for some in before[4]]
    np.testing.assert_allclose([some[0][1] for some in after[4]], [some[0][1] for some in before[4]], atol=1e-4)
