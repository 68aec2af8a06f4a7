"""Losses, as functions of scores; each is tested against slow loops and by finite differences."""

import torch
from torch import Tensor


def linked_softmax(positive_P: Tensor, place_P: Tensor, negative_BU: Tensor, log_weight_U: Tensor) -> Tensor:
    """Negative log likelihood, summed over P links, of a softmax over all right items for each of B left items.

    positive_P: scores of the links; place_P: which of the B left items each belongs to; negative_BU: scores of the shared
    negatives, -inf where the pair is a known link; log_weight_U: what each negative counts for in the denominator.
    The denominator, one for each left item, is its own links exactly plus the weighted negatives.
    """
    weighted_BU = negative_BU + log_weight_U
    n_left = len(weighted_BU)
    with torch.no_grad():  # the largest exponent of each left item, so that exp cannot overflow
        top_B = weighted_BU.amax(1).scatter_reduce(0, place_P, positive_P, "amax")
    others_B = torch.exp(weighted_BU - top_B[:, None]).sum(1)
    own_B = positive_P.new_zeros(n_left).index_add(0, place_P, torch.exp(positive_P - top_B[place_P]))
    log_sum_B = top_B + torch.log(others_B + own_B)
    return (log_sum_B[place_P] - positive_P).sum()


def reconstruction_error(made_NCHW: Tensor, given_NCHW: Tensor) -> Tensor:
    """Mean over images of the squared error, summed over the pixels and channels of one image."""
    return ((made_NCHW - given_NCHW) ** 2).flatten(1).sum(1).mean()
