"""Wanted columns of rows that come one at a time, each value converted to its role or its row refused."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core import quarantine
from kindex.sources import MissingColumnError
from kindex.sources.parts.dates import seconds
from kindex.sources.parts.lines import BadRow, Row
from kindex.sources.parts.rows import ARROW, Role, Rows

ROWS = 1 << 17
"""Rows that are held as Python objects at a time."""

Kinds = dict[str, set[str]]
"""Types of the values seen so far, by column of the file."""


def from_records(table: str, name: str, found: Iterable[Row | BadRow], wanted: Mapping[str, Role]) -> Iterator[Rows]:
    """All rows, some at a time. Raises `MissingColumnError` when no row has a wanted column."""
    kinds: Kinds = {}
    remaining = iter(found)
    while some := list(islice(remaining, ROWS)):
        rows = converted(table, name, some, wanted, kinds)
        require_columns(name, rows.columns, wanted)
        yield rows


def converted(table: str, name: str, found: Iterable[Row | BadRow], wanted: Mapping[str, Role], kinds: Kinds) -> Rows:
    """These rows; `kinds` learns the types of all their values."""
    lines: list[int] = []
    values: dict[str, list[Any]] = {column: [] for column in wanted}
    refused = []
    for row in found:
        if isinstance(row, BadRow):
            refused.append(quarantine.entry(table, -1, row.rule, row.value, f"{name}:{row.line}", {"line": row.value}))
            continue
        for column, value in row.record.items():
            kinds.setdefault(column, set()).add(_json_type(value))
        try:
            chosen = [_convert(row.record.get(column), role, column) for column, role in wanted.items()]
        except ValueError as error:
            rule, _, value = str(error).partition("\0")
            refused.append(quarantine.entry(table, -1, rule, value, f"{name}:{row.line}", row.record))
            continue
        lines.append(row.line)
        for column, value in zip(wanted, chosen, strict=True):
            values[column].append(value)
    arrays = {column: pa.array(values[column], ARROW[role]) for column, role in wanted.items()}
    return Rows(table, name, types_of(kinds), arrays, np.array(lines, np.int64), refused)


def types_of(kinds: Kinds) -> dict[str, str]:
    """One word for each column: its type, several types with | between, or null."""
    return {column: "|".join(sorted(found - {"null"}) or ["null"]) for column, found in kinds.items()}


def require_columns(name: str, types: dict[str, str], wanted: Iterable[str]) -> None:
    for column in wanted:
        if types and column not in types:
            raise MissingColumnError(name, column, types)


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "boolean", int: "number", float: "number", str: "text", list: "list"}.get(type(value), "object")


def _convert(value: Any, role: Role, column: str) -> Any:
    """One JSON or CSV value in its role. Raises `ValueError` with the rule, NUL, and the value shown."""
    if value is None or (role in ("number", "date") and value == ""):
        return None
    if role == "text":
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if not isinstance(value, str):
            raise ValueError(f"{column} is not text or a whole number\0{value!r}")
        if not value.isascii() and quarantine.writable(value) != value:
            raise ValueError(f"text is not UTF-8\0{quarantine.writable(value)}")
        return value
    try:
        if role == "date":
            return seconds(value)
        if role == "number" and not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    word = {"number": "a number", "date": "a date"}.get(role, "binary")
    raise ValueError(f"{column} is not {word}\0{value!r}")
