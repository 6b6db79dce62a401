"""No power control: somebody has to press the button."""

from typing import ClassVar

from vclab.model.bmc_facts import BmcFacts
from vclab.model.errors import Refused
from vclab.power.base import Boot, Command, PowerState, Seen


class NoPower:
    """A ``Driver`` that can do nothing, and so is told nothing."""

    commands: ClassVar[frozenset[Command]] = frozenset()
    boots: ClassVar[bool] = False
    has_facts: ClassVar[bool] = False
    sees_off: ClassVar[bool] = False

    def power(self) -> Seen:
        """Nobody knows."""
        return Seen(PowerState.UNKNOWN, "it has no power control")

    def send(self, command: Command) -> None:
        """Never called: ``commands`` is empty."""
        raise Refused("it has no power control")

    def boot(self) -> Boot:
        """Never called: ``boots`` is false."""
        raise Refused("it has no power control")

    def set_boot(self, boot: Boot) -> None:
        """Never called: ``boots`` is false."""
        raise Refused("it has no power control")

    def listen(self, seconds: float, take: bool) -> bytes:
        """Never called: it has no console."""
        raise Refused("it has no power control")

    def facts(self) -> BmcFacts:
        """Never called: ``has_facts`` is false."""
        raise Refused("it has no power control")

    def close(self) -> None:
        """Nothing is open."""
