"""Evidence as evaluation writes it, small, and texts that try to be something else than text."""

import base64
import struct
import zlib
from typing import Any

HOSTILE = (
    "<script>document.documentElement.dataset.broken = 1</script>",
    "</script><script>document.documentElement.dataset.broken = 2</script>",
    '"><img src=x onerror="document.documentElement.dataset.broken = 3">',
    "'><svg onload='document.documentElement.dataset.broken = 4'>",
    "<!--<script>",
    "]]>--><b>bold</b>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "a\x00b\x1b[31m\r\n",
    "abc\u202efdp.exe\u2066\u200f",
    "line\u2028separator\u2029paragraph",
    "lone \ud800 surrogate",
    "&lt;b&gt; &amp;",
    "</style><style>*{display:none}</style>",
    "x" * 1_000_000,
)


def png(grey: int) -> str:
    """A PNG of one grey pixel, as a data URI."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes([0, grey]))),
        (b"IEND", b""),
    ]
    chunks = (struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts)
    whole = b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    return f"data:image/png;base64,{base64.b64encode(whole).decode()}"


def evidence(text: Any = None, items: int = 12) -> dict[str, Any]:
    """Every part of it; where data may put a text of its own, `text` (given a plain word) says which."""
    say = text or (lambda plain: plain)
    baselines = {say("popularity"): 0.1, say("SVD"): 0.3}
    measure = {
        "name": say("link_recall_at_10"),
        "title": say("Link recall@10"),
        "meaning": say("share of links"),
        "better": "higher",
    }
    numbers = {"value": 0.4, "low": 0.35, "high": 0.45, "baselines": baselines}
    item = {"description": say("what it is"), "image": png(9)}
    return {
        "model": say("modules-pairs"),
        "catalogue": say("modules"),
        "family": say("pairs"),
        "config": {say("dimensions"): 50, "seed": say("7")},
        "report": {say("link_recall_at_10"): 0.4},
        "headline": {"metric": measure["name"], "better": "higher", **numbers},
        "measures": [
            {**measure, **numbers},
            {"name": "mse", "value": 0.0123, "better": "lower", "baselines": {"PCA": 0.0191}},
        ],
        "history": [{"epoch": epoch, say("loss"): 1 / epoch} for epoch in range(1, 6)],
        "recall_curve": [
            {"k": k, "series": series, "value": k * slope / 100}
            for series, slope in ((say("modules-pairs"), 1.0), (say("SVD"), 0.5))
            for k in (10, 20, 50)
        ],
        "index_table": [
            {
                "kind": say("module"),
                "factory": say("Flat"),
                "setting": say("exact"),
                "index_recall_at_10": 1.0,
                "chosen": True,
            },
            {"kind": "module", "factory": "IVF", "setting": "nprobe=4", "index_recall_at_10": 0.9, "chosen": False},
        ],
        "map": {
            "kind": say("module"),
            "label_title": say("distribution"),
            "labels": [say("torch"), "numpy"],
            "columns": [{"title": say("licence"), "labels": [say("BSD"), "MIT"], "label": [n % 2 for n in range(items)]}],
            "items": [
                {"id": say(f"item {n}"), "label": (0, 1, None)[n % 3], "pca": [n, -n], "tsne": [n % 4, n // 4], **item}
                for n in range(items)
            ],
        },
        "examples": [
            {
                "id": say("torch.optim"),
                "kind": say("module"),
                "label": say("torch"),
                "image": png(9),
                "golden": True,
                "more": {say("licence"): say("BSD")},
                "hits": [
                    {
                        "id": say("torch.nn"),
                        "score": 0.9,
                        "label": say("numpy"),
                        "more": {say("licence"): say("MIT")},
                        "image": png(7),
                    }
                ],
            },
            {"id": say("json"), "kind": say("module"), "label": None, "hits": []},
        ],
        "golden_unknown": [say("torch.gone")],
        "corrected": [
            {"neighbours": way, "served": way == "local_scaling", "numbers": [{"title": say("Hubness"), **numbers_of}]}
            for way, numbers_of in (
                ("cosine", {"better": "lower", "value": 2.5}),
                ("local_scaling", {"better": "lower", "value": 0.5}),
                ("inverted_softmax", {"better": "lower", "value": None}),
            )
        ],
        "captions": [
            {
                "place": place,
                "id": say("1000.jpg"),
                "image": png(9),
                "caption": say("a dog runs"),
                "greedy": say("a dog"),
                "nearest": say("a cat sits"),
                "references": [say("a brown dog runs on grass"), say("the dog is running")],
                "cider": 1.25,
                "sentence_bleu": 0.4,
            }
            for place in ("best", "median", "worst")
        ],
        "search": [
            {
                "caption": say("a brown dog runs"),
                "id": say("1000.jpg"),
                "image": png(9),
                "of": 1000,
                "ways": {
                    "text": {"rank": 2.0, "hits": [{"id": say("7.jpg"), "image": png(7), "score": 0.9, "right": False}]},
                    "inversion": {"rank": 1.5, "hits": [{"id": say("1000.jpg"), "image": None, "score": 0.8, "right": True}]},
                },
            }
        ],
        "words": {
            "similar": [{"word": say("dog"), "hits": [{"word": say("dogs"), "score": 0.81}, {"word": "cat", "score": -0.1}]}],
            "analogies": [
                {
                    "asked": [say("man"), say("men"), say("woman")],
                    "right": say("women"),
                    "sum": say("women"),
                    "product": say("ladies"),
                }
            ],
        },
        "quarantine": {
            "rows": {say("items"): {"in": 12003, "passed": 12000, "refused": 3, "refused_share": 0.00025}},
            "refused_by_rule": {say("items"): {say("unique_id"): 3}},
            "examples": [{"table": say("items"), "value": say("a"), say("origin"): say("b")}],
        },
        "lineage": {"lock": say("ab" * 32), "rows": {say("items"): 12}, "versions": {say("python"): say("3.11")}},
    }


COSTS = {
    "train": {"seconds": 30.0, "cpu_seconds": 29.5, "peak_memory_mb": 512.4},
    "index": {"seconds": 10.0, "cpu_seconds": 9.0, "queries_per_second": {"module": {"exact": 41234.5}}},
}


def verdict(text: Any = None) -> dict[str, Any]:
    """A gate's, with one line met and one missed."""
    say = text or (lambda plain: plain)
    met = {
        "metric": say("link_recall_at_10"),
        "rule": say("at least 0.3"),
        "value": 0.4,
        "limit": 0.3,
        "passed": True,
        "reason": "",
    }
    missed = {
        "metric": "mse",
        "rule": "at most 0.01",
        "value": 0.0123,
        "limit": 0.01,
        "passed": False,
        "reason": say("0.0123 misses 0.01"),
    }
    return {"passed": False, "lines": [met, missed]}


def release(text: Any = None) -> dict[str, Any]:
    say = text or (lambda plain: plain)
    return {"version": say("7"), "digest": say("cd" * 32), "parent": say("6"), "night": say("2026-11-20")}


def compared(text: Any = None) -> dict[str, Any]:
    """What `kindex.judge.comparison` shows of two releases."""
    say = text or (lambda plain: plain)
    known, other = {"id": say("torch.optim"), "label": say("torch")}, {"id": say("numpy.linalg"), "label": None}
    change = {**known, "golden": True, "churn": 0.1, "lost": [other], "gained": [known]}
    gone = {**other, "golden": True, "gone": True}
    measure = {"name": "link_recall_at_10", "title": say("Link recall@10"), "better": "higher", "former": 0.42, "now": 0.4}
    pair = {"shared": 1950, "former": 0.42, "now": 0.4, "low": -0.03, "high": -0.01, "difference": -0.02}
    items = {"kind": say("module"), "former": 100, "now": 101, "added": 2, "removed": 1, "relabelled": 3, "psi": 0.01}
    labels = [{"label": say("torch"), "former": 0.5, "now": 0.52}]
    shadow = {"asked": 120, "gone": 1, "compared": 118, "overlap": 0.912, "same_first": 0.97, "unlike": 2, "failed": 1}
    return {
        "former": {"version": say("v0006"), "night": say("2026-11-19")},
        "now": {"version": say("v0007"), "night": say("2026-11-20")},
        "built": "delta",
        "reasons": [say("1.02% of the rows changed")],
        "compatibility": {"class": "same", "residual": None, "parent": "v0006", "with_former": True},
        "measures": [
            {**measure, "difference": -0.02, "pair": pair},
            {"name": "mrr", "title": "MRR", "former": None, "now": 0.1},
        ],
        "numbers": {"neighbour_churn_at_10": 0.05, "shadow_overlap_at_10": 0.912, "neighbour_churn_at_10_label_torch": 0.1},
        "churn": [
            {
                "kind": say("module"),
                "churn": 0.05,
                "asked": 500,
                "golden": 0.3,
                "labels": [{"label": say("torch"), "asked": 40, "churn": 0.1}],
                "changes": [gone, change],
            }
        ],
        "drift": {
            "items": [{**items, "labels": labels, "added_ids": [say("torch.new")], "removed_ids": [say("torch.gone")]}],
            "rows": [{"table": "links", "former": 1000, "now": 1010, "change": 0.01}],
        },
        "shadow": {**shadow, "errors": [{"kind": say("module"), "id": say("json"), "error": say("no answer, of 99 items")}]},
    }
