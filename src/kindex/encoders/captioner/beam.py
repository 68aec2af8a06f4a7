"""Beam search: the likeliest sentences of a network that says one word after another (Sutskever et al. 2014, section 3.2).

Each step goes on with the `width` likeliest beginnings of a sentence, of equal length and among all continuations; those that
just ended leave the beam. Of all ended ones the best `width` by score are kept, score = log-probability / lp, where
lp = ((5 + length) / 6) ** penalty (Wu et al. 2016, eq. 14) keeps long sentences from losing by their length alone; END counts
as a word in it. A beam of width 1 is the greedy choice of the likeliest word.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kindex.core.errors import MetricGateError
from kindex.encoders.captioner.decoder import Decoder, State
from kindex.encoders.captioner.tokens import END, PAD, START, UNKNOWN

Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""Words (R) and a state of R rows -> scores of the next word (R, V) before the softmax, and the state of R rows after."""


@dataclass(frozen=True)
class Found:
    """A sentence without START and END, and its score: larger is likelier, never above 0."""

    ids: tuple[int, ...]
    score: float


@torch.inference_mode()
def search(
    step: Step,
    state: State,
    *,
    start: int,
    end: int,
    width: int,
    longest: int,
    length_penalty: float,
    forbidden: Sequence[int] = (),
    batch: int,
    shortest: int = 1,
) -> list[list[Found]]:
    """For each of B = `batch` starts, rows of `state`, up to `width` sentences of `shortest` to `longest` words, best first.

    All open beginnings of all images advance in one call of `step`. Sums are made in float64 of float32 log-probabilities;
    where two are equal the one of the earlier beam goes first, then of the smaller word, and a sentence that ended earlier
    stays before a later one. A sentence of `longest` words must end. Words of probability 0 are never said.
    Raises `ValueError` at a width or a length that allows nothing, `MetricGateError` when a score is not a number.
    """
    if width < 1 or longest < max(shortest, 1) or length_penalty < 0:
        raise ValueError(
            f"width {width}, words {shortest} to {longest}, length penalty {length_penalty}: nothing can be found"
        )
    beams = _Beams(batch, width, [((5 + words + 1) / 6) ** length_penalty for words in range(longest + 1)])
    word_R, rows_R = np.full(batch, start), np.arange(batch)
    for words in range(longest + 1):
        state = tuple(tensor[torch.from_numpy(rows_R)] for tensor in state)
        scores_RV, state = step(torch.from_numpy(word_R), state)
        log_RV = torch.log_softmax(scores_RV.float(), 1)
        if torch.isnan(log_RV).any():
            raise MetricGateError("the decoder's scores are not numbers (NaN): its training diverged; fit it again")
        log_RV[:, list(forbidden)] = -torch.inf
        if words == longest:
            log_RV[:, :end] = log_RV[:, end + 1 :] = -torch.inf
        elif words < shortest:
            log_RV[:, end] = -torch.inf
        rows_R, word_R = beams.advance(log_RV, end)
        if not len(rows_R):
            break
    return beams.kept


def captions(
    decoder: Decoder, cells_BPD: Tensor, *, width: int, longest: int, length_penalty: float, together: int = 1
) -> list[list[Found]]:
    """The captions of B images, each from P cells, by ids of the decoder's words, best first; see `search`.

    `together` images are searched in one batch. A matrix product of other height rounds its rows otherwise, so captions
    searched together may differ in the last bits of a score, and a caption by a word where two are almost equal. With 1, a
    caption depends on its image alone.
    """
    found: list[list[Found]] = []
    with torch.inference_mode():
        for part_SPD in cells_BPD.split(together):
            cells_SPD = part_SPD.clone(memory_format=torch.contiguous_format)  # where it lies in memory changes bits too
            found += search(
                decoder.step,
                decoder.start(cells_SPD),
                start=START,
                end=END,
                width=width,
                longest=longest,
                length_penalty=length_penalty,
                forbidden=(PAD, START, UNKNOWN),
                batch=len(cells_SPD),
            )
    return found


class _Beams:
    """The open beginnings of B sentences, R rows in the order of images then of rank, and the ended ones kept so far."""

    def __init__(self, batch: int, width: int, length_L: list[float]) -> None:
        self.width, self.length_L = width, length_L  # what divides the log-probability of a sentence of L words
        self.image_R, self.total_R = np.arange(batch), np.zeros(batch)
        self.said_RT = np.empty((batch, 0), np.int64)
        self.kept: list[list[Found]] = [[] for _ in range(batch)]

    def advance(self, log_RV: Tensor, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Go on by one word with log-probabilities (R, V): which rows the new ones came from, and their words."""
        row_C, word_C, total_C = self._best(log_RV)
        open_C = np.ones(len(row_C), bool)
        for place in np.flatnonzero(word_C == end).tolist():
            open_C[place] = False
            self._keep(self.image_R[row_C[place]], self.said_RT[row_C[place]], float(total_C[place]))
        row_C, word_C, total_C = row_C[open_C], word_C[open_C], total_C[open_C]
        going_C = self._can_improve(self.image_R[row_C], total_C)
        row_R, word_R, self.total_R = row_C[going_C], word_C[going_C], total_C[going_C]
        self.image_R = self.image_R[row_R]
        self.said_RT = np.concatenate((self.said_RT[row_R], word_R[:, None]), 1)
        return row_R, word_R

    def _best(self, log_RV: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, words and totals of each image's best continuations: falling totals, equal ones by row, then by word."""
        total_RV = log_RV.double() + torch.from_numpy(self.total_R)[:, None]
        least_R = total_RV.topk(min(self.width, total_RV.shape[1]), 1).values[:, -1:]
        row_C, word_C = np.nonzero(
            ((total_RV >= least_R) & (total_RV > -torch.inf)).numpy()
        )  # topk alone orders ties at random
        total_C = total_RV.numpy()[row_C, word_C]
        image_C = self.image_R[row_C]
        order_C = np.lexsort((word_C, row_C, -total_C, image_C))
        image_C = image_C[order_C]
        rank_C = np.arange(len(image_C)) - np.searchsorted(image_C, image_C)
        best_C = order_C[rank_C < self.width]
        return row_C[best_C], word_C[best_C], total_C[best_C]

    def _keep(self, image: int, ids: np.ndarray, total: float) -> None:
        kept = self.kept[image]
        kept.append(Found(tuple(ids.tolist()), total / self.length_L[len(ids)]))
        kept.sort(key=lambda found: -found.score)  # stable: what ended earlier stays before
        del kept[self.width :]

    def _can_improve(self, image_C: np.ndarray, total_C: np.ndarray) -> np.ndarray:
        """Which open rows belong to an image whose best open row may still enter what is kept (C bool).

        A total only falls as words are added, and the divisor is largest at `longest`, so total / divisor(longest) bounds all
        that an open row can become; with a penalty of 0 the divisor is 1. An equal score does not enter. Rows stay or go with
        their whole image, because a row dropped alone would make room for worse ones and change what is found.
        """
        worst_B = np.array([kept[-1].score if len(kept) == self.width else -np.inf for kept in self.kept])
        hopeful_B = np.zeros(len(self.kept), bool)
        hopeful_B[image_C[total_C / self.length_L[-1] > worst_B[image_C]]] = True
        return hopeful_B[image_C]
