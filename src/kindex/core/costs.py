"""What the stages of a model cost on this machine: facts of the machine, never an input of anything."""

from typing import Any

from kindex.core.files import read_json
from kindex.core.layout import Layout, keys_of


def read_costs(layout: Layout, catalogue: str, model: str) -> dict[str, dict[str, Any]]:
    """Seconds, memory and rates of each stage's last run here; a stage restored from a cache may have none."""
    paths = {stage: layout.costs(stage, key) for stage, key in keys_of(catalogue, model).items()}
    return {stage: read_json(path) for stage, path in paths.items() if path.is_file()}
