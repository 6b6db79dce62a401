"""What was done to a reservation, an image, an endpoint or a computer, as a table."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from vclab.cli.output import note, table
from vclab.cli.tables import Column, Fit
from vclab.cli.times import clock
from vclab.contract.events import Event

USUAL = ("token", "session", "account")
"""How it is usually known who acts."""
COLUMNS = (Column("WHEN"), Column("WHO"), Column("WHAT"), Column("DETAIL", fit=Fit.FOLD))


def tell(events: Iterable[Event], zone: ZoneInfo) -> None:
    """All of them, in the order given; or that there are none."""
    if rows := [_row(each, zone) for each in events]:
        table(COLUMNS, rows)
    else:
        note("Nothing was done, as far as is recorded.")


def _row(event: Event, zone: ZoneInfo) -> tuple[str, str, str, str]:
    """Whose reservation it is, is said when somebody else acted; how that is known, when it is not as usual."""
    who = event.who
    if event.for_user and event.authentication and event.for_user != event.who:
        who += f" for {event.for_user}"
    if event.authentication and event.authentication not in USUAL:
        who += f" ({event.authentication})"
    return clock(event.at, zone), who, event.what, event.detail or ""
