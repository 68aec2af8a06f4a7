"""Why a stage is stale, for people: from what `dvc status` says, and from what dvc.lock and params.yaml hold."""

from collections.abc import Mapping, Sequence
from typing import Any

FIRST_TIME, PARAMS = "first time", "params.yaml"


def reason(changes: Any, settings: Sequence[str] = ()) -> str:
    """One line out of what `dvc status` says of a stage; `settings` are the parameters that changed.

    >>> reason([{"changed deps": {"params.yaml": {"models.m": "modified"}, "data/split/c": "modified"}}], ["models.m.seed"])
    'models.m.seed and data/split/c changed'
    """
    parts = [part for part in changes if isinstance(part, Mapping)]
    deps = {name: state for part in parts for name, state in part.get("changed deps", {}).items()}
    outs = {name: state for part in parts for name, state in part.get("changed outs", {}).items()}
    if deps.get(PARAMS) == "new":  # not even the names of the parameters are in dvc.lock
        return FIRST_TIME
    changed = [*settings, *(name for name in deps if name != PARAMS)]
    if "changed command" in changes:
        changed.append("the command in dvc.yaml")
    if changed:
        return f"{_listed(changed)} changed"
    if outs:
        states = set(outs.values())
        if states == {"not in cache"}:  # nor can the run cache have it: a new clone, or the cache was emptied
            return FIRST_TIME
        verb = "is" if len(outs) == 1 else "are"
        return f"{_listed(list(outs))} {verb} {'missing' if states == {'deleted'} else 'not what was recorded'}"
    return _listed([str(part) for part in changes])


def changed_inputs(changes: Any) -> list[str]:
    """What a stage reads, data, settings or code, that is new or other than when it last ran; not what is merely missing.

    >>> changed_inputs([{"changed deps": {"data/split/c": "modified", "a.py": "deleted"}}, {"changed outs": {"m": "deleted"}}])
    ['data/split/c']
    """
    parts = [part for part in changes if isinstance(part, Mapping)]
    deps = {name: state for part in parts for name, state in part.get("changed deps", {}).items()}
    command = ["the command in dvc.yaml"] if "changed command" in changes else []
    return [name for name, state in deps.items() if state != "deleted"] + command


def changed_leaves(old: Any, new: Any, name: str) -> list[str]:
    """Full names of the values that differ.

    >>> changed_leaves({"seed": 7, "dimensions": 50}, {"seed": 7, "dimensions": 48}, "models.m")
    ['models.m.dimensions']
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [key for key in [*new, *(key for key in old if key not in new)] if old.get(key) != new.get(key)]
        return [leaf for key in keys for leaf in changed_leaves(old.get(key), new.get(key), f"{name}.{key}")]
    return [name]


def settings_named(changes: Any) -> list[str]:
    """The parameters, as dvc.yaml names them, that `dvc status` finds changed."""
    parts = [part for part in changes if isinstance(part, Mapping)]
    states = [part.get("changed deps", {}).get(PARAMS, {}) for part in parts]
    return [name for state in states if isinstance(state, Mapping) for name in state]


def value_at(tree: Any, name: str) -> Any:
    """What the dotted `name` holds in nested mappings; {} when nothing."""
    for key in name.split("."):
        tree = tree.get(key, {}) if isinstance(tree, Mapping) else {}
    return tree


def _listed(names: list[str], most: int = 3) -> str:
    shown = names[:most] + ([f"{len(names) - most} more"] if len(names) > most else [])
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
