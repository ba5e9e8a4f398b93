"""Starts one plugin and sees to its end. A program itself: standard library only, started by `process.py`.

    python -I -S launcher.py SETTINGS PROGRAM [ARGUMENT ...]

SETTINGS is JSON: `parent`, headwater's process id; `memory_bytes`, null for no bound; `grace_s`, how long the plugin
may take to end; `folder`, the plugin's own. It waits for the plugin, and exits with its code, or 128 and the signal
that ended it. When standard input ends, the plugin is ended, and what it started with it: headwater is done with it,
and has said so by a byte, or is dead. That works on every Unix; Linux also ends both when headwater, or this program,
is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PDEATHSIG, _SUBREAPER = 1, 36  # include/uapi/linux/prctl.h
_NOT_FOUND, _NOT_RUN = 127, 126  # as a shell says it


def main() -> None:
    settings: dict[str, Any] = json.loads(sys.argv[1])
    ending, orphaned = threading.Event(), threading.Event()

    def on_sigterm(*_: object) -> None:
        if not ending.is_set():  # otherwise it is our own to the group
            orphaned.set()
            ending.set()

    signal.signal(signal.SIGTERM, on_sigterm)
    _ask_kernel(_SUBREAPER, 1)
    _ask_kernel(_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != settings["parent"]:
        on_sigterm()
    launcher, plugin = os.getpid(), os.fork()
    if not plugin:
        _become_plugin(launcher, sys.argv[2:], settings)
    threading.Thread(target=_wait_for_end_of_input, args=(ending, orphaned), daemon=True).start()
    threading.Thread(target=_end, args=(ending, plugin, settings["grace_s"]), daemon=True).start()
    code = _wait_for(plugin)
    _end_orphans()
    if orphaned.is_set():  # headwater, which does this otherwise, is gone
        _remove(settings["folder"])
        os.killpg(0, signal.SIGKILL)
    os._exit(code)


def _become_plugin(launcher: int, program: list[str], settings: dict[str, Any]) -> NoReturn:
    for one in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores the last two
        signal.signal(one, signal.SIG_DFL)
    _ask_kernel(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher:
        os._exit(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if settings["memory_bytes"]:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = settings["memory_bytes"]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(OSError, ValueError):  # macOS does not bound it
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
    try:
        os.execvp(program[0], program)  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.stderr.write(f"{program[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUN)


def _wait_for_end_of_input(ending: threading.Event, orphaned: threading.Event) -> None:
    said = b""
    with contextlib.suppress(OSError):
        while piece := os.read(0, 64):
            said += piece
    if not said:
        orphaned.set()
    ending.set()


def _end(ending: threading.Event, plugin: int, grace_s: float) -> None:
    ending.wait()
    # The group holds this process too: its handler lets the signal pass.
    os.killpg(0, signal.SIGTERM)
    time.sleep(grace_s)
    with contextlib.suppress(ProcessLookupError):
        os.kill(plugin, signal.SIGKILL)


def _wait_for(plugin: int) -> int:
    """Waits for the plugin, and any orphan meanwhile; its exit code, or 128 and the signal that ended it."""
    while True:
        pid, status = os.wait()
        if pid == plugin:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _end_orphans() -> None:
    """Ends what the plugin started and left behind, also in sessions of its own: on Linux it has become ours."""
    children = Path("/proc/self/task", str(os.getpid()), "children")
    try:
        while left := children.read_text().split():
            for pid in left:
                os.kill(int(pid), signal.SIGKILL)
            for _ in left:
                os.wait()
    except (OSError, ChildProcessError):
        return  # none is left, or this system does not say which


def _remove(folder: str) -> None:
    import shutil  # slow to load, and seldom needed

    shutil.rmtree(folder, ignore_errors=True)


def _ask_kernel(what: int, value: int) -> None:
    if _libc is not None:
        _libc.prctl(what, int(value), 0, 0, 0)


if __name__ == "__main__":
    main()
