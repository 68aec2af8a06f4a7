"""Reads a caption of a scene and says what is not true of it, knowing nothing of how captions are made."""

import re
from collections.abc import Sequence

from kindex.sources.parts.scenethings import Group, Scene

NUMBERS = {"a pair of": 2, "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "some": 3, "four": 4, "several": 4}
SIZES = {"small": "small", "little": "small", "tiny": "small", "large": "large", "big": "large"}
HUES = {name: name for name in ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")} | {"violet": "purple"}
SINGULAR = {"disc": "circle", "box": "square", "hoop": "ring", "shape": "", "thing": ""}
SINGULAR |= {name: name for name in ("circle", "square", "triangle", "star", "ring", "cross")}
PLURAL = {word + ("es" if word in ("box", "cross") else "s"): shape for word, shape in SINGULAR.items()}
GROUNDS = {"light": ("white", "beige"), "dark": ("black",), "white": ("white",), "beige": ("beige",)}
GROUNDS |= {"black": ("black",), "grey": ("grey",)}

_NEUTRAL = (
    "# a an the is are and of with on in at there here you can see picture image drawing shows showing"
    " sits sit sitting stands stand standing floats float floating"
)
NEUTRAL = set(_NEUTRAL.split())


def words(options) -> str:
    return "|".join(sorted(options, key=len, reverse=True))


THINGS = re.compile(
    rf"(?:\b({words(NUMBERS)}) )?(?:\b({words(SIZES)}) )?(?:\b({words(HUES)}) )?\b({words({**SINGULAR, **PLURAL})})\b"
    rf"(?: (?:is|are) ({words(HUES)})(?: and ({words(SIZES)}))?)?"
)
TOTAL = re.compile(rf"\b(?:(both)|all (three|four)) ({words(PLURAL)}) are ({words(HUES)})")
OF_THEM = re.compile(rf"\b(two|three|four) ({words(HUES)}) (?:shapes|things), (both|all) of them ({words(PLURAL)})")
GROUND = re.compile(rf"\ba ({words(GROUNDS)}) background")
CORNER = re.compile(r"in the (upper|top|lower|bottom) (left|right) corner")


def untrue(caption: str, scene: Scene) -> list[str]:
    """What the caption says that the scene does not have, or that this reader does not understand."""
    assert caption[0].isupper() and caption.endswith(".")
    left, wrong = caption[0].lower() + caption[1:-1], []

    def claim(true: bool, what: str) -> None:
        wrong.extend([] if true else [what])

    def taken(pattern: str | re.Pattern[str], mark: str = "") -> list[tuple[str, ...]]:
        nonlocal left
        found = [(match[0], *match.groups()) for match in re.finditer(pattern, left)]
        left = re.sub(pattern, mark, left)
        return found

    for text, name in taken(GROUND):
        claim(scene.background in GROUNDS[name], text)
    for text, _, number, noun, hue in taken(TOTAL):
        claim(whole(scene, NUMBERS.get(number, 2), PLURAL[noun], HUES[hue]), text)
    for text, number, hue, how, noun in taken(OF_THEM):
        claim((how == "both") == (number == "two") and whole(scene, NUMBERS[number], PLURAL[noun], HUES[hue]), text)
    for text, pattern, true in ARRANGED:
        if taken(pattern):
            claim(len(scene.groups) == 1 and true(scene.groups[0]), text)
    if taken(r"\bonly ") and taken(" and nothing else"):
        claim(len(scene.groups) == 1 and len(scene.groups[0].things) == 1, "nothing else")
    named: list[list[Group]] = []
    for text, number, size, hue, noun, told_hue, told_size in taken(THINGS, "#"):
        known = [group for group in scene.groups if fits(group, number, [size, told_size], [hue, told_hue], noun)]
        claim(len(known) > 0, text)
        named.append(known or list(scene.groups[:1]))
    for text, true in placed(left):
        claim(true(named), text)
    rest = re.sub(rf"\b({words(PHRASES)})\b", " ", CORNER.sub("", left)).split()
    claim(set(rest) <= NEUTRAL, f"not understood: {rest}")
    return wrong


def whole(scene: Scene, number: int, shape: str, hue: str) -> bool:
    return len(scene.groups) == 1 and fits_all(scene.groups[0], number, shape, hue)


def fits_all(group: Group, number: int, shape: str, hue: str) -> bool:
    return (len(group.things), group.colour) == (number, hue) and shape in ("", group.shape)


def fits(group: Group, number: str | None, sizes: Sequence[str | None], hues: Sequence[str | None], noun: str) -> bool:
    shape = PLURAL.get(noun, SINGULAR.get(noun))
    return (
        (number is None or NUMBERS[number] == len(group.things))
        and all(SIZES[size] == group.size for size in sizes if size)
        and all(HUES[hue] == group.colour for hue in hues if hue)
        and shape in ("", group.shape)
        and (noun in PLURAL) == (len(group.things) > 1)
    )


def spread(group: Group, axis: str) -> float:
    at = [getattr(thing, axis) for thing in group.things]
    return max(at) - min(at)


def in_row(group: Group) -> bool:
    return len(group.things) > 1 and spread(group, "y") < 0.05 and spread(group, "x") > 3 * group.things[0].radius / 2


def in_column(group: Group) -> bool:
    return len(group.things) > 1 and spread(group, "x") < 0.05 and spread(group, "y") > 3 * group.things[0].radius / 2


def scattered(group: Group) -> bool:
    return len(group.things) > 2 and min(spread(group, "x"), spread(group, "y")) > 0.1


ARRANGED = (
    ("row", r"in a (row|line)|side by side|next to each other|\ba (row|line) of", in_row),
    ("column", r"in a column|one above the other|on top of each other|\ba column of", in_column),
    ("scattered", "scattered about|scattered|all over the picture|a group of", scattered),
)


def all_of(group: Group, axis: str, low: float, high: float) -> bool:
    return all(low < getattr(thing, axis) < high for thing in group.things)


def before(one: Group, other: Group, axis: str) -> bool:
    return max(getattr(t, axis) for t in one.things) < min(getattr(t, axis) for t in other.things)


def within(one: Group, other: Group) -> bool:
    inner, outer = one.things[0], other.things[0]
    apart = ((inner.x - outer.x) ** 2 + (inner.y - outer.y) ** 2) ** 0.5
    return len(one.things) == len(other.things) == 1 and apart + inner.radius < outer.radius


def amid(one: Group, other: Group) -> bool:
    if (len(one.things), len(other.things)) != (1, 2):
        return False
    (first, last), (inner,) = other.things, one.things
    return abs((first.x + last.x) / 2 - inner.x) < 0.15 and abs((first.y + last.y) / 2 - inner.y) < 0.15


RELATIONS = {
    "above": lambda a, b: before(a, b, "y"),
    "over": lambda a, b: before(a, b, "y"),
    "below": lambda a, b: before(b, a, "y"),
    "under": lambda a, b: before(b, a, "y"),
    "to the left of": lambda a, b: before(a, b, "x"),
    "left of": lambda a, b: before(a, b, "x"),
    "to the right of": lambda a, b: before(b, a, "x"),
    "right of": lambda a, b: before(b, a, "x"),
    "next to": lambda a, b: before(a, b, "x") or before(b, a, "x"),
    "beside": lambda a, b: before(a, b, "x") or before(b, a, "x"),
    "inside": within,
    "in": within,
    "around": lambda a, b: within(b, a),
    "between": amid,
    "on both sides of": lambda a, b: amid(b, a),
}
PLACES = {
    "on the left side": lambda g: all_of(g, "x", 0, 0.42),
    "on the left": lambda g: all_of(g, "x", 0, 0.42),
    "on the right side": lambda g: all_of(g, "x", 0.58, 1),
    "on the right": lambda g: all_of(g, "x", 0.58, 1),
    "at the top": lambda g: all_of(g, "y", 0, 0.42),
    "at the bottom": lambda g: all_of(g, "y", 0.58, 1),
    "in the middle": lambda g: all_of(g, "x", 0.35, 0.65) and all_of(g, "y", 0.35, 0.65),
    "in the centre": lambda g: all_of(g, "x", 0.35, 0.65) and all_of(g, "y", 0.35, 0.65),
}
WITH = ("in the middle", "in the centre", "inside", "in between", "between them")
PHRASES = [*RELATIONS, *PLACES, *WITH]


def placed(left: str):
    """What a caption, its things marked by #, says of where the first, the second … of them are."""
    at = re.search(rf"# (?:(?:is|are) )?(?:\w+ )?({words(RELATIONS)}) (?:the )?#", left)
    if at and " with # " not in left:
        yield at[1], lambda named: any(RELATIONS[at[1]](a, b) for a in named[0] for b in named[1] if a is not b)
    elif found := re.search(rf"# with # ({words(WITH)})", left):
        true = amid if found[1] in ("in between", "between them") else within
        yield found[1], lambda named: any(true(b, a) for a in named[0] for b in named[1] if a is not b)
    else:
        for match in re.finditer(words(PLACES), left):
            number = max(0, left[: match.start()].count("#") - 1)
            yield match[0], lambda named, number=number, text=match[0]: any(map(PLACES[text], named[number]))
        for upright, side in CORNER.findall(left):
            y, x = ("at the top" if upright in ("upper", "top") else "at the bottom"), f"on the {side}"
            yield f"{upright} {side}", lambda named, x=x, y=y: any(PLACES[x](g) and PLACES[y](g) for g in named[0])
