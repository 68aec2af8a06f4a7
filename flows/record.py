"""What has come of a night so far: the runs, the releases, what went wrong; and the exit code that follows."""

import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kindex.core.errors import KindexError
from tasks.releases import Published
from tasks.stages import StageRun

SEVERITY = (0, 4, 3, 6, 5, 2, 1)
"""Exit codes from the mildest to the worst; a night ends with the worst of its parts."""


def worst(codes: Iterable[int]) -> int:
    """The exit code of several; one that is not ours (130, Ctrl-C) is worse than all."""
    return max([0, *codes], key=lambda code: SEVERITY.index(code) if code in SEVERITY else len(SEVERITY))


@dataclass
class Record:
    """Filled while the night works."""

    runs: dict[str, StageRun] = field(default_factory=dict)  # by target
    published: dict[str, Published] = field(default_factory=dict)  # by model
    troubles: list[tuple[int, str]] = field(default_factory=list)  # exit code and message
    notices: list[str] = field(default_factory=list)  # what went without, and did not matter to the result

    @property
    def exit_code(self) -> int:
        held = [4] if any(result.outcome == "held" for result in self.published.values()) else []
        return worst([*held, *(code for code, _ in self.troubles)])

    @property
    def failed(self) -> list[StageRun]:
        return [run for run in self.runs.values() if run.outcome == "failed"]

    @property
    def idle(self) -> bool:
        """Whether no stage ran, no release was judged (which a killed night may leave to the next), and nothing went wrong."""
        judged = any(result.outcome != "unchanged" for result in self.published.values())
        ran = any(run.outcome not in ("up to date", "restored") for run in self.runs.values())
        return not (self.troubles or judged or ran)

    def line(self, model: str, broken: str) -> str:
        """What became of one model, in a line; `broken` is the target that stopped it, if one did."""
        if broken:
            return f"{broken} failed; the live release stays"
        result = self.published.get(model)
        if result is None:
            return "not published; the live release stays"
        why = f": {'; '.join(result.failures) or result.trouble}" if result.outcome == "held" else ""
        return f"{result.version} {result.digest[:12]} {result.outcome}{why}"

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
    def noticing(self, what: str) -> Iterator[None]:
        """An error of this part is told in the summary and changes nothing: the night's result does not depend on it."""
        try:
            yield
        except KindexError as error:
            self.notices.append(f"{what}: {error}")
        except OSError as error:
            self.notices.append(f"{what}: {error}")
        except Exception as error:
            traceback.print_exc()
            self.notices.append(f"{what}: {error!r}")
