"""Which release a model starts from: `locks/parents/<model>.json`, in git. The parent is locked as the source is.

A release that was made from another one can be made again only with that one at hand, so its digest stands in the lock and
is checked. A model without a parent is built from nothing but its catalogue.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from kindex.core.errors import DamagedError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.manifest import SHA256


@dataclass(frozen=True)
class Parent:
    """A release by version and digest. `full`: train anew and only align to it. `night`: the logical date of locking it."""

    version: str
    digest: str
    night: str
    full: bool = False


def read_parent(path: Path) -> Parent | None:
    """The locked parent, or None: no lock, or one that says that there is none. Raises `DamagedError` when it is not one."""
    if not path.exists():
        return None
    raw = read_json(path)
    try:
        if raw["parent"] is None:
            return None
        parent = Parent(**raw["parent"])
        whole = SHA256.fullmatch(parent.digest)
    except (KeyError, TypeError) as error:
        raise DamagedError(f"{path} is not the lock of a parent release: {error!r}. Remove it for a full build") from None
    if not whole:
        raise DamagedError(f"{path} is not the lock of a parent release: digest {parent.digest!r}. Remove it for a full build")
    return parent


def write_parent(path: Path, parent: Parent | None) -> None:
    """Equal parents give equal bytes."""
    write_atomic(path, pretty_json({"parent": asdict(parent) if parent else None}))
