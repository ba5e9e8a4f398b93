"""What a script does to itself is its own failure, and ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.errors import ScriptFailed
from connectors.model import Resource

ROOT = Path(__file__).resolve().parents[3]
KEPT = 'self.declare_resource(Resource(entity_type="table", databuilder_id="kept"))\n'


@pytest.mark.parametrize(
    ("body", "limits", "says"),
    [
        ("os._exit(0)", {}, "ended with exit code 0 before it was done"),
        ("os._exit(7)", {}, "ended with exit code 7"),
        ("os.kill(os.getpid(), 11)", {}, "crashed with SIGSEGV"),
        ("os.kill(os.getpid(), 9)", {}, "was killed"),
        ("import ctypes; ctypes.string_at(0)", {}, "crashed with SIGSEGV"),
        ("while True: pass", {"wall_s": 2}, "was still running after 2 s"),
        ("while True: pass", {"cpu_s": 2}, "used its 2 s of CPU time"),
        ("time.sleep(100)", {"wall_s": 2}, "was still running after 2 s"),
        ("x = [bytes(1 << 20) for _ in range(10_000)]", {"memory_bytes": 512 << 20}, "MemoryError"),
        ("while True: print('x' * 1000)", {"output_bytes": 1 << 20}, "printed more than 1048576 bytes"),
        ("while True: sys.stdout.write('x')", {"output_bytes": 1 << 20}, "printed more than"),
        ("open('big', 'wb').write(bytes(64 << 20))", {"file_bytes": 1 << 20}, "raised OSError"),
        (f"while True: {KEPT}", {"messages": 100}, "said more than 100 things"),
        (
            'self.declare_resource(Resource(entity_type="table", databuilder_id="x" * 5000))',
            {"message_bytes": 2048},
            "sent a message of",
        ),
        ("os.write(3, b'junk' * 99) if os.path.exists('/proc/self/fd/3') else 0; os.close(4)", {}, ""),
    ],
)
def test_it_is_a_failure_that_says_what_happened_and_keeps_what_was_declared(host, body, limits, says):
    started = time.monotonic()
    found = host(KEPT + body, config={"limits": limits})
    assert isinstance(found.error, ScriptFailed)
    assert says in str(found.error)
    assert {r.databuilder_id for r in found.resources} == {"kept"}
    assert time.monotonic() - started < 20


def test_a_limit_is_named_where_it_can_be_raised(host):
    assert "raise limits.wall_s" in str(host("time.sleep(9)", config={"limits": {"wall_s": 1}}).error)


def test_children_that_multiply_end_with_the_script(host):
    mark = f"headwater_fork_{os.getpid()}"
    found = host(
        f"""
        sleep = [sys.executable, "-c", "import time; time.sleep(600)", "{mark}"]
        made = 0
        try:
            for made in range(100):
                if os.fork() == 0:
                    os.setsid()
                    os.execv(sleep[0], sleep)
        except BlockingIOError:
            raise RuntimeError("no more than %d" % made)
        """,
        config={"limits": {"processes": 20}},
    )
    # Where the kernel does not let us bound them, which check says, they still end with the script.
    assert found.error is None or "raised RuntimeError: no more than 1" in str(found.error)
    assert not left_running(mark)


def test_a_child_that_outlives_the_script_ends_with_the_run(host):
    mark = f"headwater_left_{os.getpid()}"
    found = host(
        f"""
        import subprocess
        sleep = [sys.executable, "-c", "import time; time.sleep(600)", "{mark}"]
        subprocess.Popen(sleep, start_new_session=True)
        """
    )
    assert found.error is None
    assert not left_running(mark)


def test_a_thread_that_goes_on_does_not_keep_the_run_open(host):
    started = time.monotonic()
    assert host("import threading; threading.Thread(target=time.sleep, args=(60,)).start()").error is None
    assert time.monotonic() - started < 10


def test_a_long_print_is_cut_after_it_is_masked_and_many_are_counted(host):
    for before in (1995, 65_530):
        found = host(f"print('y' * {before} + self.credentials['key'])", {"key": "s3cret-key-of-a-form"})
        assert found.error is None
        assert len(found.log) == 1
        assert len(found.log[0]) < 2100
        assert "s3cr" not in found.log[0]


def test_more_lines_than_a_log_takes_are_left_out_and_that_is_said(host):
    found = host("for n in range(10_100): print(n)")
    assert found.error is None
    assert found.log[-1] == "one.py printed more than 10000 lines; the rest is left out"


def test_the_working_folder_is_writable_and_gone_afterwards(host):
    found = host("open('a', 'w').write('b'); import tempfile; print(os.getcwd(), tempfile.mkdtemp())")
    assert found.error is None
    folder = found.log[0].split()[1]
    assert folder.startswith(os.path.join(tempfile.gettempdir(), "headwater-"))
    assert not os.path.exists(os.path.dirname(folder))


def test_declarations_stream(host):
    """The child's memory does not grow with what it declares."""
    seen: list[Resource] = []
    found = host(
        """
        text = "x" * 2000
        for n in range(50_000):
            self.declare_resource(Resource(entity_type="table", databuilder_id=str(n), description=text))
            if n % 10_000 == 0:
                import resource
                print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        """,
        config={"limits": {"memory_bytes": 300 << 20}},
    )
    seen = found.resources
    assert found.error is None
    assert (len(seen), seen[-1].databuilder_id) == (50_000, "49999")
    peaks = [int(line.split()[-1]) for line in found.log]
    assert peaks[-1] - peaks[0] < 10_000


def test_when_headwater_is_killed_the_script_ends_too(script, tmp_path):
    mark = f"headwater_mark_{os.getpid()}"
    path = script(
        f"""
        import subprocess, sys, time
        from secodadk import *
        class One(SecodaIntegration):
            def extract(self):
                sleep = [sys.executable, "-c", "import time; time.sleep(600)", "{mark}"]
                subprocess.Popen(sleep, start_new_session=True)
                print("started")
                time.sleep(600)
        """
    )
    code = (
        "import sys, logging; logging.Logger.info = lambda s, m, *a: print(m % a, flush=True)\n"
        "from connectors.testing import run_connector\n"
        f"run_connector({str(path)!r})"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        try:
            assert b"started" in parent.stdout.readline()
            assert until(lambda: bool(left_running(mark)))
        finally:
            parent.send_signal(signal.SIGKILL)
    assert until(lambda: not left_running(mark))


def until(what: Callable[[], bool]) -> bool:
    """Whether it becomes so within five seconds."""
    deadline = time.monotonic() + 5
    while not what() and time.monotonic() < deadline:
        time.sleep(0.05)
    return what()


def left_running(mark: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "cmdline").read_bytes() and int(process.name) != os.getpid():
                found.append(int(process.name))
        except OSError:
            continue
    return found
