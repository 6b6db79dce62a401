"""Ctrl-C ends a command at once, whatever it waits for."""

import asyncio
import signal
import threading
import time
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError

from tests.service.conftest import Lab
from vclab.cli.running import run
from vclab.contract import acts
from vclab.model.errors import Unreachable
from vclab.model.ids import new_id
from vclab.model.intents import Outcome
from vclab.model.messages import End
from vclab.service.use_case import INTERRUPTED
from vclab.temporal.client import Reservations


class Silent:
    """A Temporal client that waits for an update for ever, and answers a cancellation as the SDK does."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.service_client = self

    async def check_health(self, timeout: timedelta) -> bool:
        """It is there; it only does not answer."""
        return True

    def get_workflow_handle(self, name: str) -> "Silent":
        """Its updates are as silent."""
        return self

    async def execute_update(self, *args: Any, **named: Any) -> NoReturn:
        """The SDK makes an error of its own of a cancellation."""
        self.asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise WorkflowUpdateRPCTimeoutOrCancelledError from error
        raise AssertionError

    async def execute_update_with_start_workflow(self, *args: Any, **named: Any) -> NoReturn:
        """The same."""
        await self.execute_update()


def silent() -> tuple[Silent, Reservations]:
    """Reservations whose server never answers."""
    client = Silent()
    made: Any = client
    return client, Reservations(made, "queue")


async def cancelled(work: Awaitable[object], asked: asyncio.Event) -> None:
    """Cancelled once it waits, it has ended soon, as cancelled."""
    task = asyncio.ensure_future(work)
    await asyncio.wait_for(asked.wait(), 10)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done and task.cancelled()


async def test_a_cancelled_update_is_cancelled() -> None:
    """It is not mistaken for a server that does not answer, and so is not asked again."""
    client, workflows = silent()
    await cancelled(workflows.end("r1", End("i1")), client.asked)


async def test_an_update_without_an_answer_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-out is a cancellation too, but nobody's who asked for it."""
    monkeypatch.setattr("vclab.temporal.client.ANSWER_SECONDS", 0.1)
    _, workflows = silent()
    with pytest.raises(Unreachable, match="no answer within 1 s"):
        await workflows.end("r1", End("i1"))


async def test_a_cancelled_reserve_does_not_ask_again(lab: Lab) -> None:
    """Its intent says so: nobody knows whether it is carried out."""
    client, workflows = silent()
    made: Any = workflows
    lab.backend.workflows = made
    question = acts.Reserve(reservation=new_id(), image="debian-12", seconds=3600.0)

    async def reserve() -> object:
        return await lab.make_client("alice").call(acts.reserve, question)

    await cancelled(reserve(), client.asked)
    async with asyncio.timeout(10):  # whoever asked does not wait for that
        while lab.intents()[0].outcome is Outcome.OPEN:
            await asyncio.sleep(0.02)
    assert [(each.outcome, each.detail) for each in lab.intents()] == [(Outcome.UNANSWERED, INTERRUPTED)]


def test_ctrl_c_does_not_wait_for_a_thread() -> None:
    """A database that does not answer keeps one busy."""
    busy, released = threading.Event(), threading.Event()

    def read() -> None:
        busy.set()
        released.wait(60)

    def press() -> None:
        busy.wait(60)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
    began = time.monotonic()
    try:
        threading.Thread(target=press).start()
        with pytest.raises(KeyboardInterrupt):
            run(asyncio.to_thread(read))
    finally:
        released.set()
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 30


def test_a_second_ctrl_c_waits_for_nothing() -> None:
    """Also for work that is not cancelled by the first one."""

    async def stubborn() -> None:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(stubborn())
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
