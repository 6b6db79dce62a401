"""What a provider says, and when it is not believed. Its keys are ours; a real one is in ``test_provider.py``."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.sign_in.hostile import ISSUER, Hostile
from vclab.api.sign_in import openid
from vclab.api.sign_in.openid import NotThere, Provider, Said
from vclab.model.errors import Refused, Unreachable

ANOTHER = rsa.generate_private_key(65537, 2048)


@pytest.fixture
def hostile() -> Hostile:
    """A provider of its own for each test."""
    return Hostile()


async def sign_in(hostile: Hostile, provider: Provider | None = None, **settings: Any) -> Said:
    """As somebody who comes back."""
    asked = provider or Provider("uni", hostile.settings(**settings), 30.0, hostile)
    return await asked.signed_in("code", "verifier", "https://lab.test/back", "nonce")


async def test_what_is_said_in_order_is_believed(hostile: Hostile) -> None:
    said = await sign_in(hostile)
    assert (said.claims.subject, said.claims.called, said.claims.groups) == ("subject-1", "ann@uni.edu", ("staff",))
    assert (said.claims.affiliation, said.claims.mfa, said.refresh_token) == ("uni", False, "refresh-2")
    form = next(form for path, form, _ in hostile.asked if path == "/token")
    assert form["code_verifier"] == ["verifier"] and form["client_id"] == ["vclab"]


async def test_a_browser_is_sent_with_pkce(hostile: Hostile) -> None:
    provider = Provider("uni", hostile.settings(), 30.0, hostile)
    query = parse_qs(urlsplit(await provider.sign_in_url("https://lab.test/back", "s", "n", "verifier")).query)
    assert query["code_challenge_method"] == ["S256"] and query["code_challenge"] != ["verifier"]
    assert (query["state"], query["nonce"], query["redirect_uri"]) == (["s"], ["n"], ["https://lab.test/back"])


def _confused(hostile: Hostile) -> str:
    """Signed by HMAC, with the public key as if it were a secret."""
    pem = hostile.keys["k1"].public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    head, body = ({"alg": "HS256", "kid": "k1"}, jwt.decode(hostile.signed(), options={"verify_signature": False}))
    text = ".".join(urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in (head, body))
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(text.encode(), pem)
    return f"{text}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def _tampered(hostile: Hostile) -> str:
    head, _, signature = hostile.signed().split(".")
    other = hostile.signed(sub="subject-2").split(".")[1]
    return f"{head}.{other}.{signature}"


FORGED: dict[str, Callable[[Hostile], str]] = {
    "by another key": lambda h: h.signed(ANOTHER),
    "by a key that nobody knows": lambda h: h.signed(ANOTHER, "k9"),
    "unsigned": lambda h: jwt.encode(jwt.decode(h.signed(), options={"verify_signature": False}), "", "none"),
    "by HMAC with the public key": _confused,
    "with other claims": _tampered,
    "expired": lambda h: h.signed(exp=1_700_000_000),
    "from the future": lambda h: h.signed(iat=4_000_000_000),
    "without an end": lambda h: h.signed(exp=None),
    "for another program": lambda h: h.signed(aud="another"),
    "for several, made for another": lambda h: h.signed(aud=["vclab", "another"], azp="another"),
    "for several, made for nobody": lambda h: h.signed(aud=["vclab", "another"]),
    "for nobody": lambda h: h.signed(aud=None),
    "of another provider": lambda h: h.signed(iss="https://evil.test"),
    "of a provider of nearly that name": lambda h: h.signed(iss=ISSUER + "/"),
    "of nobody": lambda h: h.signed(sub=None),
    "of an empty person": lambda h: h.signed(sub=""),
    "of another sign-in": lambda h: h.signed(nonce="another"),
    "of no sign-in": lambda h: h.signed(nonce=None),
    "of somebody without a name": lambda h: h.signed(preferred_username=["", "a\nb", 7]),
    "nothing": lambda h: "",
    "no token": lambda h: "a.b.c",
}


@pytest.mark.parametrize("what", FORGED)
async def test_a_token_that_does_not_hold_is_refused(hostile: Hostile, what: str) -> None:
    """For the right reason: the same token in order is believed."""
    hostile.token = hostile.signed()
    assert (await sign_in(hostile)).claims.subject == "subject-1"
    hostile.token = FORGED[what](hostile)
    hostile.answers["/userinfo"] = lambda: httpx.Response(200, json={"sub": "subject-1"})
    with pytest.raises(Refused):
        await sign_in(hostile)


@pytest.mark.parametrize(("skew", "believed"), [(-25.0, True), (25.0, True), (-45.0, False), (45.0, False)])
async def test_a_clock_may_be_wrong_by_a_little(hostile: Hostile, skew: float, believed: bool) -> None:
    hostile.skew, hostile.lifetime = skew, 1.0
    if believed:
        assert (await sign_in(hostile)).claims.subject == "subject-1"
    else:
        with pytest.raises(Refused, match=r"expired|not yet valid"):
            await sign_in(hostile)


async def test_keys_are_asked_for_again_when_they_change(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    """But not for each token with an unknown key: anybody can make these."""
    provider = Provider("uni", hostile.settings(), 30.0, hostile)
    await sign_in(hostile, provider)
    hostile.keys = {"k2": ANOTHER}
    with pytest.raises(Refused, match="does not publish"):
        await sign_in(hostile, provider)
    monkeypatch.setattr(openid, "KEYS_PAUSE", 0.0)
    assert (await sign_in(hostile, provider)).claims.subject == "subject-1"
    assert [path for path, _, _ in hostile.asked].count("/keys") == 2


async def test_another_algorithm_is_allowed_by_the_settings_only(hostile: Hostile) -> None:
    hostile.keys, hostile.algorithm = {"k1": ec.generate_private_key(ec.SECP384R1())}, "ES384"
    with pytest.raises(Refused, match="don't allow"):
        await sign_in(hostile)
    assert (await sign_in(hostile, algorithms=("ES384",))).claims.subject == "subject-1"


async def test_claims_are_named_by_the_settings(hostile: Hostile, tmp_path: Path) -> None:
    hostile.claims |= {
        "eppn": "zoë@uni.edu",
        "scoped": ["nobody@elsewhere.edu", "staff@uni.edu"],
        "realm_access": {"roles": ["lab", 7, "x" * 500]},
        "https://uni.edu/uid": "30017",
        "acr": "mfa",
    }
    secret = tmp_path / "secret"
    secret.write_text("a b:c\n")
    names = {
        "login": "upn|eppn",
        "affiliation": "scoped",
        "groups": "realm_access.roles",
        "uid": "https://uni.edu/uid",
        "mfa": "acr",
    }
    more: dict[str, Any] = {"claims": names, "affiliations": {"UNI.edu": "uni"}, "client_secret_file": secret}
    claims = (await sign_in(hostile, **more)).claims
    assert (claims.called, claims.affiliation, claims.groups) == ("zoë@uni.edu", "uni", ("lab",))
    assert (claims.uid, claims.mfa) == (30017, True)
    assert any(auth.startswith("Basic ") for _, _, auth in hostile.asked)
    hostile.claims["scoped"] = "staff@college.edu"
    with pytest.raises(Refused, match="have no access"):
        await sign_in(hostile, **more)


async def test_what_the_token_lacks_is_asked_for(hostile: Hostile) -> None:
    hostile.claims |= {"groups": None, "preferred_username": None}
    assert (await sign_in(hostile)).claims.groups == ("deans",)
    hostile.answers["/userinfo"] = lambda: httpx.Response(200, json={"sub": "another", "groups": []})
    with pytest.raises(Refused, match="nothing of this person"):
        await sign_in(hostile)


def _raise(error: Exception) -> Callable[[], httpx.Response]:
    def answer() -> httpx.Response:
        raise error

    return answer


WRONG: dict[str, tuple[str, Callable[[], httpx.Response]]] = {
    "away": ("/token", _raise(httpx.ConnectError("refused"))),
    "slow": ("/keys", _raise(httpx.ReadTimeout("slow"))),
    "broken": ("/token", lambda: httpx.Response(500, json={"error": "server_error"})),
    "no JSON": ("/token", lambda: httpx.Response(200, text="<html>")),
    "deep JSON": ("/token", lambda: httpx.Response(200, text="[" * 100_000)),
    "long": ("/keys", lambda: httpx.Response(200, text="x" * (2 << 20))),
    "a list": ("/token", lambda: httpx.Response(200, json=[])),
    "elsewhere": ("/keys", lambda: httpx.Response(302, headers={"Location": "http://evil.test"})),
    "another name": ("/.well-known/openid-configuration", lambda: httpx.Response(200, json={"issuer": "https://x"})),
    "an open endpoint": (
        "/.well-known/openid-configuration",
        lambda: httpx.Response(200, json={"issuer": ISSUER, "token_endpoint": "http://idp.test/token"}),
    ),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_provider_that_does_not_answer_in_order_can_not_be_asked(hostile: Hostile, what: str) -> None:
    path, answer = WRONG[what]
    hostile.answers[path] = answer
    with pytest.raises(Unreachable, match="the identity provider uni can't be asked now") as caught:
        await sign_in(hostile)
    assert "local account" in caught.value.hint


async def test_a_code_that_the_provider_does_not_take(hostile: Hostile) -> None:
    hostile.answers["/token"] = lambda: httpx.Response(400, json={"error": "invalid_grant"})
    with pytest.raises(Refused, match="invalid_grant"):
        await sign_in(hostile)


async def test_a_provider_is_asked_again(hostile: Hostile) -> None:
    """Whether somebody is there, and which groups they are in now. It speaks of that person, and of nobody else."""
    provider = Provider("uni", hostile.settings(), 30.0, hostile)
    hostile.claims["nonce"] = None
    said = await provider.again("refresh-1", "subject-1")
    assert (said.claims.groups, said.refresh_token) == (("staff",), "refresh-2")
    with pytest.raises(Refused, match="another person"):
        await provider.again("refresh-1", "subject-2")
    hostile.answers["/token"] = lambda: httpx.Response(200, json={"access_token": "x"})
    said = await provider.again("refresh-1", "subject-1")
    assert (said.claims.called, said.refresh_token) == ("", "refresh-1"), "it has only said that they are there"
    hostile.answers["/token"] = lambda: httpx.Response(400, json={"error": "invalid_grant"})
    with pytest.raises(NotThere):
        await provider.again("refresh-1", "subject-1")
