"""One look into a database through ADBC: a read-only transaction, so that all queries see the same rows.

Every value is read as the text that the database writes of it, null as null. So a snapshot does not depend on a driver's
types, numbers keep every digit, and a value that is no number where one is wanted is a row to refuse and not a failure.
"""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.errors import ConfigError, DamagedError, DataGateError, KindexError, OutsideError
from kindex.sources.parts.sqlplace import Place

REAL = "CASE WHEN abs({0}) < 9e15 AND {0} = CAST({0} AS INTEGER) THEN CAST(CAST({0} AS INTEGER) AS TEXT) \
ELSE printf('%!.18g', {0}) END"
TEXT = {
    "postgresql": "CAST({0} AS TEXT)",
    # SQLite has no column types, and its driver takes those of the first rows: so text, never null, marked by a sign
    "sqlite": f"COALESCE('+' || CASE typeof({{0}}) WHEN 'real' THEN {REAL} ELSE CAST({{0}} AS TEXT) END, '-')",
}
NOW = {"postgresql": "SELECT CAST(extract(epoch FROM now()) AS TEXT)", "sqlite": "SELECT '' || strftime('%s', 'now')"}
BEGIN = {
    "postgresql": (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        "SET LOCAL TIME ZONE 'UTC'",
        "SET LOCAL DateStyle TO 'ISO'",
        "SET LOCAL standard_conforming_strings TO on",
    ),
    "sqlite": (),
}


def quoted(name: str) -> str:
    """An identifier, whatever is in it. A NUL cannot be written in any."""
    if "\0" in name or not name:
        raise ConfigError(f"source: {name!r} cannot be the name of a column or table. Edit params.yaml")
    return '"' + name.replace('"', '""') + '"'


class Database:
    """An open transaction. Raises what `answering` makes of the driver's errors."""

    def __init__(self, place: Place, manager: Any, connection: Any) -> None:
        self.place, self._manager, self._connection = place, manager, connection
        for sql in BEGIN[place.driver]:
            self._run(sql)

    def rows(self, columns: Sequence[str], relation: str, where: str = "") -> Iterator[list[pa.Array]]:
        """The columns as text (binary arrays with nulls), some rows at a time."""
        # an alias, for SQLite takes an unknown name in quotes for a text
        texts = [TEXT[self.place.driver].format(f"t.{quoted(name)}") for name in columns]
        selected = ", ".join(f"{text} AS c{number}" for number, text in enumerate(texts))
        where = f" WHERE {where}" if where else ""
        for batch in self._batches(f"SELECT {selected} FROM {relation} AS t{where}"):
            raw = [column.cast(pa.binary()) for column in batch.columns]
            yield raw if self.place.driver == "postgresql" else [_unmarked(column) for column in raw]

    def now(self) -> float:
        """The database's clock, in seconds since 1970."""
        return float(self.value(NOW[self.place.driver]))

    def value(self, sql: str) -> str:
        return str(next(self._batches(sql)).column(0)[0].as_py())

    def columns(self, relation: str, table: str = "") -> dict[str, str]:
        """Name and type of each column. SQLite knows the types of a `table` only, as they were declared."""
        schema = self._schema(f"SELECT * FROM {relation} AS t LIMIT 0")
        if self.place.driver == "postgresql":
            return {field.name: (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode() for field in schema}
        literal = "'" + table.replace("'", "''") + "'"
        found = self._batches(f"SELECT '' || name, '' || type FROM pragma_table_info({literal})") if table else iter(())
        types = {name.as_py(): kind.as_py().lower() for batch in found for name, kind in zip(*batch.columns, strict=True)}
        return {name: types.get(name, "") for name in schema.names}

    def _schema(self, sql: str) -> pa.Schema:
        with answering(self.place), self._manager.AdbcStatement(self._connection) as statement:
            statement.set_sql_query(sql)
            stream, _ = statement.execute_query()
            return pa.RecordBatchReader._import_from_c(stream.address).schema

    def _batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        with answering(self.place), self._manager.AdbcStatement(self._connection) as statement:
            statement.set_sql_query(sql)
            stream, _ = statement.execute_query()
            with pa.RecordBatchReader._import_from_c(stream.address) as reader:
                yield from reader

    def _run(self, sql: str) -> None:
        with answering(self.place), self._manager.AdbcStatement(self._connection) as statement:
            statement.set_sql_query(sql)
            statement.execute_update()


@contextmanager
def opened(place: Place) -> Iterator[Database]:
    """A transaction that ends with the block. Raises `OutsideError` when the database does not answer."""
    import adbc_driver_manager as manager  # its DBAPI would import pandas

    library = importlib.import_module(f"adbc_driver_{place.driver}")._driver_path()
    with ExitStack() as stack:
        with answering(place):
            database = stack.enter_context(manager.AdbcDatabase(driver=library, uri=place.uri))
            connection = stack.enter_context(manager.AdbcConnection(database))
            connection.set_autocommit(False)
        yield Database(place, manager, connection)


@contextmanager
def answering(place: Place) -> Iterator[None]:
    """Turn the driver's errors into ours, on one line and without the password."""
    import adbc_driver_manager as manager

    try:
        yield
    except (manager.Error, pa.ArrowException, OSError) as error:
        raise _as_ours(place, str(error), getattr(error, "sqlstate", None) or "") from None


def _as_ours(place: Place, message: str, state: str) -> KindexError:
    short = place.redacted(message.partition("Query was:")[0].partition("\nquery:")[0])
    if "invalid percent-encoded" in message or "invalid URI" in message or "forbidden value" in message:
        return ConfigError(f"source.uri: {place.shown} is no uri. A password with @ / : or % must be percent-encoded")
    if any(words in message for words in ("not a database", "malformed")):
        return DamagedError(f"{place.shown} is damaged: {short}")
    unknown = any(words in message for words in ("no such table", "no such column", "syntax error", "no such function"))
    if unknown or (state.startswith("42") and state != "42501"):  # 42501: the database forbids it
        return ConfigError(f"source: {place.shown} does not understand what it is asked: {short}. Edit params.yaml")
    if state.startswith("22"):
        return DataGateError(f"{place.shown} cannot work out a value of source.query: {short}")
    return OutsideError(f"{place.shown} cannot be read: {short}")


def _unmarked(column: pa.Array) -> pa.Array:
    none = pc.equal(column, pa.scalar(b"-", pa.binary()))
    return pc.if_else(none, pa.scalar(None, pa.binary()), pc.binary_replace_slice(column, 0, 1, b""))
