"""A split: a fixed division of the evidence into train and held-out, decided by hashes of ids and nothing else.

A row may be held out when its hash fraction is below `heldout_share`. Of each item's links, and of each class's images,
the one with the largest fraction is the *anchor* and stays in train: so what is held out is always of an item or a class
that train knows. New rows can only raise a largest fraction; therefore a row that was held out stays held out while the
catalogue grows. Only deletions can bring one back.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.catalogue import Catalogue, read, write


@dataclass(frozen=True)
class Split:
    """Two catalogues over the same source. A family sees `train` only."""

    train: Catalogue
    heldout: Catalogue


def read_split(folder: Path, name: str) -> Split:
    """The split written in `folder`. Raises `DamagedError` naming a damaged file."""
    return Split(read(folder / "train", name), read(folder / "heldout", name))


def write_split(folder: Path, split: Split) -> None:
    write(folder / "train", split.train)
    write(folder / "heldout", split.heldout)


def divide(catalogue: Catalogue, share: float, salt: str) -> Split:
    """Divide links and images. Both sides have all items; but in a catalogue of images an item goes with its image.

    A boolean column `heldout` of links or images, where the source gave one, decides instead of the hash.
    """
    train, heldout = {"items": catalogue.items}, {"items": catalogue.items}
    if "links" in catalogue.tables:
        train["links"], heldout["links"] = _sides(catalogue.links, heldout_links(catalogue.links, share, salt))
    if "images" in catalogue.tables:
        held_N = heldout_images(catalogue.images, catalogue.items, share, salt)
        train["images"], heldout["images"] = _sides(catalogue.images, held_N)
        if "links" not in catalogue.tables:
            with_image_N = pc.is_in(catalogue.items["id"], heldout["images"]["id"].combine_chunks()).to_numpy()
            train["items"], heldout["items"] = _sides(catalogue.items, with_image_N)
    return Split(Catalogue(catalogue.name, train), Catalogue(catalogue.name, heldout))


def heldout_links(links: pa.Table, share: float, salt: str) -> np.ndarray:
    """Which links are held out (N bool).

    A link and its reverse fall on the same side, and an item's links are those that touch it at either end: in a graph of
    one kind of node an edge may be written in both directions, and one of them must not tell the other.
    """
    if "heldout" in links.column_names:
        return _given(links)
    kind_2N, kind_hash_2N = _coded(_stacked(links, "left_kind", "right_kind"), f"{salt}/kind")
    id_2N, id_hash_2N = _coded(_stacked(links, "left", "right"), salt)
    item_2N = kind_2N * (id_2N.max(initial=0) + 1) + id_2N
    item_hash_2N = _mix(id_hash_2N ^ _mix(kind_hash_2N))
    fraction_N = fraction(_mix(item_hash_2N[: links.num_rows] + item_hash_2N[links.num_rows :]))
    item_N2 = item_2N.reshape(2, -1).T
    return (fraction_N < share) & ~_anchors(fraction_N, item_N2)


def heldout_images(images: pa.Table, items: pa.Table, share: float, salt: str) -> np.ndarray:
    """Which images are held out (N bool); the images without a label are one class."""
    if "heldout" in images.column_names:
        return _given(images)
    _, hash_N = _coded(images["id"], salt)
    class_N, _ = _coded(image_labels(images, items), salt)
    fraction_N = fraction(hash_N)
    return (fraction_N < share) & ~_anchors(fraction_N, class_N[:, None])


def image_labels(images: pa.Table, items: pa.Table) -> pa.ChunkedArray:
    """The label of each image's item (N strings), "" where it has none."""
    row_N = pc.index_in(images["id"], items["id"].combine_chunks())
    return pc.fill_null(items["label"].take(row_N), "")


