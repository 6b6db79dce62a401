"""How the Temporal server is reached: vclab's own settings, and below them one of Temporal's own profiles.

A profile is read only when ``temporal.profile`` or ``temporal.config_file`` names one: as Temporal's SDKs and command
line read it, with the variables ``TEMPORAL_*`` before the file. What vclab's settings say goes before the profile.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from temporalio.envconfig import ClientConfigProfile, ClientConfigTLS
    from temporalio.service import TLSConfig

    from vclab.settings import TemporalSettings

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\s:/@\[\]]+):(\d{1,5})")
_OTHERS = 0o007
_CERTIFICATE = (b"-----BEGIN CERTIFICATE-----", b"-----BEGIN TRUSTED CERTIFICATE-----")
_KEY = (b"PRIVATE KEY-----",)


@dataclass(frozen=True)
class Tls:
    """What TLS needs, in PEM. Without an authority, those of the system are trusted."""

    authority: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    server_name: str = ""


@dataclass(frozen=True)
class Connection:
    """Where the server is, and what it is shown. Secrets are not in its ``repr``."""

    address: str
    namespace: str
    tls: Tls | None = None  #: None: plain text
    token: str = field(default="", repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def local(self) -> bool:
        """Whether the server is on this machine, so that plain text leaves it nowhere."""
        return _is_loopback(self.address)

    def text(self) -> str:
        """``TLS with a client certificate and a token``."""
        shown = ["a client certificate"] * bool(self.tls and self.tls.certificate) + ["a token"] * bool(self.token)
        kind = "TLS" if self.tls else "plain text"
        return f"{kind} with {' and '.join(shown)}" if shown else kind

    def tls_config(self) -> "TLSConfig | bool":
        """For the SDK."""
        from temporalio.service import TLSConfig

        if self.tls is None:
            return False
        return TLSConfig(
            server_root_ca_cert=self.tls.authority,
            domain=self.tls.server_name or None,
            client_cert=self.tls.certificate,
            client_private_key=self.tls.key,
        )


def connection(settings: "TemporalSettings") -> Connection:
    """What the settings say, files read. Raises ``ValueError`` that names the setting when something can't be meant."""
    profile = _profile(settings) if settings.profile or settings.config_file else None
    found = Connection(
        address=_first(settings, "address", profile.address if profile else None),
        namespace=_first(settings, "namespace", profile.namespace if profile else None),
        tls=_tls(settings, profile),
        token=_token(settings, profile),
        metadata=profile.grpc_meta if profile else {},
    )
    _check(found, settings)
    return found


def _first(settings: "TemporalSettings", name: str, of_profile: str | None) -> str:
    own = str(getattr(settings, name))
    return own if name in settings.model_fields_set else of_profile or own


def _check(found: Connection, settings: "TemporalSettings") -> None:
    matched = _ADDRESS.fullmatch(found.address)
    if matched is None or not 0 < int(matched[2]) < 65536:
        raise ValueError("temporal.address must be HOST:PORT, without a scheme, a path or a login")
    if not found.namespace:
        raise ValueError("temporal.namespace must not be empty")
    if found.token and found.tls is None and not found.local:
        name = "temporal.token_file" if settings.token_file else "the profile's api_key"
        raise ValueError(f"{name} would cross the network in plain text: set temporal.tls = true, and temporal.tls_ca")


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# TLS and token, by vclab's settings, else by the profile.


def _tls(settings: "TemporalSettings", profile: "ClientConfigProfile | None") -> Tls | None:
    own = [name for name in ("tls_ca", "tls_cert", "tls_key", "tls_server_name") if getattr(settings, name)]
    if settings.tls is False and own:
        raise ValueError(f"temporal.tls is false, but temporal.{own[0]} is set: leave out one of them")
    if bool(settings.tls_cert) != bool(settings.tls_key):
        there, lacks = ("tls_cert", "tls_key") if settings.tls_cert else ("tls_key", "tls_cert")
        raise ValueError(f"temporal.{there} is set, but temporal.{lacks} is not: a client certificate needs both")
    below = _tls_of(profile) if profile else None
    if settings.tls is False or not (settings.tls or own or below):
        return None
    return _over(settings, below or Tls())


