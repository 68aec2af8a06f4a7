"""A project beside a real Prefect server, a real MLflow server and an S3-compatible store as DVC remote, each behind a door. A
night publishes a new release while one of the three fails: it stops, answers every request with 500, is 30 seconds late
with every answer, or carries out what it is asked and breaks the connection before it says so. It stops at each moment of a
night, from its opening over each stage to the release; the other faults begin at the opening, in training, and once the
release is made.

The night must end well with the release live. Then all is well again, and the next night, which has nothing new, must empty
the outboxes. Now MLflow must know exactly what it knows after a night that nothing disturbed: the same runs with the same
status, the same versions and aliases, nothing twice; and the remote must have every object of the release.

The small form has all three down at once, without servers: a night, and the next one.
"""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

from kindex.core import outbox, release
from kindex.core.layout import Layout
from tests import projects
from tests.reliability import Say, Seen, beside, lost
from tests.reliability.outages import FAULTS
from tests.tasks.lasting_project import git

NUMBER = 11
PROMISE = "an outside system is down (MLflow, Prefect API, DVC remote) or slow"
WANTED = (
    "each at each stage, 500s, 30 s latency; still published, the outbox replays at the next run, 0 duplicate runs in MLflow"
)
LONG, SMALL, SLOW = 51, 1, "long"
MODEL = projects.LINKED
SYSTEMS = ("MLflow", "the DVC remote", "Prefect")
MOMENTS = {
    "opening": "",
    **{stage: f"{stage}@shop:" for stage in ("ingest", "validate", "split")},
    **{stage: f"{stage}@{MODEL}:" for stage in ("train", "index", "evaluate")},
    "release": f"release {MODEL}:",
}
SOME = ("opening", "train", "release")
STOPPED = [(system, moment, "stopped") for moment in MOMENTS for system in SYSTEMS]
CASES = [*((system, moment, fault) for fault in FAULTS[1:] for moment in SOME for system in SYSTEMS), *STOPPED]


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` of the cases; one alone is the small form."""
    seen = Seen()
    if count == 1:
        all_down(scratch / "project", seen)
        return seen
    slowest: dict[str, float] = {}
    with beside.outside(scratch / "outside") as outside:
        made = first_night(scratch / "made", outside)
        calm = one(made, scratch / "own", outside, 0, None, seen)
        slowest["nothing fails"] = calm[1]
        for number, case in enumerate(CASES[:count], 1):
            state, seconds = one(made, scratch / "own", outside, number, case, seen)
            seen.expect(state == calm[0], f"{case}: MLflow knows {state}, and without the fault {calm[0]}")
            name = f"{case[0]}, {case[2]}"
            slowest[name] = max(slowest.get(name, 0), seconds)
            say(f"{number}: {', '.join(case)}: {seconds:.0f} s, {len(seen.failures)} failures")
    seen.notes.append(
        "seconds of the slowest night: " + "; ".join(f"{name} {seconds:.0f}" for name, seconds in slowest.items())
    )
    return seen


def first_night(root: Path, outside: beside.Outside) -> Layout:
    layout = lost.project(root, "s3://first/dvc")
    outside.bucket("first")
    night = beside.night(layout, "2027-01-01", outside)
    if night.code:
        raise RuntimeError(f"the first night ended with {night.code}: {night.said[-2000:]}")
    projects.write_links(layout.root / "links.csv", baskets=42)
    return layout


def one(
    made: Layout, root: Path, outside: beside.Outside, number: int, case: tuple[str, str, str] | None, seen: Seen
) -> tuple[dict[str, Any], float]:
    """A night with the fault and the night after it. What MLflow knows then, and how long the first night took."""
    shutil.rmtree(root, ignore_errors=True)
    layout = projects.copy(made, root)
    config = layout.root / ".dvc" / "config"
    config.write_text(config.read_text().replace("s3://first/", f"s3://bucket-{number}/"))
    bucket = outside.bucket(f"bucket-{number}")
    beside.forget(outside.mlflow, MODEL, number)
    if case:
        door = outside.doors[case[0]]
        night = beside.night(layout, "2027-01-02", outside, door, MOMENTS[case[1]], case[2])
    else:
        night = beside.night(layout, "2027-01-02", outside)
    version = release.verify(layout.releases(MODEL)).version
    seen.expect(night.code == 0 and version == "v0002", f"{case}: exit {night.code}, live is {version}: {night.said[-800:]}")
    outside.well()
    after = beside.night(layout, "2027-01-03", outside)
    waiting = [message.path.name for folder in (layout.outbox, layout.outbox / "remote") for message in outbox.pending(folder)]
    calm = after.code == 0 and "unchanged" in after.said and not waiting
    seen.expect(calm, f"{case}: the next night: exit {after.code}, {waiting} wait: {after.said[-800:]}")
    stored, wanted = sum(1 for _ in bucket.objects.all()), objects(layout)
    seen.expect(stored >= wanted, f"{case}: {stored} of {wanted} objects are at the remote")
    return beside.told(outside.mlflow, MODEL), night.seconds


def objects(layout: Layout) -> int:
    """How many different files the live release has."""
    manifest = release.live(layout.releases(MODEL))
    return len({entry.sha256 for entry in [*manifest.entries.values(), *manifest.notes.values()]})


def all_down(root: Path, seen: Seen) -> None:
    """MLflow and Prefect do not answer, and in the place of the remote's folder is a file."""
    remote = root.with_name("remote")
    layout = lost.project(root, str(remote))
    remote.write_text("not a folder")
    down = projects.nightly(root, "--date", "2027-01-01", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    tag = f"{MODEL}@2027-01-01.1"
    well = down.returncode == 0 and release.verify(layout.releases(MODEL)).version == "v0001" and tag in git(root, "tag")
    seen.expect(well, f"exit {down.returncode}: {down.stdout[-500:]}{down.stderr[-500:]}")
    waiting = [outbox.pending(folder) for folder in (layout.outbox, layout.outbox / "remote")]
    seen.expect(all(waiting) and "messages wait" in down.stdout and "waits to be pushed" in down.stdout, f"waiting: {waiting}")
    remote.unlink()
    after = projects.nightly(root, "--date", "2027-01-02")
    waiting = [outbox.pending(folder) for folder in (layout.outbox, layout.outbox / "remote")]
    seen.expect("unchanged" in after.stdout and not any(waiting), f"the next night: {after.stdout[-500:]}, {waiting} wait")
    with sqlite3.connect(layout.var / "mlflow" / "mlflow.db") as store:
        told = store.execute("SELECT name, version FROM model_versions").fetchall()
        runs = store.execute("SELECT status, count(*) FROM runs GROUP BY status").fetchall()
    seen.expect(told == [(MODEL, 1)] and runs == [("FINISHED", 2)], f"MLflow knows {told}, {runs}")
    seen.expect(any(remote.rglob("*")), "nothing is at the remote")
