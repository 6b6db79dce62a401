"""Reinstalls: a computer that is used is brought back to its image."""

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from tests.histories.lives.acts import (
    AWAY,
    POWER_ON,
    doing,
    end,
    help_needed,
    hold,
    over,
    refused,
    resolve,
    says,
)
from tests.histories.lives.catalog import life as lived
from tests.workflows.conftest import IMAGE, Life
from vclab.model.errors import StepFailed
from vclab.model.messages import End, How, Reinstall
from vclab.model.revisions import RevisionState
from vclab.store import catalog, tenures


async def again(life: Life, generation: int = 2) -> None:
    """It is in use again, under another tenure."""
    await life.when(lambda: getattr(life.view(), "generation", 0) == generation)
    await life.until("inuse")
    await life.settled()


@lived("reinstalled")
async def a_computer_is_reinstalled(life: Life) -> None:
    """It is removed, made anew, and opened to the same addresses."""
    await life.in_use()
    await life.settled()
    life.world.granted.clear()
    await life.reservations.reinstall(life.id, Reinstall())
    await again(life)
    assert life.world.granted == [("203.0.113.101",)]
    await end(life)


@lived("reinstalled-other")
async def a_computer_gets_another_revision(life: Life) -> None:
    """An operator brings it to a revision that is not in production."""
    await life.in_use()
    await life.settled()

    def another(session: Session) -> None:
        catalog.put_image(session, replace(IMAGE, revision=2), state=RevisionState.TEST)

    life.store.run(another)
    await refused(life.reservations.reinstall(life.id, Reinstall(2)))
    await life.operator.reinstall(life.id, Reinstall(2))
    await again(life)
    assert getattr(life.view(), "revision", 0) == 2
    await end(life)


@lived("reinstalled-elsewhere")
async def a_reinstall_that_fails(life: Life) -> None:
    """Its load fails: help is asked for, as for any load."""
    await life.in_use()
    await life.settled()
    life.world.fail[POWER_ON] = StepFailed("esx1 refuses")
    await life.reservations.reinstall(life.id, Reinstall())
    await help_needed(life)
    life.world.fail.clear()
    await resolve(life, How.RETRY)
    await again(life)
    await end(life)


@lived("reinstalled-not", step_ceiling=1)
async def what_can_not_be_removed(life: Life) -> None:
    """What is there can't be removed now: it stays, and its user is let in again."""
    await life.in_use()
    await life.settled()
    life.world.fail["remove"] = StepFailed("the host is away")
    await life.reservations.reinstall(life.id, Reinstall())
    await life.skip(seconds=2)
    await says(life, "the reinstall failed")
    life.world.fail.clear()
    await end(life)


@lived("reinstalled-ended")
async def one_that_ends_meanwhile(life: Life) -> None:
    """Its user ends it while what was there is removed."""
    await life.in_use()
    await life.settled()
    hold(life, "remove")
    await life.reservations.reinstall(life.id, Reinstall())
    await life.when(life.world.held.is_set)
    await life.reservations.end(life.id, End())
    await life.until("reclaim")
    life.world.hold.pop("remove").set()
    await over(life)


@lived("reinstalled-fenced")
async def the_computer_is_lost_while_it_is_removed(life: Life) -> None:
    """Its tenure is lost while what was there is removed: nothing is done to the computer any more."""
    await life.in_use()
    await life.settled()
    life.world.fail["remove"] = AWAY
    await life.reservations.reinstall(life.id, Reinstall())
    await doing(life, "clear_computer")
    life.store.run(lambda s: tenures.release(s, "vm01", 1, datetime.now(UTC)))
