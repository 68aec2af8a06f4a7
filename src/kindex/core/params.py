"""params.yaml as typed, frozen objects. A key that nobody reads is an error in the first second.

The blocks of `models` are the families' own: `catalogue` and `family` are read here, the rest by the family's `Config`.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kindex.core.blocks import T, build, read_yaml
from kindex.core.errors import ConfigError, choices

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")


@dataclass(frozen=True, kw_only=True)
class CheckParams:
    """Limits of validation for one catalogue."""

    max_quarantine_share: float = 0.05  # of all rows of one table; above it the night stops
    max_volume_change: float = 0.5  # of a table's rows, up or down, against the last data that passed
    max_text_characters: int = 1000  # of an id, label or description
    image_shape: tuple[int, ...] = ()  # height, width (and channels); () takes any one shape


@dataclass(frozen=True, kw_only=True)
class SplitParams:
    """How a catalogue is divided into train and held-out."""

    heldout_share: float = 0.1
    salt: str = "kindex"  # another salt is another division
    by: Literal["hash", "time"] = "hash"  # time holds out the newest links; they need dates

    def __post_init__(self) -> None:
        if not 0 <= self.heldout_share < 1:
            raise ValueError(f"heldout_share is {self.heldout_share}, allowed: 0 to below 1")


@dataclass(frozen=True, kw_only=True)
class CatalogueParams:
    """One block of `catalogues`. `source` holds `kind` (a file of `kindex/sources`) and that source's own settings.

    `checks` and `split` may be empty mappings but not left out, for dvc.yaml tracks them by name.
    """

    source: dict[str, Any]
    checks: CheckParams
    split: SplitParams


@dataclass(frozen=True, kw_only=True)
class IndexParams:
    """How the spaces of one model are indexed. `kind: auto` takes exact search up to `exact_below` vectors; `budget` tries
    many kinds and takes the cheapest that keeps every limit given, see docs/decisions/0009-index-by-budget.md."""

    kind: str = "auto"  # auto, exact, budget, or a faiss factory string
    exact_below: int = 20_000
    index_recall_at_10: float = 0.95  # the smallest setting that reaches it is kept
    p95_ms: float | None = None  # of a budget: one query on one thread, by the cost model; 95 of 100 take no longer
    bytes_per_vector: float | None = None  # of a budget: the index file's bytes, divided by its vectors
    sample: int = 500  # queries that measure it
    neighbours: Literal["cosine", "local_scaling", "inverted_softmax"] = "cosine"  # the last two answer hubs less often

    def __post_init__(self) -> None:
        if not 0 < self.index_recall_at_10 <= 1:
            raise ValueError(f"index_recall_at_10 is {self.index_recall_at_10}, allowed: above 0, up to 1")
        if self.sample < 1:
            raise ValueError(f"sample is {self.sample}, allowed: 1 or more")
        for name, limit in (("p95_ms", self.p95_ms), ("bytes_per_vector", self.bytes_per_vector)):
            if limit is not None and self.kind != "budget":
                raise ValueError(f"{name} is {limit}, which only kind: budget keeps; kind is {self.kind!r}")
            if limit is not None and not 0 < limit < float("inf"):
                raise ValueError(f"{name} is {limit}, allowed: above 0")


@dataclass(frozen=True, kw_only=True)
class EvaluateParams:
    """What evaluation measures, for all models."""

    bootstrap: int = 200  # resamples of the queries behind each interval
    sample_queries: int = 2000  # held-out left items that are ranked
    map_items: int = 4000  # points of the 2-D map
    examples: int = 5  # well-known items whose neighbours the report shows
    golden: dict[str, tuple[str, ...]] = field(default_factory=dict)  # model → ids whose neighbours it always shows, first
    seed: int = 7


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """One line of a gate; see `kindex.judge.gate`. Exactly one of the four rules is given."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    beats: str | None = None  # another metric of the same report, e.g. a baseline's
    by: float = 0.0  # the margin of `beats`
    live_tolerance: float | None = None  # may fall this far below the live release

    def __post_init__(self) -> None:
        given = [rule for rule in ("at_least", "at_most", "beats", "live_tolerance") if getattr(self, rule) is not None]
        if len(given) != 1:
            raise ValueError(f"{self.metric}: give one of at_least, at_most, beats, live_tolerance; got {given or 'none'}")


