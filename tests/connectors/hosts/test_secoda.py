from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from connectors.connector import Context
from connectors.errors import ConfigError, ScriptFailed
from connectors.http import HttpClient
from connectors.model import CheckResult, ExternalTable, InternalResource, TablesFromSQLQuery
from connectors.registry import configure, load_connector
from connectors.testing import Extract, run_connector, today

ROOT = Path(__file__).resolve().parents[3]
needs_the_real_one = pytest.mark.skipif(find_spec("secodadk") is None, reason="secodadk is not installed")
both_sdks = pytest.mark.parametrize(
    "own_sdk", [pytest.param(False, id="real", marks=needs_the_real_one), pytest.param(True, id="own")]
)

TOUR = """
print("sdk at", sys.modules["secodadk"].__file__)
table = ExternalTable(schema="s", table="t")
table.table = "changed"
for _ in range(2):
    one = Resource(entity_type="dashboard", databuilder_id="d.1", title="One", colour="no such")
    self.declare_resource(one)
inside, query = InternalResource(databuilder_id="d.1"), TablesFromSQLQuery(sql="select 1")
self.declare_lineage(DeclaredLineage(from_identifier=table, to_identifier=inside))
self.declare_lineage(DeclaredLineage(from_identifier=query, to_identifier=table))
"""


@both_sdks
def test_what_a_script_declares_is_read(host, own_sdk):
    found = host(TOUR, config={"own_sdk": own_sdk})
    assert found.error is None
    assert [r.databuilder_id for r in found.resources] == ["d.1", "d.1"]
    assert found.declarations[0].from_identifier == ExternalTable(schema="s", table="changed")
    assert found.declarations[0].to_identifier == InternalResource(databuilder_id="d.1")
    assert found.declarations[1].from_identifier == TablesFromSQLQuery(sql="select 1")
    assert (found.report.attempted, found.report.succeeded, found.report.failed) == (4, 4, 0)
    assert ("shim" in found.log[0]) is own_sdk


def test_no_warning_of_the_sdk_s_own_reaches_the_log(host):
    assert host("print('one line')").log == ["one.py: one line"]


NAMES = """
import inspect, json, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
star = {}
exec("from secodadk import *", star)
import secodadk.core, secodadk.strats.core, secodadk.strats.default
signatures = {
    name: [(p.name, str(p.kind), repr(p.default)) for p in inspect.signature(value).parameters.values()]
    for name, value in vars(secodadk.SecodaIntegration).items()
    if inspect.isfunction(value) and not (name.startswith("_") and name != "__init__")
}
modules = secodadk, secodadk.core, secodadk.strats.core, secodadk.strats.default
classes = [sorted(n for n, v in vars(m).items() if inspect.isclass(v)) for m in modules]
print(json.dumps([sorted(star), signatures, classes[0], [c for c in classes[1] if c != "Any"]]))
print(json.dumps([c for c in classes[2] + classes[3] if c.endswith("Strategy")]))
"""


@needs_the_real_one
def test_the_own_sdk_has_the_names_of_the_real_one():
    told = []
    for first in (".", str(ROOT / "connectors/hosts/shim")):
        command = [sys.executable, "-c", NAMES, first]
        run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        told.append([json.loads(line) for line in run.stdout.splitlines()])
    real, own = told
    assert {"SecodaIntegration", "Resource", "datetime", "Optional", "core", "strats"} <= set(real[0][0])
    assert len(real[0][1]) == 11
    assert own == real


def test_the_own_sdk_is_found_where_the_real_one_is_not(host):
    # It lies at the end of the path, after every installed package.
    assert host("print(sys.path[-1])").log[0].endswith("connectors/hosts/shim")


# -- requests


def reply(request: httpx.Request) -> httpx.Response:
    told = {
        "method": request.method,
        "url": str(request.url),
        "authorization": request.headers.get("authorization"),
        "agent": request.headers["user-agent"],
        "type": request.headers.get("content-type"),
        "body": request.content.decode(),
    }
    if request.url.path == "/moved":
        return httpx.Response(302, headers={"location": "/new"})
    return httpx.Response(418 if request.url.path == "/teapot" else 200, json=told)


