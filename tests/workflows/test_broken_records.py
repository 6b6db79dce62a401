"""A record that fails in a way nobody thought of: an act of a person fails, and the life goes on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest

from tests.workflows.conftest import Life
from vclab.model.errors import Refused, Unreachable
from vclab.model.messages import Acknowledge, End, Extend, Reschedule
from vclab.store import extension, reservations, scheduling

Break = Callable[[object, str], None]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Break a record by its module and name."""

    def fail(*_: object) -> NoReturn:
        raise ZeroDivisionError("never tried")

    return lambda module, name: monkeypatch.setattr(module, name, fail)


async def test_an_act_fails_and_the_life_goes_on(life: Life, broken: Break) -> None:
    """Connect and extend are answered with the error; the end is not held up."""
    await life.ready()
    view = await life.until("reserved")
    broken(reservations, "acknowledged")
    broken(extension, "extend")
    with pytest.raises(Refused, match="nothing was changed: ZeroDivisionError: never tried"):
        await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    with pytest.raises(Refused, match="ZeroDivisionError"):
        await life.reservations.extend(life.id, Extend(view.end + timedelta(minutes=30)))
    await life.reservations.end(life.id, End())
    assert (await life.until("complete")).ending == "deleted"


async def test_a_signal_is_told_and_the_life_goes_on(life: Life, broken: Break) -> None:
    """A failure that leaves a signal's handler would end the workflow; not even the refusal can be kept here."""
    await life.ready()
    broken(extension, "extend")
    broken(reservations, "note_refusal")
    await life.handle.signal("extend", "1h")
    await life.reservations.end(life.id, End())
    assert (await life.until("complete")).ending == "deleted"


@pytest.mark.long
async def test_a_day_without_a_database_fits_into_a_history(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history may have 51,200 events. The ending is written down soon after the database is back."""

    def away(*_: object) -> NoReturn:
        raise Unreachable("the database does not answer")

    await life.ready()
    before = (await life.handle.describe()).history_length
    with monkeypatch.context() as patched:
        patched.setattr(reservations, "ended", away)
        await life.skip(hours=24)
        events = (await life.handle.describe()).history_length - before
    assert 1000 < events < 5000
    await life.skip(minutes=6)
    assert (await life.until("complete")).ending == "noack"


async def test_a_move_fails_and_the_life_goes_on(life: Life, broken: Break) -> None:
    """The same before the start."""
    start = datetime.now(UTC) + timedelta(hours=5)
    await life.reserve(start=start)
    broken(scheduling, "reschedule")
    with pytest.raises(Refused, match="ZeroDivisionError"):
        await life.reservations.reschedule(life.id, Reschedule(start + timedelta(hours=1)))
    await life.reservations.end(life.id, End())
    assert (await life.until("complete")).ending == "deleted"
