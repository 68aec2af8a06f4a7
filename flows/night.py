"""A night at work: what the flows' verbs do. It reaches each outside system through its file in `tasks`.

A stage that fails stops what depends on it and nothing else; every other catalogue and model goes on. What is told
afterwards, and to whom, is in `flows.telling`.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

from flows.options import Options
from flows.record import Record
from kindex.core.errors import OutsideError
from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout
from kindex.core.params import Params
from tasks import locks, releases
from tasks.clock import Clock
from tasks.fencing import Fence
from tasks.forkserver import ForkServer
from tasks.orchestration import Conductor
from tasks.releases import Published
from tasks.stages import PASSING, Pipeline, StageRun

MODEL_STAGES = STAGES[len(CATALOGUE_STAGES) :]
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
    fence: Fence | None = None
    stage_processes: ForkServer | None = None
    pipeline: Pipeline | None = None
    moved: list[str] = field(default_factory=list)  # catalogues whose source changed
    left_out: str = ""  # the nights before this one that nobody ran, nor will, in a sentence
    record: Record = field(default_factory=Record)

    @property
    def models(self) -> list[str]:
        return list(self.options.models or self.params.models)

    @property
    def catalogues(self) -> list[str]:
        used = {self.params.models[model].catalogue for model in self.models}
        return [name for name in self.params.catalogues if name in used or not self.options.models]

    def targets(self) -> list[str]:
        """Every target of this run, in the order of work: all catalogues, then model after model."""
        of_catalogues = [f"{stage}@{name}" for name in self.catalogues for stage in CATALOGUE_STAGES]
        return of_catalogues + [f"{stage}@{model}" for model in self.models for stage in MODEL_STAGES]

    def broken(self, key: str) -> str:
        """The target whose failure stops the further stages of this catalogue or model, or an empty string."""
        needed = {key, self.params.models[key].catalogue} if key in self.params.models else {key}
        return next((run.target for run in self.record.failed if run.key in needed), "")

    def move_locks(self, *, missing_only: bool = False) -> None:
        """Look at each source. One that is down keeps its lock and its old data; one that is wrong stops its catalogue."""
        for name in self.catalogues:
            with self.clock.of("sources"), self.record.surviving(f"the lock of {name}", "ingest", name):
                try:
                    self.moved += locks.move(self.layout, self.params, [name], missing_only=missing_only)
                except OutsideError as error:
                    self.record.troubles.append((error.exit_code, str(error)))
        if self.moved:
            self.prepare_processes()

    def prepare_processes(self) -> None:
        """Stages will run: let what they import be imported meanwhile."""
        if self.stage_processes:
            self.stage_processes.start()

    @property
    def stopped(self) -> bool:
        """Whether every catalogue is stopped already, so that no stage can run."""
        return all(self.broken(name) for name in self.catalogues)

    def nothing_new(self) -> bool:
        """Whether every stage is up to date and every release is judged. Raises what DVC raises for a broken dvc.yaml."""
        if self.options.force or self.options.full or self.record.troubles:
            return False
        with self.clock.of("DVC"):
            if self.opened().stale(self.targets()):
                return False
        with self.clock.of("releases"):
            found = [releases.settled(self.layout, self.params, model) for model in self.models]
        self.record.published = {result.model: result for result in found if result}
        return all(found)

    def follow(self, model: str) -> None:
        """Lock the release that the model starts from, if what it is trained on or with has changed."""
        if self.broken(model):
            return
        with self.clock.of("DVC"), self.record.noticing(f"the parent of {model}"):
            from tasks.parents import follow

            moved = follow(self.layout, self.params, model, self.opened(), self.options.night, full=self.options.full)
            if moved:
                self.conductor.say(f"parent of {model}: locked anew")

    def reproduce(self, stage: str, key: str, *, force: bool = False) -> None:
        """One stage of one catalogue or model, unless what it needs has failed."""
        target = f"{stage}@{key}"
        if broken := self.broken(key):
            self.record.runs.setdefault(target, StageRun(stage, key, "skipped", f"{broken} failed"))
            return
        place = f"[{self.targets().index(target) + 1:>2}/{len(self.targets())}] {target}"
        with self.record.surviving(target, stage, key):
            self.require_current()
            self.record.runs[target] = self.conductor.step(
                lambda: self._reproduced(stage, key, force, lambda why: self.conductor.say(f"{place}: {why}")),
                name="reproduce",
                run_name=target,
                retries=2,
                timeout_seconds=STAGE_TIMEOUT,
                passing=PASSING,
            )
        run = self.record.runs[target]
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

    def require_current(self) -> None:
        """Raise `BusyError` when a newer run has begun: this one is late, and must neither write nor publish."""
        if self.fence:
            self.fence.check()

    def publish(self, model: str) -> None:
        """Gate → release → promote, unless the stages failed or nothing has changed since the last time."""
        if self.broken(model):
            return
        with self.record.surviving(f"publishing {model}"):
            result = None if self.options.force else releases.settled(self.layout, self.params, model)
            if result is None:
                result = self.conductor.step(
                    lambda: self._published(model),
                    name="publish",
                    run_name=f"publish@{model}",
                    retries=2,
                    passing=PASSING,
                )
            self.record.published[model] = result
            self.conductor.say(f"release {model}: {result.version} {result.digest[:12]}, {result.outcome}")

    def _published(self, model: str) -> Published:
        with self.clock.of("releases"), self.fence.held() if self.fence else nullcontext():
            made = releases.provenance(self.layout, self.options.night)
            return releases.publish(self.layout, self.params, model, made)

    def opened(self) -> Pipeline:
        """DVC's view of the project, opened when it is first needed."""
        if self.pipeline is None:
            with self.clock.of("imports"):
                self.pipeline = Pipeline(self.layout)
        return self.pipeline
