"""Export a release to what other programs read: neighbours, word2vec, the Embedding Projector, embedding-atlas."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from kindex.ask import export_neighbours, export_text
from kindex.ask.export_source import Source, read_source, unwatched
from kindex.ask.export_target import check_target, writing
from kindex.core.errors import ConfigError, DamagedError, choices
from kindex.core.files import require_space
from kindex.core.layout import find

K = 10

Progress = Callable[[int, int], object]
"""Called with the items that are done, and all of them."""


@dataclass(frozen=True)
class Format:
    """`endings` of a file name that stand for it; `opens` tells how a person goes on, from the path and the column of text."""

    write: Callable[..., int]
    endings: tuple[str, ...]
    opens: Callable[[str, str], str]
    takes_k: bool = False
    files: tuple[str, ...] = ()  # of a folder; empty: it is one file
    bytes_per_number: float = 4.5


_ATLAS = "--x projection_x --y projection_y --neighbors __neighbors"

FORMATS = {
    "neighbours": Format(
        export_neighbours.write_neighbours,
        (".parquet",),
        lambda to, _: f"duckdb -c {_shell(f'from {_sql(to)} where rank = 1 limit 10')}",
        takes_k=True,
    ),
    "word2vec": Format(
        export_text.write_word2vec,
        (".txt", ".vec"),
        lambda to, _: f"gensim.models.KeyedVectors.load_word2vec_format({to!r}) in Python",
        bytes_per_number=13,
    ),
    "word2vec-binary": Format(
        export_text.write_word2vec_binary,
        (".bin",),
        lambda to, _: f"gensim.models.KeyedVectors.load_word2vec_format({to!r}, binary=True) in Python",
    ),
    "projector": Format(
        export_text.write_projector,
        ("",),
        lambda to, _: f"tensorboard --logdir {quote(to)}, or load vectors.tsv and metadata.tsv in the Embedding Projector",
        files=export_text.PROJECTOR,
        bytes_per_number=13,
    ),
    "atlas": Format(
        export_neighbours.write_atlas,
        (".atlas.parquet",),
        lambda to, text: f"embedding-atlas {quote(to)} {_ATLAS} --text {quote(text)}",
        takes_k=True,
    ),
}


@dataclass(frozen=True)
class Written:
    """What an export wrote: `rows` are lines, points or pairs; `opens` is how to go on."""

    to: Path
    format: str
    source: Source
    rows: int
    bytes: int
    opens: str


def export(
    model: str,
    to: Path | str,
    format: str | None = None,
    *,
    k: int | None = None,
    kind: str | None = None,
    release: str | None = None,
    root: Path | str | None = None,
    force: bool = False,
    progress: Progress = unwatched,
) -> Written:
    """Write the vectors of `kind` in a release of `model` (see `read_source`) to `to`, whole or not at all.

    `format` is a name in `FORMATS`, by default what the ending of `to` says. `k` neighbours (10) go with the formats that
    hold them. Raises `ConfigError` for anything unknown, or a target that must not be taken; `DamagedError` naming a file of
    the release; `BusyError` while another export writes there; `OutsideError` when the disk has no room.
    """
    to = Path(to)
    name = format or _format_of(to)
    if name not in FORMATS:
        raise ConfigError(f"no format {name!r}: {choices(name, FORMATS)}")
    chosen = FORMATS[name]
    if k is not None and not chosen.takes_k:
        holding = " and ".join(each for each, other in FORMATS.items() if other.takes_k)
        raise ConfigError(f"{name} holds no neighbours, so -k has no meaning: it goes with {holding}")
    if k is not None and k < 1:
        raise ConfigError(f"k is {k}, allowed: 1 or more")
    if to.suffix in (".gz", ".bz2", ".xz", ".zst", ".zip"):
        raise ConfigError(f"{to} would not be compressed: leave {to.suffix} away and compress it afterwards")
    layout = find(root)
    check_target(layout, to, chosen.files, force)
    source = read_source(layout, model, kind, release)
    count = len(source.space.ids)
    neighbours = 16 * (k or K) if chosen.takes_k else 0
    needed = count * (64 + neighbours) + chosen.bytes_per_number * source.space.vectors_ND.size
    require_space(to.parent, int(needed), f"the export to {to}")
    asked = {"k": k or K} if chosen.takes_k else {}
    with writing(layout, to, bool(chosen.files)) as path:
        try:
            rows = chosen.write(path, source, done=lambda items: progress(items, count), **asked)
        except ValueError as error:
            raise DamagedError(f"the vectors of {model} {source.version} cannot be compared: {error}") from error
    size = sum((to / file).stat().st_size for file in chosen.files) if chosen.files else to.stat().st_size
    text = next((column for column in ("description", "label") if column in source.about), "id")
    return Written(to, name, source, rows, size, chosen.opens(str(to), text))


def _format_of(to: Path) -> str:
    endings = {ending: name for name, each in FORMATS.items() for ending in each.endings if ending}
    for ending in sorted(endings, key=len, reverse=True):
        if to.name.lower().endswith(ending):
            return endings[ending]
    if not to.suffix:
        return "projector"
    raise ConfigError(f"{to.suffix!r} says no format: end --to in {', '.join(endings)}, nothing (a folder), or give --as")


def _sql(text: str) -> str:
    """Text as SQL spells it."""
    return "'" + text.replace("'", "''") + "'"


def _shell(text: str) -> str:
    """Text in quotes that a shell takes away; the pleasant ones where they are enough."""
    return quote(text) if set(text) & set('"$`\\!') else f'"{text}"'
