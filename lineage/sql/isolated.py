"""Suspicious text compiled in a child process, which may run out of time, memory or stack where this one may not.

The child is a fresh interpreter, never a fork of this process, which may have threads. It starts at the first
need, stays for the next, and ends with this process: its standard input closes then, and what it works on has a
limit. It gets the text through a pipe, and nothing of this process's environment but where Python finds modules.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time

from lineage.sql.program import Program
from lineage.sql.reading.suspicion import Suspicious

# What the child process may use.
STATEMENT_CPU_S = 10
STATEMENT_S = 30.0  # by the clock, on a busy machine
TEXT_S = 120.0
MEMORY_BYTES = 2 * 1024**3
STACK_BYTES = 512 * 1024**2

_CHILDREN = 2  # at once; more texts wait
_TRIES = 3  # of a text; after as many statements that ran over their budget all suspicious ones are refused
HEAD = struct.Struct(">cQ")
# Kinds of frame: a text to compile; a statement begins; the program; the same, and the child must go.
TEXT, STARTED, PROGRAM, FULL = b"T", b"S", b"P", b"F"
_OVER_BUDGET = frozenset({-signal.SIGXCPU, -signal.SIGALRM, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT})
_PASSED_ON = ("LD_LIBRARY_PATH",)


def leave(suspicion: str | None) -> None:
    """The judge of text that is compiled in this process. Raises Suspicious."""
    if suspicion is not None:
        raise Suspicious(suspicion)


def refuse(suspicion: str | None) -> str | None:
    """The judge after the child has failed: whatever is suspicious is refused."""
    if suspicion is None:
        return None
    return (
        f"{suspicion}: could not be read within {STATEMENT_CPU_S} s and {MEMORY_BYTES // 1024**3} GiB; "
        "make the statement simpler"
    )


def compile_isolated(sql: str, dialect: str) -> Program | None:
    """What the child makes of a text; None when it could not. Statements over their budget are errors in it."""
    return _pool.compile(sql, dialect)


class _Died(Exception):
    """The child is gone. `statement` is the one it was at, -1 before the first; `over` whether for its budget."""

    def __init__(self, statement: int, over: bool) -> None:
        super().__init__(statement, over)
        self.statement = statement
        self.over = over


class _Pool:
    """The children that wait for work."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(_CHILDREN)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []

    def compile(self, sql: str, dialect: str) -> Program | None:
        body = sql.encode("utf-8", "replace")
        refused: list[int] = []
        accidents = 0
        deadline = time.monotonic() + TEXT_S
        with self._slots:
            while len(refused) < _TRIES:
                try:
                    return self._ask(dialect, refused, body, deadline)
                except _Died as death:
                    if death.over and death.statement < 0:
                        return None
                    if death.over:
                        refused.append(death.statement)
                        continue
                except OSError:  # no child can be started
                    return None
                accidents += 1  # somebody else ended it
                if accidents > 1:
                    return None
        return None

    def _ask(self, dialect: str, refused: list[int], body: bytes, deadline: float) -> Program:
        child = self._take()
        stays = False
        try:
            kind, answer = child.ask(dialect, refused, body, deadline)
            stays = kind == PROGRAM
            return Program.from_bytes(answer)
        finally:
            if stays:
                with self._lock:
                    self._idle.append(child)
            else:
                child.end()

    def _take(self) -> _Child:
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            if child is None:
                return _Child()
            if child.lives():
                return child
            child.end()

    def close(self) -> None:
        """End the children that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def forget(self) -> None:
        """In a fork of this process: its children are not ours."""
        for child in self._idle:
            child.forget()


class _Child:
    """One child process, with one text at a time."""

    def __init__(self) -> None:
        if not sys.executable:
            raise OSError("there is no interpreter to start")
        paths = [path or os.getcwd() for path in sys.path]
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lineage.sql.isolated_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)

    def lives(self) -> bool:
        return self._process.poll() is None

    def ask(self, dialect: str, refused: list[int], body: bytes, deadline: float) -> tuple[bytes, bytes]:
        """Have a text compiled. Raises _Died, after which the child is of no more use."""
        head = f"{dialect} {','.join(map(str, refused))}".encode()
        statement = -1
        try:
            self._write(HEAD.pack(TEXT, len(head)) + head + HEAD.pack(TEXT, len(body)) + body, deadline)
            while True:
                kind, size = HEAD.unpack(self._read(HEAD.size, deadline))
                if kind != STARTED:
                    return kind, self._read(size, deadline)
                statement = size
        except TimeoutError:
            raise _Died(statement, True) from None
        except (BrokenPipeError, EOFError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            raise _Died(statement, self._process.returncode in _OVER_BUDGET) from None

    def _write(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            _wait(self._to, select.POLLOUT, deadline)
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(self._to, rest) :]

    def _read(self, size: int, deadline: float) -> bytes:
        parts = []
        while size:
            _wait(self._from, select.POLLIN, deadline)
            part = os.read(self._from, min(size, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def end(self) -> None:
        """Kill the process, and leave no zombie."""
        self._process.kill()
        self._process.wait()
        self._close()

    def forget(self) -> None:
        self._process.returncode = 0  # of no concern to a fork: it must neither wait for it nor warn
        self._close()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def _wait(descriptor: int, event: int, deadline: float) -> None:
    """Until a pipe is ready. Raises TimeoutError."""
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


_pool = _Pool()


def _renew() -> None:
    global _pool
    _pool.forget()
    _pool = _Pool()


def _close() -> None:
    _pool.close()


atexit.register(_close)
os.register_at_fork(after_in_child=_renew)
