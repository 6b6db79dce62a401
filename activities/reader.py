"""What drivers and hardware activities must know of the store."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from vclab.model.catalog import Computer, Endpoint
from vclab.model.plans import Becomes, Facts, Target
from vclab.model.power import PowerAddress
from vclab.model.revisions import RevisionRecord
from vclab.store import (
    captures,
    catalog,
    computers,
    load_log,
    models,
    power,
    repositories,
    reservations,
    sign_ins,
    spares,
)
from vclab.store.engine import Store


class Reader:
    """Asks the store; changes nothing. Every method blocks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint of that name. Raises ``NotFound``."""
        with self._store.read() as session:
            return catalog.endpoint(session, name)

    def endpoints(self) -> list[Endpoint]:
        """All endpoints of all sites."""
        with self._store.read() as session:
            return catalog.endpoints(session)

    def group(self, endpoint: str) -> list[Computer]:
        """The computers that were entered at an endpoint."""
        with self._store.read() as session:
            return catalog.group(session, endpoint)

    def power(self, computer: str) -> PowerAddress:
        """Where a computer is switched by itself."""
        with self._store.read() as session:
            return power.address_of(session.get_one(models.Computer, computer))

    def repositories(self, target: Target) -> list[Path]:
        """The folders of repositories of a target's site that have its revision."""
        with self._store.read() as session:
            folders = repositories.folders_with(session, target.image, target.revision, target.site)
        return [Path(folder) for folder in folders]

    def all_repositories(self, site: str) -> list[Path]:
        """The folders of all repositories of a site."""
        with self._store.read() as session:
            return [Path(each.folder) for each in repositories.all_of_them(session) if each.site == site]

    def captured(self, becomes: Becomes) -> RevisionRecord:
        """The record of what a capture makes. Raises ``NotFound``."""
        with self._store.read() as session:
            return captures.record(session, becomes)

    def medians(self, image: str) -> Mapping[str, float]:
        """The usual seconds of each step of the image's loads."""
        with self._store.read() as session:
            return load_log.medians(session, image)

    def capture_medians(self, image: str) -> Mapping[str, float]:
        """The usual seconds of each step of captures of computers with the image."""
        with self._store.read() as session:
            return load_log.medians(session, image, captured=True)

    def reservations_by_state(self) -> Mapping[str, int]:
        """How many reservations are in each state in which they have a workflow."""
        with self._store.read() as session:
            return reservations.count_by_state(session)

    def computers_by_state(self) -> Mapping[str, int]:
        """How many computers are in each state."""
        with self._store.read() as session:
            return computers.count_by_state(session)

    def emergencies_by_state(self) -> Mapping[str, int]:
        """How many codes of the emergency administrator can be used, or were used within the last day."""
        now = datetime.now(UTC)
        with self._store.read() as session:
            found = sign_ins.emergencies(session, now - sign_ins.ALARM)
        used = sum(each.used_at is not None for each in found)
        return {"made": len(found) - used, "used": used}

    def spare(self, target: Target) -> Facts:
        """What is known of the machine that a target takes over."""
        with self._store.read() as session:
            return spares.facts(session, target)
