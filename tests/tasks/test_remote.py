"""The way back (promise 23): a tag pulled into an empty clone is whole; a remote that is down keeps a push waiting."""

import shutil
from pathlib import Path

import pytest

from kindex.core import outbox, release
from kindex.core.layout import Layout
from tasks import cache, remote
from tests.tasks.lasting_project import MODEL, NIGHT, another, dvc, git, kindex, make, push_tag, tagged

TAG = f"{MODEL}@{NIGHT}.1"


@pytest.fixture
def layout(tmp_path, monkeypatch) -> Layout:
    for name, value in {
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    return make(tmp_path / "project", tmp_path / "remote")


def live(layout):
    return release.live(layout.releases(MODEL))


def clone(layout: Layout, target: Path, tag: str = TAG) -> Path:
    git(layout.root, "clone", "-q", "--branch", tag, str(layout.root), str(target))
    return target


def test_without_a_remote_nothing_happens_and_nothing_waits(tmp_path):
    layout = make(tmp_path / "alone")
    assert push_tag(layout, TAG) == remote.Pushed()
    assert not layout.outbox.exists()


def test_a_remote_that_is_down_keeps_the_push_waiting_without_its_password(layout, monkeypatch):
    name = tagged(layout, live(layout))

    def down(*_):
        raise ConnectionError("https://me:secret@store.invalid does not answer")

    monkeypatch.setattr(remote, "_push", down)
    pushed = push_tag(layout, name)
    assert (pushed.tags, pushed.waiting) == ((), 1)
    assert "does not answer" in pushed.reason and "secret" not in pushed.reason
    (waiting,) = outbox.pending(remote.queue(layout))
    assert (waiting.kind, waiting.key, waiting.attempts) == ("push", name, 1)
    assert outbox.pending(layout.outbox) == []  # it is not in MLflow's way
    told = []
    monkeypatch.setattr(remote, "_push", lambda layout, tag: told.append(tag))
    assert remote.push(layout).tags == (name,)
    assert push_tag(layout, name) == remote.Pushed()  # delivered before
    assert told == [name]


@pytest.mark.slow
def test_a_tag_pulled_into_an_empty_clone_verifies(layout, tmp_path):
    first = live(layout)
    assert tagged(layout, first) == TAG
    assert push_tag(layout, TAG) == remote.Pushed((TAG,))
    second = another(layout, 0.5)
    name = tagged(layout, second)
    assert push_tag(layout, name).tags == (name,)
    there = clone(layout, tmp_path / "clone")
    refused = kindex(there, "verify")
    assert refused.returncode == 3 and "`dvc pull` brings it" in refused.stderr
    dvc(there, "pull", "-q")
    verified = kindex(there, "verify")
    assert verified.returncode == 0 and "v0001 is whole" in verified.stdout and "as its tag says" in verified.stdout
    assert release.read_manifest(there / "releases" / MODEL, "v0001") == first
    assert git(there, "status", "--porcelain") == ""
    made_live = kindex(there, "rollback", MODEL, "--to", "v0001")
    assert made_live.returncode == 0, made_live.stderr
    damaged = there / "releases" / MODEL / "v0001" / "report.json"
    damaged.chmod(0o644)
    damaged.write_text("{}")
    found = kindex(there, "verify", MODEL)
    assert found.returncode == 3 and "report.json" in found.stderr


@pytest.mark.slow
def test_checking_out_a_tag_and_the_branch_again_leaves_the_live_pointer(layout):
    first = live(layout)
    tagged(layout, first)
    another(layout, 0.5)
    pointer = (layout.releases(MODEL) / "CURRENT").read_bytes()
    git(layout.root, "checkout", "-q", TAG)
    dvc(layout.root, "checkout", "-q")
    assert kindex(layout.root, "verify").stdout.count("v0002 is whole") == 1
    git(layout.root, "checkout", "-q", "main")
    assert (layout.releases(MODEL) / "CURRENT").read_bytes() == pointer
    assert release.verify(layout.releases(MODEL), "v0001") == first
    assert git(layout.root, "status", "--porcelain") == ""


@pytest.mark.slow
def test_a_push_that_lost_bytes_is_no_push_and_a_pull_brings_them_back(layout, tmp_path):
    name = tagged(layout, live(layout))
    home = cache.place(layout.root)
    entry = remote.release_entry(remote.repository(layout.root), name)
    lost = cache.members(home, entry["md5"])["lineage.json"]
    cache.object_path(home, lost).rename(tmp_path / "aside")
    pushed = push_tag(layout, name)
    assert pushed.waiting == 1 and "did not arrive" in pushed.reason
    assert remote.missing(layout, [lost, entry["md5"]]) >= {lost}
    shutil.move(tmp_path / "aside", cache.object_path(home, lost))
    assert remote.push(layout).tags == (name,)
    assert remote.missing(layout, [lost, entry["md5"]]) == set()
    shutil.rmtree(home / "files")
    assert remote.pull(layout, name, entry["md5"])
    assert cache.restore(home, entry["md5"], tmp_path / "again")
    assert {path.name for path in (tmp_path / "again").rglob("*.json")} >= {"manifest.json", "lineage.json"}
    shutil.rmtree(tmp_path / "remote")
    shutil.rmtree(home / "files")
    assert not remote.pull(layout, name, entry["md5"])
