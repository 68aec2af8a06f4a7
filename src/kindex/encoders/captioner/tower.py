"""A text tower: a description becomes a vector in the space of the images, to be searched by (Kiros et al. 2014).

The words are the decoder's own table, so what captions teach of a word helps to find by it, and the other way round. A GRU
reads them, and each number of the answer is the largest that the GRU said at any word (max pooling, as in Faghri et al. 2018).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize


class Tower(nn.Module):
    """Words (B, T, W) -> unit vectors (B, D)."""

    def __init__(self, word_dimensions: int, hidden: int, dimensions: int) -> None:
        super().__init__()
        self.recurrent = nn.GRU(word_dimensions, hidden, batch_first=True)
        self.out = nn.Linear(hidden, dimensions)

    def forward(self, words_BTW: Tensor, written_BT: Tensor) -> Tensor:
        """`written_BT` is False behind the end of a text; each has a word at least."""
        hidden_BTH, _ = self.recurrent(words_BTW)
        said_BH = hidden_BTH.masked_fill(~written_BT[..., None], -torch.inf).amax(1)
        return normalize(self.out(said_BH), dim=1)


def matched(text_BD: Tensor, image_ND: Tensor, other_BN: Tensor, scale: Tensor) -> Tensor:
    """InfoNCE both ways (van den Oord et al. 2018; Radford et al. 2021, figure 3): text b belongs to image b of N >= B.

    `other_BN` marks images that are shown under another row but are the text's own: they are no negatives.
    """
    scores_BN = (text_BD @ image_ND.T * scale).masked_fill(other_BN, -torch.inf)
    own_B = torch.arange(len(text_BD))
    return (cross_entropy(scores_BN, own_B) + cross_entropy(scores_BN[:, : len(text_BD)].T, own_B)) / 2
