"""What stages import, imported before they ask: by the fork server, module by module, while nobody waits for it."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from kindex.core.errors import KindexError
from kindex.core.layout import STAGES, find
from kindex.core.params import load
from kindex.encoders import family

HEAVY = {
    "ingest": ["pyarrow.parquet", "pyarrow.compute", "pyarrow.csv"],
    "validate": ["pandas", "great_expectations"],
    "split": [],
    "train": ["scipy.sparse", "safetensors.numpy"],
    "index": ["faiss"],
    "evaluate": ["pyarrow.acero", "openTSNE", "sklearn.utils.extmath", "sklearn.cluster", "sklearn.linear_model", "jinja2"],
}
"""What a stage's functions import when they need it, beside the modules that its own file imports."""


def modules(stage: str) -> list[str]:
    """What a process for `stage` is forked with; nothing for a stage that does not exist."""
    return [f"kindex.stages.{stage}", *HEAVY[stage]] if stage in STAGES else []


def ahead() -> Iterator[str]:
    """All modules in the order in which a night needs them; torch is the last, where the family of a model embeds by it every
    night. A transductive one needs it only for a fit, which takes so long that the import does not count."""
    for stage in STAGES:
        yield from modules(stage)
    with suppress(KindexError):
        models = load(find().params).models
        if any(getattr(family(params, name), "INDUCTIVE", False) for name, params in models.items()):
            yield "torch"


def bring(module: str) -> None:
    """Import it. What cannot be imported here will fail in the stage, and say so there."""
    with suppress(Exception):
        importlib.import_module(module)


def edited_since(moment: float) -> bool:
    """Whether a file of kindex that was imported has been written after `moment` (seconds since 1970)."""
    files = {module.__file__ for name, module in [*sys.modules.items()] if name.partition(".")[0] == "kindex"}
    return any(Path(file).stat().st_mtime > moment for file in files if file)
