from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from connectors.errors import AccessDenied, AuthFailed, ConnectorError, UnexpectedAnswer, Unreachable
from connectors.testing import Flaky, InTurn, Scripted


def asked(scripted: Scripted) -> list[str]:
    return [str(request.url).removeprefix("https://api.test/v1") for request in scripted.requests]


# -- the styles


def test_a_list_without_a_link_is_one_page(connect):
    scripted = Scripted([[1, 2]])
    assert list(connect(scripted).pages("/orders")) == [1, 2]


@pytest.mark.parametrize(
    "link",
    [
        '<https://api.test/v1/orders?page=2>; rel="next"',
        "</v1/orders?page=2>; rel=next",
        '<?page=1>; rel="prev", <?page=2>; title="a"; rel="last NEXT"',
    ],
)
def test_the_link_header_is_followed(connect, link):
    pages = {"GET /v1/orders?state=open": (200, [1], {"Link": link}), "GET /v1/orders?page=2": [2, 3]}
    scripted = Scripted(pages)
    assert list(connect(scripted).pages("/orders", params={"state": "open"})) == [1, 2, 3]


@pytest.mark.parametrize("link", ["https://api.test/v1/orders?after=b", "/v1/orders?after=b", "?after=b"])
@pytest.mark.parametrize("end", [{"next": None}, {"next": ""}, {"next": False}, {}, None])
def test_an_address_in_the_body_is_followed_until_there_is_none(connect, link, end):
    scripted = Scripted(
        [{"data": {"rows": [1]}, "links": {"next": link}}, {"data": {"rows": [2]}, "links": end}]
    )
    found = connect(scripted).pages("/orders", params={"limit": 1}, items="data.rows", next="links.next")
    assert list(found) == [1, 2]
    assert asked(scripted) == ["/orders?limit=1", "/orders?after=b"]


def test_a_cursor_is_sent_as_a_parameter_beside_the_others(connect):
    scripted = Scripted(
        [{"d": [1], "meta": {"c": "x+y"}}, {"d": None, "meta": {"c": 7}}, {"d": [2], "meta": {}}]
    )
    api = connect(scripted)
    found = api.pages("/o?state=open", items="d", cursor="meta.c", cursor_param="after", limit=5)
    assert list(found) == [1, 2]
    assert asked(scripted) == [
        "/o?state=open&limit=5",
        "/o?state=open&limit=5&after=x%2By",
        "/o?state=open&limit=5&after=7",
    ]
    assert api.report.requests == 3


def test_items_and_cursor_may_be_functions_of_the_body(connect):
    scripted = Scripted([{"more": True, "rows": {"a": 1}}, {"more": False, "rows": {"b": 2}}])
    found = connect(scripted).pages(
        "/o",
        items=lambda body: body["rows"].items(),
        cursor=lambda body: body["more"] and next(iter(body["rows"])),
    )
    assert list(found) == [("a", 1), ("b", 2)]
    assert asked(scripted) == ["/o", "/o?cursor=a"]


def test_pages_are_counted_until_an_empty_one(connect):
    scripted = Scripted([[1, 2], [3], [4, 5], []])
    assert list(connect(scripted).pages("/o", page_param="p", first=0)) == [1, 2, 3, 4, 5]
    assert asked(scripted) == ["/o?p=0", "/o?p=1", "/o?p=2", "/o?p=3"]


def test_a_page_shorter_than_a_full_one_is_the_last(connect):
    scripted = Scripted([[1, 2], [3, 4], [5]])
    found = connect(scripted).pages("/o", page_param="page", limit=2, limit_param="per_page")
    assert list(found) == [1, 2, 3, 4, 5]
    assert asked(scripted)[2] == "/o?per_page=2&page=3"


def test_an_api_that_gives_fewer_than_asked_for_is_read_to_its_end(connect):
    scripted = Scripted([[1, 2], [3, 4], [5], []])
    found = connect(scripted).pages("/o", offset_param="offset", limit=100)
    assert list(found) == [1, 2, 3, 4, 5]
    assert [url.partition("offset=")[2] for url in asked(scripted)] == ["0", "2", "4", "5"]


def test_a_listing_asked_for_by_a_body_has_its_parameters_there(connect):
    scripted = Scripted([{"r": [1], "c": "b"}, {"r": [2], "c": None}])
    found = connect(scripted).pages(
        "/search", method="POST", json={"q": "x"}, items="r", cursor="c", cursor_param="start", limit=1
    )
    assert list(found) == [1, 2]
    bodies = [json.loads(request.content) for request in scripted.requests]
    assert bodies == [{"q": "x", "limit": 1}, {"q": "x", "limit": 1, "start": "b"}]
    assert asked(scripted) == ["/search", "/search"]


