"""validate keeps what passed and all that did not, and stops the night at its stated limits."""

import json

import pyarrow as pa
import pytest

from kindex.core.catalogue import read, read_table, write_table
from kindex.core.errors import DataGateError
from kindex.core.quarantine import QUARANTINE, refused_path
from kindex.sources.locking import move
from tests.stages.catalogue_project import KEY, digests, links_csv, night, params, project, run


def test_good_rows_pass_and_bad_ones_are_kept_with_their_origins(tmp_path):
    layout = project(tmp_path, max_text_characters=10)
    (tmp_path / "links.csv").write_text(links_csv() + "u1,,1\n" + "u1," + "x" * 11 + ",1\n")
    night(layout)
    out = layout.out("validate", KEY)
    validation = json.loads((out / "validation.json").read_text())
    assert validation["rows"]["links"] == {"in": 102, "passed": 100, "refused": 2, "refused_share": 0.019608}
    assert validation["refused_by_rule"] == {
        "items": {"id is empty or longer than 10 characters": 1},
        "links": {
            "right is empty or longer than 10 characters": 1,
            "right is an item that was refused": 1,
            "right is missing": 1,
        },
    }
    assert validation["verdict"] == "passed" and len(validation["examples"]) == 4
    quarantine = read_table(out / "quarantine.parquet")
    assert quarantine.schema.equals(QUARANTINE)
    origins = dict(zip(quarantine["rule"].to_pylist(), quarantine["origin"].to_pylist(), strict=True))
    assert origins["right is missing"] == "links.csv:102"
    assert origins["right is an item that was refused"] == f"files {validation['lock_digest'][:12]}"
    assert read(out, KEY).links.num_rows == 100


def test_too_many_bad_rows_stop_the_night_and_can_be_looked_at(tmp_path):
    layout = project(tmp_path, max_quarantine_share=0.01)
    night(layout)
    former = digests(layout.out("validate", KEY))
    (tmp_path / "links.csv").write_text(links_csv() + "u1,,1\nu2,,1\nu3,b1,x\n")
    with pytest.raises(DataGateError) as caught:
        night(layout)
    said = str(caught.value)
    assert caught.value.exit_code == 3
    assert "links: 3 of 103 rows were refused (2.9%)" in said and "max_quarantine_share allows 1.0%" in said
    assert "Most: right is missing: 2; stars is not a number: 1" in said and "`kindex quarantine books`" in said
    assert read_table(refused_path(layout, KEY))["origin"].to_pylist() == [f"links.csv:{line}" for line in (102, 103, 104)]
    assert "3 of 103" in layout.data_docs(KEY).read_text()
    assert digests(layout.out("validate", KEY)) == former
    (tmp_path / "links.csv").write_text(links_csv())
    night(layout)
    assert not refused_path(layout, KEY).exists()


def test_a_volume_out_of_bounds_stops_the_night_until_it_is_accepted(tmp_path):
    layout = project(tmp_path)
    night(layout)
    (tmp_path / "links.csv").write_text(links_csv(users=60))
    with pytest.raises(DataGateError, match=r"(?s)links: 300 rows came in and 100 passed last time.*--accept"):
        night(layout)
    with pytest.raises(DataGateError, match="300 rows"):
        night(layout)  # trying again does not accept it
    night(layout, accept=True)
    assert read(layout.out("validate", KEY), KEY).links.num_rows == 300


@pytest.mark.parametrize(
    ("header", "difference"),
    [
        ("user,book,stars,more", "links.csv  more    absent    text"),
        ("user,stars,book", None),
    ],
)
def test_drift_of_the_source_stops_the_night(tmp_path, header, difference):
    layout = project(tmp_path)
    night(layout)
    rows = [dict(zip(("user", "book", "stars"), line.split(","), strict=True)) for line in links_csv().splitlines()[1:]]
    lines = [",".join(row.get(name, "x") for name in header.split(",")) for row in rows]
    (tmp_path / "links.csv").write_text("\n".join([header, *lines]) + "\n")
    if difference is None:
        night(layout)
        return
    with pytest.raises(DataGateError) as caught:
        night(layout)
    assert difference in str(caught.value) and "table      column  expected  found" in str(caught.value)
    night(layout, accept=True)


def test_a_table_of_another_type_stops_the_night(tmp_path):
    layout = project(tmp_path)
    move(layout, params(layout), KEY)
    run(layout, "ingest")
    path = layout.out("ingest", KEY) / "links.parquet"
    table = read_table(path)
    write_table(path, table.set_column(4, "weight", table["weight"].cast(pa.float64())))
    with pytest.raises(DataGateError, match=r"links  weight  float     double"):
        run(layout, "validate")


def test_the_same_night_twice_gives_the_same_bytes(tmp_path):
    layout = project(tmp_path)
    assert night(layout)
    first = digests(layout.root / "data")
    assert not night(layout)
    assert digests(layout.root / "data") == first
