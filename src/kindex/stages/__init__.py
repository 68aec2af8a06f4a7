"""The six stages: params → load → one pure call → write. `python -m kindex.stages STAGE KEY` runs one.

A stage is a module with `run(job: Job) -> dict`: it reads below `job.layout`, writes below `job.out` only, and returns
what the run cost (numbers that depend on this machine, kept in `var/costs`, never an input of anything).
"""

from dataclasses import dataclass
from pathlib import Path

from kindex.core.layout import Layout
from kindex.core.params import Params
from kindex.core.watch import Watch


@dataclass(frozen=True)
class Job:
    """One run of one stage for one key. `out` is an empty folder that becomes `layout.out(stage, key)` afterwards."""

    layout: Layout
    params: Params
    key: str
    out: Path
    watch: Watch
