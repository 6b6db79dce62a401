"""Connections to vCenters and ESXi hosts: pinned TLS, time-outs, login when the session has expired, a limit of calls.

One session serves all threads: pyvmomi's stub keeps a locked pool of HTTP connections.
"""

import functools
import hashlib
import hmac
import http.client
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

from pyVmomi.SoapAdapter import SoapStubAdapter

from vclab.model.catalog import Endpoint
from vclab.model.errors import Refused, Unreachable
from vclab.provisioning.vsphere.api import vim, vmodl

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
CALL_SECONDS = 30.0
REFUSED_SECONDS = 60.0
"""A password that was refused is not tried again for so long: vCenter locks an account after five failures."""

API_VERSION = "vim.version.v7_0"
"""The oldest that is in use; newer servers speak it too. Asking the server would be a request outside of the pin."""

_SAFE_TO_REPEAT = {"RetrieveServiceContent", "RetrievePropertiesEx", "FindAllByUuid", "CreateContainerView"}
_CLOSED = (
    http.client.RemoteDisconnected,
    ConnectionResetError,
    BrokenPipeError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)
_NOT_COUNTED = {"WaitForUpdatesEx"}  #: a wait is no work for the endpoint, and would hold up short calls


_SHA1 = 40
"""Hex digits of such a fingerprint."""


class WrongCertificate(ssl.SSLError):
    """The endpoint shows another certificate than the pinned one."""

    def __init__(self, seen: str) -> None:
        super().__init__("certificate does not match its pin")
        self.seen = seen


class _PinnedConnection(http.client.HTTPSConnection):
    """HTTPS that trusts exactly one certificate, checked on every connection before anything is sent.

    pyvmomi's own ``thumbprint`` is not enough: it looks only after a verification error, and then turns verification
    off for all later connections.
    """

    def __init__(self, host: str, port: int, fingerprint: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(host, port, timeout=CONNECT_SECONDS, context=context)
        self._fingerprint = fingerprint

    def connect(self) -> None:
        """Connect, shake hands, compare the fingerprint. Raises ``WrongCertificate``."""
        super().connect()
        digest = hashlib.sha256 if len(self._fingerprint) != _SHA1 else hashlib.sha1
        seen = digest(self.sock.getpeercert(True) or b"").hexdigest()
        if not hmac.compare_digest(seen, self._fingerprint):
            self.close()
            raise WrongCertificate(seen)
        self.sock.settimeout(CALL_SECONDS)


def pinned_connection(host: str, port: int, fingerprint: str) -> http.client.HTTPSConnection:
    """To a host of the endpoint; its certificate has that fingerprint (SHA-256, or SHA-1 as vSphere itself says it)."""
    return _PinnedConnection(host, port, _plain(fingerprint))


def shown_fingerprint(url: str) -> str:
    """SHA-256 of the certificate that an endpoint shows, lower-case hex; nothing is sent. Raises ``Unreachable``.

    To be compared by people with what the endpoint itself says, and then pinned.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        _PinnedConnection(host, port, fingerprint="").connect()
    except WrongCertificate as error:
        return error.seen
    except OSError as error:
        raise Unreachable(f"{host}:{port} does not answer: {_reason(error)}") from None
    raise AssertionError("no certificate has an empty fingerprint")


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").strip().lower()


def _reason(error: Exception) -> str:
    """Why a call failed, in words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        gone = error.errno in (socket.EAI_AGAIN, socket.EAI_FAIL)
        return "no name server answers for its host name" if gone else "its host name is unknown"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, _CLOSED):
        return "it closed the connection"
    return str(error) or type(error).__name__


class _Stub(SoapStubAdapter):
    """pyvmomi's transport, with the session's rules around each call."""

    def __init__(self, session: "Session", host: str, port: int, path: str, fingerprint: str, slots: int) -> None:
        super().__init__(host=host, port=port, path=path, version=API_VERSION, poolSize=slots + 2)  # type: ignore[no-untyped-call]
        self.scheme = functools.partial(_PinnedConnection, fingerprint=fingerprint)  # type: ignore[assignment]
        self.schemeArgs = {}
        self._session = session
        self._slots = threading.BoundedSemaphore(slots)

    def InvokeMethod(self, mo: Any, info: Any, args: Any, outerStub: Any = None) -> Any:
        """One call. Logs in again if the session has expired: a call that was refused so has done nothing."""
        logins = self._session.logins
        try:
            return self._invoke(mo, info, args, outerStub)
        except vim.fault.NotAuthenticated:
            self._session.login_again(logins)
            return self._invoke(mo, info, args, outerStub)

    def _invoke(self, mo: Any, info: Any, args: Any, outer: Any) -> Any:
        try:
            try:
                return self._counted(mo, info, args, outer)
            except _CLOSED:
                if info.wsdlName not in _SAFE_TO_REPEAT:
                    raise
                return self._counted(mo, info, args, outer)  # an idle connection that the server had closed
        except WrongCertificate as error:
            raise Unreachable(self._session.wrong_certificate(error.seen)) from None
        except (OSError, http.client.HTTPException, ExpatError) as error:
            raise Unreachable(f"{self._session.title} does not answer: {_reason(error)}") from error

    def _counted(self, mo: Any, info: Any, args: Any, outer: Any) -> Any:
        if info.wsdlName in _NOT_COUNTED:
            return super().InvokeMethod(mo, info, args, outer)  # type: ignore[no-untyped-call]
        with self._slots:
            return super().InvokeMethod(mo, info, args, outer)  # type: ignore[no-untyped-call]


