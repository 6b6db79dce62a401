"""What the lab's four people have: a token each, and a context by which root acts as one of them from where they sit.

There is no other way to be one of them: the API knows people by their tokens only.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from vclab.client.contexts import Context, Contexts
from vclab.lab.layout import API_URL, PEOPLE, Layout
from vclab.model.people import LOCAL, SignedIn
from vclab.model.tokens import ALL, Kind, make
from vclab.store import tokens

LASTS = timedelta(days=3650)


def new_tokens(layout: Layout, session: Session) -> Mapping[str, str]:
    """Make a token for each of those who have none that is worth something; they, by login."""
    contexts, now = Contexts(layout.contexts), datetime.now(UTC)
    made = {}
    for login in PEOPLE:
        if not _is_good(session, contexts.token(login), now):
            made[login] = make(Kind.LOGIN)
            who = SignedIn(login, LOCAL)
            tokens.put(session, made[login], Kind.LOGIN, who, "lab", ALL, "", now, now + LASTS)
    return made


def _is_good(session: Session, secret: str, now: datetime) -> bool:
    found = tokens.find(session, secret) if secret else None
    return found is not None and found.user is not None and not found.token.ended_at and found.token.expires_at > now


def write_contexts(layout: Layout, made: Mapping[str, str]) -> None:
    """Where and as whom each of them calls. Only root can read the tokens; the first of them is used unless another
    one is chosen."""
    contexts = Contexts(layout.contexts)
    for login in PEOPLE:
        context = Context(
            url=API_URL,
            login=login,
            ca_file=str(layout.tls / "ca.pem"),
            network=layout.person(login),
            identity_file=str(layout.person_key(login)),
        )
        contexts.put(login, context, made.get(login) or contexts.token(login), use=False)
