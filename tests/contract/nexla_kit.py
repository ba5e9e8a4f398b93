"""`python -m tests.contract.nexla_kit DRIVER`: Nexla's own client, driven against the demo after two days' syncs.

The exit code is the driver's: how many of its checks failed; 1 where one was left out that need not be.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.demo import SHOP

SECRET = "demo-Bi-Passw0rd"  # of the demo's BI tool: it must be in no answer
HEADWATER = (sys.executable, "-c", "from pipelines.cli import main; main()")
# The vendor's own client cannot run its page's loop.
MAY_SKIP = {"seed_loop.on_nexla_sdk"}


def main(driver: str) -> int:
    with tempfile.TemporaryDirectory(prefix="nexla-kit-") as folder:
        shop = Path(
            shutil.copytree(SHOP, Path(folder, "shop"), ignore=shutil.ignore_patterns("data", ".headwater"))
        )
        environment = {
            **os.environ,
            "PYTHONPATH": os.getcwd(),
            "DAGSTER_HOME": str(Path(folder, "home")),
            "HEADWATER_PROJECT": str(shop),
            "HEADWATER_SECRET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "SHOP_BI_PASSWORD": SECRET,
        }

        def headwater(*arguments: str) -> str:
            return subprocess.run(
                [*HEADWATER, *arguments], env=environment, check=True, stdout=subprocess.PIPE, text=True
            ).stdout.strip()

        now = datetime.now(UTC)
        for day in (now - timedelta(days=1), now):
            headwater("sync", "--partition", f"{day:%Y-%m-%d}")
        key = headwater("token", "create", "--scope", "admin")
        server = subprocess.Popen(
            [*HEADWATER, "serve", "--port", "0"], env=environment, stderr=subprocess.PIPE, text=True
        )
        try:
            assert server.stderr is not None
            address = server.stderr.readline().split()[-1]
            return drive(driver, f"{address}/nexla", key, environment)
        finally:
            server.terminate()
            server.wait(timeout=60)


def drive(driver: str, url: str, key: str, environment: dict[str, str]) -> int:
    """Runs the driver, shows what it says."""
    options = ("--write", "--native", "pipelines.client:nexla_client", "--forbid", SECRET, "--forbid", key)
    said = subprocess.run(
        [sys.executable, driver, url, "--service-key", key, *options],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(said.stdout)
    left_out = set(re.findall(r"^SKIP\s+(\S+)", said.stdout, re.MULTILINE)) - MAY_SKIP
    if left_out:
        print(f"left out: {', '.join(sorted(left_out))}")
    return said.returncode or bool(left_out)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
