"""A capture: what a computer holds becomes a revision of an image. Its workflow's input and result."""

from dataclasses import dataclass, field

from vclab.model.life import Progress
from vclab.model.plans import Becomes, Facts, Target
from vclab.model.reservations import Waits


@dataclass(frozen=True)
class CaptureInput:
    """Go on with a capture, from where it stands; or give it up: what was done is put back."""

    target: Target  #: the reservation's
    becomes: Becomes
    waits: Waits
    facts: Facts = Facts()  #: what is known of its computer
    progress: Progress = field(default_factory=Progress)
    hand_back: bool = True  #: its computer is its user's again when what it held is taken
    given_up: str = ""  #: why nothing is to be made of it any more; empty: it goes on


@dataclass(frozen=True)
class CaptureOutcome:
    """It has ended; or only what it held is ``taken``; or it stands at a step that failed, and ``why_not``."""

    progress: Progress
    failed: str = ""  #: the step's title
    why_not: str = ""
    taken: bool = False
    handed_back: Facts = Facts()  #: where its computer is now
    not_handed_back: str = ""  #: why its computer is not its user's again
