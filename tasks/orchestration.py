"""Prefect: when it answers, the night is a flow run and each step a task run; when it does not, the same functions run.

The only file of a run that imports prefect, and only when a flow begins. An error of Prefect's is told from one of ours
by remembering what our function did: a night is never lost, and no step runs twice, because a server went away.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from kindex.core.errors import KindexError, OutsideError
from tasks.clock import Clock
from tasks.environment import Server, post, unreachable

T = TypeVar("T")


class FlowFailedError(Exception):
    """Raised by a flow's body at its end, to mark the flow run as failed."""


class Once(Generic[T]):
    """A function that remembers its last call: what it returned, or what it raised."""

    def __init__(self, function: Callable[[], T]) -> None:
        self.function = function
        self.began = False
        self.error: BaseException | None = None
        self.values: list[T] = []

    def __call__(self) -> T:
        self.began, self.error = True, None
        try:
            value = self.function()
        except BaseException as error:
            self.error = error
            raise
        self.values = [value]
        return value


class Conductor:
    """Runs a flow and its steps through Prefect, or without it. `lost` says why it went without."""

    def __init__(self, clock: Clock, server: Server) -> None:
        self.clock = clock
        self.server = server
        self.lost = f"{server.address} does not answer ({server.trouble})" if server.kind == "down" else ""
        self.inside = False  # of a flow run

    def flow(self, name: str, run_name: str, settings: Mapping[str, Any], body: Callable[[], None]) -> None:
        """Run `body` as a flow run called `run_name`. The body's `FlowFailedError` marks the run and ends here."""
        once = Once(body)
        if self.lost:
            with contextlib.suppress(FlowFailedError):
                once()
            return
        with self.clock.of("Prefect"):
            try:
                with self.clock.of("imports"):
                    import prefect
                self.inside = True

                @prefect.flow(name=name, flow_run_name=run_name, validate_parameters=False)
                def run(settings: Mapping[str, Any]) -> None:  # noqa: ARG001  (shown on the run's page)
                    with self.clock.of("the flow"):
                        once()

                run(settings, return_state=True)
            except Exception as error:
                self._lose(error, once)
            finally:
                self.inside = False
        with contextlib.suppress(FlowFailedError):
            _result(once) if once.began else once()

    def step(
        self,
        function: Callable[[], T],
        *,
        name: str,
        run_name: str,
        retries: int = 0,
        delay_seconds: float = 10.0,
        timeout_seconds: float | None = None,
        passing: Sequence[int] = (),
    ) -> T:
        """Run `function` as a task run called `run_name`; it is tried again after an error with one of the codes `passing`."""
        if not self.inside or self.gone():
            return function()
        once = Once(function)
        with self.clock.of("Prefect"):
            try:
                from prefect import task
                from prefect.cache_policies import NO_CACHE

                @task(
                    name=name,
                    task_run_name=run_name,
                    retries=retries,
                    retry_delay_seconds=delay_seconds,
                    retry_condition_fn=lambda *_: isinstance(once.error, KindexError) and once.error.exit_code in passing,
                    timeout_seconds=timeout_seconds,
                    cache_policy=NO_CACHE,
                    persist_result=False,
                )
                def work() -> None:
                    with self.clock.of("the flow"):
                        once()

                work()
            except TimeoutError as error:
                if error is not once.error:
                    raise OutsideError(f"{run_name} took more than {timeout_seconds:.0f} seconds and was stopped") from None
            except Exception as error:
                self._lose(error, once)
        return _result(once) if once.began else function()

    def gone(self) -> bool:
        """Whether the server went away; asked before each step, for Prefect itself notices it late."""
        if not self.lost and self.server.address and (trouble := unreachable(self.server.address)):
            self.lost = f"{self.server.address} no longer answers ({trouble})"
        return bool(self.lost)

    def table(self, key: str, rows: list[dict[str, str]], about: str) -> None:
        """A table on the flow run's page."""
        self._artifact("create_table_artifact", key=key, table=rows, description=about)

    def page(self, key: str, markdown: str, about: str) -> None:
        """A page of Markdown on the flow run's page."""
        self._artifact("create_markdown_artifact", key=key, markdown=markdown, description=about)

    def link(self, key: str, address: str, about: str) -> None:
        """A link on the flow run's page."""
        self._artifact("create_link_artifact", key=key, link=address, description=about)

    def say(self, line: str) -> None:
        """Print a line, and keep it in the flow run's log."""
        print(line, flush=True)
        if self.inside and not self.lost:
            from prefect.exceptions import MissingContextError
            from prefect.logging import get_run_logger

            try:
                get_run_logger().info(line)
            except MissingContextError:
                return

    def _artifact(self, maker: str, **content: Any) -> None:
        if not self.inside or self.gone():
            return
        with self.clock.of("Prefect"):
            try:
                import prefect.artifacts

                getattr(prefect.artifacts, maker)(**content)
            except Exception as error:
                self.lost = _first_line(error)

    def cancel(self, why: str) -> None:
        """Mark the flow run as cancelled, for a process that ends now: one attempt, where Prefect's client makes many."""
        if not self.inside or self.lost:
            return
        with contextlib.suppress(Exception):
            from prefect.context import FlowRunContext, SyncClientContext

            context, clients = FlowRunContext.get(), SyncClientContext.get()
            if context and context.flow_run and clients:
                state = {"state": {"type": "CANCELLED", "message": why}, "force": True}
                post(f"{clients.client.api_url}flow_runs/{context.flow_run.id}/set_state", state)

    def _lose(self, error: BaseException, once: Once[Any]) -> None:
        if error is once.error:
            return
        self.lost = self.lost or _first_line(error)


def _result(once: Once[T]) -> T:
    """What our function did, whatever Prefect made of it."""
    if once.error is not None:
        raise once.error
    return once.values[0]


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:200]
