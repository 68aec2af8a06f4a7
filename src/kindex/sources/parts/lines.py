"""Rows of text files, one at a time: CSV and JSON. What does not parse comes out as a `BadRow` and the rest goes on."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kindex.core.errors import DamagedError, DataGateError
from kindex.core.quarantine import writable

LINES_OF_A_ROW = 200
"""A quote that is never closed swallows at most this many lines before it is taken for damage."""


@dataclass(frozen=True)
class Row:
    line: int
    record: dict[str, Any]


@dataclass(frozen=True)
class BadRow:
    line: int
    rule: str
    value: str


class CsvLines:
    """Lines of a CSV file for `csv.reader`, which may be wound back to the line after a damaged one.

    `position` is the next line, `first` the number of line 0 in the file. A row may go on beyond the lines given: then
    `more` is asked for the lines that follow, [] at the end of the file.
    """

    def __init__(self, lines: list[bytes], first: int, more: Callable[[], list[bytes]] = list) -> None:
        self.lines, self.first, self.more = lines, first, more
        self.position = self.start = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.position >= len(self.lines) and self.start < self.position:
            self.lines += self.more()
        if self.position >= len(self.lines) or self.position - self.start >= LINES_OF_A_ROW:
            raise StopIteration
        self.position += 1
        return self.lines[self.position - 1].decode("utf-8", "surrogateescape")


def csv_header(name: str, feed: CsvLines, delimiter: str) -> list[str]:
    """The fields of the first row. Raises `DataGateError` when it has none, or one twice."""
    try:
        fields = next(_reader(feed, delimiter), [])
    except csv.Error:
        fields = []
    twice = sorted({field for field in fields if fields.count(field) > 1})
    if not fields or twice:
        what = f"the columns {', '.join(map(writable, twice))} twice" if twice else "no header line"
        raise DataGateError(f"{name} has {what}")
    return [writable(field) for field in fields]


def csv_rows(feed: CsvLines, header: list[str], delimiter: str) -> Iterator[Row | BadRow]:
    """Rows (RFC 4180) that begin in the lines that `feed` has now. An empty field is null."""
    reader, end = _reader(feed, delimiter), len(feed.lines)
    while feed.position < end:
        feed.start = feed.position
        try:
            fields = next(reader)
            problem = f"{len(fields)} fields, the header has {len(header)}" if fields and len(fields) != len(header) else ""
        except StopIteration:
            return
        except csv.Error as error:
            problem = str(error)
        if problem:
            shown = writable(feed.lines[feed.start].decode("utf-8", "backslashreplace").rstrip("\r\n"))
            yield BadRow(feed.first + feed.start, f"row does not parse: {problem}", shown)
            feed.position = feed.start + 1  # a stray quote may have swallowed good lines
            reader = _reader(feed, delimiter)
        elif fields:
            record = {column: field or None for column, field in zip(header, fields, strict=True)}
            yield Row(feed.first + feed.start, record)


def _reader(feed: CsvLines, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(2**31 - 1)  # how long a text may be is for validation to say, row by row
    return csv.reader(feed, delimiter=delimiter, strict=True)


def json_rows(blocks: Iterable[bytes]) -> Iterator[Row | BadRow]:
    """Rows of a JSON lines file, an object on each line, from blocks of whole lines; blank lines are skipped."""
    number = 0
    for block in blocks:
        for line in block.splitlines():
            number += 1
            if line.strip():
                yield _json_row(number, line)


def json_array(name: str, content: bytes) -> Iterator[Row | BadRow]:
    """Rows of a file that is one JSON array of objects. Raises `DamagedError`; "lines" count the array's elements."""
    try:
        values = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{name} is damaged: {type(error).__name__}: {error}") from None
    if not isinstance(values, list):
        raise DataGateError(f"{name} holds a JSON {type(values).__name__}, allowed: an array of objects")
    for number, value in enumerate(values, start=1):
        yield _object(number, value, repr(value))


def _json_row(number: int, line: bytes) -> Row | BadRow:
    shown = line.decode("utf-8", "backslashreplace")
    try:
        return _object(number, json.loads(line.decode()), shown)
    except UnicodeDecodeError:
        return BadRow(number, "text is not UTF-8", shown)
    except (ValueError, RecursionError) as error:
        return BadRow(number, f"row does not parse: {_without_position(error)}", shown)


def _object(number: int, value: Any, shown: str) -> Row | BadRow:
    if not isinstance(value, dict):
        return BadRow(number, "row is not a JSON object", writable(shown))
    return Row(number, {writable(key): part for key, part in value.items()})


def _without_position(error: Exception) -> str:
    """Rules are counted, so one rule has one spelling: json's message without line and column."""
    return error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
