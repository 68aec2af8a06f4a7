"""The parent release, opened by the lock that names it: each file is held against the manifest before it is used."""

from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kindex.core import release
from kindex.core.errors import ConfigError, DamagedError
from kindex.core.files import read_json
from kindex.core.layout import Layout
from kindex.core.parent import Parent, read_parent
from kindex.core.space import Space, read_space
from kindex.core.tables import reading


class Former:
    """The release that `lock` names, below `releases`. Opening it reads the manifest only."""

    def __init__(self, lock: Parent, releases: Path, path: Path) -> None:
        self.lock = lock
        try:
            self.manifest = release.read_manifest(releases, lock.version)
        except ConfigError:
            raise DamagedError(
                f"{path} names {lock.version} ({lock.digest[:12]}) as the parent of the next release, and {releases} does not "
                f"have it. Bring it back from its tag, one of `git tag -l '{releases.name}@*'`, as docs/lasting.md says; or "
                f"remove {path.name} from {path.parent} for a full build that starts from nothing"
            ) from None
        if self.manifest.digest != lock.digest:
            raise DamagedError(
                f"{path} names {lock.version} with the digest {lock.digest[:12]}, and {releases / lock.version} is another "
                f"release, {self.manifest.digest[:12]}. Bring the right one back, or remove {path} for a full build"
            )
        self.folder = releases / lock.version

    def has(self, name: str) -> bool:
        return name in self.manifest.files

    def file(self, name: str) -> Path:
        """A file of the release, its sha256 checked. Raises `DamagedError` naming it."""
        if not self.has(name):
            raise DamagedError(f"release {self.lock.version} of {self.manifest.model} has no {name}")
        release.check_files(self.folder, self.manifest, [name])
        return self.folder / name

    def files(self, folder: str) -> Path:
        """A folder of the release, the sha256 of each of its files checked."""
        names = [name for name in self.manifest.files if name.startswith(f"{folder}/")]
        if not names:
            raise DamagedError(f"release {self.lock.version} of {self.manifest.model} has no {folder}/")
        release.check_files(self.folder, self.manifest, names)
        return self.folder / folder

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Every setting that the model of the release was trained with, `family` too."""
        lineage = read_json(self.file("lineage.json"))
        return dict(lineage.get("settings", {}).get("model", {}))

    @cached_property
    def refresh(self) -> dict[str, Any] | None:
        """What `refresh.json` says; None for a release that was made before there was one."""
        return dict(read_json(self.file("refresh.json"))) if self.has("refresh.json") else None

    @cached_property
    def ids(self) -> dict[str, pa.ChunkedArray]:
        """The ids of each space by its kind, without its vectors."""
        found = {}
        for path in sorted(self.files("vectors").glob("*.parquet")):
            with reading(path), pq.ParquetFile(path) as file:
                table = file.read(["id"])
            found[(table.schema.metadata or {}).get(b"kindex.kind", path.stem.encode()).decode()] = table["id"]
        return found

    @cached_property
    def spaces(self) -> dict[str, Space]:
        """The spaces by their kind."""
        paths = sorted(self.files("vectors").glob("*.parquet"))
        return {space.kind: space for space in map(read_space, paths)}


def open_former(layout: Layout, model: str) -> Former | None:
    """The model's locked parent, or None when the lock names none.

    Raises `DamagedError` when the release is not here, or is another one than the lock says.
    """
    path = layout.parent(model)
    lock = read_parent(path)
    return None if lock is None else Former(lock, layout.releases(model), path)
