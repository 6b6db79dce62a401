"""An identity provider, asked by OpenID Connect: authorization code with PKCE, and refresh tokens.

What a provider says is believed only when it is signed by a key that it publishes now, for us, by an algorithm that the
settings allow, and in time. The library (PyJWT) checks signatures and registered claims; the rest of the protocol is
here, for it is short and every line of it decides who somebody is.
"""

import base64
import hashlib
import json
import secrets
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import httpx
import jwt

from vclab.api.sign_in.claims import claims_of, wanted_are_there
from vclab.model.errors import Refused, Unreachable, VclabError
from vclab.model.people import Claims
from vclab.settings_sign_in import ProviderSettings, is_private_url

SECONDS = 5.0
"""A provider has so long for each answer."""
MOST_BYTES = 1 << 20
"""Of an answer."""
KNOWN_FOR = 3600.0
"""Seconds; what a provider says of itself, and its keys, are asked for again after that."""
KEYS_PAUSE = 10.0
"""Seconds; a key that is not known has the keys asked for again, but not more often than this."""
_GONE_IN_DEX = "Refresh token is invalid"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class NotThere(VclabError):
    """The provider does not vouch for somebody any more."""


@dataclass(frozen=True)
class Said:
    """Who somebody is, as a provider says, and by what it can be asked again; empty: by nothing."""

    claims: Claims
    refresh_token: str = ""


@dataclass(frozen=True)
class _Remembered:
    value: Mapping[str, Any]
    since: float  #: monotonic


