"""Count what was refused and say whether the night may go on."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from kindex.checks.whole import Checked
from kindex.core.params import CheckParams

EXAMPLES = 10
VALUE_CHARACTERS = 200


def quarantine_order(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By table and row; what never became a row comes first, by origin."""
    return sorted(entries, key=lambda entry: (entry["table"], entry["row"], entry["origin"], entry["rule"]))


def volume_bounds(expected: Mapping[str, int] | None, limits: CheckParams) -> dict[str, tuple[int, int]]:
    """Fewest and most rows of each table, from those that last passed; {} when nothing has passed yet."""
    change = limits.max_volume_change
    return {name: (int(rows * (1 - change)), -int(-rows * (1 + change) // 1)) for name, rows in (expected or {}).items()}


def summary(tables: Mapping[str, pa.Table], checked: Checked, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Numbers for validation.json. A row that breaks several rules counts once as a row and once for each rule."""
    rows, by_rule = {}, {}
    for name, table in tables.items():
        own = [entry for entry in entries if entry["table"] == name]
        never = sum(entry["row"] < 0 for entry in own)
        came, passed = table.num_rows + never, checked.passed[name].num_rows
        share = round((came - passed) / came, 6) if came else 0.0
        rows[name] = {"in": came, "passed": passed, "refused": came - passed, "refused_share": share}
        by_rule[name] = dict(sorted(Counter(entry["rule"] for entry in own).items()))
    return {"rows": rows, "refused_by_rule": by_rule, "examples": _examples(entries)}


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


def _examples(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most ten, the first of each rule before the second of any."""
    seen: Counter[tuple[str, str]] = Counter()
    ranked = []
    for position, entry in enumerate(entries):
        rule = (entry["table"], entry["rule"])
        ranked.append((seen[rule], position, entry))
        seen[rule] += 1
    chosen = [entry for _, _, entry in sorted(ranked, key=lambda one: one[:2])[:EXAMPLES]]
    fields = ("table", "row", "rule", "origin")
    return [{**{name: entry[name] for name in fields}, "value": entry["value"][:VALUE_CHARACTERS]} for entry in chosen]
