"""Which lab machine a reservation gets: the one with the smallest gap between its promises."""

from collections.abc import Callable, Sequence
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
    """A lab machine, why it can't be used at all, and to whom it is promised."""

    endpoint: str
    name: str
    lacks: tuple[str, ...] = ()
    promises: tuple[Promise, ...] = ()
    held: Promise | None = None  #: its present holder and the probable end: an overrun changes no claim
    ready: bool = False  #: it holds what is asked for


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def choose_machine(
    starts: datetime, ends: datetime, machines: Sequence[MachineRoom], shown: Callable[[datetime], str] = _utc
) -> MachineRoom | Refusal:
    """The free machine that holds what is asked for; else the one whose next promise begins soonest after ``ends``, so
    that long gaps stay long.

    If none is free, a refusal that names all obstacles of each machine; ``shown`` formats times in the reader's zone.
    """
    fits: list[tuple[bool, datetime, str, MachineRoom]] = []
    candidates: list[Candidate] = []
    for machine in machines:
        in_the_way = [p for p in machine.promises if p.starts < ends and starts < p.ends]
        lacks = (*machine.lacks, *_held(machine, shown))
        lacks += tuple(f"is promised to {p.holder} until {shown(p.ends)}" for p in in_the_way)
        if lacks:
            candidates.append(Candidate(f"{machine.endpoint}/{machine.name}", lacks))
        else:
            following = min((p.starts for p in machine.promises if p.starts >= ends), default=None)
            latest = datetime.max.replace(tzinfo=ends.tzinfo)
            fits.append((not machine.ready, following or latest, machine.name, machine))
    if fits:
        return min(fits, key=lambda fit: fit[:3])[-1]
    candidates.sort(key=lambda candidate: candidate.name)
    return Refusal("no lab machine is free at that time", tuple(candidates))


def _held(machine: MachineRoom, shown: Callable[[datetime], str]) -> tuple[str, ...]:
    if machine.held is None:
        return ()
    return (f"is held by {machine.held.holder}, probably until {shown(machine.held.ends)}",)
