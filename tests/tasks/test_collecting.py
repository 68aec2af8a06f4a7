"""`kindex gc`: what a tag names goes only when the remote has it; leftovers go by their rules."""

import os
import time

import pytest

from kindex.core import release
from kindex.core.layout import Layout
from kindex.core.parent import Parent, write_parent
from tasks import cache, collecting, remote, unused
from tests import projects
from tests.tasks.lasting_project import MODEL, another, git, kindex, make, push_tag, tagged


@pytest.fixture(scope="module")
def four(tmp_path_factory) -> Layout:
    """Four releases, each with its tag."""
    root = tmp_path_factory.mktemp("collecting")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        made = make(root / "project", root / "remote")
        tagged(made, release.live(made.releases(MODEL)))
        for number in range(1, 4):
            tagged(made, another(made, number / 8))
    return made


@pytest.fixture
def layout(four, tmp_path, monkeypatch) -> Layout:
    for name, value in {
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
    }.items():
        monkeypatch.setenv(name, value)
    return projects.copy(four, tmp_path / "project")


def names(layout):
    return release.names(layout.releases(MODEL))


def old(path):
    os.utime(path, (time.time() - 2 * unused.DAY,) * 2)


def test_a_tagged_release_stays_until_the_remote_has_it(layout, monkeypatch):
    have: set[str] = set()
    monkeypatch.setattr(remote, "missing", lambda layout, md5s: set(md5s) - have)
    found = collecting.collect(layout, 1)
    assert names(layout) == ["v0001", "v0002", "v0003", "v0004"] and found.removed == {}
    assert "the DVC remote has not got it" in found.kept[f"{MODEL} v0001"]
    have = {md5 for md5, _ in cache.objects(cache.place(layout.root))}
    dry = collecting.collect(layout, 1, dry_run=True)
    assert [name for name in dry.removed if name.startswith("releases")] == [
        f"releases/{MODEL}/v0001",
        f"releases/{MODEL}/v0002",
    ]
    assert names(layout) == ["v0001", "v0002", "v0003", "v0004"]
    before = len(list(cache.objects(cache.place(layout.root))))
    done = collecting.collect(layout, 1)
    assert done.removed.keys() == dry.removed.keys() and names(layout) == ["v0003", "v0004"]
    assert len(list(cache.objects(cache.place(layout.root)))) < before
    release.verify(layout.releases(MODEL))
    left = [remote.release_entry(remote.repository(layout.root), f"{MODEL}@2026-11-21.{number}") for number in (3, 4)]
    for entry in left:  # what stays can still be brought back from the cache, file by file
        assert cache.restore(cache.place(layout.root), entry["md5"], layout.root / "again" / entry["path"])
    assert collecting.collect(layout, 1).removed == {}


def test_a_remote_that_is_down_or_not_set_up_keeps_what_is_tagged(layout, monkeypatch):
    def down(*_):
        raise remote.OutsideError("the DVC remote 'there' cannot be asked: no route")

    monkeypatch.setattr(remote, "missing", down)
    assert "no route" in collecting.collect(layout, 1).kept[f"{MODEL} v0002"]
    monkeypatch.setattr(remote, "configured", lambda layout: "")
    assert "no DVC remote" in collecting.collect(layout, 1).kept[f"{MODEL} v0002"]
    for tag in git(layout.root, "tag").split():
        git(layout.root, "tag", "-d", tag)
    collecting.collect(layout, 1)
    assert names(layout) == ["v0003", "v0004"]


def test_the_locked_parent_stays(layout, monkeypatch):
    monkeypatch.setattr(remote, "missing", lambda layout, md5s: set())
    first = release.read_manifest(layout.releases(MODEL), "v0001")
    write_parent(layout.parent(MODEL), Parent("v0001", first.digest, "2026-11-21"))
    found = collecting.collect(layout, 1)
    assert names(layout) == ["v0001", "v0003", "v0004"]
    assert found.kept[f"{MODEL} v0001"] == "the next release is made from it"


def test_parts_of_snapshots_go_when_no_lock_names_them_and_they_are_old(layout, monkeypatch):
    monkeypatch.setattr(remote, "missing", lambda layout, md5s: set(md5s))
    parts = layout.var / "snapshots" / "words"
    parts.mkdir(parents=True)
    for name in ("now", "tagged", "never", "young"):
        (parts / f"{name * 8}.parquet").write_bytes(b"PAR1")
        if name != "young":
            old(parts / f"{name * 8}.parquet")
    lock = layout.lock("words")
    lock.write_text(lock.read_text().replace("0" * 64, "tagged" * 8))
    git(layout.root, "add", "-A")
    git(layout.root, "commit", "-qm", "locked")
    git(layout.root, "tag", "mine")
    lock.write_text(lock.read_text().replace("tagged" * 8, "now" * 8))
    git(layout.root, "commit", "-qam", "moved")
    (layout.var / "rebuild" / "killed").mkdir(parents=True)
    old(layout.var / "rebuild" / "killed")
    found = collecting.collect(layout)
    assert sorted(found.removed) == ["var/rebuild/killed", f"var/snapshots/words/{'never' * 8}.parquet"]
    assert sorted(path.name[:3] for path in parts.iterdir()) == ["now", "tag", "you"]


@pytest.mark.slow
def test_the_command_with_a_real_remote(layout):
    for tag in git(layout.root, "tag").split():
        assert push_tag(layout, tag).tags == (tag,)
    refused = kindex(layout.root, "gc", "--keep", "0")
    assert refused.returncode == 2 and "--keep is 0" in refused.stderr
    dry = kindex(layout.root, "gc", "--keep", "1", "--dry-run")
    assert dry.returncode == 0 and "would go   releases/words-pairs/v0001" in dry.stdout, dry.stderr
    done = kindex(layout.root, "gc", "--keep", "1")
    assert done.returncode == 0 and "stays  words-pairs v0004: live" in done.stdout
    assert names(layout) == ["v0003", "v0004"]
