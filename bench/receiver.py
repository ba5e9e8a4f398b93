"""What an unreachable receiver of OpenLineage events costs a run, its steps in one process and in one each."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.measure import Figure, give_home, materialize, succeed

TURNS = 3
STEPS = 6
LIMIT_S = 2.0


def run(folder: Path) -> Iterator[Figure]:
    for executor in ("in_process", "multiprocess"):
        with _silent() as silent, _refusing() as refusing:
            receivers = {"refuses": refusing, "never answers": silent}
            seconds: dict[str, list[float]] = {name: [] for name in ("none", *receivers)}
            for turn in range(TURNS):
                for name, taken in seconds.items():
                    project = _project(folder / f"{executor}-{turn}-{name}", executor, receivers.get(name))
                    taken.append(succeed(materialize(project)).seconds)
        alone = median(seconds["none"])
        yield Figure(f"{executor}: {STEPS} connections, without a receiver", alone, "s")
        for name in receivers:
            yield Figure(
                f"{executor}: with one that {name}, more", median(seconds[name]) - alone, "s", LIMIT_S
            )


def _project(folder: Path, executor: str, url: str | None) -> Path:
    folder.mkdir(parents=True)
    (folder / "rows.jsonl").write_text('{"entity_type": "table", "databuilder_id": "d.s.t", "title": "t"}\n')
    names = [f"part{number}" for number in range(STEPS)]
    connections = "\n".join(
        f"  {name}: {{connector: jsonl, config: {{resources: ./rows.jsonl}}}}" for name in names
    )
    told = f"openlineage: {{url: {url}}}\n" if url else ""
    (folder / "headwater.yaml").write_text(
        f"name: told-{uuid.uuid4().hex[:8]}\nexecutor: {executor}\npartitions: {{every: day, start: 2026-01-01}}\n"
        f"{told}connections:\n{connections}\n"
    )
    give_home(folder)
    return folder


@contextmanager
def _silent() -> Iterator[str]:
    """Takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        kept: list[socket.socket] = []

        def take() -> None:
            try:
                while True:
                    kept.append(server.accept()[0])
            except OSError:
                return

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    for one in kept:
        one.close()


@contextmanager
def _refusing() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    yield address
