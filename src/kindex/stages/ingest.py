"""ingest: the locked snapshot of a source → typed tables, rows that never became any, and `ingest.json`."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.checks.drift import difference, of_source
from kindex.core import catalogue, quarantine
from kindex.core.errors import DataGateError
from kindex.core.files import pretty_json, write_atomic
from kindex.core.forget import read_forgotten, without
from kindex.core.lock import Lock, read_lock
from kindex.core.tables import Stream, Tables
from kindex.sources import ColumnError, Ingested, named, source
from kindex.stages.parts.job import Job

ORDER = {
    "items": ["kind", "id"],
    "links": ["left", "right", "left_kind", "right_kind"],
    "images": ["id"],
    "captions": ["id", "place"],
}


def run(job: Job) -> dict[str, Any]:
    """Writes `<table>.parquet`, `refused.parquet` and `ingest.json`. Raises what the source raises, with its cure."""
    lock = read_lock(job.layout.lock(job.key))
    params = job.params.catalogue(job.key)
    module, config = source(params, job.key)
    with named(job.key):
        if lock.source != params.source["kind"]:
            raise DataGateError(f"locks/{job.key}.json is of a source {lock.source!r}, not {params.source['kind']!r}")
        ingested = _without_forgotten(_read(module, config, lock, job), job)
        empty = [name for name in module.tables(config) if not ingested.catalogue.rows(name)]
        if empty:
            quarantine.keep_refused(job.layout, job.key, ingested.refused)
            lost = f"{ingested.refused.num_rows} rows were refused, see `kindex quarantine {job.key}`"
            raise DataGateError(f"the source gave no {empty[0]}: {lost}{_why(lock, ingested)}")
    parts = {name: canonical(name, ingested.catalogue.part(name)) for name in ingested.catalogue.tables}
    catalogue.write(job.out, catalogue.Catalogue(job.key, Tables(parts)))
    catalogue.write_table(job.out / "refused.parquet", ingested.refused)
    rows = {name: part.num_rows for name, part in parts.items()}
    write_atomic(job.out / "ingest.json", pretty_json(_describe(lock, ingested, rows)))
    return {f"{name}_rows": count for name, count in rows.items()}


def canonical(name: str, part: pa.Table | Stream) -> pa.Table | Stream:
    """Rows in the one order of their kind of table, so that the bytes do not depend on how the source enumerates.

    A stream is in that order already, for sorting it needs all of it: a source that streams links sorts them. A table that is
    in order is not copied, for images may be large.
    """
    if isinstance(part, Stream):
        return part
    order = pc.sort_indices(part, sort_keys=[(column, "ascending") for column in ORDER[name]])
    return part if np.array_equal(order.to_numpy(), np.arange(len(order))) else part.take(order)


def _read(module: Any, config: Any, lock: Lock, job: Job) -> Ingested:
    try:
        ingested: Ingested = module.read(config, lock.snapshot, job.layout.root, job.watch)
    except ColumnError as error:
        columns = of_source(error.columns)
        table = difference(lock.expected_columns or {}, columns, only=columns)
        raise DataGateError(f"{error}{table and chr(10) + table}") from None
    return replace(ingested, catalogue=replace(ingested.catalogue, name=job.key))


def _why(lock: Lock, ingested: Ingested) -> str:
    """The rules that refused most rows, and how the source's columns differ from those that last passed."""
    counted = Counter(ingested.refused["rule"].to_pylist())
    most = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    rules = "; ".join(f"{rule}: {count:,}" for rule, count in most)
    records = [json.loads(record) for record in ingested.refused["record"].to_pylist()]
    emptied = {column for column in (records or [{}])[0] if all(record.get(column) is None for record in records)}
    columns = of_source(ingested.columns)
    for own in columns.values():  # a file with a schema does not say that a column has no value any more
        own.update({name: f"{kind} (all null)" for name, kind in own.items() if name in emptied and kind != "null"})
    table = difference(lock.expected_columns or {}, columns, only=columns)
    return (rules and f". Most: {rules}") + (table and f"\n{table}")


def _without_forgotten(ingested: Ingested, job: Job) -> Ingested:
    """Without the items that `kindex forget` has erased; the source may still name them."""
    marks = read_forgotten(job.layout.lock(job.key))
    if not marks:
        return ingested
    kept, refused, count = without(marks, ingested.catalogue, ingested.refused)
    return replace(ingested, catalogue=kept, refused=refused, counts={**ingested.counts, "forgotten_rows": count})


def _describe(lock: Lock, ingested: Ingested, rows: dict[str, int]) -> dict[str, Any]:
    return {
        "source": lock.source,
        "lock_digest": lock.digest,
        "rows": rows,
        "refused_rows": ingested.refused.num_rows,
        "source_columns": of_source(ingested.columns),
        **ingested.counts,
    }
