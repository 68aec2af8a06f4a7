"""A user's own files: every format gives the same catalogue, and what does not convert is refused with its line."""

import bz2
import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kindex.core.errors import ConfigError, DamagedError, DataGateError, KindexError
from kindex.core.watch import Silent
from kindex.sources import MissingColumnError, NotAsLockedError, files
from kindex.sources.parts.parquet import require_indices

ROWS = [
    {"user": 1, "book": "b,1", "stars": 2.5},
    {"user": 2, "book": 'q"2\n', "stars": 1.0},
    {"user": 1, "book": "b,1", "stars": 0.5},  # once more
    {"user": 10, "book": "ünï", "stars": 4.0},
]
SETTINGS = {"left": "user", "right": "book", "weight": "stars", "left_kind": "user", "right_kind": "book"}
LINKS = [("1", "b,1", 3.0), ("10", "ünï", 4.0), ("2", 'q"2\n', 1.0)]


def packed(name: str, rows: list[dict]) -> bytes:
    """`rows` in the format that the suffix of `name` says."""
    stem = name.removesuffix(".gz").removesuffix(".bz2")
    text = io.StringIO(newline="")
    if stem.endswith(".parquet"):
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), sink)
        content = sink.getvalue()
    elif stem.endswith((".csv", ".tsv")):
        writer = csv.DictWriter(text, list(rows[0]), delimiter="\t" if stem.endswith(".tsv") else ",")
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue().encode()
    elif stem.endswith(".json"):
        content = json.dumps(rows).encode()
    else:
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    return gzip.compress(content) if name.endswith(".gz") else bz2.compress(content) if name.endswith(".bz2") else content


def read(root: Path, **settings):
    config = files.Config(**settings)
    return files.read(config, files.snapshot(config, root), root, Silent())


def links_of(found):
    return sorted((row["left"], row["right"], row["weight"]) for row in found.catalogue.links.to_pylist())


def write(root: Path, name: str, content: bytes) -> str:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content)
    return name


@pytest.mark.parametrize("pack", ["", ".gz", ".bz2"])
@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv", ".jsonl", ".ndjson", ".json"])
def test_every_format_gives_the_same_links(tmp_path, suffix, pack):
    name = write(tmp_path, f"in/links{suffix}{pack}", packed(f"links{suffix}{pack}", ROWS))
    found = read(tmp_path, links=name, **SETTINGS)
    assert links_of(found) == LINKS
    assert found.counts == {"repeated_links": 1} and found.refused.num_rows == 0
    items = {(row["kind"], row["id"]) for row in found.catalogue.items.to_pylist()}
    assert items == {("user", "1"), ("user", "2"), ("user", "10"), ("book", "b,1"), ("book", 'q"2\n'), ("book", "ünï")}


def test_several_files_are_one_table(tmp_path):
    names = [write(tmp_path, f"{part}.csv", packed("x.csv", ROWS[part * 2 : part * 2 + 2])) for part in (0, 1)]
    assert links_of(read(tmp_path, links=names, **SETTINGS)) == LINKS


def test_the_order_of_rows_and_columns_does_not_matter(tmp_path):
    turned = [dict(reversed(row.items())) for row in reversed(ROWS)]
    for name, rows in (("a.csv", ROWS), ("b.csv", turned)):
        write(tmp_path, name, packed(name, rows))
    first, second = (read(tmp_path, links=name, **SETTINGS) for name in ("a.csv", "b.csv"))
    assert links_of(first) == links_of(second)


def test_an_own_division_is_kept_and_cannot_leak(tmp_path):
    write(tmp_path, "train.csv", b"user,book\n1,a\n2,b\n")
    write(tmp_path, "test.csv", b"user,book\n1,b\n2,b\n")
    found = read(tmp_path, links="train.csv", heldout="test.csv", left="user", right="book")
    rows = {(row["left"], row["right"]): row["heldout"] for row in found.catalogue.links.to_pylist()}
    assert rows == {("1", "a"): False, ("2", "b"): False, ("1", "b"): True}
    assert found.catalogue.links.schema.field("heldout").type == pa.bool_()
    [refused] = found.refused.to_pylist()
    assert (refused["rule"], refused["origin"]) == ("held-out link is also a train link", "test.csv:3")


