"""The initramfs of one load: what makes the imaging environment this load's, and nobody else's.

It has the private host key, so it is handed to the machine of the load only, and goes when the load is over. Whoever
can read what goes over the provisioning network has it too: where that is shared with tenants, a load is not verified.
"""

from collections.abc import Sequence

import asyncssh

from vclab.model.errors import Invalid
from vclab.netboot import cpio, values

_PLACE = "etc/vclab/load"


def new_host_key() -> tuple[str, str]:
    """A host key for one load: the private one in OpenSSH's form, and the line of the public one."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    return key.export_private_key("openssh").decode(), _line(key)


def load_initrd(host_key: str, authorized_keys: Sequence[str], load: str) -> bytes:
    """The archive that the boot loader appends. The same values always give the same bytes.

    ``host_key``: a private key without a passphrase, in OpenSSH's form. ``authorized_keys``: public keys, a line each,
    of who may log in as root; options are refused. ``load``: what the console calls it. Raises ``Invalid``.
    """
    name = values.load(load)
    if not authorized_keys:
        raise Invalid("nobody could log in: a load needs at least one authorized key")
    lines = "".join(f"{_public(line)}\n" for line in authorized_keys)
    entries = [
        cpio.directory("etc"),
        cpio.directory("etc/vclab"),
        cpio.directory(_PLACE, 0o700),
        cpio.file(f"{_PLACE}/authorized_keys", lines.encode(), 0o600),
        cpio.file(f"{_PLACE}/host_key", _private(host_key), 0o600),
        cpio.file(f"{_PLACE}/name", f"{name}\n".encode()),
    ]
    return b"".join(cpio.archive(entries))


def _private(text: str) -> bytes:
    try:
        key = asyncssh.import_private_key(text)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
        raise Invalid("the host key of the load is not a private key without a passphrase") from None
    if not text.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n") or key.get_algorithm() != "ssh-ed25519":
        raise Invalid("the host key of the load must be an Ed25519 key in OpenSSH's form")
    return text.rstrip("\n").encode() + b"\n"


def _public(line: str) -> str:
    try:
        key = asyncssh.import_public_key(" ".join(line.split(" ")[:2]))
    except (asyncssh.KeyImportError, ValueError):
        raise Invalid(f"{line[:80]!r} is not a public key") from None
    return _line(key)


def _line(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key("openssh").decode().split()[:2])
