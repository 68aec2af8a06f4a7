import csv
import json
from pathlib import Path

import numpy as np
import pytest

from kindex.core.errors import DamagedError, DataGateError
from kindex.core.files import pretty_json
from kindex.core.lock import Lock, write_lock
from kindex.core.space import write_space
from kindex.core.split import write_split
from kindex.core.watch import Silent
from tests.stages.small_project import Layout, contents, linked_project, params, pictured_split, run


def test_links_report_plots_evidence_and_page(tmp_path: Path) -> None:
    layout = linked_project(tmp_path)
    lock = Lock("files", {"sha256": "0" * 64})
    write_lock(layout.lock("small"), lock)
    validation = layout.out("validate", "small") / "validation.json"
    validation.parent.mkdir(parents=True)
    validation.write_bytes(pretty_json({"refused_by_rule": {"links": {"unknown item": 3}}}))
    run("index", layout, params("pairs"))
    out, costs = run("evaluate", layout, params("pairs"))
    report = json.loads((out / "report.json").read_text())
    assert all(isinstance(value, int | float) and np.isfinite(value) for value in report.values())
    assert report["link_recall_at_10"] > report["popularity_link_recall_at_10"]
    assert report["index_recall_at_10"] == 1.0
    evidence = json.loads((out / "evidence.json").read_text())
    assert evidence["report"] == report
    assert evidence["headline"]["value"] == report["link_recall_at_10"]
    assert evidence["history"][1] == {"epoch": 2, "loss": 1.5, "validation": 0.25}
    assert evidence["quarantine"]["refused_by_rule"] == {"links": {"unknown item": 3}}
    assert evidence["lineage"]["lock"] == lock.digest and evidence["lineage"]["versions"]["numpy"] == np.__version__
    assert evidence["index_table"] == json.loads((layout.out("index", "small-model") / "table.json").read_text())
    with (out / "plots" / "headline.csv").open() as handle:
        compared = {row["series"]: float(row["value"]) for row in csv.DictReader(handle)}
    assert compared["pairs"] == report["link_recall_at_10"] and compared["SVD"] == report["svd_link_recall_at_10"]
    with (out / "plots" / "history.csv").open() as handle:
        assert [row["validation"] for row in csv.DictReader(handle)] == ["", "0.25"]
    page = (out / "report.html").read_text()
    assert "small-model" in page and "Link recall@10" in page
    assert sum(costs["part_seconds"].values()) > 0


def test_twice_the_same_bytes_wherever_the_project_is(tmp_path: Path) -> None:
    made = []
    for folder in ("here", "elsewhere/deep"):
        layout = linked_project(tmp_path / folder)
        run("index", layout, params("pairs"))
        out, _ = run("evaluate", layout, params("pairs"))
        made.append(contents(out))
        assert str(tmp_path).encode() not in b"".join(contents(out).values())
    assert made[0] == made[1]


def test_images_are_rebuilt_by_the_encoder(tmp_path: Path) -> None:
    from kindex.encoders import configure, family

    layout, of = Layout(tmp_path), params("autoencoder", dimensions=4, channels=4, epochs=3)
    split = pictured_split()
    write_split(layout.out("split", "small"), split)
    module, config = family(of.model("small-model"), "small-model"), configure(of.model("small-model"), "small-model")
    encoder = module.fit(split.train, config, rng=np.random.default_rng(3), watch=Silent())
    train = layout.out("train", "small-model")
    (train / "encoder").mkdir(parents=True)
    encoder.save(train / "encoder")
    spaces = [encoder.embed(side)["image"] for side in (split.train, split.heldout)]
    whole = type(spaces[0])(
        "image", spaces[0].ids + spaces[1].ids, np.concatenate([space.vectors_ND for space in spaces]), "cosine", "small"
    )
    write_space(train / "spaces" / "image.parquet", whole)
    run("index", layout, of)
    out, _ = run("evaluate", layout, of)
    report = json.loads((out / "report.json").read_text())
    from kindex.encoders.parts.images import decode

    error = ((decode(split.heldout.images) - encoder.reconstruct(split.heldout)) ** 2).mean()
    assert report["reconstruction_mse"] == pytest.approx(float(error), abs=1e-5)
    assert report["neighbour_agreement_at_10"] > report["neighbour_agreement_chance"] + 0.1
    evidence = json.loads((out / "evidence.json").read_text())
    assert evidence["map"]["items"][0]["image"].startswith("data:image/png;base64,")
    assert sorted(path.name for path in (out / "plots").iterdir()) == ["headline.csv", "history.csv", "index.csv"]


def test_no_vectors_and_damaged_history_are_said_in_words(tmp_path: Path) -> None:
    layout = linked_project(tmp_path)
    run("index", layout, params("pairs"))
    history = layout.out("train", "small-model") / "history.jsonl"
    history.write_text('{"epoch": 1}\n{"epoch"')
    with pytest.raises(DamagedError, match=r"history\.jsonl, line 2, is not JSON"):
        run("evaluate", layout, params("pairs"))
    for path in (layout.out("train", "small-model") / "spaces").glob("*.parquet"):
        path.unlink()
    with pytest.raises(DataGateError, match="no vectors"):
        run("evaluate", layout, params("pairs"), "-again")
