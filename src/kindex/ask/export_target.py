"""Where an export goes: checked before, written beside it, and moved there whole."""

import hashlib
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from kindex.core.errors import ConfigError
from kindex.core.files import fault_point, replacing, sync_folder, sync_tree
from kindex.core.layout import Layout
from kindex.core.mutex import hold


def check_target(layout: Layout, to: Path, files: Collection[str], force: bool) -> None:
    """Refuse a target that an export must not take with a `ConfigError`. `files` are the names in a folder (empty: a file)."""
    if not to.parent.is_dir():
        raise ConfigError(f"{to.parent} is no folder: make it first, or change --to")
    where = to.parent.resolve() / to.name
    for owned in (layout.root / "releases", layout.root / "data"):
        if where.is_relative_to(owned.resolve()):
            raise ConfigError(f"{to} is inside {owned}, where kindex keeps its own: change --to")
    if not to.exists() and not to.is_symlink():
        return
    if to.is_dir() != bool(files):
        raise ConfigError(f"{to} is {'a folder' if to.is_dir() else 'a file'}, and this format writes the other: change --to")
    if not force:
        raise ConfigError(f"{to} exists: --force replaces it")
    if files and (to.is_symlink() or {path.name for path in to.iterdir()} - set(files)):
        raise ConfigError(f"{to} holds other things than {', '.join(files)}, so --force does not replace it: change --to")


@contextmanager
def writing(layout: Layout, to: Path, folder: bool) -> Iterator[Path]:
    """The path to write to: a file's, or an empty folder. When the block ends well, what is there takes the place of `to`.

    A kill leaves `to` as it was, and a hidden folder beside it that the next export to the same place removes. Raises
    `BusyError` while another export writes there.
    """
    digest = hashlib.sha256(str(to.parent.resolve() / to.name).encode("utf-8", "surrogateescape")).hexdigest()
    work = to.with_name(f".{to.name}.part")
    with hold(layout.mutex(f"export-{digest[:16]}"), f"the export to {to}"):
        try:
            if folder:
                with replacing(to, work) as empty:
                    yield empty
            else:
                shutil.rmtree(work, ignore_errors=True)
                work.mkdir()
                yield work / to.name
                sync_tree(work)
                fault_point(f"rename {to.name}")
                (work / to.name).replace(to)
                sync_folder(to.parent)
        finally:
            shutil.rmtree(work, ignore_errors=True)
