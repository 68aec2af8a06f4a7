"""A small project whose stages have run: known vectors, real indexes, no training."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import IMAGES, ITEMS, LINKS, Catalogue
from kindex.core.files import pretty_json
from kindex.core.layout import Layout
from kindex.core.lock import Lock, write_lock
from kindex.core.release import Manifest
from kindex.core.space import Space
from kindex.core.split import Split, write_split
from tests.ask.staged import publish, write_outputs

WORDS = ("king", "queen", "man", "woman", "torch.optim.adam", "torch.optim.sgd", "json", "Łódź")
PARAMS = """
catalogues:
  words: {source: {kind: digits}, checks: {}, split: {}}
models:
  words-pairs: {catalogue: words, family: pairs, dimensions: 4, seed: 7, threads: 1}
indexes:
  words-pairs: {kind: auto}
gates:
  words-pairs: [{metric: link_recall_at_10, at_least: 0.2}]
evaluate: {}
"""

VECTORS = np.array(
    [
        [2, 2, 0, 0],  # king: royal, male; not of length 1
        [1, -1, 0, 0],  # queen: royal, female
        [0, 3, 0, 0.1],  # man
        [0, -1, 0, 0.1],  # woman
        [0, 0, 4, 1],  # adam
        [0, 0, 1, 0.5],  # sgd
        [0, 0, 0, 1],
        [-1, 0, 0, 0.2],
    ],
    np.float32,
)


def make_stages(root: Path, vectors_ND: np.ndarray = VECTORS, recall: float = 0.5, salt: str = "") -> Layout:
    """Lay out stage outputs of the model `words-pairs` under `root`, as if `dvc repro` had run."""
    root.mkdir(parents=True, exist_ok=True)
    layout = Layout(root)
    layout.params.write_text(PARAMS)
    write_lock(layout.lock("words"), Lock("digits", {"sha256": "0" * 64}))
    known = [{"id": word, "kind": "word", "label": None, "description": f"about {word}{salt}"} for word in WORDS]
    other = [{"id": "king", "kind": "book", "label": "b", "description": "a book"}]
    items = pa.Table.from_pylist(known + other, ITEMS)
    empty = {"links": LINKS.empty_table(), "images": IMAGES.empty_table()}
    sides = [Catalogue("words", {"items": part, "links": empty["links"]}) for part in (items, items.slice(0, 2))]
    write_split(layout.out("split", "words"), Split(*sides))
    spaces = [
        Space("word", WORDS, vectors_ND.astype(np.float32)),
        Space("book", ("king", "dune"), np.array([[1, 0], [0, 2]], np.float32), metric="dot"),
    ]
    config = {"dimensions": 4, "seed": 7, "threads": 1, "epochs": 40}
    write_outputs(layout, "words-pairs", spaces, config, {"link_recall_at_10": recall})
    train, evaluate = (layout.out(stage, "words-pairs") for stage in ("train", "evaluate"))
    (train / "encoder" / "encoder.json").write_bytes(pretty_json({"family": "pairs"}))
    (train / "history.jsonl").write_text('{"epoch": 1, "loss": 0.5}\n')
    headline = {"metric": "link_recall_at_10", "value": recall}
    (evaluate / "evidence.json").write_bytes(pretty_json({"headline": headline}))
    (evaluate / "report.html").write_text("<p>report</p>")
    return layout


def release(layout: Layout, night: str = "2024-05-01", live: bool = True) -> Manifest:
    """Build a release from the stage outputs and, unless told, promote it over the live one."""
    return publish(layout, "words-pairs", {"night": night, "verdict": {"passed": True}}, live)
