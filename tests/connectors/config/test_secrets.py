"""Secrets: what is masked, and in which spellings."""

from __future__ import annotations

import base64
import json
import logging
import sys
from datetime import date
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretBytes, SecretStr

from connectors.config.secrets import MASK, RedactingFilter, Redactor, expand, secrets_of, values_within

SECRET = 'p/ä "q\\& +x\t='


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="!$&'()*+,;=:@"),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        " ".join(SECRET.split()),
    ],
)
def test_a_secret_is_masked_however_it_is_written(written):
    shown = Redactor([SECRET])(f"refused <{written}>")
    assert shown.strip("<>\"'").startswith("refused <")
    assert MASK in shown
    assert written.strip("\"'") not in shown


def test_a_short_value_is_masked_in_no_spelling():
    redact = Redactor(["a b"])
    for text in ("a b", "a%20b", "a+b", base64.b64encode(b"a b").decode()):
        assert redact(text) == text


def test_what_another_redactor_is_told_are_the_values_and_not_their_spellings():
    redact = Redactor([SECRET])
    assert redact.known == (SECRET,)
    assert Redactor(redact.known)(quote(SECRET, safe="")) == MASK


@given(st.text(min_size=4).filter(lambda text: len(text.strip()) > 3 and "*" not in text))
def test_no_secret_comes_out(secret):
    assert secret not in Redactor([secret])(f"before {secret} after")


def test_a_credential_is_secret_in_every_value():
    credential = {
        "pin": 87654321,
        "rate": 1234.5,
        "day": date(2026, 11, 20),
        "raw": b"bytes",
        "inner": {"keys": ["first", {"k": "second"}]},
        "on": True,
        "off": False,
        "none": None,
    }
    assert secrets_of(credential) == ["87654321", "1234.5", "2026-11-20", "bytes", "first", "second"]


def test_a_configuration_is_secret_where_it_says_so():
    class Inner(BaseModel):
        token: SecretStr = SecretStr("t0ken")

    class Config(BaseModel):
        host: str = "h.test"
        raw: SecretBytes = SecretBytes(b"r4w")
        inner: Inner = Inner()
        headers: dict[str, SecretStr | str] = {"auth": SecretStr("he4der"), "accept": "json"}
        many: list[SecretStr] = [SecretStr("m4ny")]

    assert secrets_of(Config()) == ["r4w", "t0ken", "he4der", "m4ny"]


def test_the_values_of_variables_are_told_from_the_text_around_them():
    environment = {"TOK": "t0ken"}
    text = "Bearer ${TOK} ${ELSE:-def4ult} $${TOK}"
    assert expand(text, environment) == ("Bearer t0ken def4ult ${TOK}", [])
    assert values_within(text, environment) == ["t0ken"]
    assert values_within("a $$ only", environment) == []


def record(message: object, *arguments: object, **kw: object) -> logging.LogRecord:
    return logging.LogRecord("n", logging.INFO, __file__, 1, message, arguments, kw.get("exc_info"))


def test_a_log_records_exception_is_masked():
    try:
        raise ValueError("s3cret-value")
    except ValueError:
        made = record("failed with %s", "s3cret-value", exc_info=sys.exc_info())
    assert RedactingFilter(Redactor(["s3cret-value"])).filter(made)
    shown = logging.Formatter().format(made)
    assert "s3cret-value" not in shown
    assert "ValueError" in shown


def test_a_log_call_with_wrong_arguments_does_not_fail_its_caller():
    made = record("%s and %s", "s3cret-value")
    assert RedactingFilter(Redactor(["s3cret-value"])).filter(made)
    assert made.getMessage() == f"%s and %s ('{MASK}',)"