@both_sdks
def test_all_verbs_are_answered_by_the_connection_s_client(host, own_sdk):
    found = host(
        """
        auth = httpx.BasicAuth("ada", "s3cret")
        def show(r):
            assert isinstance(r, httpx.Response) and r.request is not None and r.elapsed.total_seconds() >= 0
            print(r.status_code, "|".join(str(v) for v in r.json().values()))
        mine = {"User-Agent": "mine"}
        show(self.http_get("https://bi.test/a?x=1", params={"y": "2"}, headers=mine, auth=auth))
        show(self.http_post("https://bi.test/b", json={"k": [1]}))
        show(self.http_patch("https://bi.test/c", data={"form": "yes"}))
        show(self.http_delete("https://bi.test/d", json={"gone": True}, auth=("u", "p")))
        show(self.http_get("https://bi.test/teapot", verify=False))
        moved = self.http_get("https://bi.test/moved")
        print(moved.status_code, moved.headers["location"])
        moved = self.http_get("https://bi.test/moved", follow_redirects=True)
        print(moved.status_code, moved.url, [str(h.url) for h in moved.history])
        try:
            self.http_get("https://bi.test/teapot").raise_for_status()
        except httpx.HTTPStatusError as error:
            print("raised", error.response.status_code)
        """,
        config={"own_sdk": own_sdk},
        http=httpx.MockTransport(reply),
    )
    assert found.error is None
    lines = [line.removeprefix("one.py: ") for line in found.log]
    assert lines[0].startswith("200 GET|https://bi.test/a?")
    assert "y=2|Basic YWRhOnMzY3JldA==|mine|None|" in lines[0]
    assert lines[1].startswith("200 POST|https://bi.test/b|None|headwater/")
    assert lines[1].endswith('|application/json|{"k":[1]}')
    assert lines[2].endswith("|application/x-www-form-urlencoded|form=yes")
    assert "Basic dTpw" in lines[3]
    assert lines[3].endswith('{"gone":true}')
    assert lines[4].startswith("418 GET")
    assert lines[5:] == ["302 /new", "200 https://bi.test/new ['https://bi.test/moved']", "raised 418"]
    assert found.report.requests == 8


def test_digest_auth_asks_twice(host):
    def digest(request: httpx.Request) -> httpx.Response:
        if "authorization" not in request.headers:
            return httpx.Response(
                401, headers={"www-authenticate": 'Digest realm="r", nonce="n", qop="auth"'}
            )
        return httpx.Response(200, text=request.headers["authorization"][:6])

    body = 'print(self.http_get("https://a.test", auth=httpx.DigestAuth("a", "b")).text)'
    assert host(body, http=httpx.MockTransport(digest)).log == ["one.py: Digest"]


def test_threads_of_a_script_ask_at_the_same_time(host):
    found = host(
        """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(8) as threads:
            urls = ["https://a.test/%d" % n for n in range(40)]
            for r in threads.map(self.http_get, urls):
                self.declare_resource(Resource(entity_type="table", databuilder_id=r.json()["url"]))
        """,
        http=httpx.MockTransport(reply),
    )
    assert [r.databuilder_id for r in found.resources] == [f"https://a.test/{n}" for n in range(40)]
    assert found.report.requests == 40


def test_an_undeclared_origin_is_refused_and_makes_the_run_partial_even_if_the_script_hides_it(host):
    found = host(
        """
        try:
            self.http_get("https://evil.test/steal")
        except httpx.HTTPError as error:
            print(type(error).__name__)
        """,
        endpoints=["https://bi.test"],
        http=httpx.MockTransport(reply),
    )
    assert found.error is None
    assert "one.py: ConnectError" in found.log
    assert not found.report.complete
    assert "https://evil.test is not among the connection's `endpoints`" in found.report.warnings[0]


def test_a_source_that_does_not_answer_is_httpx_s_own_error_in_the_script(host):
    found = host('self.http_get("http://127.0.0.1:9/x?key=hidden")')
    assert isinstance(found.error, ScriptFailed)
    assert "ConnectError: http://127.0.0.1:9 does not answer" in str(found.error)
    assert "hidden" not in str(found.error)


# -- how a script is found and built


def test_a_script_that_starts_itself_runs_once(script, tmp_path):
    path = script(
        """
        from secodadk import Resource, SecodaIntegration
        class Own(SecodaIntegration):
            def __init__(self, credentials):
                super().__init__(credentials=credentials)
                self.prefix = credentials.get("prefix")
            def extract(self):
                self.declare_resource(Resource(entity_type="table", databuilder_id=self.prefix))
        Own({"prefix": "itself"}).start()
        Own({"prefix": "by extract"}).extract()
        """
    )
    found = run_connector(path, credentials={"prefix": "ours"}, folder=tmp_path)
    assert [r.databuilder_id for r in found.resources] == ["ours"]
    assert found.log == []


def test_modules_and_packages_beside_the_script_are_found(script, tmp_path):
    script("NAME = 'neighbour'", "integrations/beside.py")
    script("", "integrations/parts/__init__.py")
    script("NAME = 'part'", "integrations/parts/deep.py")
    path = script(
        """
        from secodadk import *
        from beside import NAME
        from parts import deep
        class One(SecodaIntegration):
            def extract(self):
                print(NAME, deep.NAME, __name__)
        """
    )
    assert run_connector(path, folder=tmp_path).log == ["one.py: neighbour part hosted_integration"]


TWO = """
from secodadk import SecodaIntegration
class A(SecodaIntegration):
    def extract(self): print("A")
class B(SecodaIntegration):
    def extract(self): print("B")
class Open(SecodaIntegration):
    pass
"""


