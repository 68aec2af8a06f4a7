"""Is dvc.yaml the graph that the layout and params.yaml describe?"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from kindex.core.errors import ConfigError, choices
from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout
from kindex.core.params import Params

_PLACE = re.compile(r"\$\{([^}]+)\}")


def check_graph(layout: Layout, params: Params) -> int:
    """How many stages dvc.yaml unfolds to. Raises `ConfigError` naming the stage, what is wrong and the file."""
    path = layout.root / "dvc.yaml"
    try:
        graph = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        raw = yaml.safe_load(layout.params.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    for name in graph:
        if name not in STAGES:
            raise ConfigError(f"dvc.yaml has a stage {name}: {choices(name, STAGES)}. Edit dvc.yaml")
    count = 0
    for name in STAGES:
        section = "catalogues" if name in CATALOGUE_STAGES else "models"
        if name not in graph or graph[name].get("foreach") != f"${{{section}}}":
            raise ConfigError(f"dvc.yaml: the stage {name} must run `foreach: ${{{section}}}`. Edit dvc.yaml")
        for key in params.catalogues if section == "catalogues" else params.models:
            _check_stage(layout, raw, name, key, _unfold(graph[name]["do"], key, raw[section][key]))
            count += 1
    return count


def _check_stage(layout: Layout, raw: Mapping[str, Any], name: str, key: str, stage: Mapping[str, Any]) -> None:
    command = f"python -m kindex.stages {name} {key}"
    if stage.get("cmd") != command:
        raise ConfigError(f"dvc.yaml: {name}@{key} runs {stage.get('cmd')!r}, allowed: {command!r}. Edit dvc.yaml")
    own = layout.out(name, key).relative_to(layout.root).as_posix()
    for kind in ("outs", "metrics", "plots"):
        for out in _paths(stage.get(kind, [])):
            if out != own and not out.startswith(f"{own}/"):
                raise ConfigError(f"dvc.yaml: {name}@{key} writes {out}, allowed: {own} and below. Edit dvc.yaml")
    for needed in _paths(stage.get("deps", [])):
        made = needed.startswith(("data/", "locks/"))  # by another stage, or by `kindex lock`
        if not made and not (layout.root / needed).exists():
            raise ConfigError(f"dvc.yaml: {name}@{key} depends on {needed}, which does not exist. Edit dvc.yaml")
    for parameter in _paths(stage.get("params", [])):
        at: Any = raw
        for part in parameter.split("."):
            if not isinstance(at, Mapping) or part not in at:
                raise ConfigError(f"dvc.yaml: {name}@{key} reads the parameter {parameter}, which params.yaml does not have")
            at = at[part]


def _unfold(value: Any, key: str, item: Mapping[str, Any]) -> Any:
    """`value` with `${key}` and `${item.a.b}` filled in, as DVC does."""
    if isinstance(value, list):
        return [_unfold(part, key, item) for part in value]
    if isinstance(value, dict):
        return {_unfold(name, key, item): _unfold(part, key, item) for name, part in value.items()}
    return _PLACE.sub(lambda place: _filled(place[1], key, item), value) if isinstance(value, str) else value


def _filled(place: str, key: str, item: Mapping[str, Any]) -> str:
    if place == "key":
        return key
    at: Any = {"item": item}
    for part in place.split("."):
        if not isinstance(at, Mapping) or part not in at:
            raise ConfigError(f"dvc.yaml uses ${{{place}}}, which the block of {key} in params.yaml does not have")
        at = at[part]
    return str(at)


def _paths(entries: Any) -> Iterator[str]:
    """The paths of a list of DVC, whose entries are paths or mappings from a path to its options."""
    for entry in entries:
        yield from entry if isinstance(entry, dict) else [str(entry)]
