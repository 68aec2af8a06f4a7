"""Images of one colour with captions that say it, and a captioner that is right about most of them."""

import io
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
from PIL import Image

from kindex.core.catalogue import CAPTIONS, IMAGES, ITEMS, Catalogue
from kindex.core.space import Space, unit
from kindex.core.split import Split
from kindex.judge.captions.material import Material

COLOURS = ("red", "green", "blue", "yellow", "black", "white", "two", "three")
SHAPES = ("dog", "dogs", "ball", "balls", "tree", "trees")
PIXELS = np.random.default_rng(5).integers(0, 256, (len(COLOURS), 3))


def encoded(colour: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 8), tuple(int(part) for part in PIXELS[colour])).save(buffer, "PNG")
    return buffer.getvalue()


def rgb(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def side(first: int, count: int) -> Catalogue:
    """Image n has the colour n mod 8 and the shape n div 8 mod 6."""
    ids = [f"i{n:03}" for n in range(first, first + count)]
    told = [(name, *text(int(name[1:]))) for name in ids]
    captions = [{"id": name, "place": place, "caption": said} for name, *both in told for place, said in enumerate(both)]
    items = [{"id": name, "kind": "image", "label": None, "description": one} for name, one, _ in told]
    images = [{"id": name, "image": encoded(int(name[1:]) % 8)} for name in ids]
    rows = {"items": (items, ITEMS), "images": (images, IMAGES), "captions": (captions, CAPTIONS)}
    return Catalogue("planted", {name: pa.Table.from_pylist(*each) for name, each in rows.items()})


def text(n: int) -> tuple[str, str]:
    colour, shape = COLOURS[n % 8], SHAPES[n // 8 % 6]
    return f"a {colour} {shape} on the grass", f"there is a {shape} that is {colour}"


class Captioner:
    """Knows the colour of an image by its pixels; greedily it says less. A text is where its colours and shapes are."""

    def __init__(self, table: dict[str, np.ndarray]) -> None:
        self.table = table
        self.calls: list[str] = []

    def look(self, encoded):
        return [int(np.abs(PIXELS - rgb(content)[0, 0]).sum(1).argmin()) for content in encoded]

    def captions(self, seen, *, width=None):
        self.calls.append("greedy" if width == 1 else "beam")
        texts = ["a grass" if width == 1 else f"a {COLOURS[colour]} dog on the grass" for colour in seen]
        return [[SimpleNamespace(text=said, score=-1.0)] for said in texts]

    def text_vectors(self, texts):
        self.calls.append("tower")
        made = [sum((self.table[w] for w in said.split() if w in self.table), np.zeros(16)) for said in texts]
        return unit(np.array(made, np.float32))

    def inverted(self, texts):
        self.calls.append("inversion")
        noise = np.random.default_rng(0).normal(size=(len(texts), 16)) * 0.3
        return SimpleNamespace(vectors_QD=unit((self.text_vectors(texts) + noise).astype(np.float32)))

    def understood(self, said):
        known = [word for word in said.split() if word in self.table]
        return known, [word for word in said.split() if word not in self.table]


def material(**changes) -> Material:
    rng = np.random.default_rng(0)
    table = {word: rng.normal(size=16) for word in (*COLOURS, *SHAPES)}
    split = Split(side(0, 96), side(96, 48))
    ids = tuple(f"i{n:03}" for n in range(144))
    vectors_ND = np.array([table[COLOURS[n % 8]] + table[SHAPES[n // 8 % 6]] for n in range(144)], np.float32)
    given = {
        "split": split,
        "image": Space("image", ids, vectors_ND, "cosine", "captioner"),
        "word": Space("word", tuple(table), np.array(list(table.values()), np.float32), "cosine", "captioner-words"),
        "encoder": Captioner(table),
        "tokens": str.split,
        "rgb": rgb,
        "thumbnails": {name: rng.random((4, 4, 3)).astype(np.float32) for name in ids},
        "golden": ("three", "unknown"),
    }
    return Material(**{**given, **changes})
