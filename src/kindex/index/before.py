"""The index of the parent release, for one that is made from it. Every file is held against the manifest before it is read."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kindex.core.errors import DamagedError
from kindex.core.files import read_json
from kindex.core.former import Former
from kindex.core.params import IndexParams
from kindex.core.space import Space, read_space
from kindex.index.index import Index, Trial, load


@dataclass(frozen=True)
class Past:
    """An index as it was built, and since: `nights` that it was changed in, and `changed` vectors, added or replaced."""

    index_recall_at_10: float
    budget_excess: float | None
    nights: int = 0
    changed: int = 0


@dataclass(frozen=True)
class Before:
    """The parent's index, the space that it is of, and what is known of both."""

    space: Space
    index: Index
    trials: tuple[Trial, ...]
    past: Past


def other_settings(parent: Former, params: IndexParams) -> str:
    """Which settings the parent's indexes were built with that are others now; "" when none that matters."""
    was = read_json(parent.file("lineage.json")).get("settings", {}).get("index", {})
    # how neighbours are ranked is no matter of the index
    now = {name: value for name, value in asdict(params).items() if name != "neighbours"}
    return ", ".join(f"{name} was {was.get(name)!r} and is {value!r}" for name, value in now.items() if was.get(name) != value)


def read_before(parent: Former, stem: str) -> Before | None:
    """The index of one space, or None when the release has none. Raises `DamagedError` naming a file that is damaged."""
    vectors, places = f"vectors/{stem}.parquet", f"index/places/{stem}.parquet"
    if not parent.has(vectors):
        return None
    path, about = parent.file(f"index/{stem}.faiss"), parent.file(f"index/{stem}.json")
    told = read_json(about)
    index = load(path, told, parent.file(places) if parent.has(places) else None)
    space = read_space(parent.file(vectors))
    if (index.count, index.metric) != (len(space.ids), space.metric):
        raise DamagedError(f"{path} is not of {parent.folder / vectors}: their counts or metrics differ")
    rows = read_json(parent.file("index/table.json"))
    return Before(space, index, tuple(_trial(row) for row in rows if row["kind"] == stem), _past(about, told))


def _trial(row: dict[str, Any]) -> Trial:
    known = {name: value for name, value in row.items() if name in Trial.__dataclass_fields__}
    return Trial(**known | {"score_error": float("inf") if row["score_error"] is None else row["score_error"]})


def _past(path: Path, told: dict[str, Any]) -> Past:
    """What an index that was changed says of its past; one that was built has none."""
    try:
        if "update" in told:
            return Past(**told["update"]["past"])
        return Past(told["index_recall_at_10"], told.get("budget_excess"))
    except (KeyError, TypeError) as error:
        raise DamagedError(f"{path} does not say what was done to the index since it was built: {error!r}") from None
