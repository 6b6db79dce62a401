"""API servers as processes, and the people who ask them."""

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.labfixture import eventually
from tests.temporal_server import free_ports
from vclab.api.app import PREFIX
from vclab.model import tokens as text
from vclab.model.people import LOCAL, SignedIn
from vclab.model.tokens import ALL, Kind
from vclab.store import tokens
from vclab.store.engine import Store

PATIENCE = 180.0
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # one for all: httpx would read all authorities for each client


@dataclass
class Api:
    """One server."""

    process: "subprocess.Popen[bytes]"
    port: int
    log_file: Path

    @property
    def url(self) -> str:
        """Below it are the routes."""
        return f"http://127.0.0.1:{self.port}/api/v1"

    @property
    def log(self) -> str:
        """What it has said."""
        return self.log_file.read_text(errors="replace")

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait(20)

    def stop(self) -> int:
        """As an administrator does; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def client(self, token: str = "", seconds: float = 120.0) -> httpx.AsyncClient:
        """Somebody who asks it."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=seconds, verify=_NO_TLS)


def start(settings_file: Path, environment: Mapping[str, str] | None = None) -> Api:
    """A server by these settings; returns when it answers."""
    (port,) = free_ports(1)
    made = launched(settings_file, port, environment or {})
    eventually(lambda: made.process.poll() is not None or said(f"{made.url}/health/live"), PATIENCE)
    assert made.process.poll() is None, made.log
    return made


def launched(settings_file: Path, port: int, environment: Mapping[str, str]) -> Api:
    """A server that begins."""
    own = {"VCLAB_CONFIG": str(settings_file), "VCLAB_API__LISTEN": f"127.0.0.1:{port}"}
    log_file = settings_file.parent / f"api-{port}.log"
    with log_file.open("wb") as log:
        words = (sys.executable, "-m", "vclab.api.main")
        process = subprocess.Popen(words, stdout=log, stderr=log, env=os.environ | own | dict(environment))
    return Api(process, port, log_file)


def said(url: str, trust: ssl.SSLContext | None = None) -> httpx.Response | None:
    """What is answered there; None: nobody answers yet."""
    try:
        return httpx.get(url, timeout=5, verify=trust or True)
    except httpx.TransportError:
        return None


def token(store: Store, user: str, seconds: float = 3600.0) -> str:
    """A token of that person."""
    secret, now = text.make(Kind.LOGIN), datetime.now(UTC)
    who, until = SignedIn(user, LOCAL), now + timedelta(seconds=seconds)
    store.run(lambda s: tokens.put(s, secret, Kind.LOGIN, who, "test", ALL, "192.0.2.7", now, until))
    return secret


@dataclass
class Site:
    """A server, and one person's way to it."""

    client: httpx.AsyncClient
    url: str

    def streamed(
        self, path: str, query: Mapping[str, Any], headers: Mapping[str, str], silent: float
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """As ``Server``."""
        return self.client.stream("GET", self.url + PREFIX + path, params=query, headers=headers, timeout=silent)
