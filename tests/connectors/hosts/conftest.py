"""Scripts that are written by the test, and hosted."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.testing import Extract, run_connector

_HEAD = """
import os, sys, time
import httpx
from secodadk import *
class One(SecodaIntegration):
    def extract(self):
"""


@pytest.fixture
def script(tmp_path) -> Callable[..., Path]:
    """Writes a script, as it stands."""

    def write(text: str, name: str = "integrations/one.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def host(script, tmp_path) -> Callable[..., Extract]:
    """Hosts the body of an `extract`."""

    def run(body: str, credentials: dict[str, str] | None = None, *, config=None, **options) -> Extract:
        path = script(_HEAD + textwrap.indent(textwrap.dedent(body), " " * 8))
        return run_connector(path, config, credentials, folder=tmp_path, **options)

    return run
