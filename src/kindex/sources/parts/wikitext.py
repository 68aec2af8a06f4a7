"""What one page's wikitext says of a book: the fields of its infobox, its wikilinks and its external links.

mwparserfromhell does the parsing. It takes milliseconds for an article, so `mentions` looks first, by a text search,
whether there can be an infobox at all: of an encyclopaedia's articles fewer than one in a hundred is about a book.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection

import mwparserfromhell
from mwparserfromhell import nodes
from mwparserfromhell.wikicode import Wikicode

from kindex.sources.parts.wikititles import page_title, tidy

_NAMES = "hlist,plainlist,plain list,flatlist,flat list,unbulleted list,unbulletedlist,ubl,ublist,cslist,bulleted list,blist"
LISTS = frozenset(_NAMES.split(","))
"""Templates whose unnamed arguments are the values of a list."""

SHOWN = {
    **dict.fromkeys(("nowrap", "nobr", "nobold", "noitalic", "small", "smaller", "big", "abbr", "plain text"), 0),
    **dict.fromkeys(("ill", "interlanguage link"), 0),
    **{"lang": 1, "sort": 1, "transl": -1, "transliteration": -1},
}
"""Templates that show one of their unnamed arguments, and which; others show nothing that a field would want."""

MOST_OPEN = 500
"""Brackets and tags that may be open at one time. The parser goes back over each that is never closed, so that its time
grows with their square: 20,000 lost <ref> cost half a minute. An article has some tens at most."""

_PAIRS = {"}}": "{{", "]]": "[[", "|}": "{|", "]": "["}
_TOKEN = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{\||\|\}(?!\})|\[(?=[a-z/])|\]|<(/?)([A-Za-z][\w-]*)([^<>]*)(>?)")
_SINGLE = frozenset({"br", "hr", "li", "p", "dt", "dd", "tr", "td", "th", "wbr", "img", "references"})

UNSEEN = frozenset({"ref", "gallery", "math", "score", "timeline", "style", "script"})
BREAKS = frozenset({"br", "li", "dt", "dd", "hr", "p", "div"})


def mentions(infoboxes: Collection[str]) -> Callable[[str], object]:
    """A quick test whether wikitext can hold one of the infoboxes: `Infobox book`, in any case, spaced or underscored."""
    names = (r"[\s_]+".join(map(re.escape, name.split())) for name in sorted(infoboxes))
    return re.compile(rf"[Ii][Nn][Ff][Oo][Bb][Oo][Xx][\s_]*(?:<!--|{'|'.join(f'(?i:{name})' for name in names)})").search


def parse_page(text: str, infoboxes: Collection[str]) -> tuple[dict[str, str], list[str], list[str]] | None:
    """Fields of the first infobox, targets of all wikilinks and URLs of external links; None without the infobox.

    Links stand as they are written, repeated ones repeated, those inside templates and captions too; not those in comments
    and <nowiki>. A field that is given twice has its last value, as MediaWiki has it. Never raises for what the text holds.
    """
    wanted = {f"infobox {tidy(name).casefold()}" for name in infoboxes}
    found: nodes.Template | None = None
    links, external = [], []
    code = mwparserfromhell.parse(text)
    for node in code.ifilter(recursive=True):
        if isinstance(node, nodes.Wikilink):
            links.append(str(node.title).strip())
        elif isinstance(node, nodes.ExternalLink):
            external.append(str(node.url).strip())
        elif found is None and isinstance(node, nodes.Template) and template_name(node) in wanted:
            found = node
    if found is None:
        return None
    fields = {tidy(readable(field.name)): readable(field.value) for field in found.params}
    return {name: value for name, value in fields.items() if name and value}, links, external


def most_open(text: str) -> int:
    """How many brackets and tags are open where most are."""
    opened: Counter[str] = Counter()
    now = most = 0
    for token in _TOKEN.finditer(text):
        closing, tag, rest, end = token.groups()
        name = tag.casefold() if tag else token[0]
        if tag and end and (rest.endswith("/") or name in _SINGLE):
            continue
        name = name if not tag or end else "<"  # a tag that has no end itself
        if closing or name in _PAIRS:
            name = _PAIRS.get(name, name)
            closed = min(1, opened[name])
            opened[name] -= closed
            now -= closed
        else:
            opened[name] += 1
            now += 1
            most = max(most, now)
    return most


def template_name(template: nodes.Template) -> str:
    """In lower case, without comments, underscores and the namespace."""
    name = "".join(str(node) for node in template.name.nodes if not isinstance(node, nodes.Comment))
    return tidy(name.replace("_", " ")).casefold().removeprefix("template:").strip()


def readable(code: Wikicode | None) -> str:
    """What a reader sees of a field, markup and footnotes taken off; the values of a list on lines of their own."""
    text = "".join(map(_shown, code.nodes)) if code is not None else ""
    return "\n".join(line for line in map(tidy, text.split("\n")) if line)


def _shown(node: nodes.Node) -> str:
    match node:
        case nodes.Text():
            return str(node.value)
        case nodes.Wikilink():
            return readable(node.text if node.text is not None else node.title) if page_title(str(node.title)) else ""
        case nodes.Template():
            return _template(node)
        case nodes.HTMLEntity():
            return _entity(node)
        case nodes.ExternalLink():
            return readable(node.title)
        case nodes.Tag():
            name = tidy(str(node.tag)).casefold()
            inner = "" if name in UNSEEN or node.contents is None else readable(node.contents)
            return f"\n{inner}\n" if name in BREAKS else inner
    return ""


def _template(template: nodes.Template) -> str:
    name = template_name(template)
    shown = [readable(field.value) for field in template.params if not field.showkey or str(field.name).strip() == "1"]
    if name in LISTS:
        return "\n" + "\n".join(shown) + "\n"
    if name == "sortname":
        return " ".join(shown[:2])
    at = 0 if name.startswith("lang-") else SHOWN.get(name)
    return shown[at] if at is not None and -len(shown) <= at < len(shown) else ""


def _entity(node: nodes.HTMLEntity) -> str:
    try:
        return str(node.normalize())
    except (ValueError, OverflowError):  # a number that is no character
        return ""
