"""What operators do in Temporal's web UI, which the API shows them: by which tokens, and what is recorded."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.sign_in.installation import Installation
from vclab.api import temporal_ui
from vclab.api.app import make_app
from vclab.model.intents import Intent, Outcome
from vclab.model.tokens import ALL, Scope
from vclab.service.temporal_ui import VERB
from vclab.store import intents

SHOWN = "/temporal/api/v1/namespaces/default/workflows/reservation-r1"
END = f"{SHOWN}/terminate"


@pytest.fixture
def sent(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Request]]:
    """What reaches the UI: it takes all, but for signals, which it refuses."""
    seen: list[httpx.Request] = []

    async def parts() -> AsyncIterator[bytes]:
        yield b"{}"

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(403 if "signal" in request.url.path else 200, content=parts())

    made = httpx.AsyncClient(base_url="http://ui", transport=httpx.MockTransport(answer))
    monkeypatch.setattr(temporal_ui.Passing, "_client", made)
    settings = installation.backend.settings
    settings.api = settings.api.model_copy(update={"temporal_ui": "http://ui"})
    yield seen


async def asked(installation: Installation, user: str, scopes: frozenset[Scope], method: str, path: str) -> int:
    """The status of the answer to a token with these scopes."""
    transport = httpx.ASGITransport(make_app(installation.backend), client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="https://lab.test") as client:
        headers = {"Authorization": f"Bearer {installation.token(user, scopes=scopes)}"}
        return (await client.request(method, path, headers=headers)).status_code


def recorded(installation: Installation) -> list[Intent]:
    with installation.backend.store.read() as session:
        return [each for each in intents.newest(session, 100) if each.verb == VERB]


async def test_a_token_that_reads_ends_no_workflow(installation: Installation, sent: list[httpx.Request]) -> None:
    reads = frozenset({Scope.READ, Scope.ADMIN})
    assert await asked(installation, "olga", reads, "GET", SHOWN) == 200
    assert await asked(installation, "olga", reads, "POST", END) == 403
    assert await asked(installation, "olga", ALL, "POST", END) == 200
    assert [each.method for each in sent] == ["GET", "POST"]


async def test_what_is_done_there_is_recorded(installation: Installation, sent: list[httpx.Request]) -> None:
    assert await asked(installation, "olga", ALL, "GET", SHOWN) == 200
    assert recorded(installation) == []
    for user, path, status in (
        ("olga", END, 200),
        ("olga", f"{SHOWN}/signal/cancel", 403),
        ("alice", END, 403),
    ):
        assert await asked(installation, user, ALL, "POST", path) == status
    alices, signal, end = recorded(installation)
    assert [each.outcome for each in (end, signal, alices)] == [Outcome.DONE, Outcome.REFUSED, Outcome.REFUSED]
    assert (end.actor, end.subject, end.address, bool(end.token)) == ("olga", "r1", "192.0.2.7", True)
    assert end.arguments == {"method": "POST", "path": END.removeprefix("/temporal")}
    assert signal.detail == "Temporal's web UI answered 403" and alices.actor == "alice"
    assert len(sent) == 3
