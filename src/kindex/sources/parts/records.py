"""Wanted columns of rows that come one at a time, each value converted to its role or its row refused."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core import quarantine
from kindex.sources import MissingColumnError
from kindex.sources.parts.lines import BadRow, Row
from kindex.sources.parts.rows import ARROW, Role, Rows


def from_records(table: str, name: str, found: Iterator[Row | BadRow], wanted: Mapping[str, Role]) -> Rows:
    """Raises `MissingColumnError` when no row has a wanted column."""
    lines: list[int] = []
    values: dict[str, list[Any]] = {column: [] for column in wanted}
    columns: dict[str, set[str]] = {}
    refused = []
    for row in found:
        if isinstance(row, BadRow):
            refused.append(quarantine.entry(table, -1, row.rule, row.value, f"{name}:{row.line}", {"line": row.value}))
            continue
        for column, value in row.record.items():
            columns.setdefault(column, set()).add(_json_type(value))
        try:
            converted = [_convert(row.record.get(column), role, column) for column, role in wanted.items()]
        except ValueError as error:
            rule, _, value = str(error).partition("\0")
            refused.append(quarantine.entry(table, -1, rule, value, f"{name}:{row.line}", row.record))
            continue
        lines.append(row.line)
        for column, value in zip(wanted, converted, strict=True):
            values[column].append(value)
    types = {column: "|".join(sorted(kinds - {"null"}) or ["null"]) for column, kinds in columns.items()}
    for column in wanted:
        if types and column not in types:
            raise MissingColumnError(name, column, types)
    arrays = {column: pa.array(values[column], ARROW[role]) for column, role in wanted.items()}
    return Rows(table, name, types, arrays, np.array(lines, np.int64), refused)


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "boolean", int: "number", float: "number", str: "text", list: "list"}.get(type(value), "object")


def _convert(value: Any, role: Role, column: str) -> Any:
    """One JSON or CSV value in its role. Raises `ValueError` with the rule, NUL, and the value shown."""
    if value is None or (role == "number" and value == ""):
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
        if role == "number" and not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"{column} is not {'a number' if role == 'number' else 'binary'}\0{value!r}")
