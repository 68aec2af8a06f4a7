"""A catalogue: a named collection from one source, as typed Arrow tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kindex.core.errors import DamagedError
from kindex.core.tables import Stream, Tables, batches_of, opened, read_whole
from kindex.core.writer import write_stream

ITEMS = pa.schema([("id", pa.string()), ("kind", pa.string()), ("label", pa.string()), ("description", pa.string())])
"""(kind, id) is unique; `label` and `description` may be null; a source may add string columns of its own."""

LINKS = pa.schema(
    [
        ("left", pa.string()),
        ("left_kind", pa.string()),
        ("right", pa.string()),
        ("right_kind", pa.string()),
        ("weight", pa.float32()),
    ]
)
"""Observed ties, each (left_kind, left, right_kind, right) once; both ends are items. A source may add `TIME`."""

TIME = pa.field("time", pa.int64())
"""When a link was last observed, in seconds since 1970-01-01T00:00:00Z; optional."""

IMAGES = pa.schema([("id", pa.string()), ("image", pa.binary())])
"""Encoded images (PNG, JPEG …) of items of the kind `image`."""

CAPTIONS = pa.schema([("id", pa.string()), ("place", pa.int32()), ("caption", pa.string())])
"""Captions of items of the kind `image`: (id, place) is unique, and places count from 0 within an image."""

SCHEMAS = {"items": ITEMS, "links": LINKS, "images": IMAGES, "captions": CAPTIONS}
"""The kinds of table that a catalogue may have."""


@dataclass(frozen=True)
class Catalogue:
    """Tables by kind (`items` always; `links`, `images` and their `captions` as the source has them).

    One that was read from a folder reads a table when it is first asked for, so a stage that streams never has all links.
    """

    name: str
    tables: Mapping[str, pa.Table]

    @property
    def items(self) -> pa.Table:
        return self.tables["items"]

    @property
    def links(self) -> pa.Table:
        """All links at once, strings plain. What must work at any size takes `link_batches`."""
        return self.tables["links"]

    @property
    def images(self) -> pa.Table:
        return self.tables["images"]

    @property
    def captions(self) -> pa.Table:
        return self.tables["captions"]

    def link_batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The links in their order, at most `kindex.core.tables.ROWS` rows at a time, with the columns named (or all).

        Ids and kinds are dictionaries (int32 indices, strings), each batch with its own; see `kindex.core.codes`.
        """
        return batches_of(self.part("links"), columns)

    def part(self, kind: str) -> pa.Table | Stream:
        """The table of a kind as it is held, without reading it."""
        return self.tables.part(kind) if isinstance(self.tables, Tables) else self.tables[kind]

    def rows(self, kind: str) -> int:
        """The number of rows of a table, without reading it."""
        return self.part(kind).num_rows


def read(folder: Path, name: str) -> Catalogue:
    """The catalogue written in `folder`, opened: tables are read when they are asked for.

    Raises `DamagedError` naming a file that is missing or damaged; so may reading a table, later.
    """
    parts = {kind: opened(folder / f"{kind}.parquet") for kind in SCHEMAS if (folder / f"{kind}.parquet").exists()}
    if "items" not in parts:
        raise DamagedError(f"{folder / 'items.parquet'} is missing")
    return Catalogue(name, Tables(parts))


def write(folder: Path, catalogue: Catalogue, without: str = "") -> None:
    """Write one Parquet file for each table, but for one `without`; equal tables give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in catalogue.tables:
        if kind == "links" != without:
            write_stream(folder / f"{kind}.parquet", catalogue.part(kind).schema, catalogue.link_batches())
        elif kind != without:
            write_table(folder / f"{kind}.parquet", catalogue.tables[kind])


def read_table(path: Path) -> pa.Table:
    """A Parquet file as a table. Raises `DamagedError` naming the file."""
    return read_whole(path)


def write_table(path: Path, table: pa.Table) -> None:
    """Write with fixed settings and without the machine's traces, so that equal tables give equal bytes."""
    plain = table.replace_schema_metadata(
        {k: v for k, v in (table.schema.metadata or {}).items() if k != b"pandas"} or None
    ).combine_chunks()
    pq.write_table(plain, path, compression="zstd", compression_level=3, store_schema=True)
