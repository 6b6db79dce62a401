"""Ports of the management namespace, reachable on a loopback address outside it."""

import asyncio
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vclab.lab import network


class Inside:
    """Makes sockets inside a network namespace: a socket stays in the one in which it was made."""

    def __init__(self, namespace: Path) -> None:
        self._namespace = namespace
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inside")

    def _make(self) -> socket.socket:
        with network.entered(self._namespace):
            made = socket.socket()
        made.setblocking(False)
        return made

    async def connect(self, address: str, port: int, seconds: float = 5.0) -> socket.socket:
        """A connection from inside. Raises ``OSError`` or ``TimeoutError``."""
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self._thread, self._make)
        try:
            async with asyncio.timeout(seconds):
                await loop.sock_connect(made, (address, port))
        except BaseException:
            made.close()
            raise
        return made

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)


async def serve(inside: Inside, address: str, ports: Mapping[int, str]) -> list[asyncio.Server]:
    """Listen outside, on ``address``; each port leads to the same one at its address inside. Raises ``OSError`` when a
    port is taken."""
    return [await _serve(inside, address, port, there) for port, there in ports.items()]


async def _serve(inside: Inside, address: str, port: int, there: str) -> asyncio.Server:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            made = await inside.connect(there, port)
        except OSError:
            writer.transport.abort()  # as a server that is down: the connection ends at once
            return
        other_reader, other_writer = await asyncio.open_connection(sock=made)
        await asyncio.gather(_pump(reader, other_writer), _pump(other_reader, writer))
        writer.close()
        other_writer.close()

    return await asyncio.start_server(client, address, port)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction to its end. A broken connection takes the other one with it, and so ends both directions."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()
