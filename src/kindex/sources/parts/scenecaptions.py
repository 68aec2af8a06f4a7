"""Captions of a scene: some ways of telling it, in turn, each mentioning now this and now that; all of them true.

The first caption of a scene tells number, size, colour and shape of all that is there, and how it lies.
"""

from collections.abc import Callable
from typing import Final

from kindex.sources.parts.scenedraws import Draws
from kindex.sources.parts.scenephrases import NUMBERS, Telling, be
from kindex.sources.parts.scenethings import Scene

Way = Callable[[Telling], str]
"""One way to tell of a scene: words without capital or full stop."""

DETAIL = 0.3
"""How often a caption mentions a size, or how things lie, where it need not."""


RELATIONS: Final = {
    "above": (("above", "above", "over"), ("below", "below", "under")),
    "beside": (("to the left of", "left of", "next to", "beside"), ("to the right of", "right of", "next to", "beside")),
    "inside": (("inside", "inside", "in"), ("around",)),
    "between": (("between",), ("on both sides of",)),
}
"""How the first group lies to the second, and the second to the first."""

ARRANGED: Final = {
    "row": ("in a row", "in a row", "in a line", "side by side", "next to each other"),
    "column": ("in a column", "in a column", "one above the other", "on top of each other"),
    "scattered": ("scattered about", "scattered about", "all over the picture"),
}

GATHERED: Final = {"row": ("row", "line"), "column": ("column",), "scattered": ("group",)}


def captions(scene: Scene, count: int, draws: Draws) -> list[str]:
    """`count` sentences, no two the same; the first ones do not depend on `count`."""
    full = _related if scene.layout in RELATIONS else _placed
    said = [_sentence(full(Telling(scene, draws, 1.0)))]
    ways = draws.shuffled(WAYS[scene.layout])
    turn = 0
    while len(said) < count:
        told = _sentence(ways[turn % len(ways)](Telling(scene, draws, DETAIL)))
        said += [] if told in said else [told]
        turn += 1
    return said


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _placed(told: Telling) -> str:
    """ "A small red star in the middle on a black background"."""
    return f"{told.things()} {_where(told)}{told.background()}"


def _where(told: Telling) -> str:
    arranged = ARRANGED.get(told.scene.layout)
    return told.draws.one(arranged) if arranged else told.place()


def _shown(told: Telling) -> str:
    where = f" {_where(told)}" if told.mentioned() else ""
    return told.opened(f"{told.things()}{where}", told.many()) + told.background()


def _doing(told: Telling) -> str:
    return f"{told.things()} {told.verb(told.many())} {_where(told)}"


def _grounded(told: Telling) -> str:
    return f"{told.things()} on {told.ground()}"


def _only(told: Telling) -> str:
    return f"only {told.things()} and nothing else"


def _place_first(told: Telling) -> str:
    return f"{told.place()} {told.draws.one(('there is', 'you can see'))} {told.things()}"


def _coloured(told: Telling) -> str:
    size = f" and {told.size()}" if told.mentioned() else ""
    return f"the {told.noun()} {be(told.many())} {told.hue()}{size}"


def _gathered(told: Telling) -> str:
    number = f"{_number(told)} " if told.mentioned() else ""
    return f"a {told.draws.one(GATHERED[told.scene.layout])} of {number}{told.described()}{told.background()}"


def _all(told: Telling) -> str:
    """ "Both stars are red"; "all three stars are red"."""
    number = _number(told)
    return f"{'both' if number == 'two' else f'all {number}'} {told.noun()} are {told.hue()}"


def _of_them(told: Telling) -> str:
    number = _number(told)
    anything = told.draws.one(("shapes", "things"))
    return f"{number} {told.hue()} {anything}, {'both' if number == 'two' else 'all'} of them {told.noun()}"


def _number(told: Telling) -> str:
    return NUMBERS[len(told.scene.groups[0].things)]


def _related(told: Telling) -> str:
    return f"{told.things(0)} {_relation(told, 0)} {told.things(1)}"


def _relation(told: Telling, which: int) -> str:
    return told.draws.one(RELATIONS[told.scene.layout][which])


def _turned(told: Telling) -> str:
    return f"{told.things(1)} {_relation(told, 1)} {told.things(0)}"


def _shown_related(told: Telling) -> str:
    return told.opened(f"{told.things(0)} {_relation(told, 0)} {told.things(1)}", told.many(0))


def _and(told: Telling) -> str:
    first, second = told.draws.shuffled((0, 1))
    return told.opened(f"{told.things(first)} and {told.things(second)}", told.many(first))


def _one_of_two(told: Telling) -> str:
    which = told.draws.one((0, 1))
    return told.opened(told.things(which), told.many(which)) + told.background()


def _doing_related(told: Telling) -> str:
    which = 0 if told.scene.layout == "inside" else told.draws.one((0, 0, 1))  # what is around a thing does not sit there
    return f"{told.things(which)} {told.verb(told.many(which))} {_relation(told, which)} {told.things(1 - which)}"


def _known(told: Telling) -> str:
    which = told.draws.one((0, 1))
    return f"{told.known(which)} {be(told.many(which))} {_relation(told, which)} {told.known(1 - which)}"


def _both_coloured(told: Telling) -> str:
    first, second = told.draws.shuffled((0, 1))
    parts = [f"the {told.noun(which)} {be(told.many(which))} {told.hue(which)}" for which in (first, second)]
    return f"{parts[0]} and {parts[1]}"


def _sides(told: Telling) -> str:
    ends = {"above": ("at the top", "at the bottom"), "beside": ("on the left", "on the right")}[told.scene.layout]
    first, second = told.draws.shuffled((0, 1))
    return f"{told.things(first)} {ends[first]} and {told.things(second)} {ends[second]}"


def _with(told: Telling) -> str:
    end = {"inside": ("inside", "in the middle", "in the centre"), "between": ("in between", "between them")}[
        told.scene.layout
    ]
    return f"{told.things(1)} with {told.things(0)} {told.draws.one(end)}"


_GROUP: Final = (_placed, _placed, _shown, _doing, _grounded, _coloured, _gathered, _all, _of_them)
_PAIR: Final = (_related, _related, _turned, _shown_related, _and, _one_of_two, _doing_related, _known, _both_coloured)

WAYS: Final[dict[str, tuple[Way, ...]]] = {
    "alone": (_placed, _placed, _shown, _doing, _grounded, _only, _place_first, _coloured),
    "row": _GROUP,
    "column": _GROUP,
    "scattered": _GROUP,
    "above": (*_PAIR, _sides),
    "beside": (*_PAIR, _sides),
    "inside": (*_PAIR, _with),
    "between": (*_PAIR, _with),
}
