"""``vclab doctor``, where people come in: the API server, and identity providers."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.cli.conftest import Command
from vclab.lab.certificates import Authority, self_signed

READY = "/api/v1/health/ready"
Document = dict[str, Any]
Look = Callable[[str, str], Document]


@contextmanager
def answering(documents: Mapping[str, object], certificates: Path | None = None) -> Iterator[str]:
    """A server's URL that says these, by its paths; by TLS with ``cert.pem`` and ``key.pem`` of the folder."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = documents.get(self.path)
            self.send_response(200 if found is not None else 404)
            self.end_headers()
            self.wfile.write(json.dumps(found or {}).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificates:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http{'s' if certificates else ''}://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def look(vclab: Command, installation: Path) -> Look:
    """One check, with these lines among the settings."""

    def call(name: str, lines: str) -> Document:
        before = installation.read_text()
        installation.write_text(before + lines)
        said = vclab("doctor", "--json")
        installation.write_text(before)
        assert "Traceback" not in said.err
        found: dict[str, Document] = {check["name"]: check for check in said.json["checks"]}
        return found[name]

    return call


# --- the API ----------------------------------------------------------------------------------------------------------


def test_a_server_that_answers(look: Look) -> None:
    assert look("API", "")["ok"]
    with answering({READY: {"status": "ready", "database": "ok", "temporal": "ok"}}) as url:
        found = look("API", f'api.url = "{url}"')
        assert found["ok"] and found["found"] == f"{url} answers"
    assert "does not answer" in look("API", f'api.url = "{url}"')["found"]
    with answering({READY: {"status": "ready", "database": "ok", "temporal": "away"}}) as url:
        found = look("API", f'api.url = "{url}"')
        assert not found["ok"] and "does not reach Temporal" in found["found"]
    with answering({}) as url:
        assert look("API", f'api.url = "{url}"')["found"].endswith("with the status 404")
    with answering({READY: "a proxy's page"}) as url:
        assert look("API", f'api.url = "{url}"')["found"] == f"what answers at {url} is not vclab-api"


def test_passwords_do_not_go_over_the_network_in_plain_text(look: Look) -> None:
    """Nobody is asked there."""
    found = look("API", 'api.url = "http://lab.example.org"')
    assert not found["ok"] and "in plain text" in found["found"] and "https://" in found["todo"]


def test_the_servers_certificate(look: Look, tmp_path: Path) -> None:
    self_signed(tmp_path, "lab", "127.0.0.1")
    with answering({READY: {"status": "ready", "database": "ok", "temporal": "ok"}}, tmp_path) as url:
        lines = f'api.url = "{url}"\napi.tls_cert = "{tmp_path}/cert.pem"\napi.tls_key = "{tmp_path}/key.pem"\n'
        found = look("API", lines)
        assert found["ok"] and f"vclab login {url} --ca FILE" in found["found"], found
        Authority.of(tmp_path, "other")
        other = lines.replace("cert.pem", "other.pem").replace("key.pem", "other.key")
        found = look("API", other)
        assert found["found"] == f"{url} shows another certificate than `api.tls_cert`"
        assert found["todo"] == "restart vclab-api"
    found = look("API", lines)
    assert f"{url} does not answer" in found["found"] and "systemctl start vclab-api" in found["todo"]


def test_a_certificate_that_ends_soon(look: Look, tmp_path: Path) -> None:
    authority = Authority.of(tmp_path)
    authority.issue("cert", addresses=("127.0.0.1",), days=3)
    (tmp_path / "cert.key").rename(tmp_path / "key.pem")
    with answering({}, tmp_path) as url:
        found = look("API", f'api.url = "{url}"')
    assert not found["ok"] and "a certificate that ends on 20" in found["found"]


# --- providers --------------------------------------------------------------------------------------------------------


def about(issuer: str) -> Document:
    """What a provider says of itself."""
    endpoints = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
    return {"issuer": issuer, **{name: f"{issuer}/{path}" for name, path in endpoints.items()}}


@pytest.fixture(scope="module")
def key() -> Document:
    """A key that a provider publishes."""
    made: Document = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key()))
    return made | {"use": "sig", "alg": "RS256", "kid": "1"}


def settings(issuer: str, more: str = "") -> str:
    return f'[sign_in.providers.uni]\nissuer = "{issuer}"\nclient_id = "vclab"\n{more}\n'


def test_a_provider_in_order(look: Look, key: Document, tmp_path: Path) -> None:
    documents: dict[str, Document] = {"/keys": {"keys": [key]}}
    with answering(documents) as url:
        documents["/.well-known/openid-configuration"] = about(url)
        assert look("sign-in by uni", settings(url)) == {
            "name": "sign-in by uni",
            "ok": True,
            "found": f"{url} answers, and signs as the settings allow",
            "todo": None,
        }
        secret = f'client_secret_file = "{tmp_path}/none"'
        assert "can't be read" in look("sign-in by uni", settings(url, secret))["found"]


def test_a_provider_that_is_not_the_one_of_the_settings(look: Look, key: Document) -> None:
    documents: dict[str, Document] = {"/keys": {"keys": [key]}}
    with answering(documents) as url:
        assert "answers with the status 404" in look("sign-in by uni", settings(url))["found"]
        documents["/.well-known/openid-configuration"] = about(url + "/")
        found = look("sign-in by uni", settings(url))
        assert not found["ok"] and f"it calls itself '{url}/'" in found["found"]
        assert "sign_in.providers.uni" in found["todo"]
        documents["/.well-known/openid-configuration"] = about(url)
        found = look("sign-in by uni", settings(url, 'algorithms = ["ES256"]'))
        assert found["found"].endswith("it publishes no key for ES256")
    assert "can't be asked now" in look("sign-in by uni", settings(url))["found"]
