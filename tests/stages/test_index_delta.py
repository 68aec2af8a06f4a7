"""The stage index on a delta night: the parent release's index, changed; with everything checked before it is believed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kindex.core.errors import DamagedError
from kindex.core.parent import Parent, write_parent
from kindex.core.space import Space
from kindex.index.build import build
from kindex.index.index import load
from kindex.index.places import read_places
from tests.index.nights import Nights
from tests.stages.delta_project import MODEL, DeltaProject
from tests.stages.small_project import contents, params


def project(root: Path, kind: str = "IVF16,Flat", **settings: object) -> DeltaProject:
    of = params("pairs", kind)
    chosen = replace(of.indexes[MODEL], sample=100, **settings)  # type: ignore[arg-type]
    return DeltaProject(root, replace(of, indexes={MODEL: chosen}))


def about(made: DeltaProject, kind: str = "thing") -> dict:
    return json.loads((made.out / f"{kind}.json").read_text())


def test_a_delta_night_changes_the_parents_index_and_says_so(tmp_path, capsys):
    made, nights = project(tmp_path), Nights.of()
    made.night(nights.space)
    assert "update" not in about(made)
    made.night(nights.next())
    told = about(made)
    assert told["update"] | {"past": None} == {
        "how": "updated",
        "why": "",
        "added": 6,
        "replaced": 6,
        "removed": 6,
        "tombstones": 0,
        "past": None,
    }
    assert told["update"]["past"] | {"index_recall_at_10": 0} == {
        "budget_excess": None,
        "changed": 12,
        "index_recall_at_10": 0,
        "nights": 1,
    }
    rows = json.loads((made.out / "table.json").read_text())
    assert [(row["factory"], row.get("update")) for row in rows] == [("Flat", None), ("IVF16,Flat", "updated")]
    found = load(made.out / "thing.faiss", told)
    assert found.count == len(nights.space.ids)
    _, rows_QK = found.search(nights.space.vectors_ND, 1)
    assert (rows_QK[:, 0] == np.arange(400)).mean() > 0.95
    assert capsys.readouterr().err == ""


def test_a_graph_has_places_which_the_release_holds_and_the_next_night_reads(tmp_path):
    made, nights = project(tmp_path, "HNSW16"), Nights.of()
    made.night(nights.space)
    assert not (made.out / "places").exists()
    manifest = made.night(nights.next())
    assert "index/places/thing.parquet" in manifest.files
    told = about(made)
    assert (told["count"], told["positions"], told["update"]["how"], told["update"]["tombstones"]) == (400, 412, "marked", 12)
    made.night(nights.next())
    assert about(made)["positions"] == 424 and about(made)["update"]["past"]["nights"] == 2
    assert read_places(made.out / "places" / "thing.parquet").tombstones == 24
    for _ in range(2):
        made.night(nights.next())
    told = about(made)
    assert told["update"]["how"] == "built" and "tombstones" in told["update"]["why"] and "positions" not in told
    assert not (made.out / "places").exists()


def test_a_compaction_is_printed_and_stands_in_the_table(tmp_path, capsys):
    made, nights = project(tmp_path, "HNSW16"), Nights.of()
    made.night(nights.space)
    made.night(nights.next(0, 0, 50))
    why = "built anew: 50 of 400 positions would be tombstones, allowed: 10%"
    assert capsys.readouterr().err == f"indexes.small-model: the index of thing was {why}\n"
    rows = json.loads((made.out / "table.json").read_text())
    assert [row["update"] for row in rows if row["chosen"]] == [why.replace("built anew", "built")]


@pytest.mark.parametrize("kind", ["IVF16,Flat", "HNSW16"])
def test_a_kind_that_did_not_change_is_the_parents_byte_for_byte(tmp_path, kind):
    made, nights = project(tmp_path, kind), Nights.of()
    other = Space("other", nights.space.ids, nights.space.vectors_ND * 2)
    made.night(nights.space, other)
    made.night(nights.next(), other)
    before = contents(made.out)
    rows = json.loads(before["table.json"])
    made.night(nights.next(), other)
    after = contents(made.out)
    assert after["other.faiss"] == before["other.faiss"] and after["thing.faiss"] != before["thing.faiss"]
    assert about(made, "other")["update"]["how"] == "copied"
    assert [row for row in json.loads(after["table.json"]) if row["kind"] == "other"] == [
        row for row in rows if row["kind"] == "other"
    ]


@pytest.mark.parametrize("kind", ["HNSW16", "IVF16,PQ12x4fs,RFlat"])
def test_the_stage_run_again_gives_the_same_bytes(tmp_path, kind):
    made, nights = project(tmp_path, kind), Nights.of()
    made.night(nights.space)
    made.night(nights.next())
    made.train(nights.next())
    made.index()
    first = contents(made.out)
    made.index()
    assert contents(made.out) == first


@pytest.mark.parametrize("built", ["full", "warm"])
def test_another_version_of_the_model_gets_an_index_of_its_own(tmp_path, built):
    """Even when its vectors happen to be equal: the bytes are those of a model without a parent."""
    made, nights = project(tmp_path), Nights.of()
    made.night(nights.space)
    space = nights.next()
    made.night(space, built=built)
    assert "update" not in about(made)
    build(space, made.of.indexes[MODEL]).save(tmp_path / "alone.faiss")
    assert (made.out / "thing.faiss").read_bytes() == (tmp_path / "alone.faiss").read_bytes()


def test_other_settings_build_anew_and_say_which(tmp_path, capsys):
    made, nights = project(tmp_path), Nights.of()
    made.night(nights.space)
    changed = replace(made.of.indexes[MODEL], index_recall_at_10=0.9)
    made.of = replace(made.of, indexes={MODEL: changed})
    made.night(nights.next())
    assert "update" not in about(made)
    assert "index_recall_at_10 was 0.95 and is 0.9\n" in capsys.readouterr().err


def test_how_neighbours_are_ranked_is_no_matter_of_the_index(tmp_path):
    made, nights = project(tmp_path), Nights.of()
    made.night(nights.space)
    corrected = replace(made.of.indexes[MODEL], neighbours="local_scaling")
    made.of = replace(made.of, indexes={MODEL: corrected})
    made.night(nights.next())
    assert about(made)["update"]["how"] == "updated" and (made.out / "offsets" / "thing.parquet").is_file()


def test_a_kind_that_the_parent_does_not_have_is_built(tmp_path):
    made, nights = project(tmp_path), Nights.of()
    made.night(nights.space)
    made.night(nights.next(), Space("other", nights.space.ids, nights.space.vectors_ND))
    assert "update" in about(made) and "update" not in about(made, "other")


@pytest.mark.parametrize(
    "name", ["index/thing.faiss", "index/thing.json", "index/places/thing.parquet", "vectors/thing.parquet"]
)
def test_a_damaged_file_of_the_parent_is_named_and_never_used(tmp_path, name):
    made, nights = project(tmp_path, "HNSW16"), Nights.of()
    made.night(nights.space)
    manifest = made.night(nights.next())
    path = made.layout.releases(MODEL) / manifest.version / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    made.train(nights.next())
    before = contents(made.out)
    with pytest.raises(DamagedError, match=rf"{name}.* is damaged"):
        made.index()
    assert contents(made.out) == before


def test_a_parent_that_is_not_here_is_an_error_that_names_the_cures(tmp_path):
    made, nights = project(tmp_path), Nights.of()
    manifest = made.night(nights.space)
    made.train(nights.next())
    shutil.move(made.layout.releases(MODEL) / manifest.version, tmp_path / "elsewhere")
    with pytest.raises(DamagedError, match=r"v0001.*git tag -l.*full build"):
        made.index()


def test_train_outputs_of_another_parent_than_the_lock_says_are_refused(tmp_path):
    made, nights = project(tmp_path), Nights.of()
    made.night(nights.space)
    made.night(nights.next())
    made.train(nights.next())
    first = json.loads((made.layout.releases(MODEL) / "v0001" / "manifest.json").read_text())
    write_parent(made.layout.parent(MODEL), Parent("v0001", first["digest"], "2026-11-20"))
    with pytest.raises(DamagedError, match=r"is of the parent v0002 .*names v0001.*dvc repro train@small-model"):
        made.index()
    write_parent(made.layout.parent(MODEL), None)
    with pytest.raises(DamagedError, match="names none"):
        made.index()


def test_a_budget_stays_with_its_kind(tmp_path):
    made, nights = project(tmp_path, "budget", bytes_per_vector=90.0), Nights.of(520)
    made.night(nights.space)
    factory = about(made)["factory"]
    for _ in range(3):
        made.night(nights.next())
        assert about(made)["factory"] == factory and about(made)["budget_excess"] == 0
        assert about(made)["update"]["how"] != "built"
