"""How a flow is run: from the command line, or by a Prefect worker; the quick answers first, the summary last."""

import json
import os
import sys
import traceback
from collections.abc import Callable

from flows.night import Night
from flows.opening import opened
from flows.options import Options
from flows.summary import Account, ModelAccount, as_rows, summary
from kindex.core.errors import KindexError, OutsideError
from tasks import environment, leftovers, releases
from tasks.clock import Clock
from tasks.orchestration import FlowFailedError

Body = Callable[[Night], None]


def command(name: str, options: Options, body: Body) -> int:
    """Run a flow from the command line; returns the exit code."""
    try:
        with opened(options, Clock()) as night:
            unchanged = prepare(name, night)
            server = night.conductor.server.kind
            standing = server in ("given", "standing")  # else not worth the 15 seconds that a server takes to start
            if unchanged and not standing:
                work(name, night, body, unchanged)
            elif night.stopped and not standing:
                return finish(night, unchanged)
            else:
                asked = {"models": list(options.models), "force": options.force, "date": options.night}
                night.conductor.flow(name, f"{name} {options.night}", asked, lambda: guarded(name, night, body, unchanged))
            return finish(night, unchanged)
    except KindexError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:  # the disk, mostly
        print(f"{name}: {error}", file=sys.stderr)
        return OutsideError.exit_code
    except KeyboardInterrupt:
        print(f"{name}: stopped. Run it again to go on from here", file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        return 1


def guarded(name: str, night: Night, body: Body, unchanged: bool) -> None:
    """The flow's inside, for a process that must end well although its server went away."""
    failed = None
    if night.conductor.inside and night.conductor.server.kind == "ephemeral":
        leftovers.note_server(night.layout)
    try:
        work(name, night, body, unchanged)
    except FlowFailedError as error:
        failed = error
    if night.conductor.inside and night.conductor.gone():
        code = finish(night, unchanged)
        sys.stderr.flush()
        os._exit(code)  # all is done and said; Prefect would wait seven seconds for each event that it cannot deliver
    if failed:
        raise failed


def finish(night: Night, unchanged: bool) -> int:
    """Print the summary; returns the exit code."""
    if night.conductor.lost:
        night.record.notices.append(f"went on without Prefect: {night.conductor.lost}")
    print(summary(account(night, unchanged)), flush=True)
    return night.record.exit_code


def deployed(name: str, options: Options, body: Body) -> None:
    """Run a flow inside a flow run that Prefect began. What it raises (`FlowFailedError`, `KindexError`) marks the run."""
    with opened(options, Clock()) as night:
        night.conductor.inside = True
        unchanged = prepare(name, night)
        try:
            work(name, night, body, unchanged)
        finally:
            night.conductor.say(summary(account(night, unchanged)))


def prepare(name: str, night: Night) -> bool:
    """Look at the sources, then at what is stale. Whether there is nothing to do."""
    if name == "retrain":
        night.move_locks(missing_only=True)
        return False
    night.move_locks()
    return night.nothing_new()


def work(name: str, night: Night, body: Body, unchanged: bool) -> None:
    """The flow's inside. Raises `FlowFailedError` when the night's exit code is not 0."""
    if unchanged:
        night.replay()
        return
    body(night)
    night.conductor.table(name, as_rows(list(night.record.runs.values())), f"{name} {night.options.night}: what ran, and why")
    for model in account(night, unchanged).models:
        if model.report:
            night.conductor.link(f"report-{model.name.lower().replace('_', '-')}", f"file://{model.report}", model.name)
    if night.record.exit_code:
        message = "; ".join(text for _, text in night.record.troubles) or "a candidate was held back by its gate"
        raise FlowFailedError(f"exit code {night.record.exit_code}: {message}")


def account(night: Night, unchanged: bool) -> Account:
    """The night as its summary wants it."""
    pages = environment.read_pages(night.layout)
    own = night.conductor.server.address == f"{pages.get('prefect')}/api"  # a worker is given its address
    return Account(
        night.options.night,
        [model_account(night, model) for model in night.models],
        unchanged,
        dict(night.clock.seconds),
        night.clock.total,
        tuple(night.record.troubles),
        tuple(night.record.notices),
        pages if own else {},
        night.record.exit_code,
    )


def model_account(night: Night, model: str) -> ModelAccount:
    """One model's part of it, with the evidence of its release."""
    mine = (model, night.params.models[model].catalogue)
    runs = [run for run in night.record.runs.values() if run.key in mine]
    published = night.record.published.get(model)
    if published is None:
        return ModelAccount(model, runs, None, live=releases.live_version(night.layout, model) or "")
    folder = night.layout.releases(model) / published.version
    try:
        evidence = json.loads((folder / "evidence.json").read_bytes())
    except (OSError, ValueError):
        evidence = {}
    return ModelAccount(model, runs, published, evidence, str(folder / "notes" / "report.html"))
