"""A machine that will be lost: a project under git whose nights push their releases to a DVC remote, for promise 23."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from kindex.ask.live import open_live
from kindex.core import release
from kindex.core.files import sha256_file
from kindex.core.layout import Layout
from tests import projects
from tests.infra import servers
from tests.reliability import forked
from tests.tasks.lasting_project import git

MODEL = projects.LINKED
BUCKET = "kindex"


@dataclass(frozen=True)
class Tagged:
    """A release as it was when the machine was lost."""

    name: str
    version: str
    digest: str
    files: dict[str, str]
    answer: list[tuple[str, float]]


@contextlib.contextmanager
def remote(folder: Path, where: str) -> Iterator[tuple[str, dict[str, str]]]:
    """An address for DVC, and the environment that it needs."""
    if where == "a folder":
        yield str(folder), {}
        return
    import boto3

    with servers.store(folder) as endpoint:
        keys = {"AWS_ACCESS_KEY_ID": "team", "AWS_SECRET_ACCESS_KEY": "no-secret", "AWS_DEFAULT_REGION": "us-east-1"}
        session = boto3.Session("team", "no-secret", region_name="us-east-1")
        session.resource("s3", endpoint_url=endpoint).create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}/dvc", {**keys, "AWS_ENDPOINT_URL": endpoint}


def project(root: Path, address: str) -> Layout:
    """The tests' tiny project with one model of its two, in one commit."""
    layout = projects.make(root)
    blocks = yaml.safe_load(layout.params.read_text())
    for name, key in (("catalogues", "stamps"), *((block, projects.PICTURED) for block in ("models", "indexes", "gates"))):
        del blocks[name][key]
    layout.params.write_text(yaml.safe_dump(blocks))
    shutil.copy(projects.ROOT / ".gitignore", root)
    with (root / ".gitignore").open("a") as more:
        more.write(".site/\n")
    (root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    there = f"    remote = there\n['remote \"there\"']\n    url = {address}\n"
    (root / ".dvc" / "config").write_text(f"[core]\n    analytics = false\n{there}")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a project")
    return layout


def night(layout: Layout, number: int, keys: dict[str, str]) -> Tagged:
    """A night with other links than the last one; its tag. Raises `RuntimeError` when there is none."""
    projects.write_links(layout.root / "links.csv", baskets=40 + number, seed=number % 3)
    date = f"2026-11-{number + 1:02}"
    if keys:
        done = projects.nightly(layout.root, "--date", date, **keys)
        code, said = done.returncode, done.stdout + done.stderr
    else:
        begun = forked.begin(layout, date, inside=True)
        code, said = begun.code(), begun.said
    name = f"{MODEL}@{date}.1"
    if code or name not in git(layout.root, "tag").split() or "to be pushed (" in said:
        raise RuntimeError(f"night {date} ended with {code}: {said[-2000:]}")
    manifest = release.verify(layout.releases(MODEL))
    return Tagged(name, manifest.version, manifest.digest, contents(layout, manifest.version), answer(layout))


def contents(layout: Layout, version: str) -> dict[str, str]:
    """sha256 of every file of the release, notes and manifest, too."""
    folder = layout.releases(MODEL) / version
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in folder.rglob("*") if path.is_file()}


def answer(layout: Layout) -> list[tuple[str, float]]:
    return [(hit.id, round(hit.score, 6)) for hit in open_live(MODEL, root=layout.root).similar("fruit-1", k=5)]
