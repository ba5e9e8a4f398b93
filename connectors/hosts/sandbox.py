"""Runs one Python program shut in. A program itself: standard library only, started by `process.py`.

    python -I -S sandbox.py SETTINGS FD

It gives up what the kernel lets it give up (network, other processes, the project's files, its user), sets
the limits, and then runs the program, telling it what is not enforced. Secrets do not pass through here: they
wait on standard input for the program. When this process or its parent ends, everything started here ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None

# include/uapi/linux: sched.h, mount.h, prctl.h
_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_PDEATHSIG, _SUBREAPER, _NO_NEW_PRIVS = 1, 36, 38

_SYSTEM = ("/", "/bin", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr")
_FIRST_USER, _USERS = 61184, 4336  # the range that systemd keeps for users made on the spot
_CODE_BYTES = 32 * 1024 * 1024


def main() -> None:
    settings = json.loads(sys.argv[1])
    fd = int(sys.argv[2])
    _die_with(settings["parent"], signal.SIGTERM)
    os.umask(0o022)
    code = _read_code(Path(settings["code"]))
    missing: dict[str, str] = {}
    spaces = _leave_namespaces(missing)
    user = _user_for(os.getpid()) if os.geteuid() == 0 and not spaces & _NEWUSER else None
    first = os.fork()
    if first:
        os.close(fd)
        _on_end(first, signal.SIGTERM)
        os._exit(_wait_for(first))
    _die_with(None, signal.SIGTERM)
    if spaces & _NEWNS:
        _arrange_files(settings, spaces, missing)
    else:
        missing["files"] = missing["processes"]
    if user is not None and not _open_to_all([str(Path(settings["workdir"]).parent), *settings["needed"]]):
        user = None
    if user is None:
        missing["user"] = "it has the rights of headwater's user to files that are not hidden"
    _write_code(code, Path(settings["workdir"]), user)
    worker = os.fork()
    if worker:
        os.close(fd)
        _on_end(worker, signal.SIGKILL)
        ended = _wait_for(worker)
        _end_orphans()
        os._exit(ended)
    _die_with(None, signal.SIGKILL)
    _limit(settings["limits"], missing, private=user is not None or bool(spaces & _NEWUSER))
    _become(user)
    os.chdir(Path(settings["workdir"]) / "work")
    python = [sys.executable, "-I", "-u", "-B", "-X", "utf8"]
    program = [*settings["program"], str(fd), json.dumps(missing)]
    os.execve(sys.executable, python + program, dict(os.environ))  # noqa: S606 - no shell is the point


def _wait_for(worker: int) -> int:
    """Waits for a child, and any orphan meanwhile; its exit code, or 128 and the signal that ended it."""
    while True:
        pid, status = os.wait()
        if pid == worker:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _on_end(child: int, by: signal.Signals) -> None:
    """When this process is asked to end, its child is."""

    def end(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            os.kill(child, by)

    signal.signal(signal.SIGTERM, end)


def _end_orphans() -> None:
    """Ends what the program started and left behind, also in sessions of its own: it has become ours."""
    children = Path("/proc/self/task", str(os.getpid()), "children")
    try:
        while left := children.read_text().split():
            for pid in left:
                os.kill(int(pid), signal.SIGKILL)
            for _ in left:
                os.wait()
    except (OSError, ChildProcessError):
        return  # none is left, or this kernel does not say which


def _call(done: int) -> None:
    if done:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    if _libc is None:
        raise OSError("mounts need Linux")
    text = kind.encode() if kind else None
    try:
        _call(_libc.mount(source.encode(), os.fsencode(target), text, flags, options.encode() or None))
    except OSError as error:
        raise OSError(error.errno, f"mounting {target}: {error.strerror}") from None


def _die_with(parent: int | None, by: signal.Signals) -> None:
    """Asks the kernel to end this process with the one that started it, and to make orphans its children."""
    if _libc is None:
        return
    _libc.prctl(_SUBREAPER, int(by == signal.SIGTERM), 0, 0, 0)
    _libc.prctl(_PDEATHSIG, by, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


# -- what others own and is out of sight


def _leave_namespaces(missing: dict[str, str]) -> int:
    """Leaves the parent's network, processes and mounts, as far as the kernel permits; gives the flags."""
    if _libc is None:
        missing |= dict.fromkeys(("network", "processes"), "needs Linux")
        return 0
    full = _NEWNET | _NEWPID | _NEWNS | _NEWIPC
    by_root = (full, _NEWNET) if os.geteuid() == 0 else ()
    cause = ""
    for flags in (*by_root[:1], full | _NEWUSER, *by_root[1:], _NEWNET | _NEWUSER):
        ids = os.getuid(), os.getgid()
        if _libc.unshare(flags) == 0:
            if flags & _NEWUSER:
                # Never 0 inside: what is run then has no capabilities, not even here.
                Path("/proc/self/setgroups").write_text("deny")
                Path("/proc/self/uid_map").write_text(f"{ids[0] or _FIRST_USER} {ids[0]} 1")
                Path("/proc/self/gid_map").write_text(f"{ids[1] or _FIRST_USER} {ids[1]} 1")
            if not flags & _NEWPID:
                missing["processes"] = f"unshare: {cause}"
            return int(flags)
        cause = os.strerror(ctypes.get_errno())
    missing |= dict.fromkeys(("network", "processes"), f"unshare: {cause}")
    return 0


