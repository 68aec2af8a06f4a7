"""Losses, as functions of scores; each is tested against slow loops and by finite differences."""

import torch
from torch import Tensor
from torch.nn.functional import softplus


def linked_softmax(
    positive_P: Tensor, place_P: Tensor, negative_BU: Tensor, log_weight_U: Tensor, counted_P: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Negative log likelihood, summed over P links, of a softmax over all right items for each of B left items.

    positive_P: scores of the links; place_P: which of the B left items each belongs to; negative_BU: scores of the shared
    negatives, -inf where the pair is a known link; log_weight_U: what each negative counts for in the denominator;
    counted_P: what each link counts (None: 1). The denominator, one for each left item, is its own links exactly plus the
    weighted negatives. Returns the sum and its derivatives by positive_P (P) and by negative_BU (B, U).
    """
    weighted_BU = negative_BU + log_weight_U
    counted_P = torch.ones_like(positive_P) if counted_P is None else counted_P
    n_left = len(weighted_BU)
    # the largest exponent of each left item, so that exp cannot overflow
    top_B = weighted_BU.amax(1).scatter_reduce(0, place_P, positive_P, "amax")
    others_BU = torch.exp(weighted_BU - top_B[:, None])
    own_P = torch.exp(positive_P - top_B[place_P])
    sum_B = others_BU.sum(1) + own_P.new_zeros(n_left).index_add(0, place_P, own_P)
    counted_B = counted_P.new_zeros(n_left).index_add(0, place_P, counted_P)
    share_B = counted_B / sum_B
    loss = (counted_P * ((top_B + torch.log(sum_B))[place_P] - positive_P)).sum()
    return loss, share_B[place_P] * own_P - counted_P, share_B[:, None] * others_BU


def logistic(positive_B: Tensor, negative_BN: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Binary cross entropy on the sigmoid of the score, summed: links are 1, negatives 0.

    positive_B: scores of links; negative_BN: scores of the N negatives of each. Returns the sum and its derivatives by both.
    """
    loss = softplus(-positive_B).sum() + softplus(negative_BN).sum()
    return loss, -torch.sigmoid(-positive_B), torch.sigmoid(negative_BN)


def squared(positive_B: Tensor, negative_BN: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Squared error of the score, summed: links should score 1, negatives -1. Arguments and results as of `logistic`."""
    loss = (positive_B - 1).square().sum() + (negative_BN + 1).square().sum()
    return loss, 2 * (positive_B - 1), 2 * (negative_BN + 1)


def bpr(positive_B: Tensor, negative_BN: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bayesian personalised ranking, summed: -log σ(link - negative) for each negative (Rendle et al. 2009).

    Arguments and results as of `logistic`.
    """
    ahead_BN = positive_B[:, None] - negative_BN
    pull_BN = torch.sigmoid(-ahead_BN)
    return softplus(-ahead_BN).sum(), -pull_BN.sum(1), pull_BN


def reconstruction_error(made_NCHW: Tensor, given_NCHW: Tensor) -> Tensor:
    """Mean over images of the squared error, summed over the pixels and channels of one image."""
    return ((made_NCHW - given_NCHW) ** 2).flatten(1).sum(1).mean()
