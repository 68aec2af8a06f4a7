"""A night at work: what the flows' verbs do. It reaches each outside system through its file in `tasks`.

A stage that fails stops what depends on it and nothing else; every other catalogue and model goes on.
"""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flows.options import Options
from kindex.core import layout as layouts
from kindex.core import mutex, outbox
from kindex.core import params as settings
from kindex.core.errors import KindexError
from kindex.core.files import sha256_file, write_atomic
from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout
from kindex.core.params import Params
from tasks import environment, locks, releases
from tasks.clock import Clock
from tasks.orchestration import Conductor
from tasks.releases import Published
from tasks.stages import PASSING, Pipeline, StageRun

if TYPE_CHECKING:
    from tasks.tracking import Replayed

SEVERITY = (0, 4, 3, 6, 5, 2, 1)
"""Exit codes from the mildest to the worst; a night ends with the worst of its parts."""

STAGE_TIMEOUT = 6 * 3600.0  # seconds; a night that hangs must end before the next


@dataclass
class Night:
    """One run: what it was asked, what it works with, and what has come of it so far."""

    options: Options
    layout: Layout
    params: Params
    clock: Clock
    conductor: Conductor
    started: str
    pipeline: Pipeline | None = None
    moved: list[str] = field(default_factory=list)  # catalogues whose source changed
    runs: dict[str, StageRun] = field(default_factory=dict)  # by target
    published: dict[str, Published] = field(default_factory=dict)  # by model
    troubles: list[tuple[int, str]] = field(default_factory=list)  # exit code and message
    notices: list[str] = field(default_factory=list)  # what went without, and did not matter to the result

    @property
    def models(self) -> list[str]:
        return list(self.options.models or self.params.models)

    @property
    def catalogues(self) -> list[str]:
        used = {self.params.models[model].catalogue for model in self.models}
        return [name for name in self.params.catalogues if name in used or not self.options.models]

    @property
    def exit_code(self) -> int:
        held = [4] if any(result.outcome == "held" for result in self.published.values()) else []
        return max([0, *held, *(code for code, _ in self.troubles)], key=SEVERITY.index)

    def keys(self, stage: str) -> list[str]:
        """The catalogues or the models that `stage` runs for."""
        return self.catalogues if stage in CATALOGUE_STAGES else self.models

    def targets(self) -> list[str]:
        """Every target of this run, in the order of work."""
        return [f"{stage}@{key}" for stage in STAGES for key in self.keys(stage)]

    def move_locks(self, *, missing_only: bool = False) -> None:
        """Look at each source; a catalogue whose source is down keeps its lock, and its old data."""
        for name in self.catalogues:
            with self.clock.of("sources"), self.surviving(f"the lock of {name}"):
                self.moved += locks.move(self.layout, self.params, [name], missing_only=missing_only)

    def nothing_new(self) -> bool:
        """Whether every stage is up to date and every release is judged. Raises what DVC raises for a broken dvc.yaml."""
        if self.options.force or self.troubles:
            return False
        with self.clock.of("DVC"):
            if self.opened().stale(self.targets()):
                return False
        with self.clock.of("releases"):
            found = [releases.settled(self.layout, self.params, model) for model in self.models]
        self.published = {result.model: result for result in found if result}
        return all(found)

    def reproduce(self, stage: str, key: str, *, force: bool = False) -> None:
        """One stage of one catalogue or model, unless what it needs has failed."""
        target = f"{stage}@{key}"
        if broken := self.broken(key):
            self.runs[target] = StageRun(stage, key, "skipped", f"{broken} failed")
            return
        place = f"[{len(self.runs) + 1:>2}/{len(self.targets())}] {target}"
        with self.surviving(target, stage, key):
            self.runs[target] = self.conductor.step(
                lambda: self._reproduced(stage, key, force, lambda why: self.conductor.say(f"{place}: {why}")),
                name="reproduce",
                run_name=target,
                retries=2,
                timeout_seconds=STAGE_TIMEOUT,
                passing=PASSING,
            )
        run = self.runs[target]
        if run.outcome != "up to date":
            why = f": {run.why}" if run.outcome == "failed" else f" in {run.seconds:.1f} s"
            self.conductor.say(f"        {run.outcome}{why}")

    def _reproduced(self, stage: str, key: str, force: bool, say: Callable[[str], None]) -> StageRun:
        from tasks.tracking import curves

        following = curves(self.layout, key, self.options.night) if stage == "train" else nullcontext()
        with self.clock.of("DVC"), following:
            run = self.opened().reproduce(stage, key, say, force=force)
        self.clock.move(run.work_seconds, "DVC", "work")
        return run

    def publish(self, model: str) -> None:
        """Gate → release → promote, unless the stages failed or nothing has changed since the last time."""
        if self.broken(model):
            return
        with self.surviving(f"publishing {model}"):
            result = None if self.options.force else releases.settled(self.layout, self.params, model)
            if result is None:
                result = self.conductor.step(
                    lambda: self._published(model),
                    name="publish",
                    run_name=f"publish@{model}",
                    retries=2,
                    passing=PASSING,
                )
            self.published[model] = result
            self.conductor.say(f"release {model}: {result.version} {result.digest[:12]}, {result.outcome}")

    def _published(self, model: str) -> Published:
        with self.clock.of("releases"):
            made = releases.provenance(self.layout, self.options.night)
            return releases.publish(self.layout, self.params, model, made)

    def tell(self) -> None:
        """Leave a message about this night if it did anything, then bring MLflow what waits; it may be down."""
        if not self.troubles and all(run.outcome in ("up to date", "restored") for run in self.runs.values()):
            return self.replay()
        made = releases.provenance(self.layout, self.options.night)
        with self.surviving("the outbox"):
            releases.tell_night(self.layout, made, self.started, {model: self.line(model) for model in self.models})
        return self.replay()

    def replay(self) -> None:
        """Bring MLflow what waits in the outbox, if anything does."""
        if not outbox.pending(self.layout.outbox):
            return
        replayed = self.conductor.step(self._replayed, name="replay the outbox", run_name="MLflow", timeout_seconds=900)
        if replayed.waiting:
            self.notices.append(f"MLflow: {replayed.waiting} messages wait in {self.layout.outbox} ({replayed.reason})")

    def _replayed(self) -> "Replayed":
        from tasks.tracking import replay

        with self.clock.of("MLflow"):
            return replay(self.layout)

    def line(self, model: str) -> str:
        """What became of one model, in a line."""
        if broken := self.broken(model):
            return f"{broken} failed; the live release stays"
        result = self.published.get(model)
        if result is None:
            return "not published; the live release stays"
        why = f": {'; '.join(result.failures) or result.trouble}" if result.outcome == "held" else ""
        return f"{result.version} {result.digest[:12]} {result.outcome}{why}"

    def broken(self, key: str) -> str:
        """The target whose failure stops the catalogue's or the model's further stages, or an empty string."""
        needed = {key, self.params.models[key].catalogue} if key in self.params.models else {key}
        return next((run.target for run in self.runs.values() if run.outcome == "failed" and run.key in needed), "")

    def opened(self) -> Pipeline:
        """DVC's view of the project, opened when it is first needed."""
        if self.pipeline is None:
            with self.clock.of("imports"):
                self.pipeline = Pipeline(self.layout)
        return self.pipeline

    @contextmanager
    def surviving(self, what: str, stage: str = "", key: str = "") -> Iterator[None]:
        """An error of this part is kept for the end; it stops what depends on it, and nothing else."""
        try:
            yield
        except KindexError as error:
            self.troubles.append((error.exit_code, str(error)))
        except OSError as error:
            self.troubles.append((6, f"{what}: {error}"))
        except Exception as error:  # a fault of ours in one model must not cost the others their night
            traceback.print_exc()
            self.troubles.append((1, f"{what}: {error!r}"))
        else:
            return
        code, message = self.troubles[-1]
        if stage:
            self.runs[f"{stage}@{key}"] = StageRun(stage, key, "failed", message, exit_code=code)


