"""validate: ingested tables → the rows that passed, `quarantine.parquet` with all that did not, `validation.json`."""

from typing import Any

import pyarrow as pa

from kindex.checks.drift import breaches, columns_of, difference
from kindex.checks.page import page
from kindex.checks.verdict import objections, quarantine_order, summary, volume_bounds
from kindex.checks.whole import Checked, check_catalogue
from kindex.core import catalogue, quarantine
from kindex.core.errors import DataGateError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.lock import Lock, read_lock
from kindex.core.tables import Stream, Tables
from kindex.stages.parts.job import Job


def run(job: Job) -> dict[str, Any]:
    """Raises `DataGateError` at schema drift, at a volume out of bounds, and when too many rows of a table were refused.

    A night that is stopped leaves its quarantine in `var/quarantine` and its page in `var/data-docs`.
    """
    folder, limits = job.layout.out("ingest", job.key), job.params.catalogue(job.key).checks
    lock, ingested = read_lock(job.layout.lock(job.key)), read_json(folder / "ingest.json")
    came = catalogue.read(folder, job.key)
    parts = {name: came.part(name) for name in came.tables}
    columns = {**ingested["source_columns"], **{name: columns_of(part) for name, part in parts.items()}}
    _require_columns(job.key, parts, columns, lock)
    origin = f"{ingested['source']} {ingested['lock_digest'][:12]}"
    checked = check_catalogue(came, limits, volume_bounds(lock.expected_rows, limits), origin, job.watch)
    refused = catalogue.read_table(folder / "refused.parquet")
    entries = quarantine_order(pa.concat_tables([refused, checked.entries.table()]))
    counts = summary(parts, checked, entries)
    stop = objections(counts, checked, limits, lock.expected_rows)
    write_atomic(job.layout.data_docs(job.key), page(job.key, counts, checked.outcomes, stop).encode())
    if stop:
        quarantine.keep_refused(job.layout, job.key, entries)
        reasons = "\n  ".join(stop)
        cure = f"`kindex quarantine {job.key}` shows the refused rows; `kindex lock {job.key} --accept` takes a new volume"
        raise DataGateError(f"validation stopped the night:\n  {reasons}\n{cure}. The limits are catalogues.{job.key}.checks")
    _write(job, checked, entries, {**counts, "columns": columns, "limits": _limits(limits)}, lock)
    return {f"{name}_refused": rows["refused"] for name, rows in counts["rows"].items()}


def _require_columns(key: str, tables: dict[str, pa.Table | Stream], columns: dict[str, dict[str, str]], lock: Lock) -> None:
    """The tables are of their kinds, and neither they nor the source's own have other columns than when they last passed."""
    wanted: dict[str, dict[str, str]] = {}
    for name, table in tables.items():
        wanted |= breaches(name, table)
    drift = difference(wanted, {name: {f.name: str(f.type) for f in tables[name].schema} for name in wanted})
    drift = drift or difference(lock.expected_columns or {}, columns)
    if drift:
        raise DataGateError(
            f"the columns are not those expected:\n{drift}\nIf that is meant, run `kindex lock {key} --accept`"
        )


def _limits(limits: Any) -> dict[str, float]:
    return {"max_quarantine_share": limits.max_quarantine_share, "max_volume_change": limits.max_volume_change}


def _write(job: Job, checked: Checked, refused: pa.Table, validation: dict[str, Any], lock: Lock) -> None:
    catalogue.write(job.out, catalogue.Catalogue(job.key, Tables(checked.passed)))
    catalogue.write_table(job.out / "quarantine.parquet", refused)
    write_atomic(job.out / "validation.json", pretty_json({**validation, "lock_digest": lock.digest, "verdict": "passed"}))
    quarantine.refused_path(job.layout, job.key).unlink(missing_ok=True)