def test_items_with_labels_and_the_other_kind_from_links(tmp_path):
    write(tmp_path, "links.csv", b"user,book\n1,a\n2,b\n")
    write(tmp_path, "books.csv", b"isbn,genre,title\na,crime,A\nb,,\nc,poems,C\n")
    about = {"items": "books.csv", "id": "isbn", "label": "genre", "description": "title"}
    found = read(tmp_path, links="links.csv", left="user", right="book", left_kind="user", right_kind="book", **about)
    rows = sorted(tuple(row.values()) for row in found.catalogue.items.to_pylist() if row["kind"] == "book" and row["label"])
    assert rows == [("a", "book", "crime", "A"), ("c", "book", "poems", "C")]
    assert sorted(row["id"] for row in found.catalogue.items.to_pylist() if row["kind"] == "user") == ["1", "2"]


@pytest.mark.parametrize("name", ["l.csv", "l.jsonl", "l.parquet"])
def test_dates_are_seconds_and_the_latest_of_a_link_is_kept(tmp_path, name):
    dates = [("a", "x", "2020-01-02T01:00:00+01:00"), ("a", "x", "2020-01-03"), ("a", "y", "1577836800"), ("a", "z", "-1.5"),
             ("b", "y", "yesterday"), ("b", "z", None)]  # fmt: skip
    write(tmp_path, name, packed(name, [{"l": left, "r": right, "d": date} for left, right, date in dates]))
    found = read(tmp_path, links=name, left="l", right="r", date="d")
    times = {row["right"]: row["time"] for row in found.catalogue.links.to_pylist()}
    assert times == {"x": 1_578_009_600, "y": 1_577_836_800, "z": -2}
    assert found.catalogue.links.schema.field("time").type == pa.int64()
    lines = {row["origin"].partition(":")[2] for row in found.refused.to_pylist()}
    assert len(lines) == found.refused.num_rows == 2


@pytest.mark.parametrize(
    "kind", [pa.timestamp("ms"), pa.timestamp("ns", "Europe/Berlin"), pa.date32(), pa.int64(), pa.float64()]
)
def test_dates_of_parquet_may_be_of_any_type_of_date(tmp_path, kind):
    seconds = pa.array([86_400 * 18_262, None, -86_400], pa.int64())
    temporal = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    dates = seconds.cast(pa.timestamp("s")).cast(kind) if temporal else seconds.cast(kind)
    pq.write_table(pa.table({"left": ["a", "b", "c"], "right": ["x", "x", "x"], "when": dates}), tmp_path / "l.parquet")
    found = read(tmp_path, links="l.parquet", date="when")
    assert found.catalogue.links["time"].to_pylist() == [86_400 * 18_262, -86_400]
    assert found.refused["rule"].to_pylist() == ["date is missing"]


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path, monkeypatch):
    config = files.Config(links=write(tmp_path, "l.csv", b"l,r\n1,2\n"), left="l", right="r")
    snapshot = files.snapshot(config, tmp_path)
    true = files.read_rows

    def slow(table, name, *rest):
        yield from true(table, name, *rest)
        write(tmp_path, "l.csv", b"l,r\n1,2\n3,4\n")

    monkeypatch.setattr(files, "read_rows", slow)
    with pytest.raises(NotAsLockedError, match=r"l\.csv was changed while it was read"):
        files.read(config, snapshot, tmp_path, Silent())


def test_a_graph_of_one_kind_names_each_node_once(tmp_path):
    write(tmp_path, "edges.csv", b"a,b\n1,2\n2,3\n")
    found = read(tmp_path, links="edges.csv", left="a", right="b", left_kind="node", right_kind="node")
    assert sorted(found.catalogue.items["id"].to_pylist()) == ["1", "2", "3"]


def test_images_with_an_id_of_two_columns(tmp_path):
    buffer = io.BytesIO()
    Image.new("L", (3, 2)).save(buffer, "PNG")
    rows = [{"what": 1, "view": 7, "png": buffer.getvalue()}, {"what": 2, "view": 7, "png": None}]
    write(tmp_path, "x.parquet", packed("x.parquet", rows))
    found = read(tmp_path, images="x.parquet", image="png", id=["what", "view"], label="what")
    assert found.catalogue.images.to_pylist() == [{"id": "1-7", "image": buffer.getvalue()}]
    assert found.catalogue.items.to_pylist() == [{"id": "1-7", "kind": "image", "label": "1", "description": None}]
    assert [(row["rule"], row["origin"]) for row in found.refused.to_pylist()] == [("image is missing", "x.parquet:2")]


def refused(tmp_path, name: str, content: bytes, **settings):
    found = read(tmp_path, links=write(tmp_path, name, content), **{"left": "l", "right": "r", **settings})
    return {(row["origin"].rpartition(":")[2], row["rule"]) for row in found.refused.to_pylist()}, links_of(found)


