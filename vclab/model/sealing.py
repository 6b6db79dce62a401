"""What sealing an image says: the state that the computer is left in, and what each part did."""

from dataclasses import dataclass
from enum import StrEnum


class EndState(StrEnum):
    """What becomes of the computer when it is sealed."""

    OFF = "off"  #: it shuts down
    ON = "on"  #: it stays on, but accepts no new SSH login before it restarts: its host keys are gone
    REBOOT = "reboot"  #: it restarts


@dataclass(frozen=True)
class SealedPart:
    """What one part of sealing did, or why it did not apply. Short, printable lines; a hook may have written anything
    into its output, so redact it before it is kept."""

    part: str
    did: str
    output: tuple[str, ...] = ()  #: what the image's own hooks wrote, newest last
