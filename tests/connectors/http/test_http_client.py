from __future__ import annotations

import gzip
import logging
import random
import shutil
import ssl
import subprocess
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from connectors.config.secrets import Redactor
from connectors.errors import AccessDenied, ConfigError, ConnectorError, UnexpectedAnswer, Unreachable
from connectors.http import HttpClient, HttpPolicy


@pytest.fixture
def client():
    """Makes clients, and closes them."""
    made: list[HttpClient] = []

    def make(policy: HttpPolicy | None = None, **options) -> HttpClient:
        made.append(HttpClient(policy, connection="bi", **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_an_answer_is_given_whatever_its_status_and_knows_its_request(in_turn, answer, client, status):
    server = in_turn(answer(status, b'{"a": 1}'))
    found = client().request("GET", server.url + "/x", params={"page": "2"})
    assert (found.status_code, found.json()) == (status, {"a": 1})
    assert str(found.request.url) == server.url + "/x?page=2"
    assert found.elapsed > timedelta(0)
    if status >= 400:
        with pytest.raises(httpx.HTTPStatusError, match=str(status)):
            found.raise_for_status()


def test_headwater_names_itself(in_turn, answer, client):
    server = in_turn(answer())
    client().request("GET", server.url)
    assert server.asked[0].headers["user-agent"].startswith("headwater/")


def test_bodies_and_auth_are_sent(in_turn, answer, client):
    server = in_turn(answer())
    one = client()
    one.request("POST", server.url, json={"a": 1})
    one.request("PUT", server.url, data={"b": "2"})
    one.request("PATCH", server.url, content=b"raw", auth=httpx.BasicAuth("ada", "s3cret"))
    assert [asked.body for asked in server.asked] == [b'{"a":1}', b"b=2", b"raw"]
    assert server.asked[2].headers["authorization"] == "Basic YWRhOnMzY3JldA=="


def test_a_compressed_answer_is_given_decoded(in_turn, answer, client):
    server = in_turn(answer(200, gzip.compress(b"hello" * 100), {"Content-Encoding": "gzip"}))
    one = client()
    found = one.request("GET", server.url)
    assert found.text == "hello" * 100
    assert "content-encoding" not in found.headers
    assert one.counts.bytes == 500


def test_an_answer_without_a_body_may_name_an_encoding(in_turn, answer, client):
    server = in_turn(answer(204, b"", {"Content-Encoding": "gzip"}))
    assert client().request("DELETE", server.url).status_code == 204


def test_an_answer_that_is_not_what_its_encoding_says_is_named(in_turn, answer, client, no_waits):
    server = in_turn(answer(200, b"no gzip", {"Content-Encoding": "gzip"}))
    with pytest.raises(UnexpectedAnswer, match=f"GET {server.url}/x gave an answer that cannot be read"):
        client(HttpPolicy(retries=2)).request("GET", server.url + "/x")
    assert len(server.asked) == 3


def test_an_answer_over_the_size_ends_before_it_fills_memory(in_turn, answer, client):
    server = in_turn(answer(200, gzip.compress(b"0" * 10_000_000), {"Content-Encoding": "gzip"}))
    with pytest.raises(UnexpectedAnswer, match="more than 1000000 bytes"):
        client(HttpPolicy(max_answer_bytes=1_000_000)).request("GET", server.url)


# -- retries


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
def test_what_may_pass_is_asked_again_after_the_time_it_names(in_turn, answer, client, status):
    server = in_turn(answer(status, headers={"Retry-After": "0"}), answer(200, b"ok"))
    one = client()
    assert one.request("GET", server.url).text == "ok"
    assert (one.counts.requests, one.counts.retries) == (2, 1)


def test_retry_after_in_seconds_is_waited_for(in_turn, answer, client):
    server = in_turn(answer(429, headers={"Retry-After": "1"}), answer())
    started = time.monotonic()
    assert client().request("GET", server.url).status_code == 200
    assert 1.0 <= time.monotonic() - started < 3


def test_retry_after_as_a_date_is_waited_for(in_turn, answer, client):
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server = in_turn(answer(503, headers={"Retry-After": moment}), answer())
    started = time.monotonic()
    assert client().request("GET", server.url).status_code == 200
    assert 0.9 <= time.monotonic() - started < 4


def test_a_longer_wait_than_the_policy_s_gives_the_answer_at_once(in_turn, answer, client):
    server = in_turn(answer(429, headers={"Retry-After": "3600"}))
    started = time.monotonic()
    assert client(HttpPolicy(max_wait_s=5)).request("GET", server.url).status_code == 429
    assert time.monotonic() - started < 1
    assert len(server.asked) == 1


def test_retries_end(in_turn, answer, client):
    server = in_turn(answer(503, headers={"Retry-After": "0"}))
    assert client(HttpPolicy(retries=3)).request("GET", server.url).status_code == 503
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("status", "times"), [(429, 2), (503, 2), (408, 1), (425, 1), (502, 1), (504, 1), (500, 1)]
)
def test_a_post_is_sent_again_only_if_it_was_not_processed(in_turn, answer, client, status, times):
    server = in_turn(answer(status, headers={"Retry-After": "0"}))
    assert client(HttpPolicy(retries=1)).request("POST", server.url, json={}).status_code == status
    assert len(server.asked) == times


@pytest.mark.parametrize(
    ("method", "times"), [("GET", 3), ("PUT", 3), ("DELETE", 3), ("POST", 1), ("PATCH", 1)]
)
def test_a_lost_connection_is_tried_again_where_that_does_nothing_twice(
    in_turn, answer, client, method, times
):
    server = in_turn(answer(hang_up=True))
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
        client(HttpPolicy(retries=2, max_wait_s=2)).request(method, server.url)
    assert len(server.asked) == times


WORDS = gzip.compress(random.Random(1).randbytes(300).hex().encode())
CUT = {"Connection": "close"}
CUTS = {
    "shorter than its length": (b'{"a": ', {"Content-Length": "100", **CUT}),
    "a chunk that is not whole": (b"5\r\nhel", {"Transfer-Encoding": "chunked", **CUT}),
    "no last chunk": (b"5\r\nhello\r\n", {"Transfer-Encoding": "chunked", **CUT}),
    "a chunk without a size": (b"hello\r\n", {"Transfer-Encoding": "chunked", **CUT}),
    "gzip with other bytes in it": (WORDS[:40] + b"\xff" * 40 + WORDS[80:], {"Content-Encoding": "gzip"}),
    "gzip that breaks off": (WORDS[:-30], {"Content-Encoding": "gzip"}),
    "gzip without its checksum": (WORDS[:-8], {"Content-Encoding": "gzip"}),
    "deflate that breaks off": (zlib.compress(b"hello" * 99)[:-6], {"Content-Encoding": "deflate"}),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("DELETE", 2), ("POST", 1)])
