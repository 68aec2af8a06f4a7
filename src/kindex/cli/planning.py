"""The text of `kindex plan`."""

from collections.abc import Mapping
from typing import Any

from kindex.cli.text import printable, table
from kindex.morning.told import cut, first_line, spell


def show(found: Mapping[str, Any]) -> None:
    """The plan as tables."""
    rows = [[name, moved(one["moves"]), cut(first_line(one["why"]))] for name, one in found["catalogues"].items()]
    table(["catalogue", "lock", "why"], rows)
    busy = [one for one in found["stages"] if one["state"] != "current"]
    print()
    if busy:
        words = {"stale": "will run", "follows": "may run"}
        rows = [
            [f"{one['stage']}@{one['key']}", words[one["state"]], about(one["seconds"]), cut(first_line(one["why"]))]
            for one in busy
        ]
        table(["stage", "", "should take", "why"], rows)
    else:
        again = [name for name, judged in found["judged"].items() if not judged]
        rest = f", but {', '.join(again)} will be judged again by the gate as it is now" if again else ""
        print(f"nothing is stale: no stage will run{rest}")
    for name, build in found["builds"].items():
        print(f"\n{name}: {build['built']} expected: {printable(cut(build['why']))}")
    print(f"\n{totalled(found)}")


def totalled(found: Mapping[str, Any]) -> str:
    """The sum in a sentence."""
    total, unknown = found["total"], found["unknown"]
    without = (
        f", without {', '.join(unknown[:6])}{' …' if len(unknown) > 6 else ''}, which no night has run" if unknown else ""
    )
    if total is None:
        return "no earlier night says what it should cost"
    return f"in all about {spell(total['median'])}, from {spell(total['low'])} to {spell(total['high'])}{without}"


def about(seconds: Mapping[str, Any] | None) -> str:
    """An estimate in a cell: the median, its range, and from how many runs of which kind."""
    if seconds is None:
        return "unknown"
    spread = f" ({spell(seconds['low'])} to {spell(seconds['high'])})" if seconds["of"] > 1 else ""
    return f"{spell(seconds['median'])}{spread}, {seconds['of']} {kinds(seconds)}"


def kinds(seconds: Mapping[str, Any]) -> str:
    """`delta runs`, plain `runs`, or `runs of another kind`."""
    runs = "run" if seconds["of"] == 1 else "runs"
    return {"run": runs, "other": f"{runs} of another kind"}.get(seconds["like"], f"{seconds['like']} {runs}")


def moved(moves: bool | None) -> str:
    return "unknown until the night" if moves is None else "will move" if moves else "stays"
