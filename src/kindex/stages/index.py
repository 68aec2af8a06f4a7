"""index: a faiss index for each space of a model, and the table of the settings tried."""

from dataclasses import asdict
from typing import Any

from kindex.core.errors import DataGateError
from kindex.core.files import pretty_json, write_atomic
from kindex.core.space import read_space
from kindex.index.build import build
from kindex.stages import Job


def run(job: Job) -> dict[str, Any]:
    """Write `<kind>.faiss` and `<kind>.json` for each space, and `table.json`; seconds and rates go to the costs."""
    spaces = job.layout.out("train", job.key) / "spaces"
    paths = sorted(spaces.glob("*.parquet"))
    if not paths:
        raise DataGateError(f"{spaces} holds no space: train {job.key} placed no item. Is its catalogue empty?")
    table: list[dict[str, Any]] = []
    seconds: dict[str, float] = {}
    rates: dict[str, dict[str, float]] = {}
    for path in job.watch.progress(paths, "indexing", total=len(paths), unit="spaces"):
        index = build(read_space(path), job.params.indexes[job.key], f"indexes.{job.key}")
        index.save(job.out / f"{path.stem}.faiss")
        chosen = next(trial for trial in index.trials if trial.chosen)
        about = {**index.about(), "bytes_per_vector": chosen.bytes_per_vector}
        write_atomic(job.out / f"{path.stem}.json", pretty_json(about))
        seconds[path.stem] = round(index.build_seconds, 3)
        rates[path.stem] = {trial.setting: trial.queries_per_second for trial in index.trials}
        for trial in index.trials:
            line = asdict(trial) | {"kind": path.stem, "index_recall_at_10": round(trial.index_recall_at_10, 6)}
            del line["queries_per_second"]  # differs from run to run: it goes to the costs
            table.append(line)
    write_atomic(job.out / "table.json", pretty_json(table))
    return {"build_seconds": seconds, "queries_per_second": rates}
