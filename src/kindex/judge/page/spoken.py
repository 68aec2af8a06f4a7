"""What the page shows of a captioner: captions, images found by a description, words. Evidence in, plain rows out."""

from collections.abc import Mapping
from typing import Any

from kindex.judge.page.account import picture
from kindex.judge.page.text import is_number, number

PLACES = {"best": "Best", "median": "In the middle", "worst": "Worst"}
WAYS = {"text": "Text tower", "inversion": "Inversion"}

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
    """Words with their nearest, and analogies with two answers, each right or not; None when there are neither."""
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
    return {"similar": similar, "analogies": analogies} if similar or analogies else None
