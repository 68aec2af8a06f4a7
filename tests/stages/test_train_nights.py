"""Nights of training: what the policy makes of them, and what stays of the parent release."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from kindex.core.catalogue import ITEMS, LINKS, Catalogue
from kindex.core.errors import DamagedError
from kindex.core.files import read_json
from kindex.core.layout import Layout
from kindex.core.parent import read_parent
from kindex.core.space import Space, read_space
from kindex.core.split import Split, divide, together, write_split
from tests.encoders.planted import planted_captions, planted_images
from tests.encoders.project import digests, project, run_train
from tests.stages.refreshed import lock, night

QUICK = {"dimensions": 8, "objective": "spectral", "popularity": 0.25}


def linked(drop: int = 0, more: int = 0) -> Split:
    """60 books and 40 links in four groups; some links are dropped, and some new books come with three links each."""
    rng = np.random.default_rng(5)
    pairs = [(f"b{a:02}", f"l{b:02}") for a in range(60) for b in range(40) if a % 4 == b % 4 and rng.random() < 0.6]
    pairs = pairs[drop:] + [(f"c{n}", f"l{4 * part:02}") for n in range(more) for part in range(3)]
    rows = [{"left": a, "left_kind": "book", "right": b, "right_kind": "link", "weight": 1.0} for a, b in pairs]
    ids = sorted({("book", a) for a, _ in pairs} | {("link", b) for _, b in pairs})
    items = pa.Table.from_pylist([{"id": name, "kind": kind} for kind, name in ids], schema=ITEMS)
    links = pa.Table.from_pylist(rows, schema=LINKS)
    return divide(Catalogue("planted", {"items": items, "links": links}), 0.1, "s")


def spaces(layout: Layout) -> dict[str, Space]:
    return {path.stem: read_space(path) for path in (layout.out("train", "m") / "spaces").glob("*.parquet")}


def unmoved(before: Space, after: Space) -> list[str]:
    """Ids whose vectors are what they were, to the last bit."""
    shared = [name for name in after.ids if name in before.rows]
    return [n for n in shared if after.vectors_ND[after.rows[n]].tobytes() == before.vectors_ND[before.rows[n]].tobytes()]


def settings(layout: Layout, **changes: Any) -> None:
    blocks = yaml.safe_load(layout.params.read_text())
    blocks["models"]["m"] |= changes
    layout.params.write_text(yaml.safe_dump(blocks))


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = project(tmp_path_factory.mktemp("first") / "p", linked(), "pairs", QUICK)
    told = night(layout, linked(), "2026-01-01")
    assert (told["built"], told["parent"], told["full"]["version"], told["generation"]) == ("full", None, None, 0)
    assert told["compatibility"] == {"class": "first", "residual": None, "shared": 0}
    assert told["touched"] == {"book": 60, "link": 40}
    return layout


@pytest.fixture
def layout(first_night: Layout, tmp_path: Path) -> Layout:
    shutil.copytree(first_night.root, tmp_path / "p")
    return Layout(tmp_path / "p")


def test_a_delta_makes_what_changed_and_keeps_the_rest(layout: Layout) -> None:
    before = spaces(layout)
    told = night(layout, linked(drop=2, more=1), "2026-01-02")
    after = spaces(layout)
    assert (told["built"], told["generation"], told["drift"] is None) == ("delta", 1, False)
    assert told["full"]["version"] == told["parent"]["version"] == "v0001"
    assert told["full"]["night"] == "2026-01-02"  # nobody knew one before it was locked
    assert told["rows"]["links"]["added"] > 0 < told["rows"]["links"]["removed"]
    shared = sum(len(set(before[kind].ids) & set(after[kind].ids)) for kind in before)
    assert told["compatibility"] == {"class": "same", "residual": 0.0, "shared": shared}
    assert "c0" in after["book"].rows
    kept = {kind: unmoved(before[kind], after[kind]) for kind in before}
    assert {kind: len(after[kind].ids) - len(names) for kind, names in kept.items()} == told["touched"]
    assert len(kept["book"]) > 50
    assert 0 < told["share"] == told["untrained"] < 0.05


def test_the_same_inputs_give_the_same_bytes_and_a_second_night_grows_the_share(layout: Layout) -> None:
    told = night(layout, linked(drop=2), "2026-01-02")
    made = digests(layout)
    lock_bytes = layout.parent("m").read_bytes()
    run_train(layout)  # forced: the lock did not move
    assert digests(layout) == made
    again = night(layout, linked(drop=4), "2026-01-03")
    assert layout.parent("m").read_bytes() != lock_bytes
    assert (again["generation"], again["full"]["version"], again["full"]["night"]) == (2, "v0001", "2026-01-02")
    assert again["share"] > told["share"] > 0


def test_nothing_changed_makes_the_same_spaces_and_encoder(layout: Layout) -> None:
    before = digests(layout)
    told = night(layout, linked(), "2026-01-02")
    assert told["touched"] == {"book": 0, "link": 0}
    after = digests(layout)
    assert {name for name in before if after[name] != before[name]} == {"refresh.json"}


def test_past_max_change_it_warms_up_and_past_max_warm_change_it_is_trained_anew(layout: Layout) -> None:
    warm = night(layout, linked(drop=60), "2026-01-02")
    assert (warm["built"], warm["generation"], warm["untrained"]) == ("warm", 1, 0.0)
    assert warm["compatibility"]["class"] in ("aligned", "same")
    assert read_json(layout.out("train", "m") / "encoder" / "encoder.json")["about"]["trials"] == []
    delta = night(layout, linked(drop=62), "2026-01-03")
    assert (delta["built"], delta["generation"]) == ("delta", 2)
    assert delta["share"] > 0.05 > delta["untrained"]
    full = night(layout, linked(drop=160), "2026-01-04")
    assert (full["built"], full["generation"], full["share"]) == ("full", 0, 0.0)
    assert full["full"] == {"version": None, "night": "2026-01-04", "agreement": full["agreement"]}
    assert full["compatibility"]["class"] == "aligned"
    assert "max_warm_change" in full["reasons"][0]


def test_a_full_build_is_turned_onto_the_parent_with_its_scores_as_they_were(layout: Layout, tmp_path: Path) -> None:
    settings(layout, seed=11)
    told = night(layout, linked(), "2026-01-02", full=True)
    assert told["reasons"] == ["the lock of the parent asks for a full build", "seed changed since v0001"]
    assert told["compatibility"]["shared"] == 100
    other = project(tmp_path / "other", linked(), "pairs", {**QUICK, "seed": 11})
    run_train(other)
    mine, its, former = spaces(layout), spaces(other), Layout(layout.root).releases("m") / "v0001" / "vectors"
    scores = [s["book"].vectors_ND.astype(float) @ s["link"].vectors_ND.T.astype(float) for s in (mine, its)]
    np.testing.assert_allclose(*scores, atol=1e-6)
    before = read_space(former / "book.parquet")
    away = [np.square(s["book"].unit_ND - before.unit_ND).sum(1).mean() for s in (mine, its)]
    assert away[0] < away[1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"refresh": {"mode": "full"}}, "refresh.mode is full"),
        ({"dimensions": 6}, "dimensions changed since v0001"),
        ({"refresh": {"max_nights": 0}}, "1 nights since the full build, max_nights is 0"),
    ],
)
def test_settings_that_ask_for_a_full_build(layout: Layout, changes: dict[str, Any], reason: str) -> None:
    settings(layout, **changes)
    told = night(layout, linked(), "2026-01-02")
    assert (told["built"], told["reasons"]) == ("full", [reason])
    assert told["compatibility"]["class"] == ("incompatible" if "dimensions" in changes else "same")


def test_too_much_drift_trains_anew_in_the_same_night(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    from kindex.encoders import pairs

    real = pairs.Evidence.agreement
    monkeypatch.setattr(pairs.Evidence, "agreement", lambda *some: (real(*some) or 0) - (0.03 if some[2] else 0))
    told = night(layout, linked(drop=2), "2026-01-02")
    assert told["built"] == "full"
    assert "the drift would be 0.0" in told["reasons"][-1]
    assert (layout.out("train", "m") / "history.jsonl").read_text().count("\n") == 1


def test_a_release_without_hashes_is_only_turned_onto(layout: Layout) -> None:
    old = layout.releases("m") / "v0001"
    manifest = read_json(old / "manifest.json")
    from kindex.core import publish
    from kindex.core.pointer import promote

    files = {name: old / name for name in manifest["files"] if not name.startswith("rows/") and name != "refresh.json"}
    made, _ = publish.build(layout.releases("m"), "m", files, {}, {})
    promote(layout.releases("m"), made.version, "v0001")
    told = night(layout, linked(drop=2), "2026-01-02")
    assert (told["built"], told["reasons"]) == ("full", ["release v0002 has no hashes of rows"])
    assert told["compatibility"]["class"] == "aligned"


def test_a_delta_of_pairs_needs_no_torch(layout: Layout) -> None:
    """Importing it would cost more than the night."""
    lock(layout, "2026-01-02")
    write_split(layout.out("split", "planted"), linked(drop=2))
    code = "import sys; from kindex.stages.parts.running import main; print(main(['train', 'm']), 'torch' in sys.modules)"
    environment = {**os.environ, "KINDEX_ROOT": str(layout.root)}
    environment.pop("DVC_ROOT", None)
    found = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    first, last = found.stdout.splitlines()
    assert first.startswith("train m: delta from v0001 (")
    assert last == "0 False"


def test_a_parent_that_is_gone_stops_it(layout: Layout) -> None:
    lock(layout, "2026-01-02")
    version = read_parent(layout.parent("m")).version
    shutil.rmtree(layout.releases("m") / version)
    write_split(layout.out("split", "planted"), linked(drop=2))
    with pytest.raises(DamagedError, match=r"m\.json names v0001"):
        run_train(layout)


def part(whole: Catalogue, first: int, end: int, swapped: dict[str, str]) -> Split:
    """Some of the images, some of them with the bytes of others."""
    ids = whole.images["id"].to_pylist()[first:end]
    tables = {k: t.filter(pa.array([i in ids for i in t["id"].to_pylist()])) for k, t in whole.tables.items()}
    encoded = dict(zip(whole.images["id"].to_pylist(), whole.images["image"].to_pylist()))
    pictures = [{"id": name, "image": encoded[swapped.get(name, name)]} for name in ids]
    tables["images"] = pa.Table.from_pylist(pictures, schema=tables["images"].schema)
    return divide(Catalogue(whole.name, tables), 0.2, "planted")


@pytest.mark.parametrize("family", ["autoencoder", pytest.param("captioner", marks=pytest.mark.slow)])
def test_an_inductive_family_embeds_new_and_changed_images_by_the_parents_encoder(tmp_path: Path, family: str) -> None:
    case = planted_images() if family == "autoencoder" else planted_captions()
    whole = together(case.split)
    ids = whole.images["id"].to_pylist()
    layout = project(tmp_path, case.split, family, {**case.config, "epochs": 2})
    night(layout, part(whole, 0, 170, {}), "2026-01-01")
    before, encoder = spaces(layout), digests(layout)["encoder/encoder.safetensors"]
    told = night(layout, part(whole, 1, 172, {ids[50]: ids[51]}), "2026-01-02")
    after = spaces(layout)
    assert (told["built"], told["touched"]["image"], told["drift"]) == ("delta", 3, None)
    assert digests(layout)["encoder/encoder.safetensors"] == encoder
    assert list(after["image"].ids) == ids[1:172]
    assert unmoved(before["image"], after["image"]) == [name for name in ids[1:170] if name != ids[50]]
    one, other = (after["image"].vectors_ND[after["image"].rows[name]] for name in ids[50:52])
    np.testing.assert_allclose(one, other, atol=1e-5)
    warm = night(layout, part(whole, 6, 178, {ids[50]: ids[51]}), "2026-01-03")
    assert (warm["built"], warm["compatibility"]["class"]) == ("warm", "aligned")
