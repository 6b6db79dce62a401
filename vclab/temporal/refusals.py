"""Why the Temporal server does not let us in, in words: the SDK gives the text of Rust's values."""

import re

from vclab.model.errors import TEMPORAL, Unreachable
from vclab.temporal.connection import Connection

_WORDS = (
    (
        r"InvalidCertificate\(NotValidForName",
        "shows a certificate for other names",
        "connect by a name that is in it, or set temporal.tls_server_name to one",
    ),
    (
        r"InvalidCertificate\(Expired",
        "shows a certificate that has expired",
        "renew it there, and compare the clocks",
    ),
    (
        r"InvalidCertificate\(NotValidYet",
        "shows a certificate that is not valid yet",
        "compare the clocks",
    ),
    (
        r"InvalidCertificate\(",
        "shows a certificate that is not trusted here",
        "set temporal.tls_ca to the certificate of the authority that signed it",
    ),
    (
        r"InvalidContentType",
        "speaks plain text, not TLS",
        "leave out temporal.tls and temporal.tls_…, or correct the port",
    ),
    (
        r"alert: CertificateRequired",
        "wants a client certificate",
        "set temporal.tls_cert and temporal.tls_key",
    ),
    (
        r"alert: CertificateExpired",
        "refuses the client certificate, which has expired",
        "renew temporal.tls_cert and temporal.tls_key",
    ),
    (
        r"alert: \w*(CA|Certificate|Cert)\w*",
        "refuses the client certificate",
        "set temporal.tls_cert and temporal.tls_key to one that its authority signed",
    ),
    (
        r"KeyMismatch",
        "can't be asked: the private key does not belong to the client certificate",
        "correct temporal.tls_cert or temporal.tls_key",
    ),
    (
        r"PrivateKeyParseError",
        "can't be asked: the private key of the client certificate can't be read",
        "give temporal.tls_key a key in PEM without a passphrase",
    ),
)
_CLOSED = re.compile(
    r"[Cc]onnection ?[Rr]eset|BrokenPipe|[Bb]roken pipe|UnexpectedEof|IncompleteMessage|frame with invalid"
    r"|operation was canceled|ChannelClosed"
)


def refusal(error: BaseException, tried: Connection) -> Unreachable:
    """What failed, why and what to do, in one line."""
    text = str(error) or type(error).__name__
    for pattern, why, todo in _WORDS:
        if re.search(pattern, text):
            return _away(f"the Temporal server at {tried.address} {why}", todo)
    if re.search(r"PermissionDenied|Unauthenticated|unauthorized", text):
        return _unauthorized(tried)
    if _CLOSED.search(text):
        return _closed(tried)
    return _away(
        f"the Temporal server at {tried.address} does not answer ({short(error)})",
        "start it, or start the embedded lab with `vclab up`",
    )


def no_namespace(tried: Connection) -> Unreachable:
    """The server is there, the namespace is not."""
    return _away(
        f"the Temporal server at {tried.address} has no namespace {tried.namespace}",
        f"correct temporal.namespace, or: temporal operator namespace create -n {tried.namespace} --retention 30d",
    )


def _unauthorized(tried: Connection) -> Unreachable:
    where = f"the Temporal server at {tried.address}"
    if tried.token:
        todo = f"put a valid one, with rights in namespace {tried.namespace}, into temporal.token_file"
        return _away(f"{where} refuses the token for namespace {tried.namespace}: it is wrong or expired", todo)
    return _away(f"{where} wants a token", "set temporal.token_file")


def _closed(tried: Connection) -> Unreachable:
    """A server that wants more than it is shown says nothing at times."""
    where = f"the Temporal server at {tried.address} closes the connection"
    if tried.tls and tried.tls.certificate:
        todo = "look when temporal.tls_cert ends, and whether the server trusts its authority"
        return _away(f"{where}: it may refuse the client certificate", todo)
    if tried.tls:
        return _away(f"{where}: it may want a client certificate", "set temporal.tls_cert and temporal.tls_key")
    return _away(f"{where}: it may want TLS", "set temporal.tls = true and temporal.tls_ca, or correct the port")


def failed(why: str) -> Unreachable:
    """It was asked for something, and could not."""
    return _away(f"the Temporal server failed: {why}", "")


def _away(message: str, hint: str) -> Unreachable:
    return Unreachable(message, hint, part=TEMPORAL)


def short(error: BaseException) -> str:
    """The first line of an error's text, or the operating system's word in it."""
    text = str(error) or type(error).__name__
    inner = re.search(r'Os \{[^}]*message: "([^"]+)', text)  # inside Rust's
    return inner[1] if inner else text.splitlines()[0][:200]
