"""Tables are read when they are asked for, and what is written depends on the rows alone, not on how they came."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.core import tables, writer
from kindex.core.catalogue import ITEMS, LINKS, Catalogue, read, write
from kindex.core.errors import DamagedError
from kindex.core.tables import Stream, Tables, kept, opened, streamed
from kindex.core.writer import write_stream


def links_table(rows: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    left, right = (pa.array([f"{end}{n}" for n in rng.integers(0, 40, rows)]) for end in "ab")
    kinds = [pa.repeat(kind, rows) for kind in ("user", "book")]
    return pa.table([left, kinds[0], right, kinds[1], pa.array(rng.random(rows), pa.float32())], schema=LINKS)


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(tables, "ROWS", 20)
    monkeypatch.setattr(tables, "ROW_GROUP", 64)
    monkeypatch.setattr(writer, "ROW_GROUP", 64)


def test_equal_links_are_equal_bytes_whatever_the_batches_were(tmp_path, small_groups):
    table = links_table(1000)
    files = []
    for number, size in enumerate((1000, 7, 64, 65, 333)):
        path = tmp_path / f"{number}.parquet"
        batches = table.to_batches(max_chunksize=size) if number else streamed(table).batches(None)
        write_stream(path, table.schema, iter(batches))
        files.append(path.read_bytes())
    assert len(set(files)) == 1
    back = pq.ParquetFile(tmp_path / "0.parquet")
    assert back.read().equals(table) and back.schema_arrow.equals(LINKS)
    assert [back.metadata.row_group(n).num_rows for n in range(back.num_row_groups)] == [64] * 15 + [40]


def test_no_rows_and_null_texts_come_back(tmp_path):
    table = pa.table([["a", None], ["k", "k"], [None, "b"], ["k", None], [1.0, None]], schema=LINKS)
    for number, part in enumerate((table, table.slice(0, 0))):
        path = tmp_path / f"{number}.parquet"
        write_stream(path, LINKS, streamed(part).batches(None))
        assert opened(path).table().equals(part)
        assert opened(path).num_rows == part.num_rows


def test_batches_are_the_table_with_dictionaries(tmp_path, small_groups):
    table = links_table(300)
    write(tmp_path, Catalogue("c", {"items": ITEMS.empty_table(), "links": table}))
    columns = ["right", "weight", "left"]
    for catalogue in (Catalogue("c", {"items": ITEMS.empty_table(), "links": table}), read(tmp_path, "c")):
        batches = list(catalogue.link_batches(columns))
        assert all(batch.num_rows <= 20 and batch.schema.names == columns for batch in batches)
        assert all(batch["left"].type == pa.dictionary(pa.int32(), pa.string()) for batch in batches)
        places = [tables.place(batch["left"].dictionary) for batch in batches]
        assert len(set(places)) == 5 and len(batches) == 4 * 4 + 3  # 64 rows are 4 batches, the last 44 are 3
        whole = pa.Table.from_batches([tables.plain(batch) for batch in batches])
        assert whole.equals(table.select(columns))
        assert catalogue.rows("links") == 300


def test_a_table_is_read_when_it_is_asked_for_and_once(tmp_path):
    reads = []

    def whole() -> pa.Table:
        reads.append(1)
        return links_table(3)

    found = Tables({"items": ITEMS.empty_table(), "links": Stream(LINKS, 3, streamed(links_table(3)).batches, whole)})
    assert "links" in found and "images" not in found and set(found) == {"items", "links"} and len(found) == 2
    assert Catalogue("c", found).rows("links") == 3 and not reads
    assert found["links"] is found["links"] and reads == [1]


def test_damage_inside_a_file_shows_when_it_is_read_and_names_it(tmp_path):
    write(tmp_path, Catalogue("c", {"items": ITEMS.empty_table(), "links": links_table(5000)}))
    path = tmp_path / "links.parquet"
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    catalogue = read(tmp_path, "c")
    for ask in (lambda: catalogue.links, lambda: list(catalogue.link_batches())):
        with pytest.raises(DamagedError, match=r"links\.parquet is not readable"):
            ask()


def test_kept_rows(small_groups):
    table = links_table(500).append_column("heldout", pa.array([False] * 500))
    keep_N = np.random.default_rng(1).random(500) < 0.3
    part = kept(streamed(table), keep_N, "heldout")
    assert part.table().equals(table.drop_columns(["heldout"]).filter(pa.array(keep_N)))
    assert part.num_rows == keep_N.sum()
