"""What a process that holds secrets does at its start: no core file, and nobody but root looks into its memory."""

import ctypes
import logging
import os
import resource

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4


def harden() -> None:
    """Dump no core, and let no other process of this account read the memory, the environment, or attach.

    ``ulimit`` and systemd's ``LimitCORE`` may say otherwise, and a core that is piped to a program is bound by no
    limit: so it is said to the kernel too. What is executed from here decides for itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        log.warning("a crash may write a core file: %s", os.strerror(ctypes.get_errno()))
