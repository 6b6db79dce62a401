"""What the vCenter knows of a machine whose load has failed. Nothing is changed."""

from collections.abc import Iterator
from typing import Any

from vclab.model import reported
from vclab.model.plans import Evidence, Target
from vclab.provisioning.vsphere.api import Fault, Ref, vim, vmodl
from vclab.provisioning.vsphere.faults import words
from vclab.provisioning.vsphere.machines import Machine, of_target
from vclab.provisioning.vsphere.properties import read, read_all
from vclab.provisioning.vsphere.site import Site

MOST = 12
"""Events and tasks of each, the newest."""

_PATHS = [
    "guest.toolsRunningStatus",
    "guest.ipAddress",
    "guest.hostName",
    "runtime.question",
    "overallStatus",
    "recentTask",
]


def evidence(site: Site, target: Target) -> Evidence:
    """Power, where it is, what its guest tools say, an open question, its newest tasks and events."""
    machine = of_target(site, target)
    if machine is None:
        return Evidence("unknown", (f"{target.machine_name} is not on {target.endpoint}",))
    values = read(site.session, machine.ref, _PATHS) or {}
    lines = [*_state(site, machine, values), *_tasks(site, values.get("recentTask", []))]
    try:
        lines += _events(site, machine.ref)
        missing: tuple[str, ...] = ()
    except vmodl.MethodFault as fault:
        missing = (f"the events of {machine.name}: {words(fault)}",)
    power = machine.power if machine.power in ("on", "off") else "unknown"
    return Evidence(power, tuple(map(reported.line, lines)), missing=missing)


def _state(site: Site, machine: Machine, values: dict[str, Any]) -> Iterator[str]:
    host = (read(site.session, machine.host, ["name"]) or {}).get("name", "?") if machine.host else "no host"
    yield f"{machine.name} on {host}: power {machine.power}, {machine.connection}"
    tools = values.get("guest.toolsRunningStatus", "unknown")
    address = reported.address(values.get("guest.ipAddress")) or "none"
    yield f"guest tools: {tools}, address {address}, host name {values.get('guest.hostName') or 'none'}"
    question = values.get("runtime.question")
    if question:
        yield f"it waits for an answer to: {question.text}"


def _tasks(site: Site, refs: list[Ref]) -> Iterator[str]:
    found = [values["info"] for _, values in read_all(site.session, refs, ["info"]) if "info" in values]
    for info in sorted(found, key=lambda one: one.queueTime)[-MOST:]:
        why = f": {_fault(info.error)}" if info.error else ""
        yield f"{info.queueTime:%H:%M:%S} UTC  task {info.descriptionId or info.name}: {info.state}{why}"


def _fault(fault: Fault) -> str:
    return words(fault)


def _events(site: Site, machine: Ref) -> list[str]:
    spec = vim.event.EventFilterSpec(
        entity=vim.event.EventFilterSpec.ByEntity(entity=machine, recursion="self"), disableFullMessage=False
    )
    found = sorted(site.content.eventManager.QueryEvents(spec) or [], key=lambda one: one.key)
    return [f"{one.createdTime:%H:%M:%S} UTC  {_text(one)}" for one in found[-MOST:]]


def _text(event: Any) -> str:
    kind = type(event).__name__.rpartition(".")[2]
    return f"{kind}: {event.fullFormattedMessage}" if event.fullFormattedMessage else kind
