"""The parent lock against DVC's view of what changed, on a project of one stage."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from kindex.core import files, publish
from kindex.core.layout import Layout
from kindex.core.params import load
from kindex.core.parent import Parent, read_parent
from kindex.core.pointer import promote, rollback
from kindex.core.release import current
from tasks import parents
from tasks.environment import settle
from tasks.stages import Pipeline

DVC = """\
stages:
  train:
    foreach: [m]
    do:
      cmd: mkdir -p data/train/${item} && cp data.txt data/train/${item}/out
      deps: ["locks/parents/${item}.json", data.txt, src/kindex/encoders/pairs, src/kindex/core]
      params: ["models.${item}"]
      outs: ["data/train/${item}"]
"""

PARAMS = """\
catalogues: {c: {source: {kind: files}, checks: {}, split: {}}}
models: {m: {catalogue: c, family: pairs, seed: 1}}
indexes: {m: {}}
gates: {m: []}
evaluate: {}
"""


OWN, DATA, CODE = "locks/parents/m.json", "data.txt", "src/kindex/encoders/pairs"


@dataclass
class Saw:
    """What DVC would say of `train@m`."""

    inputs_: list[str] | None

    def inputs(self, target: str) -> list[str] | None:
        assert target == "train@m"
        return self.inputs_


@pytest.fixture
def layout(tmp_path) -> Layout:
    (tmp_path / "params.yaml").write_text(PARAMS)
    return Layout(tmp_path)


def follow(layout: Layout, inputs: list[str] | None, night: str = "2026-01-02", **options: bool) -> bool:
    return parents.follow(layout, load(layout.params), "m", Saw(inputs), night, **options)


def release(layout: Layout, content: str) -> Parent:
    """Make a release live; as a parent of the night after."""
    releases = layout.releases("m")
    made, _ = publish.build(releases, "m", {"x": content.encode()}, {}, {})
    pointer = current(releases)
    promote(releases, made.version, pointer.version if pointer else None)
    return Parent(made.version, made.digest, "2026-01-02")


def locked(layout: Layout) -> Parent | None:
    return read_parent(layout.parent("m"))


def test_it_follows_the_live_release_only_when_there_is_something_to_train(layout, monkeypatch):
    """With DVC itself."""
    root = layout.root
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(root / ".site"))
    monkeypatch.setattr(os, "environ", os.environ.copy())
    (root / "dvc.yaml").write_text(DVC)
    (root / "data.txt").write_text("one\n")
    for folder in (CODE, "src/kindex/core"):
        (root / folder).mkdir(parents=True)
        (root / folder / "x.py").write_text("1\n")
    settle(layout)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=root, check=True)
    pipeline = Pipeline(layout)

    def followed(night: str = "2026-01-02") -> bool:
        return parents.follow(layout, load(layout.params), "m", pipeline, night)

    def train() -> str:
        return pipeline.reproduce("train", "m", lambda why: None).outcome

    assert followed()
    assert json.loads(layout.parent("m").read_text()) == {"parent": None}
    assert train() != "up to date"
    first = release(layout, "one")
    assert not followed()  # nothing changed: the release that was made of these inputs is no input of theirs
    assert train() == "up to date"
    (root / "data.txt").write_text("two\n")
    assert followed()
    assert locked(layout) == first
    assert not followed()  # killed before training and run again
    assert train() != "up to date"
    second = release(layout, "two")
    assert not followed("2026-01-03")
    assert train() == "up to date"
    (root / "data" / "train" / "m" / "out").unlink()
    assert not followed()
    assert locked(layout) == first
    (root / CODE / "x.py").write_text("2\n")
    assert followed()
    assert locked(layout) == Parent(second.version, second.digest, second.night, True)


def test_a_first_lock_names_no_parent(layout):
    assert follow(layout, [OWN, DATA, CODE])
    assert layout.parent("m").read_text() == '{\n  "parent": null\n}\n'
    assert not follow(layout, [OWN, DATA, CODE])


@pytest.mark.parametrize(
    ("inputs", "moved", "full"),
    [
        (None, False, False),
        ([], False, False),  # an output is missing
        ([OWN], False, False),  # the lock was moved already, or by hand
        ([DATA], True, False),
        (["params.yaml"], True, False),
        (["src/kindex/core/split.py"], True, False),
        ([CODE], True, True),
        (["src/kindex/encoders/parts"], True, True),
    ],
)
def test_what_moves_the_lock_and_what_asks_for_a_full_build(layout, inputs, moved, full):
    follow(layout, [DATA])
    live = release(layout, "one")
    assert follow(layout, inputs) == moved
    assert locked(layout) == (Parent(live.version, live.digest, live.night, full) if moved else None)


def test_a_full_build_that_was_asked_for_and_killed_is_still_asked_for(layout):
    follow(layout, [DATA])
    live = release(layout, "one")
    assert follow(layout, None, full=True)
    assert not follow(layout, [OWN], full=True)
    follow(layout, [OWN, DATA], "2026-01-03")
    assert locked(layout) == Parent(live.version, live.digest, "2026-01-03", True)
    follow(layout, [DATA], "2026-01-04")  # it was made
    assert locked(layout) == Parent(live.version, live.digest, "2026-01-04", False)


def test_a_parent_that_was_rolled_back_is_left_when_something_changes(layout):
    follow(layout, [DATA])
    first = release(layout, "one")
    second = release(layout, "two")
    follow(layout, [DATA])
    assert locked(layout) == second
    rollback(layout.releases("m"))
    assert not follow(layout, None)
    assert follow(layout, [DATA])
    assert locked(layout) == first


def test_a_lock_that_was_removed_is_a_full_build_turned_onto_the_live_release(layout):
    live = release(layout, "one")
    assert follow(layout, [])
    assert locked(layout) == Parent(live.version, live.digest, live.night, True)


def test_a_clone_without_its_releases_begins_anew(layout):
    release(layout, "one")
    follow(layout, [DATA])
    (layout.releases("m") / "CURRENT").unlink()
    assert not follow(layout, [DATA])  # its release is still here
    layout.releases("m").rename(layout.root / "elsewhere")
    assert not follow(layout, None)  # nothing is to be trained
    assert follow(layout, [])
    assert locked(layout) is None


@pytest.mark.parametrize("point", [1, 2, 3, 4])
def test_killed_while_it_moves_the_lock_and_run_again(layout, point, monkeypatch):
    follow(layout, [DATA])
    live = release(layout, "one")
    monkeypatch.setattr(files, "_reached", 0)
    monkeypatch.setenv("KINDEX_FAULT", f"{point}:eio")
    with pytest.raises(OSError, match="Input/output"):
        follow(layout, [DATA])
    monkeypatch.delenv("KINDEX_FAULT")
    follow(layout, [DATA])
    assert locked(layout) == live