def test_a_page_is_asked_for_when_it_is_needed(connect):
    scripted = Scripted([{"d": [1, 2], "n": "?p=2"}, {"d": [3]}])
    found = connect(scripted).pages("/o", items="d", next="n")
    assert not scripted.requests
    assert (next(found), next(found)) == (1, 2)
    assert len(scripted.requests) == 1
    assert list(found) == [3]


def test_two_styles_at_once_are_a_mistake(connect):
    with pytest.raises(TypeError, match="one of next, cursor, page_param and offset_param"):
        connect(Scripted([])).pages("/o", next="n", page_param="page")


# -- what goes wrong


@pytest.mark.parametrize(
    ("items", "body", "said"),
    [
        (
            "data.rows",
            {"data": {"count": 0, "list": []}},
            "gave no 'data.rows': its 'data' is an object with count, list",
        ),
        ("data.rows", {"error": "x"}, "gave no 'data.rows': it is an object with error"),
        ("data.rows", {"data": []}, "gave no 'data.rows': its 'data' is a list"),
        ("data", [], "gave no 'data': it is a list"),
        ("data", {}, "gave no 'data': it is an object with no keys"),
        ("data", {"data": "x"}, "no list of items: 'data' is text"),
        ("data", {"data": 3}, "no list of items: 'data' is a number"),
        ("data", {"data": {"a": 1}}, "no list of items: 'data' is an object with a"),
        (None, {"data": []}, "no list of items: the body is an object with data (say where the items are"),
        (None, "null", "no list of items: the body is null"),
    ],
)
def test_an_answer_without_the_items_is_told_with_what_it_has(connect, items, body, said):
    with pytest.raises(UnexpectedAnswer) as caught:
        list(connect(Scripted([body])).pages("/o", params={"key": "t0ken"}, items=items))
    assert str(caught.value).startswith("GET https://api.test/v1/o gave no ")
    assert said in str(caught.value)
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "pages"),
    [
        ({"next": "n"}, [{"d": [1], "n": "/v1/o"}]),
        ({"next": "n"}, [{"d": [1], "n": "?p=2"}, {"d": [2], "n": "https://api.test/v1/o"}]),
        ({"next": "n"}, [{"d": [1], "n": "?p=2"}, {"d": [2], "n": "?p=2"}]),
        ({"cursor": "n"}, [{"d": [1], "n": "a"}, {"d": [2], "n": "b"}, {"d": [3], "n": "a"}]),
    ],
)
def test_pages_without_end_are_an_error(connect, options, pages):
    scripted, found = Scripted(pages), []
    with pytest.raises(UnexpectedAnswer, match="the page that follows was given before"):
        found.extend(connect(scripted).pages("/o", items="d", **options))
    assert len(scripted.requests) == len(pages)


@pytest.mark.parametrize("style", [{"page_param": "page"}, {"offset_param": "offset"}])
def test_an_api_that_does_not_know_the_parameter_is_noticed(connect, style):
    scripted, found = Scripted([[1, 2], [1, 2], [1, 2]]), []
    with pytest.raises(UnexpectedAnswer, match="look whether the API knows the parameter"):
        found.extend(connect(scripted).pages("/o", **style))
    assert found == [1, 2]


@pytest.mark.parametrize("link", ["http://a:port/", {"href": "/x"}, 7])
def test_a_link_that_is_no_address_is_told(connect, link):
    with pytest.raises(
        UnexpectedAnswer, match=r"GET https://api\.test/v1/o: the page that follows has no address"
    ):
        list(connect(Scripted([{"d": [], "n": link}])).pages("/o", items="d", next="n"))


def test_a_page_that_is_refused_ends_the_listing_after_what_came_before(connect):
    found = []
    with pytest.raises(AuthFailed):
        found.extend(connect(Scripted([{"d": [1], "n": "?p=2"}, 401])).pages("/o", items="d", next="n"))
    assert found == [1]


def test_a_first_page_without_an_address_is_told_at_once(connect):
    with pytest.raises(ConnectorError, match="not a URL"):
        connect(Scripted([])).pages("http://a:port/")


# -- other origins


def elsewhere() -> Scripted:
    return Scripted(
        {
            "GET https://api.test/v1/o": {"d": [1], "n": "https://files.test/o?p=2"},
            "GET https://files.test/o?p=2": {"d": [2], "n": "https://api.test/v1/o?p=3"},
            "GET https://api.test/v1/o?p=3": {"d": [3]},
            "POST https://api.test/v1/o": {"d": [1], "n": "https://files.test/o?p=2"},
        }
    )


