"""A Redfish service that somebody has taken over: it gets no more than it has, and costs one clear line."""

import contextlib
import http.server
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.power.nodes import PASSWORD, Context
from tests.vcsim import certificate
from vclab.model.errors import StepFailed, Unreachable
from vclab.power.address import parse
from vclab.power.base import Bmc, PowerState
from vclab.power.control import Limits, Power

ROOT = {"@odata.id": "/redfish/v1/", "Id": "root", "Name": "root", "Systems": {"@odata.id": "/redfish/v1/Systems"}}
SYSTEM = {"@odata.id": "/redfish/v1/Systems/1", "Id": "1", "Name": "n1"}

Handler = http.server.BaseHTTPRequestHandler


@contextlib.contextmanager
def serving(folder: Path, answer: Callable[[Handler], None]) -> Iterator[Bmc]:
    """A BMC whose root is right, and whose systems are what ``answer`` says."""

    class Service(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):
                send(self, ROOT) if self.path == "/redfish/v1/" else answer(self)

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    pin = certificate(folder / "cert.pem", folder / "key.pem", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        address = parse(f"redfish://admin@127.0.0.1:{server.server_port}/redfish/v1/Systems/1")
        try:
            yield Bmc("n1", address, "endpoint/n1", pin)
        finally:
            server.shutdown()
            thread.join()


def send(request: Handler, document: object, status: int = 200, **headers: str) -> None:
    """A JSON document."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def power(answer: float = 30.0) -> Power:
    return Power(lambda reference: PASSWORD, limits=Limits(answer=answer))


def test_what_it_redirects_to_is_not_asked(tmp_path: Path) -> None:
    asked: list[str] = []
    (tmp_path / "other").mkdir()
    with serving(tmp_path / "other", lambda request: asked.append(request.path)) as other:
        there = f"https://{other.address.place}/redfish/v1/Systems/1"
        with (
            serving(tmp_path, lambda request: send(request, {}, 307, Location=there)) as bmc,
            pytest.raises(Unreachable, match=r"does not answer: .*No connection adapters"),
        ):
            power().status(bmc, Context())
    assert not asked


@pytest.mark.parametrize(
    "document",
    [b"", b"<html>", b'"text"', b"[]", b"[" * 100_000, b"{}", b'{"Id": "1", "Name": "n1", "PowerState": {"a": 1}}'],
)
def test_nonsense_is_told_in_one_line(tmp_path: Path, document: bytes) -> None:
    with serving(tmp_path, lambda request: send(request, document)) as bmc:
        try:
            assert power().status(bmc, Context()).state is PowerState.UNKNOWN
        except (StepFailed, Unreachable) as error:
            assert str(error).startswith("n1: 'status' failed: its BMC (redfish 127.0.0.1:")
            assert len(str(error)) < 600
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("state", "why"), [("Paused", "it says Paused"), ("PoweringOn", "it says PoweringOn"), (None, "it does not say")]
)
def test_what_is_neither_on_nor_off_is_unknown(tmp_path: Path, state: str | None, why: str) -> None:
    with serving(tmp_path, lambda request: send(request, SYSTEM | {"PowerState": state})) as bmc:
        seen = power().status(bmc, Context())
    assert (seen.state, seen.why) == (PowerState.UNKNOWN, why)


def test_an_error_that_repeats_the_password_is_told_without_it(tmp_path: Path) -> None:
    said = {"error": {"code": "x", "message": f"wrong: {PASSWORD}\x1b[2J\nnever"}}
    with serving(tmp_path, lambda request: send(request, said, 400)) as bmc, pytest.raises(StepFailed) as error:
        power().status(bmc, Context())
    assert "wrong: ***" in str(error.value)
    assert str(error.value).isprintable()


def test_an_answer_without_end_ends_at_the_limit(tmp_path: Path) -> None:
    def without_end(request: Handler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b" " * 65536)

    began = time.monotonic()
    with serving(tmp_path, without_end) as bmc, pytest.raises(Unreachable):
        power(answer=6).status(bmc, Context())
    assert time.monotonic() - began < 10
