"""What a reservation's workflow tells in its memo, and how that is read: by nobody's work but the server's."""

import asyncio
import re
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import ActivityType
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingWorkflowTaskInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer

from tests.targets import target_of
from tests.workflows.conftest import Life
from vclab.model import messages
from vclab.model.errors import NotFound, Refused
from vclab.model.life import Mending, State, Wait
from vclab.model.messages import Acknowledge, End, Extend, Published, PublishedStep, StatusView
from vclab.model.plans import Access
from vclab.model.reservations import Placed, ReserveRequest, Waits
from vclab.model.states import Ending
from vclab.temporal import sandbox
from vclab.temporal.converter import CONVERTER
from vclab.temporal.live_status import Observation, observe
from workflows import WORKFLOWS, live_status, profiles

STEPS = (
    PublishedStep("vsphere.copy_disk", "Copy", 7200.0, 20.0),
    PublishedStep("linux.wait_ssh", "Wait for SSH", 600.0, 5.0),
)
LOADING = Published(StatusView("new", "Preparing (0/2)", waits_for="the next step of its load"), STEPS)
SCHEDULED = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
TASK = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED


def activity(name: str, attempt: int = 1) -> PendingActivityInfo:
    """It was scheduled at second 1,000, and is given up at 8,200."""
    found = PendingActivityInfo(activity_id="7", activity_type=ActivityType(name=name), attempt=attempt)
    found.state = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    found.scheduled_time.seconds, found.expiration_time.seconds = 1000 if attempt == 1 else 5000, 8200
    return found


def read(*activities: PendingActivityInfo, published: Published | None = LOADING) -> StatusView:
    status = observe(DescribeWorkflowExecutionResponse(pending_activities=activities), published).status
    assert isinstance(status, StatusView)
    return status


@pytest.mark.parametrize("attempt", [1, 3])
def test_the_step_that_runs_is_the_pending_activity_of_that_name(attempt: int) -> None:
    """Since its first attempt, until it is given up, and what past loads say of the time left."""
    status = read(activity("survey"), activity("vsphere.copy_disk", attempt))
    assert (status.word, status.step, status.steps, status.waits_for) == ("Preparing (1/2)", 1, 2, "Copy")
    assert status.since is not None and status.until is not None
    assert (status.since.timestamp(), status.until.timestamp()) == (1000, 8200)
    assert status.seconds_left == 25.0
    assert read(activity("linux.wait_ssh")).seconds_left == 5.0


def test_between_two_steps_none_runs() -> None:
    status = read()
    assert (status.step, status.steps, status.waits_for) == (0, 2, "the next step of its load")


def test_nobody_works_on_what_nobody_takes_up() -> None:
    """For a moment that is normal: what counts is what waits on. A look between two attempts waits for its time."""
    waits = DescribeWorkflowExecutionResponse(pending_workflow_task=PendingWorkflowTaskInfo(state=TASK, attempt=1))
    queued, later = activity("vsphere.copy_disk"), activity("linux.wait_ssh", 2)
    queued.state = later.state = SCHEDULED
    later.next_attempt_schedule_time.seconds = 6000
    now = observe(waits, None)
    assert now.unsettled(now) and not now.unsettled(Observation(None))
    assert "no worker has taken up" in now.unattended(now)
    assert not now.unattended(Observation(None))
    assert observe(DescribeWorkflowExecutionResponse(pending_activities=[queued]), None).waiting == ("activity 7 1",)
    assert observe(DescribeWorkflowExecutionResponse(pending_activities=[later]), None) == Observation(None)
    waits.pending_workflow_task.attempt = 9
    assert "again and again, 9 times" in observe(waits, None).unattended(Observation(None))


async def test_each_wait_of_a_life_is_published(life: Life) -> None:
    """Also while it is loaded, without a worker, and not any more when it has ended."""
    life.world.hold["vsphere.copy_disk"] = threading.Event()
    await life.reserve()
    await life.when(life.world.held.is_set)
    status = await life.reservations.status(life.id)
    assert (status.word, status.waits_for, status.seconds_left) == ("Preparing (2/8)", "Copy the image's disk", 0.0)
    assert status.since is not None and status.until == status.since + timedelta(hours=2)
    life.world.hold.pop("vsphere.copy_disk").set()
    await life.until("reserved")
    await life.settled()
    await life.stop_worker()
    ready, why_not = await life.reservations.look(life.id)
    assert ready is not None
    assert (ready.word, ready.waits_for, ready.then, why_not) == ("Ready", "Connect", "it ends as noack", "")
    await life.start_worker()
    life.world.connected = [True]
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.until("inuse")
    status = await life.reservations.status(life.id)
    assert (status.word, status.waits_for, status.access_open) == ("In use", "the end of the reservation", True)
    await life.reservations.end(life.id, End())
    await life.until("complete")
    await life.handle.result()
    with pytest.raises(NotFound, match="has ended"):
        await life.reservations.status(life.id)


async def test_all_steps_of_a_load_are_published_at_once(life: Life) -> None:
    """A change costs an event: a life has ten."""
    await life.in_use()
    await life.reservations.end(life.id, End())
    await life.until("complete")
    history = await life.handle.fetch_history()
    published = [e for e in history.events if e.HasField("workflow_properties_modified_event_attributes")]
    assert len(published) <= 8
    assert max(event.ByteSize() for event in published) < 2048  # the server warns from there on


