"""Gradients back to the image vector: against finite differences, a slow inversion of one start alone, and planted images."""

import numpy as np
import pytest
import torch

from kindex.core.watch import Silent
from kindex.encoders import captioner
from kindex.encoders.captioner import inversion
from kindex.encoders.captioner.config import Config
from kindex.encoders.captioner.inversion import inverted
from kindex.encoders.captioner.network import Network, begin, padded
from tests.encoders.planted import Planted, planted_captions

TEXTS = [[5, 6, 7, 8], [9], [10, 5, 11], [12, 13, 4, 4, 4, 7]]

pytestmark = pytest.mark.slow  # a captioner is trained first


def network(**changes: object) -> Network:
    settings = {"dimensions": 5, "word_dimensions": 6, "hidden": 11, **changes}
    made = Network(7, 19, Config(**settings))  # type: ignore[arg-type]
    begin(made, np.ones(19, int), np.random.default_rng(1))
    with torch.no_grad():
        for weight in (made.decoder.recurrent.weight_ih_l0, made.decoder.spoken.weight):
            weight.mul_(4)  # so that the image has something to say
    return made.eval()


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers with which starts settle at different steps, whatever the family's own are tuned to."""
    monkeypatch.setattr(inversion, "SETTLED", 0.01)
    monkeypatch.setattr(inversion, "RATE", 0.1)
    monkeypatch.setattr(inversion, "WINDOW", 4)


def starts(count: int) -> np.ndarray:
    drawn_SD = np.random.default_rng(2).standard_normal((count, 5)).astype(np.float32)
    return drawn_SD / np.linalg.norm(drawn_SD, axis=1, keepdims=True)


@pytest.mark.parametrize(("cell", "attention"), [("lstm", False), ("gru", False), ("lstm", True)])
def test_the_gradient_of_the_vector_is_that_of_finite_differences(cell: str, attention: bool) -> None:
    made, words_RT = network(cell=cell, attention=attention).double(), padded(TEXTS, 24)
    vector_RD = torch.from_numpy(np.random.default_rng(3).standard_normal((4, 5))).requires_grad_()
    assert torch.autograd.gradcheck(lambda given_RD: inversion._loss(made, given_RD, words_RT), vector_RD)


@torch.no_grad()
def test_the_loss_is_that_of_the_caption_alone_and_the_length_of_a_vector_is_no_matter() -> None:
    made, vectors_RD = network(), torch.from_numpy(starts(4))
    loss_R = inversion._loss(made, vectors_RD, padded(TEXTS, 24))
    for row, words in enumerate(TEXTS):
        alone = made.caption_loss(made.of_vectors(vectors_RD[row : row + 1]), padded([words], 24))
        assert loss_R[row].item() == pytest.approx(alone.item(), rel=1e-5)
    torch.testing.assert_close(inversion._loss(made, 3 * vectors_RD, padded(TEXTS, 24)), loss_R)


def slow(made: Network, words: list[int], starts_SD: np.ndarray, steps: int) -> tuple[np.ndarray, int, bool]:
    """One text by one start at a time, Adam by hand: the vector, the steps of the slowest start, and whether all settled."""
    ends, taken, settled = [], [], []
    for start_D in starts_SD:
        vector_D, mean_D, square_D = start_D * np.float32(np.sqrt(len(start_D))), np.zeros(5), np.zeros(5)
        losses, done = [], False
        for step in range(steps + 1):
            given_1D = torch.from_numpy(vector_D[None].astype(np.float32)).requires_grad_()
            loss = made.caption_loss(made.of_vectors(given_1D), padded([words], 24))
            losses.append(loss.item())
            before = losses[-1 - inversion.WINDOW] if step >= inversion.WINDOW else np.inf
            if before - losses[-1] < inversion.SETTLED * losses[-1]:
                done = True
                break
            if step == steps:
                break
            (slope_1D,) = torch.autograd.grad(loss, given_1D)
            slope_D = slope_1D[0].numpy().astype(float)
            mean_D = 0.9 * mean_D + 0.1 * slope_D
            square_D = 0.999 * square_D + 0.001 * slope_D**2
            corrected_D = mean_D / (1 - 0.9 ** (step + 1)) / (np.sqrt(square_D / (1 - 0.999 ** (step + 1))) + 1e-8)
            vector_D = vector_D - inversion.RATE * corrected_D
        ends.append(vector_D / np.linalg.norm(vector_D))
        taken.append(step)
        settled.append(done)
    mean_D = np.mean(ends, 0)
    return mean_D / np.linalg.norm(mean_D), max(taken), all(settled)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(("count", "steps"), [(1, 90), (3, 90), (3, 12)])
