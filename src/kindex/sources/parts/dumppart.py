"""One part of a dump → a folder with its book pages, its redirects and its refusals; kept, and used again when whole.

The folder is named by the part's sha256, the settings that its content depends on and the code that made it. It is
written beside its place and renamed. It may be deleted at any time.
"""

import gzip
import hashlib
import importlib.metadata
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from kindex.core.errors import DamagedError, OutsideError
from kindex.core.files import canonical_json, pretty_json, read_json, replacing, sha256_file
from kindex.sources import NotAsLockedError
from kindex.sources.parts.bookpages import BookPage, book_pages, line_of, opened, refusal, unpacked
from kindex.sources.parts.wikidump import DumpPage, dump_pages

REDIRECTS = pa.schema([("title", pa.string()), ("target", pa.string())])
ROWS = 1 << 16
CODE = ("dumppart", "bookpages", "wikidump", "wikitext", "wikititles")


@dataclass(frozen=True)
class PartJob:
    """One file of a dump. `sha256` is the locked one."""

    path: str
    name: str
    sha256: str
    infoboxes: tuple[str, ...]
    redirects: bool
    most_characters: int

    def folder(self, keep: Path) -> Path:
        """Where it is kept: not by its name, for what a file holds does not depend on where it lies."""
        settings = {key: value for key, value in asdict(self).items() if key not in ("path", "name")}
        return keep / hashlib.sha256(canonical_json([settings, _code()])).hexdigest()[:32]


@dataclass
class _Found:
    """What has been found in a part so far."""

    lines: IO[bytes]
    counts: dict[str, int]
    refused: list[dict[str, Any]] = field(default_factory=list)
    redirects: list[dict[str, str]] = field(default_factory=list)


def read_part(job: PartJob, keep: Path) -> Iterator[int]:
    """Read one part into its folder, unless a whole one is there; yields how many bytes of the file it has read since.

    Raises `NotAsLockedError` when the file is not the locked one, `DamagedError` naming it.
    """
    path, folder = Path(job.path), job.folder(keep)
    try:
        locked = sha256_file(path) == job.sha256
    except OSError as error:
        raise OutsideError(f"{job.name} cannot be read: {error.strerror}") from None
    if not locked:
        raise NotAsLockedError(f"{job.name} is not the file that is locked (its sha256 differs)")
    if _is_whole(folder):
        yield path.stat().st_size
        return
    with replacing(folder, folder.with_name(f".{folder.name}.work")) as out:
        counts: dict[str, int] = {}
        yield from _write(job, out, counts)
        files = {file.name: sha256_file(file) for file in sorted(out.iterdir())}
        (out / "part.json").write_bytes(pretty_json({"part": job.name, "counts": counts, "files": files}))


def kept_counts(job: PartJob, keep: Path) -> dict[str, int]:
    counts: dict[str, int] = read_json(job.folder(keep) / "part.json")["counts"]
    return counts


def kept_pages(job: PartJob, keep: Path) -> Iterator[BookPage | dict[str, Any]]:
    """What `read_part` found: book pages, then a quarantine entry for each page refused."""
    folder = job.folder(keep)
    with gzip.open(folder / "pages.ndjson.gz", "rb") as stream:
        if stream.peek(1):
            # a line may be longer than its page: markup is repeated in it, and JSON escapes
            for page in book_pages(cast(IO[bytes], stream), job.name, 64 * job.most_characters):
                yield replace(page, origin=f"{job.name}: {page.title}") if isinstance(page, BookPage) else page
    yield from read_json(folder / "refused.json")


def kept_redirects(job: PartJob, keep: Path) -> Iterator[pa.RecordBatch]:
    """Batches of the schema `REDIRECTS`."""
    with pa.OSFile(str(job.folder(keep) / "redirects.arrow")) as file, pa.ipc.open_stream(file) as reader:
        yield from reader


def _write(job: PartJob, out: Path, counts: dict[str, int]) -> Iterator[int]:
    from kindex.sources.parts.wikitext import mentions  # the nightly look at the lock needs no parser

    could_be = mentions(job.infoboxes)
    counts |= dict.fromkeys(("pages", "redirect_pages", "pages_elsewhere", "book_pages"), 0)
    with (
        (out / "pages.ndjson.gz").open("wb") as target,
        gzip.GzipFile("", "wb", 1, target, mtime=0) as lines,  # no name and no time of day: equal pages give equal bytes
        pa.OSFile(str(out / "redirects.arrow"), "wb") as file,
        pa.ipc.new_stream(file, REDIRECTS, options=pa.ipc.IpcWriteOptions(compression="zstd")) as table,
        opened(Path(job.path), job.name) as packed,
        unpacked(packed, job.name) as stream,
    ):
        found, before = _Found(cast(IO[bytes], lines), counts), 0
        for pages in dump_pages(stream, job.name, job.most_characters):
            for page in pages:
                _take(job, page, could_be, found)
            if len(found.redirects) >= ROWS:
                table.write_batch(pa.RecordBatch.from_pylist(found.redirects, REDIRECTS))
                found.redirects.clear()
            if (at := packed.tell()) > before:
                yield at - before
                before = at
        table.write_batch(pa.RecordBatch.from_pylist(found.redirects, REDIRECTS))
    (out / "refused.json").write_text(json.dumps(found.refused))


def _take(job: PartJob, page: DumpPage, could_be: Any, found: _Found) -> None:
    found.counts["pages"] += 1
    if page.namespace not in ("", "0"):
        found.counts["pages_elsewhere"] += 1
    elif page.redirect:
        found.counts["redirect_pages"] += 1
        if job.redirects:
            found.redirects.append({"title": page.title, "target": page.redirect})
    elif page.cut:
        found.refused.append(_refused(job, page, f"page is longer than {job.most_characters} characters"))
    elif could_be(page.text):
        _parse(job, page, found)


def _parse(job: PartJob, page: DumpPage, found: _Found) -> None:
    from kindex.sources.parts.wikitext import MOST_OPEN, most_open, parse_page

    if most_open(page.text) > MOST_OPEN:
        found.refused.append(_refused(job, page, f"wikitext has more than {MOST_OPEN} brackets or tags open at once"))
        return
    try:
        book = parse_page(page.text, job.infoboxes)
    except Exception as error:  # whatever a parser of other people's text raises, it is one page
        found.refused.append(_refused(job, page, f"wikitext does not parse: {type(error).__name__}"))
        return
    if book is not None:
        found.counts["book_pages"] += 1
        found.lines.write(line_of(BookPage(page.title, *book, page.timestamp, len(page.text), "")))


def _refused(job: PartJob, page: DumpPage, rule: str) -> dict[str, Any]:
    return refusal(rule, page.title, f"{job.name}: page {page.number}")


def _is_whole(folder: Path) -> bool:
    try:
        files = read_json(folder / "part.json")["files"]
        return bool(files) and all(sha256_file(folder / name) == sha256 for name, sha256 in files.items())
    except (DamagedError, OSError, KeyError, TypeError, AttributeError):
        return False


def _code() -> str:
    """A digest of the code that reads a part, and the parser's version."""
    here = Path(__file__).parent
    code = [sha256_file(here / f"{name}.py") for name in CODE]
    return ",".join([*code, importlib.metadata.version("mwparserfromhell")])
