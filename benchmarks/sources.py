"""What a night's look at a source costs, and reading what is locked: a table of SQLite, and a folder of files.

python -m benchmarks.sources --rows 1e6

One in a hundred rows is new or changed on the second night. CPU seconds of this process; MB is its peak so far.
"""

import argparse
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kindex.core.blocks import build
from kindex.core.watch import Silent
from kindex.sources import files, sql

MAPPING = {"left": "user", "right": "book", "weight": "stars"}
KEYED = {"table": "ratings", "key": ["user", "book"], "watermark": "written"}
WAYS: dict[str, dict[str, Any]] = {
    "sql, watermark": KEYED,
    "sql, watermark and keys": {**KEYED, "compare": "keys"},
    "sql, full": {"table": "ratings"},
}


def measured(what: str, work: Callable[[], Any]) -> Any:
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {what} | {time.process_time() - cpu:.1f} | {time.perf_counter() - wall:.1f} | {peak:.0f} |", flush=True)
    return found


def ratings(rows: int, first: int = 0) -> Iterator[tuple[str, str, float, int]]:
    """Ratings, one a second."""
    for row in range(first, first + rows):
        yield f"user{row % 50_021}", f"book{row * 7919 % 1_000_003}", 1 + row % 9 / 2, 1_600_000_000 + row


def database(root: Path, rows: int, way: str) -> None:
    (root / "sql").mkdir(exist_ok=True)
    with sqlite3.connect(root / "sql" / f"{way}.db") as connection:
        connection.execute('CREATE TABLE ratings ("user", book, stars, written)')
        connection.executemany("INSERT INTO ratings VALUES (?, ?, ?, ?)", ratings(rows))
        connection.execute("CREATE INDEX at ON ratings (written)")
    links = {**WAYS[way], **({"overlap": rows / 100} if "watermark" in WAYS[way] else {})}
    config = build(sql.Config, {"uri": f"sqlite:sql/{way}.db", "links": links, **MAPPING}, "source")
    first, _ = measured(f"{way}: first night", lambda: sql.advance(config, root, None, way))
    with sqlite3.connect(root / "sql" / f"{way}.db") as connection:
        connection.executemany("INSERT INTO ratings VALUES (?, ?, ?, ?)", ratings(rows // 200, rows))
        connection.execute("UPDATE ratings SET stars = 5.5, written = ? WHERE rowid % 200 = 0", (1_600_000_000 + rows,))
    second, _ = measured(f"{way}: 1 % new or changed", lambda: sql.advance(config, root, first, way))
    measured(f"{way}: nothing new", lambda: sql.advance(config, root, second, way))
    measured(f"{way}: read for ingest", lambda: sql.read(config, second, root, Silent()))


def folder(root: Path, rows: int, parts: int = 100) -> None:
    (root / "in").mkdir()
    for part in range(parts):
        lines = (f"{user},{book},{stars}\n" for user, book, stars, _ in ratings(rows // parts, part * rows // parts))
        (root / f"in/{part:03}.csv").write_text("user,book,stars\n" + "".join(lines))
    config = build(files.Config, {"links": "in", **MAPPING}, "source")
    locked = measured(f"{parts} files: every night", lambda: files.snapshot(config, root))
    measured(f"{parts} files: read for ingest", lambda: files.read(config, locked, root, Silent()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=float, default=1e6)
    rows = int(parser.parse_args().rows)
    print(f"{rows:,} rows\n| what | CPU s | s | MB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "files").mkdir()
        for way in WAYS:
            database(Path(root), rows, way)
        folder(Path(root) / "files", rows)


if __name__ == "__main__":
    main()
