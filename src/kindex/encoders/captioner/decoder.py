"""A recurrent network that tells an image in words, one after the other (Vinyals et al. 2015; Xu et al. 2015).

The image is given beside each word, either whole or, with attention, as the mean of its cells weighed by what the network is
about to say; the first state is 0. Vinyals et al. give it once, before the first word: on made-up captions, of few and noisy
images as of many, that left a validation loss 1.5 to 2 times as large; an image that only sets the first state, 1.4 to 1.7.

The words that go in and the words that come out share one table (Press & Wolf 2017; Inan et al. 2017): words which may stand
for one another in a caption come to lie near one another. Vectors of the table are of length about 1, which suits what comes
out; what goes in is scaled by sqrt(W), or the image would drown it.
"""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

State = tuple[Tensor, ...]
"""What is known after some words: B rows in each tensor, so that a search can pick rows with `tensor[rows]`."""


class Decoder(nn.Module):
    """Image cells and the words so far -> scores of the next word.

    vocabulary: V words, the marks included; dimensions: D of a cell; word_dimensions: W; hidden: H of the recurrent cell;
    dropout: share of the numbers of a word, and of the state that speaks, set to 0 in training mode. Its draws come from
    `random` alone: seed that at the start of each epoch, and a resumed fit draws what an undisturbed one does.
    """

    def __init__(
        self,
        vocabulary: int,
        dimensions: int,
        word_dimensions: int,
        hidden: int,
        cell: Literal["lstm", "gru"],
        attention: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.word_dimensions, self.cell, self.attention, self.dropout = word_dimensions, cell, attention, dropout
        self.random = torch.Generator().manual_seed(0)
        self.words = nn.Embedding(vocabulary, word_dimensions)
        self.recurrent = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](word_dimensions + dimensions, hidden, batch_first=True)
        self.spoken = nn.Linear(hidden, word_dimensions)
        self.bias_V = nn.Parameter(torch.zeros(vocabulary))
        if attention:
            self.keys = nn.Linear(dimensions, dimensions)
            self.query = nn.Linear(hidden, dimensions, bias=False)
            self.energy = nn.Linear(dimensions, 1, bias=False)

    def start(self, cells_BPD: Tensor) -> State:
        """The state before the first word, from P cells of each of B images; their mean is the image's vector.

        Hidden (B, H), with an LSTM its memory (B, H), then what the image is for the steps to come.
        """
        nothing_BH = cells_BPD.new_zeros(len(cells_BPD), self.recurrent.hidden_size)
        first = (nothing_BH, nothing_BH) if self.cell == "lstm" else (nothing_BH,)
        if self.attention:
            return (*first, cells_BPD, self.keys(cells_BPD))
        return (*first, linear(cells_BPD.mean(1), self._weights()[1]))

    def embedded(self, words: Tensor) -> Tensor:
        """The vectors of words (…) as they go in, (…, W), their coordinates about 1."""
        return self.words(words) * math.sqrt(self.word_dimensions)

    def step(self, word_B: Tensor, state: State) -> tuple[Tensor, State]:
        """The scores of the word that follows `word_B` (B, V), before the softmax, and the state after `word_B`."""
        state = self._advance(self._given(self.embedded(word_B)), state)
        return self._scores(state[0]), state

    def forward(self, cells_BPD: Tensor, words_BT: Tensor) -> Tensor:
        """Teacher forcing: the scores (B, T, V) of what follows each of T words, which begin with START; a loop of `step`."""
        words_BTW = self._dropped(self.embedded(words_BT))
        if self.attention:
            state, hidden = self.start(cells_BPD), []
            for given_BG in self._given(words_BTW).unbind(1):
                state = self._advance(given_BG, state)
                hidden.append(state[0])
            return self._scores(self._dropped(torch.stack(hidden, 1)))
        image_BTD = cells_BPD.mean(1)[:, None].expand(-1, words_BT.shape[1], -1)
        hidden_BTH, _ = self.recurrent(torch.cat((words_BTW, image_BTD), 2))
        return self._scores(self._dropped(hidden_BTH))

    def _weights(self) -> tuple[Tensor, Tensor]:
        """The two parts of the input weights: of a word (G, W) and of the image (G, D); G numbers for all gates."""
        weight_GI = self.recurrent.weight_ih_l0
        return weight_GI[:, : self.word_dimensions], weight_GI[:, self.word_dimensions :]

    def _given(self, words: Tensor) -> Tensor:
        """What words (…, W) bring to the gates (…, G)."""
        return linear(words, self._weights()[0], self.recurrent.bias_ih_l0)

    def _advance(self, words_BG: Tensor, state: State) -> State:
        hidden_BH = state[0]
        image_BG = linear(self._attended(state[-2], state[-1], hidden_BH), self._weights()[1]) if self.attention else state[-1]
        given_BG = words_BG + image_BG
        past_BG = linear(hidden_BH, self.recurrent.weight_hh_l0, self.recurrent.bias_hh_l0)
        if self.cell == "lstm":
            let, keep, new, out = (given_BG + past_BG).chunk(4, 1)
            memory_BH = torch.sigmoid(keep) * state[1] + torch.sigmoid(let) * torch.tanh(new)
            return (torch.sigmoid(out) * torch.tanh(memory_BH), memory_BH, *state[2:])
        (reset, update, new), (past_reset, past_update, past_new) = given_BG.chunk(3, 1), past_BG.chunk(3, 1)
        new_BH = torch.tanh(new + torch.sigmoid(reset + past_reset) * past_new)
        update_BH = torch.sigmoid(update + past_update)
        return ((1 - update_BH) * new_BH + update_BH * hidden_BH, *state[1:])

    def _attended(self, cells_BPD: Tensor, keys_BPD: Tensor, hidden_BH: Tensor) -> Tensor:
        """The cells' mean (B, D), weighed by a softmax of energies (Xu et al. 2015, eq. 4-6); one cell weighs 1."""
        energy_BP = self.energy(torch.tanh(keys_BPD + self.query(hidden_BH)[:, None]))[..., 0]
        return (energy_BP.softmax(1)[:, None] @ cells_BPD)[:, 0]

    def _scores(self, hidden: Tensor) -> Tensor:
        """States (…, H) -> scores (…, V), by the table of the words themselves."""
        return linear(self.spoken(hidden), self.words.weight, self.bias_V)

    def _dropped(self, given: Tensor) -> Tensor:
        if not self.training or self.dropout == 0:
            return given
        kept = torch.rand(given.shape, generator=self.random) >= self.dropout
        return given * kept.to(given.device) / (1 - self.dropout)


def initialise(decoder: Decoder, rng: np.random.Generator, counts_V: np.ndarray | None = None) -> None:
    """Weights from `rng`, normal with variance 1 / inputs, biases 0: one generator decides everything, dropout too.

    An LSTM begins by keeping its memory (forget bias 1; Jozefowicz et al. 2015). `counts_V`, how often each word is said,
    makes the first scores the words' log frequencies, so that the table of the words need not learn them.
    """
    with torch.no_grad():
        for parameter in decoder.parameters():
            if parameter.ndim == 1:
                parameter.zero_()
            else:
                shape, deviation = tuple(parameter.shape), np.float32(1 / math.sqrt(parameter.shape[1]))
                parameter.copy_(torch.from_numpy(rng.standard_normal(shape, np.float32) * deviation))
        if decoder.cell == "lstm":
            decoder.recurrent.bias_ih_l0.chunk(4)[1].fill_(1)
        if counts_V is not None:
            decoder.bias_V.copy_(torch.from_numpy(np.log((counts_V + 1) / (counts_V + 1).sum())))
    decoder.random.manual_seed(int(rng.integers(2**63)))
