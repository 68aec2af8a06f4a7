"""Captions in the formats that data sets come in; which one a file has, its suffix and content say.

.txt .token               Flickr8k's `name.jpg#0<TAB>caption`, or a table with a header, behind commas or tabs
.csv .tsv .jsonl .ndjson .parquet
                          a row for each caption, columns as the settings name them
.json                     an array of such rows; or COCO's, Karpathy's, or {name: [captions]}; see `captionjson`
"""

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path, PurePath
from typing import BinaryIO

import pyarrow.compute as pc

from kindex.core import quarantine
from kindex.core.errors import ConfigError, DataGateError
from kindex.sources.parts.captionjson import of_json
from kindex.sources.parts.captionlines import Columns, Found, Line
from kindex.sources.parts.delimited import blocks, from_delimited
from kindex.sources.parts.locked import PACKED, unpacked, unpacking
from kindex.sources.parts.reading import FORMATS, read_rows
from kindex.sources.parts.rows import Rows, absent

TABLES = (".txt", ".token")
TOKEN = re.compile(rb"[^\t]*#\d+\t")
LARGEST_PLACE = 2**31 - 1


def caption_suffix(name: str) -> str:
    """The suffix that says the format. Raises `ConfigError` for one that is not known."""
    path = PurePath(name)
    suffix = PurePath(path.stem).suffix if path.suffix in PACKED else path.suffix
    if suffix not in (*TABLES, *FORMATS):
        allowed = ", ".join((*TABLES, *FORMATS))
        raise ConfigError(f"source.captions names {name}, allowed: {allowed}, each also with .gz or .bz2. Edit params.yaml")
    return suffix


def read_captions(name: str, handle: BinaryIO, columns: Columns, scratch: Path, seen: dict[str, dict[str, str]]) -> Found:
    """The captions of a file, which `handle` reads from its beginning; `seen` learns the columns of a table.

    Raises `DamagedError`, `DataGateError` (`MissingColumnError`) naming the file.
    """
    suffix = caption_suffix(name)
    if suffix not in (*TABLES, ".json"):
        yield from _of_rows(read_rows("captions", name, handle, columns.wanted(), scratch), columns, seen)
        return
    with unpacking(name):
        plain = unpacked(name, handle, scratch, whole=False)
        if suffix == ".json":
            yield from of_json(name, plain.read(), columns, lambda rows: _of_rows(rows, columns, seen))
            return
        parts = blocks(plain)
        begin = next(parts, b"")
        if not begin:
            raise DataGateError(f"{name} is empty")
        first_lines = begin.split(b"\n", 20)[:20]
        if any(TOKEN.match(line) for line in first_lines) or not _has_header(first_lines[0], columns):
            yield from _of_tokens(name, chain([begin], parts))
        else:
            delimiter = "\t" if b"\t" in first_lines[0] else ","
            rows = from_delimited("captions", name, chain([begin], parts), delimiter, columns.wanted())
            yield from _of_rows(rows, columns, seen)


def _has_header(line: bytes, columns: Columns) -> bool:
    """Whether the first line of a text file names the columns."""
    fields = [field.strip(b'"\r') for field in re.split(rb"[,\t]", line)]
    return columns.image.encode() in fields and columns.caption.encode() in fields


def _of_tokens(name: str, parts: Iterable[bytes]) -> Found:
    """Lines `image#number<TAB>caption`; without a number, captions of an image are numbered as they come."""
    number = 0
    for block in parts:
        for line in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if not line.strip():
                continue
            origin, shown = f"{name}:{number}", line.removesuffix(b"\r").decode("utf-8", "backslashreplace")
            try:
                left, tab, caption = line.removesuffix(b"\r").decode("utf-8").partition("\t")
            except UnicodeDecodeError:
                yield quarantine.entry("captions", -1, "text is not UTF-8", shown, origin, {"line": shown})
                continue
            if not tab or not left:
                rule = "row does not parse: no image and caption with a tab between"
                yield quarantine.entry("captions", -1, rule, shown, origin, {"line": shown})
                continue
            image, mark, place = left.rpartition("#")
            numbered = bool(mark) and place.isascii() and place.isdigit() and len(place) < 10
            yield Line(origin, image if numbered else left, caption, int(place) if numbered else None)


def _of_rows(parts: Iterable[Rows], columns: Columns, seen: dict[str, dict[str, str]]) -> Found:
    for rows in parts:
        rows.refuse(absent(rows.values[columns.image]), "image is missing", columns.caption)
        if columns.place:
            place = rows.values[columns.place]
            within = pc.and_(pc.greater_equal(place, 0.0), pc.less_equal(place, float(LARGEST_PLACE)))  # a NaN is not
            good = pc.and_(within, pc.equal(pc.floor(place), place))
            rows.refuse(pc.invert(good), "place is not a whole number from 0", columns.place)
        seen[rows.name] = rows.columns
        yield from rows.refused
        names = (columns.image, columns.caption, columns.place, columns.label, columns.split)
        values = [rows.values[name].to_pylist() if name else [None] * len(rows.lines_N) for name in names]
        for line, image, caption, place, label, split in zip(rows.lines_N.tolist(), *values, strict=True):
            yield Line(f"{rows.name}:{line}", image, caption, None if place is None else int(place), label, split)
