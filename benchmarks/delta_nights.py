"""A planted catalogue that changes a little every night, and a project of one model that follows it, stage by stage."""

import os
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from kindex.core import publish, release
from kindex.core.catalogue import ITEMS, LINKS, Catalogue
from kindex.core.files import pretty_json, read_json
from kindex.core.layout import Layout
from kindex.core.params import load
from kindex.core.parent import Parent, write_parent
from kindex.core.pointer import promote
from kindex.core.space import Space, read_space
from kindex.core.split import Split, divide, write_split

MODEL, CATALOGUE = "m", "planted"
STAGES = ("train", "index")


@dataclass
class World:
    """Items by number, and links as pairs of them with a weight. Numbers are never used again."""

    lefts: int
    rights: int
    groups: int
    rng: np.random.Generator
    links: dict[tuple[int, int], float] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    @classmethod
    def planted(cls, lefts: int, rights: int, links: int, groups: int, seed: int = 0) -> "World":
        world = cls(lefts, rights, groups, np.random.default_rng(seed))
        world.add(links)
        return world

    def add(self, count: int, first_left: int = 0) -> None:
        """Links that were not there: nine of ten inside a group, those to right items with small numbers more often."""
        while count > 0:
            left_P = self.rng.integers(first_left, self.lefts, count)
            right_P = np.floor(self.rights * self.rng.random(count) ** 1.7).astype(int)
            inside_P = self.rng.random(count) < 0.9
            right_P = np.where(inside_P, right_P - right_P % self.groups + left_P % self.groups, right_P) % self.rights
            for pair in zip(left_P.tolist(), right_P.tolist(), strict=True):
                if pair not in self.links and not self.gone & {f"b{pair[0]:06}", f"l{pair[1]:06}"}:
                    self.links[pair] = 1.0
                    count -= 1

    def night(self, share: float) -> None:
        """Change `share` of the links."""
        many = max(4, round(share * len(self.links)))
        before = self.names()
        self.lefts, self.rights = self.lefts + max(1, many // 100), self.rights + max(1, many // 200)
        pairs = sorted(self.links)
        for at in self.rng.choice(len(pairs), many // 4, replace=False).tolist():
            self.links[pairs[at]] = round(float(self.rng.random()) + 0.5, 3)
        for at in self.rng.choice(len(pairs), many // 4, replace=False).tolist():
            self.links.pop(pairs[at], None)
        leaving = pairs[int(self.rng.integers(len(pairs)))][0]
        self.links = {pair: weight for pair, weight in self.links.items() if pair[0] != leaving}
        self.add(many // 4, self.lefts - max(1, many // 100))
        self.add(many // 4)
        self.gone |= before - self.names()

    def names(self) -> set[str]:
        return {f"b{left:06}" for left, _ in self.links} | {f"l{right:06}" for _, right in self.links}

    def split(self) -> Split:
        pairs = sorted(self.links)
        lefts, rights = ([f"{sign}{pair[at]:06}" for pair in pairs] for at, sign in ((0, "b"), (1, "l")))
        kinds = [[kind] * len(pairs) for kind in ("book", "link")]
        weights = np.array([self.links[pair] for pair in pairs], np.float32)
        links = pa.table([lefts, kinds[0], rights, kinds[1], weights], schema=LINKS)
        items = [{"id": id, "kind": kind} for kind, ids in (("book", lefts), ("link", rights)) for id in sorted(set(ids))]
        return divide(Catalogue(CATALOGUE, {"items": pa.Table.from_pylist(items, schema=ITEMS), "links": links}), 0.1, "s")


class Project:
    """Train and index of one model, night after night, and what they make as releases."""

    def __init__(self, root: Path, config: dict[str, Any], index: dict[str, Any], mode: str) -> None:
        self.layout = Layout(root)
        blocks = {
            "catalogues": {CATALOGUE: {"source": {"kind": "files"}, "checks": {}, "split": {}}},
            "models": {MODEL: {"catalogue": CATALOGUE, "family": "pairs", **config, "refresh": {"mode": mode}}},
            "indexes": {MODEL: index},
            "gates": {MODEL: []},
            "evaluate": {},
        }
        root.mkdir(parents=True)
        (root / "params.yaml").write_text(yaml.safe_dump(blocks))

    def night(self, split: Split, date: str) -> dict[str, float]:
        """One night up to the live release; CPU seconds of each stage."""
        releases = self.layout.releases(MODEL)
        if live := release.current(releases):
            write_parent(self.layout.parent(MODEL), Parent(live.version, live.digest, date))
        write_split(self.layout.out("split", CATALOGUE), split)
        seconds = {stage: self.stage(stage) for stage in STAGES}
        made, _ = publish.build(releases, MODEL, self.contents(), {}, {})
        promote(releases, made.version, live.version if live else None)
        return seconds

    def stage(self, stage: str) -> float:
        environment = {**os.environ, "KINDEX_ROOT": str(self.layout.root)}
        environment.pop("DVC_ROOT", None)
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "kindex.stages", stage, MODEL], env=environment, check=True, capture_output=True)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime

    def contents(self) -> dict[str, Any]:
        train, index = self.layout.out("train", MODEL), self.layout.out("index", MODEL)
        files: dict[str, Any] = {f"vectors/{path.name}": path for path in (train / "spaces").iterdir()}
        for folder in ("encoder", "rows"):
            files |= {f"{folder}/{path.name}": path for path in (train / folder).iterdir()}
        files |= {name: train / name for name in ("refresh.json", "history.jsonl")}
        files |= {f"index/{path.relative_to(index)}": path for path in index.rglob("*") if path.is_file()}
        params = load(self.layout.params)
        block, config = params.model(MODEL), read_json(train / "encoder" / "config.json")
        model = {"catalogue": block.catalogue, "family": block.family, **config, "refresh": asdict(block.refresh)}
        lineage = {"model": MODEL, "settings": {"model": model, "index": asdict(params.indexes[MODEL])}}
        return {**files, "lineage.json": pretty_json(lineage)}

    def refresh(self) -> dict[str, Any]:
        told: dict[str, Any] = read_json(self.layout.out("train", MODEL) / "refresh.json")
        return told

    def spaces(self) -> dict[str, Space]:
        paths = sorted((self.layout.out("train", MODEL) / "spaces").glob("*.parquet"))
        return {path.stem: read_space(path) for path in paths}
