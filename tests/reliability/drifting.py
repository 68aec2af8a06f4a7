"""Tables of a source whose columns change, for promise 4, written as CSV, JSON lines, Parquet and SQLite."""

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests import projects
from tests.sources.test_files import packed

Table = list[dict[str, Any]]
CHANGES = ("added", "dropped", "renamed", "retyped", "emptied", "reordered")

LINKS: Table = [
    {"user": f"u{n // 5}", "book": f"b{(n // 5 * 3 + n % 5) % 11}", "stars": 1 + n % 5, "day": f"2026-01-{1 + n % 28:02}"}
    for n in range(100)
]
BOOKS: Table = [{"id": f"b{n}", "title": f"Book {n}", "genre": f"genre {n % 3}"} for n in range(11)]
FACES: Table = [
    {"id": f"f{n}", "image": projects.png(np.full((8, 8), n, np.uint8)), "label": f"person {n % 4}"} for n in range(20)
]
_COLUMNS = {"left": "user", "right": "book", "weight": "stars", "date": "day", "left_kind": "user", "right_kind": "book"}
_FILES = {"kind": "files", **_COLUMNS}
_SQL = {str: "TEXT", int: "INTEGER", float: "REAL", bool: "BOOLEAN", type(None): "TEXT"}
_ABOUT = {"description": "title", "label": "genre"}


@dataclass(frozen=True)
class Place:
    """A table of a source: its file, its rows when all is well, and the settings of the source."""

    file: str
    rows: Table
    source: dict[str, Any]

    def write(self, root: Path, rows: Table) -> None:
        """The source below `root`, with these rows in place of its own."""
        if self.file.startswith("items"):
            _write(root / "links.csv", LINKS)
        _write(root / self.file, rows)


@dataclass(frozen=True)
class Drift:
    """One change of one column of a table; `column` is the one that a difference must name."""

    place: Place
    change: str
    column: str
    rows: Table

    @property
    def name(self) -> str:
        return f"{self.place.file}: {self.column} {self.change}"


def places() -> list[Place]:
    """Each table in each form that it can have."""
    found = [Place(f"links.{suffix}", LINKS, _FILES | {"links": f"links.{suffix}"}) for suffix in ("csv", "jsonl", "parquet")]
    for suffix in ("csv", "jsonl", "parquet"):
        found.append(Place(f"items.{suffix}", BOOKS, _FILES | _ABOUT | {"links": "links.csv", "items": f"items.{suffix}"}))
    found.append(Place("images.parquet", FACES, {"kind": "files", "images": "images.parquet", "label": "label"}))
    found.append(Place("links.db", LINKS, {"kind": "sql", "uri": "sqlite:links.db", "links": {"table": "links"}, **_COLUMNS}))
    return found


def drifts() -> list[Drift]:
    """Every change of every column of every table, in a random but fixed order. A CSV has no types: what it can show of
    another type is a number or a date that is none."""
    found = [drift for place in places() for change in CHANGES for drift in _changed(place, change)]
    random.Random(4).shuffle(found)
    return found


def _changed(place: Place, change: str) -> Iterator[Drift]:
    names = list(place.rows[0])
    if change == "added":
        yield Drift(place, change, "more", [row | {"more": f"x{n}"} for n, row in enumerate(place.rows)])
    elif change == "reordered":
        yield Drift(place, change, names[0], [{name: row[name] for name in reversed(names)} for row in place.rows])
    else:
        for name in names:
            if change != "retyped" or not place.file.endswith(".csv") or name in ("stars", "day"):
                yield Drift(place, change, name, [_row(row, name, change) for row in place.rows])


def _row(row: dict[str, Any], column: str, change: str) -> dict[str, Any]:
    if change == "dropped":
        return {name: value for name, value in row.items() if name != column}
    if change == "renamed":
        return {f"{column}_2" if name == column else name: value for name, value in row.items()}
    return row | {column: None if change == "emptied" else _of_another_type(row[column])}


def _of_another_type(value: Any) -> Any:
    if isinstance(value, str):
        return value[-1] == "1" if value[0] == "2" else float(sum(value.encode())) + 0.5
    return f"no. {value}" if isinstance(value, int) else value.hex()


def _write(path: Path, rows: Table) -> None:
    if path.suffix == ".parquet":  # an emptied column keeps its type, as it does where a table has a schema
        kinds = {name: pa.array([value]).type for row in (LINKS[0], BOOKS[0], FACES[0]) for name, value in row.items()}
        empty = {name for name in rows[0] if all(row[name] is None for row in rows)}
        columns = {n: pa.array([row[n] for row in rows], kinds[n] if n in empty else None) for n in rows[0]}
        pq.write_table(pa.table(columns), path)
    elif path.suffix == ".db":
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as connection:
            typed = (f'"{name}" {_SQL[type(value)]}' for name, value in rows[0].items())
            connection.execute(f"CREATE TABLE links ({', '.join(typed)})")
            values = [tuple(row.values()) for row in rows]
            connection.executemany(f"INSERT INTO links VALUES ({', '.join('?' for _ in rows[0])})", values)
        connection.close()
    else:
        path.write_bytes(packed(path.name, rows))
