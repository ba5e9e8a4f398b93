"""The real CloudQuery SDK, asked what it does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.plugin_python import plugin_python

ANSWERS = Path(__file__).with_name("sdk_answers.py")


@pytest.fixture(scope="session")
def sdk_answers():
    """Asks the SDK in its own environment: `sdk_answers("values", {...})`."""
    python = plugin_python()

    def ask(subject, question):
        finished = subprocess.run(
            [python, str(ANSWERS), subject],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout)

    return ask
