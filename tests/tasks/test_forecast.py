"""What the next night would find: by DVC without its locks, by the sources without moving theirs, and writing nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kindex.core.errors import ConfigError
from kindex.core.layout import STAGES, Layout
from kindex.core.params import load, parse
from kindex.sources.locking import move
from tasks import dry, forecast
from tasks.environment import settle
from tasks.stages import Pipeline
from tests.projects import LINKED, PARAMS, PICTURED, make, nightly, run, write_links

DVC = """\
stages:
  ingest:
    foreach: ${catalogues}
    do:
      cmd: cat source.txt > data/${key}.txt
      deps: [source.txt]
      params: ["catalogues.${key}"]
      outs: ["data/${key}.txt"]
"""


def tree(root: Path) -> dict[str, tuple[int, int]]:
    """Every file with its inode and time of change, but for DVC's store of hashes, which is not the project's."""
    found = [path for path in root.rglob("*") if path.is_file() and not {".site", "__pycache__"} & {*path.parts}]
    return {str(path.relative_to(root)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


@pytest.fixture
def layout(tmp_path, monkeypatch) -> Layout:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".site"))
    monkeypatch.setattr(os, "environ", os.environ.copy())
    (tmp_path / "params.yaml").write_text("catalogues: {a: {seed: 7}, b: {seed: 8}}\n")
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / "source.txt").write_text("one\n")
    (tmp_path / "data").mkdir()
    settle(Layout(tmp_path))
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    return Layout(tmp_path)


def test_dvc_answers_without_its_locks_and_without_writing(layout):
    from dvc.lock import make_lock

    before, targets = tree(layout.root), ["ingest@a", "ingest@b"]
    assert dry.stale(layout, targets) == {"ingest@a": "first time", "ingest@b": "first time"}
    assert tree(layout.root) == before
    Pipeline(layout).reproduce("ingest", "a", lambda why: None)
    (layout.root / "params.yaml").write_text("catalogues: {a: {seed: 9}, b: {seed: 8}}\n")
    folder = layout.root / ".dvc" / "tmp"
    with make_lock(str(folder / "lock"), tmp_dir=str(folder)):  # as a night has it while it works
        before = tree(layout.root)
        assert dry.stale(layout, targets) == {"ingest@a": "catalogues.a.seed changed", "ingest@b": "first time"}
        assert tree(layout.root) == before
    (layout.root / "dvc.yaml").write_text("stages: [")
    with pytest.raises(ConfigError, match="DVC cannot say what is stale"):
        dry.stale(layout, ["ingest@a"])


def test_what_follows_is_told_as_what_it_is():
    params = parse(yaml.safe_load(PARAMS))
    keys = {stage: ["shop", "stamps"] if stage in STAGES[:3] else [LINKED, PICTURED] for stage in STAGES}
    still = {"shop": {"moves": False, "why": ""}, "stamps": {"moves": None, "why": ""}}

    def seen(known, catalogues=still):
        found = forecast.states(params, keys, known, catalogues)
        assert [one["stage"] for one in found] == [stage for stage in STAGES for _ in range(2)]
        return {f"{one['stage']}@{one['key']}": (one["state"], one["why"]) for one in found if one["state"] != "current"}

    assert seen({}) == {}
    assert seen({f"index@{LINKED}": "gone"}) == {
        f"index@{LINKED}": ("stale", "gone"),
        f"evaluate@{LINKED}": ("follows", f"if index@{LINKED} gives other bytes than before"),
    }
    moving = seen({f"train@{LINKED}": "new settings"}, {**still, "shop": {"moves": True, "why": "its source has changed"}})
    assert moving["ingest@shop"] == ("stale", "locks/shop.json will move: its source has changed")
    assert moving["split@shop"] == ("follows", "if ingest@shop gives other bytes than before")
    assert moving[f"train@{LINKED}"] == ("stale", "new settings")
    assert moving[f"evaluate@{LINKED}"] == ("follows", f"if train@{LINKED} gives other bytes than before")
    assert not any("stamps" in target for target in moving)


def test_a_lock_that_would_move_is_seen_and_stays(tmp_path):
    (tmp_path / "params.yaml").write_text(PARAMS)
    write_links(tmp_path / "links.csv")
    layout, params = Layout(tmp_path), load(tmp_path / "params.yaml")
    assert forecast.moves(layout, params, "shop") == {"moves": True, "why": "its source was never locked"}
    move(layout, params, "shop")
    before = tree(tmp_path)
    assert forecast.moves(layout, params, "shop")["moves"] is False
    write_links(tmp_path / "links.csv", baskets=41)
    found = forecast.moves(layout, params, "shop")
    assert found["moves"] and found["why"].startswith("its source has changed")
    assert tree(tmp_path).keys() == before.keys() and tree(tmp_path)["locks/shop.json"] == before["locks/shop.json"]
    (tmp_path / "links.csv").unlink()
    missing = forecast.moves(layout, params, "shop")
    assert missing["moves"] is None and "links.csv" in missing["why"]
    assert forecast.moves(layout, params, "stamps")["moves"] is True  # its first night says what is wrong with it


@pytest.mark.slow
@pytest.mark.long
def test_a_plan_before_between_and_after_nights(tmp_path):
    layout = make(tmp_path / "project")

    def asked(*models: str) -> dict:
        before = tree(layout.root)
        done = run(layout.root, sys.executable, "-m", "tasks.forecast", *models)
        assert done.returncode == 0, done.stderr
        assert tree(layout.root) == before
        return json.loads(done.stdout)

    def busy(found: dict) -> dict[str, str]:
        return {f"{one['stage']}@{one['key']}": one["state"] for one in found["stages"] if one["state"] != "current"}

    first = asked()
    assert len(busy(first)) == 12 and all(one["moves"] for one in first["catalogues"].values())
    assert nightly(layout.root).returncode == 0
    after = asked()
    assert busy(after) == {} and after["judged"] == {LINKED: True, PICTURED: True}
    assert not any(one["moves"] for one in after["catalogues"].values())
    write_links(layout.root / "links.csv", baskets=44)
    changed = asked(LINKED)
    assert busy(changed)["ingest@shop"] == "stale" and busy(changed)[f"evaluate@{LINKED}"] == "follows"
    assert list(changed["catalogues"]) == ["shop"] and len(busy(changed)) == 6
    assert run(layout.root, sys.executable, "-m", "tasks.forecast", "nonsense").returncode == 2
