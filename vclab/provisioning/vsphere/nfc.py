"""Leases under which disks come and go over HTTP (NFC): waited for, kept alive, given back; and their connections."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from vclab.library import telling as progress
from vclab.library.content import Told
from vclab.model.errors import Interrupted, StepFailed, Unreachable
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere.api import Ref, vim, vmodl
from vclab.provisioning.vsphere.faults import words
from vclab.provisioning.vsphere.properties import read
from vclab.provisioning.vsphere.session import pinned_connection
from vclab.provisioning.vsphere.site import Site

CHUNK = 1 << 20
LEASE_SECONDS = 120.0
"""For which a lease is waited for."""
ANSWER_SECONDS = 900.0
"""For which the endpoint may work on a disk before it answers."""
ALIVE_SECONDS = 20.0
"""How often a lease is told that somebody is there: it ends after five minutes without a word."""
_LOOK_SECONDS = 0.5
"""How soon a transfer that is to stop is cut off."""


class Transfer:
    """A connection for the disk of a lease; whoever uses it says how far it is."""

    def __init__(self, site: Site, info: Any) -> None:
        device = next((each for each in info.deviceUrl if each.disk), None)
        if device is None:
            raise StepFailed(f"{site.endpoint.name} gives a lease without a disk")
        url, own = urlsplit(device.url), urlsplit(site.endpoint.url)
        self.host = (own.hostname if url.hostname in (None, "*") else url.hostname) or ""
        self.path = url.path
        self.percent = 0
        pin = device.sslThumbprint or site.endpoint.fingerprint
        self.connection = pinned_connection(self.host, url.port or 443, pin)

    def wait_at_most(self, seconds: float) -> None:
        """For each answer from now on."""
        self.connection.sock.settimeout(seconds)


@contextmanager
def lease(site: Site, asked: Ref, context: StepContext) -> Iterator[Any]:
    """The lease's facts, once it is ready; completed after the block, or aborted.

    Raises ``StepFailed``, ``Unreachable`` and ``Interrupted``.
    """
    context.remember(lease=asked._moId)
    try:
        yield _ready(site, asked, context)
        asked.HttpNfcLeaseComplete()
    except BaseException:
        _abort(asked)
        raise


def abort_earlier(site: Site, context: StepContext) -> None:
    """Abort the lease of an attempt that was cut off: nothing else can change its machine while it lives on. An
    endpoint gives a lease's name to no other one."""
    if name := context.remembered.get("lease"):
        _abort(vim.HttpNfcLease(name, site.content.propertyCollector._stub))


@contextmanager
def transfer(site: Site, info: Any, context: StepContext) -> Iterator[Transfer]:
    """A connection for the lease's disk. While the block runs the lease is kept alive, also when nothing comes.

    What breaks it off raises ``Unreachable``, or ``Interrupted`` when it is to stop.
    """
    over = Transfer(site, info)
    try:
        over.connection.connect()
        with _attended(info.lease, over, context):
            yield over
    except (OSError, http.client.HTTPException) as error:
        if context.cancelled:
            raise Interrupted("stopped as asked; the transfer was cut off") from None
        raise Unreachable(f"{over.host} broke off the transfer: {error}") from None
    finally:
        over.connection.close()


def telling(context: StepContext, what: str, since: int, until: int) -> Told:
    """Tells the progress in percents of the whole, of which this is a part. Raises ``Interrupted``."""
    return progress.telling(context, lambda percent: f"copied {percent} % ({what})", since, until)


@contextmanager
def _attended(held: Ref, over: Transfer, context: StepContext) -> Iterator[None]:
    ended, attended = threading.Event(), over.connection.sock
    watcher = threading.Thread(target=_attend, args=(held, over, context, ended, attended), name="lease", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _attend(held: Ref, over: Transfer, context: StepContext, ended: threading.Event, connected: socket.socket) -> None:
    told = time.monotonic()
    while not ended.wait(_LOOK_SECONDS):
        if context.cancelled:
            with suppress(OSError):  # not that of its class, which would also take TLS away from who reads
                socket.socket.shutdown(connected, socket.SHUT_RDWR)
            return
        if time.monotonic() - told > ALIVE_SECONDS:
            told = time.monotonic()
            with suppress(Unreachable, vmodl.MethodFault):
                held.HttpNfcLeaseProgress(over.percent)


def _ready(site: Site, asked: Ref, context: StepContext) -> Any:
    deadline = time.monotonic() + LEASE_SECONDS
    while True:
        seen = read(site.session, asked, ["state", "info", "error"]) or {}
        if seen.get("state") == "ready":
            return seen["info"]
        if seen.get("state") == "error":
            error = seen.get("error")
            raise StepFailed(f"{site.endpoint.name} gives no lease: {words(error) if error else 'no reason given'}")
        if context.cancelled:
            raise Interrupted("stopped as asked")
        if time.monotonic() > deadline:
            raise Unreachable(f"{site.endpoint.name} gives no lease within {LEASE_SECONDS:.0f} s")
        time.sleep(0.2)


def _abort(held: Ref) -> None:
    with suppress(Unreachable, vmodl.MethodFault):
        held.HttpNfcLeaseAbort(None)
