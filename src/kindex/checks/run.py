"""Run a Great Expectations suite over a frame: which rows break which rule, by position.

Importing Great Expectations costs seconds, so it happens inside functions, and only validation calls them.
"""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kindex.core.errors import KindexError

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite

ABOUT = "rule"
"""Key of an expectation's `meta`: our name of the rule. `shows` beside it names the column whose value is recorded."""

FORMAT = {"result_format": "COMPLETE", "return_unexpected_index_query": False}


@dataclass(frozen=True)
class Failure:
    """Rows (positions) that break one rule; `shows` is the column whose value tells the reader why."""

    rule: str
    shows: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    """Of one suite over one table. `breaches` are rules on the table as a whole, with what was observed."""

    failures: list[Failure] = field(default_factory=list)
    breaches: list[tuple[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)  # for people: one for each rule, without the rows


def engine() -> Any:
    """The `great_expectations` package, with analytics off before it is imported."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations

    return great_expectations


def check(suite: "ExpectationSuite", frame: "pd.DataFrame") -> Outcome:
    """Validate in memory. Raises `KindexError` when the engine itself failed, which must not look like bad data."""
    context = engine().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("frame").add_dataframe_asset(suite.name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame.reset_index(drop=True)})
    outcome = Outcome()
    for result in batch.validate(suite, result_format=FORMAT).results:
        _collect(suite.name, result.to_json_dict(), outcome)
    outcome.failures.sort(key=lambda failure: failure.rule)  # the engine answers in an order of its own
    outcome.results.sort(key=lambda result: str(result["rule"]))
    return outcome


def check_volume(table: str, rows: int, bounds: tuple[int, int] | None) -> Outcome:
    """Whether the number of rows of a table, in all its partitions, lies in `bounds`; no bounds, no rule."""
    if bounds is None:
        return Outcome()
    import pandas as pd

    gx, rule = engine(), {ABOUT: "number of rows", "shows": ""}
    within = gx.expectations.ExpectColumnMaxToBeBetween(column="rows", min_value=bounds[0], max_value=bounds[1], meta=rule)
    return check(gx.ExpectationSuite(name=table, expectations=[within]), pd.DataFrame({"rows": [rows]}))


def together(outcomes: list[Outcome]) -> Outcome:
    """Of one suite over the partitions of one table; the failures, whose rows count from the partition, are left out."""
    results: dict[str, dict[str, Any]] = {}
    for result in (result for outcome in outcomes for result in outcome.results):
        one = results.setdefault(str(result["rule"]), {**result, "checked": 0, "refused": 0, "success": True})
        one["checked"] += result["checked"]
        one["refused"] += result["refused"]
        one["success"] &= result["success"]
    breaches = [breach for outcome in outcomes for breach in outcome.breaches]
    return Outcome([], breaches, sorted(results.values(), key=lambda result: str(result["rule"])))


def _collect(table: str, result: dict[str, Any], outcome: Outcome) -> None:
    about, found = result["expectation_config"]["meta"], result["result"]
    trouble = result["exception_info"]
    if "raised_exception" not in trouble:  # one entry for each metric that failed
        trouble = next(iter(trouble.values()), {"raised_exception": False})
    if trouble["raised_exception"]:
        raise KindexError(f"checking {table} for {about[ABOUT]!r} failed: {trouble['exception_message']}")
    rows = tuple(found.get("unexpected_index_list") or ())
    if rows:
        outcome.failures.append(Failure(about[ABOUT], about["shows"], rows))
    elif not result["success"]:
        outcome.breaches.append((about[ABOUT], found.get("observed_value")))
    outcome.results.append(
        {
            "rule": about[ABOUT],
            "expectation": result["expectation_config"]["type"],
            "checked": found.get("element_count", found.get("observed_value")),
            "refused": len(rows),
            "success": result["success"],
        }
    )
