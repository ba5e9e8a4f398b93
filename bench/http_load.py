"""`python -m bench.http_load HOST PORT CONNECTIONS REQUESTS`: asks for the paths on standard input in turn, one a line.

Keeps each connection busy, and prints what came of it as JSON: requests a second, latencies in milliseconds, failures.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from itertools import count, cycle, islice
from typing import Any

import httptools


class _Asker(asyncio.Protocol):
    """One connection: asks, waits for the answer, asks again."""

    def __init__(self, requests: Sequence[bytes], first: int, left: Any, done: asyncio.Event) -> None:
        self.seconds: list[float] = []
        self.failed = 0
        self._requests = islice(cycle(requests), first, None)
        self._left = left
        self._done = done
        self._asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        if next(self._left, None) is None:
            self._done.set()
            return
        self._parser = httptools.HttpResponseParser(self)
        self._asked_at = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.seconds.append(time.perf_counter() - self._asked_at)
        self.failed += self._parser.get_status_code() != 200
        # Not from within the parser: it is about to be replaced.
        asyncio.get_running_loop().call_soon(self._ask)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.is_set():
            self.failed += 1
            self._done.set()


async def ask(
    host: str, port: int, connections: int, requests: int, paths: Sequence[str]
) -> dict[str, float]:
    """Sends so many requests over so many connections."""
    lines = [f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode() for path in paths]
    left = islice(count(), requests)
    loop, askers, ends = asyncio.get_running_loop(), [], []
    begun = time.perf_counter()
    for number in range(connections):
        ends.append(asyncio.Event())
        asker = _Asker(lines, number * 7 % len(lines), left, ends[-1])
        await loop.create_connection(lambda asker=asker: asker, host, port)
        askers.append(asker)
    for end in ends:
        await end.wait()
    seconds = time.perf_counter() - begun
    took = sorted(one for asker in askers for one in asker.seconds)
    return {
        "per_s": len(took) / seconds,
        "p50_ms": took[len(took) // 2] * 1e3,
        "p99_ms": took[len(took) * 99 // 100] * 1e3,
        "failed": sum(asker.failed for asker in askers) + requests - len(took),
    }


if __name__ == "__main__":
    host, *numbers = sys.argv[1:]
    port, connections, requests = map(int, numbers)
    print(json.dumps(asyncio.run(ask(host, port, connections, requests, sys.stdin.read().split()))))
