"""How a captioner is fitted: its batches, its learning rate, and what of the image side is moved."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from kindex.core.errors import MetricGateError
from kindex.core.watch import Silent
from kindex.encoders.captioner.backbones.scratch import Scratch, initialise
from kindex.encoders.captioner.config import Config
from kindex.encoders.captioner.fitting import SORTED, Fitting, Told
from kindex.encoders.captioner.network import Network, begin, padded, project, standardise
from kindex.encoders.captioner.pictures import Fixed, Pictures, Pixels
from kindex.encoders.parts.loop import copied, held, learn, put_back

IMAGES, CHANNELS, WORDS = 40, 9, 15

SMALL: dict[str, Any] = {"dimensions": 6, "word_dimensions": 5, "hidden": 8, "epochs": 4, "batch": 8, "learning_rate": 0.01}
GIVEN: dict[str, Any] = {"backbone": "mobilenet_v2", "weights": "given"}


def told(count: int, seed: int = 1, images: int = IMAGES) -> Told:
    rng = np.random.default_rng(seed)
    return Told([rng.integers(4, WORDS, rng.integers(1, 9)).tolist() for _ in range(count)], rng.integers(0, images, count))


def features() -> Fixed:
    rng = np.random.default_rng(3)
    plain_NPC = rng.standard_normal((IMAGES, 1, CHANNELS), np.float32) * np.arange(1, CHANNELS + 1, dtype=np.float32)
    return Fixed(plain_NPC, plain_NPC + 1)


def pixels(attention: bool = False) -> Pixels:
    rng, backbone = np.random.default_rng(3), Scratch(32, 32)
    initialise(backbone, rng)
    return Pixels(rng.integers(0, 256, (IMAGES, 32, 32, 3), np.uint8), backbone, attention)


def fitting(pictures: Pictures, hidden: int = 0, captions: int = 90, **changes: Any) -> Fitting:
    config = Config(**{**SMALL, **changes})
    network = Network(CHANNELS if pictures.backbone is None else pictures.backbone.channels, WORDS, config)
    begin(network, np.ones(WORDS, int), np.random.default_rng(2))
    if isinstance(pictures, Fixed):
        standardise(network, pictures.plain_NPC.mean(1))
        project(network, pictures.plain_NPC.mean(1))
    return Fitting(network, pictures, told(captions), told(hidden, 5), config)


def test_batches_hold_each_caption_once_and_depend_on_the_generator_alone() -> None:
    made = fitting(features())
    one, same, other = (made._batches(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert sorted(np.concatenate(one).tolist()) == list(range(90))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert {len(rows) for rows in one} <= {8, 9}


def test_a_batch_holds_captions_of_like_length_and_batches_come_in_any_order() -> None:
    made = fitting(features())
    lengths = [sorted(len(made.shown.words[row]) for row in rows) for rows in made._batches(np.random.default_rng(1))]
    ordered = sorted(lengths)
    assert ordered != lengths
    assert all(before[-1] <= after[0] for before, after in pairwise(ordered))


def test_only_some_batches_are_drawn_together_so_epochs_differ() -> None:
    made = fitting(features(), captions=8 * SORTED * 2 + 3)
    batches = made._batches(np.random.default_rng(1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(8 * SORTED * 2 + 3))
    assert min(map(len, batches)) >= 3
    longest = [max(len(made.shown.words[row]) for row in rows) for rows in batches]
    assert longest.count(1) >= 2  # the shortest ones of each draw


@pytest.mark.parametrize(("steps", "rising"), [(400, 40), (3000, 100), (5, 1)])
def test_the_learning_rate_rises_and_then_falls_to_0(steps: int, rising: int) -> None:
    made = fitting(features(), learning_rate=0.2)
    rates = [made._rate(1 - step / steps, steps) for step in range(steps)]
    wanted = [0.2 * min(1, (step + 1) / rising) * (1 - step / steps) for step in range(steps)]
    np.testing.assert_allclose(rates, wanted)
    assert made.optimiser.param_groups[0]["lr"] == rates[-1]
    assert 0 < rates[-1] <= 0.2 / steps + 1e-9


def test_a_pre_trained_backbone_is_fitted_a_tenth_as_fast() -> None:
    tuned = fitting(pixels(), **GIVEN, tuning="fine_tuned")
    rate = tuned._rate(0.5, 10)
    assert [group["lr"] for group in tuned.optimiser.param_groups] == pytest.approx([rate, rate / 10])
    scratch = fitting(pixels())
    rate = scratch._rate(0.5, 10)
    assert [group["lr"] for group in scratch.optimiser.param_groups] == [rate, rate]


def weights(made: Fitting) -> dict[str, np.ndarray]:
    return copied(made.model())


@pytest.mark.parametrize("case", ["frozen", "head", "fine_tuned", "scratch"])
def test_what_is_said_to_be_fitted_moves_and_nothing_else(case: str) -> None:
    own = {} if case == "scratch" else {**GIVEN, "tuning": case}
    made = fitting(pixels() if case in ("fine_tuned", "scratch") else features(), **own)
    before = weights(made)
    made.epoch(1.0, np.random.default_rng(1))
    moved = {name for name, array in weights(made).items() if not np.array_equal(array, before[name])}
    resting = {"network.mean_C", "network.deviation_C"} | (
        {"network.head.weight", "network.head.bias"} if case == "frozen" else set()
    )
    assert moved == before.keys() - resting
    assert any(name.startswith("backbone.") for name in moved) == (case in ("fine_tuned", "scratch"))


def test_a_frozen_head_gives_the_principal_components_at_equal_variance() -> None:
    made, given_NC = fitting(features(), **GIVEN, tuning="frozen"), features().plain_NPC[:, 0]
    standard_NC = (given_NC - given_NC.mean(0)) / (given_NC.std(0) + 1e-3)
    left_NC, _, axes_CC = np.linalg.svd(standard_NC, full_matrices=False)
    found_ND = standard_NC @ made.network.head.weight.detach().numpy().T
    signs_D = np.sign((found_ND * left_NC[:, :6]).sum(0))
    np.testing.assert_allclose(found_ND, left_NC[:, :6] * signs_D * np.sqrt(IMAGES), atol=1e-4)
    np.testing.assert_allclose(found_ND.T @ found_ND / IMAGES, np.eye(6), atol=1e-4)
    largest_D = made.network.head.weight.detach().numpy()[np.arange(6), np.abs(axes_CC[:6]).argmax(1)]
    assert (largest_D > 0).all()  # which of two signs is no matter of the machine
    wide = Network(4, WORDS, Config(**{**SMALL, **GIVEN}))
    project(wide, given_NC[:, :4])
    assert (wide.head.weight[4:] == 0).all() and wide.head.weight[:4].any(1).all()  # more dimensions than there are


class Spied:
    """Pictures that remember which were asked for mirrored."""

    backbone = None

    def __init__(self) -> None:
        self.mirrored: list[bool] = []

    def features(self, image_B: np.ndarray, mirrored: bool) -> torch.Tensor:
        self.mirrored.append(mirrored)
        return features().features(image_B, mirrored)


def test_images_are_mirrored_in_training_only_and_only_where_that_is_said() -> None:
    for mirrored, seen in ((True, {True, False}), (False, {False})):
        spied = Spied()
        made = fitting(spied, hidden=9, mirrored=mirrored)
        made.epoch(1.0, np.random.default_rng(1))
        assert set(spied.mirrored) == seen
        spied.mirrored.clear()
        made.validate()
        assert set(spied.mirrored) == {False}


@torch.no_grad()
def test_mirrored_pixels_are_those_of_the_image_turned_about() -> None:
    for attention in (False, True):
        shown = pixels(attention)
        turned = replace(shown, pixels_NSS3=shown.pixels_NSS3[:, :, ::-1].copy())
        rows = np.array([4, 0, 4])
        torch.testing.assert_close(shown.features(rows, True), turned.features(rows, False))
        assert shown.features(rows, True).shape == (3, 16 if attention else 1, shown.backbone.channels)
        assert not torch.allclose(shown.features(rows, True), shown.features(rows, False))
    both = features()
    assert torch.equal(both.features(rows, True), both.features(rows, False) + 1)


@torch.no_grad()
def test_validation_is_minus_the_caption_loss_without_smoothing_and_dropout() -> None:
    made = fitting(features(), hidden=20, contrast=0.3)
    assert made.validate() == made.validate()
    words_BT, image_B = padded(made.hidden.words, 24), made.hidden.image_N
    given_BPC = torch.from_numpy(features().plain_NPC[image_B])
    told_loss, _ = made.network.eval().losses(given_BPC, words_BT, torch.from_numpy(image_B))
    assert made.validate() == pytest.approx(-told_loss.item(), rel=1e-5)
    assert fitting(features()).validate() is None


def test_where_the_backbone_is_fitted_an_images_captions_pass_together() -> None:
    made = fitting(pixels(False), captions=40)
    batches = made._batches(np.random.default_rng(2))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(made.shown.words)))
    runs = [image for rows in batches for image in dict.fromkeys(made.shown.image_N[rows].tolist())]
    images = len(set(made.shown.image_N.tolist()))
    assert len(runs) < images + len(batches), "at most the two ends of a batch share an image with another"
    again = np.concatenate(made._batches(np.random.default_rng(3)))
    assert again.tolist() != np.concatenate(batches).tolist()


@pytest.mark.parametrize(
    "changes", [{}, {"attention": True, "cell": "gru"}, {**GIVEN, "tuning": "fine_tuned"}, {**GIVEN, "tuning": "frozen"}]
)
def test_a_restored_fit_goes_on_with_the_same_bits(changes: dict[str, Any]) -> None:
    def made() -> Fitting:
        still = changes.get("tuning") == "frozen"
        return fitting(features() if still else pixels("attention" in changes), captions=30, **changes)

    undisturbed, resumed = made(), made()
    rng = np.random.default_rng(1)
    undisturbed.epoch(1.0, rng)
    kept = copied(held(undisturbed))
    state = rng.bit_generator.state
    numbers = undisturbed.epoch(0.75, rng)
    again = np.random.default_rng(9)
    again.bit_generator.state = state
    put_back(kept, held(resumed))
    assert resumed.epoch(0.75, again) == numbers
    for name, array in weights(undisturbed).items():
        np.testing.assert_array_equal(array, weights(resumed)[name], name)


def test_without_contrast_the_tower_stays_as_it_began() -> None:
    made = fitting(features(), contrast=0.0)
    before = weights(made)
    numbers = made.epoch(1.0, np.random.default_rng(1))
    assert numbers["match_loss"] == 0
    for name, array in weights(made).items():
        assert np.array_equal(array, before[name]) == (
            name.startswith(("network.tower", "network.log_scale", "network.mean", "network.dev"))
        )


def test_a_fit_that_diverges_is_stopped_and_one_that_does_not_learns() -> None:
    made, watch = fitting(features(), hidden=20), Silent()
    learn(made, epochs=4, patience=4, rng=np.random.default_rng(1), watch=watch)
    assert watch.history[-1]["caption_loss"] < watch.history[0]["caption_loss"]
    assert watch.history[-1]["learning_rate"] == pytest.approx(0.01 / 4 / len(made._batches(np.random.default_rng(1))))
    with pytest.raises(MetricGateError, match="diverged at epoch"):
        learn(fitting(features(), learning_rate=1e30), epochs=4, patience=4, rng=np.random.default_rng(1), watch=Silent())