def test_credentials_do_not_go_to_another_origin_and_go_again_to_their_own(connect):
    scripted = elsewhere()
    headers = {"X-Token": "t", "Accept": "application/vnd.api+json"}
    found = connect(scripted).pages("/o", headers=headers, auth=("ada", "pw"), items="d", next="n")
    assert list(found) == [1, 2, 3]
    sent = [
        (request.headers.get("x-token"), "authorization" in request.headers) for request in scripted.requests
    ]
    assert sent == [("t", True), (None, False), ("t", True)]
    assert {request.headers["accept"] for request in scripted.requests} == {"application/vnd.api+json"}


def test_a_link_outside_the_endpoints_is_denied(connect):
    scripted = elsewhere()
    with pytest.raises(AccessDenied, match=r"https://files\.test is not among"):
        list(connect(scripted, endpoints=["https://api.test"]).pages("/o", items="d", next="n"))
    assert len(scripted.requests) == 1


def test_a_body_does_not_go_to_another_origin(connect):
    with pytest.raises(AccessDenied, match="with a body"):
        list(connect(elsewhere()).pages("/o", method="POST", json={}, items="d", next="n"))


# -- an API with faults


def listing(request: httpx.Request) -> httpx.Response:
    """A thousand pages of ten, by cursor, by number, by offset or by link."""
    params = request.url.params
    at = int(params.get("cursor") or int(params.get("page", 1)) * 10 - 10 or params.get("offset") or 0)
    rows = list(range(at, min(at + 10, 10_000)))
    following = at + 10 if at + 10 < 10_000 else None
    link = f"https://api.test/v1/o?cursor={following}"
    headers = {"Link": f'<{link}>; rel="next"'} if following else {}
    body = {"rows": rows, "meta": {"next": following, "link": following and link}}
    return httpx.Response(200, json=body, headers=headers)


STYLES = {
    "link header": ({}, 1000),
    "link": ({"next": "meta.link"}, 1000),
    "cursor": ({"cursor": "meta.next"}, 1000),
    "page": ({"page_param": "page"}, 1001),
    "offset": ({"offset_param": "offset"}, 1001),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_thousand_pages_of_which_a_tenth_fails_arrive_once_each(connect, no_waits, style):
    options, pages = STYLES[style]
    flaky = Flaky(listing, share=0.1, seed=len(style))
    api = connect(flaky)
    assert list(api.pages("/o", items="rows", **options)) == list(range(10_000))
    assert 60 < flaky.faults < 160
    assert flaky.calls == pages + flaky.faults
    assert (api.http.counts.requests, api.http.counts.retries) == (flaky.calls, flaky.faults)
    assert api.report.requests == pages


def test_a_listing_of_a_real_server_that_cuts_its_answers_short_arrives_once(
    serve, answer, connect, no_waits
):
    body = gzip.compress(json.dumps({"rows": list(range(5))}).encode())
    packed = {"Content-Encoding": "gzip"}
    cuts = [
        answer(hang_up=True),
        answer(200, body[:-9], packed),
        answer(200, body, {**packed, "Content-Length": "999", "Connection": "close"}),
        answer(200, b"5\r\nhel", {"Transfer-Encoding": "chunked", "Connection": "close"}),
        answer(500),
        answer(200, b"<html>"),
    ]
    last = answer(200, b'{"rows": []}')
    given = [one for cut in cuts for one in (cut, answer(200, body, packed))]
    # The pages differ, as the number that each is asked for by does.
    server = serve(lambda asked: given.pop(0) if given else last)
    found = connect(url=server.url).pages(
        "/o", items=lambda page: [(len(given), row) for row in page["rows"]], page_param="page"
    )
    assert [row for _, row in found] == list(range(5)) * len(cuts)
    assert len(server.asked) == 2 * len(cuts) + 1


def test_calls_of_many_threads_that_fail_in_part_arrive_once_each(connect, no_waits):
    flaky = Flaky(lambda request: httpx.Response(200, json=request.url.path), share=0.3, in_a_row=3)
    api = connect(flaky)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: api.get_json(f"/{n}"), range(300)))
    assert found == [f"/v1/{n}" for n in range(300)]
    assert flaky.calls == 300 + flaky.faults


def test_a_listing_that_stops_to_answer_is_named_after_what_came(connect, no_waits):
    pages = {
        "GET /v1/o": {"d": [1], "n": "?p=2"},
        "GET /v1/o?p=2": InTurn(*[httpx.ReadTimeout("silence")] * 5),
    }
    found = []
    with pytest.raises(
        Unreachable, match=r"https://api\.test does not answer GET /v1/o: ReadTimeout: silence"
    ):
        found.extend(connect(Scripted(pages)).pages("/o", items="d", next="n"))
    assert found == [1]
