"""The beam search against a slow one, bit by bit, and against all sentences that there are."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kindex.core.errors import MetricGateError
from kindex.encoders.captioner.beam import Found, captions, search
from kindex.encoders.captioner.decoder import Decoder, State, initialise

START, END = 1, 2


class Machine:
    """A model of tables: where it is after a word depends on where it was and on the word, so rows never mix.

    States S, words V; few distinct scores make ties, which the searches must break alike. Multiplied by 100 they make words
    of probability 1, so that sentences of different lengths tie as well.
    """

    def __init__(self, states: int, words: int, seed: int, distinct: int | None, times: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self.next_SV = torch.from_numpy(rng.integers(0, states, (states, words)))
        scores_SV = (
            rng.standard_normal((states, words)) * 2 if distinct is None else rng.integers(0, distinct, (states, words))
        )
        self.scores_SV = torch.from_numpy(scores_SV.astype(np.float32)) * times

    def start(self, batch: int) -> State:
        """Also keeps a tensor that no step touches, as attention keeps its cells."""
        return torch.arange(batch) % len(self.next_SV), torch.arange(2 * batch).reshape(batch, 2)

    def step(self, word_R: Tensor, state: State) -> tuple[Tensor, State]:
        assert (state[1][:, 1] == state[1][:, 0] + 1).all() and len(state[1]) == len(word_R)
        at_R = self.next_SV[state[0], word_R]
        return self.scores_SV[at_R], (at_R, state[1])


def slow(machine, image, *, width, longest, length_penalty, forbidden=(), shortest=1) -> list[Found]:
    """One image, one beginning and one word at a time, and no early stop: all steps are made."""
    log_SV = torch.log_softmax(machine.scores_SV, 1).tolist()
    beams, ended = [(0.0, (), image % len(log_SV))], []
    for words in range(longest + 1):
        continued = []
        for rank, (total, said, at) in enumerate(beams):
            there = int(machine.next_SV[at, said[-1] if said else START])
            for word, log in enumerate(log_SV[there]):
                late, early = words == longest and word != END, words < shortest and word == END
                if word not in forbidden and not late and not early and log > -np.inf:
                    continued.append((-(total + log), rank, word, said, there))
        beams = []
        for minus, _rank, word, said, there in sorted(continued)[:width]:
            if word == END:
                ended.append(Found(said, -minus / ((5 + len(said) + 1) / 6) ** length_penalty))
            else:
                beams.append((-minus, (*said, word), there))
    return sorted(ended, key=lambda found: -found.score)[:width]


def both(machine: Machine, batch: int, **how: Any) -> tuple[list[list[Found]], list[list[Found]]]:
    fast = search(machine.step, machine.start(batch), start=START, end=END, batch=batch, **how)
    return fast, [slow(machine, image, **how) for image in range(batch)]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    states=st.integers(1, 9),
    words=st.integers(4, 12),
    distinct=st.sampled_from([None, None, 1, 2, 4]),
    times=st.sampled_from([1, 100]),
    batch=st.integers(1, 5),
    width=st.integers(1, 7),
    longest=st.integers(1, 12),
    length_penalty=st.sampled_from([0, 0.3, 0.7, 1, 1.5]),
    forbidden=st.sampled_from([(), (0, 1), (0, 1, 3)]),
    shortest=st.integers(0, 3),
)
def test_the_search_equals_the_slow_one_exactly(seed, states, words, distinct, times, batch, longest, shortest, **how):
    fast, expected = both(
        Machine(states, words, seed, distinct, times), batch, longest=max(longest, shortest), shortest=shortest, **how
    )
    assert fast == expected


def test_with_a_wide_enough_beam_all_sentences_are_found_in_order():
    for seed, penalty in itertools.product(range(5), (0, 0.7, 1.5)):
        machine = Machine(4, 5, seed, None)
        log_SV = torch.log_softmax(machine.scores_SV, 1).tolist()
        every = []
        for length in range(1, 5):
            for said in itertools.product((0, 3, 4), repeat=length):
                at, total = 0, 0.0
                for before, word in itertools.pairwise((START, *said, END)):
                    at = int(machine.next_SV[at, before])
                    total += log_SV[at][word]
                every.append(Found(said, total / ((5 + length + 1) / 6) ** penalty))
        how = {"width": 200, "longest": 4, "length_penalty": penalty, "forbidden": (START,)}
        [found] = search(machine.step, machine.start(1), start=START, end=END, batch=1, **how)
        assert len(found) == len(every) == 3 + 9 + 27 + 81 and set(found) == set(every)
        assert [one.score for one in found] == sorted((one.score for one in every), reverse=True)


def test_a_beam_of_width_one_says_the_likeliest_word_at_each_step():
    for seed in range(20):
        machine = Machine(7, 9, seed, None)
        at, said, word = 0, [], START
        while word != END and len(said) < 12:
            at = int(machine.next_SV[at, word])
            scores = machine.scores_SV[at].clone()
            scores[[0, START] + ([END] if not said else [])] = -torch.inf
            word = int(scores.argmax())
            said += [word] if word != END else []
        how = {"width": 1, "longest": 12, "length_penalty": 1.5, "forbidden": (0, START)}
        assert search(machine.step, machine.start(1), start=START, end=END, batch=1, **how)[0][0].ids == tuple(said)


@pytest.mark.parametrize(("penalty", "most"), [(0, 3), (0.7, 8), (1.5, 38)])
def test_the_search_stops_as_soon_as_nothing_open_can_enter(penalty, most):
    machine, steps = Machine(1, 6, 3, None), []
    machine.scores_SV[:, END] = 8

    def counted(word_R, state):
        steps.append(len(word_R))
        return machine.step(word_R, state)

    how = {"width": 2, "longest": 50, "length_penalty": penalty}
    found = search(counted, machine.start(1), start=START, end=END, batch=1, **how)
    assert found == [slow(machine, 0, **how)]
    assert len(steps) == most


def test_an_image_that_is_done_costs_nothing_while_others_go_on():
    machine, rows = Machine(2, 6, 3, None), []
    machine.next_SV = torch.tensor([[0] * 6, [1] * 6])
    machine.scores_SV[0, END], machine.scores_SV[1, END] = 30, -30

    def counted(word_R, state):
        rows.append(len(word_R))
        return machine.step(word_R, state)

    search(counted, machine.start(2), start=START, end=END, width=3, longest=9, length_penalty=0, batch=2)
    assert rows[0] == 2 and rows[1] == 6 and set(rows[2:]) == {3}


def test_words_of_probability_zero_are_not_said_even_if_fewer_sentences_are_found():
    machine = Machine(1, 5, 1, None)
    machine.scores_SV[:, 4] = -torch.inf
    how = {"width": 6, "longest": 1, "length_penalty": 0.7, "forbidden": (0, 1)}
    fast, expected = both(machine, 2, **how)
    assert [[found.ids for found in image] for image in fast] == [[(3,)], [(3,)]] and fast == expected
    assert both(machine, 0, **how) == ([], [])


@pytest.mark.parametrize("wrong", [{"width": 0}, {"longest": 0}, {"length_penalty": -0.1}, {"shortest": 4}])
def test_limits_that_allow_nothing_are_refused(wrong):
    machine = Machine(1, 5, 1, None)
    how = {"width": 2, "longest": 3, "length_penalty": 0.7, **wrong}
    with pytest.raises(ValueError, match="nothing can be found"):
        search(machine.step, machine.start(1), start=START, end=END, batch=1, **how)


def test_scores_that_are_not_numbers_stop_the_search():
    machine = Machine(1, 5, 1, None)
    machine.scores_SV[0, 3] = torch.nan
    with pytest.raises(MetricGateError, match="NaN"):
        search(machine.step, machine.start(1), start=START, end=END, width=2, longest=3, length_penalty=0, batch=1)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("cells", [1, 5])
@pytest.mark.parametrize(("dimensions", "hidden"), [(5, 7), (16, 24)])
def test_a_caption_never_depends_on_the_images_beside_it(cell, cells, dimensions, hidden):
    decoder = Decoder(31, dimensions, 6, hidden, cell, cells > 1, 0.5)
    rng = np.random.default_rng(4)
    initialise(decoder, rng)
    decoder.words.weight.data *= 5
    cells_BPD = torch.from_numpy(rng.standard_normal((9, cells, dimensions), np.float32))
    how = {"width": 3, "longest": 8, "length_penalty": 0.7}
    alone = [captions(decoder, cells_BPD[at : at + 1].clone(), **how)[0] for at in range(9)]
    mixed = cells_BPD[torch.tensor([3, 1, 8, 0, 3])].transpose(1, 2).contiguous().transpose(1, 2)
    assert captions(decoder, cells_BPD, **how) == alone
    assert captions(decoder, mixed, **how) == [alone[at] for at in (3, 1, 8, 0, 3)]
    together = captions(decoder, cells_BPD, together=4, **how)
    for one, other in zip(alone, together, strict=True):
        assert [found.ids for found in one] == [found.ids for found in other]
        np.testing.assert_allclose([found.score for found in one], [found.score for found in other], rtol=1e-5)


def test_captions_never_say_a_mark_and_are_never_empty():
    decoder = Decoder(9, 4, 6, 8, "lstm", False, 0.5)
    initialise(decoder, np.random.default_rng(0), np.array([900, 900, 9000, 900, 1, 1, 1, 1, 1]))
    found = captions(decoder, torch.ones(2, 1, 4), width=4, longest=3, length_penalty=0)
    assert all(len(image) == 4 and all(min(one.ids) > 3 for one in image) for image in found)