def _arrange_files(settings: dict[str, Any], spaces: int, missing: dict[str, str]) -> None:
    """Own processes only in /proc; nothing in the hidden folders but Python; a working folder in memory."""
    _mount("none", "/", None, _REC | _PRIVATE)
    try:
        _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    except OSError as error:
        missing["processes"] = str(error)
    workdir = settings["workdir"]
    for folder in sorted(set(settings["hide"]), key=len):
        try:
            if os.path.isdir(folder):  # else it lies in one that is out of sight already
                _hide(folder, settings["needed"])
        except OSError as error:
            missing["files"] = str(error)
    try:
        os.makedirs(workdir, exist_ok=True)
        size = settings["limits"]["file_bytes"]
        _mount("tmpfs", workdir, "tmpfs", _NOSUID | _NODEV, f"mode=0700,size={size}")
    except OSError as error:
        missing["files"] = str(error)


def _hide(folder: str, needed: list[str]) -> None:
    """Lays an empty folder over a folder, and puts back what Python needs from it."""
    inside = [path for path in needed if Path(path).is_relative_to(folder)]
    kept = [path for path in inside if not any(path != p and Path(path).is_relative_to(p) for p in inside)]
    if folder in _SYSTEM or folder in kept:
        raise OSError(f"{folder} cannot be hidden: Python itself lies there")
    # Handles on the folders, taken before they disappear from view.
    handles = {path: os.open(path, os.O_PATH) for path in kept}
    _mount("tmpfs", folder, "tmpfs", _NOSUID | _NODEV, "mode=0755,size=4m")
    for path, handle in handles.items():
        os.makedirs(path, exist_ok=True)
        _mount(f"/proc/self/fd/{handle}", path, None, _BIND | _REC)
        os.close(handle)


# -- the program's code, limits and user


def _read_code(folder: Path) -> dict[str, bytes]:
    """The Python files beside the script, and those of the packages beside it."""
    files = [*folder.glob("*.py")]
    for package in folder.glob("*/__init__.py"):
        files += package.parent.rglob("*.py")
    code: dict[str, bytes] = {}
    size = 0
    for file in sorted(files):
        size += file.stat().st_size
        if size > _CODE_BYTES:
            sys.stderr.write(f"{folder} holds too much code: {file.name} and what follows is left out\n")
            break
        code[str(file.relative_to(folder))] = file.read_bytes()
    return code


def _write_code(code: dict[str, bytes], workdir: Path, user: int | None) -> None:
    for name, content in code.items():
        file = workdir / "code" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    for name in ("work", "tmp"):
        (workdir / name).mkdir()
    if user is not None:
        for path in (workdir, *workdir.rglob("*")):
            os.chown(path, user, user)


def _user_for(pid: int) -> int | None:
    """A user id of this child alone (two of one user could read each other's memory), if there is one."""
    try:
        spans = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        return _FIRST_USER + pid % _USERS
    for user in (1_000_000_000 + pid, _FIRST_USER + pid % _USERS):
        if any(int(start) <= user < int(start) + int(size) for start, _, size in spans):
            return user
    return None


def _open_to_all(paths: list[str]) -> bool:
    """Whether a user without rights can reach these folders."""
    folders = {Path(path) for path in paths} | {parent for path in paths for parent in Path(path).parents}
    return all(folder.stat().st_mode & 0o001 for folder in folders)


def _limit(limits: dict[str, int], missing: dict[str, str], *, private: bool) -> None:
    wanted = {
        resource.RLIMIT_CPU: limits["cpu_s"],
        resource.RLIMIT_AS: limits["memory_bytes"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
    }
    if private:  # the kernel counts processes of a user: only one of the child's own may be bounded
        wanted[resource.RLIMIT_NPROC] = limits["processes"]
    else:
        missing["limits"] = "the number of processes cannot be bounded"
    for what, most in wanted.items():
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # At the soft limit of CPU a signal says why; the hard one, later, cannot be caught.
        try:
            resource.setrlimit(what, (most, most + 2 if what == resource.RLIMIT_CPU else most))
        except (OSError, ValueError) as error:
            missing["limits"] = str(error)


def _become(user: int | None) -> None:
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    if _libc is not None:
        _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        _libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a change of user takes it back


if __name__ == "__main__":
    main()
