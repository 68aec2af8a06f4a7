"""`kindex fold-in`: vectors of many new items, from a file of their links."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kindex.cli.questions import Model, Release, Side
from kindex.cli.text import printable


def fold_in(
    model: Model,
    links: Annotated[Path, typer.Argument(help="File of links, a row each: .parquet, .csv, .tsv, .jsonl")],
    to: Annotated[Path, typer.Option(help="Parquet file to write")],
    id: Annotated[str, typer.Option(help="Column of the new items")] = "id",
    link: Annotated[str, typer.Option(help="Column of the items that they are linked to")] = "link",
    link_kind: Annotated[str, typer.Option(help="Column of those items' kinds. Default: any kind that has the id")] = "",
    kind: Annotated[
        str | None, typer.Option("--kind", "--space", help="Kind of the new items. Default: what stands at their side")
    ] = None,
    side: Side = None,
    release: Release = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there")] = False,
) -> None:
    """Vectors of new items from their links, without training."""
    from tqdm import tqdm

    from kindex.ask.fold_in import fold_in as write
    from kindex.ask.link_rows import Columns

    columns = Columns(id=id, link=link, link_kind=link_kind)
    hidden = not sys.stderr.isatty()
    with tqdm(desc=f"fold-in {model}", unit=" items", unit_scale=True, disable=hidden, leave=False, delay=0.5) as bar:

        def done(items: int, total: int) -> None:
            bar.total = total
            bar.update(items - bar.n)

        made = write(model, links, to, columns, kind=kind, side=side, release=release, force=force, progress=done)
    counts = ", ".join(f"{count:,} {origin}" for origin, count in made.items.items())
    given, known = made.links
    print(f"{printable(made.model)} {made.version}: {counts}, of the kind {printable(made.standing.kind)}")
    print(
        f"links: {known:,} of {given:,} known" + (f"; unknown: {printable(', '.join(made.unknown))} …" if made.unknown else "")
    )
    print(f"written: {printable(str(made.to))}")
    if made.bad:
        print(f"{made.bad:,} bad rows left out:", file=sys.stderr)
        for row in made.bad_rows:
            print(f"  {printable(row)}", file=sys.stderr)
