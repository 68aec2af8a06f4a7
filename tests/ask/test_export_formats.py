"""The bytes of each format, read back by other means, with ids that would break a careless writer."""

import json
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.ask import export_neighbours
from kindex.ask.export_neighbours import places, write_atlas, write_neighbours
from kindex.ask.export_source import Source
from kindex.ask.export_text import PROJECTOR, cell, word, write_projector, write_word2vec, write_word2vec_binary
from kindex.core.space import Space
from kindex.judge.maps import pca_2d

HOSTILE = (
    "plain",
    "the hobbit",
    "the%20hobbit",
    "the_hobbit",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "nul\x00",
    '"quoted"',
    "../../etc/passwd",
    "/tmp/absolute",
    "\u202eright to left",
    "\u2028line",
    "\u00a0space",
    "=1+1",
    "@cmd",
    "100%",
    "100%25",
    "%",
    " ",
    "Łódź 書",
    "</s>",
    "x" * 5000,
)
VECTORS = np.random.default_rng(0).standard_normal((len(HOSTILE), 7)).astype(np.float32)
VECTORS[3] = [1e-38, -1e38, 1 / 3, -0.0, 1e-45, 16777217, 0.1]
VECTORS[4] /= 1e4


def source(ids=HOSTILE, vectors_ND=VECTORS, **more):
    return Source("m", "v0001", Space("kind", tuple(ids), np.asarray(vectors_ND, np.float32)), **more)


def small(count, width=3, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, (count, width)).astype(np.float32)


def test_words_hold_nothing_that_ends_a_word_and_give_the_id_back():
    words = [word(name) for name in HOSTILE]
    assert len(set(words)) == len(HOSTILE)
    assert [unquote(each) for each in words] == list(HOSTILE)
    assert all(len(each.split()) == 1 and len(each.splitlines()) == 1 and "\x00" not in each for each in words)
    assert words[:4] == ["plain", "the%20hobbit", "the%2520hobbit", "the_hobbit"]
    assert word("a b\tc", spaces=True) == "a b%09c" and word("100%") == "100%"


def test_word2vec_text_by_a_parser_of_our_own(tmp_path):
    assert write_word2vec(tmp_path / "v.txt", source()) == len(HOSTILE)
    lines = (tmp_path / "v.txt").read_bytes().decode().split("\n")
    assert lines[0] == f"{len(HOSTILE)} 7" and lines[-1] == "" and len(lines) == len(HOSTILE) + 2
    for line, name, vector_D in zip(lines[1:], HOSTILE, VECTORS):
        first, *numbers = line.split(" ")
        assert unquote(first) == name
        assert np.array(numbers, np.float32).tobytes() == vector_D.tobytes()


def test_word2vec_binary_by_a_parser_of_our_own(tmp_path):
    write_word2vec_binary(tmp_path / "v.bin", source())
    header, rest = (tmp_path / "v.bin").read_bytes().split(b"\n", 1)
    assert header == f"{len(HOSTILE)} 7".encode()
    for name, vector_D in zip(HOSTILE, VECTORS):
        first, rest = rest.split(b" ", 1)
        assert unquote(first.decode()) == name and rest[:28] == vector_D.astype("<f4").tobytes() and rest[28:29] == b"\n"
        rest = rest[29:]
    assert rest == b""


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_loads_both(tmp_path, binary):
    models = pytest.importorskip("gensim.models")
    (write_word2vec_binary if binary else write_word2vec)(tmp_path / "v", source())
    loaded = models.KeyedVectors.load_word2vec_format(str(tmp_path / "v"), binary=binary)
    assert [unquote(key) for key in loaded.index_to_key] == list(HOSTILE)
    assert loaded.vectors.tobytes() == VECTORS.tobytes()


def test_the_projector_gets_as_many_lines_as_points_and_as_many_cells_as_columns(tmp_path):
    about = {
        "label": pa.array([f"=cmd|'{row}" if row % 2 else None for row in range(len(HOSTILE))]),
        "description": pa.array([f"tab\there\nand {row}" for row in range(len(HOSTILE))]),
    }
    assert write_projector(tmp_path, source(about=about)) == len(HOSTILE)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(PROJECTOR)
    numbers = [line.split("\t") for line in (tmp_path / "vectors.tsv").read_text().removesuffix("\n").split("\n")]
    assert np.array(numbers, np.float32).tobytes() == VECTORS.tobytes()
    text = (tmp_path / "metadata.tsv").read_bytes().decode()
    header, *lines = [line.split("\t") for line in text.removesuffix("\n").split("\n")]
    assert header == ["id", "label", "description"]
    assert [unquote(line[0]) for line in lines] == list(HOSTILE)
    assert [line[1:] for line in lines[:2]] == [["", "tab here and 0"], ["=cmd|'1", "tab here and 1"]]
    config = json.loads((tmp_path / "projector_config.json").read_text())["embeddings"]
    expected = {"tensorShape": [len(HOSTILE), 7], "tensorPath": "vectors.tsv", "metadataPath": "metadata.tsv"}
    assert config == [{"tensorName": "m v0001 kind", **expected}]
    assert 'tensor_path: "vectors.tsv"' in (tmp_path / "projector_config.pbtxt").read_text()


