"""Where a person sits: the embedded lab gives each of its people a network namespace with a public address."""

import os
from pathlib import Path

from vclab.model.errors import Refused, Unreachable

NAMESPACES = Path("/run/netns")
_NETWORK = 0x40000000  #: CLONE_NEWNET of setns(2)


def enter(network: str) -> None:
    """This thread, and all that it starts, goes on in the network namespace of that name.

    Raises ``Unreachable`` when it is not there, ``Refused`` for everybody but root.
    """
    import ctypes

    try:
        handle = os.open(NAMESPACES / network, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise Unreachable("the embedded lab is down", "start it: `vclab up`") from None
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, _NETWORK):
            why = os.strerror(ctypes.get_errno())
            raise Refused(f"only root goes to where the lab's people sit: {why}", "run it as root: sudo vclab …")
    finally:
        os.close(handle)
