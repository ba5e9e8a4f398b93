from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.http import HttpPolicy
from connectors.http.retry import Again, Patience, retry_after_s


@pytest.mark.parametrize(
    ("given_text", "origin"),
    [
        ("https://BI.example.test", "https://bi.example.test"),
        ("https://bi.example.test/", "https://bi.example.test"),
        ("https://bi.example.test:443", "https://bi.example.test"),
        ("http://bi.example.test:8080", "http://bi.example.test:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_endpoint_is_an_origin(given_text, origin):
    assert HttpPolicy(endpoints=[given_text]).endpoints == [origin]


@pytest.mark.parametrize(
    "endpoint",
    [
        "bi.example.test",
        "ftp://a.test",
        "https://",
        "https://a.test/api",
        "https://ada:pw@a.test",
        "https://a:b",
        "*",
    ],
)
def test_what_is_no_origin_is_refused_without_showing_it(endpoint):
    with pytest.raises(ValidationError, match="an endpoint is an origin") as caught:
        HttpPolicy(endpoints=[endpoint])
    assert "ada" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [{"retry": 1}, {"retries": -1}, {"concurrency": 0}, {"transport": "no colon"}, {"timeout_s": 0}],
)
def test_wrong_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        HttpPolicy.model_validate(settings)


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_any_retry_after_is_a_wait_or_nothing(text):
    try:
        response = httpx.Response(503, headers={"retry-after": text})
    except (ValueError, httpx.InvalidURL):
        return
    wait = retry_after_s(response)
    assert wait is None or wait >= 0


def test_a_date_that_has_passed_is_no_wait():
    past = datetime(2020, 1, 1, tzinfo=UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after_s(httpx.Response(503, headers={"retry-after": past})) == 0


@given(st.lists(st.integers(0, 100), max_size=20), st.integers(0, 200))
def test_all_waits_together_stay_within_the_patience(waits, most):
    patience, waited = Patience(most), 0.0
    for wait in waits:
        allowed = patience(Again(httpx.Response(503, headers={"retry-after": str(wait)})))
        waited += allowed if allowed is not False else 0
    assert waited <= most
