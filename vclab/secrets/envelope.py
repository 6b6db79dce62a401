"""A sealed secret: one box for each reader, made with HPKE (RFC 9180: X25519, HKDF-SHA256, ChaCha20-Poly1305).

Anybody who has a reader's public key can seal, and only the reader can open: so the API takes an endpoint's password
that it can't read again. What the secret is called, and where it may be sent, is part of what is sealed: a box that is
put under another name, or beside another address, does not open.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from vclab.model.errors import Refused
from vclab.secrets.keys import PrivateKey, PublicKey
from vclab.secrets.references import Destination

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_BEGINS = '{"vclab-secret":'
_VERSION = 1


@dataclass(frozen=True)
class Box:
    """What one reader opens."""

    key: str  #: the id of the key that it was sealed to
    sealed: bytes


@dataclass(frozen=True)
class Envelope:
    """A secret as it lies in its file."""

    reference: str
    destination: Destination | None  #: None: it is sent nowhere but to the computer of its tenure
    boxes: Mapping[str, Box]  #: by reader

    @classmethod
    def parse(cls, reference: str, text: str) -> "Envelope | None":
        """None: it is not sealed. Raises ``Refused`` for one that is damaged."""
        if not text.startswith(_BEGINS):
            return None
        try:
            found = json.loads(text)
            place = found["for"]
            boxes = {name: Box(box["key"], base64.b64decode(box["box"])) for name, box in found["boxes"].items()}
            if found["vclab-secret"] != _VERSION:
                raise Refused(f"the secret {reference} was written by a newer vclab", "update this program")
            return cls(reference, Destination(place["address"], place["pin"]) if place else None, boxes)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise damaged(reference) from None

    def text(self) -> str:
        """For the file."""
        place = self.destination and {"address": self.destination.address, "pin": self.destination.pin}
        text = {name: base64.b64encode(box.sealed).decode() for name, box in self.boxes.items()}
        boxes = {name: {"key": box.key, "box": text[name]} for name, box in self.boxes.items()}
        return json.dumps({"vclab-secret": _VERSION, "for": place, "boxes": boxes}) + "\n"

    def sealed_to(self, readers: Mapping[str, PublicKey], value: str) -> "Envelope":
        """The same secret for these readers, by their newest keys."""
        return replace(self, boxes={name: self._box(name, key, value) for name, key in readers.items()})

    def opened(self, reader: str, key: PrivateKey) -> str:
        """The value. Raises ``Refused`` when it was changed after it was sealed, or is not what it is said to be."""
        try:
            return _SUITE.decrypt(self.boxes[reader].sealed, key.key, self._info(reader)).decode()
        except (InvalidTag, ValueError):
            raise damaged(self.reference) from None

    def _box(self, reader: str, key: PublicKey, value: str) -> Box:
        return Box(key.id, _SUITE.encrypt(value.encode(), key.key, self._info(reader)))

    def _info(self, reader: str) -> bytes:
        place = self.destination and [self.destination.address, self.destination.pin]
        return json.dumps(["vclab secret", _VERSION, self.reference, reader, place]).encode()


def damaged(reference: str) -> Refused:
    """What is there was not sealed as it is."""
    text = f"the secret {reference} is damaged, or was put there by somebody who could not seal it"
    return Refused(text, "find out who could write there; enter the password again")