def _over(settings: "TemporalSettings", below: Tls) -> Tls:
    pair = (below.certificate, below.key)
    if settings.tls_cert and settings.tls_key:
        certificate = _pem("temporal.tls_cert", settings.tls_cert, _CERTIFICATE)
        pair = (certificate, _pem("temporal.tls_key", settings.tls_key, _KEY, private=True))
    authority = _pem("temporal.tls_ca", settings.tls_ca, _CERTIFICATE) if settings.tls_ca else below.authority
    return Tls(authority, *pair, settings.tls_server_name or below.server_name)


def _token(settings: "TemporalSettings", profile: "ClientConfigProfile | None") -> str:
    if settings.token_file is None:
        return (profile.api_key or "") if profile else ""
    token = _read("temporal.token_file", settings.token_file, private=True).decode("utf-8", "replace").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"temporal.token_file: {settings.token_file} must hold one token, in one line")
    return token


# Temporal's own profiles.


def _profile(settings: "TemporalSettings") -> "ClientConfigProfile":
    file = settings.config_file or Path(os.environ.get("TEMPORAL_CONFIG_FILE") or _usual_file())
    source = file if file.is_file() or settings.config_file else None
    if source:
        _read("temporal.config_file", source)
        if _holds_secrets(_load(settings, source, disable_env=True)):
            _read("temporal.config_file", source, private=True)
    return _load(settings, source, disable_env=False)


def _usual_file() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "temporalio" / "temporal.toml"


def _load(settings: "TemporalSettings", file: Path | None, disable_env: bool) -> "ClientConfigProfile":
    from temporalio.envconfig import ClientConfigProfile

    try:
        return ClientConfigProfile.load(
            settings.profile or None,
            config_source=file,
            disable_file=file is None,
            disable_env=disable_env,
            config_file_strict=True,
        )
    except (RuntimeError, ValueError, TypeError) as error:
        said = str(error).splitlines()[0][:200]  # further lines may show a line of the file
        raise ValueError(f"temporal.profile can't be read from {file or 'TEMPORAL_*'}: {said}") from None


def _holds_secrets(profile: "ClientConfigProfile") -> bool:
    key = profile.tls and profile.tls.client_private_key
    return bool(profile.api_key) or isinstance(key, str | bytes)


def _tls_of(profile: "ClientConfigProfile") -> Tls | None:
    """The SDK's rule: a token alone means TLS."""
    said = profile.tls
    if said is None:
        return Tls() if profile.api_key else None
    if said.disabled:
        return None
    if bool(said.client_cert) != bool(said.client_private_key):
        raise ValueError("temporal.profile: a client certificate needs both client_cert and client_key")
    return Tls(*_pems(said), server_name=said.server_name or "")


def _pems(said: "ClientConfigTLS") -> tuple[bytes | None, bytes | None, bytes | None]:
    return (
        _source("server_ca_cert", said.server_root_ca_cert, _CERTIFICATE),
        _source("client_cert", said.client_cert, _CERTIFICATE),
        _source("client_key", said.client_private_key, _KEY, private=True),
    )


def _source(
    name: str, source: Path | str | bytes | None, marks: tuple[bytes, ...], private: bool = False
) -> bytes | None:
    if isinstance(source, Path):
        return _pem(f"temporal.profile: {name}", source, marks, private)
    return source.encode() if isinstance(source, str) else source


# Files.


def _pem(name: str, path: Path, marks: tuple[bytes, ...], private: bool = False) -> bytes:
    content = _read(name, path, private)
    if not any(mark in content for mark in marks):
        raise ValueError(f"{name}: there is no {'private key' if private else 'certificate'} in PEM in {path}")
    return content


def _read(name: str, path: Path, private: bool = False) -> bytes:
    """The file; ``private``: which others must not be able to read. The group may be those who use vclab."""
    try:
        with path.open("rb") as file:
            if private and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise ValueError(f"{name}: everybody can read or change {path}; chmod o= {path}")
            return file.read()
    except OSError as error:
        raise ValueError(f"{name}: {path} can't be read: {error.strerror}") from None
