"""Who had which computer, which addresses and which revision, from when to when."""

import re
from ipaddress import ip_address

from sqlalchemy.orm import Session

from vclab.contract import history as contract
from vclab.contract.history import Addresses, Had, Stay
from vclab.model.errors import Invalid, NotFound
from vclab.model.typed import quoted
from vclab.service import checks
from vclab.service.use_case import Call, does
from vclab.store import catalog
from vclab.store import history as stays

_NUMBER = re.compile("[1-9][0-9]{0,17}", re.ASCII)


@does(contract.listing)
async def listing(call: Call, question: Had) -> tuple[Stay, ...]:
    if not (question.computer or question.user or question.address or question.at):
        raise Invalid("nothing says whose history", "name a computer, a user, an address or a time")
    checks.limit(question.limit)
    address, before = _address(question.address), _before(question.cursor)

    def ask(session: Session) -> list[stays.Stay]:
        asked = question.computer, question.user, address, question.at, question.limit, before
        return stays.stays(session, *asked) or _explain_none(session, question)

    return tuple(map(_stay, await call.backend.read(ask)))


def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip())) if text else ""
    except ValueError:
        raise Invalid(f"{quoted(text)} is not an address") from None


def _before(cursor: str) -> int:
    """The id of the stay at which it goes on; 0: from the beginning. Raises ``NotFound``."""
    if cursor and not _NUMBER.fullmatch(cursor):
        raise NotFound(f"there is no stay {quoted(cursor)}", "begin again without a cursor")
    return int(cursor or 0)


def _explain_none(session: Session, question: Had) -> list[stays.Stay]:
    """Nothing, for a name that is known. Raises ``NotFound`` for any other."""
    if question.computer and question.computer not in {each.name for each in catalog.computers(session)}:
        raise NotFound(f"there is no computer {quoted(question.computer)}", "`vclab computer list` lists them")
    if question.user and question.user not in {each.login for each in catalog.users(session)}:
        raise NotFound(f"there is no user {quoted(question.user)}", "`vclab user list` lists them")
    return []


def _stay(stay: stays.Stay) -> Stay:
    """As it was recorded."""
    return Stay(
        id=stay.id,
        computer=stay.computer,
        generation=stay.generation,
        holder=stay.holder,
        purpose=stay.purpose,
        user=stay.user or None,
        requested_by=stay.requested_by or None,
        image=stay.image or None,
        revision=stay.revision or None,
        endpoint=stay.endpoint or None,
        host=stay.host or None,
        from_=stay.taken_at,
        ready=stay.ready_at,
        connected=stay.connected_at,
        ended=stay.ended_at,
        ending=stay.ending,
        until=stay.released_at,
        addresses=tuple(map(_addresses, stay.addresses)),
    )


def _addresses(span: stays.AddressSpan) -> Addresses:
    return Addresses(
        private=span.private_address or None,
        public=span.public_address or None,
        from_=span.since,
        until=span.until,
    )
