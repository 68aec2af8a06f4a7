"""What a captioner is judged with: images that it has not seen, what people said of them, and itself."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import Catalogue
from kindex.core.space import Space
from kindex.core.split import Split, id_fractions


class Captioner(Protocol):
    """What is asked of an encoder here. Its texts are words parted by spaces."""

    def look(self, encoded: Sequence[bytes]) -> Any:
        """Encoded images as `captions` takes them."""
        ...

    def captions(self, seen: Any, *, width: int | None = None) -> Sequence[Sequence[Any]]:
        """The best first, each with its `text`; `width` 1 is greedy."""
        ...

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors (Q, D) in the space of the images."""
        ...

    def inverted(self, texts: Sequence[str]) -> Any:
        """Has `vectors_QD`, in the space of the images."""
        ...

    def understood(self, text: str) -> tuple[list[str], list[str]]:
        """Known and unknown words."""
        ...


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is judged, at most; what is taken is decided by hashes of ids."""

    images: int = 1000  # captioned, and compared with their neighbours
    queries: int = 5000  # held-out captions that ask for their image by the tower
    inverted: int = 200  # of them, by inversion, which costs a hundred times as much
    shown: int = 6  # examples of each sort on the page


@dataclass(frozen=True, kw_only=True)
class Material:
    """`tokens` cuts a caption into words as the model does; `rgb` decodes an image to uint8 (H, W, 3); `thumbnails` are small
    images of one shape by id, numbers or bytes, the raw input that neighbours are compared with. `golden` may hold words."""

    split: Split
    image: Space
    word: Space
    encoder: Captioner
    tokens: Callable[[str], list[str]]
    rgb: Callable[[bytes], np.ndarray]
    thumbnails: Mapping[str, np.ndarray] = field(default_factory=dict)
    golden: Sequence[str] = ()

    @cached_property
    def heldout(self) -> dict[str, list[str]]:
        """Captions of held-out images that have some and lie in the space, in the order of a hash of their ids."""
        return _told(self.split.heldout, self.image)

    @cached_property
    def train(self) -> dict[str, list[str]]:
        """The same of the train images."""
        return _told(self.split.train, self.image)

    @cached_property
    def counts(self) -> Counter[str]:
        """How often the train captions use each word."""
        return Counter(word for texts in self.train.values() for text in texts for word in self.tokens(text))

    @cached_property
    def encoded(self) -> dict[str, bytes]:
        """Held-out images as they came."""
        images = self.split.heldout.images
        return dict(zip(images["id"].to_pylist(), images["image"].to_pylist()))

    def vectors(self, ids: Sequence[str]) -> np.ndarray:
        """Unit vectors (N, D) of these images."""
        return self.image.unit_ND[[self.image.rows[name] for name in ids]]

    def words(self, texts: Sequence[str]) -> list[list[str]]:
        return [self.tokens(text) for text in texts]


def _told(side: Catalogue, space: Space) -> dict[str, list[str]]:
    """Captions in their order, by image; images in the order of a hash of their ids, which is that of every sample."""
    table = side.captions
    fraction_N = id_fractions(table["id"], "captions")
    rows = table.append_column("fraction", pa.array(fraction_N)).sort_by(
        [("fraction", "ascending"), ("id", "ascending"), ("place", "ascending")]
    )
    found: dict[str, list[str]] = {}
    for name, caption in zip(rows["id"].to_pylist(), rows["caption"].to_pylist()):
        if name in space.rows:
            found.setdefault(name, []).append(caption)
    return found
