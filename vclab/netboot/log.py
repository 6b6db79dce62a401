"""What a machine has asked the provisioning network for, by dnsmasq's log: evidence when it does not come up."""

import re
from collections.abc import Iterator
from pathlib import Path

from vclab.model import reported
from vclab.model.errors import Failed
from vclab.netboot import values

LOOKED_AT = 1 << 20
"""Bytes at the log's end: a boot takes about 10 KiB of it."""
_LINE = re.compile(r"(?:\w{3} [ \d]\d (?P<at>[\d:]{8}) )?dnsmasq-(?P<part>dhcp|tftp)(?:\[\d+\])?: (?P<said>.*)")
_DHCP = re.compile(
    r"(?P<call>\d+ )?(?P<kind>DHCP[A-Z]+|PXE)\(\S+\) (?:(?P<address>[\d.]+) )?(?P<mac>[\da-f:]{17}) ?(?P<more>.*)"
)
_FILE = re.compile(r"(?P<call>\d+ )?(?:sent size: *\d+ option: 67 bootfile-name +|bootfile name: )(?P<file>\S+)")
_TFTP = re.compile(r"(?:(?P<how>sent|failed sending|file) )?\S*/(?P<mac>[\da-f-]{17})/(?P<file>\S+)(?P<more>.*)")

_OFFERED = "was offered"


def seen(log: Path, mac: str, most: int = 12) -> list[str]:
    """The last of it in words, the newest last. Raises ``Failed`` when the log can't be read."""
    found: list[tuple[str, str]] = []
    for at, said in _said(_end_of(log), mac):
        if found and said.startswith(found[-1][1]):  # the same again, or more of it
            found.pop()
        found.append((at, said))
    if found and found[-1][1].startswith(_OFFERED):
        found.append((found[-1][0], "did not take it: does another DHCP server answer there?"))
    return [reported.line(f"{at} {said}".strip(), 200) for at, said in found[-most:]]


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LOOKED_AT))
            return file.read(LOOKED_AT).decode("utf-8", "replace")
    except OSError as error:
        raise Failed(
            f"the log of the provisioning network can't be read: {log}: {error.strerror}",
            "netboot.log names it, and the worker's account needs dnsmasq's group",
        ) from None


def _said(text: str, mac: str) -> Iterator[tuple[str, str]]:
    """(when, what) of this machine."""
    folder, call, answer = values.hyphened(mac), "", ""
    for line in filter(None, map(_LINE.fullmatch, text.splitlines())):
        at, said = line["at"] or "", line["said"]
        if line["part"] == "tftp":
            if (sent := _TFTP.match(said)) and sent["mac"] == folder:
                yield at, _file(sent)
        elif found := _DHCP.match(said):
            call = found["call"] or "" if found["mac"] == mac else "of another"
            answer = _dhcp(found)
            if call != "of another" and answer:
                yield at, answer
        elif answer and (file := _FILE.match(said)) and (file["call"] or "") == call:
            yield at, f"{answer}, boot file {file['file']}"


def _dhcp(found: re.Match[str]) -> str:
    match found["kind"]:
        case "DHCPDISCOVER" if "ignored" in found["more"]:
            return "asked for an address, and got no answer: DHCP does not know it"
        case "DHCPDISCOVER":
            return "asked for an address"
        case "DHCPOFFER":
            return f"{_OFFERED} {found['address']}"
        case "DHCPREQUEST":
            return f"asked for {found['address']}"
        case "DHCPACK":
            return f"was given {found['address']}"
        case "DHCPNAK" if "wrong server-ID" in found["more"]:
            return f"asked another DHCP server for {found['address']}"
        case "DHCPNAK":
            return f"was refused {found['address']}: {found['more']}"
        case "PXE":
            return f"was told to boot {found['more']}"
    return ""


def _file(sent: re.Match[str]) -> str:
    match sent["how"]:
        case "sent":
            return f"was sent {sent['file']}"
        case "failed sending":
            return f"was sent only a part of {sent['file']}"
    missing = "not found" in sent["more"]
    return f"asked for {sent['file']}, which is not there for it" if missing else f"{sent['file']}{sent['more']}"
