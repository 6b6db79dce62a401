"""What the steps of a capture ask first, whatever system they enter: is this the computer that they are for?"""

from dataclasses import replace

from vclab.model.errors import StepFailed
from vclab.model.plans import Becomes, Facts, StepInput, Target

TEST_LOGIN = "vclab-test"  #: who logs in to a computer that is loaded from the sealed copy


def becomes(given: StepInput) -> Becomes:
    """The revision that is made. Raises ``StepFailed`` for a step of no capture."""
    if given.becomes is None:
        raise StepFailed(f"{given.step} is a step of captures, and {given.target.computer} is not captured")
    return given.becomes


def source(given: StepInput) -> Target:
    """The captured computer's identity, which a throw-away computer made of its copy still carries."""
    made = becomes(given)
    return replace(
        given.target, reservation=made.reservation, member=0, computer=made.computer, generation=made.generation
    )


def refuse_unless_throw_away(given: StepInput) -> None:
    """Raise ``StepFailed``, before it is reached, unless this is a computer that was made to be sealed."""
    captured, facts = becomes(given), given.facts
    if given.target.computer == captured.computer:
        raise StepFailed(f"{captured.computer} is the captured computer itself, which is never sealed")
    if not given.target.isolated:
        raise StepFailed(f"{given.target.computer} is no throw-away computer: only such a one is sealed")
    if not facts.unlike:
        raise StepFailed(
            f"nothing is known of {captured.computer} by which {given.target.computer} could be told from it"
        )
    if facts.private_address in facts.unlike:
        raise StepFailed(f"{facts.private_address} is {captured.computer}'s own address: it is never sealed itself")


def refuse_source(given: StepInput, boot_id: str) -> None:
    """Raise ``StepFailed`` if what answers has been running since before the copy was made."""
    if not boot_id or boot_id in given.facts.unlike:
        raise StepFailed(
            f"what answers at {given.facts.private_address} has the boot id {boot_id or 'unknown'}: it may be "
            f"{becomes(given).computer} itself, which is never sealed"
        )


def refuse_likeness(facts: Facts, computer: str, found: list[tuple[str, str]]) -> None:
    """Raise ``StepFailed`` if what a computer is known by, as (what, value), is the captured computer's too."""
    same = [f"its {what} {value[:80]} is the captured computer's own" for what, value in found if value in facts.unlike]
    if same:
        raise StepFailed(f"{computer} can't be told from the computer that it was made from: {', '.join(same)}")
