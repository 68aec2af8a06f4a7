"""A fitted captioner: what an image shows in words, and what a description looks like."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch

from kindex.core.align import turned
from kindex.core.blocks import build as build_config
from kindex.core.catalogue import Catalogue
from kindex.core.errors import ConfigError, DamagedError, choices
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.space import Space
from kindex.core.watch import Watch
from kindex.encoders.captioner import backbones, beam
from kindex.encoders.captioner.backbones.backbone import Backbone
from kindex.encoders.captioner.config import Config
from kindex.encoders.captioner.inversion import Inversion, inverted
from kindex.encoders.captioner.network import Network, padded
from kindex.encoders.captioner.pictures import found
from kindex.encoders.captioner.rotating import turn_network
from kindex.encoders.captioner.tokens import MARKS, UNKNOWN, Vocabulary, tokens
from kindex.encoders.parts.arrays import load_arrays, save_arrays

FRAME, WORDS_FRAME = "captioner", "captioner-words"

TOGETHER = 16
"""Images, or texts, that pass the network together."""


@dataclass(frozen=True)
class Seen:
    """Images as the decoder sees them: cells (N, P, D), and unit vectors (N, D), float32."""

    cells_NPD: np.ndarray
    vectors_ND: np.ndarray


@dataclass(frozen=True)
class Caption:
    """A text and its score (log-probability over the length penalty, see `beam`); larger is likelier."""

    text: str
    score: float


class Encoder:
    """Backbone, network and vocabulary. Inductive for images; its words are those of the train captions."""

    def __init__(
        self, backbone: Backbone, network: Network, vocabulary: Vocabulary, config: Config, starts_SD: np.ndarray
    ) -> None:
        self.backbone, self.network, self.vocabulary, self.config = backbone.eval(), network.eval(), vocabulary, config
        self.starts_SD = starts_SD  # image vectors that inversions begin from

    def embed(self, catalogue: Catalogue, watch: Watch | None = None) -> dict[str, Space]:
        """The spaces `image`, in the order of `catalogue.images`, and `word`, without the marks."""
        ids, encoded = (tuple(catalogue.images[name].to_pylist()) for name in ("id", "image"))
        kept = self.config.backbone != "scratch"  # whose features no other fit can use
        features_NPC = found(self.backbone, encoded, kept=kept, watch=watch)
        words_VW = self.network.decoder.words.weight.detach().numpy()[len(MARKS) :]
        return {
            "image": Space("image", ids, self._seen(features_NPC).vectors_ND, "cosine", FRAME),
            "word": Space("word", self.vocabulary.words[len(MARKS) :], words_VW - words_VW.mean(0), "cosine", WORDS_FRAME),
        }

    def look(self, encoded: Sequence[bytes], watch: Watch | None = None) -> Seen:
        """Encoded images of any size; what is seen in one does not depend on the others.

        Raises `DataGateError` naming the place of one that does not decode.
        """
        return self._seen(found(self.backbone, encoded, attention=self.config.attention, watch=watch))

    def captions(
        self, seen: Seen, *, width: int | None = None, length_penalty: float | None = None, count: int = 1
    ) -> list[list[Caption]]:
        """Up to `count` captions of each image, best first. `width` 1 is greedy; defaults are the configuration's."""
        spoken = beam.captions(
            self.network.decoder,
            torch.from_numpy(seen.cells_NPD),
            width=max(width or self.config.beam_width, count),
            longest=self.config.longest,
            length_penalty=self.config.length_penalty if length_penalty is None else length_penalty,
        )
        return [[Caption(self.vocabulary.decode(one.ids), one.score) for one in some[:count]] for some in spoken]

    def tokens(self, text: str) -> list[str]:
        """The words of a text as this model parts them."""
        return tokens(text)

    def understood(self, text: str) -> tuple[list[str], list[str]]:
        """The words of a text that are in the vocabulary, and those that are not."""
        words = tokens(text)
        return [word for word in words if word in self.vocabulary.ids], [w for w in words if w not in self.vocabulary.ids]

    @torch.inference_mode()
    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors (Q, D) of descriptions by the text tower, in the space of the images. Raises `ConfigError` for a text
        without a known word."""
        rows = [self._words(text) for text in texts]
        parts = [rows[start : start + TOGETHER] for start in range(0, len(rows), TOGETHER)]
        made = [self.network.text_vectors(padded(part, self.config.longest)) for part in parts]
        return torch.cat(made).numpy() if made else np.zeros((0, self.config.dimensions), np.float32)

    def inverted(self, texts: Sequence[str], *, starts: int | None = None, steps: int | None = None) -> Inversion:
        """Image vectors that would be captioned by these texts, by gradients; see `inversion`. Raises `ConfigError` for a
        text without a known word."""
        rows = [self._words(text) for text in texts]
        begin_SD = self.starts_SD[: starts or self.config.starts]
        return inverted(self.network, rows, begin_SD, steps or self.config.steps)

    def turn(self, rotations: Mapping[str, np.ndarray]) -> None:
        """Turn images and descriptions, and words, each by the rotation of their frame; captions and scores stay as they were.

        Inversions end near where they did: Adam's steps go by coordinates, which a rotation changes.
        """
        turn_network(self.network, rotations.get(FRAME), rotations.get(WORDS_FRAME))
        if FRAME in rotations:
            self.starts_SD = turned(self.starts_SD, rotations[FRAME])

    def save(self, folder: Path) -> None:
        """Everything that is needed to ask: backbone, network, vocabulary."""
        parts = {"backbone": self.backbone, "network": self.network}
        arrays = {
            f"{part}.{name}": tensor.numpy() for part, module in parts.items() for name, tensor in module.state_dict().items()
        }
        save_arrays(folder / "encoder.safetensors", {**arrays, "starts": self.starts_SD})
        about = {"backbone": self.backbone.about(), "vocabulary": self.vocabulary.about(), "config": asdict(self.config)}
        write_atomic(folder / "encoder.json", pretty_json({"family": "captioner", **about}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises `DamagedError` naming a file that is missing or damaged."""
        about, arrays = read_json(folder / "encoder.json"), load_arrays(folder / "encoder.safetensors")
        try:
            config = build_config(Config, about["config"], "config")
            vocabulary, backbone = Vocabulary.back(about["vocabulary"]), backbones.build(about["backbone"])
            network = Network(backbone.channels, len(vocabulary), config)
            for part, module in (("backbone", backbone), ("network", network)):
                mine = {name.removeprefix(f"{part}."): array for name, array in arrays.items() if name.startswith(f"{part}.")}
                module.load_state_dict({name: torch.from_numpy(array) for name, array in mine.items()})
            starts_SD = arrays["starts"]
            if starts_SD.shape[1:] != (config.dimensions,):
                raise DamagedError(f"starts are {starts_SD.shape}, the vectors have {config.dimensions} dimensions")
            return cls(backbone, network, vocabulary, config, starts_SD)
        except (KeyError, TypeError, RuntimeError, ConfigError, DamagedError) as error:
            raise DamagedError(f"{folder} holds no captioner that fits its encoder.json: {error}") from error

    @torch.inference_mode()
    def _seen(self, features_NPC: np.ndarray) -> Seen:
        count, places, _ = features_NPC.shape
        cells_NPD = np.empty((count, places, self.config.dimensions), np.float32)
        vectors_ND = np.empty((count, self.config.dimensions), np.float32)
        for start in range(0, count, TOGETHER):  # always as many rows, since a product of other height rounds otherwise
            part_BPC = features_NPC[start : start + TOGETHER]
            cells_BPD = self.network.cells(torch.from_numpy(np.resize(part_BPC, (TOGETHER, *part_BPC.shape[1:]))))
            cells_NPD[start : start + TOGETHER] = cells_BPD[: len(part_BPC)]
            vectors_ND[start : start + TOGETHER] = self.network.vectors(cells_BPD)[: len(part_BPC)]
        return Seen(cells_NPD, vectors_ND)

    def _words(self, text: str) -> list[int]:
        numbers = self.vocabulary.encode(tokens(text))
        if all(number == UNKNOWN for number in numbers):
            near = choices(tokens(text)[0], self.vocabulary.ids) if numbers else "say something"
            raise ConfigError(f"{text!r} has no word that the captions of this model have: {near}")
        return [number for number in numbers if number != UNKNOWN]
