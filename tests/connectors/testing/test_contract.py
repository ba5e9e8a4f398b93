"""The contract holds for a sound connector, and each of its tests finds the fault that it is for."""

from __future__ import annotations

import itertools
import subprocess
import sys

import httpx
import pyarrow as pa
import pytest
from _pytest.outcomes import Skipped
from pydantic import BaseModel, SecretStr

from connectors import (
    CheckResult,
    Column,
    Connector,
    ConnectorConfig,
    DeclaredLineage,
    ExternalTable,
    InternalResource,
    Resource,
    Statement,
    Table,
    TableResolver,
)
from connectors.errors import AuthFailed, ConnectorError
from connectors.testing import ConnectorContract, Scripted
from connectors.testing.denial import shape_of
from connectors.testing.leaks import sounds_secret

TOKEN, NAME = "token-7781-canary", "ada-the-user"
CREDENTIALS = {"token": TOKEN, "user": NAME}
DENIED = {"table": "orders", "path": "/ord*s"}
DAY_1, DAY_2, DAY_3 = ("2026-01-01", "2026-01-02", "2026-01-03")
NOTES = [Column("id", pa.int64(), primary_key=True), Column("text", pa.string())]
ORDERS = [*NOTES, Column("at", pa.string())]
COUNTER = itertools.count()


class Orders(TableResolver):
    def resolve(self, client, parent_resource):
        since = self.get_cursor(client) or ""
        for order in client.get_json("/orders", params={"since": since}):
            yield order
            self.set_cursor(client, max(self.get_cursor(client) or "", order["at"]))


class OrdersTable(Table):
    reading = Orders

    @property
    def resolver(self):
        return self.reading(self)


class Shop(Connector):
    class Config(ConnectorConfig):
        url: str = "https://shop.test"
        token: SecretStr

    def extract(self):
        self.declare_resource(Resource(entity_type="shop", databuilder_id="shop"))
        self.declare_resource(
            Resource(entity_type="dashboard", databuilder_id="d", parent_databuilder_id="shop")
        )
        self.declare_lineage(
            DeclaredLineage(
                from_identifier=ExternalTable(table="orders"),
                to_identifier=InternalResource(databuilder_id="d"),
            )
        )
        self.declare_statement(Statement(sql="select 1"))

    def tables(self):
        return [
            OrdersTable("orders", ORDERS, is_incremental=True),
            Table("notes", NOTES, resolve=lambda client, record: client.get_json("/notes")),
        ]

    def check(self):
        try:
            self.get_json("/notes")
        except ConnectorError as error:
            return [CheckResult("read", False, error.message, error.hint)]
        return [CheckResult("read", True, "notes")]

    def fingerprint(self):
        return "same"


class ShopContract(ConnectorContract):
    connector = Shop
    credentials = CREDENTIALS

    def http(self):
        first = [{"id": 1, "text": "a", "at": DAY_1}, {"id": 2, "text": "b", "at": DAY_2}]
        return Scripted(
            {
                "GET /orders?since=": first,
                f"GET /orders?since={DAY_2}": [first[1]],
                "GET /notes": [{"id": 1, "text": f"by {NAME}"}],
            }
        )

    def http_later(self):
        rows = [
            {"id": 1, "text": "a", "at": DAY_1},
            {"id": 2, "text": "changed", "at": DAY_3},
            {"id": 3, "text": "c", "at": DAY_3},
        ]
        return Scripted(
            {"GET /orders?since=": rows, f"GET /orders?since={DAY_2}": rows[1:], "GET /notes": [{"id": 2}]}
        )


class TestAShop(ShopContract):
    """Every test holds, and none is skipped."""


class TestAShopWithADeniedTable(ShopContract):
    denied = DENIED


class TestACatalogueWithoutHttp(ConnectorContract):
    """What does not apply is skipped."""

    class connector(Connector):
        def extract(self):
            self.declare_resource(Resource(entity_type="shop", databuilder_id="shop"))


# -- each fault is found


def found_by(test: str, message: str, cls: type[Connector], **given):
    """Asserts that one test of the contract fails with a message."""
    contract = type("Faulty", (ShopContract,), {"connector": cls, **given})()
    with pytest.raises(AssertionError, match=message):
        getattr(contract, f"test_{test}")()


