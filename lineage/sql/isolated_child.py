"""The process that compiles suspicious text: `python -m lineage.sql.isolated_child`, started by `isolated`.

A request is a frame "dialect refused" and a frame of text. The answer is a frame per statement begun, whose size
is the statement's number, and one with the program. Over its budget the process is killed by the kernel.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from typing import BinaryIO

from lineage.sql.compile import compile_text
from lineage.sql.isolated import (
    FULL,
    HEAD,
    MEMORY_BYTES,
    PROGRAM,
    STACK_BYTES,
    STARTED,
    STATEMENT_CPU_S,
    STATEMENT_S,
    refuse,
)

_KEEP_BYTES = MEMORY_BYTES // 4  # a process that was ever larger ends after its answer
_FRAMES = 1_000_000  # of Python; the stack of C is what counts


def main() -> None:
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle
    _limit(resource.RLIMIT_AS, MEMORY_BYTES + STACK_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    sys.setrecursionlimit(_FRAMES)
    threading.stack_size(STACK_BYTES)
    server = threading.Thread(target=_serve, args=(requests, answers))
    server.start()
    server.join()


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(what, (value, hard))


def _serve(requests: int, answers: int) -> None:
    with os.fdopen(requests, "rb") as stream:
        while head := _frame(stream):
            dialect, _, refused = head.decode().partition(" ")
            judge = _Judge(answers, {int(number) for number in refused.split(",") if number})
            program = compile_text(_frame(stream).decode(), dialect, judge).to_bytes()
            signal.setitimer(signal.ITIMER_REAL, 0)
            large = _peak_bytes() > _KEEP_BYTES
            _write(answers, HEAD.pack(FULL if large else PROGRAM, len(program)) + program)
            if large:
                return


def _peak_bytes() -> int:
    """The most memory that this process has had. What the system counts of a child begins with its parent's peak."""
    try:
        with open("/proc/self/status") as file:
            line = next(line for line in file if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class _Judge:
    """Says which statement begins, gives it its time, and refuses those that ran over it before."""

    def __init__(self, answers: int, refused: set[int]) -> None:
        self._answers = answers
        self._refused = refused
        self._count = 0

    def __call__(self, suspicion: str | None) -> str | None:
        number = self._count
        self._count += 1
        if number in self._refused:
            return refuse(suspicion or "of a kind unforeseen")
        usage = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + 1 + STATEMENT_CPU_S)
        signal.setitimer(signal.ITIMER_REAL, STATEMENT_S)
        _write(self._answers, HEAD.pack(STARTED, number))
        return None


def _frame(stream: BinaryIO) -> bytes:
    head = stream.read(HEAD.size)
    return stream.read(HEAD.unpack(head)[1]) if head else b""


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


if __name__ == "__main__":
    main()
