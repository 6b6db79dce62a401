"""A capture: what a computer holds becomes a revision of an image. Its workflow's input and result."""

from dataclasses import dataclass, field

from vclab.model.life import Load
from vclab.model.plans import Becomes, Target
from vclab.model.reservations import Waits


@dataclass(frozen=True)
class CaptureInput:
    """Go on with a capture, from where its load stands; or give it up: what was done is put back."""

    target: Target  #: the reservation's
    becomes: Becomes
    waits: Waits
    load: Load = field(default_factory=Load)
    give_up: bool = False
    why: str = ""  #: it is given up


@dataclass(frozen=True)
class CaptureOutcome:
    """It has ended; or it stands at a step that failed, and ``why_not``."""

    load: Load
    failed: str = ""  #: the step's title
    why_not: str = ""
