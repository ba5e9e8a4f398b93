from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

from connectors import Connector, ConnectorConfig, Resource, Statement
from connectors.errors import AccessDenied, AuthFailed, ConfigError, ConnectorError
from connectors.testing import run_connector, today


class Shop(Connector):
    class Config(ConnectorConfig):
        shop: str = "s"
        key: SecretStr = SecretStr("")

    def extract(self) -> None:
        self.declare_resource(
            Resource(entity_type="table", databuilder_id=self.http_get("https://a.test/x").text)
        )
        self.declare_statement(Statement(sql="select 1"))
        self.warn(f"half of it is missing, says {self.config.key.get_secret_value()}")
        self.state["seen"] = self.state.get("seen", 0) + 1
        if self.config.shop == "broken":
            raise AuthFailed("the shop refused the credential")
        if self.config.shop == "bug":
            raise ZeroDivisionError


def app(environ, start_response):
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


@pytest.mark.parametrize(
    "http", [app, httpx.MockTransport(lambda request: httpx.Response(200, text=request.url.path))]
)
def test_what_a_connector_declares_is_in_the_result(http):
    found = run_connector(Shop, {"key": "s3cret-key"}, http=http, state={"seen": 1})
    assert [r.databuilder_id for r in found.resources] == ["/x"]
    assert [s.sql for s in found.statements] == ["select 1"]
    assert found.report.warnings == ["half of it is missing, says **********"] == found.log
    assert found.report.requests == 1
    assert found.state == {"seen": 2}
    assert found.error is None


def test_an_error_is_kept_with_what_came_before():
    found = run_connector(Shop, {"shop": "broken"}, http=app)
    assert isinstance(found.error, AuthFailed)
    assert len(found.resources) == 1


def test_a_bug_comes_through():
    with pytest.raises(ZeroDivisionError):
        run_connector(Shop, {"shop": "bug"}, http=app)


def test_endpoints_are_held():
    assert isinstance(run_connector(Shop, http=app, endpoints=["https://b.test"]).error, AccessDenied)


def test_a_wrong_configuration_is_a_config_error():
    with pytest.raises(ConfigError, match="did you mean shop"):
        run_connector(Shop, {"shopp": "x"})


def test_today_is_a_whole_day_in_utc():
    window = today()
    assert (window.end - window.start).total_seconds() == 86400
    assert window.start in window
    assert window.end not in window


def test_an_extract_that_yields_is_refused():
    class Yields(Connector):
        def extract(self):
            yield Resource(entity_type="table", databuilder_id="t")

    class Maps(Connector):
        def extract(self):
            return map(self.declare_statement, [])

    class Waits(Connector):
        async def extract(self):
            return None

    for cls in (Yields, Maps, Waits):
        error = run_connector(cls).error
        assert isinstance(error, ConnectorError)
        assert f"{cls.__name__}.extract must not yield" in str(error)


def test_sys_exit_is_the_connectors_error_and_values_that_are_no_text_are_masked():
    class Leaves(Connector):
        def extract(self) -> None:
            self.log.info("the pin is %s", self.credentials["pin"])
            raise SystemExit(3)

    found = run_connector(Leaves, credentials={"pin": 87654321})
    assert str(found.error) == "the connector called sys.exit(3)"
    assert found.log == ["the pin is **********"]
