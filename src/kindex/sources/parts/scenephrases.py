"""Phrases about a scene, always true of it: its things, their places, its background, and how a caption may begin.

A phrase chooses among synonyms and decides what it leaves out; a word that would be true of no thing is never drawn.
"""

from dataclasses import dataclass
from typing import Final

from kindex.sources.parts.scenedraws import Draws
from kindex.sources.parts.scenethings import Group, Scene

NUMBERS: Final = ("", "one", "two", "three", "four")

NOUNS: Final = {
    "circle": (("circle", "circles"), ("circle", "circles"), ("disc", "discs")),
    "square": (("square", "squares"), ("square", "squares"), ("box", "boxes")),
    "triangle": (("triangle", "triangles"),),
    "star": (("star", "stars"),),
    "ring": (("ring", "rings"), ("ring", "rings"), ("hoop", "hoops")),
    "cross": (("cross", "crosses"),),
}
"""One and many; the usual word twice, so that it is drawn more often than the other."""

ANYTHING: Final = (("shape", "shapes"), ("thing", "things"))

SIZES: Final = {"small": ("small", "small", "little", "tiny"), "large": ("large", "large", "big")}

HUES: Final = {"purple": ("purple", "purple", "violet")}
"""Further words for a colour."""

LIGHTS: Final = {
    "white": ("white", "white", "light"),
    "beige": ("beige", "beige", "light"),
    "black": ("black", "black", "dark"),
}
"""Words for a background."""

MIDDLE: Final = ("middle", "centre")

OPENERS: Final = (
    "there {is}",
    "there {is}",
    "here {is}",
    "you can see",
    "a picture of",
    "an image of",
    "a drawing of",
    "a picture with",
    "the picture shows",
    "the image shows",
    "a drawing showing",
)

VERBS: Final = (
    ("sits", "sit", "sitting"),
    ("stands", "stand", "standing"),
    ("floats", "float", "floating"),
)
"""Of one thing, of many, and the participle."""


@dataclass(frozen=True)
class Telling:
    """Someone who tells of a scene; `detail` is how often a size, a place or the background is mentioned (0 to 1)."""

    scene: Scene
    draws: Draws
    detail: float

    def mentioned(self) -> bool:
        return self.draws.chance(self.detail)

    def many(self, which: int = 0) -> bool:
        return len(self.scene.groups[which].things) > 1

    def things(self, which: int = 0) -> str:
        """A group with its number: "three small red stars", "a blue shape"."""
        number = len(self.scene.groups[which].things)
        words = self.described(which)
        choices = {1: ("", "", "", "one"), 2: ("two", "two", "a pair of"), 3: ("three",) * 4 + ("some",)}
        first = self.draws.one(choices.get(number, ("four",) * 4 + ("several",)))
        return f"{first} {words}" if first else with_article(words)

    def described(self, which: int = 0) -> str:
        """A group without its number: size, colour and shape, of which size and one of the others may be left out."""
        group = self.scene.groups[which]
        size = f"{self.size(which)} " if self.mentioned() else ""
        left_out = self.draws.between(0, 1) / max(1 - self.detail, 1e-9)
        if left_out < 0.1:  # the shape
            return f"{size}{self.hue(which)} {self.draws.one(ANYTHING)[len(group.things) > 1]}"
        return size + self._noun(group, "" if left_out < 0.25 else self.hue(which))

    def known(self, which: int = 0) -> str:
        """A group already spoken of: "the star", "the red stars"."""
        group = self.scene.groups[which]
        return f"the {self._noun(group, self.hue(which) if self.draws.chance(0.4) else '')}"

    def noun(self, which: int = 0) -> str:
        """The shape alone: "star", "stars"."""
        return self._noun(self.scene.groups[which], "")

    def hue(self, which: int = 0) -> str:
        colour = self.scene.groups[which].colour
        return self.draws.one(HUES.get(colour, (colour,)))

    def size(self, which: int = 0) -> str:
        return self.draws.one(SIZES[self.scene.groups[which].size])

    def opened(self, said: str, many: bool) -> str:
        """What is said, after one of the usual beginnings of a caption."""
        return f"{self.draws.one(OPENERS).replace('{is}', be(many))} {said}"

    def verb(self, many: bool) -> str:
        """ "sits", or "is sitting"."""
        one, several, now = self.draws.one(VERBS)
        return f"{be(many)} {now}" if self.draws.chance(0.4) else several if many else one

    def background(self) -> str:
        """ " on a black background"; or nothing, which is more frequent than for other details."""
        return f" on {self.ground()}" if self.draws.chance(self.detail**2) else ""

    def ground(self) -> str:
        name = self.scene.background
        return with_article(f"{self.draws.one(LIGHTS.get(name, (name,)))} background")

    def place(self) -> str:
        """Where one thing that is alone lies: "in the middle", "at the top", "in the upper left corner"."""
        where = self.scene.place.split()
        if len(where) == 2:
            upright = {"top": ("upper", "top"), "bottom": ("lower", "bottom")}[where[0]]
            return f"in the {self.draws.one(upright)} {where[1]} corner"
        if where[0] == "middle":
            return f"in the {self.draws.one(MIDDLE)}"
        before = "on the" if where[0] in ("left", "right") else "at the"
        after = " side" if where[0] in ("left", "right") and self.draws.chance(0.3) else ""
        return f"{before} {where[0]}{after}"

    def _noun(self, group: Group, hue: str) -> str:
        noun = self.draws.one(NOUNS[group.shape])[len(group.things) > 1]
        return f"{hue} {noun}" if hue else noun


def with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def be(many: bool) -> str:
    return "are" if many else "is"
