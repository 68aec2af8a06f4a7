"""`kindex forget`: marked at once, gone after the next night, and a scan that can fail as the proof."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.core import release
from kindex.core.catalogue import ITEMS, LINKS, Catalogue
from kindex.core.errors import ConfigError
from kindex.core.forget import read_forgotten
from kindex.core.layout import Layout
from kindex.core.params import load
from kindex.core.parent import Parent, write_parent
from kindex.core.quarantine import QUARANTINE, entry, keep_refused
from kindex.core.space import Space
from kindex.core.split import Split, write_split
from tasks import cache, forgetting, remote
from tasks.holders import grouped
from tests import projects
from tests.ask.project import VECTORS, WORDS
from tests.ask.staged import publish, write_outputs
from tests.tasks.lasting_project import MODEL, another, git, make, tagged

ITEM = "queen"


@pytest.fixture
def layout(two, tmp_path, monkeypatch) -> Layout:
    for name, value in {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(name, value)
    return projects.copy(two, tmp_path / "project")


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Layout:
    """Two releases with the item, and what else holds it."""
    made = make(tmp_path_factory.mktemp("forgetting") / "project")
    tagged(made, release.live(made.releases(MODEL)))
    another(made, 0.5)
    write_parent(made.parent(MODEL), Parent("v0001", "0" * 64, "2026-11-21"))
    refused = pa.Table.from_pylist([entry("links", 0, "rule", "x", "file", {"left": ITEM})], QUARANTINE)
    keep_refused(made, "words", refused)
    pq.write_table(pa.table({"id": ["king"], "neighbour": [ITEM]}), made.root / "export.parquet")
    return made


def erase(layout, item=ITEM, **more):
    return forgetting.erase(layout, load(layout.params), "words", item, **more)


def night_without(layout):
    """What a full night makes once ingest drops the item."""
    shutil.rmtree(layout.root / "data")
    rest = [row for row, word in enumerate(WORDS) if word != ITEM]
    turned_ND = (VECTORS[rest] @ np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]).astype(np.float32)
    items = pa.Table.from_pylist([{"id": WORDS[row], "kind": "word"} for row in rest], ITEMS)
    sides = [Catalogue("words", {"items": part, "links": LINKS.empty_table()}) for part in (items, items.slice(0, 2))]
    write_split(layout.out("split", "words"), Split(*sides))
    write_outputs(layout, MODEL, [Space("word", tuple(WORDS[row] for row in rest), turned_ND)], {}, {"link_recall_at_10": 0.5})
    publish(layout, MODEL, {"night": "2026-11-22"})


def test_an_item_is_erased_in_two_steps_and_the_end_is_proved(layout):
    first = erase(layout)
    assert first.marked and ITEM in read_forgotten(layout.lock("words")) and ITEM not in layout.lock("words").read_text()
    assert not layout.parent(MODEL).exists()  # so that the next night builds anew
    assert {f"releases/{MODEL}/v0001", "var/quarantine/words.parquet"} <= set(first.removed)
    assert release.verify(layout.releases(MODEL)).version == "v0002"  # what is live answers on
    held = first.holders
    assert "make nightly" in held[f"releases/{MODEL}/v0002/vectors/word.parquet"]
    assert held[f"releases/{MODEL}/v0002/index/word.faiss"].startswith("vector")
    assert "make nightly" in held[f"data/train/{MODEL}/spaces/word.parquet"]
    assert "export" in held["export.parquet"]
    night_without(layout)
    (layout.root / "export.parquet").unlink()
    second = erase(layout)
    assert not second.marked and f"releases/{MODEL}/v0002" in second.removed
    assert second.holders == {} and second.unread == [] and second.scanned > 20
    assert release.names(layout.releases(MODEL)) == ["v0003"]
    left = list(cache.objects(cache.place(layout.root)))
    assert left and all(ITEM.encode() not in path.read_bytes() for _, path in left)
    assert erase(layout).removed == []


def test_parts_of_a_snapshot_that_hold_it_are_purged_by_their_source(layout, monkeypatch):
    parts = layout.var / "snapshots" / "words"
    parts.mkdir(parents=True)
    asked = []
    monkeypatch.setattr(forgetting, "purge", lambda layout, params, catalogue: asked.append(catalogue))
    pq.write_table(pa.table({"id": ["king"]}), parts / f"{'a' * 64}.parquet")
    assert erase(layout).marked and asked == []
    lock = layout.lock("words")
    lock.write_text(lock.read_text().replace("0" * 64, "b" * 64))
    for name in "bc":
        pq.write_table(pa.table({"id": [ITEM]}), parts / f"{name * 64}.parquet")
    found = erase(layout)
    assert asked == ["words"]
    assert f"var/snapshots/words/{'c' * 64}.parquet" in found.removed  # no lock names it
    assert "the source's snapshot" in found.holders[f"var/snapshots/words/{'b' * 64}.parquet"]


def test_what_holds_it_is_a_line_for_each_place(layout):
    lines = grouped(erase(layout, dry_run=True).holders)
    assert any(line.startswith(f"releases/{MODEL}/v0002 (") and "more files): it is live" in line for line in lines)
    assert any(line.startswith(f"releases/{MODEL}/v0001 (") and "it is not live" in line for line in lines)
    assert any(line.startswith("export.parquet (column neighbour): not kindex's own") for line in lines)
    assert len(lines) == len(set(lines)) < 12


def test_a_dry_run_only_tells(layout):
    before = sorted((path, path.stat().st_mtime_ns) for path in layout.root.rglob("*") if ".git" not in path.parts)
    found = erase(layout, dry_run=True)
    assert sorted((path, path.stat().st_mtime_ns) for path in layout.root.rglob("*") if ".git" not in path.parts) == before
    assert not found.marked and found.removed == [] and f"releases/{MODEL}/v0001/vectors/word.parquet" in found.holders


def test_the_proof_fails_when_one_vector_is_left_in_one_index(layout):
    erase(layout)
    old = layout.releases(MODEL) / "v0002" / "index" / "word.faiss"
    kept = old.read_bytes()
    night_without(layout)
    (layout.root / "export.parquet").unlink()
    (layout.root / "copy-of-an-index").write_bytes(kept)
    found = erase(layout)
    assert list(found.holders) == ["copy-of-an-index"] and found.holders["copy-of-an-index"].startswith("vector")


def test_a_tag_whose_bytes_the_remote_may_have_is_listed(layout, monkeypatch):
    erase(layout)
    night_without(layout)
    (layout.root / "export.parquet").unlink()
    monkeypatch.setattr(remote, "configured", lambda layout: "there")
    monkeypatch.setattr(remote, "missing", lambda layout, md5s: set())
    (found,) = erase(layout).holders.items()
    assert found[0] == f"the DVC remote 'there', {MODEL}@2026-11-21.1" and "dvc gc --cloud" in found[1]
    git(layout.root, "tag", "-d", f"{MODEL}@2026-11-21.1")
    assert erase(layout).holders == {}


def test_unknown_names_are_told_and_the_command_counts(layout, capsys):
    with pytest.raises(ConfigError, match="did you mean words"):
        forgetting.erase(layout, load(layout.params), "word", ITEM)
    assert forgetting.main(["--root", str(layout.root), MODEL, ITEM]) == 3
    written = capsys.readouterr()
    assert "marked in locks/words.json" in written.out and "hold it still" in written.err
    assert forgetting.main(["--root", str(layout.root), "words", "nobody"]) == 0
    assert "nothing here holds it" in capsys.readouterr().out
    assert len(json.loads(layout.lock("words").read_text())["forgotten"]["marks"]) == 2
