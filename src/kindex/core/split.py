"""A split: a fixed division of the evidence into train and held-out, decided by hashes of ids and nothing else.

A row may be held out when its hash fraction is below `heldout_share`. Of each item's links, and of each class's images,
the one with the largest fraction is the *anchor* and stays in train: so what is held out is always of an item or a class
that train knows. New rows can only raise a largest fraction; therefore a row that was held out stays held out while the
catalogue grows. Only deletions can bring one back.

Where links have dates, the newest may be held out instead (`by="time"`); then each item's oldest link is its anchor.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.catalogue import Catalogue, read, write
from kindex.core.division import LINK_KEYS, by_hash, by_time, fraction, heldout_rows, mix, text_hashes
from kindex.core.errors import ConfigError
from kindex.core.tables import Stream, Tables, kept, streamed
from kindex.core.writer import write_halves


@dataclass(frozen=True)
class Split:
    """Two catalogues over the same source. A family sees `train` only."""

    train: Catalogue
    heldout: Catalogue


def read_split(folder: Path, name: str) -> Split:
    """The split written in `folder`. Raises `DamagedError` naming a damaged file."""
    return Split(read(folder / "train", name), read(folder / "heldout", name))


def write_split(folder: Path, split: Split) -> None:
    """Links that were streamed are read once for both sides."""
    sides = {folder / "train": split.train, folder / "heldout": split.heldout}
    links = [side.part("links") for side in sides.values() if "links" in side.tables]
    halves = [part.half for part in links if isinstance(part, Stream) and part.half]
    at_once = len(halves) == 2 and halves[0][0] is halves[1][0]
    for path, side in sides.items():
        write(path, side, without="links" if at_once else "")
    if at_once:
        write_halves([path / "links.parquet" for path in sides], links[0].schema, halves)


def divide(catalogue: Catalogue, share: float, salt: str, by: str = "hash") -> Split:
    """Divide links and images. Both sides have all items; but in a catalogue of images an item goes with its image, and so
    do its captions.

    A boolean column `heldout` of links or images, where the source gave one, decides instead of the hash. `by` is hash, or
    time for the newest links. Raises `ConfigError` when they have no dates.
    """
    train: dict[str, pa.Table | Stream] = {"items": catalogue.items}
    heldout: dict[str, pa.Table | Stream] = {"items": catalogue.items}
    if "links" in catalogue.tables:
        links = catalogue.part("links")
        train["links"], heldout["links"] = _sides(links, heldout_links(links, share, salt, by))
    if "images" in catalogue.tables:
        held_N = heldout_images(catalogue.images, catalogue.items, share, salt)
        train["images"], heldout["images"] = _sides(catalogue.images, held_N)
        if "links" not in catalogue.tables:
            with_image_N = pc.is_in(catalogue.items["id"], catalogue.images["id"].filter(pa.array(held_N)).combine_chunks())
            train["items"], heldout["items"] = _sides(catalogue.items, with_image_N.to_numpy())
        if "captions" in catalogue.tables:
            held_ids = catalogue.images["id"].filter(pa.array(held_N)).combine_chunks()
            of_held_N = pc.is_in(catalogue.captions["id"], value_set=held_ids).to_numpy()
            train["captions"], heldout["captions"] = _sides(catalogue.captions, of_held_N)
    return Split(Catalogue(catalogue.name, Tables(train)), Catalogue(catalogue.name, Tables(heldout)))


def heldout_links(links: pa.Table | Stream, share: float, salt: str, by: str = "hash") -> np.ndarray:
    """Which links are held out (N bool).

    A link and its reverse fall on the same side, and an item's links are those that touch it at either end: in a graph of
    one kind of node an edge may be written in both directions, and one of them must not tell the other.
    """
    stream = links if isinstance(links, Stream) else streamed(links)
    if "heldout" in stream.schema.names:
        given = [pc.fill_null(batch["heldout"], False).to_numpy(zero_copy_only=False) for batch in stream.batches(["heldout"])]
        return np.concatenate([np.zeros(0, bool), *given])
    if by == "hash":
        return heldout_rows(stream.batches(LINK_KEYS), salt, by_hash(share))
    if "time" not in stream.schema.names:
        raise ConfigError(
            "split.by is time, and the links have no dates: give source.date, or split.by: hash. Edit params.yaml"
        )

    def times() -> Iterator[np.ndarray]:
        return (batch["time"].to_numpy(zero_copy_only=False) for batch in stream.batches(["time"]))

    return heldout_rows(stream.batches([*LINK_KEYS, "time"]), salt, by_time(times, share))


def heldout_images(images: pa.Table, items: pa.Table, share: float, salt: str) -> np.ndarray:
    """Which images are held out (N bool); the images without a label are one class."""
    if "heldout" in images.column_names:
        return _given(images)
    _, hash_N = _coded(images["id"], salt)
    class_N, _ = _coded(image_labels(images, items), salt)
    fraction_N = fraction(hash_N)
    largest_C = np.full(class_N.max(initial=0) + 1, -1.0)
    np.maximum.at(largest_C, class_N, fraction_N)
    return (fraction_N < share) & (fraction_N != largest_C[class_N])


def image_labels(images: pa.Table, items: pa.Table) -> pa.ChunkedArray:
    """The label of each image's item (N strings), "" where it has none."""
    row_N = pc.index_in(images["id"], items["id"].combine_chunks())
    return pc.fill_null(items["label"].take(row_N), "")


