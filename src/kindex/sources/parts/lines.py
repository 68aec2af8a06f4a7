"""Rows of text files, one at a time: CSV and JSON. What does not parse comes out as a `BadRow` and the rest goes on."""

import csv
import json
from collections.abc import Iterator
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


class _Feed:
    """Lines of a CSV file for `csv.reader`, which may be wound back to the line after a damaged one."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.position = self.start = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.position >= len(self.lines) or self.position - self.start >= LINES_OF_A_ROW:
            raise StopIteration
        self.position += 1
        return self.lines[self.position - 1].decode("utf-8", "surrogateescape")


def csv_rows(name: str, content: bytes, delimiter: str) -> Iterator[Row | BadRow]:
    """Rows of a CSV file (RFC 4180) with a header line. An empty field is null. Raises `DataGateError` without a header."""
    csv.field_size_limit(2**31 - 1)  # how long a text may be is for validation to say, row by row
    feed = _Feed(content.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True))
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        feed.start = feed.position
        try:
            fields = next(reader)
            wrong = header is not None and fields and len(fields) != len(header)
            problem = f"{len(fields)} fields, the header has {len(header or ())}" if wrong else ""
        except StopIteration:
            return
        except csv.Error as error:
            problem = str(error)
        if header is None:
            header = _header(name, [] if problem else fields)
        elif problem:
            shown = writable(feed.lines[feed.start].decode("utf-8", "backslashreplace").rstrip("\r\n"))
            yield BadRow(feed.start + 1, f"row does not parse: {problem}", shown)
            feed.position = feed.start + 1  # a stray quote may have swallowed good lines
            reader = csv.reader(feed, delimiter=delimiter, strict=True)
        elif fields:
            yield Row(feed.start + 1, {column: field or None for column, field in zip(header, fields, strict=True)})


def _header(name: str, fields: list[str]) -> list[str]:
    twice = sorted({field for field in fields if fields.count(field) > 1})
    if not fields or twice:
        what = f"the columns {', '.join(map(writable, twice))} twice" if twice else "no header line"
        raise DataGateError(f"{name} has {what}")
    return [writable(field) for field in fields]


def json_rows(_name: str, content: bytes) -> Iterator[Row | BadRow]:
    """Rows of a JSON lines file: an object on each line; blank lines are skipped."""
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
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