@dataclass(frozen=True, kw_only=True)
class RefreshParams:
    """When a night re-embeds only what changed since the live release, and when it builds the model anew."""

    mode: Literal["auto", "full"] = "auto"  # full: every night trains anew
    max_change: float = 0.05  # share of train rows changed since the last training (full or warm), up to which none is done
    max_warm_change: float = 0.25  # since the last full build, up to which a model is trained from the live vectors; 0: never
    max_drift: float = 0.02  # fall, since the full build, of how well unchanged items agree with what their links say now
    max_nights: int = 30  # releases made from one another since the last full build
    max_age_days: int = 30  # days since the last full build

    def __post_init__(self) -> None:
        for name in ("max_change", "max_warm_change", "max_drift"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 0 to 1")
        for name in ("max_nights", "max_age_days"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 0 or more")


@dataclass(frozen=True, kw_only=True)
class ModelParams:
    """One block of `models`: a family trained on a catalogue. `config` is what remains of the block."""

    catalogue: str
    family: str
    config: dict[str, Any]
    refresh: RefreshParams = RefreshParams()

    @property
    def threads(self) -> int:
        """Threads that training may use; a parameter, recorded with the model, for the bytes depend on it.

        Raises `ConfigError` when it is not a positive whole number.
        """
        threads = self.config.get("threads", 1)
        if type(threads) is not int or threads < 1:
            raise ConfigError(f"threads is {threads!r}, allowed: 1 or more. Edit models in params.yaml")
        return threads


@dataclass(frozen=True, kw_only=True)
class Params:
    """The whole of params.yaml."""

    catalogues: dict[str, CatalogueParams]
    models: dict[str, ModelParams]
    indexes: dict[str, IndexParams]
    gates: dict[str, tuple[Threshold, ...]]
    evaluate: EvaluateParams

    def catalogue(self, key: str) -> CatalogueParams:
        """The catalogue's block. Raises `ConfigError` with close spellings."""
        return _lookup(self.catalogues, key, "catalogue", "catalogues")

    def model(self, key: str) -> ModelParams:
        """The model's block. Raises `ConfigError` with close spellings."""
        return _lookup(self.models, key, "model", "models")


def _lookup(blocks: Mapping[str, T], key: str, word: str, section: str) -> T:
    if key not in blocks:
        raise ConfigError(f"no {word} named {key!r}: {choices(key, blocks)}. Edit {section} in params.yaml")
    return blocks[key]


def load(path: Path) -> Params:
    """Read and check params.yaml. Raises `ConfigError`."""
    return parse(read_yaml(path))


def parse(raw: Any) -> Params:
    """The parsed YAML as `Params`. Raises `ConfigError`."""
    sections = [f.name for f in dataclasses.fields(Params)]
    if not isinstance(raw, Mapping):
        raise ConfigError(f"params.yaml holds {type(raw).__name__}, allowed: the sections {', '.join(sections)}")
    for name in raw:
        if name not in sections:
            raise ConfigError(f"{name} is not a section: {choices(str(name), sections)}. Edit params.yaml")
    for name in ("catalogues", "models"):
        if not raw.get(name):
            raise ConfigError(f"params.yaml has no {name}: give at least one block under `{name}:`")
    if "evaluate" not in raw:
        raise ConfigError("evaluate is missing: write `evaluate: {}` for the defaults. Edit params.yaml")
    catalogues = {key: _catalogue(key, block) for key, block in _section(raw, "catalogues").items()}
    models = {key: _model(key, block, catalogues) for key, block in _section(raw, "models").items()}
    for section in ("indexes", "gates"):
        for key in _section(raw, section):
            if key not in models:
                raise ConfigError(f"{section}.{key} names no model: {choices(key, models)}. Edit params.yaml")
        for key in models:
            if key not in _section(raw, section):
                raise ConfigError(f"{section}.{key} is missing: every model has a block there. Edit params.yaml")
    return Params(
        catalogues=catalogues,
        models=models,
        indexes={key: build(IndexParams, block, f"indexes.{key}") for key, block in _section(raw, "indexes").items()},
        gates={key: _gate(key, lines) for key, lines in _section(raw, "gates").items()},
        evaluate=build(EvaluateParams, raw.get("evaluate") or {}, "evaluate"),
    )


def _section(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    blocks = raw.get(name) or {}
    if not isinstance(blocks, Mapping):
        raise ConfigError(f"{name} is {blocks!r}, allowed: a mapping of names to blocks. Edit params.yaml")
    for key in blocks:
        # a key is a folder's name, a DVC target's suffix and a part of an MLflow name
        if not isinstance(key, str) or not _NAME.fullmatch(key):
            allowed = "up to 80 ASCII letters, digits, - and _, the first a letter or digit"
            raise ConfigError(f"{name}.{key} is not a name, allowed: {allowed}. Edit params.yaml")
    return blocks


def _catalogue(key: str, block: Any) -> CatalogueParams:
    for name in ("checks", "split") if isinstance(block, Mapping) else ():
        if name not in block:
            raise ConfigError(f"catalogues.{key}.{name} is missing: write `{name}: {{}}` for the defaults. Edit params.yaml")
    return build(CatalogueParams, block, f"catalogues.{key}")


def _model(key: str, block: Any, catalogues: Mapping[str, CatalogueParams]) -> ModelParams:
    if not isinstance(block, Mapping):
        raise ConfigError(f"models.{key} is {block!r}, allowed: a mapping of settings. Edit params.yaml")
    for name in ("catalogue", "family"):
        if not isinstance(block.get(name), str):
            found = f"is {block[name]!r}, allowed: a name" if name in block else "is missing"
            raise ConfigError(f"models.{key}.{name} {found}. Edit params.yaml")
    if block["catalogue"] not in catalogues:
        near = choices(block["catalogue"], catalogues)
        raise ConfigError(f"models.{key}.catalogue is {block['catalogue']!r}: {near}. Edit params.yaml")
    refresh = build(RefreshParams, block.get("refresh") or {}, f"models.{key}.refresh")
    config = {name: value for name, value in block.items() if name not in ("catalogue", "family", "refresh")}
    return ModelParams(catalogue=block["catalogue"], family=block["family"], config=config, refresh=refresh)


def _gate(key: str, lines: Any) -> tuple[Threshold, ...]:
    if not isinstance(lines, list):
        raise ConfigError(f"gates.{key} is {lines!r}, allowed: a list of thresholds. Edit params.yaml")
    return tuple(build(Threshold, line, f"gates.{key}.{number}") for number, line in enumerate(lines))
