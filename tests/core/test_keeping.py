"""Which releases stay, and that cleaning never takes one from under a reader or a publisher (promise 22, small form)."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from kindex.core import keeping, release
from kindex.core.errors import BusyError, ConfigError, DamagedError
from kindex.core.mutex import hold
from kindex.core.pointer import promote, rollback
from kindex.core.publish import build


def publish(releases, content: bytes, refresh: dict | None = None, live: bool = True) -> str:
    files = {"x": content} | ({"refresh.json": json.dumps(refresh).encode()} if refresh else {})
    now = release.current(releases)
    manifest, _ = build(releases, "m", files, {}, {})
    if live:
        promote(releases, manifest.version, now.version if now else None)
    return manifest.version


@pytest.fixture
def ten(tmp_path):
    """Ten releases, the tenth live."""
    releases = tmp_path / "m"
    for number in range(10):
        publish(releases, f"{number}".encode())
    return releases


def clean(releases, keep):
    with keeping.cleaning(releases), keeping.pointing(releases):
        why = keeping.staying(releases, keep)
        for version in release.names(releases):
            if version not in why:
                keeping.remove(releases, version)
    return keeping.sweep(releases)  # outside the locks


def test_what_is_live_and_the_last_that_were_live_stay(ten):
    assert keeping.staying(ten, 3) == {"v0010": "live", **dict.fromkeys(["v0007", "v0008", "v0009"], "was live before")}
    assert len(clean(ten, 3)) == 6
    assert release.names(ten) == ["v0007", "v0008", "v0009", "v0010"]
    assert release.verify(ten).version == "v0010"
    assert clean(ten, 3) == []


def test_candidates_newer_than_the_live_release_stay_and_older_held_ones_go(ten):
    held = publish(ten, b"held", live=False)
    assert keeping.staying(ten, 1)[held] == "newer than the live release"
    publish(ten, b"twelve")
    assert held not in keeping.staying(ten, 1)


def test_what_a_person_rolled_back_stays_for_a_night_would_publish_it_again(ten):
    rollback(ten)
    for number in range(3):
        publish(ten, f"later {number}".encode())
    assert "withdrawn" in keeping.staying(ten, 1)["v0010"]
    clean(ten, 1)
    assert release.names(ten) == ["v0010", "v0012", "v0013"]
    assert build(ten, "m", {"x": b"9"}, {}, {})[0].version == "v0010"


def test_the_line_down_to_the_last_full_build_and_its_parent_stays(ten):
    def made(built, parent):
        return {"built": built, "parent": {"version": parent, "digest": "0" * 64} if parent else None}

    publish(ten, b"a", made("full", "v0008"))
    publish(ten, b"b", made("delta", "v0011"))
    publish(ten, b"c", made("delta", "v0012"))
    assert list(keeping.line(ten, "v0013")) == ["v0012", "v0011", "v0008"]
    clean(ten, 1)
    assert release.names(ten) == ["v0008", "v0011", "v0012", "v0013"]
    (ten / "v0013" / "refresh.json").write_text('{"built": "delta", "parent": {"version": "v0013"}}')
    assert list(keeping.line(ten, "v0013")) == []  # it names itself: no endless loop


def test_nothing_goes_when_nobody_knows_what_is_live(ten):
    assert "v0003" not in keeping.staying(ten, 2)
    (ten / "v0003" / "manifest.json").write_text("{")
    assert "cannot be read" in keeping.staying(ten, 2)["v0003"]
    (ten / "CURRENT").write_text("{")
    assert len(keeping.staying(ten, 2)) == 10
    (ten / "CURRENT").unlink()
    assert len(keeping.staying(ten, 2)) == 10
    with pytest.raises(ValueError, match="keep is 0"):
        keeping.staying(ten, 0)


def test_cleaning_waits_for_a_build_and_then_gives_way(ten, monkeypatch):
    monkeypatch.setattr(keeping, "_WAIT", 0.1)
    with hold(ten / ".building.lock", "a build"), pytest.raises(BusyError), keeping.cleaning(ten):
        pass


def test_cleaning_beside_publishing_and_reading_misses_no_file(tmp_path, rounds=10, keep=3):
    releases = tmp_path / "m"
    publish(releases, b"first")
    over, bad, reads = threading.Event(), [], [0]

    def read():
        while not over.is_set():
            try:
                release.verify(releases)
                reads[0] += 1
            except (DamagedError, ConfigError, OSError) as error:
                bad.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    removed = 0
    cleaner_over = threading.Event()

    def tidy():
        nonlocal removed
        while not cleaner_over.is_set():
            removed += len(clean(releases, keep))
            time.sleep(0.01)

    cleaner = threading.Thread(target=tidy)
    cleaner.start()
    for number in range(rounds):
        now = release.current(releases)
        while True:
            try:
                manifest, _ = build(releases, "m", {"x": f"{number}".encode()}, {}, {})
                break
            except BusyError:  # the cleaner holds it for a moment
                continue
        promote(releases, manifest.version, now.version)
    cleaner_over.set()
    cleaner.join()
    removed += len(clean(releases, keep))
    over.set()
    reader.join()
    assert bad == []
    assert removed == rounds - keep and reads[0] > 0
    assert len(release.names(releases)) == keep + 1


def test_a_kill_at_any_point_of_cleaning_leaves_whole_releases_and_the_next_run_goes_on(ten):
    code = (
        "import sys; from pathlib import Path; from kindex.core import keeping; from tests.core.test_keeping import clean\n"
        "clean(Path(sys.argv[1]), 2)"
    )
    codes = []
    for point in (1, 6, 9, 1000):
        environment = {**os.environ, "KINDEX_FAULT": f"{point}:kill"}
        codes.append(subprocess.run([sys.executable, "-c", code, str(ten)], env=environment, check=False).returncode)
        assert release.verify(ten).version == "v0010"
        for version in release.names(ten):
            release.verify(ten, version)
    assert codes == [-9, -9, -9, 0]
    assert release.names(ten) == ["v0008", "v0009", "v0010"]
    assert list(ten.glob(f"{keeping.GONE}*")) == []
