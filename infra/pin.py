"""Write constraints.txt: every distribution that kindex needs, at the version installed here, and who asks for it.

    python infra/pin.py > constraints.txt

Run it in an environment that passes the whole test suite; the reasons below are what the resolver cannot know.
"""

import sys
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HELD_BACK = {
    "fastapi": "0.151 and later answer 422 to Prefect 3.8's own deploy calls; 0.155 and later start no Prefect server",
    "sqlalchemy": "with 2.1 Prefect's scheduler never inserts a run: cron and interval deployments do not fire",
    "torch": "newer releases have no CPU build on the index; a range would bring several GB of CUDA",
    "antlr4-python3-runtime": "hydra-core (through dvc) wants exactly this one",
    "setuptools": "what builds the project; later ones have not been tried",
}


def closure(root: str) -> dict[str, set[str]]:
    """Each distribution needed by `root` and its extras `dev` and `team`, with the distributions that ask for it."""
    askers: dict[str, set[str]] = {}
    waiting = [(root, frozenset({"dev", "team"}))]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        for line in metadata.requires(name) or []:
            wanted = Requirement(line)
            if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in extras or {""}):
                continue
            asked = canonicalize_name(wanted.name)
            try:
                metadata.version(asked)
            except metadata.PackageNotFoundError:
                sys.exit(f"{asked}, which {name} asks for, is not installed here")
            askers.setdefault(asked, set()).add(name)
            waiting.append((asked, frozenset(wanted.extras)))
    return askers


def main() -> None:
    askers = closure("kindex")
    print("# Every distribution kindex needs, for `pip install -c constraints.txt`. Written by infra/pin.py.")
    for name in sorted(askers):
        version = metadata.version(name).partition("+")[0]
        held = f"  # held back: {HELD_BACK[name]}" if name in HELD_BACK else f"  # for {', '.join(sorted(askers[name]))}"
        print(f"{name}=={version}{held}")


if __name__ == "__main__":
    main()
