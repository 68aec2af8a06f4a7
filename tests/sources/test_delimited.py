"""CSV in blocks gives what reading row by row gives: the same rows, the same refusals with the same lines."""

import io

import numpy as np
import pytest

from kindex.core.errors import KindexError
from kindex.sources.parts import delimited
from kindex.sources.parts.delimited import blocks, from_delimited
from kindex.sources.parts.lines import CsvLines, csv_header, csv_rows
from kindex.sources.parts.records import converted, require_columns

WANTED = {"l": "text", "r": "text", "w": "number", "d": "date"}
FIELDS = [b"a", b"bb", b"", b"1", b"2.5", b"nan", b"1_0", b" 3", b"+4", b"1e400", b"0x1f", b"\xc3\xa9", b"\xff", b"2020-01-02",
          b"99999999999999999999", b"  ", b"a\0b"]  # fmt: skip
QUOTED = [b'"q"', b'"a,b"', b'"x\ny"', b'"open', b'st"ray', b'"j"k', b'"say ""hi"""']


def made_up(seed: int, lines: int, quotes: float) -> bytes:
    """Lines of hostile fields: too few and too many of them, blank lines, both line ends, quotes in some."""
    rng = np.random.default_rng(seed)
    found = [b"l,r,w,d,more"]
    for _ in range(lines):
        count = 5 if rng.random() < 0.9 else int(rng.integers(0, 8))
        words = [b"k", b"v", b"1", b"5", b""] if rng.random() < 0.6 else []
        words = words[:count] or [FIELDS[rng.integers(len(FIELDS))] for _ in range(count)]
        if words and rng.random() < quotes:
            words[rng.integers(len(words))] = QUOTED[rng.integers(len(QUOTED))]
        found.append(b",".join(words))
    ends = [b"\r\n" if rng.random() < 0.2 else b"\n" for _ in found]
    if quotes and rng.random() < 0.3:
        ends[lines // 2] = b"\r"
    return b"".join(line + end for line, end in zip(found, ends, strict=True)).rstrip(b"\n" if seed % 2 else b"")


def row_by_row(content: bytes) -> tuple[list, list, dict]:
    feed = CsvLines(content.splitlines(keepends=True), 1)
    header = csv_header("x.csv", feed, ",")
    rows = converted("links", "x.csv", csv_rows(feed, header, ","), WANTED, {})
    require_columns("x.csv", rows.columns, WANTED)
    return listed([rows])


def listed(parts: list) -> tuple[list, list, dict]:
    """Rows and refusals in the order of their lines; a NaN as text, which equals itself."""
    rows = [(int(line), str(part.record(at))) for part in parts for at, line in enumerate(part.lines_N)]
    refused = [(entry["origin"], entry["rule"], entry["value"], entry["record"]) for part in parts for entry in part.refused]
    return sorted(rows), sorted(refused), parts[-1].columns if parts else {}


@pytest.mark.parametrize("quotes", [0.0, 0.02, 0.4])
@pytest.mark.parametrize("seed", range(8))
def test_blocks_give_the_same_as_rows(monkeypatch, seed, quotes):
    content = made_up(seed, 400, quotes)
    expected = row_by_row(content)
    for size in (1 << 24, 997, 64):
        monkeypatch.setattr(delimited, "BLOCK", size)
        parts = list(from_delimited("links", "x.csv", blocks(io.BytesIO(content)), ",", WANTED))
        assert listed(parts) == expected
    assert len(expected[0]) > 100 and len(expected[1]) > 10


def test_plain_blocks_are_not_read_row_by_row(monkeypatch):
    """What is fast must stay so: of 1,000 rows only the odd one goes one at a time."""
    single = []
    monkeypatch.setattr(delimited, "csv_rows", lambda feed, *form: single.append(len(feed.lines)) or csv_rows(feed, *form))
    content = b"l,r,w,d\n" + b"a,b,1,5\n" * 700 + b"a,b,x,5\n" + b"a,b,2,5\n" * 300
    parts = list(from_delimited("links", "x.csv", blocks(io.BytesIO(content)), ",", WANTED))
    assert sum(len(part.lines_N) for part in parts) == 1000 and single == [1]
    assert [entry["origin"] for part in parts for entry in part.refused] == ["x.csv:702"]


def test_a_column_of_empty_fields_is_null_and_one_that_begins_late_is_text():
    content = b"l,r,w,d,never,late\n" + b"a,b,,,,\n" * 5 + b"a,b,,,,x\n"
    [rows] = from_delimited("links", "x.csv", blocks(io.BytesIO(content)), ",", WANTED)
    assert rows.columns == {"l": "text", "r": "text", "w": "null", "d": "null", "never": "null", "late": "text"}


def test_a_missing_column_is_an_error_at_once():
    with pytest.raises(KindexError, match=r"x\.csv has no column 'w'"):
        list(from_delimited("links", "x.csv", blocks(io.BytesIO(b"l,r,d\na,b,c\n")), ",", WANTED))
