"""Files of rows — Parquet, CSV, TSV, JSON lines, JSON, plain or packed — by their suffix, some rows at a time.

A file that cannot be read at all is an error that names it. A single malformed row is refused, with its line number,
and the rest is used.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path, PurePath
from typing import BinaryIO

from kindex.core.errors import ConfigError, DamagedError, DataGateError
from kindex.sources.parts.delimited import blocks, from_delimited
from kindex.sources.parts.lines import json_array, json_rows
from kindex.sources.parts.locked import PACKED, unpacked, unpacking
from kindex.sources.parts.parquet import from_parquet
from kindex.sources.parts.records import from_records
from kindex.sources.parts.rows import Role, Rows


class NoRowsError(DataGateError):
    """A file that is whole and has no rows."""


DELIMITERS = {".csv": ",", ".tsv": "\t"}
FORMATS = (".parquet", *DELIMITERS, ".jsonl", ".ndjson", ".json")


def read_rows(table: str, name: str, handle: BinaryIO, wanted: Mapping[str, Role], scratch: Path) -> Iterator[Rows]:
    """The columns `wanted` of the file `name`, which `handle` reads from its beginning; at least one `Rows`.

    Raises `DamagedError` when the file is not what its suffix says, `DataGateError` when it is empty or a column is
    missing (`MissingColumnError`) or of another type, and `ConfigError` for an unknown suffix. Each names the file.
    What must be unpacked as a whole is, into nameless files below `scratch`.
    """
    suffix, seen = suffix_of(name), 0
    with unpacking(name):
        plain = unpacked(name, handle, scratch, whole=suffix == ".parquet")
        if suffix == ".parquet" and not plain.read(1):
            raise DataGateError(f"{name} is empty")
        found = from_parquet(table, name, plain, wanted) if suffix == ".parquet" else _text(table, name, suffix, plain, wanted)
        for rows in found:
            seen += len(rows.lines_N) + len(rows.refused)
            yield rows
    if not seen:
        raise NoRowsError(f"{name} has no rows")


def _text(table: str, name: str, suffix: str, plain: BinaryIO, wanted: Mapping[str, Role]) -> Iterator[Rows]:
    parts = blocks(plain)
    begin = next(parts, b"")
    if not begin:
        raise DataGateError(f"{name} is empty")
    if begin.startswith(b"PAR1"):
        raise DamagedError(f"{name} is damaged: it ends in {suffix}, and what it holds is Parquet")
    whole = chain([begin], parts)
    if suffix in DELIMITERS:
        return from_delimited(table, name, whole, DELIMITERS[suffix], wanted)
    found = json_array(name, b"".join(whole)) if suffix == ".json" else json_rows(whole)
    return from_records(table, name, found, wanted)


def suffix_of(name: str) -> str:
    """The suffix that says the format. Raises `ConfigError` for one that is not known."""
    path = PurePath(name)
    suffix = PurePath(path.stem).suffix if path.suffix in PACKED else path.suffix
    if suffix not in FORMATS:
        raise ConfigError(f"source: {name} ends in {suffix!r}, allowed: {', '.join(FORMATS)}, each also with .gz or .bz2")
    return suffix
