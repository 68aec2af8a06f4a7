"""Deltas that come twice, late and out of order must end in the same tables as the same deltas sorted and given once.

A sequence is a log of writes to a table of ratings, each of a row, with a time and perhaps a deletion. It reaches a database
shuffled, in pieces, with repeats; after each piece the snapshot moves on. `run` is what `make reliability` calls.
"""

import random
from pathlib import Path
from typing import Any

from tests.sources.database import KEYED, Shop

WAYS = {
    "history": {**KEYED, "overlap": 86400.0 * 365},  # every version of a row stays in the table
    "watermark": {**KEYED, "overlap": 86400.0 * 365, "compare": "keys"},  # it has the present version, and rows vanish from it
    "full": {"table": "ratings", "tombstone": "gone"},
}


def log(rng: random.Random) -> list[tuple]:
    """Writes of (user, book, stars, written, gone): a few rows, each written a few times, times of one row all different."""
    rows = [(f"u{rng.randrange(4)}", f"b{number}") for number in range(rng.randint(2, 8))]
    writes = []
    for user, book in rows:
        for hour in rng.sample(range(24), rng.randint(1, 4)):
            writes.append(
                (user, book, rng.randint(1, 5), f"2024-01-{rng.randint(1, 9):02} {hour:02}:00:00", rng.random() < 0.2)
            )
    return [*writes, ("always", "there", 1, "2024-01-01", False)]


def sorted_once(writes: list[tuple]) -> list[tuple]:
    """The last write of each row, by its time."""
    last = {write[:2]: write for write in sorted(writes, key=lambda write: write[3])}
    return sorted(last.values())


def pieces(rng: random.Random, writes: list[tuple]) -> list[list[tuple]]:
    """The writes shuffled, some of them twice, in pieces."""
    many = [*writes, *rng.choices(writes, k=rng.randint(0, len(writes)))]
    rng.shuffle(many)
    cuts = sorted(rng.randrange(len(many) + 1) for _ in range(rng.randint(1, 4)))
    return [many[start:end] for start, end in zip([0, *cuts], [*cuts, len(many)])]


def deliver(shop: Shop, way: str, piece: list[tuple]) -> None:
    """Write a piece as an application would: a history takes all, a table the latest version of each row."""
    if way == "history":
        shop.rate(*piece)
        return
    there = '"user" = ? AND book = ?'
    older = f"DELETE FROM ratings WHERE {there} AND written <= ?"
    new = f"INSERT INTO ratings SELECT ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM ratings WHERE {there})"
    shop.write(pair for write in piece for pair in ((older, (*write[:2], write[3])), (new, (*write, *write[:2]))))


def tables(shop: Shop) -> dict[str, Any]:
    found = shop.read()
    assert found.refused.num_rows == 0
    items = found.catalogue.items.sort_by([("kind", "ascending"), ("id", "ascending")])
    return {"links": found.catalogue.links.to_pylist(), "items": items.to_pylist()}


def sequence(root: Path, seed: int) -> bool:
    """Whether one sequence ends as it must, by one of the ways."""
    rng, way = random.Random(seed), sorted(WAYS)[seed % len(WAYS)]
    writes = log(rng)
    shop = Shop(root / "pieces", WAYS[way])
    for piece in pieces(rng, writes):
        deliver(shop, way, piece)
        shop.night()
    if way == "watermark" and seed % 2:  # rows that are deleted vanish, and nobody says so
        writes = [write for write in writes if write[0] != "u1"]
        shop.do("DELETE FROM ratings WHERE \"user\" = 'u1'")
        shop.night()
    once = Shop(root / "once", {"table": "ratings", "tombstone": "gone"})
    once.rate(*sorted_once(writes))
    once.night()
    expected = tables(once)
    same = tables(shop) == expected
    parts = shop.parts()
    shop.snapshot["tables"]["links"]["parts"] = rng.sample(parts, len(parts)) + rng.choices(parts, k=2)  # the parts, too
    return same and tables(shop) == expected


def run(root: Path, sequences: int = 500, first: int = 0) -> dict[str, int]:
    """Try so many sequences below `root`: how many there were, and how many ended otherwise."""
    wrong = [seed for seed in range(first, first + sequences) if not sequence(root / str(seed), seed)]
    return {"sequences": sequences, "wrong": len(wrong)}