def test_it_is_a_slow_inversion_of_each_start_by_itself(count: int, steps: int) -> None:
    made = network()
    found = inverted(made, TEXTS, starts(count), steps)
    for row, words in enumerate(TEXTS):
        vector_D, taken, settled = slow(made, words, starts(count), steps)
        np.testing.assert_allclose(found.vectors_QD[row], vector_D, atol=1e-3)
        assert (found.steps_Q[row], found.converged_Q[row]) == (taken, settled)
    assert found.converged_Q.all() == (steps == 90)
    assert len(set(found.steps_Q.tolist())) > 1 or steps < 90  # so that some rest while others move


def test_a_start_settles_no_sooner_than_a_window_of_steps_and_never_where_it_must_fall_for_ever(monkeypatch) -> None:
    for share, steps, settled in ((1e9, inversion.WINDOW, True), (-1e9, 9, False)):
        monkeypatch.setattr(inversion, "SETTLED", share)
        found = inverted(network(), TEXTS, starts(2), 9)
        assert found.steps_Q.tolist() == [steps] * 4 and found.converged_Q.tolist() == [settled] * 4


@pytest.mark.usefixtures("strict")
def test_what_is_found_for_a_text_does_not_depend_on_its_batch_mates() -> None:
    made, many = network(), TEXTS * 9
    found = inverted(made, many, starts(4), 60)
    assert len(many) > inversion.TOGETHER // 4  # several batches
    for row, words in enumerate(TEXTS):
        alone = inverted(made, [words], starts(4), 60)
        for place in range(row, len(many), len(TEXTS)):
            np.testing.assert_allclose(found.vectors_QD[place], alone.vectors_QD[0], atol=1e-5)
            assert found.steps_Q[place] == alone.steps_Q[0]


def test_no_weight_is_moved_and_no_gradient_is_left() -> None:
    made = network()
    before = {name: array.clone() for name, array in made.state_dict().items()}
    inverted(made, TEXTS, starts(2), 8)
    assert all(torch.equal(array, before[name]) for name, array in made.state_dict().items())
    assert all(parameter.grad is None for parameter in made.parameters())


def test_no_text_gives_no_vector() -> None:
    found = inverted(network(), [], starts(2), 8)
    assert found.vectors_QD.shape == (0, 5) and len(found.loss_Q) == len(found.steps_Q) == len(found.converged_Q) == 0


@pytest.fixture(scope="module")
def case() -> Planted:
    return planted_captions()


@pytest.fixture(scope="module")
def encoder(case: Planted) -> captioner.Encoder:
    config = captioner.Config(**{**case.config, "epochs": 20})
    return captioner.fit(case.split.train, config, rng=np.random.Generator(np.random.PCG64(7)), watch=Silent())


def test_a_description_is_likelier_than_where_its_gradients_began(encoder: captioner.Encoder, case: Planted) -> None:
    texts = case.split.heldout.captions["caption"].to_pylist()[:20]
    words_QT = padded([encoder._words(text) for text in texts], 24)
    with torch.no_grad():
        first_QS = torch.stack(
            [
                inversion._loss(encoder.network, torch.from_numpy(start_D).expand(len(texts), -1), words_QT)
                for start_D in encoder.starts_SD
            ],
            1,
        )
    found = encoder.inverted(texts)
    assert (found.loss_Q < first_QS.mean(1).numpy()).all()
    assert found.loss_Q.mean() < 0.75 * first_QS.mean().item()
    np.testing.assert_allclose(np.linalg.norm(found.vectors_QD, axis=1), 1, atol=1e-5)


def test_the_planted_image_is_near_far_more_often_than_by_chance(encoder: captioner.Encoder, case: Planted) -> None:
    space, captions = encoder.embed(case.split.heldout)["image"], case.split.heldout.captions
    found = encoder.inverted(captions["caption"].to_pylist())
    near_QK = np.argsort(-found.vectors_QD @ space.unit_ND.T, axis=1)[:, :5]
    own_Q = np.array([space.rows[name] for name in captions["id"].to_pylist()])
    recall, chance = (near_QK == own_Q[:, None]).any(1).mean(), 5 / len(space.ids)
    assert recall > 3 * chance
