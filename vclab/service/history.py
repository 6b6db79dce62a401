"""Who had which computer, which addresses and which revision, from when to when."""

from datetime import datetime
from ipaddress import ip_address

from pydantic import Field
from sqlalchemy.orm import Session

from vclab.model.errors import Invalid, NotFound
from vclab.model.states import Ending
from vclab.service import checks
from vclab.service.finding import quoted
from vclab.service.use_case import Call, Question, Rule, read
from vclab.service.views import Time, View
from vclab.store import catalog
from vclab.store import history as stays


class Addresses(View):
    """The addresses of a computer for some time."""

    private: str | None
    public: str | None
    from_: Time = Field(serialization_alias="from")
    until: Time | None


class Stay(View):
    """A computer in one hand."""

    computer: str
    generation: int
    holder: str  #: the reservation's id, or what else held it
    purpose: str
    user: str | None
    requested_by: str | None
    image: str | None
    revision: int | None
    endpoint: str | None
    host: str | None
    from_: Time = Field(serialization_alias="from")
    ready: Time | None
    connected: Time | None
    ended: Time | None
    ending: Ending | None
    until: Time | None  #: when the computer was verified gone or clean; null: still held
    addresses: tuple[Addresses, ...]

    @classmethod
    def of(cls, stay: stays.Stay) -> "Stay":
        """As it was recorded."""
        return cls(
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


class Had(Question):
    """Of whom or what, and when. At least one must be given."""

    computer: str = ""
    user: str = ""
    address: str = ""
    at: datetime | None = None
    limit: int = 100


@read(Rule.KEEPERS)
async def listing(call: Call, question: Had) -> tuple[Stay, ...]:
    """Who had which computer: the newest that fit all that is given, oldest first."""
    if not (question.computer or question.user or question.address or question.at):
        raise Invalid("nothing says whose history", "name a computer, a user, an address or a time")
    checks.limit(question.limit)
    address = _address(question.address)

    def ask(session: Session) -> list[stays.Stay]:
        asked = question.computer, question.user, address, question.at, question.limit
        return stays.stays(session, *asked) or _explain_none(session, question)

    return tuple(map(Stay.of, await call.backend.read(ask)))


def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip())) if text else ""
    except ValueError:
        raise Invalid(f"{quoted(text)} is not an address") from None


def _explain_none(session: Session, question: Had) -> list[stays.Stay]:
    """Nothing, for a name that is known. Raises ``NotFound`` for any other."""
    if question.computer and question.computer not in {each.name for each in catalog.computers(session)}:
        raise NotFound(f"there is no computer {quoted(question.computer)}", "`vclab computer list` lists them")
    if question.user and question.user not in {each.login for each in catalog.users(session)}:
        raise NotFound(f"there is no user {quoted(question.user)}", "`vclab user list` lists them")
    return []
