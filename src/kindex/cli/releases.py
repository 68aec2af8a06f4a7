"""`kindex releases`, `verify`, `rollback` and `report`."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from kindex.cli.questions import Model
from kindex.cli.text import printable, table
from kindex.core import outbox, pointer, release, restored
from kindex.core.errors import ConfigError, DamagedError, choices
from kindex.core.layout import Layout, find
from kindex.core.release import Manifest

OneModel = Annotated[str | None, typer.Argument(help="Only this model")]
REPLAY_SECONDS = 60.0  # that a rollback waits for MLflow, after it has taken effect


def releases(model: OneModel = None) -> None:
    """What was released, what is live, and how good it was."""
    layout = find()
    rows = [row for folder in _folders(layout, model) for row in _rows(folder)]
    if not rows:
        print("nothing was released yet: `make nightly` releases")
        return
    table(["model", "version", "", "night", "digest", "headline", "verdict", "parent"], rows)


def verify(
    model: OneModel = None,
    version: Annotated[str | None, typer.Option("--release", help="This version, e.g. v0003, and not the live one")] = None,
) -> None:
    """Check live releases to the last byte, and in a clone those that its tag names. Exit code 3 names the damaged file."""
    layout = find()
    named = {(one.model, one.version): one for one in restored.restored(layout, model)}
    wanted = [(folder, version) for folder in _folders(layout, model) if version or release.current(folder)]
    live = {folder.name for folder, _ in wanted}
    wanted += [(layout.releases(name), pulled) for name, pulled in named if name not in live]
    if not wanted:
        raise ConfigError(f"nothing is live{f' of {model}' if model else ''}: `make nightly` releases")
    for folder, asked in wanted:
        if asked not in (None, *release.names(folder)) and (folder.name, asked) in named:
            raise DamagedError(f"{folder / str(asked)} is missing: `dvc pull` brings it")
        began = time.perf_counter()
        manifest = release.verify(folder, asked)
        if tagged := named.get((folder.name, manifest.version)):
            restored.check(folder, manifest, tagged)
        seconds, megabytes = time.perf_counter() - began, sum(entry.bytes for entry in manifest.entries.values()) / 1e6
        found = f"{len(manifest.entries)} files, {megabytes:.1f} MB, {seconds:.2f} s{', as its tag says' if tagged else ''}"
        print(f"{manifest.model} {manifest.version} is whole: {found}")


def rollback(
    model: Model, to: Annotated[str | None, typer.Option(help="This version. Default: the live one's parent")] = None
) -> None:
    """Make an earlier release live again, at once. No night publishes what was rolled back, until it differs."""
    layout = find()
    (folder,) = _folders(layout, model)
    former, now = pointer.rollback(folder, to)
    if former and former.version == now.version:
        print(f"{model} is at {now.version} already")
        return
    print(f"{model}: {former.version if former else 'nothing'} → {now.version} is live")
    newest = release.names(folder)[-1]
    aliases = {"model": model, "candidate": newest, "champion": now.version}
    if outbox.put(layout.outbox, "aliases", aliases, key=model):
        told = _replay(layout)
        print("MLflow's aliases followed" if told else "MLflow does not answer: its aliases follow with the next night")


def report(model: Model) -> None:
    """Where the report of the live release is (else the one of the last evaluation)."""
    layout = find()
    (folder,) = _folders(layout, model, published=False)
    pointer = release.current(folder)
    places = [folder / pointer.version / "notes" / "report.html"] if pointer else []
    for path in (*places, layout.out("evaluate", model) / "report.html"):
        if path.is_file():
            print(path)
            return
    raise ConfigError(f"{model} has no report yet: `dvc repro evaluate@{model}` makes it")


def _folders(layout: Layout, model: str | None, published: bool = True) -> list[Path]:
    """The release folders of one model, or of all. Raises `ConfigError` with close spellings."""
    known = {path.name: path for path in sorted((layout.root / "releases").glob("*")) if release.names(path)}
    if model is None:
        return list(known.values())
    if model in known:
        return [known[model]]
    if restored.restored(layout, model):
        return []
    from kindex.core.params import load

    models = load(layout.params).models
    if model in models and not published:
        return [layout.releases(model)]
    unreleased = f"{model} has no release yet: `make nightly` releases"
    raise ConfigError(unreleased if model in models else f"no model named {model!r}: {choices(model, {*known, *models})}")


def _rows(folder: Path) -> list[list[str]]:
    """One line for each version, newest first; a damaged one says so."""
    try:
        pointer = release.current(folder)
    except DamagedError as error:
        return [[folder.name, "CURRENT", "", "", "", printable(str(error)), "damaged", ""]]
    rows = []
    for version in reversed(release.names(folder)):
        withdrawn = "withdrawn" if pointer and version in pointer.withdrawn else ""
        mark = "live" if pointer and pointer.version == version else withdrawn
        try:
            manifest = release.read_manifest(folder, version)
            numbers = [str(manifest.about.get("night", "")), manifest.digest[:12], _headline(folder, manifest)]
            rows.append([folder.name, version, mark, *numbers, _verdict(manifest.about), manifest.parent or ""])
        except DamagedError:
            rows.append([folder.name, version, mark, "", "", "", "damaged", ""])
    return rows


def _headline(folder: Path, manifest: Manifest) -> str:
    """The number that the model is judged by first, as its evaluation names it."""
    try:
        head = json.loads(release.inside(folder / manifest.version, "evidence.json").read_bytes())["headline"]
        return f"{head['metric']} {float(head['value']):.3f}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _verdict(about: dict[str, Any]) -> str:
    verdict = about.get("verdict")
    passed = verdict.get("passed") if isinstance(verdict, dict) else about.get("passed")
    if passed is None:
        return str(verdict or "")
    return "passed" if passed else "failed"


def _replay(layout: Layout) -> bool:
    """Let the aliases follow now, if MLflow answers. The command line itself knows nothing of MLflow."""
    command = [sys.executable, "-m", "tasks.tracking", "--root", str(layout.root), "replay"]
    try:
        return subprocess.run(command, capture_output=True, timeout=REPLAY_SECONDS, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
