"""No login that somebody wrote into an address stays there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.model.logins import without_login, without_logins

KEPT = [
    "airflow",
    "file",
    "arn:aws:glue:eu-west-1:123",
    "postgres://db:5432",
    "postgres://[::1]:5432",
    "s3://bucket/a@b",
    "https://github.com/org/repo/@scope/x?ref=main",
    "abfss://container@account.dfs.core.windows.net",
    "git@github.com:org/repo.git",
    "jdbc:sqlserver://h:1433;databaseName=Shop",
]
CUT = {
    "https://ghp_token@github.com/org/repo": "https://github.com/org/repo",
    "https://token@host:8080/a@b": "https://host:8080/a@b",
    "postgres://u:p@h1,u2:p2@h2:5432/db": "postgres://h2:5432/db",
    "postgres://u:p@h1,h2/db": "postgres://h1,h2/db",
    "//u:p@h": "//h",
    "u:p@h": "h",
    "abfss://name:key@account": "abfss://account",
    "jdbc:postgresql://db/shop?user=u&password=p&ssl=true": "jdbc:postgresql://db/shop?ssl=true",
    "jdbc:sqlserver://h;user=u;password=p;databaseName=Shop": "jdbc:sqlserver://h;databaseName=Shop",
    "jdbc:oracle:thin:scott/tiger@db:1521/orcl": "jdbc:oracle:thin:@db:1521/orcl",
    "https://h/x?private_token=abc&ref=main": "https://h/x?ref=main",
}


@pytest.mark.parametrize("address", KEPT)
def test_what_is_no_login_stays(address):
    assert without_login(address) == address


@pytest.mark.parametrize("address", CUT)
def test_a_login_is_left_out(address):
    assert without_login(address) == CUT[address]
    assert without_login(CUT[address]) == CUT[address]


ODD = st.text("/@:?;&,#=%.-", max_size=4)


@given(
    scheme=st.sampled_from(
        ["postgres", "https", "jdbc:mysql", "jdbc:postgresql", "mongodb+srv", "s3", "wasbs"]
    ),
    odd=st.tuples(ODD, ODD),
    path=st.sampled_from(["", "/db", "/a@b", "/db?ssl=true", "/db?mail=a@b"]),
)
def test_no_password_however_it_is_spelled_stays(scheme, odd, path):
    address = f"{scheme}://user:canary{odd[0]}canary{odd[1]}@db.example.com:5432{path}"
    assert "canary" not in without_login(address)
    assert "canary" not in without_logins(f"no answer from {address}")


def test_a_text_keeps_what_is_no_login():
    said = "postgres://u:pw@h/db and 'https://token@c/x' and http://h:80/@y/x, by ada@example.com"
    assert (
        without_logins(said) == "postgres://h/db and 'https://c/x' and http://h:80/@y/x, by ada@example.com"
    )
    assert without_logins("no jdbc:oracle:thin:scott/tiger@db:1521/x") == "no jdbc:oracle:thin:@db:1521/x"
