"""The rules that a record goes by, as the settings are now: for the affiliation of whom it is about."""

from sqlalchemy.orm import Session

from vclab.model.rules import Rules
from vclab.settings import Settings
from vclab.store import catalog


def of_user(session: Session, settings: Settings, login: str) -> Rules:
    """The rules for a user, known or not."""
    return settings.rules(catalog.affiliation(session, login) if settings.affiliations else "")


def of_reservation(session: Session, settings: Settings, reservation: str) -> Rules:
    """The rules for the user of a reservation."""
    return settings.rules(catalog.affiliation_of(session, reservation) if settings.affiliations else "")