def test_a_long_remark_is_cut_for_the_memo() -> None:
    """The whole is in the database."""
    state = State(reason="x" * 5000)
    assert len(live_status.published(state).status.reason) == live_status.LONGEST_REASON + 1
    assert len(live_status.view(state).reason) == 5000


def a_state(**values: Any) -> State:
    now = datetime(2026, 8, 1, 2, 5, tzinfo=UTC)
    return State(
        placed=Placed("r1", target_of(), now + timedelta(hours=2), Access("alice", 1000), Waits()),
        wait=Wait("Connect", now),
        **values,
    )


REQUEST = ReserveRequest("r1", "alice", "debian-12", 3600)


def test_current_details_of_a_refused_request_say_why() -> None:
    lines = live_status.details(REQUEST, State(refusal="no host has room", reason="no host has room")).split("\n\n")
    assert lines == ["### Refused", "no host has room", "**debian-12** for **alice**", live_status.BLANK]


def test_current_details_of_an_ended_one_say_when_and_how() -> None:
    """Not the end that was planned."""
    state = a_state(ending=Ending.RELEASED, ended_at=datetime(2026, 8, 1, 2, 5, tzinfo=UTC))
    text = live_status.details(REQUEST, state)
    assert text.startswith("### Ended 2026-08-01 02:05 UTC, released\n\n")
    assert "04:05" not in text


def test_current_details_give_a_long_cause_first_in_short_lines() -> None:
    """The UI breaks what is longer, and then cuts off the last line."""
    cause = "step 4, Power it on: esx1.example.org refuses to power on vm05-r1-g2: " + "no room " * 40
    text = live_status.details(REQUEST, a_state(reason=cause.strip(), mending=Mending(needs_help=True)))
    lines = [line.strip(" ") for line in text.split("\n") if line]
    assert lines[:2] == ["### Needs help", "step 4, Power it on: esx1.example.org refuses to power on vm05-r1-g2:"]
    assert " ".join(lines).count("no room") == 40
    assert max(map(len, lines)) <= live_status.WIDTH
    assert lines[-1] == live_status.BLANK


def test_current_details_name_the_step_of_a_load_and_what_became_of_an_ended_one() -> None:
    """A step is nothing to wait for, and nor is "nothing"."""
    load = a_state()
    load.wait = Wait("Copy the image's disk", load.wait.since, load.wait.since, "help is asked for", load.wait.since)
    assert "Step: **Copy the image's disk**  \nsince" in live_status.details(REQUEST, load)
    gone = a_state(ending=Ending.RELEASED, ended_at=load.wait.since)
    gone.wait = Wait("nothing: the computer is taken back", load.wait.since)
    assert "\n\nThe computer is taken back" in live_status.details(REQUEST, gone)


def test_every_record_has_a_label() -> None:
    """The UI's timeline shows nothing else of it."""
    code = "".join(file.read_text() for file in Path(profiles.__file__).parent.glob("*.py"))
    used = set(re.findall(r"Record(?:Activitie)?s\.([a-z_]+)", code))
    assert used and used <= set(profiles.RECORDS)


def raised(error: Exception) -> Failure:
    """As the history keeps it."""
    failure = Failure()
    try:
        raise error
    except Exception as caught:
        CONVERTER.failure_converter.to_failure(caught, CONVERTER.payload_converter, failure)
    return failure


def test_a_failure_on_purpose_shows_its_cause_and_no_trace() -> None:
    """The UI shows the trace before the cause. A bug keeps its own."""
    failure = raised(ApplicationError("esx1 refuses", type="StepFailed"))
    assert (failure.message, failure.stack_trace) == ("esx1 refuses", "")
    assert "raise error" in raised(KeyError("a bug")).stack_trace


async def test_one_that_tells_nothing(life: Life) -> None:
    """As those that an earlier version began: the database's view is all that is shown then."""
    await life.client.start_workflow(
        messages.LOAD, messages.Reload("vm01"), id=messages.workflow_id(life.id), task_queue="nobody"
    )
    status, why_not = await life.reservations.look(life.id, 0.1)
    assert status is None
    assert "no worker has taken up" in why_not
    with pytest.raises(NotFound):
        await life.reservations.status("r0000000000")


async def test_many_look_while_many_records_are_written(life: Life) -> None:
    """Reading leaves the history alone. Were it a query, it could often not be replayed: a query that
    is answered in the task of a record, with another message right behind it, is too much for SDK 1.35."""
    await life.in_use(hours=4)
    view = life.view()
    assert view is not None
    words: list[str] = []

    async def look() -> None:
        while True:
            words.append((await life.reservations.status(life.id, 60)).word)
            await asyncio.sleep(0.01)

    async def act(number: int) -> None:
        for count in range(number, number + 6):
            if count % 3 == 0:
                await life.handle.signal("extend", "1m")
            elif count % 3 == 1:
                await life.reservations.acknowledge(life.id, Acknowledge(f"203.0.113.{101 + count % 4}"))
            else:
                end = view.end + timedelta(minutes=count)
                with suppress(Refused):  # another one has moved it further
                    await life.operator.extend(life.id, Extend(end))

    async with asyncio.TaskGroup() as group:
        looking = [group.create_task(look()) for _ in range(4)]
        await asyncio.gather(*(act(number) for number in range(4)))
        for each in looking:
            each.cancel()
    assert set(words) == {"In use"}
    history = await life.handle.fetch_history()
    await Replayer(workflows=WORKFLOWS, workflow_runner=sandbox.sandbox(), data_converter=CONVERTER).replay_workflow(
        history
    )
