"""What runs in a lab: written by its supervisor, read by everybody else."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from vclab.lab.layout import Layout


@dataclass
class PartState:
    """One of the lab's servers."""

    pid: int = 0
    start: int = 0  #: see ``processes.started``
    ok: bool = False  #: it answers
    detail: str = ""
    restarts: int = 0


@dataclass
class MachineState:
    """One machine that is on."""

    name: str
    pid: int
    start: int


@dataclass
class LabState:
    """The whole lab."""

    pid: int = 0  #: of the supervisor
    start: int = 0
    address: str = ""
    ready: bool = False  #: all parts but the worker have answered once, and the store is filled
    error: str = ""  #: why it gave up
    parts: dict[str, PartState] = field(default_factory=dict)
    machines: dict[str, MachineState] = field(default_factory=dict)  #: by instance UUID
    nodes: dict[str, MachineState] = field(default_factory=dict)  #: of bare metal, by name

    def processes(self) -> list[tuple[int, int]]:
        """All recorded processes with their start times; the supervisor comes first, so that it starts nothing anew."""
        parts = [(part.pid, part.start) for part in self.parts.values()]
        on = (*self.machines.values(), *self.nodes.values())
        machines = [(machine.pid, machine.start) for machine in on]
        return [(self.pid, self.start), *parts, *machines]


def write(layout: Layout, state: LabState) -> None:
    """Replace the state, whole or not at all."""
    temporary = layout.state_file.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(state), indent=1))
    temporary.replace(layout.state_file)


def read(layout: Layout) -> LabState:
    """The state; an empty one when there is none."""
    return read_file(layout.state_file)


def read_file(path: Path) -> LabState:
    """The state in a file; an empty one when there is none or it can't be read."""
    try:
        data = json.loads(path.read_text())
        parts = {name: PartState(**part) for name, part in data.pop("parts").items()}
        machines = {uuid: MachineState(**machine) for uuid, machine in data.pop("machines").items()}
        nodes = {name: MachineState(**node) for name, node in data.pop("nodes").items()}
        return LabState(**data, parts=parts, machines=machines, nodes=nodes)
    except (OSError, ValueError, TypeError, KeyError):
        return LabState()
