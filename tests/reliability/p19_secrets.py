"""A word that must be nowhere is put into every variable and address that holds a password: Prefect, its database, MLflow, the
object store, receivers of alerts, a source in PostgreSQL. Then commands are run, and in the long form whole nights, told
and not told, refused, held, misconfigured, failing with an I/O error, beside a temporary Prefect server, and with a
database that does not answer. Then the word is searched in all that was printed and in every file of the project: releases,
reports, manifests, locks, logs, MLflow's and Prefect's stores, the outbox, DVC's cache, git's objects. Parquet is decoded,
SQLite dumped, gzip unpacked; base64 (the header of a password), hex and the word itself count. Each text and each file is a
try. First the search must find the word where it was hidden.
"""

import base64
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests import projects
from tests.infra.canaries import CANARY, DOWN, SETTINGS, heard, sings
from tests.reliability import Say, Seen

NUMBER = 19
PROMISE = "secrets stay secret"
WANTED = "a canary in environment and URLs: 0 hits in logs, MLflow, manifests, reports"

KINDEX = ("-c", "from kindex.cli import main; main()")
SHORT = {**DOWN, "PREFECT_SERVER_API_AUTH_STRING": f"team:{CANARY}"[:15]}  # too short, so that it is spoken of
OWN_PREFECT = {name: value for name, value in SETTINGS.items() if not name.startswith("PREFECT_")}
SQL = '    source: {kind: sql, uri: "%s", links: {table: links, key: [basket], watermark: at}, left: basket, right: fruit}'
FILES = "    source: {kind: files, links: links.csv, left: basket, right: fruit, left_kind: basket, right_kind: fruit}"


def tried(scratch: Path, count: int, say: Say) -> Seen:
    seen = Seen()
    for name, hit in heard(hidden(scratch / "hidden")).items():
        if not name.startswith("repository/.git") or name.endswith("(objects)"):
            seen.expect(hit, f"the search does not find the word in {name}")
    root = projects.make(scratch / "project").root
    under_git(root)
    for words in (("config", "--unset", "core.no_scm"), ("remote", "add", "--default", "team", "s3://kindex/dvc")):
        projects.run(root, sys.executable, "-m", "dvc", *words, check=True)
    for what, step in list(STEPS.items())[:count]:
        done = step(root)
        said = done.stdout + done.stderr
        say(f"{what}: exit {done.returncode}, {len(said)} characters")
        seen.expect(bool(said) and not sings(said.encode()), f"{what}: {said[-300:]!r}")
    ours = ("src/", "infra/", ".git/hooks/", ".git/objects/")
    found = {name: hit for name, hit in heard(root).items() if not name.startswith(ours)}
    for name, hit in found.items():
        seen.expect(not hit, name)
    ends = Counter(Path(name).suffix or "others" for name in found).most_common(7)
    kinds = ", ".join(f"{number} {end}" for end, number in ends)
    seen.notes.append(f"{min(count, len(STEPS))} commands and nights; {len(found):,} files searched, by ending: {kinds}")
    seen.notes.append(f"{len(SETTINGS) + 1} variables held the word")
    return seen


def command(*words: str, settings: dict[str, str] = DOWN) -> Callable[[Path], subprocess.CompletedProcess[str]]:
    return lambda root: projects.run(root, sys.executable, *words, **settings)


def night(settings: dict[str, str], *options: str, **more: str) -> Callable[[Path], subprocess.CompletedProcess[str]]:
    return command("-m", "flows.nightly", "--only", projects.LINKED, *options, settings={**settings, **more})


def broken(path: str, former: str, now: str, step: Callable[[Path], subprocess.CompletedProcess[str]]):
    """A step during which a file of the project has another text."""

    def run(root: Path) -> subprocess.CompletedProcess[str]:
        whole = (root / path).read_text()
        if former not in whole:
            raise ValueError(f"{path} does not hold {former!r}")
        (root / path).write_text(whole.replace(former, now))
        try:
            return step(root)
        finally:
            (root / path).write_text(whole)

    return run


GATE, STRICT = (
    "shop-pairs: [{metric: index_recall_at_10, at_least: 0.95}]",
    "shop-pairs: [{metric: popularity_link_recall_at_10, at_least: 1.0}]",
)
STEPS = {
    "kindex doctor": command(*KINDEX, "doctor"),
    "make ui for others, the password too short": command("-m", "tasks.ui", "--host", "example.org", settings=SHORT),
    "MLflow's address": command("-m", "tasks.tracking", "address"),
    "kindex lock, the database down": broken(
        "params.yaml", FILES, SQL % "postgresql://kindex:${SHOP_PASSWORD}@127.0.0.1:9/shop", command(*KINDEX, "lock", "shop")
    ),
    "a night that MLflow's own store is told": night(SETTINGS),
    "a night with MLflow down": night(DOWN, "--force"),
    "a night whose rows are refused": broken("links.csv", "fruit-1", "", night(DOWN, "--force")),
    "a night held by its gate": broken("params.yaml", GATE, STRICT, night(DOWN, "--force")),
    "a night with a password in params.yaml": broken(
        "params.yaml", FILES, SQL % f"postgresql://kindex:{CANARY}14@127.0.0.1:9/shop", night(DOWN, "--force")
    ),
    "a night whose database is down": broken("params.yaml", FILES, SQL % "${SHOP_URI}", night(DOWN, "--force")),
    "a night with an I/O error": night(DOWN, "--force", KINDEX_FAULT="12:eio"),
    "a night with a temporary Prefect server": night(OWN_PREFECT, "--force"),
    "a night with nothing new": night(DOWN),
    "alerts sent": command("-m", "tasks.alerts", "send"),
    "alerts tried": command("-m", "tasks.alerts", "test"),
    "what waits for MLflow, down": command("-m", "tasks.tracking", "replay"),
    "what waits for MLflow, told": command("-m", "tasks.tracking", "replay", settings=SETTINGS),
    "kindex status": command(*KINDEX, "status"),
    "kindex plan": command(*KINDEX, "plan"),
    "kindex nights": command(*KINDEX, "nights"),
    "kindex releases": command(*KINDEX, "releases", projects.LINKED),
    "make schedule, Prefect down": command("-m", "tasks.schedule"),
}
LONG, SMALL, SLOW = len(STEPS), 4, True


def hidden(folder: Path) -> Path:
    """The word where it is not easily seen."""
    folder.mkdir()
    pq.write_table(
        pa.table({"said": [CANARY] * 1000}), folder / "dictionary.parquet", compression="zstd", write_statistics=False
    )
    store = sqlite3.connect(folder / "store.db")
    store.execute("CREATE TABLE said (what)")
    store.execute("INSERT INTO said VALUES (?)", ("x" * 4000 + CANARY + "x" * 4000,))
    store.commit()
    store.close()
    for shift in range(3):
        (folder / f"header{shift}.txt").write_bytes(base64.b64encode(b"u" * shift + f":{CANARY}7".encode()))
    said = folder / "repository" / "said.txt"
    said.parent.mkdir()
    said.write_text(CANARY * 100)
    under_git(said.parent)
    said.unlink()
    return folder


def under_git(root: Path) -> None:
    """A repository with one commit of all there is, without what nights make."""
    (root / ".gitignore").write_text(".site/\ndata/\nreleases/\nvar/\n.dvc/tmp\n.dvc/cache\n")
    me = ("git", "-c", "user.name=me", "-c", "user.email=me@example.invalid")
    for words in (("init", "-q", "-b", "main"), ("add", "--all"), ("commit", "-qm", "all")):
        subprocess.run([*me, *words], cwd=root, check=True, capture_output=True)
