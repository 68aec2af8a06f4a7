"""The rows of a snapshot in the types of their roles; one whose values do not convert is refused."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.errors import DataGateError
from kindex.core.quarantine import Entries
from kindex.core.tables import ROWS
from kindex.sources import MissingColumnError
from kindex.sources.parts.delimited import as_role
from kindex.sources.parts.lines import Row
from kindex.sources.parts.records import converted
from kindex.sources.parts.rows import Role, Rows
from kindex.sources.parts.sqlentries import MARK
from kindex.sources.parts.sqlreading import Asked
from kindex.sources.parts.sqlstore import Store


def rows(
    asked: Asked, store: Store, snapshot: Mapping[str, Any], table: str, roles: Mapping[str, Role], refused: Entries
) -> Iterator[Rows]:
    """All rows of one table, in an order that depends on nothing but what they hold. Numbers of rows count in that order.

    Raises `MissingColumnError` at once. What is refused of links goes to `refused` when the next rows are asked for.
    """
    columns = dict(snapshot["columns"])
    for name in asked.columns:
        if name not in columns:
            raise MissingColumnError(asked.name, name, columns)
    return _rows(asked, store, snapshot["parts"], table, roles, refused, columns)


def _rows(
    asked: Asked,
    store: Store,
    parts: list[dict[str, Any]],
    table: str,
    roles: Mapping[str, Role],
    refused: Entries,
    columns: dict[str, str],
) -> Iterator[Rows]:
    first = 1
    for found in store.replay(parts, asked.values):
        for start in range(0, found.num_rows, ROWS):
            some = found.slice(start, ROWS).combine_chunks()
            for part in _converted(asked.name, some, first, table, roles, columns):
                yield part
                if table == "links":
                    refused.add(part.refused)
            first += some.num_rows
    if first == 1:
        raise DataGateError(f"{asked.name} has no rows")


def _converted(
    name: str, found: pa.Table, first: int, table: str, roles: Mapping[str, Role], columns: dict[str, str]
) -> Iterator[Rows]:
    """The rows, then those of them that needed a second look."""
    line_N, odd_N, values = np.arange(first, first + found.num_rows), np.zeros(found.num_rows, bool), {}
    for column, role in roles.items():
        values[column], odd_here_N = as_role(_coded(found[MARK + column]), role)
        odd_N |= odd_here_N
    if odd_N.any():
        keep = pa.array(~odd_N)
        texts = {column: found[MARK + column].filter(pa.array(odd_N)).to_pylist() for column in roles}
        doubtful = [
            Row(int(line), {column: _text(texts[column][number]) for column in roles})
            for number, line in enumerate(line_N[odd_N].tolist())
        ]
        yield Rows(table, name, columns, {column: array.filter(keep) for column, array in values.items()}, line_N[~odd_N])
        rest = converted(table, name, doubtful, roles, {})
        rest.columns = columns
        yield rest
        return
    yield Rows(table, name, columns, values, line_N)


def _coded(column: pa.ChunkedArray) -> pa.Array:
    coded = pc.dictionary_encode(column.combine_chunks() if column.num_chunks != 1 else column.chunk(0))
    return coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "surrogateescape")
