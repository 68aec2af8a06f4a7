"""Items that a release does not have, placed among its items by their links.

What a person writes of a link is looked up as an id, then as `kind:id`, then as both in any letter case. The vector is the
closed form of the family (`kindex.encoders.pairs.folding`). Without a known link it is the mean of its side: a fallback.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from kindex.ask.live import FALLBACK, FOLDED, Hit, Live
from kindex.ask.spelling import close_spellings, meant_kind
from kindex.core.errors import ConfigError, choices
from kindex.core.space import CONTEXT

SIDES = ("left", "right")


@dataclass(frozen=True)
class Standing:
    """Where new items stand: at which end of links, as which kind, and in which space their neighbours are."""

    side: str
    kind: str
    space: str


@dataclass(frozen=True)
class Placed:
    """A new item: the origin of its vector (D), its known links by (kind, id), and those that nothing was found for."""

    standing: Standing
    origin: str
    vector_D: np.ndarray
    known: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]


class Lookup:
    """Rows of the items at one end of links (a `Vocabulary`), by what a person writes."""

    def __init__(self, vocabulary: Any) -> None:
        self.kinds, self.rows = list(vocabulary.ids), vocabulary.rows

    @cached_property
    def names(self) -> list[tuple[str, str]]:
        """(kind, id) of each row."""
        return list(self.rows)

    def find(self, text: str, kind: str | None = None) -> list[int]:
        """The row with this id; several when several kinds have it; none also when only letter case tells two ids apart."""
        whole = [(each, text) for each in self.kinds if kind in (None, each)]
        part = [(each, text[len(each) + 1 :]) for each in self.kinds if kind is None and text.startswith(f"{each}:")]
        for meant in (whole, part):
            if found := [self.rows[one] for one in meant if one in self.rows]:
                return found
        for meant in (whole, part):
            rows = (self._any_case.get((each, id.casefold()), -1) for each, id in meant)
            if found := [row for row in rows if row >= 0]:
                return found
        return []

    @cached_property
    def _any_case(self) -> dict[tuple[str, str], int]:
        """Rows by kind and id without letter case; -1 where several ids have one."""
        found: dict[tuple[str, str], int] = {}
        for (kind, id), row in self.rows.items():
            key = (kind, id.casefold())
            found[key] = -1 if key in found else row
        return found

    def spellings(self, text: str) -> list[str]:
        """Ids that an unknown text may mean, with `kind:` before them where it was there."""
        kind = next((each for each in self.kinds if text.startswith(f"{each}:")), None)
        ids = dict.fromkeys(id for each, id in self.names if kind in (None, each))
        bare = text if kind is None else text[len(kind) + 1 :]
        return [id if kind is None else f"{kind}:{id}" for id in close_spellings(bare, ids, most=3)]


class Unseen:
    """Places new items in an opened release. Raises `ConfigError` when the family of its model folds no item in."""

    def __init__(self, live: Live) -> None:
        self.live, self.encoder = live, live.able("folded")
        self.linkable = {"left": Lookup(self.encoder.right), "right": Lookup(self.encoder.left)}

    def stand(self, known: Mapping[str, int], kind: str | None = None, side: str | None = None) -> Standing:
        """The side at which more links are known (left when equal), where `side` and `kind` leave a choice.

        Raises `ConfigError` for a side or a kind that there is not, or that do not go together.
        """
        if side is not None and side not in SIDES:
            raise ConfigError(f"side is {side!r}: {choices(side, SIDES)}")
        kinds = {"left": list(self.encoder.left.ids), "right": list(self.encoder.right.ids)}
        kind = kind and (meant_kind(kind, kinds["left"] + kinds["right"]) or kind)
        possible = [each for each in SIDES if side in (None, each) and (kind is None or kind in kinds[each])]
        if not possible:
            allowed = kinds[side] if side else dict.fromkeys(kinds["left"] + kinds["right"])
            where = f" at the {side} end of links" if side else ""
            raise ConfigError(f"{self.live.manifest.model} has no kind {kind!r}{where}: {choices(str(kind), allowed)}")
        side = max(possible, key=lambda each: known.get(each, 0))
        kind = kind or next((each for each in self.live.kinds if each in kinds[side]), kinds[side][0])
        context = f"{kind}{CONTEXT}"
        return Standing(side, kind, context if side == "right" and context in self.live.spaces else kind)

    def place(self, links: Sequence[str], kind: str | None = None, side: str | None = None) -> Placed:
        """A new item of `kind` that has these links. What is given twice counts once; raises as `stand` does."""
        given = list(dict.fromkeys(links))
        found = {each: [table.find(text) for text in given] for each, table in self.linkable.items()}
        standing = self.stand({each: sum(map(bool, rows)) for each, rows in found.items()}, kind, side)
        rows_G = found[standing.side]
        rows = list(dict.fromkeys(row for rows in rows_G for row in rows))
        column_K = np.array(sorted(rows), np.int64)
        vectors_1D = self.encoder.folded(np.array([0, len(rows)]), column_K, standing.side, standing.kind)
        names = self.linkable[standing.side].names
        unknown = tuple(text for text, rows in zip(given, rows_G, strict=True) if not rows)
        known = tuple(names[row] for row in rows)
        return Placed(standing, FOLDED if known else FALLBACK, vectors_1D[0], known, unknown)

    def similar(
        self, links: Sequence[str], k: int = 10, kind: str | None = None, side: str | None = None
    ) -> tuple[Placed, list[Hit]]:
        """A new item, and the `k` trained items of its kind nearest to it; each hit says the origin."""
        placed = self.place(links, kind, side)
        hits = self.live.similar_to_vector(placed.vector_D, k, placed.standing.space)
        return placed, [replace(hit, origin=placed.origin) for hit in hits]

    def spellings(self, placed: Placed, most: int = 5) -> dict[str, list[str]]:
        """For the first unknown links, the ids that may be meant."""
        return {text: self.linkable[placed.standing.side].spellings(text) for text in placed.unknown[:most]}
