"""The stage: a validated catalogue in, two sides and their counts out."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from kindex.core.catalogue import Catalogue, write
from kindex.core.errors import DataGateError
from kindex.core.layout import Layout
from kindex.core.params import load
from kindex.core.split import read_split
from kindex.core.watch import Silent
from kindex.stages import split
from kindex.stages.parts.job import Job
from tests.core.test_split import all_pairs, image_catalogue, link_catalogue


def run(root: Path, catalogue: Catalogue, **settings: object) -> tuple[Path, dict]:
    blocks = {
        "catalogues": {"c": {"source": {"kind": "files"}, "checks": {}, "split": {"heldout_share": 0.2, **settings}}},
        "models": {"m": {"catalogue": "c", "family": "pairs"}},
        "indexes": {"m": {}},
        "gates": {"m": []},
        "evaluate": {},
    }
    root.mkdir(parents=True)
    (root / "params.yaml").write_text(yaml.safe_dump(blocks))
    layout = Layout(root)
    write(layout.out("validate", "c"), catalogue)
    out = root / "out"
    return out, split.run(Job(layout, load(layout.params), "c", out, Silent()))


def test_links_are_divided_and_counted(tmp_path: Path) -> None:
    pairs = all_pairs()
    out, costs = run(tmp_path / "p", link_catalogue(pairs))
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == [
        "heldout/items.parquet",
        "heldout/links.parquet",
        "split.json",
        "train/items.parquet",
        "train/links.parquet",
    ]
    counts = json.loads((out / "split.json").read_text())
    sides = read_split(out, "c")
    assert counts["links"] == {"train": sides.train.links.num_rows, "heldout": sides.heldout.links.num_rows}
    assert sum(counts["links"].values()) == len(pairs) == costs["links_rows"]
    assert 0.1 < counts["links"]["heldout"] / len(pairs) < 0.25


def test_images_are_counted_by_class_and_the_bytes_are_stable(tmp_path: Path) -> None:
    catalogue = image_catalogue({f"i{n}": str(n % 2) for n in range(60)})
    first, _ = run(tmp_path / "a", catalogue)
    second, _ = run(tmp_path / "b", catalogue)
    classes = json.loads((first / "split.json").read_text())["classes"]
    assert {label: classes["train"][label] + classes["heldout"][label] for label in ("0", "1")} == {"0": 30, "1": 30}
    for path in first.rglob("*.*"):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()


def test_the_salt_is_another_division(tmp_path: Path) -> None:
    first, _ = run(tmp_path / "a", link_catalogue(all_pairs()))
    second, _ = run(tmp_path / "b", link_catalogue(all_pairs()), salt="other")
    assert (first / "heldout" / "links.parquet").read_bytes() != (second / "heldout" / "links.parquet").read_bytes()


def test_nothing_to_train_on_is_an_error(tmp_path: Path) -> None:
    catalogue = link_catalogue([("a", "b")])
    links = catalogue.links.append_column("heldout", pa.array([True]))
    with pytest.raises(DataGateError, match="catalogue c has no links left to train on: all 1 rows are held out"):
        run(tmp_path / "p", Catalogue("c", {**catalogue.tables, "links": links}))


def test_the_newest_links_are_held_out_by_time_and_keep_their_dates(tmp_path: Path) -> None:
    catalogue = link_catalogue(all_pairs())
    times = list(range(1000, 1000 + catalogue.links.num_rows))
    dated = catalogue.links.append_column("time", pa.array(times, pa.int64()))
    out, _ = run(tmp_path / "p", Catalogue("c", {**catalogue.tables, "links": dated}), by="time")
    sides = read_split(out, "c")
    heldout, train = sides.heldout.links["time"].to_pylist(), sides.train.links["time"].to_pylist()
    assert heldout and sorted(heldout + train) == times and min(heldout) >= times[int(len(times) * 0.8)]
    known = {*sides.train.links["left"].to_pylist()}
    assert known >= {*sides.heldout.links["left"].to_pylist()}
