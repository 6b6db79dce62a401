"""What hardware a node has: it is asked there, in the imaging environment (vclab/imaging/inspector.py)."""

from vclab.imaging.node import Node, Said, followed, place_programs
from vclab.library.content import Told, nobody
from vclab.model.errors import Unreachable
from vclab.model.nodes import MOST, NodeReport, report_of

_LISTS = {"disk": "disks", "card": "cards", "entry": "boot_entries"}


def inspect(node: Node, told: Told = nobody) -> NodeReport:
    """Ask it; nothing is changed. ``told`` is called now and then, and may end it. Raises ``Unreachable`` and
    ``StepFailed``."""
    found: dict[str, list[Said]] = {name: [] for name in _LISTS.values()}

    def heard(said: Said) -> None:
        if (name := _LISTS.get(said["event"])) is not None:
            found[name].append(said)
            if len(found[name]) > MOST:
                raise Unreachable(f"the node says that it has more than {MOST} {name}")

    place_programs(node)
    said = followed(node.program("inspector"), told, heard)
    return report_of({**said, **found})
