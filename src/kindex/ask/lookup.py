"""The items that a person means: by their ids, and the space that has them."""

from collections.abc import Mapping, Sequence

from kindex.ask.spelling import close_spellings, meant_kind, plain
from kindex.core.errors import ConfigError, choices
from kindex.core.space import Space

WORD = "word"
"""The kind whose ids are words in lower case; a person who writes another case means them."""


def searched(model: str, spaces: Mapping[str, Space], kind: str | None) -> list[Space]:
    """The spaces that are asked: the one of `kind`, which may be in the plural, or all. Raises `ConfigError`."""
    if not kind:
        return list(spaces.values())
    meant = meant_kind(kind, spaces)
    if meant is None:
        raise ConfigError(f"{model} has no kind {kind!r}: {choices(kind, spaces)}")
    return [spaces[meant]]


def spelt(id: str, space: Space) -> str | None:
    """The id as the space has it; a word also when only its letter case or its form in Unicode is another one."""
    if id in space.rows:
        return id
    word = plain(id) if space.kind == WORD else id
    return word if word in space.rows else None


def space_of(model: str, spaces: Mapping[str, Space], ids: Sequence[str], kind: str | None) -> tuple[Space, list[str]]:
    """The first space that has all these ids, and how it spells them.

    Raises `ConfigError` with close spellings when nothing has one of them, or no space has them all.
    """
    asked = searched(model, spaces, kind)
    for space in asked:
        names = [name for name in (spelt(id, space) for id in ids) if name is not None]
        if len(names) == len(ids):
            return space, names
    for id in ids:
        if all(spelt(id, space) is None for space in asked):
            near = close_spellings(id, dict.fromkeys(each for space in asked for each in space.ids))
            meant = f"did you mean {', '.join(near)}?" if near else "and nothing is spelt like it"
            raise ConfigError(f"{model} knows no {id!r}: {meant}")
    raise ConfigError(f"{', '.join(ids)} are not of one kind ({', '.join(spaces)}), and only one kind is searched")
