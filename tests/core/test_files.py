"""Atomic writing and numbered fault points."""

import errno
import os
import shutil

import pytest

from kindex.core import files
from kindex.core.errors import DamagedError, OutsideError
from kindex.core.files import canonical_json, pretty_json, read_json, replacing, require_space, sha256_file, write_atomic


@pytest.fixture
def fault(monkeypatch):
    """Set a fault at the n-th point from now on, or take it away."""

    def plan(text):
        files._reached = 0
        monkeypatch.setenv("KINDEX_FAULT", text) if text else monkeypatch.delenv("KINDEX_FAULT")

    return plan


def test_canonical_json_has_one_spelling_and_no_nan():
    assert canonical_json({"b": 1, "a": ["é", None]}) == '{"a":["é",null],"b":1}'.encode()
    assert pretty_json({"b": 1, "a": {}}) == b'{\n  "a": {},\n  "b": 1\n}\n'
    for write in (canonical_json, pretty_json):
        with pytest.raises(ValueError, match="JSON"):
            write({"x": float("nan")})


def test_sha256_is_of_the_bytes(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_file(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("content", [None, b"", b'{"a": 1', b"\xff", b"nonsense"])
def test_json_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "broken.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"broken\.json"):
        read_json(path)


@pytest.mark.parametrize("how", ["enospc", "eio", "kill"])
def test_a_write_that_fails_anywhere_leaves_the_former_file_or_the_new_one(tmp_path, fault, how):
    path = tmp_path / "f"
    for step in range(1, 5):
        write_atomic(path, b"old")
        fault(f"{step}:{how}")
        if how == "kill":
            child = os.fork()
            if child == 0:
                write_atomic(path, b"new")
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
        else:
            with pytest.raises(OSError) as failure:
                write_atomic(path, b"new")
            assert failure.value.errno == getattr(errno, how.upper())
            assert list(tmp_path.iterdir()) == [path]  # the temporary file is gone
        fault("")
        assert path.read_bytes() == (b"new" if step == 4 else b"old")  # 4 is the fsync of the folder, after the rename
    fault("5:eio")
    write_atomic(path, b"new")


def test_a_reader_that_has_the_file_open_reads_the_former_one_to_its_end(tmp_path):
    write_atomic(tmp_path / "f", b"former")
    with (tmp_path / "f").open("rb") as reader:
        write_atomic(tmp_path / "f", b"new")
        assert reader.read() == b"former"
    assert (tmp_path / "f").read_bytes() == b"new"


def test_the_trace_lists_the_points_in_order(tmp_path, fault):
    fault(f"{tmp_path / 'a:b'}:trace")
    write_atomic(tmp_path / "f", b"x")
    assert (tmp_path / "a:b").read_text() == f"1 write f\n2 fsync f\n3 rename f\n4 fsync {tmp_path.name}/\n"


def test_replacing_publishes_the_whole_folder_or_nothing(tmp_path, fault):
    final, work = tmp_path / "out", tmp_path / ".work"

    def run(content):
        with replacing(final, work) as folder:
            (folder / "sub").mkdir()
            (folder / "sub" / "f").write_text(content)

    run("old")
    steps = 0
    while True:
        fault(f"{steps + 1}:eio")
        try:
            run("new")
            break
        except OSError:
            fault("")
            found = (final / "sub" / "f").read_text() if final.exists() else None
            assert found in ("old", "new", None)
            run("old")
            assert {path.name for path in tmp_path.iterdir()} == {"out"}
        steps += 1
    fault("")
    assert steps == 7  # fsync of the file and three folders, set aside, publish, clean
    assert (final / "sub" / "f").read_text() == "new"


def test_an_error_in_the_block_publishes_nothing(tmp_path):
    with pytest.raises(RuntimeError), replacing(tmp_path / "out", tmp_path / ".work"):
        raise RuntimeError("the stage failed")
    assert not (tmp_path / "out").exists()


def test_space_is_asked_of_the_nearest_folder_that_exists(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or shutil._ntuple_diskusage(10, 9, 5_000_000))
    require_space(tmp_path / "a" / "b", 5_000_000, "it")
    assert asked == [tmp_path]
    with pytest.raises(OutsideError, match=r"it needs 6 MB below .* 5 MB free"):
        require_space(tmp_path, 6_000_000, "it")
