"""The names that other systems have for a database."""

from __future__ import annotations

import pytest

from connectors.builtin.database import DuckDB, Postgres, Sqlite

SHOP = ["postgres://db.example.com:5432/shop"]
URLS = {
    "postgresql://ada:canary@db.example.com/shop?sslmode=require": SHOP,
    "postgresql+psycopg://db.example.com:5432/shop?password=canary": SHOP,
    "postgres://ada:canary@db.example.com:6432": ["postgres://db.example.com:6432/ada"],
    "postgresql://ada:canary@/shop?host=db.example.com": SHOP,
    "postgresql://ada:canary@/shop?host=/var/run/postgresql": [],
    "postgresql:///shop": [],
    "postgresql:///shop?host=one&host=two": [],
}


@pytest.mark.parametrize("url", URLS)
def test_a_server_s_address_has_no_login(connect, url):
    assert list(connect(Postgres, url=url).addresses()) == URLS[url]


def test_a_server_is_known_by_its_parts_too(connect):
    parts = {"host": "db.example.com", "user": "ada", "password": "canary", "dbname": "shop"}
    assert list(connect(Postgres, **parts).addresses()) == SHOP
    assert list(connect(Postgres, host="/var/run/postgresql", user="ada").addresses()) == []


@pytest.mark.parametrize(("url", "secret"), [(SHOP[0], False), ("postgres://ada:canary@h/shop", True)])
def test_a_url_without_a_login_is_no_secret(url, secret):
    assert (url in Postgres.secrets(Postgres.Config(url=url))) == secret


@pytest.mark.parametrize(("connector", "scheme"), [(DuckDB, "duckdb"), (Sqlite, "sqlite")])
def test_a_file_is_known_by_its_path_with_and_without_links(connect, tmp_path, connector, scheme):
    (tmp_path / "app.db").touch()
    (tmp_path / "link.db").symlink_to(tmp_path / "app.db")
    file, link = (f"{scheme}://{tmp_path}/{name}" for name in ("app.db", "link.db"))
    assert list(connect(connector, path="./x/../app.db").addresses()) == [file]
    assert list(connect(connector, path="link.db").addresses()) == [link, file]
