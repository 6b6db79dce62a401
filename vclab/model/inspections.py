"""What an inspection of a computer's hardware has found, and what became of that."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Inspected:
    """The answer of an inspection."""

    hardware: str = ""  #: what was found: a ``NodeReport`` as JSON
    differences: tuple[str, ...] = ()  #: from what is recorded, the worst first
    recorded: bool = False  #: it is the record from now on: the first one, or accepted
    out_of_service: str = ""  #: the computer is in maintenance since then, and why
