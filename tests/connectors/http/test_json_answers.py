from __future__ import annotations

import time

import httpx
import pytest

from connectors.errors import (
    AccessDenied,
    AuthFailed,
    ConnectorError,
    RateLimited,
    UnexpectedAnswer,
    Unreachable,
)
from connectors.http.answer import parse_json
from connectors.testing import Flaky, InTurn, Scripted

HTML = "<html><body>Bad\n  Gateway</body></html>"
NOW = {"Retry-After": "0"}


def test_the_json_of_an_answer_is_given(connect):
    scripted = Scripted({"GET /v1/orders?page=2&state=open": {"data": [1]}, "POST /v1/search": [2]})
    api = connect(scripted)
    assert api.get_json("/orders?state=open", params={"page": 2}) == {"data": [1]}
    assert api.get_json(
        "https://api.test/v1/search", method="POST", json={"q": "x"}, headers={"X-A": "b"}
    ) == [2]
    first, second = scripted.requests
    assert first.headers["accept"] == "application/json"
    assert (second.content, second.headers["x-a"]) == (b'{"q":"x"}', "b")
    assert api.report.requests == 2


@pytest.mark.parametrize(
    ("base", "url", "whole"),
    [
        ("https://a.test", "/x", "https://a.test/x"),
        ("https://a.test/v1/", "x?to=http://b.test", "https://a.test/v1/x?to=http://b.test"),
        ("https://a.test/v1", "//b.test/x", "https://a.test/v1/b.test/x"),
        ("https://a.test/v1", "http://b.test/x", "http://b.test/x"),
    ],
)
def test_an_address_without_an_origin_is_added_to_the_configured_one(connect, base, url, whole):
    scripted = Scripted([1.5])
    assert connect(scripted, url=base).get_json(url) == 1.5
    assert str(scripted.requests[0].url) == whole


def test_the_base_of_addresses_may_be_set(connect):
    scripted = Scripted([{}])
    api = connect(scripted)
    api.base_url = "https://other.test"
    api.get_json("/x")
    assert str(scripted.requests[0].url) == "https://other.test/x"


@pytest.mark.parametrize("url", ["/x", "x", "http://a:port/"])
def test_what_is_no_address_is_said_to_be_none(connect, url):
    with pytest.raises(ConnectorError, match=r"not a URL|not an HTTP address"):
        connect(Scripted([]), url="").get_json(url)


def test_no_content_is_none(connect):
    assert connect(Scripted([204])).get_json("/x", method="DELETE") is None


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (401, AuthFailed, False),
        (403, AccessDenied, False),
        (404, UnexpectedAnswer, False),
        (429, RateLimited, True),
        (304, UnexpectedAnswer, False),
        (422, UnexpectedAnswer, False),
        (500, UnexpectedAnswer, True),
        (503, UnexpectedAnswer, True),
        (599, UnexpectedAnswer, True),
    ],
)
def test_a_status_that_is_no_success_is_an_error_that_names_the_call_and_the_cause(
    connect, status, kind, retryable
):
    body = {"error": "it's s3cret-key\n\x1b[31m that " + "x" * 300}
    with pytest.raises(kind) as caught:
        connect(Scripted({"GET /v1/orders?key=t0ken": (status, body, NOW)}), retries=1).get_json(
            "/orders", params={"key": "t0ken"}
        )
    text = str(caught.value)
    assert f"GET https://api.test/v1/orders answered {status}" in text
    assert "\"it's **********\\n" in text
    assert not {hidden for hidden in ("s3cret-key", "t0ken", "x" * 200, "\x1b") if hidden in text}
    assert (caught.value.retryable, caught.value.context["status"]) == (retryable, status)


def test_a_wait_longer_than_the_policys_is_rate_limited_at_once(connect):
    scripted = Scripted({"GET /v1/x": (429, "slow down", {"Retry-After": "3600"})})
    with pytest.raises(RateLimited, match=r"answered 429 Too Many Requests: slow down .*max_wait_s"):
        connect(scripted).get_json("/x")
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("wrong", [500, (500, "oops"), HTML, b'{"a": ', b"", b'{"a": "\xff"}', 408, 425])
def test_what_may_pass_is_asked_for_again(connect, no_waits, wrong):
    scripted = Scripted({"GET /v1/x": InTurn(wrong, wrong, {"a": 1})})
    assert connect(scripted).get_json("/x") == {"a": 1}
    assert len(scripted.requests) == 3


