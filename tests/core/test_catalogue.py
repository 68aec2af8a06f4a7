"""Equal tables are equal bytes; a damaged file is an error that names it."""

import pyarrow as pa
import pytest

from kindex.core.catalogue import IMAGES, ITEMS, LINKS, Catalogue, read, read_table, write, write_table
from kindex.core.errors import DamagedError

TABLE = pa.table([["b", "a"], ["book", "book"], ["x", None], [None, "d"]], schema=ITEMS)
LINK_TABLE = pa.table([["a"], ["book"], ["b"], ["book"], [1.5]], schema=LINKS)


def test_round_trip(tmp_path):
    write(tmp_path, Catalogue("c", {"items": TABLE, "links": LINK_TABLE}))
    back = read(tmp_path, "c")
    assert back.name == "c" and set(back.tables) == {"items", "links"}
    assert back.items.equals(TABLE) and back.links.equals(LINK_TABLE)
    with pytest.raises(KeyError):
        _ = back.images


def test_equal_tables_give_equal_bytes_however_they_came_about(tmp_path):
    write_table(tmp_path / "a.parquet", TABLE)
    pieces = pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)]).replace_schema_metadata({"pandas": "{}"})
    write_table(tmp_path / "b.parquet", pieces)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert read_table(tmp_path / "b.parquet").schema.equals(ITEMS, check_metadata=True)


def test_no_items_no_catalogue(tmp_path):
    write(tmp_path, Catalogue("c", {"images": pa.table([["a"], [b"x"]], schema=IMAGES)}))
    with pytest.raises(DamagedError, match=r"items\.parquet is missing"):
        read(tmp_path, "c")


def test_damage_names_the_file(tmp_path):
    write(tmp_path, Catalogue("c", {"items": TABLE}))
    whole = (tmp_path / "items.parquet").read_bytes()
    for content in (b"", b"PAR1", whole[: len(whole) // 2], whole[:-1], b"\0" * len(whole), whole[4:]):
        (tmp_path / "items.parquet").write_bytes(content)
        with pytest.raises(DamagedError, match=r"items\.parquet"):
            read(tmp_path, "c")
