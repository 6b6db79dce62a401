"""Operations on BMCs a minute, and what dead ones cost the others: 40 of Debian's ``ipmi_sim`` on this machine.

An operation switches a node on or off: one child process and one login, observe, act, confirm. All nodes are switched
at once, each by a thread of its own, as a class is. Dead BMCs are stopped processes, which are tried again and again,
as a step is.
"""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from vclab.lab import bmcs
from vclab.lab.bmcs import Node
from vclab.model.errors import Unreachable
from vclab.power.address import parse
from vclab.power.base import Bmc
from vclab.power.control import Power
from vclab.power.probe import probe

PASSWORD = "correct-horse-batt"
PAUSES = (1.0, 30.0)
"""Seconds before a dead one is tried again: they double from the first to the last, as a step's do."""


@dataclass(frozen=True)
class Ops:
    """``bmc_ops_per_minute``: of those that live, without and with dead ones beside them. Medians of the rounds."""

    bmcs: int
    dead: int
    bmc_ops_per_minute: float
    bmc_ops_per_minute_beside_dead: float
    bmc_ops_ratio_beside_dead: float  #: the median of the rounds' own
    bmc_op_cpu_seconds: float  #: of the children, without ipmi_sim's
    dead_told_seconds: float  #: until a dead one is told to be so


class _Quiet:
    """The runner of a step whose tenure nobody contests."""

    remembered: Mapping[str, str] = {}
    cancelled = False

    def progress(self, text: str) -> None:
        """Nobody watches."""

    def remember(self, **details: str) -> None:
        """There is no next attempt."""

    def fence(self) -> None:
        """The tenure is ours."""


def measure(count: int, dead: int, pairs: int, rounds: int) -> Ops:
    """Each living one is switched on and off ``pairs`` times in a round. Raises ``LabError`` without ipmi_sim."""
    alone, beside, told = list[float](), list[float](), list[float]()
    began = _children_cpu()
    with tempfile.TemporaryDirectory(prefix="vclab-bench-") as folder, _nodes(Path(folder), count) as nodes:
        ill, living = nodes[:dead], nodes[dead:]
        for process, _ in ill:
            os.killpg(process.pid, signal.SIGSTOP)
        for _ in range(rounds):
            alone.append(_per_minute(living, [], pairs, told))
            beside.append(_per_minute(living, ill, pairs, told))
        cpu = _children_cpu() - began
    return Ops(
        count,
        dead,
        round(median(alone), 1),
        round(median(beside), 1),
        round(median(b / a for a, b in zip(alone, beside, strict=True)), 3),
        round(cpu / (4 * rounds * pairs * len(living)), 3),
        round(median(told), 1) if told else 0.0,
    )


_One = tuple["subprocess.Popen[bytes]", Bmc]


def _per_minute(living: list[_One], dead: list[_One], pairs: int, told: list[float]) -> float:
    """Of the living ones, until the last of them is done."""
    power, over = Power(lambda reference: PASSWORD), threading.Event()
    with ThreadPoolExecutor(len(living) + len(dead)) as threads:
        silent = [threads.submit(_try, power, bmc, over, told) for _, bmc in dead]
        began = time.perf_counter()
        for work in [threads.submit(_switch, power, bmc, pairs) for _, bmc in living]:
            work.result()
        took = time.perf_counter() - began
        over.set()
        for one in silent:
            one.result()
    return 60 * 2 * pairs * len(living) / took


def _switch(power: Power, bmc: Bmc, pairs: int) -> None:
    for _ in range(pairs):
        power.on(bmc, _Quiet())
        power.off(bmc, _Quiet())


def _try(power: Power, bmc: Bmc, over: threading.Event, told: list[float]) -> None:
    pause, longest = PAUSES
    while not over.is_set():
        began = time.perf_counter()
        with contextlib.suppress(Unreachable):
            power.on(bmc, _Quiet())
        told.append(time.perf_counter() - began)
        over.wait(pause)
        pause = min(2 * pause, longest)


def _children_cpu() -> float:
    """Of those that have ended: ipmi_sim runs on."""
    used = os.times()
    return used.children_user + used.children_system


@contextlib.contextmanager
def _nodes(folder: Path, count: int) -> Iterator[list[_One]]:
    """That many, which answer."""
    found = list[_One]()
    try:
        for number in range(count):
            found.append(
                _start(Node(folder / f"n{number}", f"n{number}", "127.0.0.1", _free_port(), password=PASSWORD))
            )
        for _, bmc in found:
            _await(bmc)
        yield found
    finally:
        for process, _ in found:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _start(node: Node) -> _One:
    node.make()
    with (node.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            bmcs.ipmi(node), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    return process, Bmc(node.name, parse(f"ipmi://{node.user}@{node.address}:{node.port}"), "bmc")


def _await(bmc: Bmc) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            probe(bmc.address)
            return
        except Unreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