def test_bad_rows_of_csv_are_refused_with_their_lines(tmp_path):
    lines = [b"l,r,w", b"a,b,1", b"a,c", b"a,d,1,9", b"", b"a,e,x", b"a,f,nan", b"a,g,-1", b"a,h,1e308", b",i,1", b"a,,1",
             b"a,\xff\xfe,1", b'a,"j"k,1', b"a,l,inf", b"a,m,", b"a,z,2"]  # fmt: skip
    found, links = refused(tmp_path, "l.csv", b"\n".join(lines) + b"\n", weight="w")
    weight = "weight is not a positive finite number"
    assert found == {
        ("3", "row does not parse: 2 fields, the header has 3"),
        ("4", "row does not parse: 4 fields, the header has 3"),
        ("6", "w is not a number"),
        ("7", weight), ("8", weight), ("9", weight), ("14", weight), ("15", weight),
        ("10", "left is missing"), ("11", "right is missing"),
        ("12", "text is not UTF-8"),
        ("13", "row does not parse: ',' expected after '\"'"),
    }  # fmt: skip
    assert links == [("a", "b", 1.0), ("a", "z", 2.0)]


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path):
    lines = [b"l,r", *(b"a,%d" % number for number in range(1000))]
    lines[500] = b'a,"open'
    found, links = refused(tmp_path, "l.csv", b"\n".join(lines))
    assert found == {("501", "row does not parse: unexpected end of data")}
    assert len(links) == 999


def test_bad_rows_of_json_lines_are_refused_with_their_lines(tmp_path):
    lines = [b'{"l": "a", "r": 1}', b"{", b"[1, 2]", b'{"l": "a", "r": "\\ud800"}', b'{"l": "a", "r": 1.5}', b'{"l": "a"}',
             b'{"l": {"x": 1}, "r": 1}', b"", b'{"l": "a", "r": "\xff"}', b"[" * 50_000, b'{"l": "a", "r": true}']  # fmt: skip
    found, links = refused(tmp_path, "l.jsonl", b"\n".join(lines))
    assert {line: rule.partition(":")[0] for line, rule in found} == {
        "2": "row does not parse",
        "3": "row is not a JSON object",
        "4": "text is not UTF-8",
        "5": "r is not text or a whole number",
        "6": "right is missing",
        "7": "l is not text or a whole number",
        "9": "text is not UTF-8",
        "10": "row does not parse",
    }
    assert links == [("a", "1", 1.0), ("a", "true", 1.0)]


