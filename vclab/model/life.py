"""What the workflow of a reservation knows. One ``State`` holds all of it: continue-as-new hands it on as it is, and
what people are shown is derived from it. Times are aware and in UTC.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from vclab.model.messages import Reboot, Resolve
from vclab.model.plans import Becomes, Facts, Plan, Target
from vclab.model.reservations import Placed, ReserveRequest
from vclab.model.states import Ending, ReservationState


@dataclass
class Load:
    """How far a load is. A resumed load continues from here."""

    plan: Plan | None = None
    done: int = 0  #: steps of the plan that are done, and are never run again
    facts: Facts = Facts()  #: what they have learned
    run: int = 0  #: how often it was resumed
    ceiling: float = 0.0  #: the setting for one step, in seconds
    deadline: datetime | None = None  #: the whole load's ceiling
    hurried: bool = False  #: the step has less time than its own, for the whole load has no more

    @property
    def step(self) -> int:
        """The number of the step at which it stands; 0: there is no plan yet."""
        return min(self.done + 1, len(self.plan.steps)) if self.plan else 0


@dataclass
class Mending:
    """What was done about loads that failed."""

    began: datetime | None = None  #: the load in this place: the time since then is lost if it fails
    credited: float = 0.0  #: lost seconds that were given back, as far as no claim stood in the way
    relocated: bool = False  #: one other place was tried; a further one needs an operator's word
    needs_help: bool = False  #: an operator must say how it goes on
    resolution: Resolve | None = None  #: what the operator chose
    resolved: bool = False  #: and that is recorded


@dataclass
class LetIn:
    """Who is let in to the computer: addresses and prefixes, the newest last."""

    addresses: tuple[str, ...] = ()  #: from which Connect was pressed
    asking: tuple[str, ...] = ()  #: the same, while it is being recorded
    granted: tuple[str, ...] = ()  #: which the computer lets in
    began: datetime | None = None  #: the first grant: since then somebody may have been logged in


@dataclass
class Use:
    """How the computer is used, as far as it was seen."""

    connected: bool = False
    unseen: str = ""  #: why the computer can't be looked at
    back_by: datetime | None = None  #: the user is away, and has to be back by then
    noticed: datetime | None = None  #: notices that were due until then are not sent any more
    reboot: Reboot | None = None  #: asked for, and not done yet


class Stage(StrEnum):
    """A part of a capture that has a plan of its own. All but the first only for a module that ``seals``."""

    TAKE = "take"  #: what the computer holds is copied
    HAND_BACK = "hand back"  #: the computer is switched on again for its user
    SEAL = "seal"  #: on a throw-away computer
    TRY = "try"  #: the boot test, on another one
    PUBLISH = "publish"


@dataclass
class Progress:
    """How far a capture is. What is done is kept, and never done again."""

    stage: Stage = Stage.TAKE
    load: Load = field(default_factory=Load)  #: of that stage
    facts: Facts = Facts()  #: what the stages before have learned
    taken: Load = field(default_factory=Load)  #: the first stage, when it is done
    throw_away: Target | None = None  #: the computer that it holds beside its source
    anew: int = 0  #: how often the stage was begun anew by itself


@dataclass
class Saving:
    """The capture that runs. Until what the computer holds is ``taken``, nobody uses it."""

    becomes: Becomes
    release: bool = False  #: the reservation ends then
    progress: Progress = field(default_factory=Progress)
    taken: bool = False
    done: bool = False
    given_up: bool = False  #: by an operator, while it went on beside the reservation


@dataclass
class Wait:
    """What is waited for now, for people."""

    what: str = "a place"
    since: datetime | None = None
    until: datetime | None = None
    then: str = ""  #: what happens then
    steps_since: datetime | None = None  #: steps of a plan run one after the other since then


@dataclass
class State:
    """All that a reservation's workflow knows."""

    state: ReservationState = ReservationState.NEW
    placed: Placed | None = None
    refusal: str = ""  #: why it was not placed
    ending: Ending | None = None
    ended_at: datetime | None = None
    by_signal: bool = False  #: a signal from the Temporal UI or CLI ended it
    reason: str = ""  #: what people must know: a failure, a refusal
    wait: Wait = field(default_factory=Wait)
    load: Load = field(default_factory=Load)
    mending: Mending = field(default_factory=Mending)
    planned_end: datetime | None = None  #: when it ends, without extensions
    prepared: bool = False  #: it is loaded, waits for its start, and nobody was let in
    facts: Facts = Facts()  #: what is known of the computer since its load
    let_in: LetIn = field(default_factory=LetIn)
    use: Use = field(default_factory=Use)
    end_moved: bool = False  #: a wait until the end, or for a notice, must look again
    start_moved: bool = False  #: a wait for the start must look again
    copy_ended: bool = False  #: the copy that it waits for is made, or could not be
    load_ended: bool = False  #: the background load that it waits for has ended, well or not
    saving: Saving | None = None
    saved: bool = False  #: it was captured, or was to be at its end
    reinstall: int = 0  #: the revision that the computer is to be brought to anew; 0: none
    reinstalled: bool = False  #: it was, so the time since its start is not lost
    acts: tuple[str, ...] = ()  #: intents of the newest acts that were done, so that none is done twice
    signals: int = 0  #: how many signals to extend it have come


@dataclass(frozen=True)
class ReservationInput:
    """What the workflow of a reservation is given."""

    request: ReserveRequest
    state: State | None = None  #: from the run before; None: it begins
