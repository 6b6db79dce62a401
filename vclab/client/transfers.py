"""Files between this machine and a repository: sent and fetched whole, also when the connection is lost in between."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from vclab.client.protocol import Client
from vclab.contract import transfers
from vclab.contract.progress import Told
from vclab.contract.transfers import Announce, Named, Part, Transfer
from vclab.contract.use_case import Nothing
from vclab.model.errors import Failed, Refused, Unreachable

PIECE = 1 << 20
"""Bytes that are read and sent at one time."""
PAUSES = (1.0, 3.0, 10.0, 30.0)
"""Seconds before it is tried again, as long as nothing more arrives."""


async def sent(client: Client, file: Path, repository: str | None, told: Told) -> Transfer:
    """Send a file. One of the same content that was sent in part before is gone on with.

    Raises ``OSError`` when the file can't be read, and as ``Client.call``.
    """
    size, sha256 = await asyncio.to_thread(_hashed, file, told)
    mine = [
        each for each in await client.call(transfers.listing, Nothing()) if (each.size, each.sha256) == (size, sha256)
    ]
    announced = Announce(name=file.name, size=size, sha256=sha256, repository=repository)
    there = mine[0] if mine else await client.call(transfers.announce, announced)
    failed = 0
    while there.received < size:
        before = there.received
        part = Part(transfer=there.transfer, offset=before)
        try:
            there = await client.send(transfers.write, part, _pieces(file, before, size, told))
        except Unreachable:
            there, failed = await _looked(client, there), failed + 1
            if there.received > before:
                failed = 0
            elif failed > len(PAUSES):
                raise
            else:
                await asyncio.sleep(PAUSES[failed - 1])
    return there


async def fetched(client: Client, transfer: str, file: Path, told: Told) -> None:
    """Fetch a file, into a new one, whole or not at all; then it is deleted there.

    Raises ``Refused`` when there is one of that name, ``OSError``, and as ``Client.call``.
    """
    if await asyncio.to_thread(file.exists):
        raise Refused(f"{file} exists", "give another name")
    whole = await client.call(transfers.show, Named(transfer=transfer))
    part = file.with_name(f".{file.name}.part")
    try:
        await _fetched(client, whole, part, file.name, told)
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    await client.call(transfers.remove, Named(transfer=transfer))


async def _fetched(client: Client, whole: Transfer, part: Path, name: str, told: Told) -> None:
    digest, at, failed = hashlib.sha256(), 0, 0
    with part.open("wb") as new:
        while at < whole.size:
            before = at
            try:
                async for piece in await client.call(transfers.fetch, Part(transfer=whole.transfer, offset=at)):
                    await asyncio.to_thread(new.write, piece)
                    digest.update(piece)
                    at += len(piece)
                    if at > whole.size:
                        raise Failed(f"{whole.name} has more than its {whole.size} bytes", "try again")
                    told(f"fetching {name}", at, whole.size)
            except Unreachable:
                failed = failed + 1 if at == before else 0
                if failed > len(PAUSES):
                    raise
                await asyncio.sleep(PAUSES[max(failed - 1, 0)])
            else:
                if at == before:
                    raise Failed(f"{whole.name} ends after {at} of {whole.size} bytes", "try again")
    if digest.hexdigest() != whole.sha256:
        raise Failed(f"{whole.name} has arrived with other bytes", "try again")


async def _looked(client: Client, last: Transfer) -> Transfer:
    """How much has arrived, if that can be asked."""
    try:
        return await client.call(transfers.show, Named(transfer=last.transfer))
    except Unreachable:
        return last


def _hashed(file: Path, told: Told) -> tuple[int, str]:
    """Its size and SHA-256. Raises ``OSError``."""
    digest, at, size = hashlib.sha256(), 0, file.stat().st_size
    with file.open("rb", buffering=0) as opened:
        while piece := opened.read(PIECE):
            digest.update(piece)
            at += len(piece)
            told(f"reading {file.name}", at, size)
    return at, digest.hexdigest()


async def _pieces(file: Path, offset: int, size: int, told: Told) -> AsyncIterator[bytes]:
    with file.open("rb", buffering=0) as opened:
        opened.seek(offset)
        while piece := await asyncio.to_thread(opened.read, PIECE):
            yield piece
            offset += len(piece)
            told(f"sending {file.name}", offset, size)
