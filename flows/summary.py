"""What a person reads at the end of a night: plain text, at most 100 columns, no colours. A pure function of `Account`."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.releases import Published
from tasks.stages import StageRun

WIDTH = 100
INDENT = 14
"""Columns before the text of a model's line: its label, and blanks."""

OWNERS = {"DVC": "DVC and starting stages", "releases": "gate and releases", "the flow": "the flow itself"}
"""Names for the owners of the clock's seconds, where they need more than their own."""


@dataclass(frozen=True)
class ModelAccount:
    """One model: its stages' runs in order, its release, and what its evaluation found (`evidence.json`)."""

    name: str
    runs: Sequence[StageRun]
    published: Published | None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    report: str = ""  # where the report page is
    live: str = ""  # the version that answers, when nothing was published


@dataclass(frozen=True)
class Account:
    """A night, for its summary."""

    night: str
    models: Sequence[ModelAccount]
    unchanged: bool
    seconds: Mapping[str, float]  # by owner
    total: float
    troubles: Sequence[tuple[int, str]] = ()
    notices: Sequence[str] = ()
    pages: Mapping[str, str] = field(default_factory=dict)  # addresses that answer now, by name
    exit_code: int = 0


def summary(account: Account) -> str:
    """The whole text."""
    lines = [unchanged(account)] if account.unchanged else [f"night {account.night}"]
    if not account.unchanged:
        for model in account.models:
            lines += ["", *of_model(model)]
        lines.append("")
    for code, message in account.troubles:
        first, *table = message.splitlines() or [""]  # what drifted comes as a table
        lines += [f"stopped: {plain(first)} (exit code {code})", *(f"  {plain(line)}" for line in table)]
    lines += [f"notice: {plain(notice)}" for notice in account.notices]
    lines.append(times(account))
    if not account.unchanged:
        lines.append(pages(account.pages))
    return "\n".join(lines)


def unchanged(account: Account) -> str:
    """The one line of a night with nothing new."""
    stand = ", ".join(f"{model.name} {standing(model.published)}" for model in account.models)
    return f"night {account.night}: unchanged, no stage ran and no release was made ({stand})"


def standing(published: Published | None) -> str:
    """A release and whether it answers."""
    if published is None:
        return "without a release"
    if published.live == published.version:
        return f"{published.version} live"
    return f"{published.version} held, {published.live or 'none'} live"


def of_model(model: ModelAccount) -> list[str]:
    """Stages, quality, index, gate, release, neighbours and report of one model."""
    parts = {"stages": [f"{run.stage:<9} {run.outcome:<11}{run.seconds:>7.1f} s  {run.why}" for run in model.runs]}
    if model.evidence:
        parts |= {"quality": headline(model.evidence), "index": [index_recall(model.evidence)]}
    if model.published:
        parts |= {"gate": gate(model.published), "release": [release(model.published)]}
    else:
        parts["release"] = [f"none was made; {model.live or 'no release'} stays live"]
    parts["neighbours"] = neighbours(model.evidence)
    lines = [cut(f"  {label:<11} {plain(text)}") for label, texts in parts.items() for label, text in labelled(label, texts)]
    return [model.name, *lines, *([f"  report      {model.report}"] if model.report else [])]


def labelled(label: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    """The label stands before the first line only."""
    return [(label if place == 0 else "", text) for place, text in enumerate(texts)]


def headline(evidence: Mapping[str, Any]) -> list[str]:
    """The model's own figure with its interval, and its baselines on the next line."""
    head = evidence.get("headline") or {}
    if head.get("value") is None:
        return ["not measured"]
    interval = f" [{head['low']:.3f}, {head['high']:.3f}]" if head.get("low") is not None else ""
    baselines = ", ".join(f"{name} {value:.3f}" for name, value in (head.get("baselines") or {}).items())
    lower = " (lower is better)" if head.get("better") == "lower" else ""
    own = f"{titled(str(head['metric']))} {head['value']:.3f}{interval}{lower}"
    return [own, f"baselines: {baselines}"] if baselines else [own]


def index_recall(evidence: Mapping[str, Any]) -> str:
    """How faithful the index is."""
    value = (evidence.get("report") or {}).get("index_recall_at_10")
    return "not measured" if value is None else f"index recall@10 {value:.3f}"


def titled(metric: str) -> str:
    """A metric's name for people.

    >>> titled("link_recall_at_10")
    'link recall@10'
    """
    return metric.replace("_at_", "@").replace("_", " ")


def gate(published: Published) -> list[str]:
    """The verdict, and every line that failed."""
    lines = published.verdict.get("lines", [])
    passed = sum(line["passed"] for line in lines)
    if len(lines) == passed:
        return [f"passed, {passed} of {len(lines)} lines"]
    return [f"FAILED, {passed} of {len(lines)} lines passed", *(f"  {failure}" for failure in published.failures)]


def release(published: Published) -> str:
    """Version, short digest, and what came of it."""
    name = f"{published.version} {published.digest[:12]}"
    if published.live == published.version:
        made = "new" if published.new else "made before"
        return f"{name}, live ({made}; parent {published.parent or 'none'})"
    return f"{name}, held back: {published.live or 'no release'} stays live. {published.trouble}".rstrip()


def neighbours(evidence: Mapping[str, Any], most: int = 5, hits: int = 3) -> list[str]:
    """A few queries, each with as many of its nearest as a line holds, and one at least."""
    lines = []
    for query in (evidence.get("examples") or [])[:most]:
        line, *more = [f"{named(hit)} {hit['score']:.2f}" for hit in query["hits"][:hits]] or ["none"]
        line = f"{named(query)}: {line}"
        for hit in more:
            if len(line) + len(hit) + 2 <= WIDTH - INDENT:
                line += f", {hit}"
        lines.append(line)
    return lines


def named(item: Mapping[str, Any]) -> str:
    """An id, with its label when that says more."""
    name, label = str(item["id"]), item.get("label")
    return f"{name} ({label})" if label and not name.startswith(str(label)) else name


def times(account: Account) -> str:
    """Where the time went, largest first; what took less than a twentieth of a second is left out."""
    parts = sorted(account.seconds.items(), key=lambda part: -part[1])
    shown = [f"{OWNERS.get(owner, owner)} {seconds:.1f}" for owner, seconds in parts if seconds >= 0.05]
    return textwrap.fill(f"time  {account.total:.1f} s: {', '.join(shown)}", WIDTH, subsequent_indent="      ")


def pages(addresses: Mapping[str, str]) -> str:
    """How to look at it all."""
    if not addresses:
        return "pages `make ui` opens Prefect's and MLflow's pages on this machine"
    return "pages " + ", ".join(f"{name} {address}" for name, address in sorted(addresses.items()))


def plain(text: str) -> str:
    """Ids and messages come from data: what cannot be printed must not reach a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def cut(line: str) -> str:
    """At most a line's width, without blanks at the end."""
    return line.rstrip() if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def as_rows(runs: Sequence[StageRun]) -> list[dict[str, str]]:
    """The table of stages that a flow run shows."""
    return [{"target": run.target, "outcome": run.outcome, "why": run.why, "seconds": f"{run.seconds:.1f}"} for run in runs]
