"""Clean clones of one commit, each in surroundings of its own: another folder, host name, time zone, locale, hash seed, umask,
home, file system, one core instead of all, `OMP_NUM_THREADS` and its kin 1 and 2. In each the nights of two dates are run:
a first one that builds in full, and one after the same small change of the sources, which works by delta where the family
can. Of every file below data and releases, of the locks and of dvc.lock, the sha256 must be that of the first clone, and so
must each release's digest.

Excepted, see docs/decisions/0002: report.html, which shows seconds, and the notes of a release with the manifest that lists
them.
"""

from pathlib import Path

from kindex.core import release
from kindex.core.files import read_json, sha256_file
from kindex.core.layout import STAGES, Layout
from tests import projects
from tests.reliability import Say, Seen
from tests.reliability.clones import PLACES, Place, commit, folder, run
from tests.tasks.lasting_project import git

NUMBER = 14
PROMISE = "same inputs, same bytes: clean clones in unlike surroundings"
WANTED = "equal sha256 of every file; exceptions listed"
LONG, SMALL, SLOW = 7, 1, "long"
SHOWS_SECONDS = "report.html"
ALONE = """
import sys
from pathlib import Path
from tests import projects
from tests.reliability import chain

layout = chain.made(Path(sys.argv[1]), {"kind": "files", "links": "links.csv", "left": "basket", "right": "fruit"})
projects.write_links(layout.root / "links.csv")
chain.night(layout, "evaluate")
chain.released(layout)
"""


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` clones beside the first; in the small form one model and its stages alone, in one process for each place."""
    seen, whole = Seen(), count >= LONG
    origin = commit(scratch / "origin") if whole else None
    first: dict[str, str] = {}
    for name, place in list(PLACES.items())[: count + 1]:
        with folder(scratch, place) as root:
            layout = Layout(root)
            if origin:
                git(scratch, "clone", "-q", str(origin), str(root))
                for number, date in enumerate(("2027-01-01", "2027-01-02")):
                    night(layout, place, date, number)
            else:
                run(scratch, place, "-c", ALONE, str(root))
            made = contents(layout)
            if not first:
                first = made
                seen.notes.append(f"{len(first)} files each; trained on the last night: {built(layout)}")
                continue
            others = set(dict(made.items() ^ first.items()))
            for path in sorted(made.keys() | first.keys()):
                seen.expect(path not in others, f"{name}: {path} differs")
            say(f"{name}: {len(made)} files, {len(others)} differ")
    seen.notes.append(f"compared with the first of these: {'; '.join(list(PLACES)[: count + 1])}")
    seen.notes.append(
        f"excepted: {SHOWS_SECONDS} in data/evaluate; manifest.json and notes/ of releases (digests are compared)"
    )
    return seen


def night(layout: Layout, place: Place, date: str, number: int) -> None:
    """One night; the sources change a little before the second. Raises `RuntimeError`."""
    if number:
        with (layout.root / "links.csv").open("a") as links:
            links.write("basket-0,fruit-0\nbasket-40,fruit-1\nbasket-40,fruit-3\n")
        projects.write_stamps(layout.root / "stamps.parquet", count=61)
    run(layout.root, place, "-m", "flows.nightly", "--date", date)


def contents(layout: Layout) -> dict[str, str]:
    """sha256 by path, and the digests of releases."""
    stages = [path for stage in STAGES for path in (layout.root / "data" / stage).rglob("*") if path.name != SHOWS_SECONDS]
    releases = layout.root / "releases"
    content = [path for path in releases.glob("*/v*/**/*") if "notes" not in path.parts and path.name != "manifest.json"]
    locks = [*(layout.root / "locks").rglob("*"), layout.root / "dvc.lock"]
    found = {
        path.relative_to(layout.root).as_posix(): sha256_file(path) for path in [*stages, *content, *locks] if path.is_file()
    }
    digests = {
        f"digest of {one.model} {one.version}": one.digest for each in releases.iterdir() for one in release.versions(each)
    }
    return {**found, **digests}


def built(layout: Layout) -> str:
    paths = sorted((layout.root / "data" / "train").glob("*/refresh.json"))
    return ", ".join(f"{path.parent.name} {read_json(path)['built']}" for path in paths)
