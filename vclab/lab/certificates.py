"""The lab's certificates: self-signed ones as new vCenters and BMCs have, and those of an authority of its own."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

DAYS = 3650


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: "x509.Certificate"
    key: "ec.EllipticCurvePrivateKey"

    def write(self, certificate: Path, key: Path) -> None:
        """As PEM; only the owner can read the key."""
        from cryptography.hazmat.primitives import serialization

        pem = serialization.Encoding.PEM
        certificate.write_bytes(self.certificate.public_bytes(pem))
        text = self.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        key.unlink(missing_ok=True)
        key.touch(mode=0o600)
        key.write_bytes(text)


@dataclass(frozen=True)
class Authority:
    """Signs what the lab's parts show each other, in a folder: ``ca.pem`` and ``ca.key``, ``NAME.pem`` and
    ``NAME.key``."""

    folder: Path
    pair: Pair

    @classmethod
    def of(cls, folder: Path, name: str = "ca") -> "Authority":
        """That of a folder, made when there is none."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        if not key.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _made(name).write(certificate, key)
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        return cls(folder, Pair(x509.load_pem_x509_certificate(certificate.read_bytes()), loaded))

    def issue(
        self, file: str, name: str = "", role: str = "", addresses: tuple[str, ...] = (), days: float = DAYS
    ) -> None:
        """A new ``FILE.pem`` and ``FILE.key``, also when there are some already. ``name`` (else ``file``) is who shows
        it, ``role`` what that may do (``deploy/temporal/authorizer.go``), ``addresses`` where it answers, or its DNS
        names."""
        made = _made(name or file, role, addresses, self.pair, days)
        made.write(self.folder / f"{file}.pem", self.folder / f"{file}.key")


def _name(address: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def self_signed(folder: Path, name: str, address: str) -> None:
    """``cert.pem`` and ``key.pem``, as of a new vCenter or BMC; its fingerprint pins it. What is there stays."""
    if not (folder / "key.pem").exists():
        _made(name, "", (address,)).write(folder / "cert.pem", folder / "key.pem")


def _made(
    name: str, role: str = "", addresses: tuple[str, ...] = (), issuer: Pair | None = None, days: float = DAYS
) -> Pair:
    """Without an issuer it signs itself, and, as it names no address, others."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    words = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]
    words += [x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, role)] if role else []
    subject = x509.Name(words)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    if issuer is None and not addresses:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if addresses:
        builder = builder.add_extension(x509.SubjectAlternativeName(map(_name, addresses)), critical=False)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)