def test_a_body_cut_short_is_asked_for_again_where_that_does_nothing_twice(
    in_turn, answer, client, no_waits, cut, method, times
):
    server, one = in_turn(answer(200, *CUTS[cut]), answer(200, b"whole")), client()
    if times == 2:
        assert one.request(method, server.url).text == "whole"
        assert (one.counts.requests, one.counts.retries) == (2, 1)
    else:
        with pytest.raises(ConnectorError, match=rf"{method} /|{method} http"):
            one.request(method, server.url)
    assert len(server.asked) == times


def test_silence_is_asked_again(serve, answer, client, no_waits):
    silent = [True, True, False]
    server = serve(lambda asked: (silent.pop(0) and time.sleep(1)) or answer(200, b"ok"))
    one = client(HttpPolicy(timeout_s=0.2))
    assert one.request("GET", server.url).text == "ok"
    assert one.counts.retries == 2


def test_silence_amid_a_body_is_asked_again(in_turn, answer, client, no_waits):
    # Its connection stays open.
    server = in_turn(answer(200, b"hel", {"Content-Length": "5"}), answer(200, b"hello"))
    assert client(HttpPolicy(timeout_s=0.2)).request("GET", server.url).text == "hello"


def test_an_answer_that_is_not_accepted_is_asked_for_again_then_given_as_it_is(
    in_turn, answer, client, no_waits
):
    server = in_turn(answer(200, b"no"), answer(200, b"yes"))
    assert client().request("GET", server.url, accept=lambda found: found.text == "yes").text == "yes"
    server, policy = in_turn(answer(200, b"no")), HttpPolicy(retries=2)
    assert client(policy).request("GET", server.url, accept=lambda found: False).text == "no"
    assert len(server.asked) == 3
    assert client(policy).request("POST", server.url, accept=lambda found: False).text == "no"
    assert len(server.asked) == 4


