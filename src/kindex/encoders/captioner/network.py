"""The one network of a captioner: image features → a vector; the vector → words (decoder); words → a vector (tower).

What is fitted of the image side is `Config.tuning`:

    frozen      nothing: the vector is made of the backbone's features by principal components of the train images
    head        the linear layer from features to the vector; the backbone stays as it was (Vinyals et al. 2015, section 4.3.1)
    fine_tuned  the backbone as well, a tenth as fast

A backbone from scratch is always fitted as a whole.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from kindex.encoders.captioner.config import Config
from kindex.encoders.captioner.decoder import Decoder, initialise
from kindex.encoders.captioner.tokens import END, PAD, START
from kindex.encoders.captioner.tower import Tower, matched

TEMPERATURE = 0.07
"""Where the learnt temperature of the contrastive loss begins (Radford et al. 2021, section 2.5)."""


class Network(nn.Module):
    """All that is learnt but for the backbone, whose features it is given. `channels`: C of a feature; `words`: V."""

    mean_C: Tensor
    deviation_C: Tensor

    def __init__(self, channels: int, words: int, config: Config) -> None:
        super().__init__()
        self.config, self.length = config, math.sqrt(config.dimensions)
        self.register_buffer("mean_C", torch.zeros(channels))
        self.register_buffer("deviation_C", torch.ones(channels))
        self.head = nn.Linear(channels, config.dimensions)
        self.decoder = Decoder(
            words,
            config.dimensions,
            config.word_dimensions,
            config.hidden,
            config.cell,
            config.attention,
            config.dropout,
        )
        self.tower = Tower(config.word_dimensions, config.hidden, config.dimensions)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / TEMPERATURE)))

    def cells(self, features_BPC: Tensor) -> Tensor:
        """The cells (B, P, D) that the decoder looks at. Their mean has the length sqrt(D), and the direction of the image's
        vector: the decoder sees what an index by cosine sees, and nothing else."""
        standard_BPC = (features_BPC - self.mean_C) / self.deviation_C
        cells_BPD = self.head(self.dropped(standard_BPC, self.config.image_dropout))
        mean_BD = cells_BPD.mean(1)
        return cells_BPD * (self.length / mean_BD.norm(dim=1).clamp(min=1e-6))[:, None, None]

    def of_vectors(self, vectors_BD: Tensor) -> Tensor:
        """Image vectors as cells, one for each image."""
        return normalize(vectors_BD, dim=1)[:, None] * self.length

    def vectors(self, cells_BPD: Tensor) -> Tensor:
        """Unit image vectors (B, D) of cells."""
        return cells_BPD.mean(1) / self.length

    def text_vectors(self, words_BT: Tensor) -> Tensor:
        """Unit vectors (B, D) of texts, each beginning with START; what follows END does not count."""
        told_BT = words_BT[:, 1:]
        given_BTW = self.dropped(self.decoder.embedded(told_BT), self.config.image_dropout)
        return self.tower(given_BTW, told_BT != PAD)

    def caption_loss(self, cells_BPD: Tensor, words_BT: Tensor) -> Tensor:
        """Mean cross entropy of each next word; smoothed while training (Szegedy et al. 2016, section 7)."""
        scores_BTV = self.decoder(cells_BPD, words_BT[:, :-1])
        smoothing = self.config.label_smoothing if self.training else 0.0
        return cross_entropy(scores_BTV.flatten(0, 1), words_BT[:, 1:].flatten(), ignore_index=PAD, label_smoothing=smoothing)

    def losses(self, features_BPC: Tensor, words_BT: Tensor, image_B: Tensor) -> tuple[Tensor, Tensor]:
        """The decoder's loss and the tower's, of B captions; `image_B` numbers the image that each belongs to."""
        cells_BPD = self.cells(features_BPC)
        told = self.caption_loss(cells_BPD, words_BT)
        if not self.config.contrast:
            return told, torch.zeros(())
        other_BB = (image_B[:, None] == image_B) & ~torch.eye(len(image_B), dtype=torch.bool)
        scale = self.log_scale.clamp(max=math.log(100)).exp()
        return told, matched(self.text_vectors(words_BT), self.vectors(cells_BPD), other_BB, scale)

    def dropped(self, given: Tensor, share: float) -> Tensor:
        """Dropout whose draws come from the decoder's generator, so that one seed decides every draw of an epoch."""
        if not self.training or share == 0:
            return given
        kept = torch.rand(given.shape, generator=self.decoder.random) >= share
        return given * kept / (1 - share)


def begin(network: Network, counts_V: np.ndarray, rng: np.random.Generator) -> None:
    """All weights from `rng`: normal with variance 1 / inputs, biases 0."""
    initialise(network.decoder, rng, counts_V)
    with torch.no_grad():
        for part in (network.head, network.tower):
            for parameter in part.parameters():
                if parameter.ndim == 1:
                    parameter.zero_()
                else:
                    drawn = rng.standard_normal(tuple(parameter.shape), np.float32) / np.float32(math.sqrt(parameter.shape[1]))
                    parameter.copy_(torch.from_numpy(drawn))


def standardise(network: Network, features_NC: np.ndarray) -> None:
    """Take mean and deviation of each feature from the train images."""
    with torch.no_grad():
        network.mean_C.copy_(torch.from_numpy(features_NC.mean(0)))
        network.deviation_C.copy_(torch.from_numpy(features_NC.std(0) + np.float32(1e-3)))


def project(network: Network, features_NC: np.ndarray) -> None:
    """Make the head the first principal components of the standardised features of the train images, at equal variance."""
    standard_NC = (features_NC - network.mean_C.numpy()) / network.deviation_C.numpy()
    values_C, axes_CC = np.linalg.eigh(standard_NC.T.astype(np.float64) @ standard_NC / len(standard_NC))
    count = min(network.config.dimensions, len(values_C))
    axes_DC = (axes_CC[:, ::-1][:, :count] / np.sqrt(np.maximum(values_C[::-1][:count], 1e-6))).T
    axes_DC *= np.sign(axes_DC[np.arange(count), np.abs(axes_DC).argmax(1)])[:, None]
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.weight[:count] = torch.from_numpy(axes_DC.astype(np.float32))
        network.head.bias.zero_()


def padded(texts: list[list[int]], longest: int) -> Tensor:
    """Word numbers as (B, T), each START … END, cut to `longest` words, padded behind."""
    rows = [[START, *text[:longest], END] for text in texts]
    words_BT = torch.full((len(rows), max(map(len, rows))), PAD)
    for row, words in zip(words_BT, rows, strict=True):
        row[: len(words)] = torch.tensor(words)
    return words_BT
