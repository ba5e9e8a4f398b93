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


def count_rows(engine: duckdb.DuckDBPyConnection, relation: str) -> int:
    """How many rows a relation has, a condition behind it included."""
    return int(engine.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0])
