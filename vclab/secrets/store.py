"""The secret store: sealed files. Who reads here has some private keys, and so can open some of them."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from vclab.model.catalog import Endpoint
from vclab.model.errors import Refused
from vclab.secrets.envelope import Envelope
from vclab.secrets.folder import Folder
from vclab.secrets.keys import Keys, PrivateKey, PublicKey
from vclab.secrets.references import Destination, SecretMissing, SecretSealed, of_bmc, of_endpoint, readers

ALPHABET = "abcdefghjkmnpqrstuvwxyABCDEFGHJKMNPQRSTUVWXY3456789"
"""No look-alikes (VCL leaves out i I l L o O 0 z Z 1 2)."""
_OTHER_PLACE = "if that is the right one, enter the password again"


class SecretStore:
    """Secrets by reference, e.g. ``tenure/vm03/7/root``: (tenure, purpose). ``site``: for whose workers what is made
    here is."""

    def __init__(self, directory: Path, keys: Path, site: str) -> None:
        self.files = Folder(directory)
        self.keys = Keys(keys)
        self._site = site

    def get(self, reference: str, destination: Destination | None = None) -> str:
        """The value, to be sent there; None: it is one that is sent nowhere.

        Raises ``SecretMissing``, ``SecretSealed`` when nobody here has a key to it, and ``Refused``: for a password
        that was entered for another address or certificate, for what is not sealed, or was changed, and for a symbolic
        link.
        """
        envelope = self._envelope(reference)
        if envelope.destination != destination:
            raise _not_there(envelope, destination)
        if (opened := self._opened(envelope)) is None:
            opened = self._opened(again := self._envelope(reference))  # the ring may have been turned meanwhile
            if opened is None:
                raise self._no_key(again)
        return opened

    def endpoint_password(self, endpoint: Endpoint) -> str:
        """The password of an endpoint, if it was entered for its URL and certificate. Raises as ``get``, and
        ``Refused`` for any other secret."""
        return self.get(of_endpoint(endpoint.password_ref), destination_of(endpoint))

    def power_password(self, reference: str, address: str, fingerprint: str) -> str:
        """That of a BMC, if it was entered for this address and certificate. Raises as ``endpoint_password``."""
        return self.get(of_bmc(reference), Destination(address, fingerprint))

    def put(self, reference: str, value: str, destination: Destination | None = None, site: str | None = None) -> None:
        """Store a value, whole or not at all, sealed to those who need it; of this site, if no other is named.

        Raises ``Unreachable`` when it can't be written: the disk may be full; ``Refused`` for a symbolic link, and
        where the key to seal it is missing.
        """
        with self.files.turn():
            to = self._public(readers(reference, site or self._site))
            self.files.write(reference, Envelope(reference, destination, {}).sealed_to(to, value).text())

    def generate(self, reference: str, length: int = 16, destination: Destination | None = None) -> str:
        """The value under ``reference``; made up and stored first if there is none, so that a retry reuses it."""
        try:
            return self.get(reference, destination)
        except SecretMissing:
            value = "".join(secrets.choice(ALPHABET) for _ in range(length))
            self.put(reference, value, destination)
            return value

    def under(self, prefix: str, levels: int) -> list[str]:
        """As ``Folder.under``."""
        return self.files.under(prefix, levels)

    def forget(self, prefix: str) -> None:
        """Remove the secret ``prefix``, or all secrets below it; harmless when there is none."""
        with self.files.turn():
            self.files.remove(prefix)

    def _envelope(self, reference: str) -> Envelope:
        found = Envelope.parse(reference, self.files.read(reference))
        if found is None:
            raise Refused(f"the secret {reference} is not sealed", "seal all of them: `vclab secrets rotate`")
        return found

    def _opened(self, envelope: Envelope) -> str | None:
        return opened(envelope, {reader: self.keys.ring(reader) for reader in envelope.boxes})

    def _public(self, names: tuple[str, ...]) -> Mapping[str, PublicKey]:
        return {reader: self.keys.public(reader) for reader in names}

    def _no_key(self, envelope: Envelope) -> SecretSealed:
        to = ", ".join(f"{reader} (key {box.key})" for reader, box in envelope.boxes.items())
        return SecretSealed(
            f"the secret {envelope.reference} is sealed to {to}; this account has no such key in {self.keys.folder}",
            "run this where the key is; if it is lost, restore it from a backup, or enter the password again",
        )


def destination_of(endpoint: Endpoint) -> Destination:
    """Where an endpoint's password may be sent."""
    return Destination(endpoint.url, endpoint.fingerprint)


def opened(envelope: Envelope, rings: Mapping[str, list[PrivateKey]]) -> str | None:
    """What is in an envelope; None: there is no key to it. Raises ``Refused`` when it was changed."""
    for reader, box in envelope.boxes.items():
        for key in rings.get(reader, ()):
            if key.id == box.key:
                return envelope.opened(reader, key)
    return None


def _not_there(envelope: Envelope, destination: Destination | None) -> Refused:
    was = f"was entered for {envelope.destination}" if envelope.destination else "is sent nowhere"
    to = destination or "anybody who asks"
    return Refused(f"the password {envelope.reference} {was}; it is not given to {to}", _OTHER_PLACE)
