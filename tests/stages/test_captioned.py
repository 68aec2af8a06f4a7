"""A catalogue of captioned images from its folder to its split."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from kindex.core.catalogue import CAPTIONS as SCHEMA
from kindex.core.catalogue import Catalogue, read, read_table, write
from kindex.core.errors import DataGateError
from kindex.core.files import replacing
from kindex.core.layout import Layout
from kindex.core.params import load
from kindex.core.split import read_split
from kindex.core.watch import Silent
from kindex.sources.locking import move
from kindex.stages import ingest, split, validate
from kindex.stages.parts.job import Job
from tests.sources.captioned import folder, jpeg, put, tokens
from tests.stages.catalogue_project import digests

KEY = "photographs"
STAGES = {"ingest": ingest, "validate": validate, "split": split}
NAMES = [f"{number}.jpg" for number in range(12)]


def project(root: Path, **checks: float) -> Layout:
    folder(root, {**{name: jpeg(at) for at, name in enumerate(NAMES)}, "page.jpg": b"<html>", "spare.jpg": jpeg(1)})
    rows = [(name, place, f"{name} said {place}") for name in [*NAMES, "page.jpg", "spare.jpg"] for place in (1, 0)]
    rows[0] = (*rows[0][:2], "")
    rows[2:4] = [("1.jpg", 0, "  "), ("1.jpg", 1, "x" * 1001)]
    put(root, "captions.token", tokens(rows))
    put(root, "train.txt", "\n".join([*NAMES[:8], "page.jpg"]))
    put(root, "dev.txt", "\n".join(NAMES[8:]))
    source = {"kind": "captioned_images", "images": "pictures", "captions": "captions.token"}
    source |= {"train": "train.txt", "heldout": "dev.txt"}
    blocks = {
        "catalogues": {KEY: {"source": source, "checks": {"max_quarantine_share": 0.3, **checks}, "split": {}}},
        "models": {"m": {"catalogue": KEY, "family": "autoencoder"}},
        "indexes": {"m": {}},
        "gates": {"m": []},
        "evaluate": {},
    }
    put(root, "params.yaml", yaml.safe_dump(blocks))
    return Layout(root)


def run(layout: Layout, *stages: str) -> None:
    params = load(layout.params)
    move(layout, params, KEY)
    for stage in stages:
        with replacing(layout.out(stage, KEY), layout.work(stage, KEY)) as out:
            STAGES[stage].run(Job(layout, params, KEY, out, Silent()))


def test_captions_and_images_from_the_folder_to_their_sides(tmp_path):
    layout = project(tmp_path)
    run(layout, "ingest", "validate", "split")
    told = json.loads((layout.out("ingest", KEY) / "ingest.json").read_text())
    assert told["rows"] == {"items": 13, "images": 13, "captions": 26}
    assert (told["left_out_images"], told["left_out_captions"], told["images_without_captions"]) == (1, 2, 0)
    places = read(layout.out("ingest", KEY), KEY).captions.select(["id", "place"]).to_pylist()
    assert places == sorted(places, key=lambda row: (row["id"], row["place"]))
    told = json.loads((layout.out("validate", KEY) / "validation.json").read_text())
    assert told["refused_by_rule"]["captions"] == {
        "caption is blank": 1, "caption is empty or longer than 1000 characters": 2, "its image was refused": 2
    }  # fmt: skip
    assert told["refused_by_rule"]["images"] == {"image does not decode": 1} and told["images_without_captions"] == 1
    sides = read_split(layout.out("split", KEY), KEY)
    assert sorted(sides.train.images["id"].to_pylist()) == sorted(NAMES[:8])
    assert sorted(sides.heldout.items["id"].to_pylist()) == sorted(NAMES[8:])
    assert set(sides.train.captions["id"].to_pylist()) == set(NAMES[:8]) - {"1.jpg"}
    assert sides.heldout.captions.num_rows == 8 and sides.train.captions.schema.equals(SCHEMA)
    descriptions = dict(zip(*(sides.train.items[name].to_pylist() for name in ("id", "description")), strict=True))
    assert descriptions["0.jpg"] == "0.jpg said 0" and len(descriptions["1.jpg"]) == 200
    counts = json.loads((layout.out("split", KEY) / "split.json").read_text())
    assert counts["captions"] == {"train": 13, "heldout": 8}


def test_the_same_night_in_another_folder_gives_the_same_bytes(tmp_path):
    outputs = []
    for name in ("one", "two"):
        layout = project(tmp_path / name)
        run(layout, "ingest", "validate", "split")
        outputs.append(digests(layout.root / "data"))
    assert outputs[0] == outputs[1] and "split/photographs/heldout/captions.parquet" in outputs[0]


def test_too_many_refused_captions_stop_the_night(tmp_path):
    layout = project(tmp_path, max_quarantine_share=0.18)
    run(layout, "ingest")
    with pytest.raises(DataGateError, match=r"captions: 5 of 26 rows were refused \(19\.2%\)"):
        run(layout, "validate")


def test_columns_of_another_type_are_drift(tmp_path):
    layout = project(tmp_path)
    run(layout, "ingest")
    path = layout.out("ingest", KEY) / "captions.parquet"
    table = read_table(path)
    wide = table.set_column(1, "place", table["place"].cast(pa.int64()))
    tables = dict(read(layout.out("ingest", KEY), KEY).tables)
    write(layout.out("ingest", KEY), Catalogue(KEY, {**tables, "captions": wide}))
    with pytest.raises(DataGateError, match=r"captions  place   int32     int64"):
        run(layout, "validate")


def test_nothing_to_learn_from_is_named(tmp_path):
    layout = project(tmp_path)
    put(tmp_path, "captions.token", tokens([(name, 0, "x") for name in NAMES[8:]]))
    run(layout, "ingest", "validate")
    with pytest.raises(DataGateError, match="has no captions left to train on: all 4 rows are held out"):
        run(layout, "split")


def test_a_table_in_order_is_not_copied(tmp_path):
    ids = pa.array(["a", "a", "b", "b"])
    table = pa.table([ids, pa.array([0, 2, 0, 10], pa.int32()), ["w", "x", "y", "z"]], schema=SCHEMA)
    assert ingest.canonical("captions", table) is table
    mixed = table.take(pa.array([3, 1, 2, 0]))
    assert ingest.canonical("captions", mixed).equals(table)
