"""Links in parts on disk are sorted and merged as a dictionary would."""

import numpy as np
import pyarrow as pa
import pytest

from kindex.core import scratch, tables
from kindex.sources.parts import merging
from kindex.sources.parts.merging import link_batches, merged

KINDS = ("user", "book")
SCHEMA = pa.schema([("left", pa.string()), ("right", pa.string()), ("weight", pa.float32()), ("time", pa.int64())])


def rows_of(count: int, seed: int) -> list[dict]:
    rng = np.random.default_rng(seed)
    left, right = rng.integers(0, 30, count), rng.integers(0, 12, count)
    heldout = rng.random(count) < 0.3
    return [
        {"left": f"u{a}", "right": f"é{b}", "weight": float(w), "time": int(t), "heldout": bool(h), "place": n}
        for n, (a, b, w, t, h) in enumerate(zip(left, right, rng.random(count), rng.integers(0, 99, count), heldout))
    ]


def by_loop(rows: list[dict]) -> tuple[list[dict], int, list[int]]:
    """The merged links in order, how many rows were repeats, and the places of held-out rows that leak."""
    train = {(row["left"], row["right"]) for row in rows if not row["heldout"]}
    kept, leaks, repeats = {}, [], 0
    for row in rows:
        key = row["left"], row["right"]
        if row["heldout"] and key in train:
            leaks.append(row["place"])
            continue
        repeats += key in kept
        one = kept.setdefault(key, {**row, "weight": 0.0, "time": -1})
        one["weight"], one["time"] = one["weight"] + row["weight"], max(one["time"], row["time"])
    order = sorted(kept, key=lambda key: [part.encode() for part in key])
    return [kept[key] for key in order], repeats, leaks


@pytest.mark.parametrize("batch", [1000, 17])
@pytest.mark.parametrize("part", [1 << 22, 50])
def test_merged_as_by_a_loop(tmp_path, monkeypatch, part, batch):
    monkeypatch.setattr(merging, "PART", part)
    for module in (merging, scratch):
        monkeypatch.setattr(module, "ROWS", 64)
    rows = rows_of(600, part % 7)
    table = pa.Table.from_pylist(rows)
    found = merged(iter(table.to_batches(batch)), ["weight", "time", "heldout", "place"], tmp_path / "scratch")
    links, repeats, leaks = by_loop(rows)
    assert sorted(place for part in found.leaks for place in part["place"].tolist()) == leaks and leaks
    assert found.repeated == repeats and found.rows == len(links)
    schema = SCHEMA.append(pa.field("heldout", pa.bool_()))
    back = pa.Table.from_batches([tables.plain(batch) for batch in link_batches(found, KINDS, schema)]).to_pylist()
    for one, expected in zip(back, links, strict=True):
        assert one == {**{name: expected[name] for name in one}, "weight": np.float32(expected["weight"])}
    assert list((tmp_path / "scratch").iterdir()) == []
    for end, texts, used_V in zip(("left", "right"), found.texts, found.used, strict=True):
        assert {row[end] for row in links} == set(texts.filter(pa.array(used_V)).to_pylist())


def test_without_weights_a_link_weighs_its_rows(tmp_path):
    rows = rows_of(400, 3)
    found = merged(pa.Table.from_pylist(rows).select(["left", "right"]).to_batches(30), [], tmp_path)
    counts = {}
    for row in rows:
        counts[row["left"], row["right"]] = counts.get((row["left"], row["right"]), 0) + 1
    [batch] = link_batches(found, KINDS, SCHEMA.remove(3))
    assert {(row["left"], row["right"]): row["weight"] for row in batch.to_pylist()} == counts


def test_no_rows(tmp_path):
    found = merged(iter([]), ["weight"], tmp_path)
    assert found.rows == found.repeated == 0 and list(link_batches(found, KINDS, SCHEMA.remove(3))) == []
