"""The text of `kindex status`."""

from collections.abc import Mapping
from typing import Any

from kindex.cli.text import printable, table
from kindex.morning.told import cut, first_line, moment, spell


def show(found: Mapping[str, Any]) -> None:
    """What `kindex.morning.standing` found: the nights, the models, the catalogues, and what was held."""
    for name, text in heads(found):
        print(f"{name:<12}{printable(text)}")
    print()
    rows = [model_row(name, model) for name, model in found["models"].items()]
    table(["model", "live", "of", "age", "last night", "why"], rows)
    print()
    rows = [catalogue_row(name, catalogue) for name, catalogue in found["catalogues"].items()]
    table(["catalogue", "rows", "refused", "as of", "source moved", ""], rows)
    for name, model in found["models"].items():
        if held := model["candidate"]:
            why = cut("; ".join(held["why"]) or "it was not promoted")
            print(f"\n{name}: {held['version']} is held: {printable(why)}")
            print(f"  look closer: {held['report'] or f'kindex releases {name}'}")


def heads(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines above the tables."""
    last, plan, waiting = found["last_night"], found["next_night"], found["waiting"]
    lines = [("last night", told_night(last) if last else "none yet: `make nightly` runs one")]
    lines += [("", f"stopped: {cut(first_line(text))}") for text in last["troubles"]] if last else []
    if pause := plan["paused"]:
        until = f" until {moment(pause['until'])}" if pause["until"] else ""
        lines.append(("next night", f"paused{until}: {pause['because']}. `kindex resume` lets nights go on"))
    elif plan["due"]:
        lines.append(("next night", f"due {moment(plan['due'])} by infra/prefect.yaml, where a worker serves it"))
    else:
        lines.append(("next night", "no schedule: infra/prefect.yaml has no active one for nightly"))
    if plan["late_since"]:
        lines.append(("late", f"no night has begun since {moment(plan['late_since'])}, when one was due"))
    if found["working"]:
        lines.append(("working", f"process {found['working']} works on a night now"))
    if waiting["messages"]:
        counts = ", ".join(f"{count} {kind}" for kind, count in waiting["messages"].items())
        why = f" ({cut(first_line(waiting['reason']))})" if waiting["reason"] else ""
        lines.append(("waiting", f"messages for outside systems: {counts}{why}"))
    lines += [("damaged", f"{path} is not the journal of a night: remove it") for path in found["damaged"]]
    return lines


def told_night(last: Mapping[str, Any]) -> str:
    """The last night in a line."""
    code = f" (exit code {last['exit_code']})" if last["exit_code"] else ""
    took = f" in {spell(last['seconds'])}" if last["seconds"] is not None else ""
    ended = f", finished {moment(last['finished'])}" if last["finished"] else ""
    return f"{last['night']}: {last['outcome']}{code}{took}{ended}"


def model_row(name: str, model: Mapping[str, Any]) -> list[str]:
    """One model's line."""
    if model["damaged"]:
        return [name, "damaged", "", "", "", cut(model["damaged"])]
    last = model["last"] or {"night": "", "outcome": "", "why": []}
    ended = f"{last['night']} {last['outcome'] or ''}" if last["night"] else "none"
    days = model["age_days"]
    age = "" if days is None else f"{days} day{'' if days == 1 else 's'}"
    why = cut(first_line("; ".join(last["why"])))
    return [name, model["live"] or "none", model["night"] or "", age, ended, why]


def catalogue_row(name: str, catalogue: Mapping[str, Any]) -> list[str]:
    """One catalogue's line."""
    if catalogue["rows"] is None and not catalogue["refused"]:
        return [name, "", "", "", "", f"stopped at {catalogue['stopped']}" if catalogue["stopped"] else "no night told yet"]
    share = f" ({catalogue['share']:.2%})" if catalogue["refused"] and catalogue["share"] is not None else ""
    cure = f"kindex quarantine {name}" if catalogue["refused"] else ""
    stopped = f"stopped at {catalogue['stopped']}" if catalogue["stopped"] else ""
    rows = f"{catalogue['rows']:,}" if catalogue["rows"] is not None else "unknown"
    notes = cut("; ".join(part for part in (stopped, cure, catalogue["brought"]) if part))
    return [name, rows, f"{catalogue['refused']:,}{share}", catalogue["night"] or "", catalogue["moved"] or "", notes]
