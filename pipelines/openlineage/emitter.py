"""Sends events from a thread of its own, within a time that all of a run's waiting together may take.

What cannot be sent is counted, and said once. A receiver that does not answer is left alone for a while.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

from pipelines.openlineage.receiver import Receiver, receiver_of
from pipelines.openlineage.shared_wait import add_wait, waited
from pipelines.project import Project

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

    from pipelines.openlineage.runs import Note

# That a run waits, at most, for a receiver that does not answer, all its processes together. With half a second for
# loading the client, such a one costs a run less than two.
BUDGET_S = 1.0
WAITING = 1000  # events, at most; they are small, and more than this says that nobody takes them
_FAILURES = 2  # in a row, and the receiver is left alone for as long as
_PAUSE_S = 30.0
log = logging.getLogger("headwater.openlineage")


class Emitter:
    """Takes notes at once, and sends them when it can."""

    def __init__(self, receiver: Receiver, budget_s: float = BUDGET_S) -> None:
        self._receiver = receiver
        self._queue: queue.Queue[Note | None] = queue.Queue(WAITING)
        self._budget_s = budget_s
        self._changed = threading.Condition()
        self._open_again_at = 0.0
        self._in_a_row = 0
        self.taken = self.sent = self.failed = 0
        self.waited_s = 0.0
        self._runs: set[str] = set()
        self.causes: dict[str, int] = {}
        threading.Thread(target=self._work, name="openlineage", daemon=True).start()

    def put(self, note: Note) -> None:
        """Takes a note. Does not wait: where too many wait already, it is counted as failed."""
        with self._changed:
            self.taken += 1
            self._runs.add(note.task.parent.run_id)
        try:
            self._queue.put_nowait(note)
        except queue.Full:
            self._failed("too many wait")

    def close(self) -> None:
        """Waits for what is under way, for what is left of the budget at most, and says what was not sent."""
        begun = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._settled, self._left())
            left = self.taken - self.sent - self.failed
        self.waited_s += time.monotonic() - begun
        if left or self.failed:
            add_wait(self._runs, self.waited_s)
        with suppress(queue.Full):  # the thread then ends with the process
            self._queue.put_nowait(None)
        if left or self.failed:
            causes = ", ".join([*self.causes, *(["no answer in time"] if left else [])])
            log.warning(
                "%d of %d OpenLineage events were not sent to %s: %s; the run is not affected",
                left + self.failed,
                self.taken,
                self._receiver.shown,
                causes,
            )

    def _left(self) -> float:
        """Seconds that may still be waited, after what other processes of the runs have."""
        return self._budget_s - waited(tuple(self._runs))

    @property
    def _settled(self) -> bool:
        return self.sent + self.failed == self.taken

    def _failed(self, cause: str) -> None:
        with self._changed:
            self.failed += 1
            self.causes[cause] = self.causes.get(cause, 0) + 1
            self._changed.notify_all()

    def _work(self) -> None:
        client: OpenLineageClient | None = None
        while (note := self._queue.get()) is not None:
            if time.monotonic() < self._open_again_at or (client is None and self._left() <= 0):
                self._failed("left alone after it failed")
                continue
            try:
                from pipelines.openlineage.events import run_event

                client = client or self._receiver.client()
                client.emit(run_event(note, self._receiver.namespace))
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not reach the run
                self._note_failure(error)
            else:
                self._in_a_row = 0
                with self._changed:
                    self.sent += 1
                    self._changed.notify_all()
        if client is not None:
            client.close(0)

    def _note_failure(self, error: Exception) -> None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        # A receiver that refuses an event is there, and may take the next one.
        if status is None or status >= 500:
            self._in_a_row += 1
            if self._in_a_row >= _FAILURES:
                self._open_again_at = time.monotonic() + _PAUSE_S
        # Its text may hold an address with a secret, or what was sent.
        self._failed(f"HTTP {status}" if status else type(error).__name__)


class _Emitters:
    """Those of this process, by project folder. None is remembered of the process that this one was forked from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = 0
        self._known: dict[str, Emitter | None] = {}

    def of(self, key: str, make: Callable[[], Emitter | None]) -> Emitter | None:
        with self._lock:
            if self._process != os.getpid():
                self._process, self._known = os.getpid(), {}
                # Also runs in a child of multiprocessing, which `atexit` does not.
                Finalize(None, self.close, exitpriority=10)
            if key not in self._known:
                self._known[key] = make()
            return self._known[key]

    def close(self) -> None:
        with self._lock:
            known = [one for one in self._known.values() if one] if self._process == os.getpid() else []
            self._known = {}
        for emitter in known:
            emitter.close()


_emitters = _Emitters()


def emitter_of(project: Project) -> Emitter | None:
    """The project's emitter in this process; None where nothing is to be sent, or what is set cannot be read."""

    def make() -> Emitter | None:
        try:
            receiver = receiver_of(project)
        except ValueError:  # its text may hold the address, and a secret in it
            log.warning(
                "no OpenLineage events are sent: the receiver's address is none; the run is not affected"
            )
            return None
        return Emitter(receiver) if receiver else None

    return _emitters.of(str(project.folder), make)


def close_emitters() -> None:
    """Sends what this process has yet to send, within its budget. Processes do so at their end, too."""
    _emitters.close()
