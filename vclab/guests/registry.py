"""All guests (OS families) of this release. A new one is registered by one line, here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """An OS family that vclab can enter. A test compares the names with those of the classes."""

    name: str  #: as in ``Image.guest``
    pretended: bool = False  #: for rehearsals: offered only where the settings switch the pretended world on


FAMILIES = (Family("linux"), Family("fake", pretended=True))
"""Importing these imports none of their libraries: the command line names them in its help."""
