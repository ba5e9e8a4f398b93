"""The process's own DuckDB."""

from __future__ import annotations

from functools import cache

import duckdb


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    # It takes 20 ms to make, and every commit wants one.
    engine = duckdb.connect()
    engine.execute("SET GLOBAL TimeZone = 'UTC'")  # a time with a zone comes out as it went in
    return engine


def cursor() -> duckdb.DuckDBPyConnection:
    """A connection of its own to one DuckDB in memory, for work that leaves nothing behind; to be closed."""
    return _engine().cursor()
