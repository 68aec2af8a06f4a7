"""Alerts: failed, held, late, skipped, recovered. They wait in an outbox, so that a receiver that is down costs no night.

var/alerts.json              what is in trouble now: {"modules-pairs": {"kind": "held", "night": "2026-11-21"}, …}
var/outbox/alerts/           what has not been delivered yet
var/alerts-told.json         receivers that have a waiting message already, by its number

python -m tasks.alerts send      deliver what waits, now
python -m tasks.alerts test      send a message to every receiver, to see that it comes
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kindex.core import mutex, outbox
from kindex.core.errors import DamagedError, KindexError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.layout import Layout, find
from tasks import environment
from tasks.environment import Server
from tasks.hiding import hidden
from tasks.receivers import Receiver, possible, receivers

TROUBLES = ("failed", "held", "late")
LONGEST = 1500  # characters of a reason; some receivers take no more than 2000 in all


@dataclass(frozen=True)
class Event:
    """What became of one subject (a model, or `night` for what belongs to none). `kind`: one of TROUBLES, skipped, or fine.

    `report` is a path or an address, `look` the command that shows more.
    """

    kind: str
    subject: str
    reason: str = ""
    report: str = ""
    look: str = "kindex status"


def raise_and_send(layout: Layout, server: Server, events: Sequence[Event], night: str) -> list[str]:
    """Keep a message for each event that somebody should hear of, and deliver what waits; returns notices for the summary.

    A subject that is fine is told only when it was in trouble: it has recovered. The same event of the same night is told
    once. Raises `OSError` and `BusyError`.
    """
    path = layout.var / "alerts.json"
    with mutex.hold(layout.mutex("alerts"), "the alerts", wait_seconds=10.0):
        former = _read(path)
        messages = [told for event in events if (told := _told(layout, event, former.get(event.subject), night))]
        if possible(layout, server):
            for message in messages:
                topic = "" if message["kind"] not in ("late", "skipped") else f"/{message['kind']}"
                outbox.put(queue(layout), "alert", message, f"{message['subject']}{topic}")
        now = dict(former)
        for event in events:
            if event.kind in TROUBLES:
                now[event.subject] = {"kind": event.kind, "night": night}
            elif event.kind == "fine":
                now.pop(event.subject, None)
        if now != former:
            write_atomic(path, pretty_json(now))
    return send(layout, server)


def send(layout: Layout, server: Server) -> list[str]:
    """Deliver what waits, in order; returns why something still waits. A message is delivered to each receiver on its own."""
    if not outbox.pending(queue(layout)):
        return []
    told_path, refused = layout.var / "alerts-told.json", []
    with mutex.hold(layout.mutex("alerts"), "the alerts", wait_seconds=10.0):
        waiting = outbox.pending(queue(layout))
        try:
            known = receivers(layout, server)
        except KindexError as error:
            return [f"{len(waiting)} wait: {error}"]
        told: dict[str, list[str]] = _read(told_path)
        for message in waiting:
            had = told.get(str(message.number), [])
            missing = _deliver(message.payload, [one for one in known if one.mark not in had])
            refused += [one.kind for one in missing]
            if missing:
                told[str(message.number)] = [one.mark for one in known if one not in missing]
                outbox.failed(message, f"not taken by {', '.join(one.kind for one in missing)}")
            else:
                outbox.done(message)
        left = {str(message.number) for message in outbox.pending(queue(layout))}
        write_atomic(told_path, pretty_json({number: marks for number, marks in told.items() if number in left}))
    if not refused:
        return []
    return [f"{len(left)} wait: not taken by {', '.join(sorted(set(refused)))}. `python -m tasks.alerts send` tries again"]


def tried(layout: Layout, server: Server) -> list[str]:
    """Send a message to every receiver at once; returns what is wrong. Raises `OutsideError`."""
    known = receivers(layout, server)
    if not known:
        return ["nobody hears alerts: set KINDEX_ALERT_URLS, or make Prefect's block secret/kindex-alerts"]
    message = _told(layout, Event("skipped", "test", "a test of the alerts"), None, "none") or {}
    return [f"{one.kind} did not take it" for one in _deliver(message, known)]


def queue(layout: Layout) -> Path:
    """The messages of this outside system; MLflow's replay does not look here."""
    return layout.outbox / "alerts"


def texts(message: Mapping[str, Any]) -> tuple[str, str]:
    """Title and body, plain text."""
    body = [message["reason"], f"report: {message['report']}" if message["report"] else "", f"look: {message['look']}"]
    body.append(f"project: {message['project']}")
    return f"kindex: {message['subject']} {message['kind']} (night {message['night']})", "\n".join(
        line for line in body if line
    )


def _told(layout: Layout, event: Event, former: Any, night: str) -> dict[str, Any] | None:
    """The message for an event, or None when nobody needs to hear of it."""
    kind, reason = event.kind, hidden(event.reason)
    if kind == "fine":
        if not isinstance(former, Mapping):
            return None
        kind, reason = "recovered", f"it was {former.get('kind')} on {former.get('night')}"
    cut = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}…"
    about = {"kind": kind, "reason": cut, "report": hidden(event.report), "night": night, "project": str(layout.root)}
    return {**asdict(event), **about}


def _deliver(message: Mapping[str, Any], to: Sequence[Receiver]) -> list[Receiver]:
    """Those that did not take it."""
    title, body = texts(message)
    return [one for one in to if not one.send(message["kind"], title, body)]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path) if path.exists() else {}
    except DamagedError:
        return {}
    return found if isinstance(found, dict) else {}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code: 6 when something was not taken, or nobody is there to hear."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.alerts", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("verb", choices=["send", "test"])
    parser.add_argument("--root", metavar="FOLDER", help="the project (default: $KINDEX_ROOT, or the nearest params.yaml)")
    given = parser.parse_args(arguments)
    try:
        layout = find(given.root)
        environment.settle(layout)
        server = environment.server(layout)
        waiting = send(layout, server) if given.verb == "send" else tried(layout, server)
    except KindexError as error:
        waiting = [str(error)]
    print("\n".join(waiting) or "delivered", file=sys.stderr if waiting else sys.stdout)
    return 6 if waiting else 0


if __name__ == "__main__":
    sys.exit(main())
