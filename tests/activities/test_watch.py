"""The watch: looks that are kept between their times, and neither hold up each other nor are lost."""

import asyncio
import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio.runtime import BUFFERED_METRIC_KIND_GAUGE, MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import ActivityEnvironment

from activities import reach
from activities.reach import Away, GuestInput, Reach
from activities.watch import CannotLook, HandedOver, Watch
from tests.targets import target_of
from vclab.model.errors import NotYet, Unreachable
from vclab.model.plans import Access, Facts, Target, Whereabouts

Look = Callable[[], Awaitable[str]]
EVERY = 0.05


def activity() -> tuple[ActivityEnvironment, list[tuple[str, dict[str, str]]]]:
    """One attempt of an activity, and its heartbeats."""
    environment, beats = ActivityEnvironment(), []
    environment.info = dataclasses.replace(environment.info, heartbeat_timeout=timedelta(seconds=300))
    environment.on_heartbeat = lambda *details: beats.append(details)
    return environment, beats


def measured(environment: ActivityEnvironment) -> Callable[[], Counter[str]]:
    """What the environment's activity has counted since it was asked last: gauges as they are, histograms' records."""
    buffer = MetricBuffer(1000)
    environment.metric_meter = Runtime(telemetry=TelemetryConfig(metrics=buffer)).metric_meter

    def read() -> Counter[str]:
        found = Counter[str]()
        for update in buffer.retrieve_updates():
            name, kind = update.metric.name, update.metric.kind
            found[name] = int(update.value) if kind == BUFFERED_METRIC_KIND_GAUGE else found[name] + 1
        return found

    return read


def scripted(*errors: Exception) -> Look:
    """A look that raises these, then sees somebody."""
    left = list(errors)

    async def look() -> str:
        if left:
            raise left.pop(0)
        return "seen"

    return look


async def test_one_activity_looks_until_there_is_news() -> None:
    environment, beats = activity()
    read = measured(environment)
    look = scripted(NotYet("nobody", EVERY), CannotLook("no route", EVERY))
    assert await environment.run(Watch().until, look) == "seen"
    assert read() == {"vclab_look_late": 3, "vclab_looks_failed": 1, "vclab_computers_watched": 0}
    assert [(said, more["unseen"]) for said, more in beats] == [
        ("nobody", ""),
        ("no route; next look in 0.05 s", "no route"),
    ]


async def test_a_secret_in_an_error_is_not_in_a_heartbeat() -> None:
    """Heartbeats stay in the history of a look that times out."""
    environment, beats = activity()
    await environment.run(Watch().until, scripted(CannotLook("password=hunter2", EVERY)))
    assert "hunter2" not in str(beats) and "***" in str(beats)


async def test_the_next_worker_goes_on_where_the_last_one_was() -> None:
    """Neither too early, which would be a burst after each restart, nor a whole pause later."""
    environment, _ = activity()
    carried = {"due": str(time.time() + 0.3), "every": "5", "said": "nobody", "unseen": ""}
    environment.info = dataclasses.replace(environment.info, attempt=2, heartbeat_details=["nobody", carried])
    began = time.monotonic()
    await environment.run(Watch().until, scripted(), NotYet("connected", 5.0))
    assert 0.25 < time.monotonic() - began < 4


async def test_a_worker_that_stops_hands_its_looks_back_at_once() -> None:
    """Not in the middle of a look, and not at its time."""
    environment, _ = activity()
    running = asyncio.ensure_future(environment.run(Watch().until, scripted(NotYet("nobody", 300.0))))
    await asyncio.sleep(0.05)
    environment.worker_shutdown()
    async with asyncio.timeout(5):
        with pytest.raises(HandedOver):
            await running


async def test_a_cancelled_look_ends_between_two_times() -> None:
    environment, _ = activity()
    read = measured(environment)
    running = asyncio.ensure_future(environment.run(Watch().until, scripted(NotYet("nobody", 300.0))))
    await asyncio.sleep(0.05)
    assert read()["vclab_computers_watched"] == 1
    environment.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await running
    assert read()["vclab_computers_watched"] == 0


async def test_computers_that_do_not_answer_hold_up_none_that_do() -> None:
    """However few looks may run at once."""
    watch, hangs = Watch(at_once=1), asyncio.Event()
    errors: list[Exception] = [CannotLook("no route", EVERY)]

    async def silent() -> str:
        if errors:
            raise errors.pop()
        await hangs.wait()
        return "seen"

    (one, _), (another, _) = activity(), activity()
    hanging = asyncio.ensure_future(one.run(watch.until, silent))
    while errors:
        await asyncio.sleep(0.01)
    await asyncio.sleep(2 * EVERY)
    async with asyncio.timeout(5):
        assert await another.run(watch.until, scripted(NotYet("nobody", EVERY))) == "seen"
    assert not hanging.done()
    hangs.set()
    assert await hanging == "seen"


async def test_an_endpoint_that_does_not_answer_holds_up_no_look_at_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do looks at its own computers wait for it for long: what they said counts then."""
    monkeypatch.setattr(reach, "PATIENCE", 0.2)
    hangs = threading.Event()

    def whereabouts(target: Target) -> Whereabouts:
        if target.endpoint == "dead":
            hangs.wait(30)
        return Whereabouts(trouble=f"{target.computer} is off", off=True)

    async def act(facts: Facts) -> str:
        raise Unreachable("no route")

    def given(endpoint: str) -> GuestInput:
        return GuestInput(target_of(endpoint=endpoint), Facts(), Access("alice", 20001))

    reached = Reach({}, whereabouts).reached
    dead = [asyncio.ensure_future(reached(given("dead"), act)) for _ in range(100)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        with pytest.raises(Away, match="vm01 is off"):
            await reached(given("vc"), act)
        ended = await asyncio.gather(*dead, return_exceptions=True)
    hangs.set()
    assert {str(each) for each in ended} == {"no route"}
