"""Run one stage: take its mutex, fix the threads, write to a temporary folder, rename, note the cost.

Nothing but numpy is imported before the threads are fixed, for OpenMP and BLAS read them once.
"""

import contextlib
import importlib
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from kindex.core import mutex
from kindex.core.errors import ConfigError, KindexError, OutsideError, choices
from kindex.core.files import fault_point, pretty_json, replacing, write_atomic
from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout, find
from kindex.core.params import Params, load
from kindex.stages.parts.lifetime import die_with_parent


def main(arguments: list[str]) -> int:
    """`STAGE KEY` → exit code (see `kindex.core.errors`)."""
    try:
        if len(arguments) != 2:
            raise ConfigError(f"usage: python -m kindex.stages STAGE KEY, where STAGE is one of {', '.join(STAGES)}")
        stage, key = arguments
        if stage not in STAGES:
            raise ConfigError(f"no stage named {stage!r}: {choices(stage, STAGES)}")
        die_with_parent()
        layout = find(os.environ.get("DVC_ROOT"))
        params = load(layout.params)
        fix_threads(threads(params, stage, key))
        run_stage(layout, params, stage, key)
        return 0
    except KindexError as error:
        print(f"{' '.join(arguments)}: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"{' '.join(arguments)}: {error}", file=sys.stderr)
        if not error.errno:
            traceback.print_exc()
        return OutsideError.exit_code


def threads(params: Params, stage: str, key: str) -> int:
    """What the model says; one for the stages of a catalogue. Raises `ConfigError` for an unknown key."""
    if stage in CATALOGUE_STAGES:
        params.catalogue(key)
        return 1
    return params.model(key).threads


def run_stage(layout: Layout, params: Params, stage: str, key: str) -> None:
    """Run `stage` for `key` in this process. Raises `BusyError` when another process runs the same one."""
    module = importlib.import_module(f"kindex.stages.{stage}")
    from kindex.stages.parts.job import Job
    from kindex.stages.parts.terminal import TerminalWatch

    with mutex.hold(layout.mutex(f"{stage}@{key}"), f"stage {stage}@{key}"), _failure_noted(layout.failure(stage, key)):
        began = time.perf_counter()
        fault_point(f"begin {stage}@{key}")
        with replacing(layout.out(stage, key), layout.work(stage, key)) as out:
            watch = TerminalWatch(f"{stage} {key}", out / "history.jsonl", layout.checkpoint(key))
            costs = module.run(Job(layout, params, key, out, watch))
        watch.forget()
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        costs["seconds"] = round(time.perf_counter() - began, 3)
        costs["cpu_seconds"] = round(sum(one.ru_utime + one.ru_stime for one in used), 3)
        costs["peak_memory_mb"] = round(max(_own_peak_kb(), used[1].ru_maxrss) / 1024, 1)
        write_atomic(layout.costs(stage, key), pretty_json(costs))


def _own_peak_kb() -> int:
    """The most memory that this process held. Linux counts into its own ru_maxrss what the parent held before exec."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


@contextlib.contextmanager
def _failure_noted(note: Path) -> Iterator[None]:
    """Leave the message of a failure where a night's summary finds it: DVC passes on no more than the exit code."""
    note.unlink(missing_ok=True)
    try:
        yield
    except (KindexError, OSError) as error:
        with contextlib.suppress(OSError):
            write_atomic(note, str(error).encode())
        raise


def thread_variables(threads: int) -> dict[str, str]:
    """What OpenMP and BLAS read when they are loaded."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return dict.fromkeys(names, str(threads)) | {"OMP_WAIT_POLICY": "passive"}


def fix_threads(threads: int) -> None:
    """Make the number of threads what the model says, whatever the environment or the machine say."""
    os.environ.update(thread_variables(threads))
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)  # numpy is imported already, and its BLAS has read the environment
