"""A released model of linked items: films with actors and links, or a graph of one kind of node."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import ITEMS, LINKS, Catalogue
from kindex.core.layout import Layout
from kindex.core.lock import Lock, write_lock
from kindex.core.split import Split, write_split
from kindex.core.watch import Silent
from kindex.encoders import pairs
from tests.ask.staged import publish, write_outputs

MODEL = "films-pairs"
PARAMS = """
catalogues:
  films: {source: {kind: digits}, checks: {}, split: {}}
models:
  films-pairs: {catalogue: films, family: pairs, dimensions: 6, seed: 7, threads: 1}
indexes:
  films-pairs: {kind: auto}
gates:
  films-pairs: []
evaluate: {}
"""
ODD = ("Napoleon", "Paris, Texas", "a:b", "nul\0id", "\u202egnp.exe", "Leo", "leo", "MIXED case")
"""Ids of links that are hard to write."""


def films() -> list[dict[str, Any]]:
    """60 films in two worlds; each links to half of its world's 5 actors and 20 links. Actor `Leo` is also a link."""
    rng = np.random.default_rng(0)
    rows = []
    for film in range(60):
        world = film % 2
        ends = [("actor", f"actor {world}{n}") for n in range(5)] + [("link", f"link {world}{n}") for n in range(12)]
        ends += [("link", odd) for odd in ODD[world::2]] + ([("actor", "Leo")] if world else [])
        rows += [("film", f"film {film:02}", *ends[at]) for at in sorted(rng.permutation(len(ends))[: len(ends) // 2 + 2])]
    return [dict(zip(("left_kind", "left", "right_kind", "right"), row)) | {"weight": 1.0} for row in rows]


def ring() -> list[dict[str, Any]]:
    """30 nodes, each linked to the next three."""
    pairs_ = [(f"n{n:02}", f"n{(n + step) % 30:02}") for n in range(30) for step in (1, 2, 3)]
    return [{"left_kind": "node", "left": a, "right_kind": "node", "right": b, "weight": 1.0} for a, b in pairs_]


def published(root: Path, rows: list[dict[str, Any]], family: str = "pairs") -> Layout:
    """The project under `root`, whose model was fitted to these links and is live."""
    layout = Layout(root)
    root.mkdir(parents=True, exist_ok=True)
    layout.params.write_text(PARAMS.replace("family: pairs", f"family: {family}"))
    write_lock(layout.lock("films"), Lock("digits", {"sha256": "0" * 64}))
    ends = {(row[f"{end}_kind"], row[end]): None for end in ("left", "right") for row in rows}
    items = pa.Table.from_pylist([{"kind": kind, "id": id} for kind, id in ends], ITEMS)
    train = Catalogue("films", {"items": items, "links": pa.Table.from_pylist(rows, LINKS)})
    write_split(layout.out("split", "films"), Split(train, Catalogue("films", {"items": items, "links": LINKS.empty_table()})))
    config = pairs.Config(dimensions=6, objective="least_squares")
    encoder = pairs.fit(train, config, rng=np.random.Generator(np.random.PCG64(7)), watch=Silent())
    spaces = encoder.embed(train).values()
    write_outputs(layout, MODEL, spaces, {"dimensions": 6, "seed": 7, "threads": 1}, {"link_recall_at_10": 0.5})
    encoder.save(layout.out("train", MODEL) / "encoder")
    publish(layout, MODEL, {"night": "2024-05-01"})
    return layout
