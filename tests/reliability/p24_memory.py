"""Generated links, and ten times as many, go through all six stages, each in a process of its own. A stage's budget is a part
for Python and the libraries that it imports, whatever the data, and a part for each million links, of which three in a hundred
are items. Resident memory at its peak, as the kernel counted it, must keep the budget; and beyond a limit on the process
(`RLIMIT_DATA`) a stage would be refused memory and fail. `pairs` has 32 dimensions and its default settings here.
"""

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from benchmarks import scale
from kindex.core.files import read_json
from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout
from tests.projects import ROOT
from tests.reliability import Seen

NUMBER = 24
PROMISE = "memory is bounded"
WANTED = "peak resident memory within the stated budget in every stage, with ten times the data"
LONG, SMALL, SLOW = 100_000, 3_000, True

BUDGETS = {
    "ingest": (190, 150),
    "validate": (400, 150),
    "split": (200, 150),
    "train": (520, 400),
    "index": (220, 100),
    "evaluate": (400, 400),
}
"""MB that a stage may have, whatever the data, and MB for each million links."""

BEYOND = 1536
"""MB of the limit beyond the budget: it counts addresses, and Arrow's allocator sets a gigabyte of them aside at once."""


def tried(scratch: Path, count: int, say: Callable[[str], None]) -> Seen:
    """`count` links, and ten times as many (in the small form only those): a try for each stage of each."""
    seen, peaks = Seen(), {}
    sizes = (count, 10 * count) if count >= LONG else (10 * count,)
    for links in sizes:
        root = scratch / str(links)
        root.mkdir()
        for stage, peak, error in _peaks(root, links):
            budget = _budget(stage, links)
            seen.expect(not error and peak <= budget, f"{stage} of {links:,} links: {peak:.0f} MB of {budget:.0f}. {error}")
            peaks[stage, links] = peak
            say(f"{stage} of {links:,} links: {peak:.0f} MB, allowed {budget:.0f}")
            if error:
                break
    for links in sizes:
        told = (
            f"{stage} {peaks[stage, links]:.0f} of {_budget(stage, links):.0f}" for stage in STAGES if (stage, links) in peaks
        )
        seen.notes.append(f"{links:,} links: MB at the peak, of the budget: {', '.join(told)}")
    return seen


def _budget(stage: str, links: int) -> float:
    fixed, per_million = BUDGETS[stage]
    return fixed + per_million * links / 1e6


def _peaks(root: Path, links: int) -> list[tuple[str, float, str]]:
    """(stage, MB, what it said if it failed) of the project's six stages, one after the other."""
    given = ["--links", str(links), "--generate", str(root / "links.parquet")]
    subprocess.run([sys.executable, "-m", "benchmarks.scale", *given], cwd=ROOT, check=True)
    options = argparse.Namespace(weights=False, dates=False, set=["dimensions=32"])
    (root / "params.yaml").write_text(yaml.safe_dump(scale.settings("links.parquet", options)))
    lock = (
        "from kindex.core.layout import find\nfrom kindex.core.params import load\nfrom kindex.sources.locking import move\n"
    )
    lock += f"move(find(), load(find().params), {scale.KEY!r})"
    subprocess.run([sys.executable, "-c", lock], env=_environment(root), check=True)
    found = []
    for stage in STAGES:
        found.append((stage, *_peak(root, stage, links)))
        if found[-1][2]:
            break
    return found


def _peak(root: Path, stage: str, links: int) -> tuple[float, str]:
    """MB of resident memory at the peak of one stage under its limit, and the end of what it said when it failed."""
    most = int((_budget(stage, links) + BEYOND) * 1e6)
    key = scale.KEY if stage in CATALOGUE_STAGES else scale.MODEL
    command = [sys.executable, "-m", "kindex.stages", stage, key]
    with (root / "said").open("w+b") as said:
        limit = lambda: resource.setrlimit(resource.RLIMIT_DATA, (most, most))  # noqa: E731
        process = subprocess.Popen(command, env=_environment(root), stdout=said, stderr=said, preexec_fn=limit)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        error = said.read().decode(errors="replace")[-400:] if process.returncode else ""
    if error:
        return used.ru_maxrss * 1024 / 1e6, error
    return read_json(Layout(root).costs(stage, key))["peak_memory_mb"] * 2**20 / 1e6, ""


def _environment(root: Path) -> dict[str, str]:
    return {**os.environ, "KINDEX_ROOT": str(root), "GX_ANALYTICS_ENABLED": "false", "OMP_NUM_THREADS": "1"}
