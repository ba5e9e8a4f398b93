"""Messages between a host and its child: a length, JSON, and bytes after it. Both sides read this file."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

_HEAD = struct.Struct("!II")  # the length of the JSON, and of the bytes after it


class TooLong(Exception):
    """A message is longer than the reader takes; `size` is in bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a message of {size} bytes")
        self.size = size


def pack(message: dict[str, Any], body: bytes = b"") -> bytes:
    """One message as it goes over the wire."""
    text = json.dumps(message, separators=(",", ":")).encode("ascii")
    return _HEAD.pack(len(text), len(body)) + text + body


def unpack(read: Callable[[int], bytes], longest: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The messages of a stream, until it ends; one that the end cuts off is not given.

    `read(n)` gives at most n bytes, and none at the end. Raises `TooLong`; ValueError for what is no message.
    """
    buffer = bytearray()

    def need(size: int) -> bool:
        while len(buffer) < size:
            piece = read(max(65536, size - len(buffer)))
            if not piece:
                return False
            buffer.extend(piece)
        return True

    while need(_HEAD.size):
        text, body = _HEAD.unpack_from(buffer)
        if text + body > longest:
            raise TooLong(text + body)
        end = _HEAD.size + text + body
        if not need(end):
            return
        message = json.loads(bytes(buffer[_HEAD.size : _HEAD.size + text]))
        if not isinstance(message, dict):
            raise ValueError("a message is an object")
        yield message, bytes(buffer[_HEAD.size + text : end])
        del buffer[:end]
