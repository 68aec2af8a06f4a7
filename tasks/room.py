"""Room on the disk, asked for before work begins: on a full disk DVC tries for ever to write its own databases."""

from kindex.core.files import require_space
from kindex.core.layout import Layout
from tasks.dvclock import recorded

SPARE_BYTES = 20_000_000  # what a night writes beside its stages' outputs: databases, messages, logs


def require(layout: Layout, target: str = "") -> None:
    """Raise `OutsideError`, naming the space needed, without room for a night, or for what `target` made the last time."""
    require_space(layout.root, SPARE_BYTES + 2 * made_before(layout, target), target or "a night")  # 2: where DVC has to copy


def made_before(layout: Layout, target: str) -> int:
    """Bytes of the target's outputs as dvc.lock records them; 0 before the first time."""
    entry = recorded(layout).get(target, {}) if target else {}
    return sum(out.get("size", 0) for out in entry.get("outs", []))
