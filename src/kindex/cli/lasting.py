"""`kindex rebuild`, `gc` and `forget`. They work with git, DVC and outside systems, so each is a process of `tasks`."""

import subprocess
import sys
from typing import Annotated

import typer

from kindex.cli.questions import Model
from kindex.core.layout import find


def rebuild(
    model: Model,
    version: Annotated[str, typer.Argument(help="Which release: v0003, or the name of its tag")],
    keep: Annotated[bool, typer.Option("--keep", help="Leave what was made in var/rebuild")] = False,
) -> None:
    """Make a release again from its tag and compare it byte by byte. Exit code 3 names each file that differs."""
    _run("tasks.rebuilding", model, version, *(["--keep"] if keep else []))


def gc(
    keep: Annotated[int, typer.Option(help="How many formerly live releases of each model stay, 1 or more")] = 7,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing")] = False,
) -> None:
    """Remove releases that nobody needs. What is live, a parent, or tagged and not at the DVC remote stays; it says why."""
    _run("tasks.collecting", "--keep", str(keep), *(["--dry-run"] if dry_run else []))


def forget(
    name: Annotated[str, typer.Argument(help="A catalogue, or a model of it", metavar="CATALOGUE")],
    item: Annotated[str, typer.Argument(help="The id of the item", metavar="ID")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what holds it")] = False,
) -> None:
    """Erase an item for good, step by step. Exit code 0 proves that nothing here holds it; 3 lists what still does."""
    _run("tasks.forgetting", name, *(["--dry-run"] if dry_run else []), "--", item)


def _run(module: str, *arguments: str) -> None:
    """The task as a process with this one's streams; its exit code is ours."""
    command = [sys.executable, "-m", module, "--root", str(find().root), *arguments]
    raise typer.Exit(subprocess.run(command, check=False).returncode)
