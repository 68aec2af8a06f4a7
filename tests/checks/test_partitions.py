"""Links are checked partition by partition as a loop over all of them would, sorted or not."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from kindex.checks import partitions, whole
from kindex.checks.ends import Ends, Repeats, repeats_anywhere
from kindex.checks.whole import check_catalogue
from kindex.core import tables
from kindex.core.catalogue import ITEMS, LINKS, TIME, Catalogue
from kindex.core.params import CheckParams
from kindex.core.tables import Tables, streamed
from kindex.core.watch import Silent

MOST = 20
TEXTS = [*(f"i{n}" for n in range(12)), "gone", "nul\0", "x" * 30, "", None, "é"]
WEIGHTS = [1.0, 2.5, 0.0, -1.0, float("nan"), float("inf"), None, 1e-45]


def items_table() -> pa.Table:
    rows = [(text, kind, None, None) for text in TEXTS if text != "gone" for kind in ("user", "book")]
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=ITEMS)


def links_table(rows: int, seed: int, bad: float) -> pa.Table:
    rng = np.random.default_rng(seed)

    def drawn(good: list, any_: list) -> list:
        return [any_[rng.integers(len(any_))] if rng.random() < bad else good[rng.integers(len(good))] for _ in range(rows)]

    columns = [drawn(TEXTS[:12], TEXTS), drawn(["user"], ["user", "book", "film", None])]
    columns += [drawn(TEXTS[:12], TEXTS), drawn(["book"], ["user", "book", "film", None]), drawn([1.0], WEIGHTS)]
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, LINKS, strict=True)], schema=LINKS)
    return table.append_column(TIME, pa.array(drawn([1, 2], [3, None]), pa.int64()))


def by_loop(table: pa.Table) -> Counter:
    """Every row with each rule that it breaks."""
    found, seen = Counter(), set()
    for row, link in enumerate(table.to_pylist()):
        rules = set()
        for end in ("left", "right"):
            for name in (end, f"{end}_kind"):
                text = link[name]
                if text is None:
                    rules.add(f"{name} is missing")
                elif not 1 <= len(text) <= MOST:
                    rules.add(f"{name} is empty or longer than {MOST} characters")
                elif "\0" in text:
                    rules.add("text has a NUL or is not UTF-8")
            text, kind = link[end], link[f"{end}_kind"]
            if text is not None and kind is not None:
                if text == "gone" or kind == "film":
                    rules.add(f"{end} is not an item")
                elif not 1 <= len(text) <= MOST or "\0" in text:
                    rules.add(f"{end} is an item that was refused")
        key = tuple(link[name] for name in ("left", "right", "left_kind", "right_kind"))
        rules |= {"left is not unique"} if key in seen else set()
        seen.add(key)
        weight = link["weight"]
        if weight is None or not 1.2e-38 < weight < 3.5e38:
            rules.add("weight is not a positive finite number")
        rules |= {"time is missing"} if link["time"] is None else set()
        found.update((row, rule) for rule in rules)
    return found


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("stream", [True, False])
def test_every_row_and_rule_as_by_a_loop(monkeypatch, in_order, stream):
    monkeypatch.setattr(tables, "ROWS", 50)
    monkeypatch.setattr(partitions, "PARTITION", 120)
    table = links_table(300, 1, 0.1)
    if in_order:
        table = table.sort_by([(name, "ascending") for name in ("left", "right", "left_kind", "right_kind")])
    catalogue = Catalogue("c", Tables({"items": items_table(), "links": streamed(table) if stream else table}))
    checked = check_catalogue(catalogue, CheckParams(max_text_characters=MOST), {}, "files 0123", Silent())
    entries = [entry for entry in checked.entries if entry["table"] == "links"]
    expected = by_loop(table)
    assert Counter((entry["row"], entry["rule"]) for entry in entries) == expected
    refused = {row for row, _ in expected}
    assert 50 < len(refused) < 250
    passed = checked.passed["links"].table() if stream else checked.passed["links"]
    assert passed.equals(table.filter(pa.array([row not in refused for row in range(300)])))
    for entry in entries[:20]:
        assert json.loads(entry["record"])["left"] == table["left"][entry["row"]].as_py()
    results = {result["rule"]: result["refused"] for result in checked.outcomes["links"].results if result["refused"]}
    assert results == Counter(rule for _, rule in expected)
    assert {result["checked"] for result in checked.outcomes["links"].results} == {300}


def test_items_in_parts_are_checked_as_in_one(monkeypatch):
    rows = [(f"i{n % 17}" + "\0" * (n % 5 == 0), "book", "l" * (n % 30), None) for n in range(60)]
    table = pa.table([list(column) for column in zip(*rows, strict=True)], schema=ITEMS)
    outcomes = []
    for size in (100, 25):
        monkeypatch.setattr(whole, "ITEMS", size)
        checked = check_catalogue(Catalogue("c", {"items": table}), CheckParams(max_text_characters=MOST), {}, "o", Silent())
        entries = sorted(checked.entries.table().to_pylist(), key=lambda entry: (entry["row"], entry["rule"]))
        outcomes.append((entries, checked.passed["items"], checked.outcomes["items"].results))
    assert outcomes[0] == outcomes[1] and len(outcomes[0][0]) > 60
    assert sum(result["refused"] for result in outcomes[0][2]) == len(outcomes[0][0])


def test_rows_that_are_not_in_order_are_noticed_and_ordered_ones_are_not():
    items = items_table()
    for seed, bad in enumerate((0.0, 0.0, 0.3, 0.3)):
        table = links_table(200, seed, bad)
        in_order = table.sort_by([(name, "ascending") for name in ("left", "right", "left_kind", "right_kind")])
        expected = repeats_anywhere(next(Ends(items).coded(streamed(in_order)))[1])
        for links, is_sorted in ((in_order, True), (table, False)):
            ends = Ends(items)
            seen = Repeats(ends)
            codes = next(ends.coded(streamed(links)))[1]
            found = [seen.seen([code_N[start : start + 7] for code_N in codes]) for start in range(0, 200, 7)]
            assert seen.sorted is is_sorted
            if is_sorted:
                assert (np.concatenate(found) == expected).all() and expected.any()
