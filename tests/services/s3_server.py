"""An S3 on this machine: moto's, from the environment of plugins."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.fs as pafs

from tests.plugin_python import plugin_python

_SERVES = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
_ALL = "1e9"  # how many calls the server takes from anybody


class S3Server:
    """Its buckets and its doors. It takes every login until it is told otherwise."""

    def __init__(self, url: str) -> None:
        self.url = url

    def login(self, secret: str) -> dict[str, str]:
        """What the configuration of a sink says of this server."""
        return {
            "region": "eu-west-1", "endpoint": self.url, "access_key_id": "AKIAHEADWATER", "secret_access_key": secret,
        }  # fmt: skip

    def files(self) -> pafs.FileSystem:
        return pafs.S3FileSystem(
            access_key="AKIAREADER", secret_key="reader", region="eu-west-1", endpoint_override=self.url
        )

    def make_bucket(self, name: str) -> None:
        self._ask("PUT", f"/{name}")

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuses every login that it does not know, which is every one."""
        self._ask("POST", "/moto-api/reset-auth", b"0")
        try:
            yield
        finally:
            self._ask("POST", "/moto-api/reset-auth", _ALL.encode())

    def _ask(self, method: str, path: str, data: bytes | None = None) -> None:
        headers = {"Content-Type": "text/plain"}
        asked = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        urllib.request.urlopen(asked, timeout=30).close()


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Starts the server on a free port, and ends it. Its log lies in `folder`."""
    log = folder / "s3.log"
    program = Path(plugin_python()).with_name("moto_server")
    assert program.exists(), f"there is no {program}: `make test` makes it"
    with log.open("wb") as stream:
        process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", "0"], stdout=stream, stderr=stream)
        try:
            deadline = time.monotonic() + 60
            while not (found := _SERVES.search(log.read_text())):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, "the S3 server does not start"
                time.sleep(0.05)
            yield S3Server(found[1])
        finally:
            process.terminate()
            process.wait()