def test_what_is_not_json_is_an_error_after_the_retries(connect, no_waits):
    scripted = Scripted({"GET /v1/x": (200, HTML, {"Content-Type": "text/html"})})
    with pytest.raises(UnexpectedAnswer) as caught:
        connect(scripted, retries=2).get_json("/x")
    assert len(scripted.requests) == 3
    assert caught.value.retryable
    assert "GET https://api.test/v1/x answered 200 with what is not JSON (text/html, 39 bytes" in str(
        caught.value
    )
    assert "<html><body>Bad Gateway" in str(caught.value)


@pytest.mark.parametrize(("wrong", "cause"), [(500, "500"), (HTML, "not JSON"), (502, "502")])
def test_a_post_is_not_sent_twice(connect, wrong, cause):
    scripted = Scripted({"POST /v1/x": wrong})
    with pytest.raises(UnexpectedAnswer, match=cause):
        connect(scripted).get_json("/x", method="POST", json={})
    assert len(scripted.requests) == 1


def test_the_verbs_ask_again_after_a_500_and_give_the_last_one_as_it_is(connect, no_waits):
    scripted = Scripted({"GET /v1/x": InTurn(500, "ok"), "GET /v1/y": 500, "POST /v1/y": 500})
    api = connect(scripted, retries=2)
    assert api.http_get("https://api.test/v1/x").text == "ok"
    assert api.http_get("https://api.test/v1/y").status_code == 500
    assert api.http_post("https://api.test/v1/y").status_code == 500
    assert len(scripted.requests) == 2 + 3 + 1


def test_redirects_are_followed_within_the_endpoints(connect):
    moved = {
        "GET /v1/x": (307, None, {"Location": "/v2/x"}),
        "GET /v2/x": {"a": 1},
        "GET /v1/y": (302, None, {"Location": "https://b.test/"}),
    }
    api = connect(Scripted(moved), endpoints=["https://api.test"])
    assert api.get_json("/x") == {"a": 1}
    with pytest.raises(AccessDenied, match=r"https://b\.test"):
        api.get_json("/y")


@pytest.mark.parametrize("kind", ["429", "500", "503", "timeout", "torn", "html"])
def test_an_api_that_never_recovers_is_named_with_the_call_and_the_cause(connect, no_waits, kind):
    flaky = Flaky(Scripted([]), share=1, kinds=[kind], in_a_row=99)
    with pytest.raises((UnexpectedAnswer, RateLimited, Unreachable)) as caught:
        connect(flaky, retries=3).get_json("/orders")
    causes = {"timeout": "ReadTimeout", "torn": "RemoteProtocolError", "html": "not JSON"}
    assert causes.get(kind, kind) in str(caught.value)
    assert "GET" in str(caught.value)
    assert "/v1/orders" in str(caught.value)
    assert caught.value.retryable
    assert flaky.calls == flaky.faults == 4


def test_waits_grow_and_stay_within_the_policys(connect):
    started = time.monotonic()
    flaky = Flaky(Scripted([]), share=1, kinds=["timeout"], in_a_row=99)
    with pytest.raises(Unreachable):
        connect(flaky, retries=20, max_wait_s=0.6).get_json("/x")
    assert time.monotonic() - started < 0.8
    assert flaky.calls in (2, 3)


# -- parsing


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"18446744073709551616", 18446744073709551616),
        (b'{"id": -9223372036854775809}', {"id": -9223372036854775809}),
        (b"[1234567890123456789012345678901234567890]", [1234567890123456789012345678901234567890]),
        (b'"18446744073709551616"', "18446744073709551616"),
        (b"0.1000000000000000055511151231257827", 0.1),
        (b"[Infinity, -Infinity]", [float("inf"), float("-inf")]),
        (b'"\\ud800"', "\ud800"),
        (b"\xef\xbb\xbf{}", {}),
        ('{"ü": 1}'.encode("utf-16"), {"ü": 1}),
        (b"null", None),
    ],
)
def test_json_keeps_every_digit_and_what_others_write(text, value):
    assert parse_json(text) == value


def test_not_a_number_is_one():
    assert str(parse_json(b'{"a": NaN}')["a"]) == "nan"


@pytest.mark.parametrize("text", [b"", b"{", b"{'a': 1}", b"\xff", b"[1] x", b"[" * 100_000, b"9" * 5000])
def test_what_is_no_json_is_refused(text):
    with pytest.raises((ValueError, RecursionError)):
        parse_json(text)


def test_a_transport_that_does_not_fit_the_address_is_not_asked_again(connect):
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.UnsupportedProtocol("no such protocol", request=request)

    flaky = Flaky(refuse, share=0)
    with pytest.raises(Unreachable, match="no such protocol"):
        connect(flaky).get_json("/x")
    assert flaky.calls == 1