def test_of_several_classes_one_must_be_named(script, tmp_path):
    path = script(TWO)
    error = run_connector(path, folder=tmp_path).error
    assert "several integration classes: A, B; name one with class_name" in str(error)
    assert run_connector(path, {"class_name": "B"}, folder=tmp_path).log == ["one.py: B"]
    assert "no integration class 'C'" in str(run_connector(path, {"class_name": "C"}, folder=tmp_path).error)


def test_a_script_without_a_class_says_so(script, tmp_path):
    error = run_connector(script("import secodadk"), folder=tmp_path).error
    assert "no integration class" in str(error)


def test_a_script_that_is_gone_is_a_config_error(script, tmp_path):
    with pytest.raises(ConfigError, match=r"did you mean one\.py"):
        run_connector(script("import secodadk").with_name("onee.py"), folder=tmp_path)


@pytest.fixture
def checked(script, tmp_path):
    """What `check` says about a script, by capability."""

    def check(text: str) -> dict[str, CheckResult]:
        cls = load_connector(str(script(text)), tmp_path)
        context = Context("bi", today(), Extract(), HttpClient(), folder=tmp_path)
        return {result.capability: result for result in cls(configure(cls, {}), context).check()}

    return check


def test_check_loads_the_script_without_starting_it_and_says_what_is_enforced(checked):
    results = checked(TWO[: TWO.index("class B")].replace('print("A")', "raise RuntimeError"))
    assert results["load script"] == CheckResult("load script", True, "found A")
    assert set(results) == {
        "load script",
        *(f"isolate {what}" for what in ("network", "processes", "files", "limits", "user")),
    }
    assert all(result.message for result in results.values())


def test_check_of_a_script_that_cannot_be_loaded_says_why(checked):
    result = checked(TWO)["load script"]
    assert not result.ok
    assert "name one with class_name" in result.message


# -- failures, and what is kept


def test_an_exception_is_this_connection_s_failure_with_its_place_and_what_was_declared_before(host):
    found = host(
        """
        self.declare_resource(Resource(entity_type="table", databuilder_id="kept"))
        {}["missing key"]
        """
    )
    assert [r.databuilder_id for r in found.resources] == ["kept"]
    assert isinstance(found.error, ScriptFailed)
    assert str(found.error) == "one.py raised KeyError: 'missing key' (at one.py:9)"
    assert found.error.context["type"] == "KeyError"
    assert found.error.context["last_lines"][-1] == 'one.py:9: {}["missing key"]'


@pytest.mark.parametrize("ending", ["sys.exit(0)", "sys.exit(3)", "raise KeyboardInterrupt"])
def test_leaving_early_is_a_failure(host, ending):
    assert isinstance(host(ending).error, ScriptFailed)


def test_a_syntax_error_of_a_neighbour_names_its_place(script, tmp_path):
    script("x = = 1", "integrations/beside.py")
    found = run_connector(script("import secodadk, beside"), folder=tmp_path)
    assert "SyntaxError" in str(found.error)
    assert "beside.py:1" in str(found.error)


def test_declarations_that_do_not_validate_are_refused_and_counted(host):
    found = host(
        """
        class Loose:
            def model_dump(self, mode): return {"entity_type": "table", "databuilder_id": 5}
        self.declare_resource(Loose())
        self.declare_lineage(Loose())
        self.declare_resource(Resource(entity_type="table", databuilder_id="good"))
        """
    )
    assert [r.databuilder_id for r in found.resources] == ["good"]
    assert (found.report.attempted, found.report.succeeded, found.report.failed) == (3, 1, 2)
    assert "databuilder_id" in found.report.rejects[0].cause


def test_an_address_among_the_credentials_can_be_shown_and_one_with_a_secret_cannot(host):
    found = host(
        "print(*self.credentials.values())",
        {
            "a": "https://Bi.test:8080/",
            "b": "https://bi.test/?key=1",
            "c": "https://u:p@bi.test",
            "d": "http://a:b",
        },
    )
    assert found.log == ["one.py: https://Bi.test:8080/ ********** ********** **********"]


@pytest.mark.parametrize(
    "message", [{"kind": "hello"}, {"kind": "nonsense"}, {}, {"kind": "error", "lines": 5}]
)
def test_a_script_that_speaks_in_the_host_s_name_gets_nowhere(host, message):
    found = host(
        f"""
        self.ingest_resources_strategy._host.say({message!r})
        time.sleep(60)
        """
    )
    assert "broke the protocol" in str(found.error)


def test_credentials_reach_the_script_and_no_message(host):
    found = host(
        """
        print("key", self.credentials["api_key"], self.credentials.get("absent"))
        print("quoted", "k3y%20with+space", file=sys.stderr)
        raise RuntimeError("refused: " + self.credentials["api_key"])
        """,
        {"api_key": "k3y with+space"},
    )
    assert "one.py: key ********** None" in found.log
    assert "k3y" not in repr(found.log) + str(found.error) + repr(found.error.context)