def test_nobody_there_is_unreachable_with_host_and_cause_and_no_secret(client):
    redact = Redactor(["hush-hush"])
    with pytest.raises(Unreachable) as caught:
        client(HttpPolicy(retries=0), redact=redact).request(
            "GET", "http://ada:pa55word@127.0.0.1:9/hush-hush?token=t0ken"
        )
    text = str(caught.value)
    assert "http://127.0.0.1:9 does not answer" in text
    assert "refused" in text
    assert caught.value.retryable
    assert not {secret for secret in ("pa55word", "hush-hush", "t0ken") if secret in text}


def test_an_answer_that_never_ends_is_unreachable(serve, answer, client):
    server = serve(lambda asked: time.sleep(2) or answer())
    with pytest.raises(Unreachable, match="ReadTimeout"):
        client(HttpPolicy(timeout_s=0.2, retries=0)).request("GET", server.url)


@pytest.mark.parametrize("url", ["http://a:port/", "http://a\x00b/", "not a url", "file:///etc/passwd", ""])
def test_what_is_no_address_is_said_to_be_none(client, url):
    with pytest.raises(ConnectorError, match=r"not a URL|not an HTTP address"):
        client().request("GET", url)


# -- origins and redirects


def test_only_declared_origins_are_asked(in_turn, answer, client):
    server, other = in_turn(answer()), in_turn(answer())
    one = client(HttpPolicy(endpoints=[server.url]))
    assert one.request("GET", server.url + "/a").status_code == 200
    with pytest.raises(AccessDenied) as caught:
        one.request("GET", other.url + "/secret-path")
    assert other.url in str(caught.value)
    assert "`endpoints`" in str(caught.value)
    assert not other.asked


def test_no_endpoints_are_none_allowed(client):
    with pytest.raises(AccessDenied):
        client(HttpPolicy(endpoints=[])).request("GET", "https://bi.example.test")


def test_redirects_are_followed_only_when_asked_for(in_turn, answer, client):
    server = in_turn(answer(302, headers={"Location": "/b"}), answer(200, b"b"))
    assert client().request("GET", server.url + "/a").status_code == 302
    assert len(server.asked) == 1


def test_a_followed_redirect_keeps_credentials_and_cookies_of_the_same_origin(in_turn, answer, client):
    server = in_turn(answer(302, headers={"Location": "/b", "Set-Cookie": "s=1"}), answer(200, b"b"))
    one = client()
    found = one.request(
        "GET",
        server.url + "/a",
        follow_redirects=True,
        auth=httpx.BasicAuth("a", "b"),
        headers={"X-Token": "t"},
    )
    assert (found.text, [hop.status_code for hop in found.history]) == ("b", [302])
    second = server.asked[1].headers
    assert (second["authorization"], second["x-token"], second["cookie"]) == ("Basic YTpi", "t", "s=1")
    one.request("GET", server.url)
    assert "cookie" not in server.asked[2].headers


