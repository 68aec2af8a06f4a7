"""Folders and patterns: files that come, change and go are seen and told, and folders may name columns."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.core.errors import ConfigError, DamagedError, DataGateError, KindexError
from kindex.core.lock import read_lock
from kindex.core.watch import Silent
from kindex.sources import MissingColumnError, NotAsLockedError, files
from kindex.sources.locking import brought, look, move
from kindex.sources.parts import patterns
from tests.sources.test_files import links_of, packed, read, write
from tests.stages.catalogue_project import KEY, params, project

PLAIN = {"left": "user", "right": "book", "weight": "stars"}


def day(root, number: int, *rows: tuple, folder: str = "in") -> str:
    lines = "".join(f"{user},{book},{stars}\n" for user, book, stars in rows)
    return write(root, f"{folder}/day-{number}.csv", f"user,book,stars\n{lines}".encode())


@pytest.mark.parametrize("name", ["in/day-*.csv", "in", "in/", "in/**", "in/**/*.csv", "i?/day-[1-2].csv", "./in/*.csv"])
def test_a_folder_or_pattern_is_all_its_files(tmp_path, name):
    day(tmp_path, 1, ("1", "a", 1), ("2", "b", 1))
    day(tmp_path, 2, ("1", "a", 2))
    write(tmp_path, "in/_SUCCESS", b"")
    write(tmp_path, "in/.hidden.csv", b"user,book,stars\nh,h,1\n")
    write(tmp_path, "in/_temporary/day-3.csv", b"user,book,stars\nt,t,1\n")
    write(tmp_path, "in/readme.md", b"# rows")
    assert links_of(read(tmp_path, links=name, **PLAIN)) == [("1", "a", 3.0), ("2", "b", 1.0)]
    snapshot = files.snapshot(files.Config(links=name, **PLAIN), tmp_path)
    assert [file.removeprefix("./") for file in snapshot["several"][name]] == ["in/day-1.csv", "in/day-2.csv"]


def test_the_lock_tells_what_came_changed_and_went(tmp_path):
    layout = project(tmp_path)
    layout.params.write_text(layout.params.read_text().replace("links: links.csv", "links: in/"))
    for number in range(4):
        day(tmp_path, number, *((f"u{row}", f"b{row * number % 7}", 1) for row in range(30)))
    assert move(layout, params(layout), KEY)[1] and read_lock(layout.lock(KEY)).moved is None
    assert not move(layout, params(layout), KEY)[1]
    assert look(layout, params(layout), KEY) == (
        False,
        {"files": {"added": [], "changed": [], "removed": []}},
    )
    day(tmp_path, 0, ("u0", "b0", 2))
    (tmp_path / "in/day-1.csv").unlink()
    day(tmp_path, 4, ("u9", "b9", 1))
    before = layout.lock(KEY).read_bytes()
    moved = {"files": {"added": ["in/day-4.csv"], "changed": ["in/day-0.csv"], "removed": ["in/day-1.csv"]}}
    assert look(layout, params(layout), KEY) == (True, moved) and layout.lock(KEY).read_bytes() == before
    assert move(layout, params(layout), KEY)[1] and read_lock(layout.lock(KEY)).moved == moved
    assert brought(moved) == "files added 1, changed 1, removed 1" and brought(None) == ""


def test_what_ingest_reads_is_the_lock_and_not_the_folder(tmp_path):
    day(tmp_path, 1, ("1", "a", 1))
    config = files.Config(links="in", **PLAIN)
    locked = files.snapshot(config, tmp_path)
    day(tmp_path, 2, ("2", "b", 1))
    assert links_of(files.read(config, locked, tmp_path, Silent())) == [("1", "a", 1.0)]
    day(tmp_path, 1, ("1", "a", 5))
    with pytest.raises(NotAsLockedError, match=r"in/day-1\.csv is not the file that is locked"):
        files.read(config, locked, tmp_path, Silent())


def test_overlapping_patterns_read_a_file_once(tmp_path):
    day(tmp_path, 1, ("1", "a", 1))
    assert links_of(read(tmp_path, links=["in", "in/*.csv"], **PLAIN)) == [("1", "a", 1.0)]


def test_nothing_there_is_named_and_an_empty_partition_is_counted(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("in", "in/*.csv", "nowhere/*"):
        with pytest.raises(ConfigError, match=r"source\.links names .*, where no file of rows is\. Edit params\.yaml"):
            read(tmp_path, links=name, **PLAIN)
    day(tmp_path, 1, ("1", "a", 1))
    day(tmp_path, 2)
    found = read(tmp_path, links="in", **PLAIN)
    assert links_of(found) == [("1", "a", 1.0)] and found.counts == {"repeated_links": 0, "empty_files": 1}
    day(tmp_path, 1)
    assert read(tmp_path, links="in", **PLAIN).catalogue.rows("links") == 0
    with pytest.raises(DataGateError, match=r"source\.items names have no rows"):
        read(tmp_path, links="in", items="in", id="book", **PLAIN)
    with pytest.raises(DataGateError, match=r"source\.images names have no rows"):
        read(tmp_path, images="in", id="book", image="user")
    with pytest.raises(DataGateError, match=r"in/day-1\.csv has no rows"):
        read(tmp_path, links="in/day-1.csv", **PLAIN)


def test_one_damaged_file_is_named(tmp_path):
    day(tmp_path, 1, ("1", "a", 1))
    write(tmp_path, "in/day-2.parquet", b"PAR1 and then nothing")
    with pytest.raises(DamagedError, match=r"in/day-2\.parquet is damaged"):
        read(tmp_path, links="in", **PLAIN)


def test_a_column_that_only_some_files_have_is_drift(tmp_path):
    day(tmp_path, 1, ("1", "a", 1))
    write(tmp_path, "in/day-2.csv", b"user,book,stars,more\n2,b,1,x\n")
    assert read(tmp_path, links="in", **PLAIN).columns == {
        "in": {"user": "text", "book": "text", "stars": "text", "more": "text (not in all files)"}}  # fmt: skip
    write(tmp_path, "in/day-2.csv", b"user,book\n2,b\n")
    with pytest.raises(MissingColumnError, match=r"in/day-2\.csv has no column 'stars'.*Edit source\.weight") as error:
        read(tmp_path, links="in", **PLAIN)
    assert error.value.columns == {"in": {"user": "text", "book": "text"}}


def parquet(**columns) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_folders_name_columns(tmp_path, suffix):
    for user, when, weight in (("a%2Fb", "2024-01-02", "2.5"), ("c", "2024-01-03", "x"), (patterns.NULL, "then", "1")):
        write(
            tmp_path,
            f"in/user={user}/when={when}/stars={weight}/p{suffix}",
            packed(f"p{suffix}", [{"book": "x"}, {"book": "y"}]),
        )
    found = read(tmp_path, links="in", date="when", **PLAIN)
    rows = [(row["left"], row["right"], row["weight"], row["time"]) for row in found.catalogue.links.to_pylist()]
    assert rows == [("a/b", "x", 2.5, 1_704_153_600), ("a/b", "y", 2.5, 1_704_153_600)]
    rules = {(row["rule"], row["origin"].rpartition("/")[0]) for row in found.refused.to_pylist()}
    assert rules == {("weight is not a positive finite number", "in/user=c/when=2024-01-03/stars=x"),
                     ("left is missing", f"in/user={patterns.NULL}/when=then/stars=1")}  # fmt: skip
    assert found.refused.num_rows == 4
    assert found.columns["in"]["user"] == "folder" and found.columns["in"]["book"] != "folder"


def test_images_in_several_files(tmp_path):
    for part in ("a", "b"):
        write(tmp_path, f"in/{part}.parquet", parquet(id=[f"{part}1", f"{part}2"], image=[b"1", b"2"]))
    found = read(tmp_path, images="in/*.parquet")
    assert sorted(found.catalogue.images["id"].to_pylist()) == ["a1", "a2", "b1", "b2"]


@pytest.mark.parametrize("name", ["in[1]/x.csv", "in[1]", "in/a*b.csv"])
def test_signs_in_real_names_mean_themselves(tmp_path, name):
    write(tmp_path, "in[1]/x.csv", b"user,book,stars\n1,a,1\n")
    write(tmp_path, "in/a*b.csv", b"user,book,stars\n1,a,1\n")
    assert links_of(read(tmp_path, links=name, **PLAIN)) == [("1", "a", 1.0)]


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    day(tmp_path, 1, ("1", "a", 1))
    write(tmp_path, "in/\udcff.csv", b"user,book,stars\n1,a,1\n")
    with pytest.raises(KindexError, match="has a name that is not UTF-8"):
        read(tmp_path, links="in", **PLAIN)
