"""What an operator does with Temporal's own tools, and what the reconciler finds when nobody looks after something."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from tests.labfixture import eventually, wait
from tests.stack.conftest import Session, Stack, marks

pytestmark = pytest.mark.lab


BAD = (
    (),
    ('"1h"', '"2h"'),
    ("7",),
    ("null",),
    ('{"by": [1]}',),
    ('{"to": "yesterday"}',),
    ('"-1h"',),
    ('"\\u0000"',),
)
"""Inputs of an ``extend`` signal that can't be understood."""


def end_of(stack: Stack, r: str) -> datetime:
    """As the database has it: to the microsecond."""
    (text,) = stack.column("SELECT ends FROM reservations WHERE id = ?", r)
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_signals(stack: Stack) -> None:
    r = stack.reserve("--wait")["id"]
    session = Session(stack, r)
    stack.is_in(r, "inuse")
    first = end_of(stack, r)

    stack.signal(r, "extend", '"1h"')
    eventually(lambda: end_of(stack, r) == first + timedelta(hours=1))
    wanted = first + timedelta(hours=9)  # beyond all limits: those do not bind operators
    stack.signal(r, "extend", f'{{"to": "{wanted.isoformat()}"}}')
    eventually(lambda: end_of(stack, r) == wanted)

    for inputs in BAD:
        stack.signal(r, "extend", *inputs)
    refused = "SELECT id FROM events WHERE reservation = ? AND what LIKE 'refused%'"
    eventually(lambda: len(stack.column(refused, r)) == len(BAD), 15)
    stack.signal(r, "no-such-signal")
    shown = stack.show(r)
    assert shown["state"] == "inuse" and end_of(stack, r) == wanted and shown["now"]["answered"]
    session.goes_on()
    history = stack.workflow(r, lambda handle: handle.fetch_history())
    assert not any(event.HasField("workflow_task_failed_event_attributes") for event in history.events)
    assert stack.status()["workflows"]["ok"]

    stack.signal(r, "cancel", '"whatever"')
    session.over()
    stack.finished(r)
    stack.nothing_left(r)
    shown = stack.show(r)
    assert (shown["ending"], shown["reason"]) == ("released", "cancelled by an operator")
    acts = "SELECT act FROM events WHERE reservation = ? AND who = 'olga'"
    assert set(stack.column(acts, r)) == {"signal-1-operator", "signal-2-operator", "signal-operator"}


@pytest.mark.long
def test_what_nobody_looks_after(stack: Stack) -> None:
    # A terminated workflow runs no clean-up: the reconciler takes the machine back.
    r = stack.reserve("--wait")["id"]
    (machine,) = stack.machines_of(r)
    former = marks(machine)
    stack.workflow(r, lambda handle: handle.terminate("a test"))
    stack.finished(r)
    stack.nothing_left(r)
    shown = stack.show(r)
    assert (shown["state"], shown["ending"]) == ("failed", "failed") and "terminated" in shown["reason"]

    # A machine of ours that nobody holds: told first, removed after the grace; others' machines are not.
    copy_of(stack, former)
    detail = eventually(lambda: not (part := stack.status()["machines"])["ok"] and part["detail"], 60)
    assert "stray on lab-vcenter" in detail and "foreign" not in detail
    eventually(lambda: stack.vcenter().find("stray") is None, 60, 0.3)
    assert stack.vcenter().find("foreign") is not None
    eventually(lambda: stack.status()["machines"]["ok"], 60)
    wait(stack.vcenter().find("foreign").Destroy_Task())


def copy_of(stack: Stack, former: Mapping[str, str]) -> None:
    """A machine with our mark of a computer's former time, as if it had been forgotten; and one without."""
    vcenter = stack.vcenter()
    vcenter.make("foreign", 1)
    stray = vcenter.make("stray", 2)
    options = {f"vclab.{key}": value for key, value in former.items()}
    options["vclab.instance"] = stray.config.instanceUuid
    options |= {"vclab.computer": "vm39", "vclab.reservation": "forgotten"}
    kinds = vcenter.vim.option
    values = [kinds.OptionValue(key=key, value=value) for key, value in options.items()]
    wait(stray.ReconfigVM_Task(vcenter.vim.vm.ConfigSpec(extraConfig=values)))
