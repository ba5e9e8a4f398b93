"""A delivery from another machine: from another process whose temporary folder, where locks lie, is another."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.sinks import Delivery, Sink
from tests.connectors.sinks.deliveries import SCHEMA, Opened, delivery, row
from tests.connectors.sinks.kills import forks


def interrupted(given: Delivery, between: Callable[[], None]) -> Delivery:
    """The delivery whose records do something after the first batch of the last time that they are read."""
    readers: list[Callable[[], None]] = []

    def records() -> pa.RecordBatchReader:
        def batches() -> Any:
            for at, batch in enumerate(given.records()):
                yield batch
                if at == 0 and not readers:
                    readers.append(between)
                    between()

        return pa.RecordBatchReader.from_batches(SCHEMA, batches())

    return replace(given, records=records)


def deliver_elsewhere(opened: Opened, mode: str, key: Sequence[str], number: int, folder: Path) -> None:
    """Delivers one row whose id is the number."""
    folder.mkdir(exist_ok=True)
    given = {"cls": opened.sink, "config": opened.config | {"mode": mode, "key": list(key)}, "number": number}
    child = forks().Process(target=_deliver, args=(given, folder))
    child.start()
    child.join()
    assert child.exitcode == 0


def _deliver(given: dict[str, Any], folder: Path) -> None:
    tempfile.tempdir = str(folder)
    cls: type[Sink] = given["cls"]
    number = given["number"]
    cls(cls.Config.model_validate(given["config"]), folder).deliver(delivery([row(number)], number, stale=[]))