def test_credentials_do_not_follow_a_redirect_to_another_origin(in_turn, answer, client):
    target = in_turn(answer(200, b"there"))
    server = in_turn(answer(302, headers={"Location": target.url + "/x"}))
    found = client(HttpPolicy(endpoints=[server.url, target.url])).request(
        "GET",
        server.url,
        follow_redirects=True,
        auth=("ada", "s3cret"),
        headers={"X-Token": "t", "Cookie": "s=1", "Accept": "text/csv"},
    )
    assert found.text == "there"
    assert not {"authorization", "x-token", "cookie"} & set(target.asked[0].headers)
    assert target.asked[0].headers["accept"] == "text/csv"


def test_a_redirect_to_an_undeclared_origin_is_denied(in_turn, answer, client):
    target = in_turn(answer())
    server = in_turn(answer(302, headers={"Location": target.url}))
    with pytest.raises(AccessDenied, match=target.url):
        client(HttpPolicy(endpoints=[server.url])).request("GET", server.url, follow_redirects=True)
    assert not target.asked


def test_a_body_does_not_follow_a_redirect_to_another_origin(in_turn, answer, client):
    target = in_turn(answer())
    server = in_turn(answer(307, headers={"Location": target.url}))
    with pytest.raises(AccessDenied, match="with a body"):
        client().request("POST", server.url, json={"password": "x"}, follow_redirects=True)
    assert not target.asked


def test_an_endless_redirect_ends(in_turn, answer, client):
    server = in_turn(answer(302, headers={"Location": "/"}))
    with pytest.raises(UnexpectedAnswer, match="redirects more than 20 times"):
        client().request("GET", server.url, follow_redirects=True)


# -- limits, logs, settings


def test_requests_are_spaced(in_turn, answer, client):
    server = in_turn(answer())
    one = client(HttpPolicy(rate_per_s=20))
    started = time.monotonic()
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda _: one.request("GET", server.url), range(5)))
    assert time.monotonic() - started >= 0.2


def test_no_more_requests_are_under_way_than_allowed(serve, answer, client):
    lock, now, most = threading.Lock(), 0, 0

    def slow(asked):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return answer()

    server, one = serve(slow), client(HttpPolicy(concurrency=2))
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: one.request("GET", server.url), range(6)))
    assert most == 2
    assert one.counts.requests == 6


def test_the_log_holds_no_secret(in_turn, answer, client):
    lines: list[str] = []
    log = logging.Logger("test", logging.DEBUG)
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    log.addHandler(handler)
    server = in_turn(answer())
    client(redact=Redactor(["b0t-token"]), log=log).request("GET", server.url + "/b0t-token?key=t0ken")
    assert lines == [f"GET {server.url}/********** -> 200"]


def test_a_proxy_gets_the_requests(in_turn, answer, client):
    proxy = in_turn(answer(200, b"by proxy"))
    policy = HttpPolicy(proxy=proxy.url.replace("http://", "http://ada:pr0xy-word@"))
    assert client(policy).request("GET", "http://bi.example.test/x").text == "by proxy"
    assert proxy.asked[0].path == "http://bi.example.test/x"
    assert "pr0xy-word" not in repr(policy)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_a_certificate_is_trusted_by_ca_file_only(in_turn, answer, client, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}".split(),
        check=True,
        capture_output=True,
    )
    server = in_turn(answer(200, b"tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    url = server.url.replace("http:", "https:")
    with pytest.raises(Unreachable, match="ca_file") as caught:
        client().request("GET", url)
    assert not caught.value.retryable
    assert client(HttpPolicy(ca_file="cert.pem"), folder=tmp_path).request("GET", url).text == "tls"
    one = client(folder=tmp_path)
    assert one.request("GET", url, verify=False).text == "tls"
    assert one.request("GET", url, verify=str(cert)).text == "tls"


def test_a_ca_file_that_is_not_there_is_named(client, tmp_path):
    with pytest.raises(ConfigError, match=r"none\.pem"):
        client(HttpPolicy(ca_file="none.pem"), folder=tmp_path).request("GET", "https://a.test")
