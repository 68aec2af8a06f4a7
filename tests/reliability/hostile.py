"""Files that make a file, the canary, if anything unpickles, evaluates or imports them. For promise 16."""

import contextlib
import io
import json
import marshal
import pickle
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kindex.ask.live import open_live
from kindex.ask.loading import read_encoder
from kindex.core import release
from kindex.core.errors import KindexError
from kindex.core.layout import Layout
from kindex.core.publish import build
from kindex.stages.parts.terminal import TerminalWatch
from tests.reliability import chain


class Boom:
    """Makes the canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = str(canary)

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({self.canary!r}, 'w').close()",)


def contents(canary: Path) -> dict[str, bytes]:
    """Hostile bytes by what they are."""
    import torch

    boom = Boom(canary)
    found = {f"pickle {protocol}": pickle.dumps(boom, protocol) for protocol in (0, 2, 4, 5)}
    made: dict[str, Callable[[io.BytesIO], object]] = {
        "torch": lambda file: torch.save({"weight": boom}, file),
        "old torch": lambda file: torch.save({"weight": boom}, file, _use_new_zipfile_serialization=False),
        "npy of objects": lambda file: np.save(file, np.array([boom], object), allow_pickle=True),
        "npz of objects": lambda file: np.savez(file, left=np.array([boom], object)),
        "zip of code": lambda file: _zipped(file, f"open({str(canary)!r}, 'w')"),
    }
    for name, write in made.items():
        buffer = io.BytesIO()
        write(buffer)
        found[name] = buffer.getvalue()
    found["joblib"] = zlib.compress(pickle.dumps(boom))
    found["bytecode"] = b"\xa7\r\r\n" + bytes(12) + marshal.dumps(compile(f"open({str(canary)!r}, 'w')", "x", "exec"))
    found["Python"] = f"open({str(canary)!r}, 'w')\n".encode()
    found["safetensors without an end"] = (1 << 62).to_bytes(8, "little") + b"{"
    return found


def _zipped(file: io.BytesIO, code: str) -> None:
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("__main__.py", code)


@dataclass(frozen=True)
class Attempt:
    """`open` takes a hostile file up; it must raise a `KindexError`, or leave the file alone where `ignored` says so."""

    name: str
    open: Callable[[], object]
    ignored: bool = False


IN_RELEASE = ("vectors/{kind}.parquet", "index/{kind}.faiss", "index/{kind}.json", "encoder/encoder.safetensors",
              "encoder/encoder.json", "items.parquet", "report.json", "lineage.json")  # fmt: skip


def attempts(scratch: Path, canary: Path, whole: Layout, pictured: Layout) -> Iterator[Attempt]:
    """Every hostile content as files of a release whose manifest was made with it, of sources, and of what stages keep.

    `whole` and `pictured` are projects with a release, of links and of images.
    """
    hostile = contents(canary)
    for number, (name, content) in enumerate(hostile.items()):
        for made, kind in ((whole, "user"), (pictured, "image")):
            for path in IN_RELEASE[number % 2 :: 2]:
                forged = path.format(kind=kind)
                layout = chain.copied(made, scratch / "forged")
                _forge(layout, forged, content)
                yield Attempt(f"{name} as {forged}", lambda layout=layout: _opened(layout))
    for name, content in hostile.items():
        for suffix in ("csv", "jsonl", "json", "parquet", "csv.gz", "pkl", "pt", "npy", "feather"):
            layout = chain.made(scratch / "source", {"kind": "files", "links": f"links.{suffix}"})
            (layout.root / f"links.{suffix}").write_bytes(content)
            yield Attempt(f"{name} as links.{suffix}", lambda layout=layout: chain.night(layout))
            shutil.rmtree(layout.root)
        layout = chain.copied(pictured, scratch / "pictured")
        rows = pq.read_table(layout.root / "stamps.parquet").to_pylist()
        for row in rows:
            row["image"] = content
        pq.write_table(pa.Table.from_pylist(rows), layout.root / "stamps.parquet")
        yield Attempt(f"{name} as images", lambda layout=layout: chain.night(layout))
        yield from _kept(scratch, whole, name, content)


def _kept(scratch: Path, whole: Layout, name: str, content: bytes) -> Iterator[Attempt]:
    """Hostile pointers, manifests, locks, settings and checkpoints."""
    for path in (f"releases/{chain.MODEL}/CURRENT", f"releases/{chain.MODEL}/v0001/manifest.json"):
        layout = chain.copied(whole, scratch / "kept")
        (layout.root / path).write_bytes(content)
        yield Attempt(f"{name} as {Path(path).name}", lambda layout=layout: _opened(layout))
    read_by = {
        f"locks/{chain.KEY}.json": "ingest",
        "params.yaml": "split",
        f"data/ingest/{chain.KEY}/links.parquet": "validate",
    }
    for path, stage in read_by.items():
        layout = chain.copied(whole, scratch / "kept")
        (layout.root / path).write_bytes(content)
        yield Attempt(f"{name} as {Path(path).name}", lambda stage=stage, layout=layout: chain.run(layout, stage))
    folder = scratch / "checkpoint"
    folder.mkdir(exist_ok=True)
    watch = TerminalWatch("fit", folder / "history", folder)
    (folder / "arrays.safetensors").write_bytes(content)
    kept = {"identity": watch.identity, "sha256": sha256(content).hexdigest(), "state": {}, "history": ""}
    (folder / "state.json").write_text(json.dumps(kept))
    yield Attempt(f"{name} as a checkpoint", lambda: _resumed(watch), ignored=True)


def _resumed(watch: TerminalWatch) -> None:
    with contextlib.redirect_stderr(io.StringIO()):
        if watch.resume() is not None:
            raise AssertionError("a hostile checkpoint was taken up")


def objects_in_yaml(layout: Layout, canary: Path) -> Attempt:
    """Settings with the tags by which YAML makes objects of Python."""
    text = f'catalogues: !!python/object/apply:os.system ["touch {canary}"]\n'
    (layout.root / "params.yaml").write_text(text)
    return Attempt("objects in params.yaml", lambda: chain.night(layout))


def pickled_type(layout: Layout, canary: Path) -> Attempt:
    """A Parquet file with a column of the type that pyarrow before 14.0.1 unpickled (CVE-2023-47248)."""
    about = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickle.dumps(Boom(canary))}
    fields = [pa.field("user", pa.string(), metadata=about), pa.field("book", pa.string(), metadata=about)]
    columns = [[f"u{n // 5}" for n in range(100)], [f"b{n % 11}" for n in range(100)]]
    pq.write_table(pa.table(columns, schema=pa.schema(fields)), layout.root / "links.parquet")
    return Attempt("a column of a pickled type", lambda: chain.night(layout), ignored=True)


def _forge(layout: Layout, path: str, content: bytes) -> None:
    """Make a release of the live one with another file in it, whose manifest agrees."""
    releases = layout.releases(chain.MODEL)
    folder = releases / release.live(releases).version
    files: dict[str, Path | bytes] = {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != release.MANIFEST
    }
    files[path] = content
    (releases / release.CURRENT).unlink()
    build(releases, chain.MODEL, files, {}, {})


def _opened(layout: Layout) -> None:
    """The newest release, and its encoder."""
    releases = layout.releases(chain.MODEL)
    live = open_live(chain.MODEL, root=layout.root, release=release.names(releases)[-1])
    read_encoder(live.folder, live.manifest)
    raise AssertionError("it was opened")


def outcome(attempt: Attempt) -> str:
    """ "" when the attempt was refused as it should be, else what happened."""
    try:
        attempt.open()
    except KindexError:
        return ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    return "" if attempt.ignored else "nothing was refused"