def shop(**methods) -> type[Connector]:
    return type("Faulty", (Shop,), methods)


def shop_that_also(do) -> type[Connector]:
    def extract(self):
        Shop.extract(self)
        do(self)

    return shop(extract=extract)


def resource(key="d", **fields):
    return Resource(entity_type="dashboard", databuilder_id=key, **fields)


def test_a_secret_that_is_plain_text_is_found():
    class Config(ConnectorConfig):
        token: str = ""
        api_key_header: str = "X-Key"
        page_size: int = 1

    test = "secrets_of_its_configuration_are_secret_fields"
    found_by(test, r"^token: make it a SecretStr", shop(Config=Config))
    contract = type("Open", (ShopContract,), {"connector": shop(Config=Config), "open_fields": ["token"]})
    contract().test_secrets_of_its_configuration_are_secret_fields()


def test_a_configuration_that_takes_anything_is_found():
    class Config(BaseModel):
        token: SecretStr

    found_by("an_unknown_field_is_refused", "a field that it does not have", shop(Config=Config))


@pytest.mark.parametrize(
    ("check", "test", "message"),
    [
        (lambda self: [], "reports_each_capability", "tells nothing"),
        (lambda self: [CheckResult("read", True)] * 2, "reports_each_capability", "twice: read"),
        (lambda self: [CheckResult("", True)], "reports_each_capability", "no name"),
        (lambda self: [CheckResult("read", False, "why")], "reports_each_capability", "read: why"),
        (lambda self: [{}["missing"]], "reports_each_capability", "check raised KeyError: 'missing'"),
        (lambda self: [CheckResult("read", True)], "says_what_is_wrong", "all is well"),
        (lambda self: self.http_get("https://shop.test").raise_for_status(), "says_what_is_wrong", "401"),
    ],
)
def test_a_check_that_says_too_little_or_breaks_is_found(check, test, message):
    found_by(f"check_{test}", message, shop(check=check))


def test_a_check_may_raise_an_error_of_ours():
    def check(self):
        raise AuthFailed("refused")

    type("Raises", (ShopContract,), {"connector": shop(check=check)})().test_check_says_what_is_wrong()


def test_an_extract_that_warns_fails_or_gives_nothing_is_found():
    test = "it_reads_all_there_is"
    found_by(test, "not whole: half", shop_that_also(lambda self: self.warn("half")))
    found_by(test, "not whole: line 1: bad", shop_that_also(lambda self: self.reject("line 1", "bad")))
    nothing = shop(extract=lambda self: None, tables=lambda self: ())
    found_by(test, "gives nothing", nothing)
    found_by(test, "failed: .*401", Shop, http=lambda self: self.http_refusing())


def test_an_extract_that_takes_a_refusal_for_emptiness_is_found():
    def rows(client, record):
        answer = client.http_get("https://shop.test/notes")
        return answer.json() if answer.is_success else []

    cls = shop(tables=lambda self: [Table("notes", NOTES, resolve=rows)])
    found_by("without_access_an_extract_is_never_whole", "looks whole", cls)


def test_an_extract_that_differs_from_run_to_run_is_found():
    changing = shop_that_also(lambda self: self.declare_resource(resource(f"n{next(COUNTER)}")))
    found_by("two_extracts_give_the_same", "the resources differ: too few .*too many", changing)
    found_by("keys_are_distinct_and_stable", "the databuilder_ids differ", changing)
    noted = Table("n", NOTES, resolve=lambda client, record: [{"id": 1, "text": str(next(COUNTER))}])
    found_by("two_extracts_give_the_same", "rows of n differ", shop(tables=lambda self: [noted]))


def test_keys_that_are_not_distinct_are_found():
    again = shop_that_also(lambda self: self.declare_resource(resource("d")))
    found_by("keys_are_distinct_and_stable", "one databuilder_id: d$", again)
    twice = Table("n", NOTES, resolve=lambda client, record: [{"id": 1}, {"id": 2}, {"id": 1}])
    found_by("keys_are_distinct_and_stable", "rows of n have one key: 1$", shop(tables=lambda self: [twice]))


