"""Turning the keys: a new key for each ring that is here, and every secret that can be opened here sealed anew.

It may be cut off anywhere: until a secret is sealed to a new key it opens with the old one, and no key is dropped that
seals anything. The key before stays until the next time, for whoever still seals to it: another machine that has an
older copy of the public key.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from vclab.model.errors import VclabError
from vclab.secrets.envelope import Envelope
from vclab.secrets.keys import PublicKey
from vclab.secrets.references import Destination, SecretMissing, readers
from vclab.secrets.store import SecretStore, opened

Where = Callable[[str], tuple[Destination | None, str]]
"""Where the secret of a reference may be sent, and its site: of those that are not sealed yet."""
_KEPT = 2  #: keys of a ring: the newest, and the one before


@dataclass(frozen=True)
class RingStatus:
    """A ring."""

    reader: str
    private: bool  #: its private keys are here
    keys: tuple[tuple[str, str], ...]  #: id and when it was made, the newest first; of a public one only the id
    newest: int  #: secrets that are sealed to its newest key
    older: int  #: to older keys that are here
    lost: int  #: to keys that are not in the ring, though the ring is here: nobody can open these


@dataclass(frozen=True)
class Status:
    """All of it."""

    rings: tuple[RingStatus, ...]
    plain: tuple[str, ...]  #: secrets that are not sealed
    damaged: tuple[str, ...]


@dataclass
class Rotated:
    """What was done."""

    sealed: int = 0  #: that were sealed before, to older keys
    plain: list[str] = field(default_factory=list)  #: that were not sealed, and are now
    left: list[str] = field(default_factory=list)  #: to which no key is here: other machines have them
    failed: list[str] = field(default_factory=list)  #: and why
    dropped: int = 0  #: old keys


def rotate(store: SecretStore, wanted: Iterable[str], where: Where) -> Rotated:
    """Turn all rings whose private keys are here; make those of ``wanted`` of which nothing is here.

    Raises ``Refused`` for keys that can't be used, ``Unreachable`` when nothing can be written.
    """
    done = Rotated()
    with store.files.turn(alone=True):
        store.keys.clean()
        made = store.keys.make_missing(wanted)
        here = [reader for reader in store.keys.readers() if store.keys.has_private(reader)]
        for reader in here:
            if reader not in made:
                store.keys.turn(reader)
    for reference in store.files.all():
        try:
            with store.files.turn(alone=True):
                _anew(store, reference, where, done)
        except SecretMissing:
            continue  # it was forgotten meanwhile
        except VclabError as error:
            done.failed.append(f"{reference}: {error.message}")
    if not done.failed:  # what could not be read might be sealed to any key
        with store.files.turn(alone=True):
            done.dropped = sum(_drop(store, reader) for reader in here)
    return done


def _anew(store: SecretStore, reference: str, where: Where, done: Rotated) -> None:
    text = store.files.read(reference)
    envelope = Envelope.parse(reference, text)
    if envelope is None:
        destination, site = where(reference)
        fresh = Envelope(reference, destination, {})
        store.files.write(reference, fresh.sealed_to(_public(store, readers(reference, site)), text).text())
        done.plain.append(reference)
        return
    value = opened(envelope, {reader: store.keys.ring(reader) for reader in envelope.boxes})
    if value is None:
        done.left.append(reference)
        return
    store.files.write(reference, envelope.sealed_to(_public(store, envelope.boxes), value).text())
    done.sealed += 1


def _public(store: SecretStore, names: Iterable[str]) -> Mapping[str, PublicKey]:
    return {reader: store.keys.public(reader) for reader in names}


def _drop(store: SecretStore, reader: str) -> int:
    """Keys that seal nothing, but for the newest ones."""
    ring, used = store.keys.ring(reader), _used(store)
    kept = [key for number, key in enumerate(ring) if number < _KEPT or used[(reader, key.id)]]
    if kept != ring:
        store.keys.write(reader, kept)
    return len(ring) - len(kept)


def _used(store: SecretStore) -> Counter[tuple[str, str]]:
    """How many secrets are sealed to each key. Raises ``Refused`` for one that can't be read."""
    found: Counter[tuple[str, str]] = Counter()
    for reference in store.files.all():
        envelope = Envelope.parse(reference, store.files.read(reference))
        found.update((reader, box.key) for reader, box in (envelope.boxes if envelope else {}).items())
    return found


def status(store: SecretStore) -> Status:
    """The rings, and what is sealed to them. Nothing is changed. Raises as the keys do."""
    used: Counter[tuple[str, str]] = Counter()
    plain, damaged = [], []
    for reference in store.files.all():
        try:
            envelope = Envelope.parse(reference, store.files.read(reference))
        except VclabError:
            damaged.append(reference)
            continue
        if envelope is None:
            plain.append(reference)
        else:
            used.update((reader, box.key) for reader, box in envelope.boxes.items())
    names = sorted({*store.keys.readers(), *(reader for reader, _ in used)})
    of = {name: {id: number for (reader, id), number in used.items() if reader == name} for name in names}
    return Status(tuple(_ring_status(store, name, of[name]) for name in names), tuple(plain), tuple(damaged))


def _ring_status(store: SecretStore, reader: str, used: Mapping[str, int]) -> RingStatus:
    ring = store.keys.ring(reader)
    keys = tuple((key.id, f"{key.made_at:%Y-%m-%d}") for key in ring) or _public_only(store, reader)
    newest = keys[0][0] if keys else ""
    known = {id for id, _ in keys}
    return RingStatus(
        reader,
        bool(ring),
        keys,
        used.get(newest, 0),
        sum(number for id, number in used.items() if id in known and id != newest),
        sum(number for id, number in used.items() if ring and id not in known),
    )


def _public_only(store: SecretStore, reader: str) -> tuple[tuple[str, str], ...]:
    return ((store.keys.public(reader).id, ""),) if reader in store.keys.readers() else ()
