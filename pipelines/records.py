"""Dagster's records while a step runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import dagster as dg

_INDEX = "index"  # the database of what is known across runs; each run has one of its own besides


@contextmanager
def records_held_open(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Keeps the SQLite files of the records open, where they are such files; elsewhere it does nothing.

    Dagster opens a connection for each event, and SQLite folds its write-ahead log into the file whenever the last
    one closes: an asset's dozen events cost that dozens of times. While one stays open it is done at the end.
    """
    path_of = getattr(instance.event_log_storage, "path_for_shard", None)
    paths = [path_of(name) for name in (_INDEX, run_id)] if path_of else []
    with ExitStack() as held:
        for path in paths:
            connection = sqlite3.connect(path, check_same_thread=False)
            held.enter_context(closing(connection))
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        yield
