"""Kinds of source, one file each, loaded by name.

A source is a module with four names:

    Config                 frozen keyword-only dataclass: the settings of `catalogues.<key>.source` but for `kind`
    tables(config)         the kinds of table that its catalogue will have: items, and links or images
    snapshot(config, root) what there is now, as JSON: versions, paths, sha256, sizes. Cheap: it runs every night
    read(config, snapshot, root, watch) -> Ingested
                           exactly that snapshot. Raises `NotAsLockedError` when the source is no longer it

More where they are true:

    advance(config, root, former, name, *, fresh, dry) -> (snapshot, moved)
                           instead of `snapshot`, for a source that moves on from the `former` one and keeps what it read below
                           `var/snapshots/<name>`: `fresh` reads everything, `dry` keeps nothing. `moved` is for people
    purged(config, root, snapshot), tidy(root, snapshot)
                           for such a source: the same snapshot without values of rows that went, and then the rest removed
    changes(former, now)   what differs between two snapshots, for people: {"files": {"added": [names], "changed": …}}

A source does not know the name of its catalogue: its errors speak of `source.<setting>`; see `named`.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from kindex.core.blocks import build
from kindex.core.catalogue import Catalogue
from kindex.core.errors import ConfigError, DataGateError, choices
from kindex.core.params import CatalogueParams

_NOT_KINDS = ("locking",)


@dataclass(frozen=True)
class Ingested:
    """What a source gave: typed tables, and the rows that could not become any (schema `QUARANTINE`).

    `counts` are further numbers for ingest.json. `columns` describes the source's own tables, by file and column, for
    the check of schema drift; {} when a source has no columns that could drift.
    """

    catalogue: Catalogue
    refused: pa.Table
    counts: dict[str, int] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)


class NotAsLockedError(DataGateError):
    """The source is there but is not the snapshot that is locked; the message names what differs."""


class ColumnError(DataGateError):
    """A column that a setting names is not as it must be. `columns` are those that the file has, by file."""

    def __init__(self, name: str, column: str, columns: dict[str, str], message: str) -> None:
        self.column, self.columns = column, {name: columns}
        super().__init__(message)


class MissingColumnError(ColumnError):
    """A file has not the column that a setting names."""

    def __init__(self, name: str, column: str, columns: dict[str, str]) -> None:
        super().__init__(name, column, columns, f"{name} has no column {column!r}: {choices(column, columns, most=40)}")


def kinds() -> list[str]:
    """Names of the kinds of source: the modules beside this file."""
    found = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return sorted(name for name in found if name not in _NOT_KINDS)


def source(params: CatalogueParams, catalogue: str) -> tuple[Any, Any]:
    """The module of the catalogue's kind of source, and its settings. Raises `ConfigError` with close spellings."""
    settings = dict(params.source)
    kind = settings.pop("kind", None)
    if kind not in kinds():
        known = choices(str(kind), kinds())
        raise ConfigError(f"catalogues.{catalogue}.source.kind is {kind!r}: {known}. Edit params.yaml")
    module = importlib.import_module(f"kindex.sources.{kind}")
    return module, build(module.Config, settings, f"catalogues.{catalogue}.source")


@contextmanager
def named(catalogue: str) -> Iterator[None]:
    """Name the catalogue and the cure in what a source raises."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"catalogues.{catalogue}.{error}") from None
    except NotAsLockedError as error:
        raise NotAsLockedError(f"{error}. To accept the source as it is now, run `kindex lock {catalogue}`") from None
