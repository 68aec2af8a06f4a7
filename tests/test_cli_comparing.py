"""`kindex diff`, `approve` and `reject`, by what people read and what they leave behind."""

import json
import re
import shutil

import pytest

from kindex.cli import comparing
from kindex.core import outbox, release
from kindex.core.errors import ConfigError
from kindex.core.layout import Layout
from tests.tasks.test_releases import MODEL, night, publish


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """v0001 is live, v0002 was held by its gate."""
    root = tmp_path_factory.mktemp("made")
    publish(*night(root), "2026-11-20")
    publish(*night(root, recall=0.1, turn=0.5, shuffle=True))
    return root


@pytest.fixture
def layout(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "project")
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path / "project"))
    return Layout(tmp_path / "project")


def test_two_releases_side_by_side(layout, capsys, tmp_path):
    comparing.diff(MODEL, html=tmp_path / "diff.html")
    said = capsys.readouterr().out
    assert said.startswith(f"{MODEL}: v0001 (2026-11-20) beside v0002 (2026-11-21)")
    assert "the gate of today: not passed" in said
    assert re.search(r"MISSED +link_recall_at_10 +at least 0.2", said) and "0.1 misses 0.2" in said
    assert "neighbour_churn_at_10" in said
    page = (tmp_path / "diff.html").read_text()
    assert "Side by side" in page and "v0002" in page and "<script" not in page
    comparing.diff(MODEL, "v0002", "v0001", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["former"]["version"], found["now"]["version"], found["verdict"]["passed"]) == ("v0002", "v0001", True)


def test_one_release_cannot_be_compared_with_nothing(layout):
    with pytest.raises(ConfigError, match=r"no release of 'words-pear': did you mean words-pairs"):
        comparing.diff("words-pear")
    with pytest.raises(ConfigError, match=r"no release 'v0007'"):
        comparing.diff(MODEL, "v0001", "v0007")
    comparing.approve(MODEL, "v0002", "right", "ada")
    with pytest.raises(ConfigError, match="the live release v0002 is the newest: name two"):
        comparing.diff(MODEL)


def test_approving_makes_it_live_and_tells(layout, capsys):
    comparing.approve(MODEL, "v0002", "the golden list is right again", "ada")
    assert f"{MODEL}: v0001 → v0002 is live, though its gate did not pass it" in capsys.readouterr().out
    pointer = release.current(layout.releases(MODEL))
    assert (pointer.version, pointer.decisions[-1].by) == ("v0002", "ada")
    told = [message.payload for message in outbox.pending(layout.outbox) if message.kind == "aliases"]
    assert told == [{"model": MODEL, "candidate": "v0002", "champion": "v0002"}]
    comparing.approve(MODEL, "v0002", "again", "ada")
    assert "is live already" in capsys.readouterr().out


def test_rejecting_leaves_the_live_one(layout, capsys):
    comparing.reject(MODEL, "v0002", "it is not")
    assert f"{MODEL}: v0002 is rejected; v0001 stays live" in capsys.readouterr().out
    pointer = release.current(layout.releases(MODEL))
    assert (pointer.version, pointer.withdrawn, pointer.decisions[-1].because) == ("v0001", ("v0002",), "it is not")
    assert pointer.decisions[-1].by
