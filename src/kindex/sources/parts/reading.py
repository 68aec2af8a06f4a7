"""Files of rows — Parquet, CSV, TSV, JSON lines, JSON, plain or packed — by their suffix.

A file that cannot be read at all is an error that names it. A single malformed row is refused, with its line number,
and the rest is used.
"""

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath

from kindex.core.errors import ConfigError, DamagedError, DataGateError
from kindex.sources.parts.lines import BadRow, Row, csv_rows, json_array, json_rows
from kindex.sources.parts.parquet import from_parquet
from kindex.sources.parts.records import from_records
from kindex.sources.parts.rows import Role, Rows

TEXT_FORMATS: dict[str, Callable[[str, bytes], Iterator[Row | BadRow]]] = {
    ".csv": lambda name, content: csv_rows(name, content, ","),
    ".tsv": lambda name, content: csv_rows(name, content, "\t"),
    ".jsonl": json_rows,
    ".ndjson": json_rows,
    ".json": json_array,
}
FORMATS = (".parquet", *TEXT_FORMATS)
UNPACK = {".gz": gzip.decompress, ".bz2": bz2.decompress}


def read_rows(table: str, name: str, content: bytes, wanted: Mapping[str, Role]) -> Rows:
    """The columns `wanted` of the file `name`, whose bytes are `content`.

    Raises `DamagedError` when the file is not what its suffix says, `DataGateError` when it is empty or a column is
    missing (`MissingColumnError`) or of another type, and `ConfigError` for an unknown suffix. Each names the file.
    """
    suffix, plain = _unpacked(name, content)
    if not plain:
        raise DataGateError(f"{name} is empty")
    if suffix == ".parquet":
        rows = from_parquet(table, name, plain, wanted)
    elif plain.startswith(b"PAR1"):
        raise DamagedError(f"{name} is damaged: it ends in {suffix}, and what it holds is Parquet")
    else:
        rows = from_records(table, name, TEXT_FORMATS[suffix](name, plain), wanted)
    if not len(rows.lines_N) and not rows.refused:
        raise DataGateError(f"{name} has no rows")
    return rows


def suffix_of(name: str) -> str:
    """The suffix that says the format. Raises `ConfigError` for one that is not known."""
    path = PurePath(name)
    suffix = PurePath(path.stem).suffix if path.suffix in UNPACK else path.suffix
    if suffix not in FORMATS:
        raise ConfigError(f"source: {name} ends in {suffix!r}, allowed: {', '.join(FORMATS)}, each also with .gz or .bz2")
    return suffix


def _unpacked(name: str, content: bytes) -> tuple[str, bytes]:
    suffix, unpack = suffix_of(name), UNPACK.get(PurePath(name).suffix)
    try:
        return suffix, unpack(content) if unpack else content
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DamagedError(f"{name} is damaged: {error}") from None
