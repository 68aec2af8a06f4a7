"""Every planted bad row is found exactly once for each rule that it breaks, and nothing else is."""

import io
import json
from collections import Counter

import pyarrow as pa
import pytest
from PIL import Image

from kindex.checks.run import check
from kindex.checks.verdict import objections, quarantine_order, summary, volume_bounds
from kindex.checks.whole import check_catalogue
from kindex.core import quarantine
from kindex.core.catalogue import IMAGES, ITEMS, LINKS, Catalogue
from kindex.core.errors import KindexError
from kindex.core.params import CheckParams
from kindex.core.watch import Silent

LIMITS = CheckParams(max_text_characters=50)
LONG = "longer than 50 characters"
UNWRITABLE = "text has a NUL or is not UTF-8"
WEIGHT = "weight is not a positive finite number"


def item(name, kind="book", label=None, description=None):
    return (name, kind, label, description)


def items_table(rows):
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=ITEMS)


def run(bounds=None, limits=LIMITS, **tables):
    return check_catalogue(Catalogue("c", tables), limits, bounds or {}, "files 0123", Silent())


def found(checked, table):
    return Counter((entry["row"], entry["rule"]) for entry in checked.entries if entry["table"] == table)


def broken_text(values: list[bytes]) -> pa.Array:
    return pa.array(values, pa.binary()).view(pa.string())


def test_items():
    good = [item(f"b{number}") for number in range(20)]
    bad = [
        (item(None), {"id is missing"}),
        (item(""), {f"id is empty or {LONG}"}),
        (item("x" * 51), {f"id is empty or {LONG}"}),
        (item("y", None), {"kind is missing"}),
        (item("z\0"), {UNWRITABLE}),
        (item("w", label="l" * 51, description="d" * 51), {f"label is {LONG}", f"description is {LONG}"}),
        (item("b3", label="again"), {"id is not unique"}),
        (item("b3", label="and again"), {"id is not unique"}),
        (item("v\0" + "v" * 60), {UNWRITABLE, f"id is empty or {LONG}"}),
    ]
    also_good = [item("b3", "author"), item("é" * 50), item("‮right to left"), item("<script>")]
    checked = run(items=items_table([*good, *(row for row, _ in bad), *also_good]))
    expected = Counter((20 + number, rule) for number, (_, rules) in enumerate(bad) for rule in rules)
    assert found(checked, "items") == expected
    assert checked.passed["items"].num_rows == len(good) + len(also_good)
    entry = next(entry for entry in checked.entries if entry["row"] == 26)
    assert (entry["value"], entry["origin"]) == ("b3", "files 0123") and json.loads(entry["record"])["label"] == "again"


def test_text_that_is_not_utf8_is_found_in_every_column():
    names = broken_text([b"a", b"\xed\xa0\x80", b"c", b"d"])
    labels = broken_text([b"x", b"y", b"\xff\xfe", b"z"])
    table = pa.table([names, ["book"] * 4, labels, pa.nulls(4, pa.string())], schema=ITEMS)
    checked = run(items=table)
    assert found(checked, "items") == {(1, UNWRITABLE): 1, (2, UNWRITABLE): 1}
    assert "\\\\xed" in next(entry["record"] for entry in checked.entries if entry["row"] == 1)
    checked.passed["items"].validate(full=True)
    checked.entries.table().validate(full=True)


def test_links_and_the_items_they_lose():
    books = items_table([item("a"), item("b"), item("c\0"), item("u", "user"), item("v", "user")])
    link = lambda left, right, weight=1.0, kind="user": (left, kind, right, "book", weight)  # noqa: E731
    rows = [
        (link("u", "a"), set()),
        (link("v", "a"), set()),
        (link("v", "b"), set()),
        (link("u", "c\0"), {UNWRITABLE, "right is an item that was refused"}),
        (link("u", "nowhere"), {"right is not an item"}),
        (link("a", "b"), {"left is not an item"}),  # a is a book, not a user
        (link(None, "b"), {"left is missing"}),
        (link("u", "a", 2.0), {"left is not unique"}),
        (link("u", "b", float("nan")), {WEIGHT}),
        (link("w", "b", float("inf")), {WEIGHT, "left is not an item"}),
        (link("a", "a", -1.0, "book"), {WEIGHT}),
        (link("b", "a", 0.0, "book"), {WEIGHT}),
        (link("b", "b", None, "book"), {WEIGHT}),
    ]
    table = pa.table([list(column) for column in zip(*(row for row, _ in rows), strict=True)], schema=LINKS)
    checked = run(items=books, links=table)
    assert found(checked, "links") == Counter((number, rule) for number, (_, rules) in enumerate(rows) for rule in rules)
    assert checked.passed["links"].equals(table.slice(0, 3))
    values = {entry["row"]: entry["value"] for entry in checked.entries if entry["rule"] == WEIGHT}
    assert values == {8: "nan", 9: "inf", 10: "-1.0", 11: "0.0", 12: "None"}


