"""Steps of the softmax against autograd through the formula written out, with weights, dropout and both kinds of negatives."""

import math

import numpy as np
import pytest
import torch

from kindex.encoders.pairs.config import Config
from kindex.encoders.pairs.softmax import Softmax
from kindex.encoders.parts.links import Links
from kindex.encoders.parts.loop import copied, held, put_back
from kindex.encoders.parts.sampling import Negatives
from tests.encoders.pairs.small import groups, links_of, table

N_LEFT, N_RIGHT, D = 12, 15, 4
RATE = 0.1


def known(weighted: bool = True) -> Links:
    dense = groups(N_LEFT, N_RIGHT, weighted=weighted)
    dense[3] = dense[:, 4] = 0
    return links_of(dense, weighted)


def learner(links: Links, **settings: object) -> Softmax:
    config = Config(**{"objective": "softmax", "dimensions": D, "negatives": 6, "batch": 5, **settings})  # type: ignore[arg-type]
    return Softmax(links, (0.5 * table(N_LEFT, D, 0), 0.5 * table(N_RIGHT, D, 1)), config, lambda left, right: None)


def naive(
    links: Links, left_LD: torch.Tensor, right_RD: torch.Tensor, left_B: np.ndarray, drawn: Negatives, kept_BD: torch.Tensor
) -> torch.Tensor:
    """The loss of a batch, one link at a time."""
    total = torch.zeros((), dtype=torch.float64)
    for place, left in enumerate(left_B.tolist()):
        own = range(int(links.start_L1[left]), int(links.start_L1[left + 1]))
        linked = [int(links.right_P[at]) for at in own]
        scores_R = right_RD @ (left_LD[left] * kept_BD[place])
        denominator = torch.exp(scores_R[linked]).sum()
        for right, log_weight in zip(drawn.rows_U.tolist(), drawn.log_weight_U.tolist(), strict=True):
            if right not in linked:
                denominator = denominator + math.exp(log_weight) * torch.exp(scores_R[right])
        for at, right in zip(own, linked, strict=True):
            counted = 1.0 if links.value_P is None else float(links.value_P[at])
            total = total + counted * (torch.log(denominator) - scores_R[right])
    return total


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(("negatives", "dropout"), [(6, 0.0), (6, 0.4), (500, 0.0), (500, 0.4)])
def test_a_step_follows_the_gradient_of_the_formula(weighted: bool, negatives: int, dropout: float) -> None:
    links = known(weighted)
    made = learner(links, negatives=negatives, dropout=dropout)
    left_B, share = np.array([7, 0, 11, 2]), 0.25
    twin = np.random.default_rng(3)
    drawn = made.sampler.draw(twin)
    kept_BD = torch.from_numpy((twin.random((4, D), np.float32) < 1 - dropout) / (1 - dropout))
    left, right = (part.double().clone().requires_grad_() for part in (made.left_LD, made.right_RD))
    loss = naive(links, left, right, left_B, drawn, kept_BD)
    rows_C = sorted({*drawn.rows_U.tolist(), *links.of_rows(left_B)[1].tolist()})
    decay = 0.5 * math.sqrt(len(links) / N_LEFT)
    (loss + decay * left[left_B].square().sum() + share * decay * right[rows_C].square().sum()).backward()

    wanted = []
    for vectors in (left, right):  # a first step of row-wise Adagrad goes rate · gradient / its root mean square
        length = vectors.grad.square().mean(1, keepdim=True).sqrt()
        wanted.append(vectors.detach() - RATE * vectors.grad / (length + 1e-8))
    found = made._step(left_B, RATE, share, np.random.default_rng(3))
    assert found == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(made.left_LD.numpy(), wanted[0].numpy(), atol=2e-5)
    np.testing.assert_allclose(made.right_RD.numpy(), wanted[1].numpy(), atol=2e-5)


def test_with_as_many_draws_as_right_items_it_is_the_exact_softmax() -> None:
    links = known(False)
    made = learner(links, negatives=N_RIGHT, dropout=0.0)
    scores_LR = torch.log_softmax(made.left_LD @ made.right_RD.T, 1)
    left_B = np.array([1, 5])
    place_P, right_P = links.of_rows(left_B)
    wanted = -float(scores_LR[left_B[place_P], right_P].sum())
    assert made._step(left_B, RATE, 1.0, np.random.default_rng(0)) == pytest.approx(wanted, rel=1e-5)


def test_an_epoch_is_a_step_for_each_batch_of_linked_left_rows() -> None:
    made, by_hand = learner(known()), learner(known())
    numbers = made.epoch(0.5, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    order = rng.permutation([row for row in range(N_LEFT) if row != 3])
    losses = [by_hand._step(order[at : at + 5], 0.05, 1 / 3, rng) for at in (0, 5, 10)]
    assert numbers == {"loss": pytest.approx(sum(losses) / len(known())), "learning_rate": pytest.approx(0.05)}
    assert torch.equal(made.left_LD, by_hand.left_LD) and torch.equal(made.right_RD, by_hand.right_RD)


def test_rows_without_links_keep_their_vectors() -> None:
    made = learner(known())
    before = made.left_LD[3].clone()
    made.epoch(1.0, np.random.default_rng(0))
    assert torch.equal(made.left_LD[3], before)


def test_what_it_remembers_takes_it_up_where_it_was() -> None:
    undisturbed, stopped = learner(known()), learner(known())
    undisturbed.epoch(1.0, np.random.default_rng(0))
    arrays = copied(held(undisturbed))
    undisturbed.epoch(0.5, np.random.default_rng(1))
    put_back(arrays, held(stopped))
    stopped.epoch(0.5, np.random.default_rng(1))
    for name, tensor in held(undisturbed).items():
        assert torch.equal(tensor, held(stopped)[name])
