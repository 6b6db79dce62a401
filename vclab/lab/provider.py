"""An identity provider of its own, as universities have one: Dex, which asks an LDAP directory (slapd) for people.

Here are the files and the commands of both; who runs them, starts and ends them.
"""

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vclab.lab import certificates

SLAPD, SLAPADD = "/usr/sbin/slapd", "/usr/sbin/slapadd"
SUFFIX = "dc=lab,dc=test"
ADMIN_DN = f"cn=admin,{SUFFIX}"
_SCHEMAS = ("core", "cosine", "inetorgperson", "nis")


@dataclass(frozen=True)
class Entry:
    """A person in the directory."""

    uid: str
    password: str
    name: str = ""  #: empty: as ``uid``
    mail: str = ""  #: empty: ``uid``@lab.test


@dataclass(frozen=True)
class Directory:
    """slapd, in a folder of its own."""

    folder: Path
    host: str  #: its address, e.g. 127.80.0.1
    admin_password: str
    port: int = 3389
    tls_port: int = 3636

    @property
    def certificate(self) -> Path:
        """Its own, which is also the authority by which it is checked."""
        return self.folder / "cert.pem"

    @property
    def url(self) -> str:
        """Where it is, without TLS. It refuses to hear a password there."""
        return f"ldap://{self.host}:{self.port}"

    @property
    def tls_url(self) -> str:
        """Where it is."""
        return f"ldaps://{self.host}:{self.tls_port}"

    def prepare(self, people: Sequence[Entry], groups: Mapping[str, Sequence[str]]) -> None:
        """Write its files and fill it: people, and groups with the uids of their members.

        Raises ``CalledProcessError``.
        """
        (self.folder / "db").mkdir(parents=True, mode=0o700, exist_ok=True)
        self.folder.chmod(0o700)
        certificates.self_signed(self.folder, self.host, self.host)
        config, tree = self.folder / "slapd.conf", self.folder / "tree.ldif"
        _private(config, self._config())
        _private(tree, _tree(people, groups))
        subprocess.run([SLAPADD, "-f", config, "-l", tree], check=True, capture_output=True, text=True)

    def command(self) -> list[str]:
        """It, in the foreground."""
        return [SLAPD, "-d", "0", "-f", str(self.folder / "slapd.conf"), "-h", f"{self.url} {self.tls_url}"]

    def _config(self) -> str:
        digest = _ssha(self.admin_password)
        return "\n".join(
            (
                *(f"include /etc/ldap/schema/{name}.schema" for name in _SCHEMAS),
                "modulepath /usr/lib/ldap",
                "moduleload back_mdb",
                f"pidfile {self.folder}/pid",
                f"TLSCertificateFile {self.certificate}",
                f"TLSCertificateKeyFile {self.folder}/key.pem",
                f"TLSCACertificateFile {self.certificate}",
                "security simple_bind=1",  # no password without TLS
                "database mdb",
                "maxsize 67108864",
                f'suffix "{SUFFIX}"',
                f'rootdn "{ADMIN_DN}"',
                f"rootpw {digest}",
                f"directory {self.folder}/db",
                "index objectClass,uid,member eq",
                "access to attrs=userPassword by self write by anonymous auth by * none",
                "access to * by users read by * none",
                "",
            )
        )


@dataclass(frozen=True)
class Client:
    """A program that Dex knows: vclab's API server."""

    id: str
    secret: str
    redirect_uris: tuple[str, ...]


@dataclass(frozen=True)
class Dex:
    """Dex, in a folder of its own; people are those of a directory."""

    program: Path
    folder: Path
    address: str  #: HOST:PORT
    directory: Directory
    clients: tuple[Client, ...]
    expiry: Mapping[str, str] = field(default_factory=dict)  #: e.g. {"idTokens": "10m"}

    @property
    def issuer(self) -> str:
        """As it calls itself."""
        return f"http://{self.address}/dex"

    def prepare(self) -> None:
        """Write its file. It has the passwords by which it asks the directory."""
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        _private(self.folder / "dex.yaml", json.dumps(self._config()))

    def command(self) -> list[str]:
        """It, in the foreground."""
        return [str(self.program), "serve", str(self.folder / "dex.yaml")]

    def _config(self) -> dict[str, Any]:
        clients = [
            {"id": each.id, "secret": each.secret, "name": each.id, "redirectURIs": list(each.redirect_uris)}
            for each in self.clients
        ]
        return {
            "issuer": self.issuer,
            "storage": {"type": "memory"},  # it forgets refresh tokens when it ends: then all people sign in again
            "web": {"http": self.address},
            "logger": {"level": "warn"},
            "oauth2": {"skipApprovalScreen": True},
            "staticClients": clients,
            "expiry": dict(self.expiry),
            "connectors": [{"type": "ldap", "id": "ldap", "name": "LDAP", "config": self._ldap()}],
        }

    def _ldap(self) -> dict[str, Any]:
        return {
            "host": f"{self.directory.host}:{self.directory.tls_port}",
            "rootCA": str(self.directory.certificate),
            "bindDN": ADMIN_DN,
            "bindPW": self.directory.admin_password,
            "userSearch": {
                "baseDN": f"ou=people,{SUFFIX}",
                "username": "uid",
                "idAttr": "entryUUID",  # a uid is given to somebody else one day
                "emailAttr": "mail",
                "nameAttr": "cn",
                "preferredUsernameAttr": "uid",
            },
            "groupSearch": {
                "baseDN": f"ou=groups,{SUFFIX}",
                "nameAttr": "cn",
                "userMatchers": [{"userAttr": "DN", "groupAttr": "member"}],
            },
        }


def dn(uid: str) -> str:
    """The name of a person in the directory."""
    return f"uid={uid},ou=people,{SUFFIX}"


def _tree(people: Sequence[Entry], groups: Mapping[str, Sequence[str]]) -> str:
    entries = [_ldif(SUFFIX, objectClass=["dcObject", "organization"], o=["lab"], dc=["lab"])]
    entries += [_ldif(f"ou={ou},{SUFFIX}", objectClass=["organizationalUnit"], ou=[ou]) for ou in ("people", "groups")]
    entries += [person(each) for each in people]
    for name, members in groups.items():
        member = [dn(uid) for uid in members]
        entries.append(_ldif(f"cn={name},ou=groups,{SUFFIX}", objectClass=["groupOfNames"], cn=[name], member=member))
    return "\n".join(entries)


def person(entry: Entry) -> str:
    """Their entry, as LDIF."""
    name = entry.name or entry.uid
    return _ldif(
        dn(entry.uid),
        objectClass=["inetOrgPerson"],
        uid=[entry.uid],
        cn=[name],
        sn=[name],
        mail=[entry.mail or f"{entry.uid}@lab.test"],
        userPassword=[_ssha(entry.password)],
    )


def _ldif(name: str, **attributes: Sequence[str]) -> str:
    """An entry; every value in base64, so that any text is one."""
    lines = [f"dn:: {_base64(name)}"]
    lines += [f"{key}:: {_base64(value)}" for key, values in attributes.items() for value in values]
    return "\n".join(lines) + "\n"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _ssha(password: str) -> str:
    """A password as slapd keeps it (RFC 2307)."""
    salt = os.urandom(16)
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


def _private(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)
