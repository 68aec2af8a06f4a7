"""A release as a commit and a tag: what it holds, and that nothing of the user's is touched."""

import os
import subprocess
import sys

import pytest

from kindex.core import release
from kindex.core.files import sha256_file
from kindex.core.layout import Layout
from tasks.git import repository
from tasks.tags import lock_path, release_entry, tag_of, tags
from tests.tasks.lasting_project import MODEL, NIGHT, another, git, make, tagged


@pytest.fixture
def layout(tmp_path, monkeypatch) -> Layout:
    monkeypatch.setenv("HOME", str(tmp_path))  # no name of whoever runs the tests
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return make(tmp_path / "project")


def live(layout):
    return release.live(layout.releases(MODEL))


def users(layout):
    """What a person sees of git: branch, head, index, status, stash, worktrees."""
    seen = [git(layout.root, *command.split()) for command in ("symbolic-ref HEAD", "rev-parse HEAD", "status --porcelain")]
    return [*seen, sha256_file(layout.root / ".git" / "index"), git(layout.root, "branch", "-a")]


def test_a_tag_holds_the_files_as_they_are_and_where_the_bytes_of_the_release_are(layout):
    (layout.root / "code.py").write_text("one = 2\n")  # changed, not staged
    (layout.root / "staged.py").write_text("new = 1\n")
    git(layout.root, "add", "staged.py")
    (layout.root / "locks" / "parents").mkdir()
    (layout.root / "locks" / "parents" / f"{MODEL}.json").write_text('{"parent": null}\n')  # not known to git
    (layout.root / "notes.txt").write_text("mine alone")
    before = users(layout)
    assert tagged(layout, live(layout)) == f"{MODEL}@{NIGHT}.1"
    assert users(layout) == before
    at = f"{MODEL}@{NIGHT}.1"
    names = git(layout.root, "ls-tree", "-r", "--name-only", at).split()
    assert {"staged.py", "params.yaml", "dvc.yaml", f"locks/parents/{MODEL}.json", lock_path(MODEL, "v0001")} <= set(names)
    assert "notes.txt" not in names and not [name for name in names if "CURRENT" in name or name.startswith("releases")]
    assert git(layout.root, "show", f"{at}:code.py") == "one = 2\n"
    assert git(layout.root, "cat-file", "-t", at) == "tag\n"
    assert git(layout.root, "rev-parse", f"{at}^{{commit}}^") == git(layout.root, "rev-parse", "HEAD")
    assert "kindex <kindex@localhost>" in git(layout.root, "show", at)


def test_a_release_has_one_tag_and_a_night_may_have_several(layout):
    first = live(layout)
    assert tagged(layout, first) == tagged(layout, first, "2026-11-22") == f"{MODEL}@{NIGHT}.1"
    second = another(layout, 0.5)
    assert tagged(layout, second) == f"{MODEL}@{NIGHT}.2"
    third = another(layout, 0.75, "2026-11-22")
    assert tagged(layout, third, "2026-11-22") == f"{MODEL}@2026-11-22.1"
    found = repository(layout.root)
    assert [one.version for one in tags(found, MODEL)] == ["v0001", "v0002", "v0003"]
    assert tag_of(found, MODEL, "v0002").digest == second.digest
    assert tag_of(found, MODEL, "v0002", first.digest) is None
    assert release_entry(found, f"{MODEL}@{NIGHT}.2")["nfiles"] == len(second.entries) + 1
    assert release_entry(found, f"{MODEL}@{NIGHT}.9") is None


def test_a_persons_name_is_used_and_a_persons_own_tags_are_left_alone(layout):
    git(layout.root, "config", "user.name", "Ada")
    git(layout.root, "config", "user.email", "ada@example.invalid")
    git(layout.root, "tag", f"{MODEL}@{NIGHT}.1")  # not ours: it says nothing of a release
    git(layout.root, "config", "tag.gpgSign", "true")
    name = tagged(layout, live(layout))
    assert name == f"{MODEL}@{NIGHT}.2"
    assert "Ada <ada@example.invalid>" in git(layout.root, "show", name)


def test_without_git_or_dvc_there_is_no_tag_and_no_trouble(tmp_path, layout):
    (layout.root / ".git").rename(tmp_path / "away")
    assert tagged(layout, live(layout)) is None
    (tmp_path / "away").rename(layout.root / ".git")
    (layout.root / ".dvc").rename(tmp_path / "dvc")
    assert tagged(layout, live(layout)) is None


def test_a_git_hook_that_runs_a_night_keeps_its_own_index(layout, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "hook-index"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert tagged(layout, live(layout)) == f"{MODEL}@{NIGHT}.1"
    assert not (tmp_path / "hook-index").exists()


def test_a_project_below_the_repositorys_root(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    layout = make(tmp_path / "mono" / "project")
    (layout.root / ".git").rename(tmp_path / "mono" / ".git")
    git(tmp_path / "mono", "add", "-A")
    git(tmp_path / "mono", "commit", "-qm", "moved")
    name = tagged(layout, live(layout))
    assert f"project/{lock_path(MODEL, 'v0001')}" in git(tmp_path / "mono", "ls-tree", "-r", "--name-only", name)
    assert release_entry(repository(layout.root), name)["path"] == "v0001"


def test_a_kill_at_any_point_leaves_one_tag_and_a_whole_cache(layout):
    code = (
        "import sys; from pathlib import Path; from kindex.core.layout import Layout; from kindex.core import release\n"
        "from tests.tasks.lasting_project import MODEL, tagged\n"
        "layout = Layout(Path(sys.argv[1])); print(tagged(layout, release.live(layout.releases(MODEL))))"
    )
    codes = []
    for point in (1, 4, 20, 1000):
        environment = {**os.environ, "KINDEX_FAULT": f"{point}:kill"}
        done = subprocess.run(
            [sys.executable, "-c", code, str(layout.root)], env=environment, capture_output=True, check=False
        )
        codes.append(done.returncode)
        git(layout.root, "fsck", "--strict")
    assert codes == [-9, -9, -9, 0]
    assert git(layout.root, "tag").split() == [f"{MODEL}@{NIGHT}.1"]
    left = list((layout.root / ".dvc" / "cache" / "files").rglob("*.tmp"))
    assert len(left) <= 2
