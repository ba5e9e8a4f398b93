from __future__ import annotations

import httpx
import pytest

from connectors.http.transport import load_wsgi_app
from pipelines.demo import SHOP

LOGIN = {"user": "headwater", "password": "demo"}


@pytest.fixture
def api(monkeypatch):
    monkeypatch.delenv("SHOP_BI_PASSWORD", raising=False)
    with httpx.Client(
        transport=load_wsgi_app("shop_bi.api:app", SHOP), base_url="https://bi.shop.example/api"
    ) as client:
        yield client


def test_dashboards_come_page_by_page_to_who_has_logged_in(api):
    headers = {"Authorization": "Bearer " + api.post("/login", json=LOGIN).json()["token"]}
    found, page = [], 1
    while page:
        body = api.get("/dashboards", params={"page": page}, headers=headers).json()
        found.append([dashboard["slug"] for dashboard in body["dashboards"]])
        page = body["next_page"]
    assert found == [["revenue", "stores"], ["orders", "customers"]]


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer guessed"}, {"Authorization": "Basic demo"}]
)
def test_nobody_else_sees_dashboards(api, headers):
    assert api.get("/dashboards", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("login", "status"),
    [
        ({"user": "headwater", "password": "no"}, 401),
        ({"user": "x", "password": "demo"}, 401),
        ({"user": "x"}, 400),
        ([], 400),
    ],
)
def test_a_wrong_login_gets_no_token(api, login, status):
    answer = api.post("/login", json=login)
    assert (answer.status_code, "token" in answer.json()) == (status, False)


@pytest.mark.parametrize("page", ["0", "x"])
def test_a_page_that_is_no_number_is_refused(api, page):
    headers = {"Authorization": "Bearer " + api.post("/login", json=LOGIN).json()["token"]}
    assert api.get("/dashboards", params={"page": page}, headers=headers).status_code == 400


def test_the_password_can_be_set(api, monkeypatch):
    monkeypatch.setenv("SHOP_BI_PASSWORD", "another")
    assert api.post("/login", json=LOGIN).status_code == 401
    assert api.post("/login", json={**LOGIN, "password": "another"}).status_code == 200


def test_other_pages_are_not_there(api):
    assert api.get("/users").status_code == 404
