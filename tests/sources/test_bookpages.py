import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.core.errors import ConfigError, DamagedError, DataGateError
from kindex.sources import MissingColumnError
from kindex.sources.parts.bookattributes import read_attributes
from kindex.sources.parts.bookpages import BookPage, book_pages, is_dump, line_of

GOOD = ["A", {"author": "B"}, ["C", "d"], ["http://e"], "2020", 5]


def read(*lines: bytes | str, most: int = 1000):
    content = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    return list(book_pages(io.BytesIO(content), "p.ndjson", most))


def test_a_page_is_a_line_and_back():
    page = BookPage("A é", {"author": 'B "c"'}, ["D|e", "f\n"], [], "2020", 5, "p.ndjson:1")
    assert read(line_of(page)) == [page]


def test_spaces_that_a_reader_put_around_signs_are_taken_out_again():
    (page,) = read(
        json.dumps(['Behind  " The Ring "', {"Author ": "Harper  &  Row"}, ["Jack  &  Jill", "A & B"], None, None, None])
    )
    assert (page.title, page.infobox, page.links) == (
        'Behind "The Ring"',
        {"author": "Harper & Row"},
        ["Jack & Jill", "A & B"],
    )


def variant(at: int, value: object) -> str:
    return json.dumps([*GOOD[:at], value, *GOOD[at + 1 :]])


BAD = {
    "row does not parse": '["A", {',
    "row is not a JSON list of title": json.dumps(GOOD[:5]),
    "row is not a JSON list": '{"title": "A"}',
    "text is not UTF-8": b'["\xff", {}, [], [], "", 1]',
    "text is not UTF-8 ": variant(2, ["\ud800"]),
    "title is missing": variant(0, " "),
    "title is missing ": variant(0, 7),
    "title has a NUL": variant(0, "a\0b"),
    "infobox is not an object": variant(1, {"author": ["B"]}),
    "wikilinks are not a list of texts": variant(2, ["C", None]),
    "wikilinks are not a list of texts ": variant(2, None),
    "external links are not a list": variant(3, "http"),
    "timestamp is not a text": variant(4, 2020),
    "characters are not a whole number": variant(5, True),
    "line is longer than 1000 characters": variant(0, "x" * 1000),
    "row does not parse: RecursionError": "[" * 999,
}


@pytest.mark.parametrize("rule", BAD)
def test_a_bad_line_is_refused_with_its_number_and_the_rest_is_read(rule):
    first, refused, last = read(json.dumps(GOOD), BAD[rule], variant(0, "Last"))
    assert (first.title, last.title, last.origin) == ("A", "Last", "p.ndjson:3")
    assert refused["rule"].startswith(rule.strip()) and refused["origin"] == "p.ndjson:2" and refused["table"] == "items"


def test_a_file_without_lines_is_named():
    with pytest.raises(DataGateError, match=r"p\.ndjson is empty"):
        read(b"")


def test_suffixes_say_what_a_file_is():
    dumps = ["a.xml", "a.xml.bz2", "enwiki-multistream1.xml-p1p41242.bz2", "a.xml-p1p2"]
    assert [is_dump(name) for name in [*dumps, "a.ndjson", "b.jsonl.gz", "c.ndjson.bz2"]] == [True] * 4 + [False] * 3
    for name in ("enwiki-index1.txt-p1p41242.bz2", "a.xml.7z", "a.xml.gz", "a.json"):
        with pytest.raises(ConfigError, match=r"allowed: \.xml"):
            is_dump(name)


def parquet(**columns: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_attributes_are_read_and_bad_rows_refused():
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\x00\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    titles = pa.concat_arrays([pa.array(["A", None, "A", "B\0", "C"]), broken])
    genre = pa.array(["novel, War", None, None, None, None, "x"]).dictionary_encode()
    found, refused, columns = read_attributes(
        parquet(title=titles, genre=genre, more=[1] * 6), "b.parquet", ("author", "genre")
    )
    assert found == {"A": {"genre": ["novel", "War"]}, "C": {}}
    assert [(entry["origin"], entry["rule"]) for entry in refused] == [
        ("b.parquet:2", "title is missing"),
        ("b.parquet:3", "title is repeated"),
        ("b.parquet:4", "text has a NUL or is not UTF-8"),
        ("b.parquet:6", "text has a NUL or is not UTF-8"),
    ]
    assert columns["title"] == "string" and columns["more"] == "int64"


def test_an_attribute_table_that_cannot_be_used_is_named():
    good = parquet(title=["A"], genre=["x"])
    with pytest.raises(MissingColumnError, match=r"b\.parquet has no column 'title'"):
        read_attributes(parquet(titel=["A"]), "b.parquet", ("genre",))
    with pytest.raises(DataGateError, match="none of the columns author"):
        read_attributes(good, "b.parquet", ("author",))
    with pytest.raises(DataGateError, match="column 'genre' is double"):
        read_attributes(parquet(title=["A"], genre=[0.5]), "b.parquet", ("genre",))
    for at in range(0, len(good), 25):
        try:
            read_attributes(good[:at], "b.parquet", ("genre",))
            raise AssertionError(at)
        except DamagedError as error:
            assert "b.parquet is damaged" in str(error)
