from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

import connectors.testing
from connectors import Connector, ConnectorConfig
from connectors.testing import Flaky, InTurn, Recorder, Scripted, run_connector


def ask(transport: httpx.BaseTransport, url: str = "https://a.test/x", method: str = "GET", **options):
    with httpx.Client(transport=transport) as client:
        return client.request(method, url, **options)


# -- scripted


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ({"a": 1}, 200, '{"a":1}'),
        ([1, 2], 200, "[1,2]"),
        (404, 404, ""),
        ("<html>", 200, "<html>"),
        (b"\xc3\xa9", 200, "é"),
        ((201, {"a": 1}), 201, '{"a":1}'),
        ((429, "slow", {"Retry-After": "1"}), 429, "slow"),
        ((503, None), 503, ""),
    ],
)
def test_an_answer_may_be_written_in_several_ways(answer, status, text):
    given = ask(Scripted({"GET /x": answer}))
    assert (given.status_code, given.text) == (status, text)
    assert ("retry-after" in given.headers) == (status == 429)


@pytest.mark.parametrize("error", [httpx.ReadTimeout("late"), httpx.ReadTimeout])
def test_an_exception_is_raised(error):
    scripted = Scripted({"GET /x": error}) if isinstance(error, Exception) else Scripted([error("late")])
    with pytest.raises(httpx.ReadTimeout, match="late"):
        ask(scripted)


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("GET /x?a=1&b=2", "https://a.test/x?b=2&a=1"),
        ("get https://a.test/x", "https://a.test/x"),
        ("GET /x%20y", "https://b.test/x y"),
    ],
)
def test_a_request_is_found_by_its_method_address_and_parameters(key, url):
    scripted = Scripted({key: {"found": 1}})
    assert ask(scripted, url).json() == {"found": 1}
    assert [str(request.url.path) for request in scripted.requests] == [httpx.URL(url).path]


@pytest.mark.parametrize(
    ("method", "url"),
    [("GET", "https://a.test/x?page=2"), ("POST", "https://a.test/x"), ("GET", "https://b.test/y")],
)
def test_an_unknown_request_fails_the_test_and_tells_what_is_known(method, url):
    scripted = Scripted({"GET /x": 1, "GET https://a.test/y": 2})
    with pytest.raises(AssertionError) as caught:
        ask(scripted, url, method)
    assert f"no answer to {method} {url}; known are:\n  GET /x\n  GET https://a.test/y" in str(caught.value)
    assert scripted.unknown == [f"no answer to {method} {url}"]


def test_answers_in_turn_are_given_once_each():
    scripted = Scripted({"GET /x": InTurn(503, {"a": 1})})
    assert [ask(scripted).status_code for _ in range(2)] == [503, 200]
    with pytest.raises(AssertionError, match="its 2 answers were given"):
        ask(scripted)


def test_a_list_answers_whatever_is_asked():
    scripted = Scripted([{"a": 1}, [2]])
    assert [ask(scripted, f"https://a.test/{n}", "POST").json() for n in range(2)] == [{"a": 1}, [2]]
    with pytest.raises(AssertionError, match="its 2 answers were given"):
        ask(scripted)


@pytest.mark.parametrize("key", ["/x", "GET x", "GET", "GET a.test/x"])
def test_a_key_that_is_no_request_is_refused(key):
    with pytest.raises(ValueError, match="is no request"):
        Scripted({key: 1})


# -- flaky


def ok(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"whole": True})


def outcome(transport: httpx.BaseTransport, url: str = "https://a.test/x") -> str:
    try:
        given = ask(transport, url)
        return str(given.status_code) if given.status_code != 200 else given.headers["content-type"]
    except httpx.TransportError as error:
        return type(error).__name__


def test_kinds_come_in_turn_and_no_call_fails_for_ever():
    flaky = Flaky(ok, share=1, in_a_row=3)
    fine = "application/json"
    assert [outcome(flaky) for _ in range(8)] == [
        *("429", "500", "503", fine, "ReadTimeout", "RemoteProtocolError", "text/html; charset=utf-8", fine)
    ]
    assert (flaky.calls, flaky.faults) == (8, 6)


def test_the_same_seed_fails_the_same_calls_and_another_one_others():
    def failed(seed: int, order=range(200)) -> list[int]:
        flaky = Flaky(ok, share=0.2, seed=seed, kinds=["500"])
        found = [n for n in order if outcome(flaky, f"https://a.test/{n}") == "500"]
        assert flaky.faults == len(found)
        return sorted(found)

    assert failed(1) == failed(1) == failed(1, reversed(range(200))) != failed(2)
    assert 20 < len(failed(1)) < 60


def test_a_share_of_nothing_fails_nothing_and_a_fault_does_not_reach_what_is_behind():
    scripted = Scripted([{"a": 1}])
    flaky = Flaky(scripted, share=1, in_a_row=2)
    assert [outcome(flaky) for _ in range(3)][-1] == "application/json"
    assert len(scripted.requests) == 1
    assert {outcome(Flaky(ok, share=0)) for _ in range(50)} == {"application/json"}


