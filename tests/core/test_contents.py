"""What goes into a release: the same content from the same outputs anywhere, and nothing of the machine in it."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.core.catalogue import LINKS, write_table
from kindex.core.contents import contents
from kindex.core.errors import DamagedError
from kindex.core.files import pretty_json, write_atomic
from kindex.core.params import load
from kindex.core.release import verify
from tests.ask.project import WORDS, make_stages, release


@pytest.fixture
def layout(tmp_path):
    return make_stages(tmp_path / "here")


def gathered(layout):
    return contents(layout, load(layout.params), "words-pairs")


def test_content_is_what_a_reader_needs_and_notes_are_of_the_machine(layout):
    write_atomic(layout.costs("train", "words-pairs"), pretty_json({"seconds": 1.5}))
    files, notes = gathered(layout)
    assert sorted(files) == [
        "encoder/config.json",
        "encoder/encoder.json",
        "evidence.json",
        "history.jsonl",
        "index/book.faiss",
        "index/book.json",
        "index/table.json",
        "index/word.faiss",
        "index/word.json",
        "items.parquet",
        "lineage.json",
        "report.json",
        "vectors/book.parquet",
        "vectors/word.parquet",
    ]
    assert sorted(notes) == ["notes/costs.json", "notes/report.html"]
    assert json.loads(notes["notes/costs.json"]) == {"train": {"seconds": 1.5}}


def test_the_digest_is_the_same_in_another_folder_on_another_night(layout, tmp_path):
    here = release(layout)
    write_atomic(layout.costs("train", "words-pairs"), pretty_json({"seconds": 1.5}))
    there_layout = make_stages(tmp_path / "there" / "deep")
    write_atomic(there_layout.costs("train", "words-pairs"), pretty_json({"seconds": 99}))
    there = release(there_layout, night="2031-01-01")
    assert there.digest == here.digest
    assert there.files == here.files
    assert verify(there_layout.releases("words-pairs")) == there
    changed = make_stages(tmp_path / "changed", recall=0.51)
    assert release(changed).digest != here.digest


def test_items_are_those_of_both_sides_once(layout):
    files, _ = gathered(layout)
    items = pq.read_table(io.BytesIO(files["items.parquet"]))
    assert items.column_names == ["id", "kind", "label", "description"]
    assert items["id"].to_pylist() == [*WORDS, "king"]
    assert items["kind"].to_pylist() == ["word"] * len(WORDS) + ["book"]


def test_the_kind_that_links_start_from_stands_first(layout):
    folder = layout.out("split", "words") / "train"
    assert json.loads(gathered(layout)[0]["lineage.json"])["kinds"] == ["word", "book"], "there are no links: as in the items"
    rows = [{"left": "dune", "left_kind": "book", "right": "king", "right_kind": "word", "weight": 1.0}]
    write_table(folder / "links.parquet", pa.Table.from_pylist(rows, LINKS))
    assert json.loads(gathered(layout)[0]["lineage.json"])["kinds"] == ["book", "word"]


def test_lineage_names_the_lock_and_every_setting(layout):
    lineage = json.loads(gathered(layout)[0]["lineage.json"])
    assert lineage["lock"]["source"] == "digits" and len(lineage["lock"]["digest"]) == 64
    assert lineage["settings"]["model"]["dimensions"] == 4
    assert lineage["settings"]["catalogue"]["split"] == {"by": "hash", "heldout_share": 0.1, "salt": "kindex"}
    assert lineage["settings"]["index"]["kind"] == "auto"


@pytest.mark.parametrize(
    ("path", "cure"),
    [
        ("data/train/words-pairs/history.jsonl", "train@words-pairs"),
        ("data/index/words-pairs/book.faiss", "index@words-pairs"),
        ("data/evaluate/words-pairs/report.json", "evaluate@words-pairs"),
        ("data/split/words/train/items.parquet", "split@words"),
    ],
)
def test_a_missing_output_is_named_with_the_stage_that_makes_it(layout, path, cure):
    (layout.root / path).unlink()
    with pytest.raises(DamagedError, match=rf"{path} is missing: run `dvc repro {cure}`"):
        gathered(layout)


def test_a_model_without_spaces_is_no_release(layout):
    for space in (layout.out("train", "words-pairs") / "spaces").iterdir():
        space.unlink()
    with pytest.raises(DamagedError, match=r"spaces holds no \*\.parquet"):
        gathered(layout)
