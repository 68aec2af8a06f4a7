"""One run of one stage, as `run` of its module is told of it."""

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
