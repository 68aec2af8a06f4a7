"""Two releases opened and compared, each file checked against its manifest first."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kindex.ask.live import Live
from kindex.ask.loading import check, read_parts
from kindex.ask.shadow import index_gap, shadow_run
from kindex.core.aside import side_by_side
from kindex.core.files import read_json
from kindex.core.release import Manifest
from kindex.index.faiss_parts import faiss_one_thread
from kindex.judge.comparison import Comparison, Side, compare
from kindex.judge.queries import asked_of, chosen, read_queries


def opened(folder: Path, manifest: Manifest) -> Live:
    """A release, or a candidate that has no number yet. Raises `DamagedError` naming the file that is not whole."""
    return Live(manifest, *read_parts(folder, manifest), folder)


def opened_both(former: tuple[Path, Manifest], now: tuple[Path, Manifest]) -> tuple[Live, Live]:
    """Two releases, read side by side. Raises `DamagedError` as `opened` does, of the former first."""
    faiss_one_thread()  # imported before threads would
    left, right = side_by_side(partial(opened, *former), partial(opened, *now))
    return left, right


def compare_releases(former: Live, now: Live, golden: Sequence[str] = ()) -> Comparison:
    """Compare two opened releases of one model and replay the stored queries of the former on both.

    A former release of an earlier kindex stored none: they are chosen from its spaces as they would have been. Raises
    `DamagedError` naming the file that is not whole.
    """
    from threadpoolctl import threadpool_limits

    left, right = _side(former), _side(now)
    stored = asked_of(left.queries) if left.queries is not None else []
    queries = stored or [(kind, name) for kind, ids in chosen(former.spaces, golden).items() for name in ids]
    with threadpool_limits(1, user_api="blas"):  # once for all threads: each would set it back when it is done
        shadow, gap = side_by_side(partial(shadow_run, former, now, queries), partial(index_gap, now))
        return compare(left, right, golden, {**shadow, "index_gap": gap})


def _side(live: Live) -> Side:
    folder = live.folder or Path()
    labels: dict[str, dict[str, str | None]] = {}
    for (kind, name), (label, _) in live.known.items():
        labels.setdefault(kind, {})[name] = label
    evidence = _json(folder, live.manifest, "evidence.json") or {}
    queries = None
    if "queries.parquet" in live.manifest.files:
        check(folder, live.manifest, ["queries.parquet"])
        queries = read_queries(folder / "queries.parquet")
    return Side(
        version=live.manifest.version,
        night=str(live.manifest.about.get("night", "")),
        report=live.report,
        spaces=live.spaces,
        labels=labels,
        rows=(evidence.get("lineage") or {}).get("rows") or {},
        index_table=_json(folder, live.manifest, "index/table.json") or [],
        queries=queries,
        refresh=_json(folder, live.manifest, "refresh.json") or {},
    )


def _json(folder: Path, manifest: Manifest, name: str) -> Any:
    """The parsed file, None where the release has none."""
    if name not in manifest.files:
        return None
    check(folder, manifest, [name])
    return read_json(folder / name)
