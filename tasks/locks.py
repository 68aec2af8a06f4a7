"""Move the locks: tonight's snapshot of each source. A lock that stays as it is leaves its file untouched."""

from collections.abc import Iterable

from kindex.core.layout import Layout
from kindex.core.params import Params


def move(layout: Layout, params: Params, catalogues: Iterable[str], *, missing_only: bool = False) -> list[str]:
    """The catalogues whose lock moved. With `missing_only`, a lock that is there stays as it is.

    Raises `ConfigError` for a source that cannot be read as params.yaml describes it, `OutsideError` when it is down.
    """
    from kindex.sources.locking import move as move_one

    wanted = [name for name in catalogues if not (missing_only and layout.lock(name).exists())]
    return [name for name in wanted if move_one(layout, params, name)[1]]
