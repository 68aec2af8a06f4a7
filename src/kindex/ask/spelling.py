"""Close spellings of an unknown id, quickly, among as many ids as a catalogue has."""

import heapq
import re
import unicodedata
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher

_PARTS = re.compile(r"[^0-9a-z]+")
_RANKED = 300  # candidates that are worth the slow comparison


def meant_kind(kind: str, kinds: Collection[str]) -> str | None:
    """The kind that a person means, who may write it in the plural: `words` is `word`. None when there is none.

    >>> meant_kind("words", ["image", "word"])
    'word'
    """
    return next((each for each in (kind, kind.removesuffix("s")) if each in kinds), None)


def plain(word: str) -> str:
    """A word as the tables of captioners spell it: Unicode's form NFKC, lower case, no space around."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).lower()).strip()


def close_spellings(wanted: str, ids: Iterable[str], most: int = 5) -> list[str]:
    """The ids that `wanted` may have meant, likeliest first.

    First the ids that differ in upper and lower case only, then those that end in the same parts (`adam` finds
    `torch.optim.adam`), that have them inside, that contain the letters; shorter ids first. Only when these are too few,
    similar spellings by Ratcliff and Obershelp's matching, among the ids that share most letter triples with `wanted`.
    """
    query = wanted.lower()
    if not query:
        return []
    parts = [part for part in _PARTS.split(query) if part]
    ranked: list[tuple[int, int, str]] = []
    others: list[str] = []
    for name in ids:
        lower = name.lower()
        if lower == query:
            ranked.append((0, 0, name))
        elif query in lower and parts:
            within = [part for part in _PARTS.split(lower) if part]
            ends = within[-len(parts) :] == parts
            ranked.append((1 if ends else 2 if set(parts) <= set(within) else 3, len(name), name))
        else:
            others.append(name)
    found = [name for _, _, name in sorted(ranked)[:most]]
    return found + _similar(query, others, most - len(found))


def _similar(query: str, names: list[str], most: int) -> list[str]:
    if most <= 0:
        return []
    triples = _triples(query)
    likely = heapq.nlargest(_RANKED, names, key=lambda name: (_overlap(triples, name.lower()), -len(name)))
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(query)
    scored = []
    for name in likely:
        matcher.set_seq1(name.lower())
        if matcher.quick_ratio() >= 0.6 and matcher.ratio() >= 0.6:
            scored.append((-matcher.ratio(), name))
    return [name for _, name in sorted(scored)[:most]]


def _triples(text: str) -> set[str]:
    padded = f" {text} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}


def _overlap(triples: set[str], name: str) -> float:
    """Shared letter triples over all of them (Jaccard)."""
    own = _triples(name)
    return len(triples & own) / (len(triples | own) or 1)
