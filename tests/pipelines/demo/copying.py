from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.demo import SHOP


def copy_shop(folder: Path) -> Path:
    """The demo's folder as it is committed, copied to a new one."""
    made = shutil.ignore_patterns("data", ".headwater", "logs", "__pycache__")
    shutil.copytree(SHOP, folder, ignore=made)
    return folder
