"""One question given as a row of a table (a mapping of what is not missing in it), and its answers as rows; see `ASKED_BY`."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np

from kindex.ask.live import ANALOGIES, Live
from kindex.ask.picturing import IMAGE, WAYS, Pictured
from kindex.ask.spelling import meant_kind
from kindex.core.errors import ConfigError, DataGateError

NEIGHBOURS, VECTORS, CAPTIONS = "neighbours", "vectors", "captions"

ASKED_BY = ("vector", "image", "text", "plus", "minus")
"""Columns that a row may be asked by instead of its id, which is then only repeated; `plus` and `minus` go together."""


class UnknownError(Exception):
    """A row of which the release knows nothing: an image that does not decode, a text or an id without a known word."""


def by_id(question: Mapping[str, Any]) -> bool:
    """Whether nothing but the id says what is asked about."""
    return not question.keys() & set(ASKED_BY)


def answers(live: Live, question: Mapping[str, Any], asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows (rank, neighbour, score), (vector) or (rank, caption, score), by `asked["answer"]`; nearest or best first.

    `asked` further has k, kind and by, and for captions width and count, where empty or 0 is the default. Raises
    `UnknownError`, and `ConfigError` for what no row could be asked.
    """
    given = [name for name in ASKED_BY if name in question and name != "minus"]
    if len(given) > 1:
        raise ConfigError(f"a row has {' and '.join(given)}: give one of them")
    if asked["answer"] == CAPTIONS:
        return _captions(live, question, asked)
    kind, k = asked["kind"] or None, int(asked["k"])
    if question.keys() & {"plus", "minus"}:
        hits = _analogy(live, question, asked, k)
    elif by_id(question) and asked["answer"] == NEIGHBOURS:
        hits = live.similar(question["id"], k, kind)
    else:
        vector_D, space = _vector(live, question, asked)
        if asked["answer"] == VECTORS:
            return [{"vector": np.asarray(vector_D).tolist()}]
        hits = live.similar_to_vector(vector_D, k, space)
    return [{"rank": rank, "neighbour": hit.id, "score": hit.score} for rank, hit in enumerate(hits, 1)]


def _captions(live: Live, question: Mapping[str, Any], asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    if IMAGE not in question:
        raise ConfigError("captions are of images: a row has none; give the column image")
    encoded, width, count = _encoded(question[IMAGE]), int(asked["width"]) or None, int(asked["count"])
    (said,) = Pictured(live).caption([encoded], width, count=count)
    if said.refused is not None:
        raise UnknownError(said.refused)
    return [{"rank": rank, "caption": text, "score": score} for rank, (text, score) in enumerate(said.captions, 1)]


def _analogy(live: Live, question: Mapping[str, Any], asked: Mapping[str, Any], k: int) -> Any:
    if asked["answer"] == VECTORS:
        raise ConfigError("plus and minus have neighbours and no vector: ask for the neighbours")
    plus, minus = (list(question.get(name, ())) for name in ("plus", "minus"))
    kind = asked["kind"] or None
    for name in (*plus, *minus):
        if live.spelt(name, kind) is None:
            try:
                live.vector(name, kind)  # it knows the close spellings
            except ConfigError as error:
                raise UnknownError(str(error)) from None
    return live.most_similar(plus, minus, k, kind, _way(asked["by"], "plus and minus go", tuple(ANALOGIES)))


def _vector(live: Live, question: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[Any, str | None]:
    """The vector (D) that a row is asked by, and the kind of its space."""
    kind = asked["kind"] or None
    if "vector" in question:
        return question["vector"], kind
    if by_id(question):
        return live.vector(question["id"], kind), kind
    if kind is not None and meant_kind(kind, [IMAGE]) is None:
        raise ConfigError(f"an image or a text finds images, and kind is {kind!r}: leave it away")
    pictured = Pictured(live)
    try:
        if IMAGE in question:
            return pictured.image_vector(_encoded(question[IMAGE])), IMAGE
    except DataGateError as error:
        raise UnknownError(str(error)) from None
    by = _way(asked["by"], "a text goes", WAYS)
    try:
        pictured.read(question["text"])
    except ConfigError as error:
        raise UnknownError(str(error)) from None
    return pictured.text_vector(question["text"], by)[0], IMAGE


def _way(by: str, what: str, allowed: tuple[str, ...]) -> str:
    if by and by not in allowed:
        raise ConfigError(f"by is {by!r}, and {what} by {' or '.join(allowed)}")
    return by or allowed[0]


def _encoded(image: Any) -> bytes:
    """The bytes of an image, which JSON has as base64."""
    if isinstance(image, bytes | bytearray):
        return bytes(image)
    try:
        return base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise UnknownError("the image is neither bytes nor base64") from None
