"""Turning the spaces of a fitted network: what makes a vector is turned, and what reads one is turned the other way."""

import numpy as np
import torch
from torch import Tensor, nn

from kindex.encoders.captioner.network import Network


@torch.no_grad()
def turn_network(network: Network, image_DD: np.ndarray | None, word_WW: np.ndarray | None) -> None:
    """Turn image and description vectors by `image_DD`, words by `word_WW` (both orthogonal, float64); None leaves them."""
    decoder, tower = network.decoder, network.tower
    if image_DD is not None:
        turn_DD = torch.from_numpy(image_DD)
        for makes in (network.head, tower.out):
            _made(makes, turn_DD)
        _part(decoder.recurrent.get_parameter("weight_ih_l0"), slice(decoder.word_dimensions, None), turn_DD)
        if decoder.attention:
            _part(decoder.keys.weight, slice(None), turn_DD)
    if word_WW is not None:
        turn_WW = torch.from_numpy(word_WW)
        _part(decoder.words.weight, slice(None), turn_WW)
        _made(decoder.spoken, turn_WW)  # it is held against the table of the words
        _part(decoder.recurrent.get_parameter("weight_ih_l0"), slice(decoder.word_dimensions), turn_WW)
        _part(tower.recurrent.get_parameter("weight_ih_l0"), slice(None), turn_WW)


def _made(layer: nn.Linear, turn_DD: Tensor) -> None:
    """A layer whose answers are turned."""
    layer.weight.copy_(turn_DD.T @ layer.weight.double())
    layer.bias.copy_(layer.bias.double() @ turn_DD)


def _part(weight_OI: Tensor, columns: slice, turn_DD: Tensor) -> None:
    """Some columns of a matrix, times the rotation: a layer that reads turned vectors, or a table of them."""
    weight_OI[:, columns] = (weight_OI[:, columns].double() @ turn_DD).to(weight_OI.dtype)
