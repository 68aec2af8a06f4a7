"""The files of a catalogue of books, as they are locked: which there are, and what each gives."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from kindex.core.errors import ConfigError, OutsideError
from kindex.core.files import sha256_file
from kindex.core.watch import Watch
from kindex.sources import NotAsLockedError
from kindex.sources.parts import dumppart
from kindex.sources.parts.bookattributes import Described, read_attributes
from kindex.sources.parts.bookpages import BookPage, book_pages, is_dump, opened, unpacked
from kindex.sources.parts.dumppart import PartJob
from kindex.sources.parts.dumppool import read_parts

MEGABYTE = 1 << 20
Named = list[tuple[str, str]]
"""(setting, file) pairs."""


def named_files(root: Path, pages: tuple[str, ...], attributes: str) -> Named:
    """Each file that the settings name, wildcards opened, each once, in the order of the settings.

    Raises `ConfigError` naming the setting of a file that is not there.
    """
    given = [("pages", name) for name in pages] + ([("attributes", attributes)] if attributes else [])
    found: Named = []
    for setting, name in given:
        wild = any(sign in name for sign in "*?[") and not (root / name).exists()
        matches = _matches(root, setting, name) if wild else [name]
        if not matches or not (root / matches[0]).is_file():
            raise ConfigError(f"source.{setting} names {name}, and no file in the project is called so. Edit params.yaml")
        found += [(setting, match) for match in matches]
    return list(dict.fromkeys(found))


def _matches(root: Path, setting: str, pattern: str) -> list[str]:
    """Names of the files that the pattern means; relative to the project, as the pattern is."""
    anchor = Path(pattern).anchor
    try:
        found = sorted(Path(anchor or root).glob(str(Path(pattern).relative_to(anchor)) if anchor else pattern))
    except (ValueError, NotImplementedError) as error:
        raise ConfigError(f"source.{setting} is {pattern!r}: {error}. Edit params.yaml") from None
    return [str(path if anchor else path.relative_to(root)) for path in found if path.is_file()]


def describe_files(root: Path, named: Named) -> dict[str, dict[str, Any]]:
    """Size and sha256 by name. Raises `ConfigError` for a file of pages in another format."""
    files = {}
    for setting, name in named:
        if setting == "pages":
            is_dump(name)
        files[name] = {"bytes": (root / name).stat().st_size, "sha256": _sha256(root, name)}
    return files


@dataclass(frozen=True)
class BookFiles:
    """`locked` has size and sha256 by name; `parts` are the files that are of a dump, `keep` where they are kept when read."""

    root: Path
    keep: Path
    names: list[str]
    attributes: str
    locked: dict[str, dict[str, Any]]
    parts: dict[str, PartJob]
    most_characters: int

    def read_dump(self, processes: int, watch: Watch) -> None:
        """Read the parts of the dump that are not kept yet."""
        jobs = list(self.parts.values())
        total = sum(self.locked[job.name]["bytes"] for job in jobs) // MEGABYTE
        steps = _megabytes(read_parts(jobs, self.keep, min(len(jobs), processes))) if jobs else iter(())
        for _ in watch.progress(steps, "read", total, "MB"):
            pass

    def pages(self) -> Iterator[BookPage | dict[str, Any]]:
        """Of all files in their order, with a quarantine entry for each that was refused."""
        for name in self.names:
            yield from dumppart.kept_pages(self.parts[name], self.keep) if name in self.parts else self._lines(name)

    def redirects(self) -> Iterator[pa.RecordBatch]:
        for job in self.parts.values():
            yield from dumppart.kept_redirects(job, self.keep)

    def counts(self) -> dict[str, int]:
        """Of all parts of the dump together."""
        total: Counter[str] = Counter()
        for job in self.parts.values():
            total.update(dumppart.kept_counts(job, self.keep))
        return {f"dump_{what}": total[what] for what in sorted(total)}

    def described(self, fields: tuple[str, ...]) -> tuple[Described, list[dict[str, Any]], dict[str, dict[str, str]]]:
        """Of the attribute table: values by field by title, quarantine entries, and its columns."""
        if not self.attributes:
            return {}, [], {}
        self._require_locked(self.attributes)
        content = (self.root / self.attributes).read_bytes()
        found, refused, columns = read_attributes(content, self.attributes, fields)
        return found, refused, {self.attributes: columns}

    def _lines(self, name: str) -> Iterator[BookPage | dict[str, Any]]:
        self._require_locked(name)
        with opened(self.root / name, name) as packed, unpacked(packed, name) as stream:
            yield from book_pages(stream, name, self.most_characters)

    def _require_locked(self, name: str) -> None:
        if _sha256(self.root, name) != self.locked[name]["sha256"]:
            raise NotAsLockedError(f"{name} is not the file that is locked (its sha256 differs)")


def _sha256(root: Path, name: str) -> str:
    try:
        return sha256_file(root / name)
    except OSError as error:
        raise OutsideError(f"{name} cannot be read: {error.strerror}") from None


def _megabytes(counts: Iterator[int]) -> Iterator[int]:
    """One for each megabyte of the bytes counted."""
    total = told = 0
    for count in counts:
        total += count
        yield from range(told, total // MEGABYTE)
        told = total // MEGABYTE
