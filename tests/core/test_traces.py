"""What is left of an item is found in any kind of file, and another item is never taken for it."""

import bz2
import gzip
import json
import sqlite3

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.core.params import IndexParams
from kindex.core.space import Space, write_space
from kindex.core.traces import Traces, scan
from kindex.index.build import build

NAME = "torch.optim"


def parquet(path, **columns):
    pq.write_table(pa.table(columns), path)


@pytest.fixture
def space(tmp_path):
    vectors_ND = np.random.default_rng(3).normal(size=(40, 8)).astype(np.float32)
    vectors_ND[7] = vectors_ND[8]  # two items that cannot be told apart
    made = Space("m", (NAME, *(f"m{row}" for row in range(1, 40))), vectors_ND)
    write_space(tmp_path / "space.parquet", made)
    return made


def writers(path):
    """Each file with the item in it, by how it holds it."""
    record = json.dumps([{"left": NAME, "n": 1}])
    parquet(path / "cell", id=["a", NAME])
    parquet(path / "dictionary", id=pa.array(["a", NAME]).dictionary_encode())
    parquet(path / "list", ids=[["a"], ["b", NAME]])
    parquet(path / "struct", of=[{"id": NAME}])
    parquet(path / "record", record=["x", record])
    (path / "object.json").write_text(json.dumps({"golden": {NAME: ["a"]}}))
    (path / "lines.jsonl").write_text('{"id": "a"}\n{"id": "torch.optim"}\n')
    (path / "escaped.json").write_text('["torch\\u002eoptim"]')
    (path / "rows.csv").write_text(f"a,b\n1,{NAME}\n")
    (path / "page.html").write_text(f"<td>a</td><td>{NAME}</td>")
    (path / "entity.html").write_text("<td>torch&#46;optim</td>")
    (path / "packed.csv.gz").write_bytes(gzip.compress(f"a,{NAME}\n".encode()))
    (path / "packed.bz2").write_bytes(bz2.compress(f"a,{NAME}\n".encode()))
    with sqlite3.connect(path / "data.db") as base:
        base.execute("create table t (id text)")
        base.execute("insert into t values (?)", (NAME,))


def test_an_id_is_found_however_a_file_holds_it(tmp_path):
    writers(tmp_path)
    paths = sorted(tmp_path.iterdir())
    found = dict(scan(Traces(NAME), paths))
    assert set(found) == set(paths)
    assert found[tmp_path / "cell"] == "column id" and found[tmp_path / "packed.csv.gz"] == "packed text"


def test_another_item_is_not_taken_for_it(tmp_path):
    others = [
        "torch.optim.adam",
        "my-torch.optim",
        "torch.optim-x",
        "torch.optims",
        "a.torch.optim",
        "x/torch.optim",
        "torch_optim",
    ]
    parquet(tmp_path / "cell", id=others)
    parquet(tmp_path / "text", description=[f"about {NAME} and more"], number=[1], image=[NAME.encode()])
    (tmp_path / "object.json").write_text(json.dumps({"ids": others, "told": f"about {NAME}"}))
    (tmp_path / "rows.csv").write_text("\n".join(others))
    (tmp_path / "packed.gz").write_bytes(gzip.compress("\n".join(others).encode()))
    (tmp_path / "empty").write_bytes(b"")
    traces = Traces(NAME)
    assert dict(scan(traces, [*sorted(tmp_path.iterdir()), tmp_path / "gone"])) == {}
    assert traces.scanned == 6 and traces.size > 0 and traces.unread == []


def test_an_id_with_a_blank_is_found_as_word2vec_has_it(tmp_path):
    (tmp_path / "vectors.txt").write_text("2 1\nthe%20hobbit 0.5\nother 1\n")
    assert Traces("the hobbit").inside(tmp_path / "vectors.txt") == "text"
    assert Traces("the").inside(tmp_path / "vectors.txt") == ""


@pytest.mark.parametrize("kind", ["exact", "HNSW16", "IVF2,Flat"])
def test_a_vector_is_found_in_an_index_that_names_no_id(tmp_path, space, kind):
    built = build(space, IndexParams(kind=kind))
    built.save(tmp_path / "m.faiss")
    traces = Traces(NAME)
    traces.learn(tmp_path / "space.parquet")
    assert traces.inside(tmp_path / "m.faiss") == "vector"
    assert traces.inside(tmp_path / "space.parquet") == "column id"
    rest = Space("m", space.ids[1:], space.vectors_ND[1:])
    build(rest, IndexParams(kind=kind)).save(tmp_path / "rest.faiss")
    write_space(tmp_path / "rest.parquet", rest)
    assert [traces.inside(tmp_path / name) for name in ("rest.faiss", "rest.parquet")] == ["", ""]
    anonymous = Space("m", tuple(f"n{row}" for row in range(40)), space.vectors_ND)
    write_space(tmp_path / "anonymous.parquet", anonymous)
    assert traces.inside(tmp_path / "anonymous.parquet") == "column vector"


def test_a_vector_that_two_items_share_tells_nothing(tmp_path, space):
    traces = Traces("m7")
    traces.learn(tmp_path / "space.parquet")
    assert traces.vectors == set()


def test_what_cannot_be_read_is_said_and_not_passed_over(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"a" * 999)[:20])
    traces = Traces(NAME)
    assert dict(scan(traces, sorted(tmp_path.iterdir()))) == {}
    assert {path.name for path in traces.unread} == {"broken.parquet", "broken.gz"}
