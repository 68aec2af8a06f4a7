"""Pairs of forms of one English word, made from the words that captions use, by rules of spelling and a list of exceptions.

The rules are those of school grammars. Nothing here knows a noun from a verb, so one rule stands in for it: a word that has
an -ing form is a verb, and its form in -s the third person; any other form in -s is a plural. Captions in other languages
give no pairs, or few by accident, and then there is no number.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

PLURAL, PERSON, ING = "plural", "third person", "-ing"

IRREGULAR = (
    ("man", "men"),
    ("woman", "women"),
    ("child", "children"),
    ("person", "people"),
    ("foot", "feet"),
    ("tooth", "teeth"),
    ("mouse", "mice"),
    ("goose", "geese"),
    ("leaf", "leaves"),
    ("shelf", "shelves"),
    ("knife", "knives"),
    ("wolf", "wolves"),
    ("calf", "calves"),
    ("scarf", "scarves"),
)
"""Plurals that no rule gives."""

NO_FORMS = frozenset({"news", "evening", "clothes", "clothing", "during", "does", "goods", "others", "being", "has", "thing"})
"""Look like the form of a shorter word that means something else."""

SHORTEST = 3
"""Letters of a word that has forms, at least: with two, "as" would be the plural of "a"."""

_VOWELS = "aeiou"


class Pair(NamedTuple):
    """A word and one of its forms."""

    base: str
    form: str
    kind: str


def pairs(words: Collection[str]) -> list[Pair]:
    """All pairs whose two words are among `words`, sorted by kind and word, each once."""
    known = set(words)
    found = {Pair(base, form, PLURAL) for base, form in IRREGULAR if base in known and form in known}
    singular = {pair.base for pair in found}
    for base in known:
        if len(base) < SHORTEST or not base.isalpha() or not base.isascii():
            continue
        ing = next((form for form in ing_forms(base) if form in known and form not in NO_FORMS), None)
        more = next((form for form in s_forms(base) if form in known and form not in NO_FORMS), None)
        if ing:
            found.add(Pair(base, ing, ING))
        if more and base not in singular:
            found.add(Pair(base, more, PERSON if ing else PLURAL))
    return sorted(found, key=lambda pair: (pair.kind, pair.base))


def s_forms(base: str) -> Iterator[str]:
    """Plural or third person: dogs, boxes, benches, puppies, tomatoes.

    >>> [next(s_forms(word)) for word in ("dog", "box", "bench", "puppy", "toy")]
    ['dogs', 'boxes', 'benches', 'puppies', 'toys']
    """
    if base.endswith(("s", "x", "z", "ch", "sh")):
        yield f"{base}es"
    elif base.endswith("y") and base[-2] not in _VOWELS:
        yield f"{base[:-1]}ies"
    else:
        yield f"{base}s"
        if base.endswith("o"):
            yield f"{base}es"


def ing_forms(base: str) -> Iterator[str]:
    """Present participle: running, riding, lying, seeing, holding; for "open", "openning" comes first and is no word.

    >>> [next(ing_forms(word)) for word in ("run", "ride", "lie", "see", "hold", "play")]
    ['running', 'riding', 'lying', 'seeing', 'holding', 'playing']
    """
    if base.endswith("ie"):
        yield f"{base[:-2]}ying"
    elif base.endswith("e") and not base.endswith(("ee", "oe", "ye")):
        yield f"{base[:-1]}ing"
    else:
        if base[-1] not in f"{_VOWELS}wxy" and base[-2] in _VOWELS and base[-3] not in _VOWELS:
            yield f"{base}{base[-1]}ing"
        yield f"{base}ing"
