"""A captioner while it is learnt; see `kindex.encoders.parts.loop.Learner`."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from kindex.encoders.captioner.config import Config
from kindex.encoders.captioner.network import Network, padded
from kindex.encoders.captioner.pictures import Pictures
from kindex.encoders.parts import torch_adam

WARMING = 100
"""Steps over which the learning rate rises, for Adam's first estimates are rough; at most a tenth of all steps."""

SLOWER = 0.1
"""Learning rate of a pre-trained backbone that is fine-tuned, as a share of the others'."""

SORTED = 20
"""Batches that are drawn together and divided by length, so that little of a batch is padding."""

VALIDATED = 250
"""Captions that are validated together."""


@dataclass(frozen=True)
class Told:
    """Captions as word numbers, and the row of the image that each tells of."""

    words: list[list[int]]
    image_N: np.ndarray

    def batch(self, rows: np.ndarray, longest: int) -> tuple[Tensor, np.ndarray]:
        """Words (B, T) and image rows (B)."""
        return padded([self.words[row] for row in rows], longest), self.image_N[rows]


class Fitting:
    """`pictures` give the features of image rows; `shown` and `hidden` are captions of other images each."""

    def __init__(self, network: Network, pictures: Pictures, shown: Told, hidden: Told, config: Config) -> None:
        self.network, self.pictures, self.shown, self.hidden, self.config = network, pictures, shown, hidden, config
        self.modules = nn.ModuleDict({"network": network})
        slow = SLOWER if config.backbone != "scratch" else 1.0
        if config.tuning == "frozen":
            network.head.requires_grad_(False)
        own = [parameter for parameter in network.parameters() if parameter.requires_grad]
        groups = [{"params": own, "share": 1.0}]
        if pictures.backbone is not None:
            self.modules["backbone"] = pictures.backbone
            groups.append({"params": list(pictures.backbone.parameters()), "share": slow})
        self.fitted = [(name, parameter) for name, parameter in self.modules.named_parameters() if parameter.requires_grad]
        self.optimiser = torch_adam.prepared(torch.optim.Adam(groups, lr=config.learning_rate, betas=(0.9, 0.98)))
        self.steps_1 = torch.zeros(1, dtype=torch.float64)

    def epoch(self, remaining: float, rng: np.random.Generator) -> dict[str, float]:
        self.modules.train()
        self.network.decoder.random.manual_seed(int(rng.integers(2**63)))
        batches, rate = self._batches(rng), 0.0
        told, matched = 0.0, 0.0
        for place, rows in enumerate(batches):
            left = remaining - place / len(batches) / self.config.epochs
            rate = self._rate(left, len(batches) * self.config.epochs)
            words_BT, image_B = self.shown.batch(rows, self.config.longest)
            mirrored = self.config.mirrored and bool(rng.integers(2))
            losses = self.network.losses(self.pictures.features(image_B, mirrored), words_BT, torch.from_numpy(image_B))
            self.optimiser.zero_grad()
            (losses[0] + self.config.contrast * losses[1]).backward()
            nn.utils.clip_grad_norm_([parameter for _, parameter in self.fitted], self.config.gradient_norm)
            self.optimiser.step()
            told, matched = told + losses[0].item(), matched + losses[1].item()
            if not math.isfinite(told + matched):
                break
        count = len(batches)
        return {"caption_loss": told / count, "match_loss": matched / count, "learning_rate": rate}

    @torch.no_grad()
    def validate(self) -> float | None:
        """Minus the decoder's loss on the captions of the images set aside, without smoothing and dropout.

        The tower's loss is not asked: on Flickr8k it rose from the fifth epoch on, because its temperature sharpened, while it
        found as many images as before.
        """
        if not self.hidden.words:
            return None
        self.modules.eval()
        total = 0.0
        for start in range(0, len(self.hidden.words), VALIDATED):
            rows = np.arange(start, min(start + VALIDATED, len(self.hidden.words)))
            words_BT, image_B = self.hidden.batch(rows, self.config.longest)
            cells_BPD = self.network.cells(self.pictures.features(image_B, False))
            total += self.network.caption_loss(cells_BPD, words_BT).item() * len(rows)
        return -total / len(self.hidden.words)

    def model(self) -> dict[str, Tensor]:
        return self.modules.state_dict()

    def memory(self) -> dict[str, Tensor]:
        return {**torch_adam.memory(self.optimiser, self.fitted), "steps": self.steps_1}

    def _batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Rows of captions, each once, in batches in random order: drawn at random and put together by length, or, where each
        batch costs the backbone its images, an image's captions together."""
        size = self.config.batch
        if self.pictures.backbone is not None:
            rank_N = rng.permutation(self.shown.image_N.max() + 1)[self.shown.image_N]
            order_N = np.argsort(rank_N, kind="stable")
            return np.array_split(order_N, max(1, round(len(order_N) / size)))
        length_N = np.array([len(words) for words in self.shown.words])
        order_N, batches = rng.permutation(len(length_N)), []
        for start in range(0, len(order_N), size * SORTED):
            drawn = order_N[start : start + size * SORTED]
            drawn = drawn[np.argsort(length_N[drawn], kind="stable")]
            batches += np.array_split(drawn, max(1, round(len(drawn) / size)))
        return [batches[place] for place in rng.permutation(len(batches))]

    def _rate(self, left: float, steps: int) -> float:
        """Set the learning rate: up to `learning_rate` over the first of all steps, then down to 0 with what is left."""
        self.steps_1 += 1
        warmed = min(1.0, float(self.steps_1[0]) / min(WARMING, max(1, steps // 10)))
        rate = self.config.learning_rate * warmed * max(left, 0.0)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        return rate
