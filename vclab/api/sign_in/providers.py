"""The identity providers of the settings, and what they are asked again of people who have signed in there."""

import asyncio
import hashlib
import logging
from datetime import UTC, datetime, timedelta

import httpx
from fastapi import Request
from sqlalchemy.orm import Session

from vclab.api.sign_in.openid import NotThere, Provider, Said
from vclab.model.errors import NotFound, Refused, Unreachable
from vclab.model.people import Account
from vclab.secrets.references import SecretMissing, SecretSealed
from vclab.service.backend import Backend
from vclab.store import people, tokens

log = logging.getLogger(__name__)

AGAIN = timedelta(minutes=1)
"""A provider that can't say whether somebody is still there is asked again after that."""


class Providers:
    """All of them. Each remembers its keys while its settings stay the same."""

    def __init__(self, backend: Backend, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._backend, self._transport = backend, transport
        self._made: dict[str, Provider] = {}

    def get(self, name: str) -> Provider:
        """The provider of that name. Raises ``NotFound``."""
        sign_in = self._backend.settings.sign_in
        settings = sign_in.providers.get(name)
        if settings is None:
            raise NotFound(f"there is no identity provider {name}", "choose one on the sign-in page")
        made = self._made.get(name)
        if made is None or made.settings != settings:
            made = self._made[name] = Provider(name, settings, sign_in.clock_skew, self._transport)
        return made

    async def keep(self, said: Said) -> None:
        """Keep by what a provider can be asked again. If that can't be kept, it is not asked, and the grace counts."""
        who = said.claims
        if not said.refresh_token:
            return
        reference = _reference(who.provider, who.subject)
        try:
            await asyncio.to_thread(self._backend.secrets.put, reference, said.refresh_token)
            await self._backend.write(lambda s: people.keep_refresh(s, who.provider, who.subject, reference))
        except (Refused, Unreachable) as error:
            log.warning("%s can't be asked again about somebody: %s", who.provider, error)

    async def recheck(self, account: Account) -> bool:
        """Ask whether somebody is still there, if it is time to. Of several servers and requests one asks.

        Returns whether the record has changed. Who is gone loses all tokens that came by this account. A provider that
        can't say changes nothing, until ``recheck_grace`` is over.
        """
        now = datetime.now(UTC)
        if account.check_at > now or not account.refresh_ref or account.gone_at is not None:
            return False
        name, subject = account.provider, account.subject
        try:
            if not await self._backend.write(lambda s: people.claim_check(s, name, subject, now, now + AGAIN)):
                return False
            provider = self.get(name)
            token = await asyncio.to_thread(self._backend.secrets.get, account.refresh_ref)
            said = await provider.again(token, subject)
        except NotThere as error:
            await self._gone(account, error.message)
        except (NotFound, SecretMissing, SecretSealed, Unreachable, Refused) as error:
            log.warning("%s can't be asked about %s: %s", name, account.user, error)
            return False
        else:
            check_at = now + timedelta(seconds=provider.settings.recheck)
            await self._backend.write(lambda s: people.confirmed(s, said.claims, now, check_at))
            await self.keep(said)
        return True

    async def _gone(self, account: Account, why: str) -> None:
        now, name, subject = datetime.now(UTC), account.provider, account.subject
        log.warning("%s: %s; their tokens end", account.user, why)

        def end(session: Session) -> None:
            people.gone(session, name, subject, now)
            tokens.end_all(session, why, now, account.user, name, subject)

        await self._backend.write(end)
        await asyncio.to_thread(self._backend.secrets.forget, account.refresh_ref)


def providers_of(backend: Backend, request: Request) -> Providers:
    """Those of this server."""
    state = request.app.state
    if not hasattr(state, "providers"):
        state.providers = Providers(backend)
    found: Providers = state.providers
    return found


def _reference(provider: str, subject: str) -> str:
    return f"provider/{provider}/{hashlib.sha256(subject.encode()).hexdigest()}"
