"""Nights of one model from hand-written vectors: train's outputs as training writes them, real indexes, real releases."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from kindex.core.catalogue import ITEMS, write_table
from kindex.core.files import pretty_json, replacing, write_atomic
from kindex.core.layout import Layout
from kindex.core.params import Params
from kindex.core.parent import Parent, write_parent
from kindex.core.pointer import promote
from kindex.core.publish import build
from kindex.core.release import Manifest, live
from kindex.core.space import Space, write_space
from kindex.core.watch import Silent
from kindex.stages import index
from kindex.stages.parts.job import Job
from tests.stages.small_project import params

MODEL = "small-model"


@dataclass
class DeltaProject:
    """`night` trains (by hand), runs the stage index and publishes; every night but the first is a delta of the live one."""

    root: Path
    of: Params = field(default_factory=lambda: params("pairs"))

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    @property
    def out(self) -> Path:
        return self.layout.out("index", MODEL)

    def night(self, *spaces: Space, built: str | None = None) -> Manifest:
        self.train(*spaces, built=built)
        self.index()
        return self.publish()

    def train(self, *spaces: Space, built: str | None = None) -> None:
        """`refresh.json` and the lock as training and the flow leave them."""
        releases, train = self.layout.releases(MODEL), self.layout.out("train", MODEL)
        parent = live(releases) if (releases / "CURRENT").exists() else None
        for old in (train / "spaces").glob("*"):
            old.unlink()
        for space in spaces:
            write_space(train / "spaces" / f"{space.kind}.parquet", space)
        locked = Parent(parent.version, parent.digest, "2026-11-21") if parent else None
        write_parent(self.layout.parent(MODEL), locked)
        told = {"version": parent.version, "digest": parent.digest} if parent else None
        refresh = {"built": built or ("delta" if parent else "full"), "parent": told}
        write_atomic(train / "refresh.json", pretty_json(refresh))
        write_atomic(self.layout.params, b"")  # marks the root

    def index(self) -> dict[str, Any]:
        with replacing(self.out, self.layout.work("index", MODEL)) as work:
            return index.run(Job(self.layout, self.of, MODEL, work, Silent()))

    def publish(self) -> Manifest:
        files: dict[str, Path | bytes] = {}
        train = self.layout.out("train", MODEL)
        for path in sorted((train / "spaces").glob("*.parquet")):
            files[f"vectors/{path.name}"] = path
        for path in sorted(self.out.rglob("*")):
            if path.is_file():
                files[f"index/{path.relative_to(self.out)}"] = path
        files["refresh.json"] = train / "refresh.json"
        kinds = [path.stem for path in sorted((train / "spaces").glob("*.parquet"))]
        lineage = {"kinds": kinds, "settings": {"index": asdict(self.of.indexes[MODEL])}}
        files |= {"lineage.json": pretty_json(lineage), "report.json": pretty_json({"link_recall_at_10": 0.5})}
        write_table(items := self.root / "items.parquet", pa.Table.from_pylist([], schema=ITEMS))
        files["items.parquet"] = items
        releases = self.layout.releases(MODEL)
        manifest, new = build(releases, MODEL, files, {}, {})
        if new:
            promote(releases, manifest.version, manifest.parent)
        return manifest
