"""Images with names: files below folders, or rows of Parquet files. First what there is, then the bytes of those wanted."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from kindex.core import quarantine
from kindex.core.errors import DamagedError
from kindex.sources import ColumnError, MissingColumnError, NotAsLockedError
from kindex.sources.parts.captionfolder import Folder
from kindex.sources.parts.reading import read_rows
from kindex.sources.parts.rows import Role, Rows, absent

MOST_BYTES = 1 << 25
"""Of one image file; a photograph of 64 megapixels has fewer."""

AT_ONCE = 64
"""Rows of a Parquet file whose images are read together."""


class Image(NamedTuple):
    """One image that is there. `row` is its row in a Parquet file from 0, or -1 in a folder."""

    id: str
    source: str
    row: int
    label: str | None = None
    split: str | None = None

    @property
    def origin(self) -> str:
        return f"{self.source}/{self.id}" if self.row < 0 else f"{self.source}:{self.row + 1}"

    def refused(self, rule: str, value: Any = None) -> dict[str, Any]:
        return quarantine.entry("images", -1, rule, self.id if value is None else value, self.origin, {"image": self.id})


Found = Iterator[Image | dict[str, Any]]
"""Images, and quarantine entries of what could not become one."""


def of_folder(name: str, folder: Folder) -> Found:
    for file, (size, sha256) in folder.files.items():
        image = Image(file, name, -1)
        if quarantine.writable(file) != file:
            yield image.refused("name is not UTF-8")
        elif not sha256:
            yield image.refused("image is not a file that can be read")
        elif size > MOST_BYTES:
            yield image.refused(f"image file is larger than {MOST_BYTES >> 20} MiB", f"{size} bytes")
        else:
            yield image


def of_parquet(
    name: str, handle: BinaryIO, columns: tuple[str, str, str], scratch: Path, seen: dict[str, dict[str, str]]
) -> Found:
    """`columns` are those of names, labels and splits; the latter two may be "". `seen` learns the file's columns.

    Raises what `kindex.sources.parts.reading.read_rows` raises.
    """
    wanted: dict[str, Role] = dict.fromkeys(filter(None, columns), "text")
    for rows in read_rows("images", name, handle, wanted, scratch):
        rows.refuse(absent(rows.values[columns[0]]), "image has no name", columns[0])
        seen[name] = rows.columns
        yield from rows.refused
        yield from _named(name, rows, columns)


def _named(name: str, rows: Rows, columns: tuple[str, str, str]) -> Iterator[Image]:
    texts = [rows.values[column].to_pylist() if column else [None] * len(rows.lines_N) for column in columns]
    for line, image, label, split in zip(rows.lines_N.tolist(), *texts, strict=True):
        yield Image(image, name, line - 1, label, split)


def folder_contents(root: Path, name: str, folder: Folder, wanted: list[Image]) -> Iterator[bytes | dict[str, Any]]:
    """The bytes of each image, or why it cannot be read. Raises `NotAsLockedError` for one that is not the locked file."""
    for image in wanted:
        try:
            content = (root / name / image.id).read_bytes()
        except OSError as error:
            raise NotAsLockedError(f"{image.origin} is locked and cannot be read: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != folder.files[image.id][1]:
            raise NotAsLockedError(f"{image.origin} is not the file that is locked (its sha256 differs)")
        yield content


def parquet_contents(name: str, handle: BinaryIO, column: str, wanted: list[Image]) -> Iterator[bytes | dict[str, Any]]:
    """The bytes of each image, whose rows ascend, or why it has none. Raises `MissingColumnError`, `ColumnError`,
    `DamagedError`, each naming the file."""
    remaining, start = iter(wanted), 0
    image = next(remaining, None)
    try:
        with pq.ParquetFile(handle, buffer_size=1 << 20, pre_buffer=False) as file:
            _require_bytes(name, file.schema_arrow, column)
            for batch in file.iter_batches(AT_ONCE, columns=[column]):
                while image is not None and image.row < start + batch.num_rows:
                    content = batch[column][image.row - start].as_py()
                    large = content is not None and len(content) > MOST_BYTES
                    too_large = f"image file is larger than {MOST_BYTES >> 20} MiB"
                    yield image.refused(too_large, f"{len(content)} bytes") if large else content or b""
                    image = next(remaining, None)
                start += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DamagedError(f"{name} is damaged: {str(error).splitlines()[0]}") from None


def _require_bytes(name: str, schema: pa.Schema, column: str) -> None:
    columns = {field.name: str(field.type) for field in schema}
    if column not in columns:
        raise MissingColumnError(name, column, columns)
    kind = schema.field(column).type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise ColumnError(name, column, columns, f"{name}: column {column!r} is {kind}, allowed: binary")
