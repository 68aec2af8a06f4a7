"""A project under git has a DVC remote, a folder or an S3-compatible store. Nights train, publish, tag and push; then the
machine is lost: all that is left is a copy of the git repository, with its tags, and the remote. Of every tag an empty
clone is made in another folder, `dvc pull` brings the bytes, and `kindex verify` checks each file. The digest must be the
one that was published, every file the same to the byte, and the release must answer a question as it did.

Of the remote's objects that a tag needs, one is lost or damaged, another one for each tag: the pull or the check must say
so.
"""

import json
import shutil
import sys
from pathlib import Path

from kindex.core import release
from kindex.core.files import sha256_file
from kindex.core.layout import Layout
from tests import projects
from tests.reliability import Say, Seen, lost
from tests.tasks.lasting_project import git, kindex

NUMBER = 23
PROMISE = "restore: pull a tagged release into an empty clone from the remote"
WANTED = "verify passes"
LONG, SMALL, SLOW = 20, 1, "long"


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` tags, half of them in a store when there are two or more."""
    seen = Seen()
    shares = {"a folder": count - count // 2, "an S3-compatible store": count // 2}
    for place, (where, tags) in enumerate(shares.items()):
        if tags:
            with lost.remote(scratch / f"remote{place}", where) as (address, keys):
                every_tag(scratch / f"machine{place}", address, keys, tags, f"from {where}", seen)
            say(f"{tags} tags from {where}, {len(seen.failures)} failures")
    seen.notes.append(", ".join(f"{tags} tags from {where}" for where, tags in shares.items() if tags))
    seen.notes.append(f"{shares['a folder']} objects lost or damaged at the remote, each noticed" * (not seen.failures))
    return seen


def every_tag(root: Path, address: str, keys: dict[str, str], count: int, where: str, seen: Seen) -> None:
    """Nights, the loss of the machine, and each tag brought back."""
    layout = lost.project(root / "project", address)
    made = [lost.night(layout, number, keys) for number in range(count)]
    git(root, "clone", "-q", "--mirror", str(layout.root), str(root / "mirror"))
    shutil.rmtree(layout.root)
    for tagged in made:
        restored(root, tagged, keys, f"{tagged.name} {where}", seen)
    for number, tagged in enumerate(made if address.startswith("/") else []):
        damaged(root, tagged, Path(address), number, seen)


def cloned(root: Path, tag: str, keys: dict[str, str], name: str) -> tuple[Path, str]:
    """An empty clone at the tag, after `dvc pull`, and what that said when it failed."""
    clone = root / name
    git(root, "clone", "-q", "--branch", tag, str(root / "mirror"), str(clone))
    done = projects.run(clone, sys.executable, "-m", "dvc", "pull", "-q", HOME=str(root), **keys)
    return clone, done.stdout + done.stderr if done.returncode else ""


def restored(root: Path, tagged: lost.Tagged, keys: dict[str, str], where: str, seen: Seen) -> None:
    clone, trouble = cloned(root, tagged.name, keys, "clone")
    try:
        verified = kindex(clone, "verify")
        layout = Layout(clone)
        told = f"{where}: pull: {trouble[-300:] or 'well'}; verify: {verified.returncode} {verified.stderr[-300:]}"
        seen.expect(not trouble and verified.returncode == 0, told)
        if (layout.releases(lost.MODEL) / tagged.version).is_dir():
            manifest = release.read_manifest(layout.releases(lost.MODEL), tagged.version)
            same = manifest.digest == tagged.digest and lost.contents(layout, tagged.version) == tagged.files
            seen.expect(same, f"{where}: other bytes than were published")
            live = kindex(clone, "rollback", lost.MODEL, "--to", tagged.version)
            seen.expect(live.returncode == 0 and lost.answer(layout) == tagged.answer, f"{where}: answers something else")
        seen.expect(git(clone, "status", "--porcelain") == "", f"{where}: git status is not clean")
    finally:
        shutil.rmtree(clone)


def damaged(root: Path, tagged: lost.Tagged, address: Path, number: int, seen: Seen) -> None:
    """One object of the release is lost, or has a flipped byte, at the remote; then it is put right."""
    wanted = {sha256 for name, sha256 in tagged.files.items() if name != "manifest.json"}
    found = sorted(path for path in (address / "files" / "md5").rglob("*") if path.is_file() and sha256_file(path) in wanted)
    victim, aside = found[number % len(found)], root / "aside"
    shutil.copy(victim, aside)
    missing = number % 2 == 0
    victim.chmod(0o644)
    victim.unlink() if missing else victim.write_bytes(bytes([victim.read_bytes()[0] ^ 1]) + victim.read_bytes()[1:])
    clone, trouble = cloned(root, tagged.name, {}, "clone")
    try:
        verified = kindex(clone, "verify")
        how = "lost" if missing else "damaged"
        told = json.dumps([trouble[-200:], verified.returncode, verified.stdout[-200:]])
        seen.expect(
            bool(trouble) or verified.returncode == 3, f"{tagged.name}: an object {how} at the remote was not noticed: {told}"
        )
        seen.expect(verified.returncode == 3, f"{tagged.name}: verify passed with an object {how}: {told}")
    finally:
        shutil.rmtree(clone)
        aside.replace(victim)
