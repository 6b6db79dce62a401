"""Cleans all disks of a node, before another person gets it (vclab/imaging/cleaner.py)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vclab.imaging.node import Node, Said, followed, number, place_programs
from vclab.library.content import Told, nobody
from vclab.model import reported
from vclab.model.errors import Refused, StepFailed, Unreachable
from vclab.model.nodes import MOST

HOW = ("formatted", "discarded", "overwritten", "clean", "kept")
_LONGEST = 200


@dataclass(frozen=True)
class Cleaned:
    """A disk, and what was done to it: "formatted", "discarded", "overwritten"; "clean": an earlier attempt has done
    that; "kept": nothing, as it was asked for."""

    path: str
    serial: str
    size: int
    how: str

    def __str__(self) -> str:
        return f"{self.path} {self.how}"


def clean(
    node: Node,
    keep: Sequence[str] = (),
    told: Told = nobody,
    begins: Mapping[str, int] | None = None,
    upto: Callable[[str, int], None] = lambda key, byte: None,
) -> list[Cleaned]:
    """Clean all disks but those with the serial numbers ``keep``. ``told`` is told the bytes of all disks. ``upto`` is
    told a disk's key and up to which byte it is overwritten: what another attempt is given as ``begins`` it does not
    overwrite again. Harmless when it is repeated.

    What ``told`` raises ends it within ``STOPPED_WITHIN`` seconds; but an NVMe disk that is being formatted ends that
    by itself. Raises ``StepFailed`` when a disk is read-only, in use or fails, or one to be kept is not there;
    ``Unreachable``.
    """
    found: list[Cleaned] = []

    def heard(said: Said) -> None:
        if said["event"] == "upto":
            upto(reported.line(said.get("key"), _LONGEST), number(said, "byte"))
        elif said["event"] == "cleaned":
            found.append(_cleaned(said))
            if len(found) > MOST:
                raise Unreachable(f"the node says that it has more than {MOST} disks")

    words = [f"--keep={serial}" for serial in keep]
    words += [f"--begin={key}:{byte}" for key, byte in (begins or {}).items()]
    place_programs(node)
    try:
        followed(node.program("cleaner", *words), told, heard)
    except Refused as refused:
        raise StepFailed(refused.message, refused.hint) from None
    return sorted(found, key=lambda one: one.path)


def _cleaned(said: Said) -> Cleaned:
    how = said.get("how")
    if how not in HOW:
        raise Unreachable("the node says what is not understood: how it has cleaned a disk")
    path, serial = (reported.line(said.get(key), _LONGEST) for key in ("path", "serial"))
    return Cleaned(path, serial, number(said, "size"), how)
