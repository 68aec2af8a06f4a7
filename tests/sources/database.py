"""A small shop in SQLite, and a project's catalogue of it, for the tests of the kind `sql`."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kindex.core.blocks import build
from kindex.core.watch import Silent
from kindex.sources import Ingested, sql

MAPPING = {"left": "user", "right": "book", "weight": "stars", "left_kind": "user", "right_kind": "book"}
KEYED = {"table": "ratings", "key": ["user", "book"], "watermark": "written", "tombstone": "gone"}


class Shop:
    """`shop.db` below `root`, and the snapshot of it that moves on with every `night`."""

    def __init__(self, root: Path, links: dict[str, Any] | None = None, **settings: Any) -> None:
        self.root, self.path = root, root / "shop.db"
        root.mkdir(parents=True, exist_ok=True)
        blocks = {"uri": "sqlite:shop.db", "links": links or KEYED, **MAPPING, **settings}
        self.config = build(sql.Config, blocks, "catalogues.shop.source")
        self.snapshot: dict[str, Any] | None = None
        self.do('CREATE TABLE IF NOT EXISTS ratings ("user", book, stars, written, gone)')

    def do(self, statement: str, rows: Iterable[tuple] = ((),)) -> None:
        self.write((statement, row) for row in rows)

    def write(self, statements: Iterable[tuple[str, tuple]]) -> None:
        """Statements with their values, in one transaction."""
        with sqlite3.connect(self.path) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            for statement, row in statements:
                connection.execute(statement, row)
        connection.close()

    def rate(self, *rows: tuple) -> None:
        """Rows of user, book, stars, when written, and whether gone."""
        self.do("INSERT INTO ratings VALUES (?, ?, ?, ?, ?)", [(*row, *(None,) * (5 - len(row))) for row in rows])

    def night(self, **how: bool) -> dict[str, Any]:
        """Move the snapshot on; what moved of the links."""
        self.snapshot, moved = sql.advance(self.config, self.root, self.snapshot, "shop", **how)
        return moved["links"]

    def read(self) -> Ingested:
        assert self.snapshot is not None
        return sql.read(self.config, self.snapshot, self.root, Silent())

    def links(self) -> list[tuple[str, str, float]]:
        rows = self.read().catalogue.links.to_pylist()
        return sorted((row["left"], row["right"], row["weight"]) for row in rows)

    def parts(self) -> list[dict[str, Any]]:
        assert self.snapshot is not None
        return self.snapshot["tables"]["links"]["parts"]
