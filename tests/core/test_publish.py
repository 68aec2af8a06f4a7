"""Publishing: compare-and-swap, idempotence, rollback, and death or a full disk at every single step."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from kindex.core import files, release
from kindex.core.errors import BusyError, ConfigError, DamagedError, MetricGateError, OutsideError
from kindex.core.pointer import promote, rollback
from kindex.core.publish import build, leftovers

OLD, NEW = {"a/x": b"old", "b": b"same"}, {"a/x": b"new", "b": b"same", "c": b""}
NOTES = {"notes/n": b"note"}


def publish(releases, content, night=""):
    live = release.current(releases)
    manifest, _ = build(releases, "m", content, NOTES, {"night": night})
    return promote(releases, manifest.version, live.version if live else None)


def content(releases):
    """What a reader gets: the files of the live release, verified."""
    manifest = release.verify(releases)
    return {name: (releases / manifest.version / name).read_bytes() for name in manifest.files}


@pytest.fixture
def releases(tmp_path):
    publish(tmp_path / "m", OLD)
    return tmp_path / "m"


def test_a_build_is_a_candidate_whose_parent_is_the_live_release(releases):
    manifest, new = build(releases, "m", NEW, NOTES, {"night": "2"})
    assert (new, manifest.version, manifest.parent) == (True, "v0002", "v0001")
    assert content(releases) == OLD
    assert release.verify(releases, "v0002") == manifest
    promote(releases, "v0002", "v0001")
    assert content(releases) == NEW


def test_the_same_content_is_the_same_release_whatever_the_notes(releases, tmp_path):
    source = tmp_path / "x"
    source.write_bytes(b"old")
    manifest, new = build(releases, "m", {"b": b"same", "a/x": source}, {"notes/n": b"another"}, {"night": "2"})
    assert (new, manifest.version) == (False, "v0001")
    assert release.names(releases) == ["v0001"]
    assert leftovers(releases) == []


def test_a_damaged_twin_does_not_count(releases):
    (releases / "v0001" / "b").write_bytes(b"evil")
    manifest, new = build(releases, "m", OLD, NOTES, {})
    assert (new, manifest.version) == (True, "v0002")
    promote(releases, "v0002", "v0001")
    assert content(releases) == OLD


def test_promote_compares_and_swaps(releases):
    mine, _ = build(releases, "m", NEW, {}, {})
    theirs, _ = build(releases, "m", {"b": b"theirs"}, {}, {})
    promote(releases, theirs.version, "v0001")
    with pytest.raises(BusyError, match=r"v0002 of m was judged against v0001, but the live release is v0003"):
        promote(releases, mine.version, mine.parent)
    assert content(releases) == {"b": b"theirs"}
    assert promote(releases, theirs.version, theirs.parent).version == "v0003"  # again: already so
    with pytest.raises(BusyError, match="judged against none"):
        promote(releases, mine.version, None)


@pytest.mark.parametrize("order", ["zombie first", "zombie last"])
def test_of_two_candidates_with_one_parent_exactly_one_goes_live(releases, order):
    candidates = [build(releases, "m", {"b": name}, {}, {})[0] for name in (b"zombie", b"fresh")]
    outcomes = []
    for manifest in candidates if order == "zombie first" else reversed(candidates):
        try:
            outcomes.append(promote(releases, manifest.version, manifest.parent).version)
        except BusyError:
            outcomes.append("refused")
    assert outcomes[0] != "refused" and outcomes[1] == "refused"
    current = release.current(releases)
    assert current is not None and current.version == outcomes[0]


def test_racing_publishers_make_one_chain(tmp_path):
    """Three processes publish five times each, again when refused: all fifteen were live, each once."""
    racer = """
import sys
from pathlib import Path
from kindex.core.errors import BusyError
from kindex.core.pointer import promote
from kindex.core.publish import build
from kindex.core.release import current
releases, done = Path(sys.argv[1]), 0
while done < 5:
    try:
        live = current(releases)
        manifest, _ = build(releases, "m", {"who": f"{sys.argv[2]} {done}".encode()}, {}, {})
        promote(releases, manifest.version, live.version if live else None)
        done += 1
    except BusyError:
        continue
