"""What is held out, against loops over all links; batches do not matter."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from kindex.core import tables
from kindex.core.catalogue import ITEMS, LINKS, TIME, Catalogue
from kindex.core.errors import ConfigError
from kindex.core.split import divide, heldout_links

MASK = (1 << 64) - 1


def made_up(rows: int, seed: int, kinds: int, ids: int, times: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    ends = [[f"i{v}" for v in rng.integers(0, ids, rows)] for _ in range(2)]
    sorts = [[f"k{v}" for v in rng.integers(0, kinds, rows)] for _ in range(2)]
    table = pa.table([ends[0], sorts[0], ends[1], sorts[1], np.ones(rows, np.float32)], schema=LINKS)
    return table.append_column(TIME, pa.array(rng.integers(-5, times, rows)))


def mix(value: int) -> int:
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & MASK
    return value ^ value >> 31


def blake(text: str, salt: str) -> int:
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=key).digest(), "little")


def hashed(row: dict, salt: str) -> int:
    ends = [mix(blake(row[end], salt) ^ mix(blake(row[f"{end}_kind"], f"{salt}/kind"))) for end in ("left", "right")]
    return mix(sum(ends) & MASK)


def by_loop(rows: list[dict], share: float, by: str) -> list[bool]:
    """Candidates without those that rank highest at one of their ends."""
    fraction = [(hashed(row, "s") >> 11) * 2.0**-53 for row in rows]
    may = [value < share for value in fraction]
    rank = list(fraction)
    if by == "time":
        newest = sorted((row["time"] for row in rows), reverse=True)
        wanted = int(share * len(rows))
        begin = newest[wanted] if wanted else newest[0] + 1
        newer, same = sum(time > begin for time in newest), newest.count(begin) or 1
        may = [
            row["time"] > begin or (row["time"] == begin and f < (wanted - newer) / same)
            for row, f in zip(rows, fraction, strict=True)
        ]
        rank = [(-row["time"], hashed(row, "s") >> 44) for row in rows]
    highest: dict = {}
    for row, value in zip(rows, rank, strict=True):
        for item in ((row["left_kind"], row["left"]), (row["right_kind"], row["right"])):
            highest[item] = max(highest.get(item, value), value)
    return [
        out and value not in (highest[row["left_kind"], row["left"]], highest[row["right_kind"], row["right"]])
        for row, value, out in zip(rows, rank, may, strict=True)
    ]


@pytest.mark.parametrize("by", ["hash", "time"])
@pytest.mark.parametrize(("kinds", "ids", "times"), [(1, 40, 1000), (3, 25, 3), (2, 3, -4)])
def test_held_out_as_by_a_loop(monkeypatch, by, kinds, ids, times):
    table = made_up(700, ids, kinds, ids, times)
    rows = table.to_pylist()
    for share, batch in ((0.0, 700), (0.2, 64), (0.6, 13), (0.95, 1)):
        monkeypatch.setattr(tables, "ROWS", batch)
        held_N = heldout_links(table, share, "s", by)
        assert held_N.tolist() == by_loop(rows, share, by)
    assert by == "time" or held_N.any()


def test_the_newest_are_held_out_and_a_link_and_its_reverse_stay_together():
    rng = np.random.default_rng(5)
    edges = sorted({tuple(sorted(pair)) for pair in rng.integers(0, 60, (900, 2)).tolist() if pair[0] != pair[1]})
    time = rng.permutation(len(edges)).tolist()
    rows = [(f"n{a}", "n", f"n{b}", "n", 1.0) for pair in edges for a, b in (pair, pair[::-1])]
    table = pa.table([list(column) for column in zip(*rows, strict=True)], schema=LINKS)
    table = table.append_column(TIME, pa.array(np.repeat(time, 2)))
    held_N = heldout_links(table, 0.2, "s", "time")
    assert (held_N[::2] == held_N[1::2]).all()
    assert 0.15 < held_N.mean() <= 0.2 + 2 / len(rows)
    assert np.repeat(time, 2)[held_N].min() >= len(edges) * 0.8 - 1


def test_dates_are_needed():
    table = made_up(10, 0, 1, 5, 9).drop_columns(["time"])
    with pytest.raises(ConfigError, match=r"split\.by is time, and the links have no dates: give source\.date"):
        divide(Catalogue("c", {"items": ITEMS.empty_table(), "links": table}), 0.1, "s", "time")
