"""A machine's processes: one tree in fresh namespaces, with a console. Killing it leaves nothing behind.

What is started becomes the first process of its namespaces (``pid_namespaces(7)``); how that ends says why the machine
is off.
"""

import contextlib
import os
import pty
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from vclab.lab.errors import LabError
from vclab.lab.serial_port import SerialPort, nobody

STOP_SECONDS = 10.0
# If the supervisor is killed, the machine dies with it.
_ISOLATED = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Ended(StrEnum):
    """Why a machine does not run any more."""

    REBOOT = "reboot"  #: `reboot` inside
    POWER_OFF = "power off"  #: `poweroff` inside
    CUT = "cut"  #: stopped or killed from outside


# How the kernel reports reboot(2) of a pid namespace's init: pid_namespaces(7).
_ENDED_BY = {-signal.SIGHUP: Ended.REBOOT, -signal.SIGINT: Ended.POWER_OFF}


class ProcessTree:
    """The processes of one machine. Not for several threads at once."""

    def __init__(self, name: str, console_log: Path, serial: SerialPort | None = None) -> None:
        """``serial``: where the console is besides."""
        self.console_log = console_log  #: what the machine wrote on its console
        self._name = name
        self._serial = serial
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that stands for the machine; 0 when it is off."""
        return self._process.pid if self._process else 0

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run the command in fresh namespaces, with a terminal of its own as console (``$CONSOLE``). It dies with the
        thread that calls this (PR_SET_PDEATHSIG)."""
        master, slave = pty.openpty()
        try:
            self._process = subprocess.Popen(
                [*_ISOLATED, "--kill-child=SIGKILL", *command],
                env={"PATH": _PATH, "CONSOLE": os.ttyname(slave), **environment},
                stdin=subprocess.DEVNULL,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
            )
        except BaseException:
            os.close(master)
            os.close(slave)
            raise
        handles = (master, slave, os.pidfd_open(self._process.pid))
        threading.Thread(target=self._console, args=handles, daemon=True).start()

    def tell(self, text: str) -> None:
        """Put a line into the console log, as firmware would."""
        line = f"[{time.strftime('%F %T', time.gmtime())}] {text}\n"
        with self.console_log.open("a") as log:
            log.write(line)
        if self._serial:
            self._serial.say(line.replace("\n", "\r\n").encode())

    def _console(self, master: int, slave: int, process: int) -> None:
        """Copies the console into its log until the machine is off. Reaps nothing: that is for ``ended`` to do."""
        ready = select.poll()
        for handle in (master, process):
            ready.register(handle, select.POLLIN)
        serial = self._serial
        try:
            if serial:
                serial.typed = lambda typed: _type(master, typed)
            with self.console_log.open("ab", buffering=0) as log:
                while (master, select.POLLIN) in ready.poll():
                    said = os.read(master, 65536)
                    if serial:
                        serial.say(said)
                    log.write(said)
        except OSError:
            pass  # a full disk must not stop the machine
        finally:
            if serial:
                serial.typed = nobody
            for handle in (master, slave, process):
                os.close(handle)

    def init(self) -> int:
        """The pid, seen from the host, of the machine's init; 0 when it has none (yet)."""
        try:
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        except OSError:
            return 0
        return int(children[0]) if children else 0

    def stop(self) -> None:
        """Cut the power: returns when all its processes are gone. Harmless when it is off. Raises ``LabError``."""
        process = self._process
        if process is None:
            return
        # Init first: the kernel lets it end only after all its namespace has.
        for pid in (self.init(), process.pid):
            if pid and process.poll() is None:
                _kill(pid)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self._name} (pid {process.pid}) does not die; is the machine out of memory?") from None
        self._process = None

    def ended(self) -> Ended | None:
        """None while it runs; else why it ended, and it can be started again."""
        code = self._process.poll() if self._process else 0
        if code is None:
            return None
        self._process = None
        return _ENDED_BY.get(code, Ended.CUT)


def _type(master: int, typed: bytes) -> None:
    """What nobody reads is lost: a terminal whose buffer is full must not hold up the BMC."""
    if select.select([], [master], [], 0)[1]:
        os.write(master, typed)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