def test_what_is_named_and_not_declared_is_found():
    orphan = shop_that_also(lambda self: self.declare_resource(resource("o", parent_databuilder_id="gone")))
    found_by("what_it_names_as_its_own_is_there", "not declared: gone", orphan)


LATER = "a_later_extract_goes_on_where_the_last_one_left_off"


def test_a_cursor_that_loses_or_forgets_rows_is_found():
    class Ahead(Orders):
        def resolve(self, client, parent_resource):
            if not self.get_cursor(client):
                yield from super().resolve(client, parent_resource)

    class Forgets(Orders):
        def set_cursor(self, client, value):
            pass

    for reading, message in ((Ahead, "rows of orders differ: too few"), (Forgets, "sets no cursor")):
        table = type("Faulty", (OrdersTable,), {"reading": reading})
        found_by(
            LATER, message, shop(tables=lambda self, t=table: [t("orders", ORDERS, is_incremental=True)])
        )


def test_an_incremental_table_that_is_not_marked_and_its_children_are_found():
    found_by(LATER, "orders, which is not", shop(tables=lambda self: [OrdersTable("orders", ORDERS)]))

    def tables(self):
        lines = Table("lines", NOTES, resolve=lambda client, order: [{"id": order.get("id")}])
        return [OrdersTable("orders", ORDERS, relations=[lines], is_incremental=True)]

    found_by(LATER, "rows of lines, which is not incremental, differ", shop(tables=tables))


def test_rows_without_a_key_may_not_come_twice():
    """What lies on the border comes again: with a key it replaces itself, without one it is there twice."""
    plain = [Column("text", pa.string()), Column("at", pa.string())]
    cls = shop(tables=lambda self: [OrdersTable("orders", plain, is_incremental=True)])
    found_by(LATER, "orders differ: too few none; too many .*2026-01-02", cls, http_later=ShopContract.http)


def test_a_state_that_takes_resources_away_or_is_no_json_is_found():
    def extract(self):
        if not self.state.get("seen"):
            self.declare_resource(resource())
        self.state["seen"] = True

    found_by(LATER, "the resources differ: too few d", shop(extract=extract, tables=lambda self: ()))
    kept = shop_that_also(lambda self: self.state.update(seen=(1, 2)))
    found_by(LATER, "more than JSON can hold", kept)


@pytest.mark.parametrize(
    ("leak", "place"),
    [
        (lambda self, t: self.declare_resource(resource("x", description=f"by {t}")), "resources"),
        (lambda self, t: self.declare_statement(Statement(sql=f"select '{t}'")), "statements"),
        (lambda self, t: self.state.update(kept=t), "state"),
        (lambda self, t: self.report.reject("line 1", t), None),
    ],
)
def test_a_secret_in_what_is_given_is_found(leak, place):
    cls = shop_that_also(lambda self: leak(self, self.config.token.get_secret_value()))
    if place:
        found_by("no_secret_leaves_it", f"a secret stands in its {place}", cls)
    else:
        found_by("no_secret_leaves_it", "not whole", cls)


def test_a_secret_in_rows_a_check_or_an_error_is_found():
    def noted(client, record):
        return [{"id": 1, "text": client.config.token.get_secret_value()}]

    def check(self):
        return [CheckResult("read", True, f"with {self.credentials['user']}")]

    def extract(self):
        raise ConnectorError(self.http_get("https://shop.test/notes").text)

    cls = shop(tables=lambda self: [Table("n", NOTES, resolve=noted)])
    found_by("no_secret_leaves_it", "stands in its rows of n", cls)
    found_by("no_secret_leaves_it", "stands in its check", shop(check=check))
    found_by("no_secret_leaves_it_in_an_error", "stands in its error", shop(extract=extract))


