"""The decoder: forward against a loop of steps, against torch's own cells, and fitted to sentences that it can give back."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from kindex.encoders.captioner.beam import captions
from kindex.encoders.captioner.decoder import Decoder, initialise
from kindex.encoders.captioner.tokens import END, START, Vocabulary, tokens

KINDS = [(cell, attention) for cell in ("lstm", "gru") for attention in (False, True)]


def decoder(cell: str = "lstm", attention: bool = False, dropout: float = 0.0, seed: int = 1) -> Decoder:
    made = Decoder(23, 6, 5, 11, cell, attention, dropout)
    initialise(made, np.random.default_rng(seed))
    return made


def cells(batch: int, places: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(2).standard_normal((batch, places, 6), np.float32))


def words(batch: int, length: int) -> torch.Tensor:
    words_BT = torch.from_numpy(np.random.default_rng(3).integers(0, 23, (batch, length)))
    words_BT[:, 0] = START
    return words_BT


@pytest.mark.parametrize(("cell", "attention"), KINDS)
@pytest.mark.parametrize("places", [1, 7])
@torch.no_grad()
def test_forward_equals_a_loop_of_steps(cell, attention, places):
    made, cells_BPD, words_BT = decoder(cell, attention), cells(4, places), words(4, 9)
    state, looped = made.start(cells_BPD), []
    for word_B in words_BT.unbind(1):
        scores_BV, state = made.step(word_B, state)
        looped.append(scores_BV)
    torch.testing.assert_close(made(cells_BPD, words_BT), torch.stack(looped, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("cell", "attention"), KINDS)
@torch.no_grad()
def test_the_gradients_of_forward_and_of_the_loop_agree(cell, attention):
    made, gradients = decoder(cell, attention), []
    with torch.enable_grad():
        for looped in (False, True):
            cells_BPD = cells(3, 4).requires_grad_()
            if looped:
                state, scores = made.start(cells_BPD), []
                for word_B in words(3, 6).unbind(1):
                    scores_BV, state = made.step(word_B, state)
                    scores.append(scores_BV)
                scores_BTV = torch.stack(scores, 1)
            else:
                scores_BTV = made(cells_BPD, words(3, 6))
            loss = cross_entropy(scores_BTV.flatten(0, 1), words(3, 6).flatten())
            gradients.append(torch.autograd.grad(loss, [cells_BPD, *made.parameters()]))
    for one, other in zip(*gradients, strict=True):
        assert one.abs().max() > 1e-6 or one.numel() < 7  # a bias that comes before a softmax may have none
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_with_one_cell_attention_gives_what_the_image_itself_gives():
    plain, attending = decoder(attention=False), decoder(attention=True)
    attending.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(attending(cells(3, 1), words(3, 5)), plain(cells(3, 1), words(3, 5)), rtol=0, atol=1e-5)


@torch.no_grad()
def test_attention_tells_apart_cells_that_have_the_same_mean():
    attending, plain = decoder(attention=True), decoder(attention=False)
    apart = cells(1, 4)
    same = apart.mean(1, keepdim=True).expand(-1, 4, -1)
    torch.testing.assert_close(plain(apart, words(1, 5)), plain(same, words(1, 5)))
    assert not torch.allclose(attending(apart, words(1, 5)), attending(same, words(1, 5)), atol=1e-3)
    torch.testing.assert_close(attending(apart.flip(1), words(1, 5)), attending(apart, words(1, 5)))  # order is no matter


@pytest.mark.parametrize(("cell", "attention"), KINDS)
@torch.no_grad()
def test_rows_of_a_state_can_be_picked_as_a_search_does(cell, attention):
    made, word_B = decoder(cell, attention), torch.tensor([4, 5, 6])
    scores_BV, state = made.step(word_B, made.start(cells(3, 4)))
    assert all(len(tensor) == 3 for tensor in state)
    rows = torch.tensor([2, 0, 0, 1])
    picked_RV, _ = made.step(word_B[rows], tuple(tensor[rows] for tensor in state))
    whole_BV, _ = made.step(word_B, state)
    torch.testing.assert_close(picked_RV, whole_BV[rows], rtol=0, atol=1e-5)
    assert not torch.allclose(scores_BV, whole_BV)


def test_one_generator_decides_the_weights_and_the_dropout():
    one, other, third = decoder(dropout=0.5), decoder(dropout=0.5), decoder(dropout=0.5, seed=9)
    for parameter, same in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(parameter, same) and parameter.isfinite().all()
    assert not torch.equal(one.words.weight, third.words.weight)
    torch.manual_seed(1)
    first = one(cells(2, 1), words(2, 4))
    torch.manual_seed(2)
    assert torch.equal(first, other(cells(2, 1), words(2, 4)))  # torch's own random numbers play no part
    assert not torch.equal(first, one(cells(2, 1), words(2, 4)))
    one.random.manual_seed(5)
    again = one(cells(2, 1), words(2, 4))
    one.random.manual_seed(5)
    assert torch.equal(again, one(cells(2, 1), words(2, 4)))


def test_dropout_keeps_the_mean_and_acts_in_training_only():
    made = decoder(dropout=0.25)
    dropped = made._dropped(torch.ones(200, 100))
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3]) and abs(dropped.mean() - 1) < 0.02
    made.eval()
    assert torch.equal(made(cells(2, 1), words(2, 4)), made(cells(2, 1), words(2, 4)))


@torch.no_grad()
def test_the_first_scores_follow_the_counts():
    made, counts_V = Decoder(23, 6, 5, 11, "lstm", False, 0.0), np.arange(23) ** 2
    initialise(made, np.random.default_rng(1), counts_V)
    torch.testing.assert_close(made.bias_V.softmax(0), torch.from_numpy((counts_V + 1) / (counts_V + 1).sum()).float())
    assert made.recurrent.bias_ih_l0.chunk(4)[1].eq(1).all()


def test_words_go_in_as_loud_as_an_image_whose_coordinates_are_about_one():
    made = Decoder(500, 6, 30, 11, "lstm", False, 0.0)
    initialise(made, np.random.default_rng(1))
    assert 0.9 < made.embedded(torch.arange(500)).std() < 1.1
    assert 0.9 < made.words.weight.norm(dim=1).mean() < 1.1  # and come out so that the first scores are small


def test_words_that_go_in_and_words_that_come_out_share_one_table():
    assert [name for name, parameter in decoder().named_parameters() if 23 in parameter.shape] == ["bias_V", "words.weight"]


@pytest.mark.parametrize(("cell", "attention"), [("lstm", False), ("gru", False), ("lstm", True)])
def test_a_fitted_decoder_gives_back_the_sentence_of_each_image(cell, attention):
    sentences = [
        f"{a} {b} {c} near the {b}" for a in ("red", "old", "big") for b in ("dog", "boat") for c in ("runs", "waits")
    ]
    vocabulary = Vocabulary.of(sentences, 1, 100)
    ids_BT = torch.tensor([[START, *vocabulary.encode(tokens(text)), END] for text in sentences])
    images_BPD = torch.eye(len(sentences))[:, None].expand(-1, 3 if attention else 1, -1) * 3
    made = Decoder(len(vocabulary), len(sentences), 16, 32, cell, attention, 0.1)
    initialise(made, np.random.default_rng(1), np.array(vocabulary.counts))
    optimiser = torch.optim.Adam(made.parameters(), 0.02)
    for _ in range(100):
        loss = cross_entropy(made(images_BPD, ids_BT[:, :-1]).flatten(0, 1), ids_BT[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(made.parameters(), 5)
        optimiser.step()
    made.eval()
    for width in (1, 3):
        found = captions(made, images_BPD, width=width, longest=10, length_penalty=0.7)
        assert [vocabulary.decode(best[0].ids) for best in found] == sentences


def test_a_decoder_can_be_copied():
    made = decoder()
    torch.testing.assert_close(copy.deepcopy(made)(cells(1, 1), words(1, 3)), made(cells(1, 1), words(1, 3)))
