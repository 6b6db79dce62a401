"""The lab's lines in ``vclab status``; found through the entry point group ``vclab.status``."""

from dataclasses import dataclass
from pathlib import Path

from vclab.lab import processes, state
from vclab.lab.bmcs import Node
from vclab.lab.layout import Layout
from vclab.lab.stock import NODES
from vclab.settings import config_file


@dataclass(frozen=True)
class Part:
    """One line."""

    name: str
    ok: bool
    detail: str


def parts() -> list[Part]:
    """The parts of the lab whose settings are in use; none when the settings in use are not a lab's."""
    file = config_file()
    layout = Layout(file.parent.resolve()) if file else Layout.of()
    if not layout.lab_file.exists():
        return []
    now = state.read(layout)
    if not processes.alive(now.pid, now.start):
        return [Part("lab", False, f"down; start it: {_up(layout.folder, layout.default)}")]
    lines = [Part("lab", True, f"{layout.folder}, machines on: {len(now.machines)}")]
    for name, part in now.parts.items():
        often = f" (restarted {part.restarts} times)" if part.restarts else ""
        lines.append(Part(f"lab: {name}", part.ok, f"{part.detail or 'waits for other parts'}{often}"))
    nodes = (f"{stock.name}: {Node(layout.nodes / stock.name, stock.name, '', 0).runs}" for stock in NODES)
    return [*lines, Part("lab: bare metal", True, ", ".join(nodes))]


def _up(folder: Path, default: bool) -> str:
    return "vclab up" if default else f"vclab up --lab {folder}"
