"""What secrets are called, to whom they are sealed, where they may be sent, and what is raised. Needs no library."""

from dataclasses import dataclass

from vclab.model.errors import Refused, VclabError

API = "api"
"""The reader of what users are shown."""


class SecretMissing(VclabError):
    """No secret is stored under that reference."""


class SecretSealed(VclabError):
    """A secret is there, and nobody here has a key to it."""


@dataclass(frozen=True)
class Destination:
    """Where a password may be sent: it was entered for this address, and for whoever shows this certificate there."""

    address: str  #: an endpoint's URL, a BMC's address
    pin: str = ""  #: SHA-256 of the certificate, lower-case hex; empty: the protocol has none

    def __str__(self) -> str:
        return f"{self.address} with the certificate {self.pin[:16]}…" if self.pin else self.address


def site_reader(site: str) -> str:
    """The workers of a site."""
    return f"site-{site}"


def readers(reference: str, site: str) -> tuple[str, ...]:
    """To whom a secret is sealed: the workers of its site; what a user is shown to the API too. What an identity
    provider is asked by about its people (``provider/uni/…``): to the API only."""
    if reference.startswith("provider/"):
        return (API,)
    shown = reference.startswith("tenure/") and reference.endswith("/login")
    return (site_reader(site), API) if shown else (site_reader(site),)


def of_tenure(reference: str, computer: str, generation: int) -> str:
    """The reference, if it names a secret of this tenure. Raises ``Refused``: it may come from whoever wants one."""
    if not reference.startswith(f"tenure/{computer}/{generation}/"):
        raise Refused(f"{reference} is no secret of generation {generation} of {computer}")
    return reference


def of_revision(reference: str) -> str:
    """The reference, if it names a secret of an image's revision: ``revision/debian-12/3/root``. Raises ``Refused``."""
    if not reference.startswith("revision/"):
        raise Refused(f"{reference or 'an empty reference'} is no secret of a revision")
    return reference


def of_endpoint(reference: str) -> str:
    """The reference, if it names the password of an endpoint. Raises ``Refused``."""
    if not reference.startswith("endpoint/"):
        raise Refused(f"{reference} is no password of an endpoint")
    return reference


def of_bmc(reference: str) -> str:
    """The reference, if it names the password of a BMC. Raises ``Refused``."""
    if not reference.startswith("power/"):
        raise Refused(f"{reference} is no password of a BMC")
    return reference
