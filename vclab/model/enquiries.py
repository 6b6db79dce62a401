"""What an administrator asks an endpoint through a worker of its site, where its password can be opened."""

from dataclasses import dataclass

from vclab.model.catalog import Endpoint, Image


@dataclass(frozen=True)
class AskEndpoint:
    """Log in and look; nothing is changed there. It is a claim: the password is given only for the address and the
    certificate that it was entered for."""

    endpoint: Endpoint  #: as it is, or as it is to be
    images: tuple[Image, ...] = ()  #: whose masters are looked for
