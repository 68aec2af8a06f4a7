"""`kindex similar` and `kindex analogy`: questions put to a live release."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from kindex.cli.text import printable, table

if TYPE_CHECKING:
    from kindex.ask.live import Hit

Model = Annotated[str, typer.Argument(help="A model of params.yaml, e.g. modules-pairs")]
Count = Annotated[int, typer.Option("-k", min=1, help="How many answers")]
Kind = Annotated[str | None, typer.Option(help="Kind of item. Default: the first that has the id")]
Release = Annotated[str | None, typer.Option(help="Ask this version, e.g. v0003, and not the live one")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON list, for programs")]


def similar(
    model: Model,
    id: Annotated[str, typer.Argument(help="An item's id; a part of it gets close spellings")],
    k: Count = 10,
    kind: Kind = None,
    minus: Annotated[list[str] | None, typer.Option(help="Push away from this id (may be repeated)")] = None,
    release: Release = None,
    as_json: AsJson = False,
) -> None:
    """The items nearest to one, with their similarity."""
    from kindex.ask.live import open_live

    live = open_live(model, release=release)
    _show(live.most_similar([id], minus, k, kind) if minus else live.similar(id, k, kind), as_json)
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

    _show(open_live(model, release=release).most_similar(plus, minus or [], k, kind), as_json)


def _show(hits: "list[Hit]", as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(hit) for hit in hits], indent=1))
        return
    labelled = any(hit.label for hit in hits)
    rows = [[f"{round(hit.score, 3) + 0.0:.3f}", hit.id, *([hit.label] if labelled else []), hit.description] for hit in hits]
    table(["score", "id", *(["label"] if labelled else []), "description"], rows)
