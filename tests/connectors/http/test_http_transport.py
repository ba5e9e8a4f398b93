from __future__ import annotations

import pytest

from connectors.errors import AccessDenied, ConfigError, UnexpectedAnswer, Unreachable
from connectors.http import HttpClient, HttpPolicy, Reroute

APP = """
def app(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        raise KeyError("nothing here")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{word} " + environ["HTTP_HOST"].encode()]
not_callable = 1
"""


@pytest.fixture
def project(tmp_path):
    """Makes project folders that all have a package of the same name."""

    def make(name: str, word: str):
        package = tmp_path / name / "shop_api_of_test"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "api.py").write_text(APP.replace("{word}", word))
        return tmp_path / name

    return make


def test_a_wsgi_app_of_the_project_answers(project):
    with HttpClient(HttpPolicy(transport="shop_api_of_test.api:app"), folder=project("one", "one")) as client:
        assert client.request("GET", "https://bi.example.test/x").text == "one bi.example.test"


def test_each_project_gets_its_own_app_of_the_same_name(project):
    for word in ("first", "second"):
        policy = HttpPolicy(transport="shop_api_of_test.api:app")
        with HttpClient(policy, folder=project(word, word)) as client:
            assert client.request("GET", "https://a.test").text == f"{word} a.test"


def test_endpoints_hold_for_an_app_too(project):
    policy = HttpPolicy(transport="shop_api_of_test.api:app", endpoints=["https://bi.example.test"])
    with HttpClient(policy, folder=project("one", "one")) as client, pytest.raises(AccessDenied):
        client.request("GET", "https://other.example.test")


def test_what_the_app_raises_is_named(project):
    policy = HttpPolicy(transport="shop_api_of_test.api:app")
    with (
        HttpClient(policy, folder=project("one", "one")) as client,
        pytest.raises(UnexpectedAnswer, match=r"shop_api_of_test\.api:app raised KeyError"),
    ):
        client.request("GET", "https://a.test/broken")


@pytest.mark.parametrize(
    "name", ["nowhere_at_all:app", "shop_api_of_test.api:none", "shop_api_of_test.api:not_callable"]
)
def test_an_app_that_cannot_be_loaded_is_named(project, name):
    with (
        HttpClient(HttpPolicy(transport=name), folder=project("one", "one")) as client,
        pytest.raises(ConfigError, match=name),
    ):
        client.request("GET", "https://a.test")


def test_rerouted_origins_are_answered_and_others_refused(in_turn, answer):
    server = in_turn(answer(200, b"local"))
    moved = in_turn(answer(302, headers={"Location": "{base}/b"}))
    with HttpClient(
        HttpPolicy(retries=0), transport=Reroute({"https://bi.example.test": server.url})
    ) as client:
        found = client.request("GET", "https://bi.example.test/a?b=1")
        assert (found.text, server.asked[0].path) == ("local", "/a?b=1")
        with pytest.raises(Unreachable, match="not rerouted"):
            client.request("GET", moved.url)