def test_a_denied_table_that_takes_others_with_it_or_keeps_quiet_is_found():
    test = "a_denied_table_stops_no_other"
    denied = {"denied": {"table": "orders", "path": "/orders"}}

    def together(self):
        self.get_json("/orders", params={"since": ""})

    def quiet(client, record):
        try:
            return client.get_json("/notes")
        except ConnectorError:
            return []

    def half(client, record):
        return [{"id": 1}] if client.http_get("https://shop.test/orders?since=").is_error else [{"id": 2}]

    orders = OrdersTable("orders", ORDERS, is_incremental=True)
    found_by(test, "/orders was denied, and all ended with", shop(extract=together), **denied)
    hidden = shop(tables=lambda self: [orders, Table("notes", NOTES, resolve=quiet)])
    found_by(test, "/notes was denied, and the run looks whole", hidden)
    cut = shop(tables=lambda self: [orders, Table("notes", NOTES, resolve=half)])
    found_by(test, "rows of notes, though only /orders was denied, differ", cut, **denied)


def test_a_fingerprint_that_changes_by_itself_is_found():
    changing = shop(fingerprint=lambda self: str(next(COUNTER)))
    found_by("its_fingerprint_holds_while_nothing_changes", "nothing changed", changing)


def test_a_print_is_found(capfd):
    contract = type("Prints", (ShopContract,), {"connector": shop_that_also(lambda self: print("here"))})
    with pytest.raises(AssertionError, match=r"it prints: 'here\\n'"):
        contract().test_it_prints_nothing(capfd)


def test_a_connector_that_asks_without_http_is_told_so():
    found_by("it_reads_all_there_is", "give `http`", shop(tables=lambda self: (), extract=ask), http=no_http)


def ask(self):
    self.get_json("/notes")


def no_http(self):
    return None


def test_a_contract_without_a_connector_says_so():
    with pytest.raises(AssertionError, match="say which"):
        ConnectorContract().test_it_reads_all_there_is()


# -- what does not apply


def test_what_does_not_apply_is_skipped_in_words():
    contract = TestACatalogueWithoutHttp()
    reasons = {}
    for test in [name for name in dir(contract) if name.startswith("test_") and "prints" not in name]:
        try:
            getattr(contract, test)()
        except Skipped as skipped:
            reasons[test.removeprefix("test_")] = skipped.msg
    assert reasons == {
        "check_reports_each_capability": "it has no check",
        "check_says_what_is_wrong": "it asks nothing over HTTP; give `wrong_config` or `wrong_credentials`",
        "without_access_an_extract_is_never_whole": reasons["check_says_what_is_wrong"],
        "no_secret_leaves_it_in_an_error": reasons["check_says_what_is_wrong"],
        LATER: "it has no incremental tables and keeps no state",
        "its_fingerprint_holds_while_nothing_changes": "it has no fingerprint",
        "a_denied_table_stops_no_other": "it does not have several tables that it reads over HTTP",
    }


@pytest.mark.parametrize("name", ["token", "apiKey", "client_secret", "db-password", "key", "bot_token_2"])
def test_names_of_secrets(name):
    assert sounds_secret(name)


@pytest.mark.parametrize("name", ["primary_key", "keys", "token_url", "secretary", "key_column", "monkey"])
def test_names_that_are_no_secrets(name):
    assert not sounds_secret(name)


def test_paths_of_one_shape_are_denied_together():
    assert shape_of("/v2/orders/17/lines/a7") == "/v2/orders/*/lines/*"


def test_a_wsgi_app_may_answer():
    def app(environ, start_response):
        known = "Bearer" in environ.get("HTTP_AUTHORIZATION", "")
        start_response("200 OK" if known else "401 Unauthorized", [("Content-Type", "application/json")])
        return [b'[{"id": 1}]']

    class Notes(Shop):
        def tables(self):
            return [
                Table(name, NOTES, resolve=lambda client, record, path=name: client.read(path))
                for name in ("a", "b")
            ]

        def read(self, path):
            return self.get_json(f"/{path}", headers={"Authorization": f"Bearer {TOKEN}"})

    contract = type("Played", (ShopContract,), {"connector": Notes, "http": lambda self: app})()
    contract.test_it_reads_all_there_is()
    contract.test_a_denied_table_stops_no_other()


def test_the_whole_suite_loads_pytest_only_when_it_skips():
    code = "from connectors.testing import ConnectorContract; import sys; print('pytest' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_a_transport_of_httpx_may_answer():
    http = httpx.MockTransport(lambda request: httpx.Response(200, json=[{"id": 1, "at": DAY_1}]))
    type("Mocked", (ShopContract,), {"http": lambda self: http})().test_it_reads_all_there_is()