def together(split: Split) -> Catalogue:
    """The whole catalogue again, each table sorted by its first columns; what an encoder places after it was fitted."""
    tables = {}
    for kind, table in split.train.tables.items():
        both = pa.concat_tables([table, split.heldout.tables[kind]])
        shared = kind == "items" and "links" in split.train.tables
        keys = [name for name in ("kind", "id", "left_kind", "left", "right_kind", "right") if name in table.column_names]
        tables[kind] = (table if shared else both).sort_by([(name, "ascending") for name in keys])
    return Catalogue(split.train.name, tables)


def about(split: Split) -> dict[str, Any]:
    """Counts of each side, by table and, for images, by class; JSON-able."""
    sides = {"train": split.train, "heldout": split.heldout}
    counts: dict[str, Any] = {
        kind: {side: catalogue.tables[kind].num_rows for side, catalogue in sides.items()} for kind in split.train.tables
    }
    if "images" in split.train.tables:
        counts["classes"] = {side: _class_counts(catalogue) for side, catalogue in sides.items()}
    return counts


def id_fractions(ids: pa.ChunkedArray, salt: str) -> np.ndarray:
    """A number in [0, 1) for each id (N float64), a function of the id and the salt only."""
    return fraction(_coded(ids, salt)[1])


def pair_fractions(left: pa.ChunkedArray, right: pa.ChunkedArray, salt: str) -> np.ndarray:
    """A number in [0, 1) for each pair (N float64), a function of the two ids, their order and the salt only."""
    return fraction(_mix(_mix(_coded(left, salt)[1]) + _coded(right, salt)[1]))


def fraction(hash_N: np.ndarray) -> np.ndarray:
    """uint64 hashes as float64 in [0, 1), by their upper 53 bits."""
    return (hash_N >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _anchors(fraction_N: np.ndarray, group_NG: np.ndarray) -> np.ndarray:
    """Rows (N bool) with the largest fraction of one of the groups they belong to (group numbers, int64)."""
    largest = np.full(group_NG.max(initial=0) + 1, -1.0)
    for group_N in group_NG.T:
        np.maximum.at(largest, group_N, fraction_N)
    return (fraction_N[:, None] == largest[group_NG]).any(axis=1)


def _coded(texts: pa.ChunkedArray, salt: str) -> tuple[np.ndarray, np.ndarray]:
    """A number for each distinct text (N int64), and its blake2b (N uint64): hashing costs the distinct texts."""
    encoded = pc.dictionary_encode(texts.combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    hashes = [hashlib.blake2b(text.encode(), digest_size=8, key=key).digest() for text in encoded.dictionary.to_pylist()]
    distinct = np.frombuffer(b"".join(hashes), "<u8")
    code_N = encoded.indices.to_numpy().astype(np.int64)
    return code_N, distinct[code_N] if len(code_N) else np.empty(0, np.uint64)


def _mix(hash_N: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser (Steele, Lea, Flood 2014): every input bit moves every output bit."""
    hash_N = (hash_N ^ (hash_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hash_N = (hash_N ^ (hash_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hash_N ^ (hash_N >> np.uint64(31))


def _stacked(links: pa.Table, left: str, right: str) -> pa.ChunkedArray:
    return pa.chunked_array([*links[left].chunks, *links[right].chunks], pa.string())


def _given(table: pa.Table) -> np.ndarray:
    return pc.fill_null(table["heldout"], False).to_numpy()


def _sides(table: pa.Table, heldout_N: np.ndarray) -> tuple[pa.Table, pa.Table]:
    """Train and held-out rows, in the order of `table`, without the column that divided them."""
    plain = table.drop_columns(["heldout"]) if "heldout" in table.column_names else table
    return plain.filter(pa.array(~heldout_N)), plain.filter(pa.array(heldout_N))


def _class_counts(catalogue: Catalogue) -> dict[str, int]:
    counts = image_labels(catalogue.images, catalogue.items).value_counts().to_pylist()
    return {count["values"]: count["counts"] for count in counts}
