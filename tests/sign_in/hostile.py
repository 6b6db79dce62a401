"""A provider that says what a test wants it to, right or wrong: its keys are ours. Answers in this process."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from vclab.settings_sign_in import ProviderSettings

ISSUER = "https://idp.test"
CLIENT = "vclab"


class Hostile(httpx.AsyncBaseTransport):
    """The transport to it. ``answers`` replaces what a path answers."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"k1": rsa.generate_private_key(65537, 2048)}
        self.claims: dict[str, Any] = {
            "sub": "subject-1",
            "preferred_username": "ann@uni.edu",
            "groups": ["staff"],
            "nonce": "nonce",
        }
        self.lifetime = 600.0
        self.skew = 0.0  #: seconds that its clock is ahead
        self.algorithm = "RS256"
        self.token: str | None = None  #: instead of one that it signs
        self.answers: dict[str, Callable[[], httpx.Response]] = {}
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []  #: path, form, Authorization

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        path, body = request.url.path, (await request.aread()).decode()
        self.asked.append((path, parse_qs(body), request.headers.get("authorization", "")))
        if path in self.answers:
            return self.answers[path]()
        return httpx.Response(200, json=self._answer(path))

    def settings(self, **more: Any) -> ProviderSettings:
        """As one enters it."""
        return ProviderSettings.model_validate({"issuer": ISSUER, "client_id": CLIENT} | more)

    def signed(self, key: Any = None, name: str = "k1", **claims: Any) -> str:
        """An ID token."""
        now = time.time() + self.skew
        said = {"iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + self.lifetime} | self.claims | claims
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, key or self.keys[name], self.algorithm, {"kid": name})

    def _answer(self, path: str) -> dict[str, Any]:
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/auth",
                "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/keys",
                "userinfo_endpoint": f"{ISSUER}/userinfo",
            }
        if path == "/keys":
            return {"keys": [_published(name, key) for name, key in self.keys.items()]}
        if path == "/userinfo":
            return {"sub": "subject-1", "preferred_username": "ann@uni.edu", "groups": ["deans"]}
        token = self.signed(name=next(iter(self.keys))) if self.token is None else self.token
        return {"id_token": token, "access_token": "access", "refresh_token": "refresh-2"}


def _published(name: str, key: Any) -> dict[str, Any]:
    public = key.public_key()
    kind: Any = (
        jwt.algorithms.ECAlgorithm if isinstance(public, ec.EllipticCurvePublicKey) else jwt.algorithms.RSAAlgorithm
    )
    return {"kid": name, "use": "sig", **json.loads(kind.to_jwk(public))}
