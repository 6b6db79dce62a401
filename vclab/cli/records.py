"""What the command line reads of the store. It never writes there: the workflows do."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from vclab.model.catalog import Computer, Endpoint, Image, User
from vclab.model.errors import Unreachable
from vclab.model.health import Failure, Rest, Suspect
from vclab.model.reservations import AuditEvent, FailedStep, RefusedRequest, ReservationView
from vclab.settings import config_file
from vclab.store import (
    audit,
    catalog,
    failed_steps,
    failures,
    history,
    host_rests,
    load_log,
    needs_help,
    orphans,
    refusals,
    reservations,
)
from vclab.store.engine import open_store
from vclab.store.history import Stay
from vclab.store.load_log import Attempt
from vclab.store.orphans import Stray

T = TypeVar("T")


class Records:
    """The store, to read. Every method raises ``Unreachable`` when the database does not answer."""

    def __init__(self, url: str) -> None:
        self._store = open_store(url)

    @property
    def shown_url(self) -> str:
        """Where the database is, without its password."""
        return self._store.shown_url

    def check(self) -> None:
        """Raises ``Unreachable`` or ``Refused`` when this program can't use the database."""
        self._store.check()

    def users(self) -> list[User]:
        """All users."""
        return self._read(catalog.users)

    def images(self) -> list[Image]:
        """All images in their production revision, by name."""
        return self._read(catalog.images)

    def revisions(self, image: str) -> list[tuple[Image, bool]]:
        """All revisions of an image, each with whether it is in production. Raises ``NotFound``."""
        return self._read(lambda s: catalog.revisions(s, image))

    def computers(self) -> list[Computer]:
        """All computers, by name."""
        return self._read(catalog.computers)

    def stays(self, computer: str, user: str, address: str, at: datetime | None, limit: int) -> list[Stay]:
        """Who had what: the newest ``limit`` that fit all that is given, oldest first."""
        return self._read(lambda s: history.stays(s, computer, user, address, at, limit))

    def endpoints(self) -> list[Endpoint]:
        """What provisions."""
        return self._read(catalog.endpoints)

    def view(self, reservation: str) -> ReservationView | None:
        """One reservation, or None."""
        return self._read(lambda s: reservations.view(s, reservation))

    def views(self, user: str | None, ended: bool, limit: int | None = None) -> list[ReservationView]:
        """Reservations of ``user`` (None: of all), oldest first, of more than ``limit`` the newest; those that have
        ended only if ``ended``, but for those that failed."""
        return self._read(lambda s: reservations.views(s, user=user, ended=ended, limit=limit))

    def count_open(self) -> int:
        """How many reservations have not ended."""
        return self._read(reservations.count_open)

    def events(self, reservation: str) -> list[AuditEvent]:
        """What was done to a reservation, and by whom, oldest first."""
        return self._read(lambda s: audit.events(s, reservation))

    def troubles(self, reservation: str) -> list[FailedStep]:
        """The steps of a reservation that failed for good, oldest first."""
        return self._read(lambda s: failed_steps.of(s, reservation))

    def waiting_for_help(self) -> list[tuple[ReservationView, FailedStep]]:
        """The reservations that wait for an operator, and what failed last; the longest wait first."""

        def ask(session: Session) -> list[tuple[ReservationView, FailedStep]]:
            found = [(reservations.view(session, id), trouble) for id, trouble in needs_help.waiting(session)]
            return [(view, trouble) for view, trouble in found if view is not None]

        return self._read(ask)

    def failed_loads(self) -> list[FailedStep]:
        """What failed at each computer that could not be loaded while nobody waited for it."""
        return self._read(failed_steps.of_loads)

    def strays(self) -> list[Stray]:
        """Machines that carry our mark while nobody holds them."""
        return self._read(orphans.strays)

    def resting(self) -> list[Rest]:
        """Hosts on which nothing is placed for now, those that have rested longest first."""
        return self._read(lambda s: list(host_rests.resting(s).values()))

    def known_hosts(self) -> list[tuple[str, str]]:
        """Endpoint and name of each host that a survey has told of."""
        return self._read(host_rests.known_hosts)

    def suspects(self, image: str = "") -> list[Suspect]:
        """Revisions that failed in several places; of one image if it is given."""
        return self._read(lambda s: failures.suspects(s, image))

    def refused(self, request: str) -> RefusedRequest | None:
        """A request that found no place, or None."""
        return self._read(lambda s: refusals.refused(s, request))

    def failures(self, reservation: str) -> list[Failure]:
        """The failed loads of a reservation, oldest first."""
        return self._read(lambda s: failures.of_reservation(s, reservation))

    def last_attempt(self, reservation: str) -> Attempt | None:
        """The attempt of a step that began last, or None."""
        return self._read(lambda s: load_log.last_attempt(s, reservation))

    def load(self, reservation: str) -> list[Attempt]:
        """All attempts of all steps of a reservation's loads, in order."""
        return self._read(lambda s: load_log.attempts(s, reservation))

    def _read(self, question: Callable[[Session], T]) -> T:
        try:
            with self._store.read() as session:
                return question(session)
        except Unreachable as error:
            if config_file() is None:
                raise Unreachable(
                    f"{error}, and there is no settings file: start the embedded lab with `vclab up`, "
                    "or name the file in VCLAB_CONFIG"
                ) from None
            raise
