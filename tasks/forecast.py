"""`python -m tasks.forecast`: what the next night would find, as JSON on stdout. It writes nothing; `kindex plan` asks it.

A source's lock is not moved, so what follows from new data is told as what it is: likely, and not seen.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kindex.core.errors import ConfigError, KindexError
from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout, find
from kindex.core.params import Params, load

STALE, FOLLOWS, CURRENT = "stale", "follows", "current"
"""A stage that will run; one that will if what it reads comes out other than before; one with nothing to do."""


def forecast(layout: Layout, params: Params, models: Sequence[str] = ()) -> dict[str, Any]:
    """Catalogues with whether their lock would move, and the stages in the order of work with their state and why.

    `models` are all by default. Raises `ConfigError` for an unknown model and for a dvc.yaml that DVC cannot read.
    """
    from tasks.calendar import tonight
    from tasks.dry import stale

    asked = list(models or params.models)
    used = {params.model(model).catalogue for model in asked}
    catalogues = {name: moves(layout, params, name) for name in params.catalogues if name in used or not models}
    keys = {stage: list(catalogues) if stage in CATALOGUE_STAGES else asked for stage in STAGES}
    known = stale(layout, [f"{stage}@{key}" for stage in STAGES for key in keys[stage]])
    return {
        "night": tonight(layout),
        "catalogues": catalogues,
        "stages": states(params, keys, known, catalogues),
        "judged": {model: judged(layout, params, model) for model in asked},
    }


def moves(layout: Layout, params: Params, name: str) -> dict[str, Any]:
    """Whether tonight would move the catalogue's lock, and why; None when it cannot be seen, with the source's own words."""
    from kindex.sources.locking import brought, look

    params.catalogue(name)
    if not layout.lock(name).exists():
        return {"moves": True, "why": "its source was never locked"}
    try:
        moved, what = look(layout, params, name)
    except (KindexError, OSError) as error:
        return {"moves": None, "why": str(error)}
    news = f": {told}" if (told := brought(what)) else ""
    return {"moves": moved, "why": f"its source has changed{news}" if moved else "its source is as it was locked"}


def states(
    params: Params, keys: Mapping[str, Sequence[str]], known: Mapping[str, str], catalogues: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, str]]:
    """Every stage with its state and why; what follows from a stage names the first one that it follows from."""
    found: list[dict[str, str]] = []
    begun: dict[str, str] = {}
    for stage in STAGES:
        for key in keys[stage]:
            catalogue = key if stage in CATALOGUE_STAGES else params.model(key).catalogue
            target, above = f"{stage}@{key}", begun.get(key) or begun.get(catalogue)
            state, why = CURRENT, ""
            if target in known:
                state, why = STALE, known[target]
            elif stage == "ingest" and catalogues[key]["moves"]:
                state, why = STALE, f"locks/{key}.json will move: {catalogues[key]['why']}"
            elif above:
                state, why = FOLLOWS, f"if {above} gives other bytes than before"
            if state != CURRENT:
                begun.setdefault(key, target)
            found.append({"stage": stage, "key": key, "state": state, "why": why})
    return found


def judged(layout: Layout, params: Params, model: str) -> bool:
    """Whether the last outputs were judged already, by the gate as it is now."""
    from tasks import releases

    try:
        return releases.settled(layout, params, model) is not None
    except (KindexError, OSError):
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: JSON on stdout, or a message on stderr and the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tasks.forecast", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="these models and their catalogues")
    parser.add_argument("--root", metavar="FOLDER", help="the project (default: $KINDEX_ROOT, or the nearest params.yaml)")
    given = parser.parse_args(arguments)
    try:
        os.environ.setdefault("DVC_NO_ANALYTICS", "1")
        layout = find(given.root)
        if not (layout.root / "dvc.yaml").is_file():
            raise ConfigError(f"no dvc.yaml in {layout.root}: it names the stages. See docs/tour.md")
        print(json.dumps(forecast(layout, load(layout.params), given.models)))
    except KindexError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
