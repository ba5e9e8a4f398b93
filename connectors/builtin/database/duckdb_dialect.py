"""As much of a SQLAlchemy dialect as reading a DuckDB catalogue needs."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect

NAME = "headwater_duckdb"


class DuckDBDialect(DefaultDialect):
    """Plain text queries in autocommit mode. It leaves the name `duckdb` to others."""

    name = NAME
    driver = "duckdb"
    default_paramstyle = "qmark"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Any:
        import duckdb

        return duckdb

    def initialize(self, connection: Any) -> None:
        """Asks nothing: there is no isolation level and no server version to find out."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Nothing was begun."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """Nothing was begun."""


registry.register(NAME, __name__, DuckDBDialect.__name__)
