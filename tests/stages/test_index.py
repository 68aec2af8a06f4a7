import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kindex.core import aside
from kindex.core.errors import DataGateError
from kindex.core.layout import Layout
from kindex.core.space import read_space, write_space
from kindex.index.index import load
from kindex.stages import index
from tests.stages.small_project import contents, linked_project, params, run, space_of


def test_an_index_for_each_space_with_what_a_reader_checks(tmp_path: Path) -> None:
    layout = linked_project(tmp_path)
    out, costs = run("index", layout, params("pairs"))
    assert sorted(contents(out)) == ["book.faiss", "book.json", "reader.faiss", "reader.json", "table.json"]
    for kind, count in (("book", 60), ("reader", 90)):
        about = json.loads((out / f"{kind}.json").read_text())
        assert about == {
            "kind": kind,
            "metric": "cosine",
            "dimensions": 12,
            "count": count,
            "factory": "Flat",
            "setting": "exact",
            "index_recall_at_10": 1.0,
            "bytes_per_vector": about["bytes_per_vector"],
        }
        assert about["bytes_per_vector"] == pytest.approx(48, abs=1)
        space = read_space(layout.out("train", "small-model") / "spaces" / f"{kind}.parquet")
        _, rows_QK = load(out / f"{kind}.faiss", about).search(space.vectors_ND * 7, 3)
        assert rows_QK[:, 0].tolist() == list(range(count))
    assert costs["queries_per_second"]["reader"]["Flat exact"] > 0


def test_the_table_has_every_setting_tried_and_no_time(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_space(layout.out("train", "small-model") / "spaces" / "thing.parquet", space_of(600))
    out, costs = run("index", layout, params("pairs", "IVF16,Flat"))
    table = json.loads((out / "table.json").read_text())
    assert [row["setting"] for row in table][:3] == ["exact", "nprobe=1", "nprobe=2"]
    assert [row["chosen"] for row in table] == [False] * (len(table) - 1) + [True]
    decided = {"index_recall_at_10", "bytes_per_vector", "score_error", "predicted_p95_us", "frontier", "chosen"}
    assert set(table[0]) == {"kind", "factory", "setting"} | decided
    assert [row["factory"] for row in table[:2]] == ["Flat", "IVF16,Flat"]
    assert list(costs["queries_per_second"]["thing"]) == [f"{row['factory']} {row['setting']}" for row in table]
    again, _ = run("index", layout, params("pairs", "IVF16,Flat"), "-again")
    assert contents(out) == contents(again)


def test_no_space_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataGateError, match="holds no space: train small-model placed no item"):
        run("index", Layout(tmp_path), params("pairs"))
    write_space(tmp_path / "data/train/small-model/spaces/thing.parquet", space_of(5))
    empty = space_of(5)
    object.__setattr__(empty, "ids", ())
    object.__setattr__(empty, "vectors_ND", np.empty((0, 16), np.float32))
    write_space(tmp_path / "data/train/small-model/spaces/thing.parquet", empty)
    with pytest.raises(DataGateError, match="'thing' has no vectors"):
        run("index", Layout(tmp_path), params("pairs"), "-again")


@pytest.mark.parametrize("kind", ["auto", "IVF16,Flat", "HNSW16"])
def test_kinds_side_by_side_and_one_after_the_other_are_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    layout = Layout(tmp_path)
    for name, count in (("book", 500), ("reader", 700)):
        space = replace(space_of(count), kind=name)
        write_space(layout.out("train", "small-model") / "spaces" / f"{name}.parquet", space)
    found = []
    for cores, at_once in ((1, index.AT_ONCE), (2, index.AT_ONCE), (2, 0)):
        monkeypatch.setattr(aside, "cores", lambda cores=cores: cores)
        monkeypatch.setattr(index, "AT_ONCE", at_once)
        out, costs = run("index", layout, params("pairs", kind), f"-{cores}-{at_once}")
        found.append((contents(out), list(costs["build_seconds"]), {k: list(v) for k, v in costs["measured"].items()}))
    assert found[0] == found[1] == found[2]
    assert found[0][1] == ["book", "reader"]
