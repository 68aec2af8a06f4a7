"""Kinds of source, one file each, loaded by name.

A source is a module with four names:

    Config                 frozen keyword-only dataclass: the settings of `catalogues.<key>.source` but for `kind`
    snapshot(config, root) what there is now, as JSON: versions, paths, sha256, sizes. Cheap: it runs every night
    read(config, snapshot, root, watch) -> Ingested
                           exactly that snapshot. Raises `DataGateError` when the source is no longer it
    LINKED                 True when the catalogue has links, False when it has images
"""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from kindex.core.catalogue import Catalogue
from kindex.core.errors import ConfigError, choices
from kindex.core.params import CatalogueParams, build


@dataclass(frozen=True)
class Ingested:
    """What a source gave: typed tables, and the rows that could not become any (schema `QUARANTINE`)."""

    catalogue: Catalogue
    refused: pa.Table


def kinds() -> list[str]:
    """Names of the kinds of source: the modules beside this file."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)


def source(params: CatalogueParams, catalogue: str) -> tuple[Any, Any]:
    """The module of the catalogue's kind of source, and its settings. Raises `ConfigError` with close spellings."""
    settings = dict(params.source)
    kind = settings.pop("kind", None)
    if kind not in kinds():
        known = choices(str(kind), kinds())
        raise ConfigError(f"catalogues.{catalogue}.source.kind is {kind!r}: {known}. Edit params.yaml")
    module = importlib.import_module(f"kindex.sources.{kind}")
    return module, build(module.Config, settings, f"catalogues.{catalogue}.source")
