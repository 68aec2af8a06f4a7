"""`kindex similar` and `kindex analogy`: questions put to a live release."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kindex.cli.sheets import Show, check_show, show_hits
from kindex.cli.text import printable, table
from kindex.cli.unseen import given_links, tell
from kindex.core.errors import ConfigError, choices

if TYPE_CHECKING:
    from kindex.ask.live import Hit

Model = Annotated[str, typer.Argument(help="A model of params.yaml, e.g. modules-pairs")]
Count = Annotated[int, typer.Option("-k", min=1, help="How many answers")]
Kind = Annotated[
    str | None, typer.Option("--kind", "--space", help="Kind of item, e.g. word or words. Default: the first that has the id")
]
Release = Annotated[str | None, typer.Option(help="Ask this version, e.g. v0003, and not the live one")]
Side = Annotated[str | None, typer.Option(help="End of the new item: left, right. Default: where more links are known")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON list, for programs")]

ADD = "add"
WAYS = (ADD, "mul")


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
    image: Annotated[Path | None, typer.Option(help="Instead of an id: an image's file, which may be a new one")] = None,
    show: Show = None,
    release: Release = None,
    as_json: AsJson = False,
) -> None:
    """The items nearest to one, with their similarity. A new item is given by its links, or by its image."""
    from kindex.ask.live import open_live
    from kindex.ask.picturing import Pictured
    from kindex.ask.unseen import Unseen

    asked = given_links(links, link, links_file)
    if [id, asked, image].count(None) != 2:
        raise ConfigError(
            "give either the id of an item, or the links of a new one: --links, --link or --links-file; or its --image"
        )
    if minus and id is None:
        raise ConfigError("--minus goes with an id, and a new item has none")
    if side is not None and asked is None:
        raise ConfigError("--side goes with links: an id or an image says itself where it stands")
    live = open_live(model, release=release)
    check_show(show, live)
    if asked is not None:
        unseen = Unseen(live)
        placed, hits = unseen.similar(asked, k, kind, side)
        tell(unseen, placed, sys.stderr if as_json else sys.stdout)
    elif image is not None:
        hits = Pictured(live).similar_to_image(image, k, kind)
    else:
        assert id is not None
        hits = live.most_similar([id], minus, k, kind) if minus else live.similar(id, k, kind)
    print_hits(hits, as_json)
    show_hits(show, live, hits, id or str(image or "a new item"), image)
    if id is not None and sys.stderr.isatty():
        print(f"{printable(id)}: trained, {live.manifest.version}", file=sys.stderr)
    if id is not None and kind is None and not minus and len(kinds := live.kinds_of(id)) > 1:
        print(f"{printable(id)} as {kinds[0]}; --kind {' or '.join(kinds[1:])} asks about the other", file=sys.stderr)


def analogy(
    model: Model,
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Three ids a b c: what is to c as b is to a? The same as --plus b --plus c --minus a"),
    ] = None,
    plus: Annotated[list[str] | None, typer.Option(help="Near to this id (may be repeated)")] = None,
    minus: Annotated[list[str] | None, typer.Option(help="Far from this id (may be repeated)")] = None,
    by: Annotated[str, typer.Option(help="add: sum of vectors (3CosAdd); mul: product of cosines (3CosMul)")] = ADD,
    k: Count = 10,
    kind: Kind = None,
    release: Release = None,
    as_json: AsJson = False,
) -> None:
    """Near to some items and far from others: king - man + woman."""
    from kindex.ask.live import open_live

    if by not in WAYS:
        raise ConfigError(f"--by is {by!r}: {choices(by, WAYS)}")
    if words:
        if len(words) != 3 or plus or minus:
            raise ConfigError("give either three ids a b c (what is to c as b is to a?), or --plus and --minus")
        minus, plus = words[:1], words[1:]
    if not plus:
        raise ConfigError("give three ids a b c (what is to c as b is to a?), or at least one --plus")
    print_hits(open_live(model, release=release).most_similar(plus, minus or [], k, kind, by), as_json)


def print_hits(hits: "list[Hit]", as_json: bool) -> None:
    """A table, or JSON, where each answer names the origin of the vector that was asked about."""
    if as_json:
        print(json.dumps([asdict(hit) for hit in hits], indent=1))
        return
    labelled = any(hit.label for hit in hits)
    rows = [[f"{round(hit.score, 3) + 0.0:.3f}", hit.id, *([hit.label] if labelled else []), hit.description] for hit in hits]
    table(["score", "id", *(["label"] if labelled else []), "description"], rows)
