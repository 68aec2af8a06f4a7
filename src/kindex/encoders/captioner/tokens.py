"""Words of captions, and their numbers.

Text is put into Unicode's form NFKC, in lower case, and cut into words: letters, digits and their marks, of any script.
Everything else parts words and is dropped; what is invisible (zero width, controls) is dropped without a gap. Lower case, not
`casefold`, because captions are read: "Straße" stays "straße", and "İ" becomes a plain "i". Four things are decided:

* An apostrophe between letters belongs to the word, whichever of its signs is used: "don't", "o'clock", "l'eau".
  A final "'s" is a word of its own, as in most corpora: "the dog's" and "the dog 's" are both "the", "dog", "'s".
* A hyphen belongs to the word after a single letter that begins it: "t-shirt", "x-ray". Others part words: "black-and-white"
  is three words that other captions know.
* Digits are kept; their points and commas part them: "3.5" is "3", "5".
* Scripts written without spaces (Han, kana, Thai, Lao, Burmese, Khmer) give a word for each letter with its marks.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from kindex.core.errors import DamagedError, DataGateError

PAD, START, END, UNKNOWN = 0, 1, 2, 3
MARKS = ("<pad>", "<start>", "<end>", "<unknown>")
"""The first four words of each vocabulary; `tokens` gives none of them."""

_INVISIBLE = "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MARK = r"[^\w '-]"  # in cleaned text, what is neither letter nor digit is a mark on one
_ENDS = rf"(?![^ {_UNSPACED}-])"
_WORD = re.compile(
    rf"(?=[{_UNSPACED}])\w{_MARK}*"  # a letter of a script without spaces
    rf"|'s{_ENDS}"
    rf"|(?<![^ '])[^\W\d{_UNSPACED}]{_MARK}*-[^\W\d{_UNSPACED}][^ '{_UNSPACED}-]+"  # t-shirt
    rf"|[^\W{_UNSPACED}][^ '{_UNSPACED}-]*(?:'(?!s{_ENDS})[^\W{_UNSPACED}][^ '{_UNSPACED}-]*)*"
)


class _Cleaned(dict[int, str]):
    """For `str.translate`: what a character leaves in a text before it is cut into words, found out once for each."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        if character in "'’‘`´ʼ′‛＇":
            left = "'"
        elif character in "-‐‑﹣－":
            left = "-"
        elif kind == "Cf" or (kind == "Cc" and not character.isspace()) or re.match(_INVISIBLE, character):
            left = ""
        else:
            left = character if character.isalnum() or kind[0] == "M" else " "
        return self.setdefault(code, left)


_CLEANED = _Cleaned()


def tokens(text: str) -> list[str]:
    """The words of a text; none at all for an empty one. Words joined by spaces give the same words again."""
    once = unicodedata.normalize("NFKC", text.translate(_CLEANED))
    lower = unicodedata.normalize("NFKC", re.sub("i\u0307+", "i", once.lower()))
    return _WORD.findall(lower.translate(_CLEANED))


@dataclass(frozen=True)
class Vocabulary:
    """The words that a decoder can say: the four marks, then by falling count, equal counts in the order of the words.

    counts: how often each is to be said in the captions it was made of; END ends each, UNKNOWN is every word left out, and
    PAD and START are never said.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, captions: Iterable[str], min_count: int, most: int) -> Self:
        """The vocabulary of captions: up to `most` words, beside the marks, that occur `min_count` times or more.

        Raises `DataGateError` when no word is left.
        """
        counted: Counter[str] = Counter()
        number = 0
        for caption in captions:
            counted.update(tokens(caption))
            number += 1
        ranked = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        kept = [(word, count) for word, count in ranked[:most] if count >= min_count]
        if not kept:
            often = f"the most frequent, {ranked[0][0]!r}, {ranked[0][1]} times" if ranked else "no word at all"
            raise DataGateError(
                f"no word occurs min_count = {min_count} times in {number} captions ({often}): "
                "lower min_count in params.yaml or give more captions"
            )
        unknown = counted.total() - sum(count for _, count in kept)
        return cls((*MARKS, *(word for word, _ in kept)), (0, 0, number, unknown, *(count for _, count in kept)))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def ids(self) -> dict[str, int]:
        """The number of each word; the marks have none, since no text can say them."""
        return {word: number for number, word in enumerate(self.words) if number >= len(MARKS)}

    def encode(self, words: Iterable[str]) -> list[int]:
        """The numbers of words, UNKNOWN for those not here; START and END are for the caller to add."""
        return [self.ids.get(word, UNKNOWN) for word in words]

    def decode(self, ids: Iterable[int]) -> str:
        """The text up to END, words parted by spaces; PAD and START leave nothing. Raises `IndexError` at no word's number."""
        said = []
        for number in map(int, ids):
            if number == END:
                break
            if number < 0:
                raise IndexError(f"{number} is no word's number, allowed: 0 to {len(self) - 1}")
            if number not in (PAD, START):
                said.append(self.words[number])
        return " ".join(said)

    def about(self) -> dict[str, Any]:
        """What JSON keeps of it."""
        return {"words": list(self.words), "counts": list(self.counts)}

    @classmethod
    def back(cls, about: dict[str, Any]) -> Self:
        """The vocabulary that `about` told of. Raises `DamagedError` when that is none."""
        try:
            words, counts = tuple(about["words"]), tuple(about["counts"])
            whole = all(isinstance(word, str) for word in words) and all(type(count) is int for count in counts)
        except (KeyError, TypeError) as error:
            raise DamagedError(f"a vocabulary needs words and counts: {error!r}") from error
        if not whole or len(words) != len(counts) or len(set(words)) != len(words) or words[: len(MARKS)] != MARKS:
            raise DamagedError(
                f"{len(words)} words with {len(counts)} counts are no vocabulary: distinct words, {MARKS} first"
            )
        return cls(words, counts)
