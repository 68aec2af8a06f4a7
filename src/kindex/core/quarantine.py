"""Rows refused by a source or by validation, with the reason; kept so that they can be mended and re-admitted."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from kindex.core.catalogue import write_table
from kindex.core.layout import Layout

QUARANTINE = pa.schema(
    [
        ("table", pa.string()),  # which kind of table the row was meant for
        ("row", pa.int64()),  # its position there; -1 when it never became a row
        ("rule", pa.string()),
        ("value", pa.string()),  # what broke the rule, as text
        ("origin", pa.string()),  # file, module or snapshot it came from
        ("record", pa.string()),  # the whole row as JSON
    ]
)


def entry(table: str, row: int, rule: str, value: Any, origin: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """One quarantined row. Text that UTF-8 cannot carry and bytes are escaped, never dropped."""
    shown = value if isinstance(value, str) else repr(value)
    return {
        "table": table,
        "row": row,
        "rule": rule,
        "value": writable(shown),
        "origin": writable(origin),
        "record": json.dumps({key: _plain(part) for key, part in record.items()}, ensure_ascii=True, sort_keys=True),
    }


class Entries:
    """Quarantined rows as they are found; all but the last few are packed in Arrow tables."""

    FEW = 1 << 14

    def __init__(self, entries: Iterable[Mapping[str, Any]] = ()) -> None:
        self._packed: list[pa.Table] = []
        self._last: list[Mapping[str, Any]] = []
        self.add(entries)

    def add(self, entries: Iterable[Mapping[str, Any]]) -> None:
        for one in entries:
            self._last.append(one)
            if len(self._last) == self.FEW:
                self._packed, self._last = [*self._packed, pa.Table.from_pylist(self._last, schema=QUARANTINE)], []

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for packed in self._packed:
            yield from packed.to_pylist()
        yield from self._last

    def table(self) -> pa.Table:
        """All of them, of the schema `QUARANTINE`."""
        return pa.concat_tables([*self._packed, pa.Table.from_pylist(self._last, schema=QUARANTINE)])


def table(entries: Iterable[Mapping[str, Any]]) -> pa.Table:
    """The entries as a table of the schema `QUARANTINE`."""
    return entries.table() if isinstance(entries, Entries) else Entries(entries).table()


def refused_path(layout: Layout, catalogue: str) -> Path:
    """Where the quarantine of a night that was stopped is kept; a stage's own outputs are published only on success."""
    return layout.var / "quarantine" / f"{catalogue}.parquet"


def keep_refused(layout: Layout, catalogue: str, refused: pa.Table) -> None:
    """Keep the quarantine of a night that is about to be stopped, for `kindex quarantine`."""
    path = refused_path(layout, catalogue)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, refused)


def writable(text: str) -> str:
    """`text` with lone surrogates escaped, so that it can be written as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def _plain(part: Any) -> Any:
    if part is None or isinstance(part, bool | int | str):
        return part
    return part.hex() if isinstance(part, bytes) else repr(part)
