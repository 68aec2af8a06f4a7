"""A small kindex project with one catalogue of files, for the tests of ingest, validate and locking."""

from pathlib import Path

import yaml

from kindex.core.files import replacing
from kindex.core.layout import Layout
from kindex.core.params import Params, load
from kindex.core.watch import Silent
from kindex.sources.locking import move
from kindex.stages import ingest, validate
from kindex.stages.parts.job import Job

STAGES = {"ingest": ingest, "validate": validate}
KEY = "books"


def links_csv(users: int = 20, books: int = 5) -> str:
    rows = [f"u{user},b{(user * 3 + book) % 11},1" for user in range(users) for book in range(books)]
    return "\n".join(["user,book,stars", *rows]) + "\n"


def project(root: Path, **checks: float) -> Layout:
    """A project with `links.csv` and a params.yaml whose `catalogues.books.checks` are `checks`."""
    source = {"kind": "files", "links": "links.csv", "left": "user", "right": "book", "weight": "stars"}
    blocks = {
        "catalogues": {KEY: {"source": source, "checks": checks, "split": {}}},
        "models": {"m": {"catalogue": KEY, "family": "pairs"}},
        "indexes": {"m": {}},
        "gates": {"m": []},
        "evaluate": {},
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(yaml.safe_dump(blocks))
    (root / "links.csv").write_text(links_csv())
    return Layout(root)


def params(layout: Layout) -> Params:
    return load(layout.params)


def run(layout: Layout, *stages: str) -> None:
    """Run stages as `python -m kindex.stages` does, without its mutex and costs."""
    for stage in stages:
        with replacing(layout.out(stage, KEY), layout.work(stage, KEY)) as out:
            STAGES[stage].run(Job(layout, params(layout), KEY, out, Silent()))


def night(layout: Layout, accept: bool = False) -> bool:
    """Move the lock, ingest, validate; whether the lock moved."""
    moved = move(layout, params(layout), KEY, accept)[1]
    run(layout, "ingest", "validate")
    return moved


def digests(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
