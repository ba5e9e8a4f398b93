"""`headwater ui`: refuses a port in use, ends when it is told to."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from pipelines.cli.main import run
from tests.pipelines.conftest import folder
from tests.services.dagster_dev import START_S, DagsterDev, free_port, stop, wait_for, without_network

__all__ = ["folder"]
ROOT = Path(__file__).resolve().parents[3]
# As a shell starts what is put into the background.
IN_THE_BACKGROUND = """
import signal, sys
from pipelines.cli import main

signal.signal(signal.SIGINT, signal.SIG_IGN)
main(sys.argv[1:])
"""


def test_a_port_in_use_is_said_before_anything_starts(folder, capfd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["--project", str(folder), "ui", "--port", str(port)]) == 1
    assert capfd.readouterr() == ("", f"port {port} of 127.0.0.1 is in use (choose another with --port)\n")


def test_in_the_background_of_a_script_it_ends_with_sigterm(folder, tmp_path):
    port, log = free_port(), tmp_path / "log"
    ui = [sys.executable, "-c", IN_THE_BACKGROUND, "--project", str(folder), "ui", "--port", str(port)]
    environment = without_network() | {"PYTHONPATH": str(ROOT)}
    with log.open("wb") as said:
        child = subprocess.Popen(ui, env=environment, stdout=said, stderr=said, start_new_session=True)
    try:
        assert DagsterDev(port, child, log).locations()
        child.terminate()
        wait_for(lambda: child.poll() is not None, START_S, log.read_text)
        assert "Dagster services shut down." in log.read_text()
    finally:
        stop(child)
