"""`kindex export`: a release for other programs."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from kindex.cli.questions import Model, Release
from kindex.cli.text import printable


def export(
    model: Model,
    to: Annotated[Path, typer.Option(help="File to write (for the projector a folder); its ending says the format")],
    format: Annotated[
        str | None,
        typer.Option("--as", help="neighbours (.parquet), word2vec (.txt, .vec), word2vec-binary (.bin), projector, atlas"),
    ] = None,
    k: Annotated[
        int | None, typer.Option("-k", min=1, help="Neighbours of each item (neighbours, atlas). Default: 10")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", "--space", help="Kind of item. Default: the one that the model is about")
    ] = None,
    release: Release = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there")] = False,
) -> None:
    """All neighbours, or the vectors themselves, for other programs."""
    from kindex.ask.export import export as write

    done, close = _progress(f"export {model}")
    try:
        written = write(model, to, format, k=k, kind=kind, release=release, force=force, progress=done)
    finally:
        close()
    source = written.source
    count, width = source.space.vectors_ND.shape
    print(f"{printable(source.model)} {source.version}: {count:,} x {width} of the kind {printable(source.space.kind)}")
    rows = f"{written.rows:,} rows, " if written.rows != count else ""
    print(f"{written.format}: {printable(str(written.to))}, {rows}{_size(written.bytes)}")
    print(f"open: {printable(written.opens)}")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"


def _progress(title: str) -> tuple[Callable[[int, int], None], Callable[[], None]]:
    """A bar on a terminal, nothing elsewhere; and what ends it."""
    from tqdm import tqdm

    bar = tqdm(desc=title, unit=" items", unit_scale=True, disable=not sys.stderr.isatty(), leave=False, delay=0.5)

    def done(items: int, total: int) -> None:
        bar.total = total
        bar.update(items - bar.n)

    return done, bar.close
