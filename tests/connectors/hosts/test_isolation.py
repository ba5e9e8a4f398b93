"""What belongs to others is out of a script's sight."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from connectors.connector import Context
from connectors.http import HttpClient
from connectors.registry import configure, load_connector
from connectors.testing import Extract, today

SECRET = "planted-secret-of-another"
SEARCH = """
found = []
def look(where, text):
    if isinstance(text, bytes): text = text.decode("utf-8", "replace")
    if "planted-" + "secret" in text: found.append(where)
look("environment", repr(dict(os.environ)))
look("argv", repr(sys.argv))
print("processes", sorted(int(p) for p in os.listdir("/proc") if p.isdigit()))
for process in (p for p in os.listdir("/proc") if p.isdigit()):
    for name in ("environ", "cmdline", "maps", "cwd", "fd"):
        path = "/proc/%s/%s" % (process, name)
        try:
            look(path, open(path, "rb").read())
        except OSError:
            pass
roots = self.credentials["look_at"].split(":")
import stat
for root in roots:
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            try:
                if stat.S_ISREG(os.stat(path).st_mode) and os.stat(path).st_size < 1 << 20:
                    look(path, open(path, "rb").read())
            except OSError:
                pass
print("found", found)
"""


@pytest.fixture
def missing(script, tmp_path) -> set[str]:
    """What this kernel does not let us enforce, as `check` says."""
    script(
        "import secodadk\nclass One(secodadk.SecodaIntegration):\n    def extract(self): pass", "probe/one.py"
    )
    cls = load_connector("probe/one.py", tmp_path)
    results = cls(configure(cls, {}), Context("x", today(), Extract(), HttpClient(), folder=tmp_path)).check()
    return {r.capability for r in results if "not enforced" in r.message}


def test_a_planted_secret_of_another_connection_is_not_seen(host, missing, tmp_path, monkeypatch):
    if missing & {"isolate processes", "isolate files"}:
        pytest.skip("this kernel does not let us hide it, and check says so")
    monkeypatch.setenv("OTHER_PASSWORD", SECRET)
    (tmp_path / "headwater.yaml").write_text(f"credentials: {{other: {{password: {SECRET}}}}}")
    (tmp_path / ".env").write_text(f"OTHER_PASSWORD={SECRET}")
    (tmp_path / ".headwater").mkdir()
    (tmp_path / ".headwater" / "data").write_text(SECRET)
    home = tmp_path.parent / "home"
    home.mkdir(exist_ok=True)
    (home / ".pgpass").write_text(SECRET)
    monkeypatch.setenv("HOME", str(home))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as left_behind:
        os.chmod(left_behind.name, 0o644)
        left_behind.write(SECRET)
        left_behind.flush()
        command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", SECRET]
        with subprocess.Popen(command, env={**os.environ}, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            look_at = ":".join(map(str, (tmp_path, home, tempfile.gettempdir(), Path.cwd() / "tests")))
            found = host(SEARCH, {"look_at": look_at})
            other.kill()
    assert found.error is None
    assert "one.py: found []" in found.log
    assert "one.py: processes [1, 2]" in found.log


def test_two_scripts_at_once_do_not_see_each_other(script, tmp_path, missing):
    from concurrent.futures import ThreadPoolExecutor

    from connectors.testing import run_connector

    if "isolate processes" in missing:
        pytest.skip("this kernel does not let us hide it, and check says so")
    head = "import os, sys, time\nfrom secodadk import *\n"
    head += "class One(SecodaIntegration):\n    def extract(self):\n"
    indent = lambda text: "".join(f"        {line}\n" for line in text.splitlines())  # noqa: E731
    keeper = script(
        head + indent("open('secret', 'w').write(self.credentials['mine'])\ntime.sleep(3)"), "a/keeper.py"
    )
    seeker = script(head + indent("time.sleep(1)\n" + SEARCH), "b/seeker.py")
    with ThreadPoolExecutor(2) as threads:
        kept = threads.submit(run_connector, keeper, None, {"mine": SECRET}, folder=tmp_path)
        sought = threads.submit(
            run_connector, seeker, None, {"look_at": tempfile.gettempdir()}, folder=tmp_path
        )
        assert kept.result().error is None
        assert "seeker.py: found []" in sought.result().log


def test_the_environment_is_its_own(host, monkeypatch):
    monkeypatch.setenv("ANY_VARIABLE", "any")
    found = host("print(sorted(os.environ))")
    known = {"HOME", "LANG", "PATH", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "LC_CTYPE"}
    assert set(eval(found.log[0].removeprefix("one.py: "))) <= known


def test_there_is_no_network_but_the_verbs(host, missing):
    if "isolate network" in missing:
        pytest.skip("this kernel does not let us enforce it, and check says so")
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = host(
            f"""
            import socket
            try:
                socket.create_connection(("127.0.0.1", {port}), 2)
                print("connected")
            except OSError as error:
                print("no network")
            """
        )
    assert found.log == ["one.py: no network"]


def test_a_script_gains_no_rights(host, missing):
    if "isolate user" in missing:
        pytest.skip("it runs as headwater's user here, and check says so")
    found = host(
        """
        status = open("/proc/self/status").read()
        print(os.getuid() != 0, os.getgroups(), "CapEff:\\t0000000000000000" in status)
        """
    )
    assert found.log == ["one.py: True [] True"]
