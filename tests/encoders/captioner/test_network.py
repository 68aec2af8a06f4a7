"""The network's vectors and losses against slow loops."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from kindex.encoders.captioner.config import Config
from kindex.encoders.captioner.network import Network, begin, padded, standardise
from kindex.encoders.captioner.tokens import END, PAD, START
from kindex.encoders.captioner.tower import matched

CHANNELS, WORDS, DIMENSIONS = 7, 19, 5


def network(seed: int = 1, **changes: object) -> Network:
    settings = {"dropout": 0.0, "image_dropout": 0.0, "hidden": 11, "word_dimensions": 6, **changes}
    made = Network(CHANNELS, WORDS, Config(dimensions=DIMENSIONS, **settings))  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    begin(made, rng.integers(0, 9, WORDS), rng)
    standardise(made, (3 + 2 * rng.standard_normal((40, CHANNELS))).astype(np.float32))
    return made.eval()


def features(batch: int, places: int = 1) -> Tensor:
    return torch.from_numpy(np.random.default_rng(2).standard_normal((batch, places, CHANNELS), np.float32))


TEXTS = [[5, 6, 7, 8], [9], [10, 5, 11], [12, 13]]


def test_words_are_marked_cut_and_padded():
    words_BT = padded([[5, 6, 7, 8], [9]], 3)
    assert words_BT.tolist() == [[START, 5, 6, 7, END], [START, 9, END, PAD, PAD]]
    assert words_BT.dtype == torch.int64


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("attention", [False, True])
@torch.no_grad()
def test_the_caption_loss_is_that_of_a_loop_over_words(training: bool, attention: bool) -> None:
    made = network(attention=attention, label_smoothing=0.2).train(training)
    cells_BPD, words_BT = made.cells(features(4, 3 if attention else 1)), padded(TEXTS, 10)
    losses = []
    for row, words in enumerate(TEXTS):
        state = made.decoder.start(cells_BPD[row : row + 1])
        for word, following in zip([START, *words], [*words, END], strict=True):
            scores_1V, state = made.decoder.step(torch.tensor([word]), state)
            log_V = scores_1V[0].double() - scores_1V[0].double().exp().sum().log()
            losses.append(0.8 * -log_V[following] + 0.2 * -log_V.mean() if training else -log_V[following])
    assert made.caption_loss(cells_BPD, words_BT).item() == pytest.approx(float(np.mean(losses)), rel=1e-5)
    wider_BT = torch.cat((words_BT, torch.full((4, 3), PAD)), 1)
    assert made.caption_loss(cells_BPD, wider_BT).item() == pytest.approx(float(np.mean(losses)), rel=1e-5)


def slow_match(text_BD: np.ndarray, image_ND: np.ndarray, image_N: np.ndarray, scale: float) -> float:
    """InfoNCE by loops over pairs; rows of one image are no negatives of one another."""
    total = 0.0
    for own in range(len(text_BD)):
        for given, others in ((text_BD[own], image_ND), (image_ND[own], text_BD)):
            shown = [
                math.exp(scale * float(given @ others[n]))
                for n in range(len(others))
                if n == own or image_N[n] != image_N[own]
            ]
            total -= math.log(math.exp(scale * float(given @ others[own])) / sum(shown))
    return total / 2 / len(text_BD)


def unit(*shape: int) -> np.ndarray:
    drawn = np.random.default_rng(sum(shape)).standard_normal(shape)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.mark.parametrize("image_N", [[0, 1, 2, 3, 4], [0, 1, 0, 3, 0], [2, 2, 2, 2, 2]])
def test_matched_is_a_loop_over_pairs_that_skips_rows_of_the_same_image(image_N: list[int]) -> None:
    text_BD, image_BD, numbers = unit(5, 6), unit(5, 6)[::-1].copy(), np.array(image_N)
    other_BB = torch.from_numpy((numbers[:, None] == numbers) & ~np.eye(5, dtype=bool))
    found = matched(torch.from_numpy(text_BD), torch.from_numpy(image_BD), other_BB, torch.tensor(3.0))
    assert found.item() == pytest.approx(slow_match(text_BD, image_BD, numbers, 3.0))


def test_texts_may_have_more_images_against_them_than_their_own() -> None:
    text_BD, image_ND = unit(2, 6), unit(4, 6)
    scores_BN = 3 * text_BD @ image_ND.T
    wanted = [-math.log(math.exp(scores_BN[b, b]) / np.exp(scores_BN[b]).sum()) for b in range(2)]
    wanted += [-math.log(math.exp(scores_BN[b, b]) / np.exp(scores_BN[:, b]).sum()) for b in range(2)]
    none_BN = torch.zeros(2, 4, dtype=torch.bool)
    found = matched(torch.from_numpy(text_BD), torch.from_numpy(image_ND), none_BN, torch.tensor(3.0))
    assert found.item() == pytest.approx(sum(wanted) / 4)


@torch.no_grad()
def test_both_losses_are_given_and_captions_of_one_image_do_not_push_one_another() -> None:
    made, words_BT, image_B = network(contrast=1.0), padded(TEXTS, 10), torch.tensor([4, 9, 4, 1])
    told, match = made.losses(features(4), words_BT, image_B)
    cells_BPD = made.cells(features(4))
    texts_BD, images_BD = made.text_vectors(words_BT).double().numpy(), made.vectors(cells_BPD).double().numpy()
    assert told.item() == pytest.approx(made.caption_loss(cells_BPD, words_BT).item())
    assert match.item() == pytest.approx(slow_match(texts_BD, images_BD, image_B.numpy(), 1 / 0.07), rel=1e-5)
    made.log_scale.fill_(50.0)
    assert made.losses(features(4), words_BT, image_B)[1].item() == pytest.approx(
        slow_match(texts_BD, images_BD, image_B.numpy(), 100.0), rel=1e-5
    )
    assert network(contrast=0.0).losses(features(4), words_BT, image_B)[1].item() == 0


@pytest.mark.parametrize("places", [1, 6])
@torch.no_grad()
def test_the_mean_of_cells_has_the_length_of_a_standard_vector_and_the_direction_of_the_head(places: int) -> None:
    made = network()
    given_BPC = features(3, places)
    cells_BPD, standard_BPC = made.cells(given_BPC), (given_BPC - made.mean_C) / made.deviation_C
    head_BD = standard_BPC.mean(1) @ made.head.weight.T + made.head.bias  # linear: the mean of the cells' is that of the mean
    direction_BD = head_BD / head_BD.norm(dim=1, keepdim=True)
    torch.testing.assert_close(cells_BPD.mean(1).norm(dim=1), torch.full((3,), math.sqrt(DIMENSIONS)))
    torch.testing.assert_close(made.vectors(cells_BPD), direction_BD)
    torch.testing.assert_close(made.vectors(cells_BPD), made.vectors(made.cells(given_BPC.mean(1, keepdim=True))))
    torch.testing.assert_close(made.vectors(made.of_vectors(direction_BD * 7)), direction_BD)
    torch.testing.assert_close(made.of_vectors(direction_BD)[:, 0], made.cells(given_BPC).mean(1))


@torch.no_grad()
def test_features_are_standardised_by_those_of_the_train_images() -> None:
    made, given_NC = network(), (5 + 3 * features(50)[:, 0]).numpy()
    standardise(made, given_NC)
    standard_NC = (torch.from_numpy(given_NC) - made.mean_C) / made.deviation_C
    torch.testing.assert_close(standard_NC.mean(0), torch.zeros(CHANNELS), atol=1e-5, rtol=0)
    torch.testing.assert_close(standard_NC.std(0, correction=0), torch.ones(CHANNELS), atol=1e-3, rtol=0)
    standardise(made, np.full((4, CHANNELS), 2, np.float32))  # a feature that never changes says nothing
    assert torch.isfinite(made.cells(torch.full((1, 1, CHANNELS), 2.0))).all()


@torch.no_grad()
def test_a_text_vector_is_the_largest_that_a_loop_of_the_gru_says_up_to_the_end() -> None:
    made = network()
    recurrent, found_BD = made.tower.recurrent, made.text_vectors(padded(TEXTS, 10))
    for row, words in enumerate(TEXTS):
        hidden_H, said = torch.zeros(11), []
        for word in [*words, END]:
            given = recurrent.weight_ih_l0 @ made.decoder.embedded(torch.tensor(word)) + recurrent.bias_ih_l0
            past = recurrent.weight_hh_l0 @ hidden_H + recurrent.bias_hh_l0
            reset, update = (torch.sigmoid(given[part] + past[part]) for part in (slice(0, 11), slice(11, 22)))
            hidden_H = (1 - update) * torch.tanh(given[22:] + reset * past[22:]) + update * hidden_H
            said.append(hidden_H)
        out_D = made.tower.out.weight @ torch.stack(said).amax(0) + made.tower.out.bias
        torch.testing.assert_close(found_BD[row], out_D / out_D.norm())
        torch.testing.assert_close(made.text_vectors(padded([words], 10))[0], found_BD[row])


def test_one_seed_decides_all_weights_and_all_dropout() -> None:
    one, other, third = network(image_dropout=0.4), network(image_dropout=0.4), network(seed=2, image_dropout=0.4)
    for name, array in one.state_dict().items():
        assert torch.equal(array, other.state_dict()[name]) and torch.isfinite(array).all()
    assert not torch.equal(one.head.weight, third.head.weight)
    for seed, made in enumerate((one, other)):
        torch.manual_seed(seed)
        made.train().decoder.random.manual_seed(4)
    assert torch.equal(one.cells(features(2)), other.cells(features(2)))
    assert not torch.equal(one.cells(features(2)), one.cells(features(2)))
    dropped = one.dropped(torch.ones(300, 100), 0.4)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.6]) and abs(dropped.mean() - 1) < 0.02
    assert torch.equal(one.eval().cells(features(2)), one.cells(features(2)))


def test_the_first_weights_spread_a_standard_vector_as_it_came() -> None:
    made = Network(400, WORDS, Config(dimensions=300, hidden=64, word_dimensions=20))
    begin(made, np.ones(WORDS, int), np.random.default_rng(0))
    assert made.head.weight.std().item() == pytest.approx(1 / math.sqrt(400), rel=0.02)
    assert made.head.bias.abs().max() == 0 == made.tower.recurrent.bias_ih_l0.abs().max()
    assert made.tower.out.weight.std().item() == pytest.approx(1 / math.sqrt(64), rel=0.05)
