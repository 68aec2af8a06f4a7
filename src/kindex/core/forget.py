"""What was asked to be forgotten: marks in a catalogue's lock, by which each ingest drops the rows of those items.

A mark is a keyed hash of the id (BLAKE2b, RFC 7693), so that the list does not keep what it is to erase. The key stands beside
it: whoever has the lock can try an id, and learns whether it was forgotten; nobody can list the ids.
The marks are a part of the lock, so they are in git, in every tag, and DVC finds ingest stale when one is added.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import Catalogue
from kindex.core.errors import ConfigError, DamagedError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.tables import Stream, Tables, batches_of

FIELD = "forgotten"
FORGOTTEN = "(forgotten)"
ID_COLUMNS = {"items": ("id",), "links": ("left", "right"), "images": ("id",), "captions": ("id",)}


@dataclass(frozen=True)
class Forgotten:
    """Marks of one catalogue's forgotten ids, of whichever kind of item."""

    salt: str
    marks: frozenset[str]

    def mark(self, name: str) -> str:
        """The mark of an id."""
        key = bytes.fromhex(self.salt)
        return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.mark(name) in self.marks


def read_forgotten(lock: Path) -> Forgotten | None:
    """The marks in a catalogue's lock; None when nothing was forgotten. Raises `DamagedError` when they are not marks."""
    if not lock.exists():
        return None
    raw = read_json(lock).get(FIELD)
    if not raw:
        return None
    try:
        forgotten = Forgotten(raw["salt"], frozenset(raw["marks"]))
        forgotten.mark("")
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(
            f"{lock} has marks of forgotten items that cannot be read: {error!r}. Restore it from git"
        ) from None
    return forgotten


def forget(lock: Path, name: str) -> bool:
    """Mark an id in the lock; False when it was marked before. Raises `ConfigError` when there is no lock yet."""
    if not lock.exists():
        raise ConfigError(f"{lock} is missing: run `kindex lock {lock.stem}` first")
    known = read_forgotten(lock) or Forgotten(secrets.token_hex(32), frozenset())
    if name in known:
        return False
    marks = sorted({*known.marks, known.mark(name)})
    write_atomic(lock, pretty_json({**read_json(lock), FIELD: {"salt": known.salt, "marks": marks}}))
    return True


def without(forgotten: Forgotten | None, catalogue: Catalogue, refused: pa.Table) -> tuple[Catalogue, pa.Table, int]:
    """The catalogue and the refused rows without what is forgotten, and how many rows went. Links go with either end.

    Without marks everything is returned as it came. Streams stay streams: their ids are looked at once, now.
    """
    if forgotten is None:
        return catalogue, refused, 0
    known: dict[str, bool] = {}
    parts: dict[str, pa.Table | Stream] = {}
    dropped = 0
    for kind in catalogue.tables:
        part = catalogue.part(kind)
        keep_N = _keeping(forgotten, part, ID_COLUMNS.get(kind, ()), known)
        dropped += int(np.count_nonzero(~keep_N))
        parts[kind] = part if keep_N.all() else _kept(part, keep_N)
    stays = np.array([not any(text in forgotten for text in _texts(row)) for row in refused.to_pylist()], bool)
    dropped += int(np.count_nonzero(~stays))
    return replace(catalogue, tables=Tables(parts)), refused.filter(pa.array(stays)), dropped


def masked(forgotten: Forgotten | None, told: Any) -> Any:
    """Nested JSON that people are shown, without what is forgotten; where a record names such an item, its other texts go too.

    A comparison with a release that still has the item would else name it in a new one.
    """
    if forgotten is None:
        return told
    if isinstance(told, str):
        return FORGOTTEN if told in forgotten else told
    if isinstance(told, Mapping):
        named = told.get("id") in forgotten
        plain = {FORGOTTEN if key in forgotten else key: part for key, part in told.items()}
        return {key: FORGOTTEN if named and isinstance(part, str) else masked(forgotten, part) for key, part in plain.items()}
    return [masked(forgotten, part) for part in told] if isinstance(told, list | tuple) else told


def _keeping(forgotten: Forgotten, part: pa.Table | Stream, columns: Sequence[str], known: dict[str, bool]) -> np.ndarray:
    """Which of the N rows name no forgotten id in `columns`. `known` remembers each id that was hashed."""
    keeps = [np.ones(0, bool)]
    for batch in batches_of(part, list(columns)) if columns else ():
        keep_N = np.ones(batch.num_rows, bool)
        for column in batch.columns:
            coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
            names = coded.dictionary.to_pylist()
            known.update((name, name in forgotten) for name in names if name not in known)
            gone = [known[name] for name in names]
            indices_N = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            keep_N &= ~np.append(np.array(gone, bool), False)[indices_N]
        keeps.append(keep_N)
    return np.concatenate(keeps) if columns else np.ones(part.num_rows, bool)


def _kept(part: pa.Table | Stream, keep_N: np.ndarray) -> pa.Table | Stream:
    if isinstance(part, pa.Table):
        return part.filter(pa.array(keep_N))

    def batches(columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in part.batches(columns):
            yield batch.filter(pa.array(keep_N[start : start + batch.num_rows]))
            start += batch.num_rows

    return Stream(part.schema, int(np.count_nonzero(keep_N)), batches)


def _texts(row: Mapping[str, Any]) -> Iterator[str]:
    """Every text of a refused row: its value, and those in the record, which is JSON."""
    yield str(row["value"])
    try:
        yield from leaves(json.loads(row["record"]))
    except (TypeError, ValueError):
        yield str(row["record"])


def leaves(value: Any) -> Iterator[str]:
    """Every text in nested JSON, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield str(key)
            yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)
