"""Count what was refused and say whether the night may go on."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kindex.checks.whole import Checked
from kindex.core.params import CheckParams
from kindex.core.tables import Stream

EXAMPLES = 10
VALUE_CHARACTERS = 200


def quarantine_order(entries: pa.Table) -> pa.Table:
    """By table and row; what never became a row comes first, by origin."""
    return entries.sort_by([(name, "ascending") for name in ("table", "row", "origin", "rule")])


def volume_bounds(expected: Mapping[str, int] | None, limits: CheckParams) -> dict[str, tuple[int, int]]:
    """Fewest and most rows of each table, from those that last passed; {} when nothing has passed yet."""
    change = limits.max_volume_change
    return {name: (int(rows * (1 - change)), -int(-rows * (1 + change) // 1)) for name, rows in (expected or {}).items()}


def summary(tables: Mapping[str, pa.Table | Stream], checked: Checked, entries: pa.Table) -> dict[str, Any]:
    """Numbers for validation.json; `entries` are of the schema `QUARANTINE`.

    A row that breaks several rules counts once as a row and once for each rule.
    """
    rows, by_rule = {}, {}
    for name, table in tables.items():
        own = entries.filter(pc.equal(entries["table"], name))
        never = pc.sum(pc.less(own["row"], 0)).as_py() or 0
        came, passed = table.num_rows + never, checked.passed[name].num_rows
        share = round((came - passed) / came, 6) if came else 0.0
        rows[name] = {"in": came, "passed": passed, "refused": came - passed, "refused_share": share}
        counts = {pair["values"]: pair["counts"] for pair in own["rule"].value_counts().to_pylist()}
        by_rule[name] = dict(sorted(counts.items()))
    counted = {"rows": rows, "refused_by_rule": by_rule, "examples": _examples(entries)}
    if "captions" in checked.passed:
        captioned = pc.is_in(checked.passed["images"]["id"], value_set=checked.passed["captions"]["id"].combine_chunks())
        counted["images_without_captions"] = checked.passed["images"].num_rows - (pc.sum(captioned).as_py() or 0)
    return counted


def objections(counts: dict[str, Any], checked: Checked, limits: CheckParams, expected: Mapping[str, int] | None) -> list[str]:
    """Why the night must stop; [] when it may go on."""
    found = []
    for name, outcome in sorted(checked.outcomes.items()):
        for _, observed in outcome.breaches:
            found.append(
                f"{name}: {observed:,} rows came in and {(expected or {}).get(name, 0):,} passed last time; "
                f"checks.max_volume_change allows {limits.max_volume_change:.0%} up or down"
            )
    for name, rows in sorted(counts["rows"].items()):
        if rows["refused_share"] > limits.max_quarantine_share:
            rules = sorted(counts["refused_by_rule"][name].items(), key=lambda pair: (-pair[1], pair[0]))[:3]
            top = "; ".join(f"{rule}: {number:,}" for rule, number in rules)
            found.append(
                f"{name}: {rows['refused']:,} of {rows['in']:,} rows were refused ({rows['refused_share']:.1%}), "
                f"checks.max_quarantine_share allows {limits.max_quarantine_share:.1%}. Most: {top}"
            )
        elif not rows["passed"]:
            found.append(f"{name}: no rows are left")
    return found


def _examples(entries: pa.Table) -> list[dict[str, Any]]:
    """At most ten, the first of each rule before the second of any."""
    ranked = []
    for rule in entries.group_by(["table", "rule"], use_threads=False).aggregate([]).to_pylist():
        same = pc.and_(pc.equal(entries["table"], rule["table"]), pc.equal(entries["rule"], rule["rule"]))
        ranked += list(enumerate(pc.indices_nonzero(same)[:EXAMPLES].to_pylist()))
    chosen = entries.take(pa.array([row for _, row in sorted(ranked)[:EXAMPLES]], pa.int64())).to_pylist()
    fields = ("table", "row", "rule", "origin")
    return [{**{name: entry[name] for name in fields}, "value": entry["value"][:VALUE_CHARACTERS]} for entry in chosen]