@contextmanager
def opened(options: Options, clock: Clock) -> Iterator[Night]:
    """A night with the project's one mutex held and params.yaml checked: the quick refusals, before heavy imports.

    Raises `ConfigError` (2) and, when another flow works on the project, `BusyError` (5).
    """
    layout = layouts.find(options.root)
    with mutex.hold(layout.mutex("night"), f"the night of {layout.root}"):
        environment.settle(layout)
        params = settings.load(layout.params)
        for model in options.models:
            params.model(model)
        with clock.of("imports"):
            check(layout, params)
        with clock.of("Prefect"):
            conductor = Conductor(clock, environment.server(layout))
        started = datetime.now(UTC).isoformat(timespec="seconds")
        yield Night(options, layout, params, clock, conductor, started)


def check(layout: Layout, params: Params) -> None:
    """Hold every block against the source or family that reads it. Raises `ConfigError`, before anything runs.

    It imports every family, torch with it: a params.yaml that passed is not checked again until it is edited.
    """
    marker, wanted = layout.var / "params.checked", sha256_file(layout.params)
    if marker.exists() and marker.read_text() == wanted:
        return
    from kindex.encoders import configure
    from kindex.sources import source

    for name, block in params.catalogues.items():
        source(block, name)
    for name, model in params.models.items():
        configure(model, name)
    write_atomic(marker, wanted.encode())