def together(split: Split) -> Catalogue:
    """The whole catalogue again, each table sorted by its first columns; what an encoder places after it was fitted.

    Links are read when they are asked for; their batches are train's, then those held out.
    """
    parts: dict[str, pa.Table | Stream] = {}
    for kind in split.train.tables:
        if kind == "links":
            parts[kind] = _both(split)
        elif kind == "items" and "links" in split.train.tables:
            parts[kind] = _sorted(split.train.items)
        else:
            parts[kind] = _sorted(pa.concat_tables([split.train.tables[kind], split.heldout.tables[kind]]))
    return Catalogue(split.train.name, Tables(parts))


def _both(split: Split) -> Stream:
    """All links, sorted only when they are read as a whole."""
    sides = (split.train, split.heldout)

    def batches(columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        for side in sides:
            yield from side.link_batches(columns)

    rows = sum(side.rows("links") for side in sides)
    return Stream(split.train.part("links").schema, rows, batches, lambda: _sorted(pa.concat_tables([s.links for s in sides])))


def _sorted(table: pa.Table) -> pa.Table:
    keys = [name for name in ("kind", "id", "place", *LINK_KEYS) if name in table.column_names]
    return table.sort_by([(name, "ascending") for name in keys])


def about(split: Split) -> dict[str, Any]:
    """Counts of each side, by table and, for images, by class; JSON-able."""
    sides = {"train": split.train, "heldout": split.heldout}
    counts: dict[str, Any] = {
        kind: {side: catalogue.rows(kind) for side, catalogue in sides.items()} for kind in split.train.tables
    }
    if "images" in split.train.tables:
        counts["classes"] = {side: _class_counts(catalogue) for side, catalogue in sides.items()}
    return counts


def id_fractions(ids: pa.ChunkedArray, salt: str) -> np.ndarray:
    """A number in [0, 1) for each id (N float64), a function of the id and the salt only."""
    return fraction(_coded(ids, salt)[1])


def pair_fractions(left: pa.ChunkedArray, right: pa.ChunkedArray, salt: str) -> np.ndarray:
    """A number in [0, 1) for each pair (N float64), a function of the two ids, their order and the salt only."""
    return fraction(mix(mix(_coded(left, salt)[1]) + _coded(right, salt)[1]))


def _coded(texts: pa.ChunkedArray, salt: str) -> tuple[np.ndarray, np.ndarray]:
    """A number for each distinct text (N int64), and its blake2b (N uint64): hashing costs the distinct texts."""
    encoded = pc.dictionary_encode(texts.combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    distinct = text_hashes(encoded.dictionary, salt)
    code_N = encoded.indices.to_numpy().astype(np.int64)
    return code_N, distinct[code_N] if len(code_N) else np.empty(0, np.uint64)


def _given(table: pa.Table) -> np.ndarray:
    return pc.fill_null(table["heldout"], False).to_numpy()


def _sides(part: pa.Table | Stream, heldout_N: np.ndarray) -> tuple[pa.Table, pa.Table] | tuple[Stream, Stream]:
    """Train and held-out rows, in the order of `part`, without the column that divided them."""
    if isinstance(part, Stream):
        return kept(part, ~heldout_N, "heldout"), kept(part, heldout_N, "heldout")
    plain = part.drop_columns(["heldout"]) if "heldout" in part.column_names else part
    return plain.filter(pa.array(~heldout_N)), plain.filter(pa.array(heldout_N))


def _class_counts(catalogue: Catalogue) -> dict[str, int]:
    counts = image_labels(catalogue.images, catalogue.items).value_counts().to_pylist()
    return {count["values"]: count["counts"] for count in counts}
