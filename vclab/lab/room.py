"""The machine room: does to real machines what the vCenter says was done to virtual ones, and reports back.

The lab machines stand in it too: on from the start, and none of the vCenter's business.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vclab.lab import processes
from vclab.lab.control import Vcsim
from vclab.lab.errors import LabError
from vclab.lab.layout import NETWORKS, Layout
from vclab.lab.machines import Card, Guest, Machine, Spec, forget_lost_disks
from vclab.lab.process_tree import Ended
from vclab.lab.state import MachineState

BOOTING_LOOK, RUNNING_LOOK = 0.1, 2.0
"""How often, in seconds, a machine is asked for its addresses."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Before a crashed machine starts again, in seconds; doubled each time that it crashes while it boots."""
BOOT_SECONDS = 10.0
ON, RESET = "poweredOn", "reset"
log = logging.getLogger("vclab.lab")


@dataclass
class Slot:
    """The place of one virtual machine. Whoever holds the lock may change it; locks are given in order of asking."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    machine: Machine | None = None  #: that is on
    start: int = 0
    reported: Guest | None = None  #: what the vCenter knows of the guest
    look_at: float = 0.0
    pause: float = FIRST_PAUSE
    standing: bool = False  #: a lab machine: the vCenter does not know it


class MachineRoom:
    """All machines of the lab, by instance UUID."""

    def __init__(self, layout: Layout, vcsim: Vcsim, changed: Callable[[], None]) -> None:
        self._layout = layout
        self._vcsim = vcsim
        self._changed = changed
        self._slots: dict[str, Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def stand(self, specs: Iterable[Spec]) -> None:
        """Switch lab machines on; call this in the thread that is to keep them."""
        for spec in specs:
            self._slots[spec.uuid] = slot = Slot(standing=True)
            try:
                self._start(spec.uuid, slot, Machine(self._layout, spec))
            except (LabError, OSError) as error:
                log.warning("%s", error)

    def states(self) -> dict[str, MachineState]:
        """The machines that are on."""
        on = ((uuid, slot, slot.machine) for uuid, slot in self._slots.items())
        return {
            uuid: MachineState(machine.spec.name, machine.pid, slot.start)
            for uuid, slot, machine in on
            if machine and machine.pid
        }

    def hear(self, line: bytes) -> None:
        """One line of the vCenter's events. Order is kept per machine."""
        try:
            event: dict[str, Any] = json.loads(line)
            uuid, kind = str(event["uuid"]), str(event["event"])
        except (ValueError, KeyError, TypeError):
            log.warning("vcsim said something that is not an event: %r", line[:200])
            return
        self._spawn(self._removed(uuid) if kind == "removed" else self._power(uuid, event))

    async def compare(self) -> None:
        """The vCenter has (re)started: what it does not know, or knows to be off, is off."""
        before = [uuid for uuid, slot in self._slots.items() if not slot.standing]
        known = {str(item["uuid"]): item for item in await asyncio.to_thread(self._vcsim.machines)}
        for uuid in before:
            self._slots[uuid].reported = None
            if known.get(uuid, {}).get("state") != ON:
                await self._switch_off(uuid)
        for uuid, item in known.items():
            if item["state"] == ON:
                await self._power(uuid, item)
        await asyncio.to_thread(forget_lost_disks, self._layout)

    async def watch_guests(self) -> None:
        """Report what the guests say to the vCenter, until cancelled."""
        while True:
            now = asyncio.get_running_loop().time()
            for uuid, slot in list(self._slots.items()):
                if slot.machine and not slot.standing and slot.look_at <= now and not slot.lock.locked():
                    await self._look(uuid, slot, slot.machine, now)
            await asyncio.sleep(BOOTING_LOOK)

    async def _look(self, uuid: str, slot: Slot, machine: Machine, now: float) -> None:
        guest = machine.guest()
        slot.look_at = now + (RUNNING_LOOK if guest.complete(machine.spec) else BOOTING_LOOK)
        if guest == slot.reported or not guest.addresses:
            return
        try:
            await asyncio.to_thread(self._vcsim.guest, uuid, guest.addresses, guest.hostname, True, guest.info)
        except LabError as error:
            log.info("%s: its addresses were not reported: %s", machine.spec.name, error)
            slot.look_at = now + RUNNING_LOOK
            return
        slot.reported = guest

    def close(self) -> None:
        """Forget the plans; the machines themselves are for the caller to kill."""
        for task in self._tasks:
            task.cancel()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except (LabError, OSError) as error:
            log.warning("%s", error)

    def _slot(self, uuid: str) -> Slot:
        return self._slots.setdefault(uuid, Slot())

    async def _power(self, uuid: str, event: dict[str, Any]) -> None:
        slot = self._slot(uuid)
        async with slot.lock:
            if event["state"] != ON:  # off, suspended or reset
                await self._stop(slot)
            if event["state"] in (ON, RESET) and slot.machine is None:
                self._start(uuid, slot, Machine(self._layout, spec_of(event)))

    async def _switch_off(self, uuid: str) -> None:
        slot = self._slot(uuid)
        async with slot.lock:
            await self._stop(slot)

    async def _removed(self, uuid: str) -> None:
        slot = self._slots.pop(uuid, Slot())  # one that is made anew with this UUID has another place
        async with slot.lock:
            await self._stop(slot)
        # The simulator tells first and deletes the disk's files then; an unregistered machine keeps its disk.
        await asyncio.sleep(1.0)
        await asyncio.to_thread(forget_lost_disks, self._layout)

    def _start(self, uuid: str, slot: Slot, machine: Machine) -> None:
        # In this very thread: a machine dies with the thread that started it (PR_SET_PDEATHSIG).
        machine.start()
        slot.machine, slot.start = machine, processes.started(machine.pid)
        slot.reported, slot.look_at = None, 0.0
        self._changed()
        self._spawn(self._await_end(uuid, slot, machine, machine.pid))

    async def _stop(self, slot: Slot) -> None:
        if slot.machine is not None:
            await asyncio.to_thread(slot.machine.stop)
            slot.machine = None
            self._changed()

    async def _await_end(self, uuid: str, slot: Slot, machine: Machine, pid: int) -> None:
        """What is to be done when the machine ends by itself."""
        begun = time.monotonic()
        await _gone(pid)
        async with slot.lock:
            if slot.machine is not machine or machine.pid != pid:
                return  # we stopped it
            why = machine.ended()
            if why is Ended.POWER_OFF:
                slot.machine = None
            self._changed()
        log.info("%s: %s", machine.spec.name, why)
        if not slot.standing:
            await self._tell_end(uuid, why)
        if why is Ended.CUT:
            machine.tell("the machine has crashed; it starts again")
            slot.pause = FIRST_PAUSE if time.monotonic() - begun > BOOT_SECONDS else min(slot.pause * 2, LONGEST_PAUSE)
            await asyncio.sleep(slot.pause)
        async with slot.lock:
            if slot.machine is machine and not machine.pid:
                self._start(uuid, slot, machine)

    async def _tell_end(self, uuid: str, why: Ended | None) -> None:
        try:
            if why is Ended.POWER_OFF:
                await asyncio.to_thread(self._vcsim.power_off, uuid)
            else:
                await asyncio.to_thread(self._vcsim.guest, uuid, {}, "", False)
        except LabError as error:  # it is down, and will ask for everything when it is back
            log.info("%s", error)


def spec_of(event: dict[str, Any]) -> Spec:
    """A machine's definition from an event. Raises ``LabError`` when the lab can't plug it together."""
    name, disks = str(event.get("name", "?")), event.get("disks") or []
    if not disks:
        raise LabError(f"{name}: it has no disk, so nothing boots")
    cards, parents = tuple(_cards(name, event.get("nics") or [])), tuple(map(Path, event.get("parents") or []))
    return Spec(str(event["uuid"]), name, Path(disks[0]), cards, parents)


def _cards(name: str, cards: Iterable[dict[str, Any]]) -> Iterable[Card]:
    for card in cards:
        if card["network"] not in NETWORKS:
            raise LabError(f"{name}: there is no network {card['network']!r}; there are {', '.join(NETWORKS)}")
        yield Card(card["mac"].lower(), card["network"], card["connected"])


async def _gone(pid: int) -> None:
    """Wait until a child process has ended, without reaping it."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        loop.add_reader(handle, ended.set)
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
