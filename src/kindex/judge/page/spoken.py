"""What the page shows of a captioner: captions, images found by a description, words. Evidence in, plain rows out."""

from collections.abc import Mapping
from typing import Any

from kindex.judge.page.account import picture
from kindex.judge.page.text import is_number, number

PLACES = {"best": "Best", "median": "In the middle", "worst": "Worst"}
WAYS = {"text": "Text tower", "inversion": "Inversion"}

MAP, MARGIN = (1000, 700), 40
"""Width and height of the map of words, and what is kept free at its edges, in units of its drawing."""

Rows = list[dict[str, Any]]


def captions(evidence: Mapping[str, Any]) -> Rows:
    """Groups from best to worst, each with its images, what the model says of them and what people said."""
    given = evidence.get("captions") or []
    groups = []
    for place, title in PLACES.items():
        rows = [_caption(one) for one in given if one.get("place") == place]
        groups += [{"title": title, "rows": rows}] if rows else []
    return groups


def _caption(one: Mapping[str, Any]) -> dict[str, Any]:
    others = (("Greedily", one.get("greedy")), ("Of the nearest train image", one.get("nearest")))
    scores = (("CIDEr-D", one.get("cider")), ("BLEU-4, smoothed", one.get("sentence_bleu")))
    return {
        "id": one.get("id", ""),
        "image": picture(one.get("image")),
        "caption": one.get("caption") or "(nothing)",
        "others": [(name, text) for name, text in others if text is not None],
        "references": one.get("references") or [],
        "scores": " · ".join(f"{name} {number(value)}" for name, value in scores if is_number(value)),
    }


def searches(evidence: Mapping[str, Any]) -> Rows:
    """Descriptions with the image that is meant, and what each way of asking finds; the right hit is marked."""
    rows = []
    for query in evidence.get("search") or []:
        given = query.get("ways") or {}
        ways = [
            {"title": title, "rank": _rank(given[way].get("rank"), query.get("of")), "hits": _hits(given[way])}
            for way, title in WAYS.items()
            if given.get(way)
        ]
        rows.append(
            {
                "caption": query.get("caption", ""),
                "id": query.get("id", ""),
                "image": picture(query.get("image")),
                "ways": ways,
            }
        )
    return rows


def _hits(way: Mapping[str, Any]) -> Rows:
    return [
        {"id": hit.get("id", ""), "image": picture(hit.get("image")), "right": bool(hit.get("right"))}
        for hit in way.get("hits") or []
    ]


def _rank(rank: Any, of: Any) -> str:
    """Where the image that is meant came, e.g. "3rd of 1,000"; with ties the rank need not be whole."""
    if not is_number(rank):
        return ""
    if rank != int(rank):
        return f"rank {rank:,.1f}" + (f" of {number(of)}" if is_number(of) else "")
    ending = "th" if int(rank) % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(int(rank) % 10, "th")
    return f"{int(rank):,}{ending}" + (f" of {number(of)}" if is_number(of) else "")


def words_of(evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """Words with their nearest, analogies with two answers, each right or not, and a map; None when there is none of them."""
    given = evidence.get("words") or {}
    similar = [
        {
            "word": one.get("word", ""),
            "hits": [
                {
                    "word": hit.get("word", ""),
                    "score": f"{hit['score']:.2f}".replace("-", "−") if is_number(hit.get("score")) else "",
                }
                for hit in one.get("hits") or []
            ],
        }
        for one in given.get("similar") or []
    ]
    analogies = [
        {
            "asked": [*(one.get("asked") or []), "", "", ""][:3],
            "right": one.get("right", ""),
            "answers": [{"word": one.get(way, ""), "right": one.get(way) == one.get("right")} for way in ("sum", "product")],
        }
        for one in given.get("analogies") or []
    ]
    placed = _placed(given.get("map") or [])
    return {"similar": similar, "analogies": analogies, "map": placed} if similar or analogies or placed else None


def _placed(given: Rows) -> Rows:
    """Words of the map with places in `MAP` and sizes by how often they are used; what has no place is left out."""
    sound = [one for one in given if len(at := one.get("at") or []) == 2 and all(map(is_number, at))]
    if not sound:
        return []
    least, most = ([pick(one["at"][axis] for one in sound) for axis in (0, 1)] for pick in (min, max))
    often = max(float(one.get("count") or 1) for one in sound)

    def along(one: Mapping[str, Any], axis: int) -> int:
        share = (one["at"][axis] - least[axis]) / ((most[axis] - least[axis]) or 1)
        return round(MARGIN + share * (MAP[axis] - 2 * MARGIN))

    return [
        {
            "word": one.get("word", ""),
            "x": along(one, 0),
            "y": along(one, 1),
            "size": round(10 + 12 * (float(one.get("count") or 1) / often) ** 0.4),
        }
        for one in reversed(sound)  # the most frequent are drawn last, so on top
    ]
