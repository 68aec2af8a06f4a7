"""Objectives that tell a link from a few negatives of its own: classification, regression and BPR, in minibatches of links.

    classification  binary cross entropy on the sigmoid of scale · score + bias
    regression      squared error of score + bias, which should be 1 for a link and -1 for a negative
    bpr             scale · score of a link should be above that of a negative of the same left item (Rendle et al. 2009)

The score is a dot product, or with `normalise` a cosine; then all vectors that are kept have length 1. The bias is learnt, and
of cosines the scale. docs/families/pairs-objectives.md has the first book recommender (Koehrsen 2018) as settings.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from kindex.encoders.pairs.batch import Batch
from kindex.encoders.pairs.config import Config
from kindex.encoders.pairs.unlinked import Unlinked
from kindex.encoders.parts.adagrad import RowAdagrad
from kindex.encoders.parts.adam import RowAdam
from kindex.encoders.parts.dropout import dropout_mask
from kindex.encoders.parts.links import Links
from kindex.encoders.parts.losses import bpr, logistic, squared

Validate = Callable[[Tensor, Tensor], float | None]

LOSSES = {"classification": logistic, "regression": squared, "bpr": bpr}


class Sampled:
    """Two tables and a head (scale, bias) while they are learnt; see `kindex.encoders.parts.loop.Learner`."""

    def __init__(self, known: Links, start: tuple[Tensor, Tensor], config: Config, validate: Validate) -> None:
        self.known, self.config, self._validate = known, config, validate
        self.loss = LOSSES[config.objective]
        head_21 = start[0].new_tensor([[1.0], [0.0]])
        self.tables = {"left": start[0], "right": start[1], "head": head_21}
        self.optimisers = {name: _optimiser(table, config) for name, table in self.tables.items()}
        scaled = config.normalise and config.objective != "regression"
        self.learnt_21 = start[0].new_tensor([[scaled], [config.objective != "bpr"]])
        self.unlinked = Unlinked(known, config.sampling_power)
        self.left_P = known.left_P()
        # a left item that is linked to everything has no negatives, and nothing to be told apart
        self.open_P = np.flatnonzero(self.unlinked.free_L[self.left_P])
        self.decay = config.weight_decay / math.sqrt(max(len(known), 1) / max(known.n_left, 1))

    @property
    def left_LD(self) -> Tensor:
        """Vectors whose dot products with `right_RD` are the scores."""
        return self._scored(self.tables["left"])

    @property
    def right_RD(self) -> Tensor:
        return self._scored(self.tables["right"])

    def epoch(self, remaining: float, rng: np.random.Generator) -> dict[str, float]:
        """Each link once, in a new order; the rate is that of softmax, `learning_rate` · `remaining`."""
        order_P = rng.permutation(self.open_P)
        rate, total = self.config.learning_rate * remaining, 0.0
        for start in range(0, len(order_P), self.config.batch_size):
            links_B = np.sort(order_P[start : start + self.config.batch_size])
            left_B = self.left_P[links_B]
            negatives_BN = self.unlinked.draw(left_B, self.config.draws, rng)
            total += self._step(left_B, np.column_stack([self.known.right_P[links_B], negatives_BN]), rate, rng)
            if not math.isfinite(total):
                break
        return {"loss": total / max(len(order_P), 1), "learning_rate": rate}

    def _step(self, left_B: np.ndarray, right_BK: np.ndarray, rate: float, rng: np.random.Generator) -> float:
        """One batch: left rows, ascending, and for each the right row of its link and those of its negatives."""
        batch = Batch.of(left_B, right_BK, self.tables["left"].device)
        left_U, right_C = batch.rows()
        own_UD, right_CD = self.tables["left"][left_U], self.tables["right"][right_C]
        kept_UD = torch.from_numpy(dropout_mask(own_UD.shape, self.config.dropout, rng)).to(own_UD)
        left_UD = own_UD * kept_UD
        left_scored_UD, right_scored_CD = self._scored(left_UD), self._scored(right_CD)

        product_BK = batch.products(left_scored_UD, right_scored_CD).view(right_BK.shape)
        scale, bias = self.tables["head"][:, 0]
        score_BK = scale * product_BK + bias
        loss, positive_B, negative_BN = self.loss(score_BK[:, 0], score_BK[:, 1:])

        pull_BK = torch.cat([positive_B[:, None], negative_BN], 1)
        pull_S = scale * pull_BK.ravel()
        left_gradient_UD = self._through(left_UD, batch.matrix(pull_S) @ right_scored_CD) * kept_UD
        right_gradient_CD = self._through(right_CD, batch.turned(pull_S) @ left_scored_UD)
        # a pair pulls both of its rows to zero, so that a link and its negatives do it with `decay`
        left_U1, right_C1 = (count_N1.to(own_UD) * (self.decay / right_BK.shape[1]) for count_N1 in batch.counts())
        head_21 = torch.stack([(pull_BK * product_BK).sum(), pull_BK.sum()])[:, None] * self.learnt_21
        self.optimisers["left"].step(left_U, left_gradient_UD.addcmul_(left_U1, own_UD), rate)
        self.optimisers["right"].step(right_C, right_gradient_CD.addcmul_(right_C1, right_CD), rate)
        self.optimisers["head"].step(torch.arange(2, device=head_21.device), head_21, rate)
        return float(loss)

    def _scored(self, table_ND: Tensor) -> Tensor:
        """The rows as they enter a dot product."""
        return table_ND / _length(table_ND) if self.config.normalise else table_ND

    def _through(self, table_ND: Tensor, gradient_ND: Tensor) -> Tensor:
        """The derivative by the rows, of that by the rows as they were scored."""
        if not self.config.normalise:
            return gradient_ND
        unit_ND = self._scored(table_ND)
        return (gradient_ND - (gradient_ND * unit_ND).sum(1, keepdim=True) * unit_ND) / _length(table_ND)

    def validate(self) -> float | None:
        return self._validate(self.left_LD, self.right_RD)

    def model(self) -> dict[str, Tensor]:
        return self.tables

    def memory(self) -> dict[str, Tensor]:
        return {
            f"{name}_{moment}": getattr(optimiser, moment)
            for name, optimiser in self.optimisers.items()
            for moment in (("mean_VD", "square_VD", "steps_1") if isinstance(optimiser, RowAdam) else ("squares_V",))
        }


def _optimiser(table_VD: Tensor, config: Config) -> RowAdagrad | RowAdam:
    return RowAdam(table_VD) if config.optimiser == "adam" else RowAdagrad(table_VD)


def _length(table_ND: Tensor) -> Tensor:
    """Of each row, as a column; a row of zeros keeps its zeros."""
    return table_ND.norm(dim=1, keepdim=True).clamp(min=1e-12)
