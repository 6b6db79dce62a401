"""How a program is connected to its database: whether others on the network could read along, or answer instead."""

import ipaddress
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

VERIFIED = "verify-full"
"""The ``sslmode`` in which libpq checks the certificate, and the name in it."""


@dataclass(frozen=True)
class Link:
    """One connection."""

    host: str  #: as it was asked for; a folder, or empty: a socket of this machine
    tls: bool
    mode: str  #: libpq's ``sslmode``

    @property
    def local(self) -> bool:
        """It does not leave this machine."""
        if not self.host or self.host.startswith(("/", "@")) or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def safe(self) -> bool:
        """Nobody on the network reads along, or answers instead of the server."""
        return self.local or (self.tls and self.mode == VERIFIED)

    def text(self) -> str:
        """For people."""
        if self.local:
            return "on this machine"
        return f"over the network, {f'TLS with sslmode={self.mode}' if self.tls else 'without TLS'}"


def link(session: Session) -> Link | None:
    """Of the connection of a session; None for SQLite."""
    if session.get_bind().dialect.name != "postgresql":
        return None
    connection: Any = session.connection().connection.dbapi_connection
    given = connection.info.get_parameters()
    asked = {option.keyword.decode(): (option.val or b"").decode() for option in connection.pgconn.info}
    return Link(asked.get("host", ""), bool(connection.pgconn.ssl_in_use), str(given.get("sslmode", asked["sslmode"])))
