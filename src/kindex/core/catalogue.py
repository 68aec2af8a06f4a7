"""A catalogue: a named collection from one source, as typed Arrow tables."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kindex.core.errors import DamagedError

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
"""Observed ties, each (left_kind, left, right_kind, right) once; both ends are items."""

IMAGES = pa.schema([("id", pa.string()), ("image", pa.binary())])
"""Encoded images (PNG, JPEG …) of items of the kind `image`."""

SCHEMAS = {"items": ITEMS, "links": LINKS, "images": IMAGES}
"""The kinds of table that a catalogue may have."""


@dataclass(frozen=True)
class Catalogue:
    """Tables by kind (`items` always; `links` or `images` as the source has them)."""

    name: str
    tables: dict[str, pa.Table]

    @property
    def items(self) -> pa.Table:
        return self.tables["items"]

    @property
    def links(self) -> pa.Table:
        return self.tables["links"]

    @property
    def images(self) -> pa.Table:
        return self.tables["images"]


def read(folder: Path, name: str) -> Catalogue:
    """The catalogue written in `folder`. Raises `DamagedError` naming a file that is missing or damaged."""
    tables = {kind: read_table(folder / f"{kind}.parquet") for kind in SCHEMAS if (folder / f"{kind}.parquet").exists()}
    if "items" not in tables:
        raise DamagedError(f"{folder / 'items.parquet'} is missing")
    return Catalogue(name, tables)


def write(folder: Path, catalogue: Catalogue) -> None:
    """Write one Parquet file for each table; equal tables give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, table in catalogue.tables.items():
        write_table(folder / f"{kind}.parquet", table)


def read_table(path: Path) -> pa.Table:
    """A Parquet file as a table. Raises `DamagedError` naming the file."""
    try:
        with pq.ParquetFile(path) as file:  # `pq.read_table` would import pandas, by way of pyarrow.dataset
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise DamagedError(f"{path} is not readable Parquet: {str(error).splitlines()[0]}") from error


def write_table(path: Path, table: pa.Table) -> None:
    """Write with fixed settings and without the machine's traces, so that equal tables give equal bytes."""
    plain = table.replace_schema_metadata(
        {k: v for k, v in (table.schema.metadata or {}).items() if k != b"pandas"} or None
    ).combine_chunks()
    pq.write_table(plain, path, compression="zstd", compression_level=3, store_schema=True)
