"""Idempotency keys: an act that is asked for with a key is done once, and whoever asks again gets the first answer.

The key is in the store, so this holds over all servers, and over the death of one (``vclab/store/keyed_acts.py``).
"""

import asyncio
import hashlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import Response

from vclab.api.problems import MEDIA_TYPE, STATUS, ApiError
from vclab.contract.use_case import Question
from vclab.model.errors import VclabError
from vclab.model.ids import new_id
from vclab.service.backend import Backend
from vclab.store import keyed_acts
from vclab.store.keyed_acts import HELD, Keyed

log = logging.getLogger("vclab.api")

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LONGEST = 200
"""Characters of a key."""
PATIENCE = 10.0
"""Seconds that whoever asks again waits for the first answer."""
LOOK = 0.2
"""Seconds between two looks whether it is there."""
TIDY = 600.0
"""Seconds between two rounds in which old keys are forgotten."""


@dataclass(frozen=True)
class Ids:
    """What an act is done under: the id of its intent, and of a reservation that it makes."""

    intent: str
    reservation: str

    @classmethod
    def new(cls) -> "Ids":
        """Of an act without a key."""
        return cls(uuid.uuid4().hex, new_id())


def fingerprint(name: str, question: Question) -> str:
    """A hash of what is asked for. A secret in it reads as asterisks, so nothing tells it."""
    asked = question.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps([name, asked], sort_keys=True).encode()).hexdigest()


async def once(
    backend: Backend, actor: str, key: str, asked: str, act: Callable[[Ids], Awaitable[Response]]
) -> Response:
    """The act's answer: the first one, if it was asked for before. Raises ``ApiError``, ``Unreachable``."""
    found = await _begun(backend, actor, _checked(key), asked)
    if not found.mine:
        return _kept(found)
    async with _held(backend, actor, key):
        answer = await act(Ids(found.intent, found.reservation))
    with suppress(VclabError):  # the act is done, and doing it again would be harmless
        await _keep(backend, actor, key, answer)
    return answer


def _checked(key: str) -> str:
    if not 0 < len(key) <= LONGEST or not (key.isascii() and key.isprintable()):
        raise ApiError("invalid", f"the {HEADER} must have 1 to {LONGEST} printable ASCII characters")
    return key


async def _begun(backend: Backend, actor: str, key: str, asked: str) -> Keyed:
    """It, begun by us or answered already."""
    ids, deadline = Ids.new(), time.monotonic() + PATIENCE
    fresh = Keyed(asked, ids.intent, ids.reservation, 0, "", True)
    while True:
        found = await backend.write(lambda s: keyed_acts.begin(s, actor, key, fresh, datetime.now(UTC)))
        if found.asked != asked:
            raise ApiError("key_reused", f"the {HEADER} was used for something else", "use a new key for each act")
        if found.mine or found.status:
            return found
        if time.monotonic() > deadline:
            hint = "ask again with the same key; it is not done twice"
            raise ApiError("in_progress", "the act with this key is still under way", hint)
        await asyncio.sleep(LOOK)


def _kept(found: Keyed) -> Response:
    media_type = "application/json" if found.status < 400 else MEDIA_TYPE
    body = found.answer.encode()
    return Response(body, found.status, {REPLAYED: "true"}, media_type if body else None)


@asynccontextmanager
async def _held(backend: Backend, actor: str, key: str) -> AsyncIterator[None]:
    """Others see that somebody is at it."""

    async def hold() -> None:
        while True:
            await asyncio.sleep(HELD.total_seconds() / 3)
            with suppress(VclabError):
                await backend.write(lambda s: keyed_acts.hold(s, actor, key, datetime.now(UTC)))

    holding = asyncio.create_task(hold())
    try:
        yield
    finally:
        holding.cancel()


async def _keep(backend: Backend, actor: str, key: str, answer: Response) -> None:
    """What is final is kept; after all else it may be asked for again: also when nothing was done, for the thing had
    changed, and whoever has read it again means what is there now."""
    if answer.status_code < 500 and answer.status_code != STATUS["changed"]:
        text = bytes(answer.body).decode()
        await backend.write(lambda s: keyed_acts.answer(s, actor, key, answer.status_code, text))
    else:
        await backend.write(lambda s: keyed_acts.let_go(s, actor, key))


async def keep_tidy(backend: Backend) -> None:
    """Forget old keys until it is cancelled."""
    while True:
        await asyncio.sleep(TIDY)
        try:
            await backend.write(lambda session: keyed_acts.forget(session, datetime.now(UTC)))
        except VclabError as error:
            log.warning("old keys stay: %s", error)
