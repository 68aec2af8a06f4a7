"""Looking for what is left of one item in files of any kind: its id in tables, JSON and text, its vectors in numbers.

What a file is decides its first bytes, not its name: DVC's cache knows no names. An id counts as a whole: a cell, a text of
JSON, a word between what cannot go on a name; not as a part of another id.
"""

import bz2
import gzip
import json
import mmap
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kindex.core.forget import leaves
from kindex.core.space import read_space, unit

_SQLITE, _GZIP, _BZIP = b"SQLite format 3\0", b"\x1f\x8b", b"BZh"
_MOST_TEXT = 1 << 28  # bytes of text that are searched at once


@dataclass
class Traces:
    """An id and the vectors that it had, as the bytes of float32 (at their length, and at length 1)."""

    name: str
    vectors: set[bytes] = field(default_factory=set)
    scanned: int = 0
    size: int = 0  # bytes of what was scanned
    unread: list[Path] = field(default_factory=list)  # what looks like a table and cannot be read

    def learn(self, space: Path) -> None:
        """Take the item's vector from a space. One that another item has too tells nothing, and is left out."""
        found = read_space(space)
        row = found.rows.get(self.name)
        if row is None or not found.vectors_ND[row].any():
            return
        vector_D = found.vectors_ND[row]
        if int(np.all(found.vectors_ND == vector_D, axis=1).sum()) == 1 and len(vector_D) > 1:
            exact_D = vector_D.astype(np.float64)
            lengths = (unit(vector_D[None])[0], exact_D / np.linalg.norm(exact_D))  # rounding differs by how it was divided
            self.vectors |= {np.ascontiguousarray(one, np.float32).tobytes() for one in (vector_D, *lengths)}

    def inside(self, path: Path) -> str:
        """What in the file is left of the item, in words, or an empty string."""
        try:
            with path.open("rb") as handle:
                start = handle.read(16)
            self.scanned += 1
            self.size += path.stat().st_size
            return self._inside(path, start)
        except FileNotFoundError:  # another process removed it meanwhile
            return ""

    def _inside(self, path: Path, start: bytes) -> str:
        if start[:4] == b"PAR1":
            return self._in_parquet(path)
        if start[:2] == _GZIP or start[:3] == _BZIP:
            return self._in_packed(path, start)
        if start == _SQLITE:
            return self._in_bytes(path, words=True)
        if not start or b"\0" in start:
            return self._in_bytes(path, words=False)
        try:
            return self._in_text(path.read_bytes()[:_MOST_TEXT].decode("utf-8")) or self._in_bytes(path, words=False)
        except UnicodeDecodeError:
            return self._in_bytes(path, words=True)

    def _in_parquet(self, path: Path) -> str:
        try:
            with pq.ParquetFile(path) as file:
                for number in range(file.num_row_groups):
                    group = file.read_row_group(number)
                    for name, column in zip(group.column_names, group.columns):
                        if self._in_column(column):
                            return f"column {name}"
                    del group
        except (OSError, pa.ArrowException):
            self.unread.append(path)
        return ""

    def _in_column(self, column: pa.ChunkedArray) -> bool:
        kind = column.type
        if pa.types.is_dictionary(kind):
            return any(self._in_column(pa.chunked_array([chunk.dictionary])) for chunk in column.chunks)
        if pa.types.is_struct(kind):
            return any(self._in_column(part) for part in column.flatten())
        if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            if pa.types.is_float32(kind.value_type):
                return any(self._in_numbers(chunk.flatten()) for chunk in column.chunks)
            return self._in_column(pa.chunked_array([chunk.flatten() for chunk in column.chunks], kind.value_type))
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return False
        if pc.any(pc.equal(column, self.name)).as_py():
            return True
        nested = column.filter(pc.match_substring_regex(column, r"^\s*[\[{]").fill_null(False))  # records of the quarantine
        return any(self._in_text(text) for text in nested.to_pylist())

    def _in_numbers(self, flat: pa.Array) -> bool:
        content = np.ascontiguousarray(flat.to_numpy(zero_copy_only=False), np.float32).tobytes()
        return any(_aligned(content, vector) for vector in self.vectors)

    def _in_text(self, text: str) -> str:
        if self.name not in text and not any(mark in text for mark in "\\&%"):  # as JSON, HTML or word2vec's text escape it
            return ""
        if text.lstrip()[:1] in ("{", "["):
            try:
                parsed = (
                    [json.loads(line) for line in text.splitlines() if line.strip()] if "\n{" in text else [json.loads(text)]
                )
                return "JSON" if self.name in leaves(parsed) else ""
            except (ValueError, RecursionError):
                pass  # not JSON after all
        return "text" if self._word.search(text) or self._word.search(unescape(text)) else ""

    def _in_packed(self, path: Path, start: bytes) -> str:
        opened = gzip.open if start[:2] == _GZIP else bz2.open
        try:
            with opened(path, "rb") as handle:
                while block := handle.read(_MOST_TEXT):
                    if found := self._in_text(block.decode("utf-8", "replace")):
                        return f"packed {found}"
        except (OSError, EOFError, zlib.error):
            self.unread.append(path)
        return ""

    def _in_bytes(self, path: Path, words: bool) -> str:
        """Vectors, and with `words` the id, anywhere in a file that nobody decodes; also in freed pages of a database."""
        if not path.stat().st_size:
            return ""
        with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if any(content.find(vector) >= 0 for vector in self.vectors):
                return "vector"
            name = re.escape(self.name.encode("utf-8", "surrogatepass"))
            pattern = rb"(?<![\w-])(?<![\w][.:/@])" + name + rb"(?![\w-])(?![.:/@][\w])"
            return "bytes" if words and re.search(pattern, content) else ""

    @property
    def _word(self) -> re.Pattern[str]:
        """The id between what cannot go on it; also as `kindex.ask.export` writes blanks for word2vec."""
        escaped = re.sub(r"\s|%(?=[0-9A-Fa-f]{2})", lambda found: quote(found[0], safe=""), self.name)
        either = "|".join(map(re.escape, sorted({self.name, escaped})))
        return re.compile(
            rf"(?<![\w-])(?<![\w][.:/@])(?<!%[0-9A-F]{{2}})(?:{either})(?![\w-])(?![.:/@][\w])(?!%[0-9A-F]{{2}})"
        )


def scan(traces: Traces, paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Each file in which something is left, and what. Hard links of one file are read once."""
    known: dict[tuple[int, int], str] = {}
    for path in paths:
        try:
            about = path.lstat()
        except FileNotFoundError:
            continue
        key = (about.st_dev, about.st_ino)
        if key not in known:
            known[key] = traces.inside(path)
        if known[key]:
            yield path, known[key]


def _aligned(content: bytes, vector: bytes) -> bool:
    at = content.find(vector)
    while at >= 0 and at % 4:
        at = content.find(vector, at + 1)
    return at >= 0
