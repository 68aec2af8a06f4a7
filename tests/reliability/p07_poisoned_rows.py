"""One poisoned value at a time goes from a source to a release, through all six stages: texts (markup, paths, formulas,
quotes, NULs, marks of direction, lone surrogates, 10 MB) as an id of either end of links, a label, a description and the name
of a column, in JSON lines, CSV and Parquet; numbers (NaN, infinities, 1e308, subnormal, negative) as weights and dates; images
that are none, or are too much. Kept is: the night goes on with the row or without it, or stops with a stated reason; every
vector and every number of the report is finite; nothing is written outside the project (an audit hook hears every file that
Python opens, and the folders around are looked through); the report and validation's page hold the text as text: no script,
no handler, no address that a clean page has not; and exports have a line for each item.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kindex.ask.export import export
from kindex.ask.live import open_live
from kindex.core.errors import KindexError
from kindex.core.layout import Layout
from kindex.core.space import read_space
from tests.judge.page.test_render import ALLOWED_SCRIPTS, Reader
from tests.reliability import Seen, chain, outside
from tests.reliability.poison import Case, cases, write

NUMBER = 7
PROMISE = "poisoned rows"
WANTED = "at least 150 cases; 0 NaN in vectors, 0 files outside the root, reports show text escaped"
LONG, SMALL, SLOW = 180, 6, True

STOPS = (3, 4)
LINES = {"word2vec": "", "projector": "metadata.tsv"}
TARGETS = {"neighbours": "n.parquet", "word2vec": "w.txt", "word2vec-binary": "w.bin", "projector": "p"}


def tried(scratch: Path, count: int, say: Callable[[str], None]) -> Seen:
    """Each try is one value in one place; with fewer than there are, some of all kinds."""
    seen, became, places = Seen(), Counter[str](), Counter[str]()
    every = cases(scratch / "away" / "x")
    (scratch / "deep" / "down").mkdir(parents=True)
    count = min(count, len(every))
    chosen = [every[number * len(every) // count] for number in range(count)]
    for number, case in enumerate(chosen):
        root = scratch / "deep" / "down" / f"case {number}"
        root.mkdir()
        with outside.watched(root, scratch) as written:
            what, troubles = _through(root, case)
        troubles += [f"written outside: {path}" for path in written if "__pycache__" not in path]
        seen.expect(not troubles, f"{case.name}: {'; '.join(troubles)}")
        became[what] += 1
        places[case.place] += 1
        if seen.tries % 25 == 0:
            say(f"{seen.tries} of {len(chosen)}, {len(seen.failures)} failures: {dict(became)}")
    seen.notes.append(", ".join(f"{number} {what}" for what, number in became.most_common()))
    seen.notes.append("places: " + ", ".join(f"{number} {place}" for place, number in places.most_common()))
    return seen


def _through(root: Path, case: Case) -> tuple[str, list[str]]:
    """What became of the case, and what went wrong."""
    source = write(root, case)
    model = chain.PICTURES if case.place == "image" else chain.PAIRS
    layout = chain.made(root, source, model, max_quarantine_share=0.2)
    try:
        error = chain.stopped(layout, "evaluate")
        if error is not None:
            stated = error.exit_code in STOPS and len(str(error)) < 5000
            return "stopped the night with a reason", _pages(layout, case) + ([] if stated else [f"not stated: {error}"[:500]])
        chain.released(layout)
        kept = "in the release" if _quarantined(layout) == 0 else "in quarantine, the rest in the release"
        return kept, [*_numbers(layout), *_pages(layout, case), *_exports(layout)]
    except KindexError as error:
        return "refused after the stages", [f"{type(error).__name__}: {error}"[:500]]
    except Exception as error:
        return "a traceback", [f"{type(error).__name__}: {error}"[:500]]


def _quarantined(layout: Layout) -> int:
    validation = json.loads((layout.out("validate", chain.KEY) / "validation.json").read_text())
    return sum(sum(rules.values()) for rules in validation["refused_by_rule"].values())


def _numbers(layout: Layout) -> list[str]:
    """Vectors, answers and figures that are not finite."""
    spaces = sorted((layout.out("train", chain.MODEL) / "spaces").glob("*.parquet"))
    found = [f"{path.name} is not finite" for path in spaces if not np.isfinite(read_space(path).vectors_ND).all()]
    try:
        json.loads((layout.out("evaluate", chain.MODEL) / "report.json").read_text(), parse_constant=float.fromhex)
    except ValueError as error:
        found.append(f"report.json has a number that is none: {error}")
    live = open_live(chain.MODEL, root=layout.root)
    for kind, space in live.spaces.items():
        for name in (space.ids[0], space.ids[-1]):
            hits = live.similar(name, kind=kind, k=3)
            found += [f"{kind}: an answer scores {hit.score}" for hit in hits if not np.isfinite(hit.score)]
    return found


def _pages(layout: Layout, case: Case) -> list[str]:
    """What in the pages is markup that no clean page has."""
    found = []
    for path in (layout.out("evaluate", chain.MODEL) / "report.html", layout.data_docs(chain.KEY)):
        if not path.exists():
            continue
        page = path.read_text("utf-8")
        reader = Reader(page)
        scripts = sum(tag == "script" for tag, _ in reader.tags)
        handlers = [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
        strange = {tag for tag, _ in reader.tags} & {"iframe", "object", "embed", "form", "base", "plaintext"}
        images = [attributes.get("src", "") for tag, attributes in reader.tags if tag == "img"]
        if scripts > ALLOWED_SCRIPTS or handlers or strange or not all((src or "").startswith("data:") for src in images):
            found.append(f"{path.name}: {scripts} scripts, handlers {handlers}, tags {strange}, images {images[:3]}")
        if isinstance(case.value, str) and "<" in case.value and case.value in page:
            found.append(f"{path.name} has the text as it is, not escaped")
        if len(page) > 2_000_000:
            found.append(f"{path.name} has {len(page):,} characters")
    return found


def _exports(layout: Layout) -> list[str]:
    """Exports of lines that do not have one for each item; the others only have to be written."""
    found, kind = [], None if (layout.root / "stamps.parquet").exists() else "fruit"
    for name, target in TARGETS.items():
        to = layout.root / "exports" / target
        to.parent.mkdir(exist_ok=True)
        count = len(export(chain.MODEL, to, name, kind=kind, root=layout.root).source.space.ids)
        if name in LINES:
            lines = (to / LINES[name]).read_bytes().count(b"\n")
            found += [f"{name} has {lines} lines for {count} items"] * (lines not in (count, count + 1))
    return found
