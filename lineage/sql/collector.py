"""The garbage collector, held back while trees are made.

A parse tree is one big cycle until `trees.unlink` takes it apart. Collections in the middle of its making look at
what is still alive, for nothing: a fifth of the time that parsing takes.
"""

from __future__ import annotations

import gc
import threading

TEXTS = 50  # of so many texts what could not be taken apart may lie uncollected

_lock = threading.Lock()
_depth = 0
_texts = 0
_resumes = True


def hold() -> None:
    """Automatic collections stop until the last `release`, in whatever thread: one must follow, come what may.

    Where some are always held, garbage is collected after every `TEXTS` releases.
    """
    global _depth, _resumes
    with _lock:
        if _depth == 0:
            _resumes = gc.isenabled()
            gc.disable()
        _depth += 1


def release() -> None:
    """What `hold` began ends."""
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
