"""Frames on a socket: a JSON header and raw bytes, all sizes bounded; never pickle."""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from typing import Any

__all__ = ["Closed", "Malformed", "Overdue", "Wire"]

HEAD = struct.Struct("<4sIQ")
MAGIC = b"AM01"
LONGEST_HEADER = 32 * 2**20
LONGEST_BODY = 512 * 2**20
MOST_BLOBS = 100_000


class Malformed(Exception):
    """What came is no frame of ours."""


class Closed(Exception):
    """The other side has ended."""


class Overdue(Exception):
    """The other side did not answer in time."""


class Wire:
    """One end of the socket.

    Parameters
    ----------
    deadline
        Moment on the monotonic clock after which waiting raises :class:`Overdue`; None waits on.
    """

    def __init__(self, sock: socket.socket, deadline: float | None = None) -> None:
        self.sock, self.deadline = sock, deadline

    def send(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        """Send one frame."""
        text = json.dumps(header | {"sizes": [len(b) for b in blobs]}).encode()
        body = b"".join(blobs)
        view = memoryview(HEAD.pack(MAGIC, len(text), len(body)) + text + body)
        try:
            while view:
                self._wait(write=True)
                view = view[self.sock.send(view) :]
        except OSError as error:
            raise Closed(str(error)) from None

    def receive(self) -> tuple[dict[str, Any], list[bytes]]:
        """Wait for one frame."""
        magic, length, size = HEAD.unpack(self._read(HEAD.size))
        if magic != MAGIC or length > LONGEST_HEADER or size > LONGEST_BODY:
            raise Malformed("a frame with a wrong beginning or size")
        text, body = self._read(length), self._read(size)
        try:
            header = json.loads(text)
            sizes = header["sizes"]
        except (ValueError, RecursionError, KeyError, TypeError):
            raise Malformed("a frame whose header is not what it should be") from None
        whole = isinstance(sizes, list) and all(type(n) is int and n >= 0 for n in sizes)
        if not whole or len(sizes) > MOST_BLOBS or sum(sizes) != size:
            raise Malformed("a frame whose parts do not fit together")
        blobs, start = [], 0
        for n in sizes:
            blobs.append(body[start : start + n])
            start += n
        return header, blobs

    def _wait(self, *, write: bool = False) -> None:
        if self.deadline is None:
            return
        left = self.deadline - time.monotonic()
        mine = [self.sock]
        ready = select.select([] if write else mine, mine if write else [], [], max(left, 0))
        if left <= 0 or not (ready[0] or ready[1]):
            raise Overdue

    def _read(self, count: int) -> bytes:
        parts, left = [], count
        while left:
            self._wait()
            try:
                part = self.sock.recv(min(left, 2**20))
            except OSError as error:
                raise Closed(str(error)) from None
            if not part:
                raise Closed("the other side has ended")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
