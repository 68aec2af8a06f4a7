"""Paths of a project, and finding it."""

import pytest

from kindex.core.errors import ConfigError
from kindex.core.layout import Layout, find


def test_every_path_is_below_the_root_and_apart(tmp_path):
    layout = Layout(tmp_path)
    paths = [
        layout.params,
        layout.lock("c"),
        layout.out("train", "m"),
        layout.work("train", "m"),
        layout.checkpoint("m"),
        layout.releases("m"),
        layout.costs("train", "m"),
        layout.failure("train", "m"),
        layout.mutex("train@m"),
        layout.outbox,
    ]
    assert len(set(paths)) == len(paths)
    assert all(path.is_relative_to(tmp_path) for path in paths)
    assert list(tmp_path.iterdir()) == []  # a layout makes nothing


def test_the_project_is_found_from_a_folder_inside_it(tmp_path, monkeypatch):
    monkeypatch.delenv("KINDEX_ROOT", raising=False)
    (tmp_path / "params.yaml").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert find().root == tmp_path.resolve()
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path))
    monkeypatch.chdir("/")
    assert find().root == tmp_path.resolve()


def test_a_root_that_is_named_is_not_searched_above(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").touch()
    (tmp_path / "a").mkdir()
    with pytest.raises(ConfigError, match=r"no params.yaml in .*/a: --root must be"):
        find(tmp_path / "a")
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path / "a"))
    with pytest.raises(ConfigError, match="KINDEX_ROOT must be inside a kindex project"):
        find()
