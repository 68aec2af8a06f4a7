"""A released captioner of coloured squares, whose encoder is played: an image's vector is its mean colour."""

import io
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import CAPTIONS, IMAGES, ITEMS, Catalogue
from kindex.core.errors import ConfigError, DataGateError
from kindex.core.files import pretty_json
from kindex.core.layout import Layout
from kindex.core.lock import Lock, write_lock
from kindex.core.space import Space, unit
from kindex.core.split import Split, write_split
from tests.ask.staged import publish, write_outputs

MODEL = "squares-captioner"
PARAMS = """
catalogues:
  squares: {source: {kind: digits}, checks: {}, split: {}}
models:
  squares-captioner: {catalogue: squares, family: captioner, dimensions: 3, seed: 7, threads: 1}
indexes:
  squares-captioner: {kind: auto}
gates:
  squares-captioner: []
evaluate: {}
"""
COLOURS = {"red": (220, 30, 30), "green": (30, 190, 60), "blue": (40, 60, 220), "white": (240, 240, 240)}
SHADES = {f"{name} {light}": tuple(c * light // 3 for c in rgb) for name, rgb in COLOURS.items() for light in (1, 2, 3)}
WORDS = (*COLOURS, "a", "square", "boy", "boys", "man", "men")
LONGEST = 4


def png(colour: tuple[int, ...], size: tuple[int, int] = (8, 8), format: str = "PNG") -> bytes:
    """A square of one colour."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", size, tuple(colour)).save(buffer, format)
    return buffer.getvalue()


class Played:
    """Has the methods of a captioner's encoder that questions use, and no network. Counts how often it looks."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(threads=1, longest=LONGEST, beam_width=3, length_penalty=0.7)
        self.vocabulary = SimpleNamespace(ids={word: place for place, word in enumerate(WORDS, 4)})
        self.asked: list[dict[str, Any]] = []
        self.loaded_from: Path | None = None

    def look(self, encoded: Sequence[bytes]) -> Any:
        from kindex.encoders.parts.images import rgb

        vectors = []
        for place, image in enumerate(encoded):
            try:
                colour = rgb(image).astype(np.float32).mean((0, 1))
            except DataGateError as error:
                raise DataGateError(f"image {place}: {error}") from error
            vectors.append(colour / max(np.linalg.norm(colour), 1))
        return SimpleNamespace(vectors_ND=np.array(vectors, np.float32))

    def captions(
        self, seen: Any, *, width: int | None = None, length_penalty: float | None = None, count: int = 1
    ) -> list[list[Any]]:
        """The colours from the nearest on."""
        self.asked.append({"width": width, "length_penalty": length_penalty, "count": count})
        said = []
        for vector_D in seen.vectors_ND:
            scores = {name: float(vector_D @ unit(np.array([rgb], np.float32))[0]) for name, rgb in COLOURS.items()}
            ranked = sorted(scores, key=lambda name: -scores[name])[:count]
            said.append([SimpleNamespace(text=f"a {name} square", score=scores[name] - 1) for name in ranked])
        return said

    def understood(self, text: str) -> tuple[list[str], list[str]]:
        words = text.lower().replace(",", " ").split()
        ids = self.vocabulary.ids
        return [word for word in words if word in ids], [word for word in words if word not in ids]

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        found = [[COLOURS.get(word, (9, 9, 9)) for word in self.understood(text)[0]] for text in texts]
        if not all(found):
            raise ConfigError("a text has no known word")
        return unit(np.array([np.sum(colours, 0) for colours in found], np.float32))

    def inverted(self, texts: Sequence[str], *, starts: int | None = None, steps: int | None = None) -> Any:
        vectors_QD = unit(self.text_vectors(texts) + np.float32(0.02))
        count = len(texts)
        return SimpleNamespace(
            vectors_QD=vectors_QD,
            loss_Q=np.full(count, 2.5, np.float32),
            steps_Q=np.full(count, 37),
            converged_Q=np.array([len(text) < 40 for text in texts]),
        )


def squares(names: Sequence[str]) -> Catalogue:
    """The squares with these ids, in their shades, each with two captions."""
    items = [{"id": name, "kind": "image", "label": name.split()[0], "description": f"a {name} square"} for name in names]
    told = [(name, f"a {name.split()[0]} square", f"the square is {name.split()[0]}") for name in names]
    captions = [{"id": name, "place": place, "caption": text} for name, *texts in told for place, text in enumerate(texts)]
    tables = {
        "items": pa.Table.from_pylist(items, ITEMS),
        "images": pa.Table.from_pylist([{"id": name, "image": png(SHADES[name], (32, 32))} for name in names], IMAGES),
        "captions": pa.Table.from_pylist(captions, CAPTIONS),
    }
    return Catalogue("squares", tables)


def played_spaces() -> list[Space]:
    """Squares by their colour, and words of which man and men are as boy and boys."""
    words = np.random.Generator(np.random.PCG64(3)).normal(size=(len(WORDS), 6)).astype(np.float32)
    words[WORDS.index("men")] = words[WORDS.index("man")] + words[WORDS.index("boys")] - words[WORDS.index("boy")]
    images = Played().look([png(rgb) for rgb in SHADES.values()]).vectors_ND
    return [Space("image", tuple(SHADES), images, frame="captioner"), Space("word", WORDS, words, frame="captioner-words")]


def published(root: Path, encoder: Any = None) -> Layout:
    """The project under `root`, whose model is live: `encoder`, or one that is played."""
    layout = Layout(root)
    root.mkdir(parents=True, exist_ok=True)
    layout.params.write_text(PARAMS)
    write_lock(layout.lock("squares"), Lock("digits", {"sha256": "0" * 64}))
    heldout = list(SHADES)[::3]
    write_split(layout.out("split", "squares"), Split(squares([n for n in SHADES if n not in heldout]), squares(heldout)))
    spaces = list(encoder.embed(squares(list(SHADES))).values()) if encoder else played_spaces()
    write_outputs(layout, MODEL, spaces, {"dimensions": 3, "seed": 7, "threads": 1}, {"bleu_4": 0.5})
    folder = layout.out("train", MODEL) / "encoder"
    if encoder:
        encoder.save(folder)
    else:
        (folder / "encoder.json").write_bytes(pretty_json({"family": "captioner"}))
        (folder / "encoder.safetensors").write_bytes(b"played")
    publish(layout, MODEL, {"night": "2024-05-01"})
    return layout
