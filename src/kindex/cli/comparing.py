"""`kindex diff`, `approve` and `reject`: two releases side by side, and a person's word on one that was held."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from kindex.cli.questions import Model
from kindex.cli.text import printable, table
from kindex.core import outbox, release
from kindex.core.decide import approve as approve_
from kindex.core.decide import reject as reject_
from kindex.core.errors import ConfigError, choices
from kindex.core.files import write_atomic
from kindex.core.layout import Layout, find
from kindex.core.params import load

Version = Annotated[str, typer.Argument(help="A version, e.g. v0003")]
Because = Annotated[str, typer.Option("--because", help="Why; it is kept with the decision")]
By = Annotated[str | None, typer.Option("--by", help="Who decides. Default: the user of this machine")]
SHOWN = 6
"""Items whose neighbours changed that the terminal shows; the page shows more."""


def diff(
    model: Model,
    a: Annotated[str | None, typer.Argument(help="The former release. Default: the live one")] = None,
    b: Annotated[str | None, typer.Argument(help="The release beside it. Default: the newest")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page, too")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs")] = False,
) -> None:
    """Two releases side by side: numbers, what the gate says of the second against the first, who lost whom, data."""
    from kindex.ask.comparing import compare_releases, opened_both
    from kindex.judge.gate import judge
    from kindex.judge.page import render_diff

    layout = find()
    folder, (first, second) = _pair(layout, model, a, b)
    former, now = opened_both(*((folder / version, release.live(folder, version)) for version in (first, second)))
    params = load(layout.params)
    found = compare_releases(former, now, params.evaluate.golden.get(model, ()))
    verdict = judge(now.report, former.report, params.gates.get(model, ()), found.numbers, found.pairs).as_dict()
    whole = {"model": model, **found.shown, "verdict": verdict}
    if html is not None:
        sides = [_told(one.manifest) for one in (former, now)]
        write_atomic(html, render_diff(model, found.shown, verdict, sides).encode())
    if as_json:
        print(json.dumps(whole, ensure_ascii=False, indent=2))
        return
    _print(whole)
    if html is not None:
        print(f"\n{html}")


def approve(model: Model, version: Version, because: Because, by: By = None) -> None:
    """Make a held release live, whatever its gate said. The verdict stays what it was; who and why are kept beside it."""
    layout = find()
    folder = _folder(layout, model)
    former, now = approve_(folder, version, _who(by), because, _now())
    if former and former.version == now.version:
        print(f"{model} {version} is live already")
        return
    passed = release.read_manifest(folder, version).about.get("passed")
    said = "though its gate did not pass it" if passed is False else "as its gate would have it"
    print(f"{model}: {former.version if former else 'nothing'} → {version} is live, {said}")
    _tell(layout, model, now.version)


def reject(model: Model, version: Version, because: Because, by: By = None) -> None:
    """Mark a release that was held: no night publishes the same content. `kindex approve` takes the mark away."""
    layout = find()
    now = reject_(_folder(layout, model), version, _who(by), because, _now())
    print(f"{model}: {version} is rejected; {now.version} stays live")


def _pair(layout: Layout, model: str, a: str | None, b: str | None) -> tuple[Path, tuple[str, str]]:
    """The release folder and the two versions. Raises `ConfigError` when there are not two."""
    folder = _folder(layout, model)
    known, pointer = release.names(folder), release.current(folder)
    first = a or (pointer.version if pointer else known[0])
    second = b or known[-1]
    if first == second and b is None and a is None:
        raise ConfigError(f"{model}: the live release {first} is the newest: name two, {choices('', known)}")
    return folder, (first, second)


def _folder(layout: Layout, model: str) -> Path:
    """The releases of a model. Raises `ConfigError` with close spellings when there are none."""
    folder = layout.releases(model)
    if not release.names(folder):
        known = [path.name for path in folder.parent.glob("*") if release.names(path)]
        raise ConfigError(f"no release of {model!r}: {choices(model, known)}")
    return folder


def _who(by: str | None) -> str:
    try:
        return (by or getpass.getuser()).strip() or "unknown"
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _tell(layout: Layout, model: str, live: str) -> None:
    """MLflow's aliases follow with the next replay of the outbox."""
    newest = release.names(layout.releases(model))[-1]
    if outbox.put(layout.outbox, "aliases", {"model": model, "candidate": newest, "champion": live}, key=model):
        print("MLflow's aliases follow with the next night")


def _told(manifest: release.Manifest) -> dict[str, Any]:
    about = {name: manifest.about[name] for name in ("night", "git", "passed") if manifest.about.get(name) is not None}
    return {"version": manifest.version, "digest": manifest.digest, "parent": manifest.parent, **about}


def _print(whole: dict[str, Any]) -> None:
    from kindex.judge.page.against import CLASSES, signed

    former, now = whole["former"], whole["now"]
    print(f"{whole['model']}: {former['version']} ({former['night']}) beside {now['version']} ({now['night']})")
    kind = whole["compatibility"].get("class")
    if kind in CLASSES:
        print(f"{kind}: {CLASSES[kind]}")
    rows = [
        [one["name"], _number(one["former"]), _number(one["now"]), signed(one.get("difference")), _paired(one.get("pair"))]
        for one in whole["measures"]
    ]
    print()
    table(["", former["version"], now["version"], "difference", "95 % on shared queries"], rows)
    print()
    table(["together", ""], [[name, f"{value:.4g}"] for name, value in whole["numbers"].items()])
    lines = whole["verdict"]["lines"]
    print(f"\nthe gate of today: {'passed' if whole['verdict']['passed'] else 'not passed'}")
    shown = [("met" if one["passed"] else "MISSED", one) for one in lines]
    rows = [[met, one["metric"], one["rule"], _number(one["value"]), one["reason"]] for met, one in shown]
    table(["", "metric", "rule", "value", ""], rows)
    changes = [(part["kind"], one) for part in whole["churn"] for one in part["changes"]][:SHOWN]
    for kind, one in changes:
        print(f"\n{printable(kind)} {printable(one['id'])}" + (": no longer there" if one.get("gone") else ""))
        for word in ("lost", "gained"):
            if one.get(word):
                print(f"  {word}: {', '.join(printable(hit['id']) for hit in one[word])}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _paired(pair: dict[str, Any] | None) -> str:
    return f"{pair['difference']:+.4f} ({pair['low']:+.4f} to {pair['high']:+.4f}), {pair['shared']}" if pair else ""
