"""Whether a server is the one that is meant: by an authority, or by its one certificate, which somebody confirmed."""

import hashlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from vclab.client.contexts import Context
from vclab.model.errors import Refused, Unreachable

PATIENCE = 10.0
"""Seconds for a connection."""


@dataclass(frozen=True)
class Certificate:
    """What a server shows. ``pem``: as a context keeps it."""

    pem: str
    fingerprint: str  #: SHA-256, lower-case hex


def trusting(context: Context) -> ssl.SSLContext:
    """What to check a server by. Raises ``Refused`` when the authority's file can't be read."""
    if context.certificate:
        return _only(context.certificate)
    try:
        return ssl.create_default_context(cafile=context.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise Refused(f"the authority's certificate {context.ca_file} can't be read: {why}") from None


def _only(pem: str) -> ssl.SSLContext:
    """Exactly this certificate, whoever has signed it and whatever name is in it. Raises ``Refused``."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        made.load_verify_locations(cadata=pem)
    except ssl.SSLError:
        raise Refused("the server's certificate that was confirmed can't be read", "`vclab login URL` again") from None
    return made


def is_trusted(url: str, context: Context) -> bool:
    """Whether it shows what the context wants. Nothing is sent. Raises ``Unreachable``, ``Refused``."""
    try:
        _shake_hands(url, trusting(context))
    except ssl.SSLCertVerificationError:
        return False
    return True


def shown_by(url: str) -> Certificate:
    """The certificate that a server shows, trusted or not. Raises ``Unreachable``."""
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anything.check_hostname, anything.verify_mode = False, ssl.CERT_NONE
    der = _shake_hands(url, anything)
    return Certificate(ssl.DER_cert_to_PEM_cert(der), hashlib.sha256(der).hexdigest())


def fingerprint_of(pem: str) -> str:
    """SHA-256 of a certificate, lower-case hex."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def read_authority(file: Path) -> str:
    """The absolute path of an authority's certificate. Raises ``Refused`` when it is none."""
    path = str(file.absolute())
    trusting(Context(url="", ca_file=path))
    return path


def _shake_hands(url: str, how: ssl.SSLContext) -> bytes:
    """The certificate. Raises ``ssl.SSLCertVerificationError``, ``Unreachable``."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        with (
            socket.create_connection((host, port), timeout=PATIENCE) as plain,
            how.wrap_socket(plain, server_hostname=host) as shaken,
        ):
            return shaken.getpeercert(binary_form=True) or b""
    except ssl.SSLCertVerificationError:
        raise
    except ssl.SSLError as error:
        hint = "is it an https server?"
        raise Unreachable(f"{url} does not speak TLS as we do: {error.reason or error}", hint) from None
    except OSError as error:
        raise Unreachable(f"{url} does not answer: {error.strerror or error}") from None