def test_a_single_column_of_metadata_has_no_header(tmp_path):
    write_projector(tmp_path, source(["a b", "c"], small(2)))
    assert (tmp_path / "metadata.tsv").read_text() == "a b\nc\n"
    assert cell(None) == "" and cell("a\x00\u2029b") == "a  b"


@pytest.mark.parametrize(("count", "k", "size"), [(1, 10, 8), (2, 1, 8), (130, 10, 700), (130, 10, 10), (130, 500, 129 * 20)])
def test_neighbours_in_whole_row_groups(tmp_path, monkeypatch, count, k, size):
    monkeypatch.setattr(export_neighbours, "GROUP_ROWS", size)
    vectors_ND = small(count)
    of = source([f"id {row}" for row in range(count)], vectors_ND)
    object.__setattr__(of.space, "metric", "dot")
    k_held, done = min(k, count - 1), []
    assert write_neighbours(tmp_path / "n.parquet", of, k, done.append) == count * k_held
    assert done[-1] == count
    scores_NN = vectors_ND @ vectors_ND.T
    np.fill_diagonal(scores_NN, -np.inf)
    expected = []
    for row in range(count):
        best = np.argsort(-scores_NN[row], kind="stable")[:k_held]
        expected += [(f"id {row}", rank + 1, f"id {other}", float(scores_NN[row, other])) for rank, other in enumerate(best)]
    file = pq.ParquetFile(tmp_path / "n.parquet")
    assert [tuple(row.values()) for row in file.read().to_pylist()] == expected
    groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    assert all(rows == max(1, size // max(1, k_held)) * k_held for rows in groups[:-1])


def test_an_atlas_holds_rows_of_the_file_and_ascending_distances(tmp_path, monkeypatch):
    monkeypatch.setattr(export_neighbours, "GROUP_POINTS", 50)
    ids = [*HOSTILE, *(f"more {row}" for row in range(100))]
    vectors_ND = np.random.default_rng(2).standard_normal((len(ids), 5)).astype(np.float32)
    about = {"label": pa.array(["a", None, "b"] * 41), "description": pa.array([""] * 123)}
    of = source(ids, vectors_ND, about=about)
    assert write_atlas(tmp_path / "a.parquet", of, 4) == len(ids) == 123
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert file.num_row_groups == 3
    columns = ["id", "label", "description", "projection_x", "projection_y", "__vector", "__neighbors"]
    table = file.read()
    assert table.column_names == columns
    kinds = table.schema.field("__neighbors").type
    assert kinds.names == ["ids", "distances"] and kinds.field("ids").type.value_type == pa.int64()
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == ids and [row["label"] for row in rows[:3]] == ["a", None, "b"]
    assert np.array([row["__vector"] for row in rows], np.float32).tobytes() == vectors_ND.tobytes()
    cosines_NN = of.space.unit_ND.astype(np.float64) @ of.space.unit_ND.T
    for number, row in enumerate(rows):
        near, far = row["__neighbors"]["ids"], row["__neighbors"]["distances"]
        assert number not in near and far == sorted(far)
        np.testing.assert_allclose(far, 1 - cosines_NN[number, near], atol=1e-6)
    places_N2 = np.array([[row["projection_x"], row["projection_y"]] for row in rows])
    np.testing.assert_allclose(places_N2, pca_2d(of.space.unit_ND), atol=1e-6)


def test_the_map_of_the_report_gives_the_places_and_others_lie_between_their_neighbours():
    vectors_ND = np.array([[1, 0], [0, 1], [-1, 0], [1, 1], [1, 0]], np.float32)
    mapped = {"a": (10.0, 0.0), "b": (0.0, 10.0), "c": (-10.0, 0.0)}
    places_N2 = places(source("abcde", vectors_ND, places=mapped))
    assert places_N2[:3].tolist() == [[10, 0], [0, 10], [-10, 0]]
    np.testing.assert_allclose(places_N2[3], [5, 5], atol=1e-4)  # as near to a as to b, and not to c
    np.testing.assert_allclose(places_N2[4], [10, 0], atol=1e-3)


@pytest.mark.parametrize("count", [0, 1])
def test_one_item_and_none(tmp_path, count):
    of = source([f"id{row}" for row in range(count)], small(count))
    assert write_neighbours(tmp_path / "n.parquet", of, 10) == 0
    assert pq.read_table(tmp_path / "n.parquet").column_names == ["id", "rank", "neighbour", "score"]
    assert write_atlas(tmp_path / "a.parquet", of, 10) == pq.read_table(tmp_path / "a.parquet").num_rows == count
    assert write_word2vec(tmp_path / "v.txt", of) == write_word2vec_binary(tmp_path / "v.bin", of) == count
    assert (tmp_path / "v.txt").read_text().startswith(f"{count} 3\n")
    (tmp_path / "points").mkdir()
    assert write_projector(tmp_path / "points", of) == count
    assert len((tmp_path / "points" / "vectors.tsv").read_text().split()) == 3 * count
