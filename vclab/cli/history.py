"""``vclab history``: who had which computer, which addresses and which revision, from when to when."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli.administer import administration
from vclab.cli.context import Lab, lab_of
from vclab.cli.errors import Usage, quoted
from vclab.cli.output import JsonValue, note, say_json, table
from vclab.cli.params import AsUser, Json, OfComputer, OfUser
from vclab.cli.times import clock, dated, iso, occurrences, utc_now
from vclab.model.errors import NotFound
from vclab.service import checks

if TYPE_CHECKING:
    from vclab.store.history import AddressSpan, Stay

MOST = 100_000
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


def history(
    context: typer.Context,
    computer: OfComputer = "",
    user: OfUser = "",
    address: Annotated[
        str, typer.Option("--address", metavar="A", help="Who had this address, private or public.", show_default=False)
    ] = "",
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="Only who had it at this moment.", show_default=False)
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="The newest so many.")] = 100,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Tell who had which computer, addresses and revision from when to when, and how it ended (operators).

    It is kept for good. FROM is when the computer was taken for them, UNTIL when it was verified gone or clean; a time
    without a date is its last occurrence.

    \b
    Examples:
      vclab history --address 203.0.113.17 --at 2026-01-31T18:30
      vclab history --computer vm07
      vclab history --user alice --json
    """
    lab = lab_of(context, as_user)
    administration(lab)
    if not (computer or user or address or at):
        raise Usage("say of what: --computer, --user, --address or --at")
    zone = lab.zone
    moment = parse_past(at, zone, utc_now()) if at else None
    found = lab.records.stays(computer, user, checks.address(address) if address else "", moment, limit)
    if json:
        say_json([_json(stay) for stay in found])
    elif found:
        headings = ("COMPUTER", "USER", "RESERVATION", "IMAGE", "ADDRESSES", "FROM", "UNTIL", "ENDING")
        table(headings, [_row(stay, zone) for stay in found])
    else:
        _explain_none(lab, computer, user)
    if len(found) == limit:
        note(f"Only the newest {limit}; --limit shows more.")


def parse_past(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """A moment that has been, in UTC: ``18:30`` is its last occurrence in ``zone``; else ISO 8601.

    Where the clocks are put back, a time that comes twice means the last that has been. Raises ``Usage``.
    """
    try:
        if found := _CLOCK.fullmatch(text.strip()):
            hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
            today = now.astimezone(zone).replace(hour=hour, minute=minute, second=second, microsecond=0, tzinfo=None)
            days = (today - timedelta(days=ago) for ago in range(4))
            return next(at for day in days for at in reversed(occurrences(day, zone)) if at <= now)
        moment = datetime.fromisoformat(text.strip())
        there = [] if moment.tzinfo else [at for at in occurrences(moment, zone) if at <= now]
        moment = there[-1] if there else (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Usage(f"{quoted(text)} is not a time; write 18:30 or 2026-01-31T18:30, with +01:00 for a zone") from None
    if moment > now:
        raise Usage(f"{dated(moment, zone)} has not been yet")
    return moment


def _explain_none(lab: Lab, computer: str, user: str) -> None:
    """A name that was never there is told apart from one that had nothing."""
    if computer and computer not in {each.name for each in lab.records.computers()}:
        raise NotFound(f"there is no computer {quoted(computer)}; `vclab computer list` lists them")
    if user and user not in {each.login for each in lab.records.users()}:
        raise NotFound(f"there is no user {quoted(user)}; `vclab user list` lists them")
    note("Nobody, as far as is recorded.")


def _row(stay: "Stay", zone: ZoneInfo) -> tuple[str, ...]:
    ended = f" {clock(stay.ended_at, zone)}" if stay.ended_at else ""
    return (
        stay.computer,
        stay.user or f"({stay.purpose})",
        stay.holder,
        f"{stay.image}/{stay.revision}" if stay.image else "",
        "; ".join(_span(span, zone, last=span is stay.addresses[-1]) for span in stay.addresses),
        clock(stay.taken_at, zone),
        clock(stay.released_at, zone) if stay.released_at else "still held",
        f"{stay.ending}{ended}" if stay.ending else "",
    )


def _span(span: "AddressSpan", zone: ZoneInfo, last: bool) -> str:
    both = " ".join(dict.fromkeys(filter(None, (span.public_address, span.private_address))))
    return both if last or span.until is None else f"{both} (until {clock(span.until, zone)})"


def _json(stay: "Stay") -> dict[str, JsonValue]:
    return {
        "computer": stay.computer,
        "generation": stay.generation,
        "holder": stay.holder,
        "purpose": stay.purpose,
        "user": stay.user or None,
        "requested_by": stay.requested_by or None,
        "image": stay.image or None,
        "revision": stay.revision or None,
        "endpoint": stay.endpoint or None,
        "host": stay.host or None,
        "from": iso(stay.taken_at),
        "ready": iso(stay.ready_at),
        "connected": iso(stay.connected_at),
        "ended": iso(stay.ended_at),
        "ending": str(stay.ending) if stay.ending else None,
        "until": iso(stay.released_at),
        "addresses": [
            {
                "private": span.private_address or None,
                "public": span.public_address or None,
                "from": iso(span.since),
                "until": iso(span.until),
            }
            for span in stay.addresses
        ],
    }