def png(width=8, height=8, mode="L"):
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_images_and_their_items():
    rows = [
        ("i0", png(), set()),
        ("i1", png(), set()),
        ("i2", png(9, 8), {"image is not 8x8"}),
        ("i3", png(mode="RGB"), {"image is not 8x8"}),
        ("i4", png()[:40], {"image does not decode"}),
        ("i5", b"", {"image does not decode"}),
        ("i6", None, {"image does not decode"}),
        ("nobody", png(), {"id is not an image item"}),
        ("i0", png(), {"id is not unique"}),
        ("i7\0", png(), {UNWRITABLE}),
        ("i8", png(), {"its item was refused"}),
    ]
    items = [item(f"i{number}", "image") for number in range(7)] + [item("i7\0", "image"), item("i8", "image", "l" * 51)]
    items += [item("i9", "image"), item("free", "author")]
    images = pa.table([[name for name, _, _ in rows], [image for _, image, _ in rows]], schema=IMAGES)
    checked = run(items=items_table(items), images=images)
    assert found(checked, "images") == Counter((number, rule) for number, (_, _, rules) in enumerate(rows) for rule in rules)
    assert checked.passed["images"]["id"].to_pylist() == ["i0", "i1"]
    assert checked.passed["items"]["id"].to_pylist() == ["i0", "i1", "free"]
    lost = {row for row, rule in found(checked, "items") if rule == "item has no image that passed"}
    assert lost == {2, 3, 4, 5, 6, 7, 9}


def test_the_configured_shape_counts():
    images = pa.table([["a", "b", "c"], [png(), png(9, 8), png(8, 9)]], schema=IMAGES)
    items = items_table([item(name, "image") for name in "abc"])
    checked = run(limits=CheckParams(image_shape=(8, 9)), items=items, images=images)
    assert checked.passed["images"]["id"].to_pylist() == ["b"]  # 8 high, 9 wide


@pytest.mark.parametrize(("rows", "stops"), [(50, False), (49, True), (150, False), (151, True), (100, False)])
def test_volume_within_bounds_of_what_last_passed(rows, stops):
    limits = CheckParams(max_volume_change=0.5)
    expected = {"items": 100}
    table = items_table([item(f"b{number}") for number in range(rows)])
    checked = run(volume_bounds(expected, limits), limits, items=table)
    said = objections(summary({"items": table}, checked, quarantine.table([])), checked, limits, expected)
    assert bool(said) == stops
    if stops:
        assert said == [f"items: {rows} rows came in and 100 passed last time; checks.max_volume_change allows 50% up or down"]


@pytest.mark.parametrize(("bad", "stops"), [(5, False), (6, True)])
def test_too_many_refused_rows_stop_the_night(bad, stops):
    table = items_table([item(f"b{number}" + "\0" * (number < bad)) for number in range(100)])
    checked = run(items=table)
    counts = summary({"items": table}, checked, quarantine_order(checked.entries.table()))
    assert counts["rows"]["items"] == {"in": 100, "passed": 100 - bad, "refused": bad, "refused_share": bad / 100}
    said = objections(counts, checked, LIMITS, None)
    assert said == (
        [f"items: 6 of 100 rows were refused (6.0%), checks.max_quarantine_share allows 5.0%. Most: {UNWRITABLE}: 6"]
        if stops
        else []
    )


def test_rows_that_never_became_one_count_too():
    table = items_table([item("a")])
    refused = [quarantine.entry("items", -1, "row does not parse", "{", "f.jsonl:3", {"line": "{"})]
    counts = summary({"items": table}, run(items=table), quarantine.table(refused))
    assert counts["rows"]["items"] == {"in": 2, "passed": 1, "refused": 1, "refused_share": 0.5}
    assert counts["refused_by_rule"] == {"items": {"row does not parse": 1}}


def test_examples_show_each_rule_before_any_rule_twice():
    entries = [quarantine.entry("items", row, f"rule {row // 20}", "x" * 500, "o", {}) for row in range(60)]
    examples = summary({}, run(items=items_table([item("a")])), quarantine.table(entries))["examples"]
    assert [example["rule"] for example in examples[:3]] == ["rule 0", "rule 1", "rule 2"]
    assert len(examples) == 10 and len(examples[0]["value"]) == 200


def test_an_engine_that_fails_does_not_look_like_bad_data():
    import great_expectations as gx
    import pandas as pd

    rule = gx.expectations.ExpectColumnValuesToNotBeNull(column="gone", meta={"rule": "gone is there", "shows": "gone"})
    with pytest.raises(KindexError, match=r"checking t for 'gone is there' failed: .*does not exist"):
        check(gx.ExpectationSuite(name="t", expectations=[rule]), pd.DataFrame({"here": [1]}))
