"""Where CloudQuery's SDK and a server that speaks S3 are installed: an environment that `make test` makes."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def plugin_python() -> str:
    """The interpreter. Raises AssertionError, with what to do, where there is none."""
    beside = Path(sys.prefix) / "plugins" / "bin" / "python"
    python = os.environ.get("HEADWATER_PLUGIN_PYTHON") or str(beside)
    assert Path(python).exists(), (
        f"there is no {python}: `make test` makes it; or name an interpreter that has cloudquery-plugin-sdk in "
        "HEADWATER_PLUGIN_PYTHON"
    )
    return python
