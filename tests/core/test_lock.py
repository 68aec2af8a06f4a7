"""A lock is what it says, or an error that names the file and the cure."""

import hashlib
import json

import pytest

from kindex.core.errors import ConfigError, DamagedError
from kindex.core.lock import Lock, read_lock, write_lock

LOCK = Lock("files", {"files": {"a.csv": {"sha256": "00", "bytes": 1}}}, {"links": 3}, {"links": {"left": "string"}})


def test_round_trip(tmp_path):
    write_lock(tmp_path / "locks/books.json", LOCK)
    assert read_lock(tmp_path / "locks/books.json") == LOCK


def test_the_digest_is_over_source_and_snapshot_only():
    assert LOCK.digest == Lock("files", {"files": {"a.csv": {"bytes": 1, "sha256": "00"}}}).digest
    assert LOCK.digest != Lock("other", LOCK.snapshot).digest
    assert LOCK.digest != Lock("files", {"files": {"a.csv": {"bytes": 2, "sha256": "00"}}}).digest
    spelled = b'["files",{"files":{"a.csv":{"bytes":1,"sha256":"00"}}}]'
    assert LOCK.digest == hashlib.sha256(spelled).hexdigest()


def test_a_lock_of_before_columns_were_kept_is_read(tmp_path):
    raw = {"source": "files", "snapshot": {}, "expected_rows": None, "digest": Lock("files", {}).digest}
    (tmp_path / "a.json").write_text(json.dumps(raw))
    assert read_lock(tmp_path / "a.json") == Lock("files", {})


def test_missing(tmp_path):
    with pytest.raises(ConfigError, match=r"books\.json is missing: run `kindex lock books`"):
        read_lock(tmp_path / "books.json")


def test_edited(tmp_path):
    write_lock(tmp_path / "books.json", LOCK)
    text = (tmp_path / "books.json").read_text()
    (tmp_path / "books.json").write_text(text.replace('"bytes": 1', '"bytes": 2'))
    with pytest.raises(DamagedError, match=r"books\.json was edited"):
        read_lock(tmp_path / "books.json")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '"text"', "null", '{"source": 1, "snapshot": {}}'])
def test_not_a_lock(tmp_path, content):
    (tmp_path / "books.json").write_text(content)
    with pytest.raises(DamagedError, match=r"books\.json"):
        read_lock(tmp_path / "books.json")


def test_truncated_anywhere_or_bit_flipped(tmp_path):
    path = tmp_path / "books.json"
    write_lock(path, LOCK)
    whole = path.read_bytes()
    for end in range(len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DamagedError):
            read_lock(path)
    start, end = whole.index(b'"snapshot"'), whole.index(b'"source"')
    for place in range(start, end):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedError):
            read_lock(path)
