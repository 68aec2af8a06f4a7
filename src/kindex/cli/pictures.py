"""`kindex caption` and `kindex describe`: from images to words and back, by a captioner's release."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kindex.cli.questions import AsJson, Count, Model, Release, print_hits
from kindex.cli.sheets import Show, check_show, show_captions, show_described
from kindex.cli.text import printable, table
from kindex.core.errors import ConfigError, DataGateError, choices

if TYPE_CHECKING:
    from kindex.ask.picturing import Captioned, Described, Read

BOTH = "both"
BESIDE = 36
"""Characters of a description where two answers stand side by side."""

NAMED = 5
"""Unknown words that are told; the others are counted."""


def caption(
    model: Model,
    images: Annotated[list[Path], typer.Argument(help="Files of images, of any size; folders: the images in them and below")],
    width: Annotated[int | None, typer.Option(min=1, max=100, help="Of the beam. Default: the model's beam_width")] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="0: the likeliest words; larger: longer captions. Default: the model's")
    ] = None,
    count: Annotated[int, typer.Option("-n", min=1, max=100, help="Captions of each image, best first, with scores")] = 1,
    greedy: Annotated[bool, typer.Option("--greedy", help="The likeliest word each time: --width 1")] = False,
    show: Show = None,
    release: Release = None,
    as_json: AsJson = False,
) -> None:
    """What images show, a line for each. Files that cannot be used are named and left out; all of them: exit code 3."""
    from tqdm import tqdm

    from kindex.ask.image_files import image_files
    from kindex.ask.live import open_live
    from kindex.ask.picturing import Pictured

    if greedy and (count > 1 or width not in (None, 1)):
        raise ConfigError("--greedy finds one caption, in a beam of width 1: leave --width and -n away")
    live = open_live(model, release=release)
    check_show(show, live)
    files = image_files(images)
    asked = Pictured(live).caption(files, 1 if greedy else width, length_penalty, count)
    room = max(len(printable(str(file))) for file in files) if len(files) > 1 else 0
    hidden = not sys.stderr.isatty() or sys.stdout.isatty()  # on a terminal the lines themselves are the progress
    told: list[Captioned] = []
    for one in tqdm(asked, f"caption {model}", len(files), unit=" images", disable=hidden, leave=False, delay=0.5):
        told.append(one)
        if one.refused is not None:
            print(f"{printable(one.name)} is left out: {printable(one.refused)}", file=sys.stderr)
        elif not as_json:
            _print_captions(one, room, count > 1)
    if as_json:
        print(json.dumps([_as_json(one) for one in told], indent=1))
    left_out = sum(one.refused is not None for one in told)
    if left_out == len(told):
        raise DataGateError(f"none of {left_out:,} files is an image that can be used")
    if left_out:
        print(f"{left_out:,} of {len(told):,} files left out", file=sys.stderr)
    show_captions(show, live, told, files)


def describe(
    model: Model,
    text: Annotated[list[str], typer.Argument(help="What the images show, e.g. 'a dog runs through water'")],
    k: Count = 10,
    by: Annotated[str, typer.Option(help="tower; inversion: by gradients through the decoder; both, side by side")] = "tower",
    show: Show = None,
    release: Release = None,
    as_json: AsJson = False,
) -> None:
    """The images that a description fits best. Words that the model does not know are told, and left out."""
    from kindex.ask.live import open_live
    from kindex.ask.picturing import WAYS, Pictured

    if by not in (*WAYS, BOTH):
        raise ConfigError(f"--by is {by!r}: {choices(by, (*WAYS, BOTH))}")
    live = open_live(model, release=release)
    check_show(show, live)
    pictured, asked = Pictured(live), " ".join(text)
    read = pictured.read(asked)
    _tell(read)
    found = [pictured.describe(asked, k, way) for way in (WAYS if by == BOTH else (by,))]
    notes = [_how(each) for each in found]
    if as_json:
        print(json.dumps([{"text": asked, **asdict(read), **asdict(each)} for each in found], indent=1))
    else:
        for note in filter(None, notes):
            print(note)
        if by == BOTH:
            _print_beside(*found)
        else:
            print_hits(list(found[0].hits), as_json)
    show_described(show, live, found, asked, notes)


def _print_captions(one: "Captioned", room: int, scored: bool) -> None:
    """A line for each caption. The name has `room` characters, and more where it is longer."""
    name = printable(one.name).ljust(room)
    for text, score in one.captions:
        print(f"{name}  {round(score, 3) + 0.0:7.3f}  {text}" if scored else f"{name}  {text}")


def _as_json(one: "Captioned") -> dict[str, object]:
    captions = [{"text": text, "score": score} for text, score in one.captions]
    return {"file": one.name, "captions": captions, "refused": one.refused}


def _tell(read: "Read") -> None:
    """Say on stderr what of a description does not count."""
    for word, near in list(read.unknown.items())[:NAMED]:
        close = f"; close: {', '.join(near)}" if near else ""
        print(f"{printable(word)!r} is not a word of this model: left out{printable(close)}", file=sys.stderr)
    if (more := len(read.unknown) - NAMED) > 0:
        print(f"{more:,} more words are not of this model: left out", file=sys.stderr)
    if read.cut:
        print(f"the description is long: its last {read.cut:,} known words are left out", file=sys.stderr)


def _how(found: "Described") -> str:
    """How inversion went; nothing for the tower, which has nothing to say."""
    if found.loss is None:
        return ""
    settled = "settled" if found.converged else "not settled"
    return f"{found.by}: {settled} after {found.steps} steps, at {found.loss:.2f} nats a word"


def _print_beside(*found: "Described") -> None:
    """The answers of several ways side by side, by rank."""
    rows = []
    for rank in range(max(len(each.hits) for each in found)):
        row = []
        for each in found:
            hit = each.hits[rank] if rank < len(each.hits) else None
            row += [f"{hit.score + 0.0:.3f}", hit.id, _short(hit.description)] if hit else ["", "", ""]
        rows.append(row)
    table([title for each in found for title in ("score", each.by, "description")], rows)


def _short(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= BESIDE else f"{text[: BESIDE - 1].rstrip()}…"
