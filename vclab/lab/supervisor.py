"""The one process behind a running lab: makes the network, keeps the parts and machines running, forwards ports.

Everything it starts dies with it, however it ends; what is left of it then is removed by the next ``up`` or ``down``.
Started detached by ``vclab up``::

    python -m vclab.lab.supervisor FOLDER TEMPORAL VCSIM
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import signal
import sys
import uuid
from pathlib import Path

from vclab.lab import forwards, metal, network, processes, state
from vclab.lab.control import Vcsim
from vclab.lab.errors import LabError
from vclab.lab.keeper import Keeper
from vclab.lab.layout import API_ADDRESS, API_PORT, PRIVATE, PUBLIC, TEMPORAL_PORT, VCENTER_PORT, Layout
from vclab.lab.machines import Card, Spec
from vclab.lab.nodes import Chassis
from vclab.lab.parts import parts
from vclab.lab.room import MachineRoom
from vclab.lab.stock import LAB_IMAGE, LAB_MACHINES
from vclab.model.errors import VclabError
from vclab.netboot.environment import environment

log = logging.getLogger("vclab.lab")


def lock(layout: Layout) -> int | None:
    """Become the supervisor of this lab: a handle to keep open, or None when there is one already."""
    layout.run.mkdir(parents=True, exist_ok=True, mode=0o711)
    handle = os.open(layout.logs, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def clean(layout: Layout) -> None:
    """Remove what a lab left that ended by force: its processes, namespaces, cards and sockets. Its supervisor too.

    Raises ``LabError`` when a process does not die.
    """
    unrecorded = processes.locker(layout.logs)
    others = [(unrecorded, processes.started(unrecorded))] if unrecorded else []
    cut_power(layout, others + state.read(layout).processes())
    _forget_run(layout)


def cut_power(layout: Layout, recorded: list[tuple[int, int]]) -> None:
    """End the recorded processes (pid, start time) and whatever is inside our namespaces; then remove those.

    Nothing is ever looked for by name. Raises ``LabError`` when a process does not die.
    """
    stubborn = processes.end(recorded)
    for namespace in filter(network.exists, layout.namespaces):
        inside = [(pid, processes.started(pid)) for pid in network.processes(namespace) if pid != os.getpid()]
        stubborn += processes.end(inside)
    if stubborn:
        raise LabError(f"processes of the lab do not die: {', '.join(map(str, stubborn))}; end them, then try again")
    network.down(layout)


def _forget_run(layout: Layout) -> None:
    shutil.rmtree(layout.run, ignore_errors=True)
    with contextlib.suppress(OSError):  # other labs' are in it
        layout.run.parent.rmdir()


class Supervisor:
    """Runs one lab until it is told to stop."""

    def __init__(self, layout: Layout, temporal: Path, vcsim: Path) -> None:
        self._layout = layout
        self._stop = asyncio.Event()
        self._inside = forwards.Inside(network.NETNS / layout.management)
        self._state = state.LabState(os.getpid(), processes.started(os.getpid()), layout.address)
        self._filled = asyncio.Event()
        control = Vcsim(layout.control_socket)
        self._room = MachineRoom(layout, control, self._changed)
        self._keepers = {
            part.name: Keeper(part, layout.logs, layout.address, self._inside, self._changed)
            for part in (*parts(layout, temporal, vcsim), *metal.parts(layout))
        }
        self._chassis: list[Chassis] = []
        self._keepers["vcsim"].on_line = self._room.hear
        self._keepers["vcsim"].on_ready = self._room.compare

    async def run(self) -> None:
        """Run the lab until SIGTERM or SIGINT; then cut its power. Raises ``VclabError`` when it can't be started."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        try:
            self._changed()
            network.up(self._layout)
            await self._listen()
            log.info("the networks are there")
            self._room.stand(lab_machines(self._layout))
            self._start_nodes()
            await self._work()
        except VclabError as error:
            self._state.error = str(error)
            self._changed()
            raise
        finally:
            self._cut_power()

    def _start_nodes(self) -> None:
        """Those of bare metal. Each has a thread of its own, and is off unless its power was on before."""
        loop = asyncio.get_running_loop()

        def changed() -> None:
            with contextlib.suppress(RuntimeError):  # the lab is ending
                loop.call_soon_threadsafe(self._changed)

        self._chassis = metal.chassis(self._layout, changed)
        for chassis in self._chassis:
            chassis.start()

    async def _listen(self) -> None:
        here = self._layout.address
        for port, there in {TEMPORAL_PORT: here, VCENTER_PORT: here, API_PORT: API_ADDRESS}.items():
            try:
                await forwards.serve(self._inside, here, {port: there})
            except OSError as error:
                raise LabError(f"can't listen on {self._layout.address}:{port}: {error.strerror}") from None

    async def _work(self) -> None:
        """Keep all parts and machines running until told to stop. Raises ``VclabError`` from the store."""
        tasks = [asyncio.create_task(self._keep(keeper)) for keeper in self._keepers.values()]
        others = self._room.watch_guests(), self._fill_store(), self._publish()
        tasks += [asyncio.create_task(work) for work in others]
        stop = asyncio.create_task(self._stop.wait())
        pending = {*tasks, stop}
        try:
            while not stop.done():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in (*tasks, stop):
                task.cancel()
            await asyncio.gather(*tasks, stop, return_exceptions=True)

    async def _keep(self, keeper: Keeper) -> None:
        for name in keeper.part.after:
            await self._keepers[name].ready.wait()
        if keeper.part.needs_store:
            await self._filled.wait()
        await keeper.run()

    async def _fill_store(self) -> None:
        await asyncio.to_thread(_fill_store, self._layout)
        self._filled.set()
        log.info("the store is filled")
        self._changed()

    async def _publish(self) -> None:
        """What nodes boot over the network. Nothing waits for it but a node that is loaded."""
        try:
            await asyncio.to_thread(_publish, self._layout)
        except VclabError as error:
            log.warning("%s", error)

    def _changed(self) -> None:
        self._state.parts = {name: keeper.state for name, keeper in self._keepers.items()}
        self._state.machines = self._room.states()
        self._state.nodes = {
            each.node.name: state.MachineState(each.node.name, each.pid, processes.started(each.pid))
            for each in self._chassis
            if each.pid
        }
        own = [keeper.ready.is_set() for keeper in self._keepers.values() if not keeper.part.late]
        self._state.ready = self._state.ready or (all(own) and self._filled.is_set())
        state.write(self._layout, self._state)

    def _cut_power(self) -> None:
        """SIGKILL to all: what the lab holds must stand a power cut, so each ``down`` proves that it does."""
        for chassis in self._chassis:
            chassis.end()
        for chassis in self._chassis:
            chassis.close()
        self._room.close()
        self._inside.close()
        others = [one for one in self._state.processes() if one[0] != os.getpid()]
        cut_power(self._layout, others)
        if not self._state.error:  # else whoever waits for us reads it first
            _forget_run(self._layout)


def lab_machines(layout: Layout) -> list[Spec]:
    """The machines that no vCenter knows."""
    return [
        Spec(
            str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{machine.name}.{layout.tag}")),
            machine.name,
            layout.lab_machine_disk(machine.name),
            (Card(machine.private_mac, PRIVATE), Card(machine.public_mac, PUBLIC)),
            (layout.lab_machine_disk(LAB_IMAGE.name),),
        )
        for machine in LAB_MACHINES
    ]


def _publish(layout: Layout) -> None:
    metal.publish(layout, environment(log.info))


def _fill_store(layout: Layout) -> None:
    # Imported here, meanwhile: SQLAlchemy takes longer than the network and Temporal's server together.
    from vclab.lab.records import fill_store

    logging.getLogger("alembic").setLevel(logging.WARNING)
    fill_store(layout)


def main(arguments: list[str]) -> int:
    """Run a lab in the foreground; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    folder, temporal, vcsim = map(Path, arguments)
    layout = Layout(folder)
    held = lock(layout)
    if held is None:
        log.error("the lab in %s has a supervisor already", folder)
        return 1
    try:
        asyncio.run(Supervisor(layout, temporal, vcsim).run())
    except VclabError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