"""
    racers = [subprocess.Popen([sys.executable, "-c", racer, str(tmp_path / "m"), str(number)]) for number in range(3)]
    assert [process.wait() for process in racers] == [0, 0, 0]
    versions = {manifest.version for manifest in release.versions(tmp_path / "m")}
    current = release.current(tmp_path / "m")
    assert current is not None
    assert {*current.former, current.version} == versions and len(current.former) == 14 and len(versions) == 15
    release.verify(tmp_path / "m")


def test_a_damaged_candidate_is_not_promoted(releases):
    build(releases, "m", NEW, NOTES, {})
    (releases / "v0002" / "a" / "x").write_bytes(b"nev")
    with pytest.raises(DamagedError, match="v0002/a/x"):
        promote(releases, "v0002", "v0001")
    assert content(releases) == OLD


def test_rollback_goes_to_the_parent_at_once_and_forth_again(releases):
    publish(releases, NEW)
    began = time.perf_counter()
    former, now = rollback(releases)
    assert time.perf_counter() - began < 1.0
    assert former is not None and (former.version, now.version) == ("v0002", "v0001")
    assert content(releases) == OLD
    with pytest.raises(ConfigError, match="first release"):
        rollback(releases)
    assert rollback(releases, "v0002")[1].withdrawn == ()
    assert content(releases) == NEW
    with pytest.raises(ConfigError, match="no release 'v0007'"):
        rollback(releases, "v0007")
    with pytest.raises(ConfigError, match="no live release"):
        rollback(releases.parent / "other")


def test_no_night_publishes_what_a_person_rolled_back(releases):
    publish(releases, NEW)
    publish(releases, {"b": b"newer"})
    assert rollback(releases, "v0001")[1].withdrawn == ("v0002", "v0003")
    for same in (NEW, {"b": b"newer"}):
        with pytest.raises(MetricGateError, match="was rolled back by hand"):
            publish(releases, same)
    assert content(releases) == OLD
    assert publish(releases, {"b": b"mended"}).withdrawn == ("v0002", "v0003")
    assert rollback(releases, "v0003")[1].withdrawn == ("v0002", "v0004")


def test_rollback_refuses_a_release_that_is_not_whole(releases):
    publish(releases, NEW)
    (releases / "v0001" / "b").unlink()
    with pytest.raises(DamagedError, match="v0001/b"):
        rollback(releases)
    assert content(releases) == NEW


def test_a_lost_pointer_is_set_by_hand(releases):
    (releases / "CURRENT").unlink()
    assert rollback(releases, "v0001")[0] is None
    assert content(releases) == OLD


def test_too_little_space_is_said_beforehand(releases, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 1_000_004))
    with pytest.raises(OutsideError, match=r"a release of m needs 1 MB below .* 1 MB free"):
        build(releases, "m", NEW, NOTES, {})
    assert release.names(releases) == ["v0001"]


def test_numbers_that_json_lacks_are_refused_in_about(releases):
    with pytest.raises(ValueError, match="JSON"):
        build(releases, "m", NEW, NOTES, {"recall": float("nan")})
    assert leftovers(releases) == []


def points(tmp_path):
    """Names of the fault points of one build and promote, in order."""
    publish(tmp_path / "traced", OLD)
    trace = tmp_path / "trace"
    files._reached = 0
    os.environ["KINDEX_FAULT"] = f"{trace}:trace"
    try:
        publish(tmp_path / "traced", NEW, "2")
    finally:
        del os.environ["KINDEX_FAULT"]
    return trace.read_text().splitlines()


def test_every_step_of_publishing_is_a_fault_point(tmp_path):
    names = [line.partition(" ")[2] for line in points(tmp_path)]
    assert {"write x", "fsync x", "write n", "write manifest.json", "fsync manifest.json", "rename v0002"} <= set(names)
    assert names[-4:] == ["write CURRENT", "fsync CURRENT", "rename CURRENT", "fsync traced/"]


def undisturbed(tmp_path):
    publish(tmp_path / "still", OLD)
    publish(tmp_path / "still", NEW, "2")
    return state(tmp_path / "still")


def state(releases):
    """Every file of the releases with its bytes, but for the locks."""
    assert leftovers(releases) == []
    everything = sorted(path for path in releases.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    return {path.relative_to(releases).as_posix(): path.read_bytes() for path in everything}


@pytest.mark.parametrize("how", ["kill", "enospc", "eio"])
def test_any_step_may_fail_and_the_next_run_ends_in_the_same_state(tmp_path, how, monkeypatch):
    expected = undisturbed(tmp_path)
    steps = len(points(tmp_path))
    assert steps >= 19
    seen = set()
    for number in range(1, steps + 1):
        releases = tmp_path / f"{how}{number}"
        publish(releases, OLD)
        failed_at(releases, number, how, monkeypatch)
        seen.add(read := json.dumps(sorted(name for name in content(releases))))
        assert content(releases) in (OLD, NEW), read
        if how != "kill":
            assert not list(releases.glob(".new-*"))  # an error cleans up at once; a kill cannot
        publish(releases, NEW, "2")
        assert state(releases) == expected
    assert len(seen) == 2  # some steps fail before the pointer moves, one after


def failed_at(releases, number, how, monkeypatch):
    """Publish NEW with a fault at step `number`, in a child that is forked (kill) or here (an error)."""
    files._reached = 0
    monkeypatch.setenv("KINDEX_FAULT", f"{number}:{how}")
    if how == "kill":
        child = os.fork()
        if child == 0:
            publish(releases, NEW, "2")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    else:
        with pytest.raises(OSError) as failure:
            publish(releases, NEW, "2")
        assert failure.value.errno == {"enospc": errno.ENOSPC, "eio": errno.EIO}[how]
    monkeypatch.delenv("KINDEX_FAULT")
