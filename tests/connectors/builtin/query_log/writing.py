"""Writes logs for tests, and reads them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.builtin.query_log import QueryLog
from connectors.errors import HeadwaterError
from connectors.model import Window
from connectors.testing import run_connector

PACKED = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}
# A day that has ended, whatever the clock of the machine says.
DAY = Window("2025-11-20", datetime(2025, 11, 20, tzinfo=UTC), datetime(2025, 11, 21, tzinfo=UTC))
NOON = datetime(2025, 11, 20, 12, tzinfo=UTC)


def jsonl(entries: list[dict]) -> bytes:
    return b"".join(json.dumps(entry, default=str).encode() + b"\n" for entry in entries)


def as_csv(entries: list[dict]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(entries[0]))
    writer.writeheader()
    writer.writerows(entries)
    return text.getvalue().encode()


def parquet(entries: list[dict] | pa.Table, **options) -> bytes:
    buffer = io.BytesIO()
    table = entries if isinstance(entries, pa.Table) else pa.Table.from_pylist(entries)
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


WRITTEN: dict[str, Callable[[list[dict]], bytes]] = {"jsonl": jsonl, "csv": as_csv, "parquet": parquet}


@pytest.fixture
def write(tmp_path):
    """Writes a log's file below `logs`, last modified at noon of the window's day unless told."""

    def write(name: str, content: bytes | list[dict], *, at: datetime = NOON) -> Path:
        path = tmp_path / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else jsonl(content))
        os.utime(path, (at.timestamp(), at.timestamp()))
        return path

    return write


@pytest.fixture
def read(tmp_path):
    """What the connector declares of the files below `logs`."""

    def read(*, window: Window = DAY, **config):
        found = run_connector(QueryLog, {"path": "logs", **config}, window=window, folder=tmp_path)
        if isinstance(found.error, HeadwaterError):
            raise found.error
        return found

    return read


@pytest.fixture
def causes(read):
    """The places and causes of what was refused."""
    return lambda **config: [(r.location, r.cause) for r in read(**config).report.rejects]


@pytest.fixture
def texts(read):
    """The SQL of what was declared."""
    return lambda **config: [statement.sql for statement in read(**config).statements]


def entry(**more) -> dict:
    """An entry of a log, started at noon of the window's day."""
    return {"sql": "select 1", "started_at": NOON.isoformat(), **more}