def test_a_kind_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no kind of fault: 418; there are 429, 500"):
        Flaky(ok, kinds=["418"])


# -- recorded


def service(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/image":
        return httpx.Response(200, content=b"\x89PNG\xff s3cret-key", headers={"Content-Type": "image/png"})
    body = {"path": request.url.path, "echo": request.content.decode(), "by": "s3cret-key"}
    return httpx.Response(
        200, json=body, headers={"Link": '<?n=2&key=s3cret-key>; rel="next"', "Set-Cookie": "c"}
    )


CALLS = [
    ("https://ada:pa55word@a.test/x?key=s3cret-key", "GET", {"headers": {"Authorization": "Bearer t0ken"}}),
    ("https://a.test/x", "POST", {"json": {"password": "s3cret-key", "q": 1}}),
    ("https://a.test/image", "GET", {}),
]


def test_what_is_recorded_is_replayed_without_secrets(tmp_path):
    file, real = tmp_path / "deep" / "api.json", Scripted([])
    first = Recorder(file, httpx.MockTransport(service), secrets=["s3cret-key"])
    recorded = [first_answer(first, *call) for call in CALLS]
    first.close()
    text = file.read_text()
    assert not {word for word in ("s3cret-key", "pa55word", "t0ken", "uthorization", "ookie") if word in text}
    second = Recorder(file, real, secrets=["an0ther-key"])
    assert second.replays
    replayed = [
        first_answer(second, url.replace("s3cret", "an0ther"), method, json_with(options, "an0ther-key"))
        for url, method, options in CALLS
    ]
    assert [(a.status_code, a.headers, a.content) for a in replayed] == [
        (a.status_code, a.headers, a.content) for a in recorded
    ]
    assert recorded[0].links["next"]["url"] == "?n=2&key=**********"
    assert recorded[2].content == b"\x89PNG\xff **********"
    assert not real.requests


def first_answer(transport, url, method, options):
    client = httpx.Client(transport=transport)  # left open: closing it ends the recording
    return client.request(method, url, **options)


def json_with(options, key):
    return json.loads(json.dumps(options).replace("s3cret-key", key))


def test_the_same_request_s_answers_are_replayed_in_their_order(tmp_path):
    file = tmp_path / "api.json"
    with Recorder(file, Scripted([503, {"a": 1}])) as recorder:
        assert [
            recorder.handle_request(httpx.Request("GET", "https://a.test/x")).status_code for _ in "ab"
        ] == [503, 200]
    for _ in range(2):
        again = Recorder(file)
        assert [ask(again).status_code for _ in range(2)] == [503, 200]
        with pytest.raises(
            AssertionError, match=r"api\.json has 2 answers to GET https://a\.test/x, and this is request 3"
        ):
            ask(again)


def test_a_request_that_was_not_recorded_is_told_with_what_was(tmp_path):
    file = tmp_path / "api.json"
    ask(Recorder(file, httpx.MockTransport(ok)))
    with pytest.raises(AssertionError) as caught:
        ask(Recorder(file), "https://a.test/y")
    assert "api.json has 0 answers to GET https://a.test/y" in str(caught.value)
    assert "remove the file to record again. It knows:\n  GET https://a.test/x" in str(caught.value)


def test_nothing_asked_records_nothing(tmp_path):
    Recorder(tmp_path / "api.json").close()
    assert not list(tmp_path.iterdir())


# -- with a connector


class Shop(Connector):
    class Config(ConnectorConfig):
        url: str = "https://shop.test"

    def extract(self) -> None:
        for order in self.pages("/orders", items="data", cursor="next"):
            self.log.info("order %s", order)


PAGES = {"GET /orders": {"data": [1, 2], "next": "b"}, "GET /orders?cursor=b": {"data": [3], "next": None}}


def test_a_connector_is_run_on_scripted_flaky_and_recorded_answers(tmp_path):
    orders = ["order 1", "order 2", "order 3"]
    assert run_connector(Shop, http=Scripted(PAGES)).log == orders
    flaky = Flaky(Scripted(PAGES), share=1, kinds=["429", "503"], in_a_row=2)
    found = run_connector(Shop, http=flaky)
    assert [line for line in found.log if line in orders] == orders
    assert (found.error, flaky.calls, flaky.faults) == (None, 6, 4)
    assert run_connector(Shop, http=Recorder(tmp_path / "shop.json", Scripted(PAGES))).log == orders
    assert run_connector(Shop, http=Recorder(tmp_path / "shop.json")).log == orders


def test_an_unknown_request_fails_a_connector_s_test():
    with pytest.raises(AssertionError, match=r"no answer to GET https://shop\.test/orders\?cursor=b"):
        run_connector(Shop, http=Scripted({"GET /orders": PAGES["GET /orders"]}))


# -- the front door


def test_everything_it_names_is_there_and_no_more():
    assert not [name for name in connectors.testing.__all__ if not hasattr(connectors.testing, name)]
    assert not hasattr(connectors.testing, "Nothing")


def test_the_front_door_is_light():
    code = "import connectors.testing, sys; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"httpx", "pyarrow", "stamina", "orjson"} & set(run.stdout.split())
