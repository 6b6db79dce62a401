"""Temporal behind TLS, client certificates and tokens: who is let in, and what the others are told."""

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.temporal_server import free_ports
from vclab.lab import tools
from vclab.lab.certificates import Authority
from vclab.lab.parts import temporal_server
from vclab.model.errors import Refused, Unreachable
from vclab.settings import TemporalSettings
from vclab.temporal import search_attributes
from vclab.temporal.client import connect

RIGHTS = ["default:admin", "temporal-system:read"]


def _private(path: Path, content: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(content)
    return path


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def token(key: rsa.RSAPrivateKey, seconds: int = 600) -> bytes:
    """A JWT as Temporal's default claim mapper wants it."""
    claims = {"sub": "vclab", "permissions": RIGHTS, "exp": int(time.time()) + seconds}
    said = ".".join(_text(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "k", "typ": "JWT"}, claims))
    return f"{said}.{_text(key.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256()))}".encode()


@dataclass(frozen=True)
class Servers:
    """The addresses, and the folder with all files."""

    folder: Path
    tls: str
    mtls: str
    jwt: str

    def settings(
        self, address: str, certificate: str = "", authority: str = "ca", **others: object
    ) -> TemporalSettings:
        """By TLS, maybe with a client certificate."""
        found: dict[str, object] = {"address": address, "tls_ca": self.folder / f"{authority}.pem", **others}
        if certificate:
            found |= {"tls_cert": self.folder / f"{certificate}.pem", "tls_key": self.folder / f"{certificate}.key"}
        return TemporalSettings.model_validate(found)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One of each kind."""
    folder = tmp_path_factory.mktemp("tls")
    ca, other = Authority.of(folder), Authority.of(folder, "other")
    for name, issuer, days in (("server", ca, 1), ("client", ca, 1), ("expired", ca, -0.5), ("alien", other, 1)):
        issuer.issue(name, role="operator", addresses=("127.0.0.1",), days=days)
    key = rsa.generate_private_key(65537, 2048)
    _private(folder / "good", token(key))
    _private(folder / "late", token(key, -600))
    _private(folder / "forged", token(rsa.generate_private_key(65537, 2048)))
    public = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "kid": "k", "use": "sig", "alg": "RS256", "n": _number(public.n), "e": _number(public.e)}
    (folder / "keys.json").write_text(json.dumps({"keys": [jwk]}))
    kinds = ((), ("-tls-client-ca", f"{folder}/ca.pem"), ("-jwt-keys", f"file://{folder}/keys.json"))
    addresses = [f"127.0.0.1:{port}" for port in free_ports(3)]
    started = [_start(folder, address, *kind) for address, kind in zip(addresses, kinds, strict=True)]
    try:
        for process in started:
            assert process.stdout is not None and process.stdout.readline().startswith(b"ready")
        yield Servers(folder, *addresses)
    finally:
        for process in started:
            process.terminate()
            process.communicate(timeout=20)


def _start(folder: Path, address: str, *flags: str) -> subprocess.Popen[bytes]:
    words = temporal_server(tools.temporal(), address, folder / f"{address}.db")
    words += ("-log-level", "fatal", "-tls-cert", f"{folder}/server.pem", "-tls-key", f"{folder}/server.key", *flags)
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


async def refused(settings: TemporalSettings) -> str:
    """What is said, in one line."""
    with pytest.raises(Unreachable) as caught:
        await connect(settings)
    assert settings.address in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


async def test_tls(servers: Servers) -> None:
    await connect(servers.settings(servers.tls))
    assert "set temporal.tls_ca" in await refused(servers.settings(servers.tls, authority="other"))
    assert "set temporal.tls = true" in await refused(TemporalSettings(address=servers.tls))
    assert "has no namespace lab" in await refused(servers.settings(servers.tls, namespace="lab"))


async def test_client_certificates(servers: Servers) -> None:
    await connect(servers.settings(servers.mtls, "client"))
    assert "set temporal.tls_cert and temporal.tls_key" in await refused(servers.settings(servers.mtls))
    for wrong in ("expired", "alien"):
        assert "client certificate" in await refused(servers.settings(servers.mtls, wrong))


async def test_tokens(servers: Servers) -> None:
    """A worker's start needs no more rights than these. No refusal shows the token."""
    good, late, forged = (servers.folder / name for name in ("good", "late", "forged"))
    await search_attributes.register(await connect(servers.settings(servers.jwt, token_file=good)))
    assert "set temporal.token_file" in await refused(servers.settings(servers.jwt))
    for wrong in (late, forged):
        said = await refused(servers.settings(servers.jwt, token_file=wrong))
        assert "refuses the token" in said and wrong.read_text() not in said


async def test_a_profile_below_our_settings(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set here goes before it; its variables go before its file."""
    file = servers.folder / "temporal.toml"
    head = f'[profile.lab]\naddress = "{servers.jwt}"\nnamespace = "lab"\napi_key = "wrong"\n'
    _private(file, f'{head}[profile.lab.tls]\nserver_ca_cert_path = "{servers.folder}/ca.pem"\n'.encode())
    settings = TemporalSettings(profile="lab", config_file=file, namespace="default")
    with pytest.raises(Unreachable, match="refuses the token"):
        await connect(settings)
    monkeypatch.setenv("TEMPORAL_API_KEY", (servers.folder / "good").read_text())
    assert (await connect(settings)).namespace == "default"
    file.chmod(0o644)
    with pytest.raises(Refused, match=r"temporal\.config_file: everybody can read"):
        await connect(settings)


async def test_what_can_not_be_meant(servers: Servers, tmp_path: Path) -> None:
    """The setting is named."""
    good, loose = servers.folder / "good", tmp_path / "loose"
    loose.write_bytes(good.read_bytes())
    for wrong, said in (
        ({"tls_key": servers.folder / "client.key"}, "temporal.tls_key is set, but temporal.tls_cert is not"),
        ({"tls": False, "tls_ca": servers.folder / "ca.pem"}, "temporal.tls is false, but temporal.tls_ca is set"),
        ({"tls_ca": tmp_path / "none.pem"}, "temporal.tls_ca: .* can't be read: No such file"),
        ({"tls_ca": good}, "temporal.tls_ca: there is no certificate in PEM"),
        ({"token_file": loose}, "temporal.token_file: everybody can read"),
        (
            {"token_file": good, "address": "192.0.2.1:7233"},
            "temporal.token_file would cross the network in plain text",
        ),
        ({"address": "https://192.0.2.1:7233"}, "temporal.address must be HOST:PORT"),
    ):
        with pytest.raises(Refused, match=said):
            await connect(TemporalSettings.model_validate(wrong))
