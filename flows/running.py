"""How a flow is run: from the command line, or by a Prefect worker; the quick answers first, the summary last."""

import os
import sys
import traceback
from collections.abc import Callable

from flows import artifacts, telling, unopened
from flows.account import account
from flows.night import Night
from flows.opening import LeftOutError, opened, planned
from flows.options import Options
from flows.record import worst
from flows.stopping import stoppable
from flows.summary import summary
from kindex.core.errors import KindexError, OutsideError
from tasks import leftovers
from tasks.clock import Clock
from tasks.orchestration import FlowFailedError

Body = Callable[[Night], None]
GOES_ON = (0, 3, 4)
"""After these exit codes the next of several nights is run; what else stops one would stop the next, too."""


def by_hand(name: str, options: Options, body: Body) -> int:
    """Run a flow from the command line, for each night that was asked for; returns the worst exit code."""
    with stoppable(name):
        try:
            nights = planned(options)
        except KindexError as error:
            print(f"{name}: {error}", file=sys.stderr)
            unopened.refused(name, options, error)
            return error.exit_code
        codes: list[int] = []
        for one in nights:
            codes.append(command(name, one, body, first=not codes))
            if codes[-1] not in GOES_ON:
                break
        return worst(codes)


def command(name: str, options: Options, body: Body, *, first: bool = True) -> int:
    """One run of a flow in this process, the `first` or a further one; returns the exit code."""
    try:
        with opened(options, Clock(since_process=first)) as night:
            unchanged = prepare(name, night)
            server = night.conductor.server.kind
            standing = server in ("given", "standing")  # else not worth the 15 seconds that a server takes to start
            if unchanged and not standing:
                work(name, night, body, unchanged)
            elif night.stopped and not standing:
                return finish(name, night, unchanged)
            else:
                asked = {"models": list(options.models), "force": options.force, "date": options.night}
                night.conductor.flow(name, f"{name} {options.night}", asked, lambda: guarded(name, night, body, unchanged))
            return finish(name, night, unchanged)
    except LeftOutError as reason:
        print(f"{name}: {reason}", flush=True)
        unopened.left_out(options, str(reason))
        return 0
    except KindexError as error:
        print(f"{name}: {error}", file=sys.stderr)
        unopened.refused(name, options, error)
        return error.exit_code
    except OSError as error:  # the disk, mostly
        print(f"{name}: {error}", file=sys.stderr)
        unopened.refused(name, options, OutsideError(str(error)))
        return OutsideError.exit_code
    except KeyboardInterrupt:
        print(f"{name}: stopped. Run it again to go on from here", file=sys.stderr)
        return 130
    except Exception as error:
        traceback.print_exc()
        unopened.refused(name, options, error)
        return 1


def guarded(name: str, night: Night, body: Body, unchanged: bool) -> None:
    """The flow's inside, for a process that must end well although its server went away."""
    failed = None
    if night.conductor.inside and night.conductor.server.kind == "ephemeral":
        leftovers.note(night.layout, leftovers.NIGHT, leftovers.own_servers())
    with stoppable(name, night.conductor):  # again, for Prefect has put its own handler in place
        try:
            work(name, night, body, unchanged)
        except FlowFailedError as error:
            failed = error
    if night.conductor.inside and night.conductor.gone():
        code = finish(name, night, unchanged)
        sys.stderr.flush()
        os._exit(code)  # all is done and said; Prefect would wait seven seconds for each event that it cannot deliver
    if failed:
        raise failed


def finish(name: str, night: Night, unchanged: bool) -> int:
    """Tell the journal and who wants to hear, print the summary; returns the exit code."""
    if night.conductor.lost:
        night.record.notices.append(f"went on without Prefect: {night.conductor.lost}")
    telling.close(night, name)
    print(summary(account(night, unchanged)), flush=True)
    return night.record.exit_code


def deployed(name: str, options: Options, body: Body) -> str:
    """Run a flow inside a flow run that Prefect began; returns what there is to say of a night that was left out.

    What it raises (`FlowFailedError`, `KindexError`) marks the run as failed.
    """
    said, failed = [], None
    for one in planned(options):
        try:
            said.append(deployed_one(name, one, body))
        except FlowFailedError as error:
            failed = error
        except Exception as error:
            unopened.refused(name, one, error)
            raise
    if failed:
        raise failed
    return "; ".join(text for text in said if text)


def deployed_one(name: str, options: Options, body: Body) -> str:
    """One night of it."""
    try:
        with opened(options, Clock()) as night:
            night.conductor.inside = True
            unchanged = prepare(name, night)
            try:
                work(name, night, body, unchanged)
            finally:
                telling.close(night, name)
                night.conductor.say(summary(account(night, unchanged)))
    except LeftOutError as reason:
        unopened.left_out(options, str(reason))
        return str(reason)
    return ""


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
        telling.tell(night)  # what a killed night may have left to this one
        return
    night.prepare_processes()
    body(night)
    artifacts.show(night.conductor, night.layout, name, account(night, unchanged))
    if night.record.exit_code:
        message = "; ".join(text for _, text in night.record.troubles) or "a candidate was held back by its gate"
        raise FlowFailedError(f"exit code {night.record.exit_code}: {message}")
