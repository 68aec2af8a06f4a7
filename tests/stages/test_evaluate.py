import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from kindex.core.blocks import build
from kindex.core.errors import ConfigError, DamagedError, DataGateError
from kindex.core.files import pretty_json
from kindex.core.lock import Lock, write_lock
from kindex.core.params import EvaluateParams, IndexParams
from kindex.core.space import Space, read_space, write_space
from kindex.core.split import write_split
from kindex.core.watch import Silent
from kindex.preflight import check_blocks
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


@dataclass(frozen=True, kw_only=True)
class Config:
    dimensions: int = 50
    seed: int = 7
    threads: int = 1


class Rival:
    """Stands for a family whose default settings place items as a given space does."""

    Config = Config

    def __init__(self, spaces: dict[str, Space]) -> None:
        self.spaces = spaces
        self.seen: list[object] = []

    def rivals(self, config: Config) -> dict[str, Config]:
        return {} if config.dimensions == 50 else {"default": replace(config, dimensions=50, seed=99, threads=1)}

    def fit(self, train: object, config: Config, *, rng: np.random.Generator, watch: object) -> "Rival":
        self.seen.append((config, rng.random()))
        return self

    def embed(self, catalogue: object) -> dict[str, Space]:
        return self.spaces


def test_the_default_settings_are_one_more_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = linked_project(tmp_path)
    spaces = [read_space(path) for path in (layout.out("train", "small-model") / "spaces").glob("*.parquet")]
    rng = np.random.default_rng(0)
    weak = {s.kind: replace(s, vectors_ND=rng.normal(size=s.vectors_ND.shape).astype(np.float32)) for s in spaces}
    stub = Rival(weak)
    monkeypatch.setattr("kindex.encoders.family", lambda params, model: stub)
    run("index", layout, params("pairs"))
    out, _ = run("evaluate", layout, params("pairs", dimensions=12))
    report = json.loads((out / "report.json").read_text())
    evidence = json.loads((out / "evidence.json").read_text())
    assert report["default_link_recall_at_10"] < report["link_recall_at_10"] - 0.2
    assert evidence["headline"]["baselines"]["default settings"] == report["default_link_recall_at_10"]
    assert "default settings" in {point["series"] for point in evidence["recall_curve"]}
    assert "default settings" in (out / "plots" / "headline.csv").read_text()
    assert "ahead of the family&#39;s default settings" in (out / "report.html").read_text()
    drawn = np.random.Generator(np.random.PCG64(3)).random()
    assert stub.seen == [(Config(dimensions=50, seed=3, threads=1), drawn)], "the model's own seed and threads"
    out, _ = run("evaluate", layout, params("pairs", dimensions=50), "-default")
    assert "default_link_recall_at_10" not in json.loads((out / "report.json").read_text()) and len(stub.seen) == 1


def test_golden_items_and_the_served_neighbours_come_from_the_settings_and_the_index(tmp_path: Path) -> None:
    layout = linked_project(tmp_path)
    of = params("pairs")
    corrected = replace(of.indexes["small-model"], neighbours="inverted_softmax")
    golden = {"small-model": ("b007", "b999"), "another": ("b001",)}
    of = replace(of, indexes={"small-model": corrected}, evaluate=replace(of.evaluate, golden=golden))
    run("index", layout, of)
    out, _ = run("evaluate", layout, of)
    evidence = json.loads((out / "evidence.json").read_text())
    assert [one["id"] for one in evidence["examples"] if one.get("golden")] == ["b007"]
    assert evidence["golden_unknown"] == ["b999"]
    assert [row["neighbours"] for row in evidence["corrected"] if row["served"]] == ["inverted_softmax"]
    assert "b999" in (out / "report.html").read_text()


def test_a_golden_list_of_no_model_or_of_no_list_is_refused_before_the_night() -> None:
    of = params("pairs")
    with pytest.raises(ConfigError, match=r"evaluate\.golden\.small-modl names no model: did you mean small-model"):
        check_blocks(replace(of, evaluate=replace(of.evaluate, golden={"small-modl": ("a",)})))
    with pytest.raises(ConfigError, match=r"evaluate\.golden\.m"):
        build(EvaluateParams, {"golden": {"m": "a"}}, "evaluate")
    assert build(EvaluateParams, {"golden": {"m": ["a", "b"]}}, "evaluate").golden == {"m": ("a", "b")}
    with pytest.raises(ConfigError, match=r"indexes\.m\.neighbours is 'csls': allowed: 'cosine', 'local_scaling'"):
        build(IndexParams, {"neighbours": "csls"}, "indexes.m")
