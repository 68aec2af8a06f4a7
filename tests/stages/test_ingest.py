"""ingest writes the same bytes for the same snapshot, in a canonical order, and names what stops it."""

import json
import os
import random
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.core.catalogue import read, read_table
from kindex.core.errors import ConfigError, DataGateError
from kindex.core.lock import read_lock
from kindex.core.quarantine import QUARANTINE, refused_path
from kindex.sources.locking import move
from tests.stages.catalogue_project import KEY, digests, night, params, project, run

TWO_STAGES = (
    f"from kindex.stages.parts.running import main\nraise SystemExit(main(['ingest', '{KEY}']) or main(['validate', '{KEY}']))"
)


def test_tables_are_in_canonical_order_with_their_counts(tmp_path):
    layout = project(tmp_path)
    lines = layout.root.joinpath("links.csv").read_text().splitlines()
    random.Random(1).shuffle(lines[1:])
    layout.root.joinpath("links.csv").write_text("\n".join([lines[0], *reversed(lines[1:]), "u1,,1", lines[1]]) + "\n")
    move(layout, params(layout), KEY)
    run(layout, "ingest")
    found = read(layout.out("ingest", KEY), KEY)
    pairs = list(zip(found.links["left"].to_pylist(), found.links["right"].to_pylist(), strict=True))
    assert pairs == sorted(pairs) and len(pairs) == 100
    keys = list(zip(found.items["kind"].to_pylist(), found.items["id"].to_pylist(), strict=True))
    assert keys == sorted(keys) and len(keys) == 31
    refused = read_table(layout.out("ingest", KEY) / "refused.parquet")
    assert refused.schema.equals(QUARANTINE) and refused["origin"].to_pylist() == ["links.csv:102"]
    about = json.loads((layout.out("ingest", KEY) / "ingest.json").read_text())
    assert about == {
        "source": "files",
        "lock_digest": read_lock(layout.lock(KEY)).digest,
        "rows": {"items": 31, "links": 100},
        "refused_rows": 1,
        "repeated_links": 1,
        "source_columns": {"links.csv": {"user": "text", "book": "text", "stars": "text"}},
    }


@pytest.mark.slow
def test_same_bytes_in_another_folder_and_with_another_hash_seed(tmp_path):
    outputs = []
    for number, seed in enumerate(("1", "2")):
        layout = project(tmp_path / f"place{number}" / ("deep" * number))
        move(layout, params(layout), KEY)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "KINDEX_ROOT": str(layout.root), "TZ": f"UTC-{number}"}
        subprocess.run([sys.executable, "-c", TWO_STAGES], env=environment, check=True)
        outputs.append(digests(layout.root / "data"))
    assert outputs[0] == outputs[1]
    assert {"ingest/books/links.parquet", "validate/books/quarantine.parquet"} < set(outputs[0])
    assert not [name for name, content in outputs[0].items() if str(tmp_path).encode() in content]


def test_a_moved_source_stops_with_the_cure(tmp_path):
    layout = project(tmp_path)
    night(layout)
    before = digests(layout.out("ingest", KEY))
    (tmp_path / "links.csv").write_text("user,book,stars\nu,b,1\n")
    with pytest.raises(DataGateError, match=r"links\.csv is not the file that is locked.*run `kindex lock books`"):
        run(layout, "ingest")
    assert digests(layout.out("ingest", KEY)) == before


def test_no_lock_yet(tmp_path):
    with pytest.raises(ConfigError, match="run `kindex lock books`"):
        run(project(tmp_path), "ingest")


def test_a_dropped_column_shows_the_difference(tmp_path):
    layout = project(tmp_path)
    night(layout)
    (tmp_path / "links.csv").write_text((tmp_path / "links.csv").read_text().replace("user,book,stars", "user,book,points"))
    move(layout, params(layout), KEY)
    with pytest.raises(DataGateError) as caught:
        run(layout, "ingest")
    said = str(caught.value)
    assert "no column 'stars'" in said and "Edit source.weight" in said
    assert "links.csv  points  absent    text" in said and "links.csv  stars   text      absent" in said


def test_an_emptied_column_shows_the_rule_and_the_difference(tmp_path):
    layout = project(tmp_path)
    night(layout)
    lines = (tmp_path / "links.csv").read_text().splitlines()
    (tmp_path / "links.csv").write_text("\n".join([lines[0], *(line[:-1] for line in lines[1:])]) + "\n")
    move(layout, params(layout), KEY)
    with pytest.raises(DataGateError) as caught:
        run(layout, "ingest")
    said = str(caught.value)
    assert "Most: weight is not a positive finite number: 100" in said and "links.csv  stars   text      null" in said


def test_a_column_of_another_type_shows_the_difference(tmp_path):
    layout = project(tmp_path)
    layout.params.write_text(layout.params.read_text().replace("links.csv", "links.parquet"))
    rows = {"user": [f"u{n}" for n in range(9)], "book": [f"b{n % 3}" for n in range(9)], "stars": [1.0] * 9}
    pq.write_table(pa.table(rows), tmp_path / "links.parquet")
    night(layout)
    pq.write_table(pa.table(rows | {"stars": ["one"] * 9}), tmp_path / "links.parquet")
    move(layout, params(layout), KEY)
    with pytest.raises(DataGateError) as caught:
        run(layout, "ingest")
    said = str(caught.value)
    assert "column 'stars' is string, allowed: numbers. Edit source.weight" in said
    assert "links.parquet  stars   double    string" in said


def test_a_source_of_refused_rows_only_keeps_them(tmp_path):
    layout = project(tmp_path)
    (tmp_path / "links.csv").write_text("user,book,stars\n,b,1\nu,,1\n")
    move(layout, params(layout), KEY)
    with pytest.raises(DataGateError, match=r"gave no .*2 rows were refused, see `kindex quarantine books`"):
        run(layout, "ingest")
    assert read_table(refused_path(layout, KEY)).num_rows == 2
