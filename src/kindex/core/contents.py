"""What goes into a release, from the outputs of the stages: content that makes up its digest, and notes that do not."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kindex.core.catalogue import ITEMS, read_table
from kindex.core.costs import read_costs
from kindex.core.errors import DamagedError
from kindex.core.files import pretty_json, read_json
from kindex.core.layout import Layout
from kindex.core.lock import read_lock
from kindex.core.params import Params
from kindex.core.parent import read_parent

Part = Path | bytes


def contents(layout: Layout, params: Params, model: str) -> tuple[dict[str, Part], dict[str, Part]]:
    """Content and notes of a release of `model`: path in the release → file to copy, or bytes.

    The same stage outputs give the same content on any machine. Raises `DamagedError` naming a stage output that is
    missing, `ConfigError` for an unknown model.
    """
    catalogue = params.model(model).catalogue
    train, index, evaluate = (layout.out(stage, model) for stage in ("train", "index", "evaluate"))
    files: dict[str, Part] = {}
    spaces = _all(train / "spaces", "*.parquet", f"train@{model}")
    for path in spaces:
        files[f"vectors/{path.name}"] = path
        files[f"index/{path.stem}.faiss"] = _needed(index / f"{path.stem}.faiss", f"index@{model}")
        files[f"index/{path.stem}.json"] = _needed(index / f"{path.stem}.json", f"index@{model}")
        if params.indexes[model].neighbours != "cosine":
            files[f"offsets/{path.name}"] = _needed(index / "offsets" / path.name, f"index@{model}")
        if (places := index / "places" / path.name).is_file():
            files[f"index/places/{path.name}"] = places
    files["index/table.json"] = _needed(index / "table.json", f"index@{model}")
    for path in _all(train / "encoder", "*", f"train@{model}"):
        files[f"encoder/{path.name}"] = path
    files["history.jsonl"] = _needed(train / "history.jsonl", f"train@{model}")
    if (train / "refresh.json").is_file():
        files["refresh.json"] = train / "refresh.json"
    for path in sorted((train / "rows").glob("*.parquet")):
        files[f"rows/{path.name}"] = path
    if (queries := evaluate / "queries.parquet").is_file():
        files["queries.parquet"] = queries
    files["report.json"] = _needed(evaluate / "report.json", f"evaluate@{model}")
    files["evidence.json"] = _needed(evaluate / "evidence.json", f"evaluate@{model}")
    files["items.parquet"] = _items(layout.out("split", catalogue))
    files["lineage.json"] = pretty_json(lineage(layout, params, model))
    notes: dict[str, Part] = {"notes/costs.json": pretty_json(read_costs(layout, catalogue, model))}
    if (page := evaluate / "report.html").is_file():
        notes["notes/report.html"] = page
    return files, notes


def lineage(layout: Layout, params: Params, model: str) -> dict[str, Any]:
    """What the release was made from: the lock of its source, and every setting that its stages read, defaults too."""
    block = params.model(model)
    lock = read_lock(layout.lock(block.catalogue))
    config = read_json(_needed(layout.out("train", model) / "encoder" / "config.json", f"train@{model}"))
    settings = {
        "catalogue": asdict(params.catalogue(block.catalogue)),
        "model": {"catalogue": block.catalogue, "family": block.family, **config, "refresh": asdict(block.refresh)},
        "index": asdict(params.indexes[model]),
        "evaluate": {**asdict(params.evaluate), "golden": list(params.evaluate.golden.get(model, ()))},
    }
    return {
        "model": model,
        "catalogue": block.catalogue,
        "kinds": _kinds(layout.out("split", block.catalogue) / "train"),
        "lock": {"source": lock.source, "digest": lock.digest, "snapshot": lock.snapshot},
        "parent": asdict(parent) if (parent := read_parent(layout.parent(model))) else None,
        "settings": settings,
    }


def _kinds(train: Path) -> list[str]:
    """Kinds of item, the one that the links start from first: it is what a question is taken to be about."""
    links, items = train / "links.parquet", _needed(train / "items.parquet", f"split@{train.parent.name}")
    columns = [pq.ParquetFile(links).read([name])[name] for name in ("left_kind", "right_kind")] if links.is_file() else []
    columns.append(pq.ParquetFile(items).read(["kind"])["kind"])
    return list(dict.fromkeys(kind for column in columns for kind in column.unique().to_pylist()))


def _items(split: Path) -> bytes:
    """The items of both sides, each once, without the columns that only its source knows, as Parquet."""
    tables = [read_table(_needed(split / side / "items.parquet", f"split@{split.name}")) for side in ("train", "heldout")]
    both = pa.concat_tables([table.select(ITEMS.names).cast(ITEMS) for table in tables]).to_pylist()
    once: dict[tuple[str, str], dict[str, Any]] = {}
    for item in both:
        once.setdefault((item["kind"], item["id"]), item)
    buffer = pa.BufferOutputStream()
    table = pa.Table.from_pylist(list(once.values()), schema=ITEMS)
    pq.write_table(table, buffer, compression="zstd", compression_level=3)
    return buffer.getvalue().to_pybytes()


def _needed(path: Path, target: str) -> Path:
    if not path.is_file():
        raise DamagedError(f"{path} is missing: run `dvc repro {target}`")
    return path


def _all(folder: Path, pattern: str, target: str) -> list[Path]:
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not found:
        raise DamagedError(f"{folder} holds no {pattern}: run `dvc repro {target}`")
    return found
