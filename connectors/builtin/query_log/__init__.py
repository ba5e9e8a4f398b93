"""Query logs: the statements that ran in a window, from a system's exported log or PostgreSQL's counters."""

from connectors.builtin.query_log.connector import QueryLog

__all__ = ["QueryLog"]
