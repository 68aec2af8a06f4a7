"""From the text of an infobox field, or of a cell of an attribute table, to its values: "Fiction, novel" are two genres.

Some dumps were read so that a space stands on either side of each `<`, `&` and `"`; "< br / >" is a <br> there.
"""

import html
import re

from kindex.sources.parts.wikititles import tidy

LONGEST = 100
"""Characters; what is longer is prose about the field, not a value of it."""

BY_COMMA = frozenset({"genre", "genres", "country", "language", "subject", "subjects"})
PEOPLE = frozenset({"author", "authors", "editor", "editors", "translator", "illustrator", "cover_artist", "narrator"})

SAME = {
    "country": dict.fromkeys(("us", "usa", "u.s", "u.s.a", "united states of america", "the united states"), "United States")
    | dict.fromkeys(("uk", "u.k", "the united kingdom"), "United Kingdom")
}
"""Two countries that infoboxes write in many ways. Nothing else is taken for the same."""

_FOOTNOTE = re.compile(r"<\s*!--.*?--\s*>|<\s*ref\b[^<>]*/\s*>|<\s*ref\b.*?<\s*/\s*ref\s*>", re.DOTALL | re.IGNORECASE)
_ADDRESS = re.compile(r"\[?\bhttps?:\S+|\bwww\.\S+", re.IGNORECASE)
_BREAK = re.compile(r"<\s*/?\s*(br|li|p|hr)\b[^<>]*>|\n|;|•|·", re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>]{0,200}>|'{2,}|\{\{[^{}]*\}\}|\[\[(?:[^\[\]|]*\|)?|\]\]|^\s*[*#:]+", re.MULTILINE)
_ASIDE = re.compile(r"\([^()]*\)|\([^()]*$")
_COMMA = re.compile(r"[,/]")
_NAMES = re.compile(r",(?:\s*and\s|\s*&\s)?|/|\s&\s")
_TWO_NAMES = re.compile(r"(\S+\s.*?\S)\s+and\s+(\S.*)")
_SUFFIX = re.compile(
    r"(jr|sr|ph\.? ?d|m\.? ?d|esq|[ivx]+|(the )?\d*(st|nd|rd|th)? ?(baron|baroness|earl|viscount|duke|marquess|lord)\b.*)\.?",
    re.I,
)
_ROLE = re.compile(
    r"^((edited|compiled|written|translated|illustrated|selected|created|based)\s+)?by\s+|^(and|with|&)\s+", re.I
)
_NOBODY = re.compile(r"(others?|et al|various( authors)?|anonymous|unknown|n/?a|none|see below|tba)\.?", re.I)


def values(field: str, text: str) -> list[str]:
    """The values of a field, each once, as they are written there.

    Lines, <br> and semicolons divide every field; commas and slashes genres, countries, languages and subjects; commas,
    `&` and "and" between whole names people. Publishers keep their commas: Farrar, Straus and Giroux is one.

    >>> values("genre", "Fiction, novel < br / > War"), values("author", "Rick Cook & Ann Lee, Jr. (editors)")
    (['Fiction', 'novel', 'War'], ['Rick Cook', 'Ann Lee, Jr.'])
    """
    plain = _ADDRESS.sub(" ", html.unescape(_FOOTNOTE.sub(" ", text)))
    plain = _MARKUP.sub("", _BREAK.sub("\n", plain))
    plain = _ASIDE.sub(" " if field in PEOPLE else "\n", plain)
    found: dict[str, str] = {}
    for line in plain.split("\n"):
        for part in _divided(field, line):
            value = SAME.get(field, {}).get(identity(part), part)
            if value and len(value) <= LONGEST:
                found.setdefault(identity(value), value)
    return list(found.values())


def identity(value: str) -> str:
    """What two spellings of one value have in common."""
    return tidy(value).casefold()


def _divided(field: str, line: str) -> list[str]:
    if field in PEOPLE:
        return [part for part in map(_name, _people(line)) if part]
    parts = _COMMA.split(line) if field in BY_COMMA else [line]
    return [tidy(part).strip(" ,.:\"'" if field in BY_COMMA else ' ,:"') for part in parts]


def _people(line: str) -> list[str]:
    """Names; `Jr.` and `1st Baron Citrine` belong to the name before them."""
    names: list[str] = []
    for part in _NAMES.split(line):
        if names and _SUFFIX.fullmatch(tidy(part)):
            names[-1] = f"{names[-1].rstrip()}, {tidy(part)}"
        else:
            both = _TWO_NAMES.fullmatch(part.strip())  # not "Arkady and Boris Strugatsky", where the first is no whole name
            names += both.groups() if both else [part]
    return names


def _name(text: str) -> str:
    name = tidy(_ROLE.sub("", tidy(text))).strip(' ,:"')
    return "" if _NOBODY.fullmatch(name) else name
