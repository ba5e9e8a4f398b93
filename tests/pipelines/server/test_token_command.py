"""`headwater token`: made, listed, revoked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipelines.cli.main import run
from pipelines.project import read_project
from pipelines.project.overlay import objects_of
from pipelines.server.tokens import Tokens


@pytest.fixture
def headwater(folder, capfdbinary):
    """Gives the exit code, and what stands on standard output and standard error."""

    def say(*arguments: str) -> tuple[int, str, str]:
        capfdbinary.readouterr()
        code = run(["--project", str(folder), *arguments])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return say


def test_a_token_stands_alone_on_standard_output_and_nowhere_else(headwater, folder):
    code, out, err = headwater("token", "create", "--scope", "write", "--name", "ci", "--expires", "30d")
    assert code == 0
    assert re.fullmatch(r"hw_[A-Za-z0-9_-]{43}\n", out)
    assert out.strip() not in err
    kept = b"".join(path.read_bytes() for path in Path(folder).rglob("*") if path.is_file())
    assert out.strip().encode() not in kept


def test_tokens_are_listed_without_what_they_are(headwater):
    secrets = [headwater("token", "create", "--scope", scope)[1].strip() for scope in ("read", "admin")]
    code, out, _ = headwater("token", "list", "--json")
    assert code == 0
    told = json.loads(out)
    assert {one["scope"] for one in told} == {"read", "admin"}
    assert all(one.keys() == {"id", "name", "scope", "created_at", "expires_at", "expired"} for one in told)
    table = headwater("token", "list")[1]
    assert all(one["id"] in table for one in told)
    assert not any(secret in out + table for secret in secrets)


def test_a_revoked_token_is_gone(headwater, folder):
    headwater("token", "create", "--scope", "read")
    (one,) = json.loads(headwater("token", "list", "--json")[1])
    assert headwater("token", "revoke", one["id"])[0] == 0
    assert json.loads(headwater("token", "list", "--json")[1]) == []
    code, _, err = headwater("token", "revoke", one["id"])
    assert code == 1
    assert one["id"] in err
    assert Tokens(objects_of(read_project(folder))).list() == []


def test_a_token_given_in_place_of_its_id_is_not_repeated(headwater):
    secret = headwater("token", "create", "--scope", "read")[1].strip()
    code, out, err = headwater("token", "revoke", secret)
    assert code == 1
    assert secret not in out + err


@pytest.mark.parametrize(
    ("expires", "said"),
    [
        ("2020-01-01", "2020-01-01 00:00 UTC has passed"),
        ("0d", "UTC has passed"),
        ("never", "never is no moment"),
        ("30", "30 is no moment"),
    ],
)
def test_an_end_that_is_none_is_refused(headwater, expires, said):
    code, out, err = headwater("token", "create", "--scope", "read", "--expires", expires)
    assert (code, out) == (2, "")
    assert said in err


def test_a_span_and_a_date_are_ends(headwater):
    for expires in ("12h", "30m", "2999-12-31", "2999-12-31T10:00:00+02:00"):
        assert headwater("token", "create", "--scope", "read", "--expires", expires)[0] == 0
    ends = {one["expires_at"] for one in json.loads(headwater("token", "list", "--json")[1])}
    assert {"2999-12-31T00:00:00+00:00", "2999-12-31T08:00:00+00:00"} < ends
