"""The Python code installed here, as a book catalogue: modules are the books, the names they import are their links.

An import statement gives one link for each name it imports: `from a import b` is a tie to `a.b`, not also to `a`.
If it were to both, one would follow from the other, and a held-out link could be read off its twin in the train side.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from platform import python_version
from typing import Any

import pyarrow as pa

from kindex.core import quarantine
from kindex.core.catalogue import ITEMS, LINKS, Catalogue
from kindex.core.errors import DataGateError
from kindex.core.watch import Watch
from kindex.sources import Ingested, NotAsLockedError
from kindex.sources.parts.imports import ModuleFile, Parsed, die_with_parent, parse_file
from kindex.sources.parts.installed import STANDARD_LIBRARY, digest_of, distribution, standard_library


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which code to read. The standard library always belongs to it."""

    distributions: tuple[str, ...] = ()  # names as pip knows them
    min_modules: int = 3  # a link is kept when this many modules have it
    # folders of the standard library to leave out; many installations of Python come without these three
    skip_stdlib_folders: tuple[str, ...] = ("test", "tests", "idle_test")
    workers: int = 2  # processes that parse; the result does not depend on it

    def __post_init__(self) -> None:
        for name in ("min_modules", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 1 or more")


def tables(config: Config) -> tuple[str, ...]:
    return ("items", "links")


def snapshot(config: Config, root: Path) -> dict[str, Any]:
    """Versions, and a digest over the .py files of the standard library and of each distribution."""
    return _describe(_installed(config))


def read(config: Config, snapshot: dict[str, Any], root: Path, watch: Watch) -> Ingested:
    """Parse every module. Raises `DataGateError` naming the distribution or the file that is not as locked."""
    installed = _installed(config)
    _require_same(snapshot, _describe(installed))
    files, refused = _one_each(file for _, files in installed.values() for file in files)
    parsed: dict[str, Parsed] = {}
    for file, result in zip(files, watch.progress(_parse(files, config.workers), "parse", len(files), "module"), strict=True):
        if result.damage:
            raise DataGateError(
                f"{file.distribution}: {file.path} is not the file that was installed ({result.error}): "
                f"reinstall {file.distribution}"
            )
        if result.error:
            refused.append(_refusal(file, "module does not parse", result.error))
        else:
            parsed[file.module] = result
    kept = {file.module: file for file in files if file.module in parsed}
    links = _links(parsed, config.min_modules)
    tables = {"items": _items(kept, parsed, {right for _, right in links}), "links": _link_table(links)}
    return Ingested(Catalogue("", tables), quarantine.table(refused))


def _installed(config: Config) -> dict[str, tuple[str, list[ModuleFile]]]:
    """Version and files by distribution: the standard library first, as on `sys.path`, then the rest by name."""
    found = {STANDARD_LIBRARY: (python_version(), standard_library(config.skip_stdlib_folders))}
    return found | {name: distribution(name) for name in sorted(set(config.distributions))}


def _describe(installed: dict[str, tuple[str, list[ModuleFile]]]) -> dict[str, Any]:
    return {
        name: {"version": version, "py_files": len(files), "py_sha256": digest_of(files)}
        for name, (version, files) in installed.items()
    }


def _require_same(locked: dict[str, Any], present: dict[str, Any]) -> None:
    for name in sorted({*locked, *present}):
        if locked.get(name) != present.get(name):
            then, now = (
                f"{part['version']}, {part['py_files']} files, {part['py_sha256'][:12]}" if part else "absent"
                for part in (locked.get(name), present.get(name))
            )
            raise NotAsLockedError(f"{name} is not the one that is locked: locked {then}; installed {now}")


def _one_each(files: Iterable[ModuleFile]) -> tuple[list[ModuleFile], list[dict[str, Any]]]:
    """One file for each dotted name, sorted by name: the one that `import` would take, the others refused.

    That is the standard library's, then a package before a module; between equals the first distribution by name.
    """
    kept: dict[str, ModuleFile] = {}
    refused = []
    order = {file: position for position, file in enumerate(files)}

    def precedence(file: ModuleFile) -> tuple[str, bool, bool, int]:
        return file.module, file.distribution != STANDARD_LIBRARY, not file.is_package, order[file]

    for file in sorted(order, key=precedence):
        if file.module in kept:
            refused.append(_refusal(file, "module name is taken", f"by {kept[file.module].path}"))
        else:
            kept[file.module] = file
    return list(kept.values()), refused


def _parse(files: list[ModuleFile], workers: int) -> Iterator[Parsed]:
    """Results in the order of `files`, whatever the number of workers."""
    if workers == 1:
        yield from map(parse_file, files)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=die_with_parent) as pool:
        yield from pool.map(parse_file, files, chunksize=32)


def _links(parsed: dict[str, Parsed], min_modules: int) -> list[tuple[str, str]]:
    """(module, absolute name) sorted, each once; no module is tied to itself."""
    pairs = {
        (module, f"{base}.{name}" if base and name else base or name)
        for module, result in parsed.items()
        for base, name in result.imports
    }
    pairs = {(module, name) for module, name in pairs if module != name}
    modules_by_name = Counter(name for _, name in pairs)
    return sorted(pair for pair in pairs if modules_by_name[pair[1]] >= min_modules)


def _items(files: dict[str, ModuleFile], parsed: dict[str, Parsed], names: set[str]) -> pa.Table:
    rows = [_item(name, "link", _owner(name, files), None) for name in sorted(names)]
    rows += [_item(name, "module", files[name].distribution, parsed[name].description) for name in sorted(files)]
    return pa.Table.from_pylist(rows, schema=ITEMS.append(pa.field("package", pa.string())))


def _item(name: str, kind: str, label: str | None, description: str | None) -> dict[str, Any]:
    about = quarantine.writable(description) if description else None
    return {"id": name, "kind": kind, "label": label, "description": about, "package": name.partition(".")[0]}


def _owner(name: str, files: dict[str, ModuleFile]) -> str | None:
    """The distribution of the longest prefix of `name` that is a known module, or None. `sys` and such have no file."""
    prefix = name
    while prefix:
        if prefix in files:
            return files[prefix].distribution
        prefix = prefix.rpartition(".")[0]
    return STANDARD_LIBRARY if name.partition(".")[0] in sys.stdlib_module_names else None


def _link_table(links: list[tuple[str, str]]) -> pa.Table:
    left, right = [module for module, _ in links], [name for _, name in links]
    kinds = [["module"] * len(links), ["link"] * len(links)]
    return pa.table([left, kinds[0], right, kinds[1], [1.0] * len(links)], schema=LINKS)


def _refusal(file: ModuleFile, rule: str, value: str) -> dict[str, Any]:
    record = {"id": file.module, "kind": "module", "label": file.distribution}
    return quarantine.entry("items", -1, rule, value, file.path, record)
