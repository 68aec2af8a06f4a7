"""The night is not lost when Prefect is: errors of its own are told from ours, and no step runs twice."""

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from kindex.core.errors import BusyError, DataGateError, OutsideError
from tasks.clock import Clock
from tasks.environment import Server
from tasks.orchestration import Conductor, FlowFailedError
from tasks.stages import PASSING

EPHEMERAL = Server("ephemeral")


def conductor(server: Server = EPHEMERAL) -> Conductor:
    return Conductor(Clock(), server)


@pytest.fixture
def prefect(monkeypatch) -> Callable[..., None]:
    """Put a stand-in for Prefect's two decorators in place: `around(run)` is what it makes of each call."""

    def install(around: Callable[[Callable[[], Any]], Any]) -> None:
        def decorator(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
            return lambda function: lambda *arguments, **named: around(lambda: function(*arguments))

        fake = types.ModuleType("prefect")
        fake.flow = fake.task = decorator  # type: ignore[attr-defined]
        policies = types.ModuleType("prefect.cache_policies")
        policies.NO_CACHE = None  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "prefect", fake)
        monkeypatch.setitem(sys.modules, "prefect.cache_policies", policies)

    return install


def swallow(run: Callable[[], Any]) -> None:
    """`return_state=True`: a failed flow is a state, not an exception."""
    try:
        run()
    except FlowFailedError:
        return


def test_without_a_server_everything_runs_and_the_reason_is_kept():
    night, calls = conductor(Server("down", "http://x/api", "refused")), []
    night.flow("nightly", "tonight", {}, lambda: calls.append(night.step(lambda: 3, name="reproduce", run_name="train@m")))
    assert calls == [3]
    assert night.lost == "http://x/api does not answer (refused)"


def test_a_server_that_dies_before_the_flow_begins(prefect):
    def refuse(run: Callable[[], Any]) -> None:
        raise ConnectionError("nobody there")

    prefect(refuse)
    night, calls = conductor(), []
    night.flow("nightly", "tonight", {}, lambda: calls.append(1))
    assert calls == [1]
    assert night.lost == "ConnectionError: nobody there"


def test_a_server_that_dies_after_the_flow_has_done_its_work(prefect):
    def late(run: Callable[[], Any]) -> None:
        run()
        raise ConnectionError("gone")

    prefect(late)
    night, calls = conductor(), []
    night.flow("nightly", "tonight", {}, lambda: calls.append(1))
    assert calls == [1]
    assert night.lost == "ConnectionError: gone"


@pytest.mark.parametrize("before", [True, False])
def test_a_step_runs_once_whenever_the_server_dies(prefect, before):
    def die(run: Callable[[], Any]) -> None:
        if not before:
            run()
        raise ConnectionError("gone")

    prefect(die)
    night, calls = conductor(), []
    night.inside = True
    assert night.step(lambda: calls.append(1) or "done", name="reproduce", run_name="train@m") == "done"
    assert calls == [1]
    assert night.step(lambda: calls.append(2) or "more", name="reproduce", run_name="index@m") == "more"
    assert calls == [1, 2]


def test_an_error_of_ours_is_not_prefects(prefect):
    prefect(lambda run: run())
    night = conductor()
    night.inside = True

    def refuse() -> None:
        raise DataGateError("too many rows")

    with pytest.raises(DataGateError, match="too many rows"):
        night.step(refuse, name="reproduce", run_name="validate@c")
    assert night.lost == ""


def test_a_failed_night_marks_its_flow_and_goes_on_to_the_summary(prefect):
    prefect(swallow)
    night = conductor()

    def body() -> None:
        raise FlowFailedError("exit code 3")

    night.flow("nightly", "tonight", {}, body)
    Conductor(Clock(), Server("down")).flow("nightly", "tonight", {}, body)


def test_a_step_that_takes_too_long_is_stopped_with_a_reason(prefect):
    class Cancelled(BaseException):
        """Raised in our function by Prefect's alarm."""

    def stop() -> None:
        raise Cancelled

    def timed(run: Callable[[], Any]) -> None:
        try:
            run()
        except Cancelled:
            raise TimeoutError from None

    prefect(timed)
    night = conductor()
    night.inside = True
    with pytest.raises(OutsideError, match="train@m took more than 5 seconds"):
        night.step(stop, name="reproduce", run_name="train@m", timeout_seconds=5)
    assert night.lost == ""


@pytest.mark.parametrize(
    ("error", "again"), [(BusyError("held"), True), (OutsideError("down"), True), (DataGateError("rows"), False)]
)
def test_only_what_may_pass_is_tried_again(prefect, monkeypatch, error, again):
    prefect(lambda run: run())
    conditions: list[Callable[..., bool]] = []

    def keep(**options: Any) -> Callable[[Any], Any]:
        conditions.append(options["retry_condition_fn"])
        return lambda function: function

    monkeypatch.setattr("prefect.task", keep)
    night = conductor()
    night.inside = True

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        night.step(fail, name="reproduce", run_name="train@m", passing=PASSING)
    assert conditions[0](None, None, None) is again


def test_a_flow_run_is_cancelled_in_one_attempt_that_may_fail(monkeypatch):
    context = types.ModuleType("prefect.context")
    run = types.SimpleNamespace(flow_run=types.SimpleNamespace(id="17"))
    client = types.SimpleNamespace(client=types.SimpleNamespace(api_url="http://x/api/"))
    context.FlowRunContext = types.SimpleNamespace(get=lambda: run)  # type: ignore[attr-defined]
    context.SyncClientContext = types.SimpleNamespace(get=lambda: client)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "prefect.context", context)
    told: list[tuple[str, dict[str, Any]]] = []

    def post(address: str, content: dict[str, Any]) -> None:
        told.append((address, content))
        raise ConnectionError("gone")

    monkeypatch.setattr("tasks.orchestration.post", post)
    night = conductor()
    night.cancel("outside of a flow run there is nothing to cancel")
    night.inside = True
    night.cancel("stopped by SIGTERM")
    state = {"type": "CANCELLED", "message": "stopped by SIGTERM"}
    assert told == [("http://x/api/flow_runs/17/set_state", {"state": state, "force": True})]
