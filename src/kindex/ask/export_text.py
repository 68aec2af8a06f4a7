"""Vectors as word2vec and the Embedding Projector read them: lines of numbers, made by Arrow without a loop over them.

The numbers are the vectors as they were learned, in the fewest digits that give the same float32 again.
"""

import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.ask.export_source import Source, unwatched

ROWS = 4096
"""Vectors that are made into text at a time."""

PROJECTOR = ("vectors.tsv", "metadata.tsv", "projector_config.json", "projector_config.pbtxt")

Counted = Callable[[int], object]
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


def write_word2vec(path: Path, source: Source, done: Counted = unwatched) -> int:
    """The text format of word2vec (Mikolov et al. 2013): a line with N and D, then for each item its word and D numbers."""
    vectors_ND = source.space.vectors_ND
    words = pa.array([word(name) for name in source.space.ids], pa.string())
    with path.open("wb") as handle:
        handle.write(b"%d %d\n" % vectors_ND.shape)
        for rows in _rows(len(vectors_ND), done):
            lines = pc.binary_join_element_wise(words[rows], _numbers(vectors_ND[rows], " "), " ")
            handle.write(_joined(lines))
    return len(vectors_ND)


def write_word2vec_binary(path: Path, source: Source, done: Counted = unwatched) -> int:
    """The binary format: the same first line, then for each item its word, a space, D little-endian float32, a line feed."""
    vectors_ND = source.space.vectors_ND
    with path.open("wb") as handle:
        handle.write(b"%d %d\n" % vectors_ND.shape)
        for rows in _rows(len(vectors_ND), done):
            vectors_BD = vectors_ND[rows].astype("<f4")
            named = zip(source.space.ids[rows], vectors_BD)
            handle.write(b"".join(b"%s %s\n" % (word(name).encode(), vector_D.tobytes()) for name, vector_D in named))
    return len(vectors_ND)


def write_projector(folder: Path, source: Source, done: Counted = unwatched) -> int:
    """`PROJECTOR`'s files in `folder`: numbers, what is known of the items, and two configurations that name them.

    A first line of column names stands in metadata.tsv only when there are two columns or more: so the projector wants it.
    """
    space = source.space
    with (folder / "vectors.tsv").open("wb") as handle:
        for rows in _rows(len(space.ids), done):
            handle.write(_joined(_numbers(space.vectors_ND[rows], "\t")))
    about = {name: values.to_pylist() for name, values in source.about.items() if name != "id"}
    with (folder / "metadata.tsv").open("wb") as handle:
        if about:
            handle.write(_line(["id", *map(cell, about)]))
        for row, name in enumerate(space.ids):
            handle.write(_line([word(name, spaces=True), *(cell(values[row]) for values in about.values())]))
    title = cell(f"{source.model} {source.version} {space.kind}")
    shape = list(space.vectors_ND.shape)
    entry = {"tensorName": title, "tensorShape": shape, "tensorPath": "vectors.tsv", "metadataPath": "metadata.tsv"}
    (folder / "projector_config.json").write_text(json.dumps({"embeddings": [entry]}, indent=2) + "\n")
    quoted = json.dumps(title)
    lines = [f"tensor_name: {quoted}", 'tensor_path: "vectors.tsv"', 'metadata_path: "metadata.tsv"']
    (folder / "projector_config.pbtxt").write_text("embeddings {\n" + "".join(f"  {line}\n" for line in lines) + "}\n")
    return len(space.ids)


def word(name: str, spaces: bool = False) -> str:
    """An id as one word: white space, control characters, and a % before two hexadecimal digits as %XX of their UTF-8.

    No two ids become one word, and `urllib.parse.unquote` gives the id again. `spaces` lets the plain space through.

    >>> word("the hobbit"), word("100%"), word("100%25")
    ('the%20hobbit', '100%', '100%2525')
    """
    if name.isascii() and name.isprintable() and "%" not in name and (spaces or " " not in name):
        return name
    return "".join(_escaped(name, place, spaces) for place in range(len(name)))


def _escaped(name: str, place: int, spaces: bool) -> str:
    character = name[place]
    follows = name[place + 1 : place + 3]
    if character == "%":
        return "%25" if len(follows) == 2 and _HEXADECIMAL.issuperset(follows) else character
    breaks = character.isspace() or unicodedata.category(character) in ("Cc", "Zl", "Zp")
    return quote(character, safe="") if breaks and not (spaces and character == " ") else character


def cell(text: str | None) -> str:
    """Text for one cell of a .tsv file: white space and control characters as one space each. None is empty."""
    if not text or (text.isascii() and text.isprintable()):
        return text or ""
    breaks = ("Cc", "Zl", "Zp")
    return "".join(" " if c.isspace() or unicodedata.category(c) in breaks else c for c in text)


def _line(cells: Sequence[str]) -> bytes:
    return ("\t".join(cells) + "\n").encode()


def _rows(count: int, done: Counted) -> Iterator[slice]:
    for start in range(0, count, ROWS):
        yield slice(start, min(start + ROWS, count))
        done(min(start + ROWS, count))


def _numbers(vectors_BD: np.ndarray, between: str) -> pa.Array:
    """Each row's numbers as one string."""
    offsets = np.arange(len(vectors_BD) + 1, dtype=np.int32) * vectors_BD.shape[1]
    strings = pc.cast(pa.array(np.ascontiguousarray(vectors_BD).ravel()), pa.string())
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), strings), between)


def _joined(lines: pa.Array) -> bytes:
    whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
    return pc.binary_join(whole, "\n")[0].as_buffer().to_pybytes() + b"\n"
