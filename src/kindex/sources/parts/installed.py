"""Which Python files are installed here: the standard library's and a distribution's, each with its sha256.

A wheel's RECORD (PEP 376, PEP 427) lists every file with its sha256. Console scripts and compiled files differ from one
virtual environment to the next, so a digest is taken over the lines of importable .py files only.
"""

import base64
import csv
import hashlib
import importlib.metadata
import os
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from kindex.core.errors import ConfigError, choices
from kindex.sources.parts.imports import ModuleFile

STANDARD_LIBRARY = "python"
"""What stands for a distribution's name where the standard library is meant."""


def distribution(name: str) -> tuple[str, list[ModuleFile]]:
    """Version and importable files of an installed distribution, sorted by path.

    Raises `ConfigError` naming the setting when it is not installed, or was installed without a RECORD.
    """
    try:
        found = importlib.metadata.distribution(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        installed = {each.metadata["Name"] for each in importlib.metadata.distributions() if each.metadata["Name"]}
        raise ConfigError(
            f"source.distributions: {name!r} is not installed: {choices(name, installed)}. Edit params.yaml"
        ) from None
    record = found.read_text("RECORD")
    if record is None:
        raise ConfigError(f"source.distributions: {name} {found.version} has no RECORD of its files: install it from a wheel")
    root = os.path.realpath(str(found.locate_file("")))
    files = []
    for path, digest in _recorded(record, root):
        module = module_name(path)
        if module:
            files.append(ModuleFile(module, name, root, path, digest))
    return found.version, sorted(files, key=lambda file: file.path)


def standard_library(skip_folders: Collection[str]) -> list[ModuleFile]:
    """Importable files of this Python's standard library, sorted by path, without the folders named `skip_folders`."""
    root = Path(sysconfig.get_path("stdlib"))
    paths = [path for path in _walk(root, skip_folders) if module_name(path).partition(".")[0] in sys.stdlib_module_names]
    return [
        ModuleFile(
            module_name(path), STANDARD_LIBRARY, str(root), path, hashlib.sha256((root / path).read_bytes()).hexdigest()
        )
        for path in sorted(paths)
    ]


def digest_of(files: Iterable[ModuleFile]) -> str:
    """Hex sha256 over path and sha256 of each file: the same wherever the files lie."""
    lines = "".join(f"{file.path},{file.sha256}\n" for file in files)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def module_name(path: str) -> str:
    """The dotted name that imports `path`, or "" when none does.

    >>> module_name("torch/optim/__init__.py"), module_name("torch/bin/run-me.py"), module_name("../bin/tool.py")
    ('torch.optim', '', '')
    """
    parts = list(PurePosixPath(path).with_suffix("").parts)
    if not path.endswith(".py") or not all(part.isidentifier() for part in parts):
        return ""
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _recorded(record: str, root: str) -> Iterator[tuple[str, str]]:
    """(path, hex sha256) of the .py lines; a line without a sha256 (some installers) has its file read instead."""
    for row in csv.reader(record.splitlines()):
        if not row or not row[0].endswith(".py"):
            continue
        kind, _, encoded = row[1].partition("=") if len(row) > 1 else ("", "", "")
        if kind == "sha256":
            yield row[0], base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).hex()
        elif (Path(root) / row[0]).is_file():
            yield row[0], hashlib.sha256((Path(root) / row[0]).read_bytes()).hexdigest()


def _walk(root: Path, skip_folders: Collection[str]) -> Iterator[str]:
    """Paths of importable .py files below `root`, relative, with forward slashes."""
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if name.isidentifier() and name not in skip_folders]
        at = Path(folder).relative_to(root)
        yield from (str(PurePosixPath(at / name)) for name in names if module_name(name) or name == "__init__.py")
