"""An autoencoder while it is learnt; see `kindex.encoders.parts.loop.Learner`."""

import math

import numpy as np
import torch
from torch import Tensor

from kindex.encoders.autoencoder.config import Config
from kindex.encoders.autoencoder.encoder import in_batches
from kindex.encoders.parts import torch_adam
from kindex.encoders.parts.convolution import Network, channels_first
from kindex.encoders.parts.losses import reconstruction_error


class Fitting:
    """`shown_NHWC` are images to learn from, `hidden_NHWC` those that say when to stop: float32 in 0..1."""

    def __init__(self, network: Network, shown_NHWC: np.ndarray, hidden_NHWC: np.ndarray, config: Config) -> None:
        self.network, self.config, self.hidden_NHWC = network, config, hidden_NHWC
        self.shown_NCHW = channels_first(shown_NHWC)
        self.optimiser = torch_adam.prepared(torch.optim.Adam(network.parameters(), lr=config.learning_rate))

    def epoch(self, remaining: float, rng: np.random.Generator) -> dict[str, float]:
        rate, total = self.config.learning_rate * remaining, 0.0
        self.optimiser.param_groups[0]["lr"] = rate
        for part_B in torch.from_numpy(rng.permutation(len(self.shown_NCHW))).split(self.config.batch):
            given_BCHW = self.shown_NCHW[part_B]
            self.optimiser.zero_grad()
            loss = reconstruction_error(self.network(given_BCHW), given_BCHW)
            loss.backward()
            self.optimiser.step()
            total += loss.item() * len(part_B)
            if not math.isfinite(total):
                break
        return {"loss": total / self.shown_NCHW.numel(), "learning_rate": rate}

    def validate(self) -> float | None:
        """Minus the squared error per pixel."""
        if not len(self.hidden_NHWC):
            return None
        drawn_NCHW = in_batches(self.network, self.hidden_NHWC)
        return -float(np.square(drawn_NCHW.transpose(0, 2, 3, 1) - self.hidden_NHWC).mean())

    def model(self) -> dict[str, Tensor]:
        return self.network.state_dict()

    def memory(self) -> dict[str, Tensor]:
        return torch_adam.memory(self.optimiser, self.network.named_parameters())
