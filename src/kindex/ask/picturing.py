"""Questions that need a captioner's encoder: what an image shows, which images are like it, what a description looks like.

An image is a file's path or its bytes, of any size and any format that Pillow reads. Images pass the network one at a time
and on as many threads as the model was fitted with, so an answer depends on its image alone, not on what was asked beside it
or on the machine's cores. A text is answered by the text tower, or by inversion (`kindex.encoders.captioner.inversion`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kindex.ask.image_files import read_image
from kindex.ask.live import Hit, Live
from kindex.ask.spelling import close_spellings, meant_kind
from kindex.core.errors import ConfigError, DataGateError, choices

TOWER, INVERSION = "tower", "inversion"
WAYS = (TOWER, INVERSION)
"""How a description is answered; also the origin of the vector that such a hit was found by."""

ENCODED = "encoded"
"""Origin of a vector that the encoder made of an image."""

IMAGE = "image"
MOST_CAPTIONS, MOST_PENALTY = 100, 10.0
MOST_SPELT = 5  # unknown words that are compared with the known ones


@dataclass(frozen=True)
class Captioned:
    """An image by its name, and its captions with scores, best first; or why it has none."""

    name: str
    captions: tuple[tuple[str, float], ...] = ()
    refused: str | None = None


@dataclass(frozen=True)
class Read:
    """A description as the model reads it. `unknown` words are left out, the first ones with words that may be meant; `cut`
    is the number of known words behind the longest text that the model reads."""

    known: tuple[str, ...]
    unknown: dict[str, list[str]] = field(default_factory=dict)
    cut: int = 0


@dataclass(frozen=True)
class Described:
    """Images found by a description. Inversion says its loss (nats a word), its steps, and whether it settled."""

    by: str
    hits: tuple[Hit, ...]
    loss: float | None = None
    steps: int | None = None
    converged: bool | None = None


class Pictured:
    """Asks the encoder of an opened release. Raises `ConfigError` when the family of its model captions no image."""

    def __init__(self, live: Live) -> None:
        self.live, self.encoder = live, live.able("captions")

    def caption(
        self,
        images: Iterable[Path | str | bytes],
        width: int | None = None,
        length_penalty: float | None = None,
        count: int = 1,
    ) -> Iterator[Captioned]:
        """Up to `count` captions of each image, one image after another; one that cannot be used is named with the reason.

        `width` of the beam (1 is greedy) and `length_penalty` are by default the model's. Raises `ConfigError` for settings
        that allow nothing, before the first image is read.
        """
        for name, value in (("width", width), ("count", count)):
            if value is not None and not 1 <= value <= MOST_CAPTIONS:
                raise ConfigError(f"{name} is {value}, allowed: 1 to {MOST_CAPTIONS}")
        if length_penalty is not None and not 0 <= length_penalty <= MOST_PENALTY:
            raise ConfigError(f"length_penalty is {length_penalty}, allowed: 0 to {MOST_PENALTY:g}")
        return self._captioned(images, {"width": width, "length_penalty": length_penalty, "count": count})

    def _captioned(self, images: Iterable[Path | str | bytes], asked: dict[str, Any]) -> Iterator[Captioned]:
        for place, image in enumerate(images):
            name = f"image {place}" if isinstance(image, bytes) else str(image)
            try:
                seen = self._look(image)
            except DataGateError as error:
                yield Captioned(name, refused=str(error))
                continue
            with _threads(self.encoder.config.threads):
                (said,) = self.encoder.captions(seen, **asked)
            yield Captioned(name, tuple((caption.text, caption.score) for caption in said))

    def image_vector(self, image: Path | str | bytes) -> np.ndarray:
        """The unit vector (D) of an image in the space of the images. Raises `DataGateError` when it cannot be used."""
        vector_D: np.ndarray = self._look(image).vectors_ND[0]
        return vector_D

    def similar_to_image(self, image: Path | str | bytes, k: int = 10, kind: str | None = None) -> list[Hit]:
        """The `k` images of the release nearest to one that it may never have seen.

        Raises `DataGateError` naming a file that cannot be used, `ConfigError` for a `kind` that is not image, or `k` below 1.
        """
        if kind is not None and meant_kind(kind, [IMAGE]) is None:
            raise ConfigError(f"what is near to an image is images, and the kind is {kind!r}: leave it away")
        try:
            return self._found(self.image_vector(image), k, ENCODED)
        except DataGateError as error:
            raise DataGateError(str(error) if isinstance(image, bytes) else f"{image}: {error}") from None

    def read(self, text: str) -> Read:
        """What the model knows of a description. Raises `ConfigError` when that is nothing, with words that may be meant."""
        known, others = self.encoder.understood(text)
        model, words = self.live.manifest.model, self.encoder.vocabulary.ids
        unknown = {
            word: close_spellings(word, words, most=3) if place < MOST_SPELT else []
            for place, word in enumerate(dict.fromkeys(others))
        }
        if not known:
            if not unknown:
                raise ConfigError(f"the description {text[:80]!r} has no word: say what the image shows")
            near = dict.fromkeys(each for meant in unknown.values() for each in meant)
            meant = f"did you mean {', '.join(near)}?" if near else "and nothing is spelt like them"
            raise ConfigError(f"{model} knows no word of {text[:80]!r}: {meant}")
        return Read(tuple(known), unknown, max(0, len(known) - self.encoder.config.longest))

    def text_vector(self, text: str, by: str = TOWER) -> tuple[np.ndarray, dict[str, Any]]:
        """The unit vector (D) of a description in the space of the images; for inversion with loss, steps and converged.

        Raises `ConfigError` for an unknown way, or a text without a known word.
        """
        if by not in WAYS:
            raise ConfigError(f"a description goes by {by!r}: {choices(by, WAYS)}")
        self.read(text)
        with _threads(self.encoder.config.threads):
            if by == TOWER:
                return self.encoder.text_vectors([text])[0], {}
            made = self.encoder.inverted([text])
        about = {"loss": float(made.loss_Q[0]), "steps": int(made.steps_Q[0]), "converged": bool(made.converged_Q[0])}
        return made.vectors_QD[0], about

    def describe(self, text: str, k: int = 10, by: str = TOWER) -> Described:
        """The `k` images that a description fits best; raises as `text_vector` does, and when `k` is below 1."""
        vector_D, about = self.text_vector(text, by)
        return Described(by, tuple(self._found(vector_D, k, by)), **about)

    def _look(self, image: Path | str | bytes) -> Any:
        encoded = image if isinstance(image, bytes) else read_image(Path(image))
        try:
            with _threads(self.encoder.config.threads):
                return self.encoder.look([encoded])
        except DataGateError as error:
            raise DataGateError(str(error).removeprefix("image 0: ")) from None

    def _found(self, vector_D: np.ndarray, k: int, origin: str) -> list[Hit]:
        return [replace(hit, origin=origin) for hit in self.live.similar_to_vector(vector_D, k, IMAGE)]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads of torch inside: how a sum is divided among them may show in its last bits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