class Session:
    """One endpoint, logged in on first use. Safe to use from many threads."""

    def __init__(self, endpoint: Endpoint, password: Callable[[Endpoint], str], calls_at_once: int) -> None:
        url = urlsplit(endpoint.url)
        if url.scheme != "https" or not url.hostname:
            raise Refused(f"endpoint {endpoint.name}: its URL must be https://HOST[:PORT]/sdk, not {endpoint.url!r}")
        self.endpoint = endpoint
        port = url.port or 443
        self.title = f"vCenter {endpoint.name} ({url.hostname}:{port})"
        self.logins = 0
        self.attempts = 0  #: to log in, refused ones too
        self._password = password
        self._lock = threading.RLock()
        self._content: Any = None
        self._failed: tuple[float, str] | None = None
        self._refused: tuple[float, str] | None = None
        path = url.path.rstrip("/") or "/sdk"
        self._stub = _Stub(self, url.hostname, port, path, _plain(endpoint.fingerprint), calls_at_once)

    @property
    def content(self) -> Any:
        """The service's managers. Raises ``Unreachable`` when it does not answer or refuses the login."""
        asked = time.monotonic()
        with self._lock:
            if self._content is None:
                self._fail_with_others(asked)
                try:
                    content = vim.ServiceInstance("ServiceInstance", self._stub).RetrieveContent()
                    self._login(content)
                except Unreachable as error:
                    self._failed = (time.monotonic(), str(error))
                    raise
                self._content = content
            return self._content

    def _fail_with_others(self, asked: float) -> None:
        """Ten threads that wait for a dead endpoint learn it at once, not one after the other."""
        if self._failed and self._failed[0] > asked:
            raise Unreachable(self._failed[1])

    def login_again(self, seen: int) -> None:
        """Log in again, unless another thread did so since ``seen`` logins."""
        with self._lock:
            if self._content is not None and self.logins == seen:
                log.info("%s: the session has expired; logging in again", self.title)
                self._login(self._content)

    def _login(self, content: Any) -> None:
        password = self._password(self.endpoint)
        wrong = (
            f"{self.title} refuses the password kept for {self.endpoint.username}; if it was changed: "
            f"`vclab endpoint edit {self.endpoint.name} --password`"
        )
        if self._refused and self._refused[1] == password and time.monotonic() - self._refused[0] < REFUSED_SECONDS:
            raise Unreachable(wrong)
        self._stub.cookie = ""  # a stale cookie makes some servers refuse a right password
        self.attempts += 1
        try:
            content.sessionManager.Login(self.endpoint.username, password)
        except vim.fault.InvalidLogin:
            self._refused = (time.monotonic(), password)
            raise Unreachable(wrong) from None
        self.logins += 1

    @property
    def cookie(self) -> str:
        """What proves the login to the endpoint's file server."""
        assert self.content is not None
        return str(self._stub.cookie).partition(";")[0]

    def wrong_certificate(self, seen: str) -> str:
        """The message for a certificate that is not the pinned one."""
        return (
            f"{self.title} shows another certificate than the pinned one: SHA-256 {seen}, pinned "
            f"{_plain(self.endpoint.fingerprint)}. No password was sent. If it is the right one: "
            f"`vclab endpoint edit {self.endpoint.name} --certificate`"
        )

    def close(self) -> None:
        """Log out; harmless when the endpoint is gone."""
        with self._lock:
            if self._content is None:
                return
            content, self._content = self._content, None
            try:
                content.sessionManager.Logout()
            except (Unreachable, vmodl.MethodFault) as error:
                log.debug("%s: logout: %s", self.title, error)
            self._stub.DropConnections()  # type: ignore[no-untyped-call]


class Sessions:
    """The sessions of one process, by endpoint name."""

    def __init__(
        self, endpoints: Callable[[str], Endpoint], password: Callable[[Endpoint], str], calls_at_once: int
    ) -> None:
        self._endpoints = endpoints
        self._password = password
        self._calls_at_once = calls_at_once
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def get(self, name: str) -> Session:
        """The session of an endpoint; a new one if its entry has changed."""
        endpoint = self._endpoints(name)
        with self._lock:
            session = self._sessions.get(name)
            if session is None or session.endpoint != endpoint:
                session = self._sessions[name] = Session(endpoint, self._password, self._calls_at_once)
            return session

    def close(self) -> None:
        """Log out everywhere."""
        with self._lock:
            sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            session.close()
