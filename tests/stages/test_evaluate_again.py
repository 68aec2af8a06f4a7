"""Evaluation that starts from the parent release: cheap on a delta night, on a map that looks like yesterday's."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from kindex.core.errors import DamagedError
from kindex.core.files import pretty_json
from kindex.core.layout import Layout
from kindex.core.parent import Parent, read_parent, write_parent
from kindex.core.publish import build
from kindex.core.space import Space, read_space, write_space
from kindex.core.split import write_split
from tests.stages.small_project import contents, linked_project, params, pictured_split, run

OF = params("pairs")


def parent(layout: Layout) -> Path:
    """Make the outputs that are there the parent release, and clear evaluate for the next night. The index may stay."""
    evaluate, train = layout.out("evaluate", "small-model"), layout.out("train", "small-model")
    files = {name: evaluate / name for name in ("report.json", "evidence.json", "queries.parquet")}
    files |= {f"vectors/{path.name}": path for path in (train / "spaces").glob("*.parquet")}
    manifest, _ = build(layout.releases("small-model"), "small-model", files, {}, {})
    write_parent(layout.parent("small-model"), Parent(manifest.version, manifest.digest, "2026-11-20"))
    shutil.rmtree(evaluate)
    return layout.releases("small-model") / manifest.version


def change(layout: Layout, share: float, built: str) -> None:
    """Move a share of the vectors, as train of another night would have."""
    train = layout.out("train", "small-model")
    rng = np.random.default_rng(4)
    for path in (train / "spaces").glob("*.parquet"):
        space = read_space(path)
        vectors_ND = space.vectors_ND.copy()
        rows = rng.choice(len(vectors_ND), max(1, int(share * len(vectors_ND))), replace=False)
        vectors_ND[rows] += 3 * rng.normal(size=vectors_ND[rows].shape).astype(np.float32)
        write_space(path, Space(space.kind, space.ids, vectors_ND, space.metric, space.frame))
    lock = read_parent(layout.parent("small-model"))
    told = {"built": built, "parent": {"version": lock.version, "digest": lock.digest}}
    (train / "refresh.json").write_bytes(pretty_json(told))


def evaluated(layout: Layout) -> tuple[dict, dict, Path]:
    out, _ = run("evaluate", layout, OF)
    return json.loads((out / "report.json").read_text()), json.loads((out / "evidence.json").read_text()), out


def places(evidence: dict) -> dict[str, list[float]]:
    return {item["id"]: item["tsne"] for item in evidence["map"]["items"]}


@pytest.fixture
def nights(tmp_path):
    layout = linked_project(tmp_path)
    run("index", layout, OF)
    report, evidence, _ = evaluated(layout)
    parent(layout)
    return layout, report, evidence


def test_a_delta_night_measures_the_model_and_carries_the_baselines(nights):
    layout, former, _ = nights
    change(layout, 0.05, "delta")
    report, evidence, out = evaluated(layout)
    assert report.keys() == former.keys(), "a threshold on any number still finds it"
    carried = evidence["carried"]
    assert carried["from"] == "v0001"
    assert all(report[name] == former[name] for name in carried["names"])
    assert {"svd_link_recall_at_10", "baseline_links", "linear_probe_accuracy", "kmeans_nmi"} <= set(carried["names"])
    measured = {"link_recall_at_10", "mrr", "neighbour_agreement_at_10", "hubness", "index_recall_at_10", "vectors_nan"}
    assert not measured & set(carried["names"])
    assert report["link_recall_at_10"] != former["link_recall_at_10"]
    page = (out / "report.html").read_text()
    assert f"so {len(carried['names'])} numbers" in page and "It goes on from that of v0001" in page
    metrics = set(pq.read_table(out / "queries.parquet")["metric"].to_pylist())
    assert {"link_recall_at_10", "linear_probe_accuracy", "asked"} <= metrics


def test_a_second_delta_night_says_who_measured(nights):
    layout, *_ = nights
    change(layout, 0.05, "delta")
    evaluated(layout)
    parent(layout)
    change(layout, 0.05, "delta")
    _, evidence, _ = evaluated(layout)
    assert evidence["carried"]["from"] == "v0001"
    assert evidence["map"]["before"]["version"] == "v0002"


def test_items_stay_where_they_were_on_the_map(nights):
    layout, _, was = nights
    change(layout, 0.05, "delta")
    _, evidence, _ = evaluated(layout)
    before, after = places(was), places(evidence)
    shared = before.keys() & after.keys()
    still = sum(before[name] == after[name] for name in shared)
    assert still >= 0.9 * len(shared) and still < len(shared), "but for those whose vectors moved"
    assert evidence["map"]["before"] == {"version": "v0001", "shared": len(shared), "new": 0, "moved": 0.0}


def test_a_model_trained_anew_is_measured_in_full_on_a_map_that_goes_on(nights):
    layout, former, _ = nights
    change(layout, 1.0, "warm")
    report, evidence, _ = evaluated(layout)
    assert "carried" not in evidence
    assert report["svd_link_recall_at_10"] == former["svd_link_recall_at_10"], "the data are the same"
    assert report["linear_probe_accuracy"] != former["linear_probe_accuracy"]
    assert evidence["map"]["before"]["version"] == "v0001"


def test_the_same_inputs_give_the_same_bytes(nights):
    layout, *_ = nights
    change(layout, 0.05, "delta")
    made = []
    for _ in range(2):
        _, _, out = evaluated(layout)
        made.append(contents(out))
        shutil.rmtree(out)
    assert made[0] == made[1]


def test_a_parent_of_an_earlier_kindex_is_enough_to_go_on_from(nights):
    layout, former, _ = nights
    release = layout.releases("small-model") / "v0001"
    files = {name: release / name for name in ("report.json", "evidence.json")}
    manifest, _ = build(layout.releases("small-model"), "small-model", files, {}, {})
    write_parent(layout.parent("small-model"), Parent(manifest.version, manifest.digest, "2026-11-20"))
    change(layout, 0.05, "warm")
    report, _, _ = evaluated(layout)
    assert report.keys() == former.keys()


def test_a_missing_or_damaged_parent_is_named_with_its_cure(nights):
    layout, *_ = nights
    evidence = layout.releases("small-model") / "v0001" / "evidence.json"
    evidence.write_text("{}")
    with pytest.raises(DamagedError, match=r"v0001/evidence\.json is damaged"):
        run("evaluate", layout, OF)
    shutil.rmtree(evidence.parent)
    with pytest.raises(DamagedError, match=r"locks/parents/small-model\.json names v0001"):
        run("evaluate", layout, OF, "-again")


def test_a_delta_night_of_images_needs_no_encoder(tmp_path):
    layout, of = Layout(tmp_path), params("autoencoder", dimensions=4)
    split = pictured_split()
    write_split(layout.out("split", "small"), split)
    ids = (*split.train.images["id"].to_pylist(), *split.heldout.images["id"].to_pylist())
    vectors_ND = np.random.default_rng(0).normal(size=(len(ids), 4)).astype(np.float32)
    train = layout.out("train", "small-model")
    write_space(train / "spaces" / "image.parquet", Space("image", ids, vectors_ND, "cosine", "small"))
    (train / "history.jsonl").write_text("")
    former = {"reconstruction_mse": 0.02, "pca_reconstruction_mse": 0.03, "linear_probe_accuracy": 0.9, "vectors_nan": 1.0}
    files = {"report.json": pretty_json(former), "evidence.json": pretty_json({}), "vectors/a": b""}
    manifest, _ = build(layout.releases("small-model"), "small-model", files, {}, {})
    write_parent(layout.parent("small-model"), Parent(manifest.version, manifest.digest, "2026-11-20"))
    run("index", layout, of)
    parent = {"version": manifest.version, "digest": manifest.digest}
    (train / "refresh.json").write_bytes(pretty_json({"built": "delta", "parent": parent}))
    assert not (train / "encoder" / "encoder.safetensors").exists()
    out, _ = run("evaluate", layout, of)
    report = json.loads((out / "report.json").read_text())
    assert (report["reconstruction_mse"], report["pca_reconstruction_mse"], report["vectors_nan"]) == (0.02, 0.03, 0.0)
    assert "neighbour_agreement_at_10" in report and "raw_neighbour_agreement_at_10" in report, "the parent had no raw input"
