"""A plugin's process: what it is started with, its output, and its end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from connectors.hosts.cloudquery.limits import Limits
from connectors.hosts.cloudquery.logs import PluginLog

_LAUNCHER = Path(__file__).with_name("launcher.py").resolve()
_GRACE_S = 5.0
_LONGEST_SOCKET = 100  # bytes of a socket's path; systems take 104 or more
# What a program needs of its surroundings. Everything else, other systems' secrets among it, stays out.
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_PASSED_ON = (
    *("PATH", "HOME", "LANG", "TZ", "LD_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *_PROXIES,
)
_LOCAL = "127.0.0.1,localhost"


class PluginProcess:
    """A plugin that was started here. Its `folder` is private to this user and goes with it.

    `program` is its command line, run in `cwd`; `environment` is added to the little that every plugin gets.
    Raises OSError when it cannot be started.
    """

    def __init__(
        self,
        program: Sequence[str],
        *,
        cwd: Path,
        folder: Path,
        environment: Mapping[str, str],
        limits: Limits,
        log: PluginLog,
    ) -> None:
        self._log = log
        self._folder = folder
        self._code: int | None = None
        settings = {
            "parent": os.getpid(),
            "memory_bytes": limits.memory_bytes,
            "grace_s": _GRACE_S,
            "folder": str(folder),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER), json.dumps(settings), *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**_inherited(folder), **environment},
            cwd=cwd,
            start_new_session=True,
        )
        log.follow(self._process.stdout, trusted=True)
        log.follow(self._process.stderr, trusted=False)

    def ended(self, within_s: float = 0) -> bool:
        """Whether it ended by itself, waiting for that a while."""
        if self._code is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._code = self._process.wait(within_s)
        return self._code is not None

    @property
    def how_ended(self) -> str:
        """How it ended by itself, in words that follow its name; "" while it has not."""
        if self._code is None:
            return ""
        if self._code in (128 + signal.SIGKILL, -signal.SIGKILL):
            return "was killed; the system may have run out of memory"
        if self._code > 128 and self._code - 128 in set(signal.Signals):
            return f"crashed with {signal.Signals(self._code - 128).name}"
        return f"ended with exit code {self._code}"

    def close(self) -> None:
        """Ends it and all that it started, reads its output to the end and removes its folder."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):  # it has ended
                self._process.stdin.write(b".")
                self._process.stdin.flush()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2 * _GRACE_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.drain(_GRACE_S)
        remove_folder(self._folder)


def make_folder() -> Path:
    """A new folder that only this user can enter: a plugin's socket and temporary files."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-"))
    (folder / "tmp").mkdir()
    return folder


def remove_folder(folder: Path) -> None:
    """Removes such a folder and all in it."""
    shutil.rmtree(folder, ignore_errors=True)


def socket_in(folder: Path, name: str) -> str | None:
    """The address of a socket in a folder; None where its path would be too long for one."""
    path = folder / name
    return f"unix:{path}" if len(os.fsencode(path)) <= _LONGEST_SOCKET else None


def _inherited(folder: Path) -> dict[str, str]:
    found = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if found.keys() & set(_PROXIES):
        # A proxy must not be asked for the way to headwater.
        kept = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        found["no_proxy"] = found["NO_PROXY"] = f"{kept},{_LOCAL}" if kept else _LOCAL
    found.setdefault("PATH", os.defpath)
    found.setdefault("LANG", "C.UTF-8")
    own = {"TMPDIR": str(folder / "tmp"), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return found | own