def test_text_of_parquet_that_is_not_utf8_is_refused(tmp_path):
    broken = pa.array([b"ok", b"\xed\xa0\x80", b"\xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"l": ["a", "b", "c"], "r": broken, "more": broken}), tmp_path / "l.parquet")
    found = read(tmp_path, links="l.parquet", left="l", right="r")
    assert links_of(found) == [("a", "ok", 1.0)]
    assert found.refused["rule"].to_pylist() == ["text is not UTF-8"] * 2
    assert found.refused["origin"].to_pylist() == ["l.parquet:2", "l.parquet:3"]


def test_whole_numbers_in_a_float_column_are_ids(tmp_path):
    pq.write_table(pa.table({"l": [1.0, None, 3.0], "r": ["a", "b", "c"]}), tmp_path / "l.parquet")
    assert links_of(read(tmp_path, links="l.parquet", left="l", right="r")) == [("1", "a", 1.0), ("3", "c", 1.0)]
    pq.write_table(pa.table({"l": [1.5], "r": ["a"]}), tmp_path / "m.parquet")
    with pytest.raises(DataGateError, match=r"m\.parquet: column 'l' is"):
        read(tmp_path, links="m.parquet", left="l", right="r")


def test_a_missing_column_names_column_choices_and_setting(tmp_path):
    for name in ("l.csv", "l.parquet", "l.jsonl"):
        write(tmp_path, name, packed(name, ROWS))
        with pytest.raises(MissingColumnError) as caught:
            read(tmp_path, links=name, left="usr", right="book")
        said = str(caught.value)
        assert name in said and "'usr'" in said and "did you mean user?" in said and "Edit source.left" in said


@pytest.mark.parametrize("content", [b"", b"l,r\n", b"\n\n"])
def test_an_empty_table_is_an_error(tmp_path, content):
    with pytest.raises(DataGateError, match=r"l\.csv"):
        read(tmp_path, links=write(tmp_path, "l.csv", content), left="l", right="r")


def test_wrong_settings_and_files_are_named(tmp_path):
    write(tmp_path, "l.csv", b"l,r\n1,2\n")
    write(tmp_path, "l.xlsx", b"PK")
    with pytest.raises(ValueError, match="either links or images"):
        files.Config()
    with pytest.raises(ConfigError, match=r"source\.links names gone\.csv"):
        read(tmp_path, links="gone.csv")
    with pytest.raises(ConfigError, match=r"l\.xlsx ends in '\.xlsx', allowed: \.parquet"):
        read(tmp_path, links="l.xlsx")
    with pytest.raises(DataGateError, match=r"column 'w' is string, allowed: numbers"):
        pq.write_table(pa.table({"l": ["a"], "r": ["b"], "w": ["c"]}), tmp_path / "w.parquet")
        read(tmp_path, links="w.parquet", left="l", right="r", weight="w")


def test_a_changed_file_is_not_the_locked_one(tmp_path):
    config = files.Config(links=write(tmp_path, "l.csv", b"l,r\n1,2\n"), left="l", right="r")
    snapshot = files.snapshot(config, tmp_path)
    assert snapshot["files"]["l.csv"]["bytes"] == 8
    write(tmp_path, "l.csv", b"l,r\n1,3\n")
    with pytest.raises(NotAsLockedError, match=r"l\.csv is not the file that is locked"):
        files.read(config, snapshot, tmp_path, Silent())


GOOD = [{"user": number % 7, "book": f"book {number}", "stars": 1 + number % 5} for number in range(60)]


def mutants(content: bytes):
    """Truncated, bit-flipped, wrong magic, half of it, spliced, with hostile bytes inside."""
    size = len(content)
    yield from (content[: size * part // 8] for part in range(8))
    for number in range(16):
        place = (number * 7919 + 13) % size
        yield content[:place] + bytes([content[place] ^ (1 << number % 8)]) + content[place + 1 :]
    yield from (
        magic + content[8:] for magic in (b"PK\x03\x04aaaa", b"\x1f\x8b\x08\0\0\0\0\0", b"BZh91AY&", b"PAR1PAR1", b"\0" * 8)
    )
    yield from (content[: size // 2] + junk + content[size // 2 :] for junk in (b"\0" * 50, b"\xff\xfe", b'"', b'{"', b"\n\n"))
    yield content[size // 2 :] + content[: size // 2]
    yield content + content


FORMATS = ["l.parquet", "l.csv", "l.jsonl", "l.json", "l.csv.gz", "l.jsonl.bz2", "l.parquet.gz"]


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_refused_row_by_row_or_named_and_never_a_traceback(tmp_path, name):
    tried = 0
    for content in mutants(packed(name, GOOD)):
        tried += 1
        write(tmp_path, name, content)
        try:
            found = read(tmp_path, links=name, **SETTINGS)
        except KindexError as error:
            assert name in str(error)
            continue
        assert found.catalogue.links.num_rows + found.refused.num_rows > 0
        found.catalogue.links.validate(full=True)
    assert tried == 36


def test_damage_to_a_packed_file_names_it(tmp_path):
    whole = packed("l.csv.gz", GOOD)
    write(tmp_path, "l.csv.gz", whole[: len(whole) // 2])
    with pytest.raises(DamagedError, match=r"l\.csv\.gz is damaged"):
        read(tmp_path, links="l.csv.gz", **SETTINGS)


HOSTILE = ["../../x", "<script>alert(1)</script>", "=cmd()", "a\0b", "‮abc", '"', "'; drop", "\\", "x" * 10_000_000]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_hostile_text_goes_through_unchanged(tmp_path, suffix):
    name = write(tmp_path, f"l{suffix}", packed(f"l{suffix}", [{"l": "a", "r": text} for text in HOSTILE]))
    assert {right for _, right, _ in links_of(read(tmp_path, links=name, left="l", right="r"))} == set(HOSTILE)


def test_parquet_under_the_name_of_a_text_format_is_named(tmp_path):
    (tmp_path / "l.csv").write_bytes(packed("l.parquet", ROWS))
    config = files.Config(links="l.csv", **SETTINGS)
    with pytest.raises(DamagedError, match=r"l\.csv is damaged: it ends in \.csv, and what it holds is Parquet"):
        files.read(config, files.snapshot(config, tmp_path), tmp_path, Silent())


def test_an_index_beyond_the_dictionary_of_parquet_is_damage():
    texts = pa.DictionaryArray.from_arrays(pa.array([0, 2, None], pa.int32()), ["a", "b"], safe=False)
    with pytest.raises(pa.ArrowInvalid, match="index 2 in a dictionary of 2"):
        require_indices(pa.record_batch({"l": texts}))
    require_indices(pa.record_batch({"l": texts.slice(2)}))
