"""`kindex similar` and `kindex analogy`: questions put to a live release."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kindex.cli.text import printable, table
from kindex.cli.unseen import given_links, tell
from kindex.core.errors import ConfigError

if TYPE_CHECKING:
    from kindex.ask.live import Hit

Model = Annotated[str, typer.Argument(help="A model of params.yaml, e.g. modules-pairs")]
Count = Annotated[int, typer.Option("-k", min=1, help="How many answers")]
Kind = Annotated[str | None, typer.Option(help="Kind of item. Default: the first that has the id")]
Release = Annotated[str | None, typer.Option(help="Ask this version, e.g. v0003, and not the live one")]
Side = Annotated[str | None, typer.Option(help="End of the new item: left, right. Default: where more links are known")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON list, for programs")]


def similar(
    model: Model,
    id: Annotated[str | None, typer.Argument(help="An item's id; a part of it gets close spellings")] = None,
    k: Count = 10,
    kind: Kind = None,
    minus: Annotated[list[str] | None, typer.Option(help="Push away from this id (may be repeated)")] = None,
    links: Annotated[str | None, typer.Option(help="Instead of an id: ids that a new item is linked to, with commas")] = None,
    link: Annotated[list[str] | None, typer.Option(help="The same, one id, which may hold commas (may be repeated)")] = None,
    links_file: Annotated[Path | None, typer.Option(help="The same, a file with an id on each line")] = None,
    side: Side = None,
    release: Release = None,
    as_json: AsJson = False,
) -> None:
    """The items nearest to one, with their similarity. An item that the release does not have is given by its links."""
    from kindex.ask.live import open_live
    from kindex.ask.unseen import Unseen

    asked = given_links(links, link, links_file)
    if (id is None) == (asked is None):
        raise ConfigError("give either the id of an item, or the links of a new one: --links, --link or --links-file")
    live = open_live(model, release=release)
    if id is None:
        if minus:
            raise ConfigError("--minus goes with an id, and a new item has none")
        unseen = Unseen(live)
        placed, hits = unseen.similar(asked or [], k, kind, side)
        tell(unseen, placed, sys.stderr if as_json else sys.stdout)
        show(hits, as_json)
        return
    if side is not None:
        raise ConfigError("--side goes with links: an id says itself where it stands")
    show(live.most_similar([id], minus, k, kind) if minus else live.similar(id, k, kind), as_json)
    if sys.stderr.isatty():
        print(f"{printable(id)}: trained, {live.manifest.version}", file=sys.stderr)
    if kind is None and not minus and len(kinds := live.kinds_of(id)) > 1:
        print(f"{printable(id)} as {kinds[0]}; --kind {' or '.join(kinds[1:])} asks about the other", file=sys.stderr)


def analogy(
    model: Model,
    plus: Annotated[list[str], typer.Option(help="Near to this id (may be repeated)")],
    minus: Annotated[list[str] | None, typer.Option(help="Far from this id (may be repeated)")] = None,
    k: Count = 10,
    kind: Kind = None,
    release: Release = None,
    as_json: AsJson = False,
) -> None:
    """Near to some items and far from others: king - man + woman."""
    from kindex.ask.live import open_live

    show(open_live(model, release=release).most_similar(plus, minus or [], k, kind), as_json)


def show(hits: "list[Hit]", as_json: bool) -> None:
    """A table, or JSON, where each answer names the origin of the vector that was asked about."""
    if as_json:
        print(json.dumps([asdict(hit) for hit in hits], indent=1))
        return
    labelled = any(hit.label for hit in hits)
    rows = [[f"{round(hit.score, 3) + 0.0:.3f}", hit.id, *([hit.label] if labelled else []), hit.description] for hit in hits]
    table(["score", "id", *(["label"] if labelled else []), "description"], rows)
