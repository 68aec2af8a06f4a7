"""Every path of a kindex project, in one frozen object. It makes no folder; the writer of a file does."""

import os
from dataclasses import dataclass
from pathlib import Path

from kindex.core.errors import ConfigError

STAGES = ("ingest", "validate", "split", "train", "index", "evaluate")
CATALOGUE_STAGES = STAGES[:3]
"""Stages that run once for each catalogue; the others run once for each model."""


def keys_of(catalogue: str, model: str) -> dict[str, str]:
    """What each of the six stages runs for, to make the model: the catalogue, then the model itself."""
    return {stage: catalogue if stage in CATALOGUE_STAGES else model for stage in STAGES}


@dataclass(frozen=True)
class Layout:
    """Paths below the project's `root`. A *key* is a catalogue's or a model's name in params.yaml."""

    root: Path

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    def lock(self, catalogue: str) -> Path:
        """Which snapshot of the catalogue's source we mean; in git."""
        return self.root / "locks" / f"{catalogue}.json"

    def parent(self, model: str) -> Path:
        """Which release of the model the next one starts from, if any; in git. See `kindex.core.parent`."""
        return self.root / "locks" / "parents" / f"{model}.json"

    def out(self, stage: str, key: str) -> Path:
        """The outputs of one stage for one key; owned by DVC."""
        return self.root / "data" / stage / key

    def work(self, stage: str, key: str) -> Path:
        """Where a stage writes before it renames; beside the outputs, so that the rename cannot cross a disk."""
        return self.root / "data" / ".work" / f"{stage}@{key}"

    def checkpoint(self, model: str) -> Path:
        return self.root / "data" / ".checkpoints" / model

    def releases(self, model: str) -> Path:
        return self.root / "releases" / model

    @property
    def var(self) -> Path:
        """What this machine remembers and git, DVC and releases do not need: stores, mutexes, costs, the outbox."""
        return self.root / "var"

    def costs(self, stage: str, key: str) -> Path:
        """Seconds and peak memory of the stage's last run here; never an input, for it differs from run to run."""
        return self.var / "costs" / f"{stage}@{key}.json"

    def failure(self, stage: str, key: str) -> Path:
        """What the stage said when it last failed here, for a summary to repeat."""
        return self.var / "failures" / f"{stage}@{key}.txt"

    def data_docs(self, catalogue: str) -> Path:
        """The page of the catalogue's last validation here; a night that validation stopped has one, too."""
        return self.var / "data-docs" / catalogue / "index.html"

    def mutex(self, name: str) -> Path:
        return self.var / "mutex" / f"{name}.lock"

    @property
    def nights(self) -> Path:
        """What every night did, one file for each logical date; see `tasks.journal`."""
        return self.var / "nights"

    @property
    def outbox(self) -> Path:
        return self.var / "outbox"


def find(root: Path | str | None = None) -> Layout:
    """The project at `root`, or `$KINDEX_ROOT`, or the nearest folder at or above here that has a params.yaml.

    Raises `ConfigError` when there is none.
    """
    given = root or os.environ.get("KINDEX_ROOT")
    start = Path(given or ".").resolve()
    for folder in [start] if given else [start, *start.parents]:
        if (folder / "params.yaml").is_file():
            return Layout(folder)
    asked = "--root" if root else "KINDEX_ROOT" if given else "the current folder"
    raise ConfigError(f"no params.yaml in {start}{'' if given else ' or above it'}: {asked} must be inside a kindex project")