class Provider:
    """One provider, as the settings name it."""

    def __init__(
        self, name: str, settings: ProviderSettings, skew: float, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """``skew``: seconds by which its clock may differ. ``transport``: another way to it, for tests."""
        self.name, self.settings = name, settings
        self._skew, self._transport = skew, transport
        self._document: _Remembered | None = None
        self._keys: _Remembered | None = None
        self._trust: ssl.SSLContext | bool = True
        if settings.ca_file is not None:
            self._trust = ssl.create_default_context(cafile=str(settings.ca_file))

    async def check(self) -> None:
        """Whether people can sign in with it, as far as that can be seen from here. Raises ``Unreachable``."""
        await self._about()
        published, algorithms = await self._published(), self.settings.algorithms
        if not any(_keys(published, algorithm) for algorithm in algorithms):
            raise self._unreachable(f"it publishes no key for {', '.join(algorithms)}")
        if self.settings.client_secret_file is not None:
            self._secret()

    async def sign_in_url(self, redirect: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is sent. Raises ``Unreachable``."""
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        endpoint = str((await self._about())["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def signed_in(self, code: str, verifier: str, redirect: str, nonce: str) -> Said:
        """Who has come back with this code. Raises ``Refused`` when the provider, or what it says, does not hold, and
        ``Unreachable``."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier}
        status, answer = await self._token(form)
        if status != 200:
            self._refuse(f"it does not accept the code ({_word(answer)})")
        claims = await self._verified(str(answer.get("id_token", "")))
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            self._refuse("its answer is to another sign-in")
        return await self._said(claims, answer)

    async def again(self, refresh_token: str, subject: str) -> Said:
        """Who somebody is now. Without a name in ``claims.called`` the provider has only said that they are there.

        Raises ``NotThere`` when it does not vouch for them any more, ``Refused`` when it says something that does not
        hold, and ``Unreachable`` when it says nothing.
        """
        status, answer = await self._token({"grant_type": "refresh_token", "refresh_token": refresh_token})
        if status != 200 and _is_gone(answer):
            raise NotThere(f"{self.name} does not confirm this account any more ({_word(answer)})")
        if status != 200:  # it speaks of us, not of that person: a wrong secret, a limit
            raise self._unreachable(f"it answers with the status {status} ({_word(answer)})")
        fresh = str(answer.get("refresh_token") or refresh_token)
        if not answer.get("id_token"):  # a provider need not send one (OpenID Connect Core, 12.2)
            return Said(Claims(self.name, subject, ""), fresh)
        claims = await self._verified(str(answer["id_token"]))
        if claims["sub"] != subject:
            self._refuse("it speaks of another person than the one who was asked for")
        said = await self._said(claims, answer)
        return replace(said, refresh_token=fresh)

    def is_issuer(self, said: str | None) -> bool:
        """Whether an answer that names its provider (RFC 9207) names this one; one that names none may be."""
        return said is None or said == self.settings.issuer

    async def _said(self, claims: Mapping[str, Any], answer: Mapping[str, Any]) -> Said:
        if not wanted_are_there(claims, self.settings.claims):
            claims = {**await self._userinfo(claims, answer), **claims}
        return Said(claims_of(self.name, self.settings, claims), str(answer.get("refresh_token") or ""))

    async def _userinfo(self, claims: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims that some providers don't put into the token."""
        endpoint = (await self._about()).get("userinfo_endpoint")
        if not isinstance(endpoint, str) or not answer.get("access_token"):
            return {}
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        status, more = await self._ask("GET", self._private(endpoint), headers=headers)
        if status != 200 or more.get("sub") != claims["sub"]:
            self._refuse("it tells nothing of this person")
        return more

    async def _token(self, form: dict[str, str]) -> tuple[int, Mapping[str, Any]]:
        """Ask the token endpoint, as ourselves."""
        about = await self._about()
        headers = {}
        if self.settings.client_secret_file is None:
            form = {**form, "client_id": self.settings.client_id}
        else:
            secret = self._secret()
            methods = about.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            if "client_secret_basic" in methods:
                both = f"{quote(self.settings.client_id, safe='')}:{quote(secret, safe='')}"
                headers = {"Authorization": f"Basic {base64.b64encode(both.encode()).decode()}"}
            else:
                form = {**form, "client_id": self.settings.client_id, "client_secret": secret}
        return await self._ask("POST", str(about["token_endpoint"]), data=form, headers=headers)

    def _secret(self) -> str:
        """Read each time: it can be changed while the server runs."""
        assert self.settings.client_secret_file is not None
        try:
            return self.settings.client_secret_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            what = f"the secret for the identity provider {self.name} can't be read: {error}"
            raise Unreachable(what, "ask an operator") from None

    async def _verified(self, token: str) -> dict[str, Any]:
        """The claims of an ID token. Raises ``Refused`` for one that is not to be believed."""
        try:
            header = jwt.get_unverified_header(token)
            algorithm = str(header.get("alg"))
            if algorithm not in self.settings.algorithms:
                self._refuse(f"its token is signed by {algorithm[:20]!r}, which the settings don't allow")
            claims: dict[str, Any] = jwt.decode(
                token,
                await self._key(header.get("kid"), algorithm),
                algorithms=[algorithm],
                audience=self.settings.client_id,
                issuer=self.settings.issuer,
                leeway=self._skew,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.PyJWTError as error:
            self._refuse(f"its token does not hold: {error}")
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims.get("azp", self.settings.client_id if len(audience) == 1 else "") != self.settings.client_id:
            self._refuse("its token was made for another program")
        if not claims["sub"] or len(claims["sub"]) > 255:
            self._refuse("its token names nobody")
        return claims

    async def _key(self, name: object, algorithm: str) -> jwt.PyJWK:
        """The key of that name. When it is not known, the keys are asked for again: providers change them."""
        for _ in range(2):
            keys = _keys(await self._published(), algorithm)
            found = [each for each in keys if name is None or each.key_id == name]
            if len(found) == 1:
                return found[0]
            if self._keys is None or time.monotonic() - self._keys.since < KEYS_PAUSE:
                break
            self._keys = None
        return self._refuse("its token is signed by a key that it does not publish")

    async def _published(self) -> Mapping[str, Any]:
        if self._keys is None or time.monotonic() - self._keys.since > KNOWN_FOR:
            status, keys = await self._ask("GET", str((await self._about())["jwks_uri"]))
            if status != 200:
                raise self._unreachable(f"it does not publish its keys (status {status})")
            self._keys = _Remembered(keys, time.monotonic())
        return self._keys.value

    async def _about(self) -> Mapping[str, Any]:
        """What it says of itself. Raises ``Unreachable``."""
        if self._document is None or time.monotonic() - self._document.since > KNOWN_FOR:
            url = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            status, found = await self._ask("GET", url)
            if status != 200:
                raise self._unreachable(f"{url} answers with the status {status}")
            if found.get("issuer") != self.settings.issuer:
                raise self._unreachable(f"it calls itself {str(found.get('issuer'))[:200]!r}, the settings otherwise")
            for endpoint in _ENDPOINTS:
                self._private(found.get(endpoint))
            self._document = _Remembered(found, time.monotonic())
        return self._document.value

    def _private(self, url: object) -> str:
        """An endpoint of its. Raises ``Unreachable`` for one that others on the way could read."""
        if isinstance(url, str) and is_private_url(url):
            return url
        raise self._unreachable("one of its endpoints is missing, or not at https://")

    async def _ask(self, method: str, url: str, **given: Any) -> tuple[int, Mapping[str, Any]]:
        """Status and JSON of an answer below 500. Raises ``Unreachable`` for anything else."""
        headers = {"Accept": "application/json", **given.pop("headers", {})}
        try:
            async with (
                httpx.AsyncClient(timeout=SECONDS, verify=self._trust, transport=self._transport) as client,
                client.stream(method, url, headers=headers, **given) as answer,
            ):
                body = b""
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise self._unreachable("its answer is too long")
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(f"{type(error).__name__}") from None
        if status >= 500:
            raise self._unreachable(f"it answers with the status {status}")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise self._unreachable(f"its answer with the status {status} is not understood") from None
        if not isinstance(found, dict):
            raise self._unreachable("its answer is not understood")
        return status, found

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(
            f"the identity provider {self.name} can't be asked now: {why}",
            "try again later, or sign in with a local account",
        )

    def _refuse(self, why: str) -> NoReturn:
        raise Refused(f"the sign-in at {self.name} is not accepted: {why}", "sign in again from the sign-in page")


def _keys(document: Mapping[str, Any], algorithm: str) -> list[jwt.PyJWK]:
    """Those of the published keys by which may be signed like that."""
    listed = document.get("keys")
    found = []
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig" or each.get("alg", algorithm) != algorithm:
            continue
        with suppress(jwt.PyJWTError, ValueError, TypeError):  # of another kind, or damaged
            found.append(jwt.PyJWK.from_dict(each, algorithm))
    return found


def _is_gone(answer: Mapping[str, Any]) -> bool:
    """Whether it says that the refresh token is good for nothing any more (RFC 6749, 5.2). Dex says so with the word
    for a wrong request, and a sentence."""
    word, sentence = answer.get("error"), str(answer.get("error_description", ""))
    return word == "invalid_grant" or (word == "invalid_request" and sentence.startswith(_GONE_IN_DEX))


def _word(answer: Mapping[str, Any]) -> str:
    """The provider's word for what is wrong (RFC 6749, 5.2)."""
    return str(answer.get("error", "no reason given"))[:60]
