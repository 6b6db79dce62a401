"""The check of an idle computer: what is looked at, what was found, and what follows from that."""

from dataclasses import dataclass
from enum import StrEnum

from vclab.model.plans import Facts, NodeStatus, Status, Target
from vclab.model.power import PowerOrder, PowerSeen

CLOCK_SECONDS = 60.0
"""By which a clock may be wrong: Kerberos takes five minutes, one-time passwords half a minute each way."""


class Repair(StrEnum):
    """What follows from a check."""

    NOTHING = ""
    SWITCH_ON = "switched on"
    RELOAD = "reload"  #: what it holds is not known any more
    MAINTENANCE = "maintenance"  #: nobody gets it until an operator has looked at it


@dataclass(frozen=True)
class Inside:
    """What the guest says of a computer. Its lines are short and printable."""

    clock: float | None = None  #: seconds by which its clock is ahead of ours; None: not known
    disk_errors: tuple[str, ...] = ()  #: of its kernel since it was booted, newest last; and what is mounted read-only


@dataclass(frozen=True)
class Check:
    """Check a computer that nobody has."""

    computer: str


@dataclass(frozen=True)
class CheckOrder:
    """Look at a computer, which is held for that."""

    target: Target  #: and what it holds by its record
    facts: Facts  #: where it is reached, and its pinned host key
    power: PowerOrder | None = None  #: how it is switched; None: nothing is known
    off: bool = False  #: it was switched off, and is to stay so
    may_be_off: bool = False  #: by policy of its group
    reloads: bool = False  #: it can be loaded anew, and was not after the check before this one

    @property
    def site(self) -> str:
        """Whose worker looks."""
        return self.target.site

    @property
    def looks_inside(self) -> bool:
        """There is a guest that is known by its host key."""
        return bool(self.target.guest and self.facts.host_key and self.facts.private_address)


@dataclass(frozen=True)
class Seen:
    """What was seen over the network. A computer that holds nothing that is known is not asked what it holds."""

    silent: str = ""  #: why it does not answer; empty: it does
    shut: str = ""  #: why nobody can look inside; empty: somebody has, or there is nothing to look at
    inside: Inside = Inside()
    status: NodeStatus | None = None  #: what it says that it holds; None: it was not asked


@dataclass(frozen=True)
class Verdict:
    """What follows, and why."""

    said: str
    repair: Repair = Repair.NOTHING
    off: bool | None = None  #: it is off, as it may be; None: as it was


def judge(order: CheckOrder, power: PowerSeen, seen: Seen, tried: str = "") -> Verdict:
    """What follows from what was found. ``tried``: how it went to switch it on; empty: that was not tried."""
    if order.off:
        return (
            Verdict("it is on, though it was switched off", off=False) if power.power == "on" else Verdict("it is off")
        )
    before = f"{tried}; " if tried else ""
    if power.power == "off" and order.may_be_off and not tried:
        return Verdict("it is off already", off=True)
    if power.power == "off" or (seen.silent and power.power != "on"):
        said = "it is off" if power.power == "off" else seen.silent
        if order.power is not None and not tried:
            return Verdict(said, Repair.SWITCH_ON)
        return _mend(order, before + said)
    if seen.silent or seen.shut:
        return _mend(order, before + (seen.silent or seen.shut))
    if worn := _worn(seen.inside):
        return Verdict(before + worn, Repair.MAINTENANCE)
    if seen.status is not None and seen.status.status is Status.RELOAD:
        return _mend(order, f"{before}it does not hold {order.target.image}/{order.target.revision}: {seen.status.why}")
    return Verdict(before + _well(order, power, seen))


def _mend(order: CheckOrder, said: str) -> Verdict:
    return Verdict(said, Repair.RELOAD if order.reloads else Repair.MAINTENANCE)


def _worn(inside: Inside) -> str:
    """What no load mends; empty: nothing."""
    if inside.disk_errors:
        more = f", and {len(inside.disk_errors) - 1} more" if len(inside.disk_errors) > 1 else ""
        return f"its kernel reports an error of a disk: {inside.disk_errors[-1]}{more}"
    if inside.clock is not None and abs(inside.clock) > CLOCK_SECONDS:
        return f"its clock is {abs(inside.clock):.0f} s {'fast' if inside.clock > 0 else 'slow'}"
    return ""


def _well(order: CheckOrder, power: PowerSeen, seen: Seen) -> str:
    """What was looked at, and is as it should be; and what could not be."""
    looked = ["it answers"]
    if order.looks_inside:
        looked.append("its disks and its clock are well")
    if seen.status is not None:
        looked.append(f"it holds {order.target.image}/{order.target.revision}")
    if order.power is not None and power.power != "on":
        looked.append(f"its power is not known: {power.why or 'nothing says it'}")
    return ", ".join(looked)
