"""The garbage collector, held back while trees are made.

A parse tree is one big cycle. Collections in the middle of its making look at what is still alive, for
nothing, and promote it, so that a later and dearer one must free it: a fifth of the time that parsing takes.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TEXTS = 50  # of so many texts the trees may lie uncollected

_lock = threading.Lock()
_depth = 0
_texts = 0
_resumes = True


@contextmanager
def collector_held() -> Iterator[None]:
    """Holds automatic collections back until the outermost such block ends, in whatever thread.

    Within a long one, or overlapping ones, garbage is collected after every `TEXTS` blocks.
    """
    hold()
    try:
        yield
    finally:
        release()


def hold() -> None:
    """The block's begin, for where a generator would cost too much; `release` must follow."""
    global _depth, _resumes
    with _lock:
        if _depth == 0:
            _resumes = gc.isenabled()
            gc.disable()
        _depth += 1


def release() -> None:
    """The block's end."""
    global _depth, _texts
    with _lock:
        _depth -= 1
        _texts = _texts + 1 if _depth else 0
        due = _texts >= TEXTS
        if due:
            _texts = 0
        if _depth == 0 and _resumes:
            gc.enable()
    if due:
        gc.collect(1)
