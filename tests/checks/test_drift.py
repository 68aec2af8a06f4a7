"""Columns added, dropped, renamed, retyped and emptied show in the table of differences; reordered ones do not."""

import pyarrow as pa
import pytest

from kindex.checks.drift import breaches, columns_of, difference, of_source
from kindex.core.catalogue import IMAGES, ITEMS, LINKS

TABLE = pa.table({"id": ["a"], "year": pa.array([1], pa.int64())})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (TABLE.append_column("more", pa.array([1.0])), ["t      more    absent    double"]),
        (TABLE.drop_columns(["year"]), ["t      year    int64     absent"]),
        (TABLE.rename_columns(["id", "jahr"]), ["t      jahr    absent    int64", "t      year    int64     absent"]),
        (TABLE.set_column(1, "year", pa.array(["1"])), ["t      year    int64     string"]),
        (TABLE.set_column(1, "year", pa.nulls(1, pa.int64())), ["t      year    int64     int64 (all null)"]),
        (TABLE.select(["year", "id"]), []),
        (TABLE, []),
    ],
)
def test_difference(changed, expected):
    lines = difference({"t": columns_of(TABLE)}, {"t": columns_of(changed)}).splitlines()
    assert lines[:1] == (["table  column  expected  found"] if expected else [])
    assert lines[1:] == expected


def test_a_table_that_is_gone_differs_and_a_file_that_is_no_longer_named_does_not():
    assert "links  left    string    absent" in difference({"links": {"left": "string"}}, {})
    assert difference({"old.csv": {"left": "text"}}, {"new.csv": {"left": "text"}}) == ""


@pytest.mark.parametrize(("kind", "schema"), [("items", ITEMS), ("links", LINKS), ("images", IMAGES)])
def test_tables_must_be_of_their_kind(kind, schema):
    table = schema.empty_table()
    assert breaches(kind, table) == {}
    for name in schema.names:
        assert breaches(kind, table.drop_columns([name]))
        assert breaches(kind, table.rename_columns([f"{n}_" if n == name else n for n in schema.names]))
        assert breaches(kind, table.set_column(schema.get_field_index(name), name, pa.array([], pa.int64())))
    assert breaches(kind, table.append_column("more", pa.array([], pa.int64())))


def test_columns_that_a_source_may_add():
    assert breaches("items", ITEMS.append(pa.field("package", pa.string())).empty_table()) == {}
    for kind, schema in (("links", LINKS), ("images", IMAGES)):
        assert breaches(kind, schema.append(pa.field("heldout", pa.bool_())).empty_table()) == {}
        assert breaches(kind, schema.append(pa.field("heldout", pa.string())).empty_table())


def test_a_table_of_the_source_that_is_called_as_a_kind_of_table_is_another_table():
    columns = of_source({"links": {"user": "text"}, "ratings": {"user": "text"}})
    assert columns == {"links (source)": {"user": "text"}, "ratings": {"user": "text"}}
    assert "links (source)  user    text      absent" in difference(
        columns, of_source({"links": {}, "ratings": {"user": "text"}})
    )
