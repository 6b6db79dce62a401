"""Where a reservation of a lab machine goes: the machine as a whole, in the smallest gap between its promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vclab.model.reservations import Candidate, Refusal


@dataclass(frozen=True)
class Promise:
    """A claim on a computer: it is ``holder``'s during [starts, ends)."""

    starts: datetime
    ends: datetime
    holder: str


@dataclass(frozen=True)
class MachineRoom:
    """A lab machine, what keeps it from being given away at all, and to whom it is promised."""

    endpoint: str
    name: str
    lacks: tuple[str, ...] = ()
    promises: tuple[Promise, ...] = ()


def choose_machine(starts: datetime, ends: datetime, machines: Sequence[MachineRoom]) -> MachineRoom | Refusal:
    """The free machine whose next promise begins soonest after ``ends``, so that the long gaps stay long.

    Else a refusal that names each machine with all that keeps it.
    """
    fits: list[tuple[datetime, str, MachineRoom]] = []
    candidates: list[Candidate] = []
    for machine in machines:
        in_the_way = [p for p in machine.promises if p.starts < ends and starts < p.ends]
        lacks = (*machine.lacks, *map(_told, in_the_way))
        if lacks:
            candidates.append(Candidate(f"{machine.endpoint}/{machine.name}", lacks))
        else:
            following = min((p.starts for p in machine.promises if p.starts >= ends), default=None)
            fits.append((following or datetime.max.replace(tzinfo=ends.tzinfo), machine.name, machine))
    if fits:
        return min(fits, key=lambda fit: fit[:2])[-1]
    candidates.sort(key=lambda candidate: candidate.name)
    return Refusal("no lab machine is free then", tuple(candidates))


def _told(promise: Promise) -> str:
    return f"is promised to {promise.holder} until {promise.ends:%Y-%m-%d %H:%M} UTC"
