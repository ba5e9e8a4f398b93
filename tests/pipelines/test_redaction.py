"""No secret in what connectors print, log, raise and answer; and no connector that ends the process."""

from __future__ import annotations

import io
import json
import logging
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from connectors.config.secrets import MASK, Redactor
from connectors.errors import ConfigError
from connectors.tables import JSONType
from lineage import open_store
from pipelines.cli.main import run
from pipelines.keys import AssetKeys
from pipelines.partitions import key_at
from pipelines.project import connection_specs, open_connector, read_project, resolve_connection
from pipelines.redaction import masked, output_redacted
from pipelines.sensors import source_changed_sensor
from pipelines.sync import run_sync
from tests.pipelines.conftest import FILE, write_project

SECRET = "s3cr3t-Val-ue"
OWN = """
import logging, sys
from connectors import CheckResult, Connector, ConnectorConfig, Resource
from connectors.errors import ConnectorError

class Own(Connector):
    class Config(ConnectorConfig):
        header: str = ""

"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A project with one more connection, whose connector has the body given."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.delenv("HEADWATER_PROJECT", raising=False)
    monkeypatch.setenv("OWN_KEY", SECRET)

    def make(body: str, entry: str = '    credential: {api_key: "${OWN_KEY}"}\n', top: str = ""):
        folder = write_project(tmp_path / "project", FILE + "  own:\n    connector: ./own.py\n" + entry)
        (folder / "own.py").write_text(top + OWN + "".join(f"    {line}\n" for line in body.splitlines()))
        return read_project(folder)

    return make


def sync(project, *names: str):
    today = key_at(project.model.partitions, datetime.now(UTC))
    return run_sync(project, list(names) or list(project.connections), [today])


def keeping(folder: Path, text: str) -> list[str]:
    return [f.name for f in folder.rglob("*") if f.is_file() and text.encode() in f.read_bytes()]


# -- the streams


def test_lines_are_masked_also_when_they_come_in_parts():
    with redirect_stdout(io.StringIO()) as out, output_redacted(Redactor([SECRET])):
        print("the key: ", SECRET[:5], sep="", end="", flush=True)
        print(SECRET[5:])
        sys.stdout.buffer.write(SECRET.encode() + b"\n")
        print("no end:", SECRET, end="")
    assert out.getvalue() == f"the key: {MASK}\n{MASK}\nno end: {MASK}"


def test_the_streams_are_put_back_also_on_an_error():
    before = sys.stdout, sys.stderr
    with pytest.raises(KeyError), output_redacted(Redactor([SECRET])):
        {}[sys.stdout is before[0]]
    assert (sys.stdout, sys.stderr) == before


def test_uses_may_overlap_in_any_order():
    before = sys.stdout
    with redirect_stdout(io.StringIO()) as out:
        first, second = (
            output_redacted(Redactor(["first-secret"])),
            output_redacted(Redactor(["second-secret"])),
        )
        first.__enter__()
        second.__enter__()
        print("first-secret second-secret")
        first.__exit__(None, None, None)
        print("second-secret")
        second.__exit__(None, None, None)
        print("first-secret")
    assert out.getvalue() == f"{MASK} {MASK}\n{MASK}\nfirst-secret\n"
    assert sys.stdout is before


def test_logging_is_masked_in_handlers_that_were_there_and_in_those_made_meanwhile():
    log, there = logging.getLogger("test.of.redaction"), io.StringIO()
    log.addHandler(logging.StreamHandler(there))
    try:
        with redirect_stderr(io.StringIO()) as err:
            with output_redacted(Redactor([SECRET])):
                log.addHandler(logging.StreamHandler())
                log.warning("the key is %s", SECRET)
            log.warning("later")
    finally:
        log.handlers.clear()
    assert there.getvalue() == err.getvalue() == f"the key is {MASK}\nlater\n"


# -- through a run


def test_what_a_connector_prints_and_logs_is_kept_masked(own, tmp_path):
    project = own(
        "def extract(self):\n"
        "    print('printed', self.credentials['api_key'])\n"
        "    print('to stderr', self.credentials['api_key'], file=sys.stderr)\n"
        "    elsewhere = logging.getLogger('elsewhere.of.test')\n"
        "    elsewhere.addHandler(logging.StreamHandler())\n"
        "    elsewhere.error('logged %s', self.credentials['api_key'])\n"
        "    elsewhere.handlers.clear()\n"
        "    self.log.info('said %s', self.credentials['api_key'])\n"
    )
    assert sync(project, "own").ok
    assert keeping(tmp_path, SECRET) == []
    for said in ("printed", "to stderr", "logged"):
        assert keeping(tmp_path / "home" / "storage", f"{said} {MASK}")


@pytest.mark.parametrize(
    "entry",
    [
        '    config: {header: "Bearer ${OWN_KEY}"}\n',
        '    credential: {dsn: "host=h password=${OWN_KEY}"}\n',
        "    credential: {pin: 87654321}\n",
    ],
)
def test_a_value_within_a_text_and_one_that_is_no_text_are_masked(own, entry):
    project = own(f"def extract(self):\n    raise RuntimeError('refused {SECRET} 87654321')\n", entry)
    redact = resolve_connection(project, "own").redact
    secret = "87654321" if "pin" in entry else SECRET
    assert secret not in redact(f"refused {secret}")
    (outcome,) = sync(project, "own").outcomes
    assert secret not in outcome.error


@pytest.mark.parametrize(
    "body",
    [
        "    yield CheckResult('reach ' + key, False, 'refused ' + key, 'is it ' + key)\n",
        "    raise RuntimeError('refused ' + key)\n",
        "    raise ConnectorError('refused', hint='is it ' + key)\n",
        "    sys.exit('refused ' + key)\n",
    ],
)
def test_check_shows_no_secret(own, capsys, body):
    project = own(
        "def extract(self): ...\ndef check(self):\n    key = self.credentials['api_key']\n"
        "    print(key, file=sys.stderr)\n" + body
    )
    assert run(["--project", str(project.folder), "check", "own"]) == 1
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert f"refused {MASK}" in said.out or f"is it {MASK}" in said.out


@pytest.mark.parametrize("raised", ["raise RuntimeError('no: ' + key)", "sys.exit('no: ' + key)"])
def test_a_fingerprint_that_fails_is_logged_masked_and_leaves_the_others(own, capfd, raised):
    project = own(
        "def extract(self): ...\n"
        "def fingerprint(self):\n"
        "    key = self.credentials.get('api_key')\n"
        f"    if key:\n        {raised}\n"
        "    return 'f1'\n",
        '    credential: {api_key: "${OWN_KEY}"}\n  calm: {connector: ./own.py}\n',
    )
    sensor = source_changed_sensor(project, ["own", "calm"], AssetKeys())
    with dg.instance_for_test() as instance, dg.build_sensor_context(instance=instance) as context:
        found = sensor(context)
    assert json.loads(found.cursor) == {"calm": "f1"}
    said = "".join(capfd.readouterr())
    assert "own: the fingerprint could not be read" in said
    assert f"no: {MASK}" in said
    assert SECRET not in said


# -- a connector that wants to end the process


def test_sys_exit_in_an_extract_is_that_connections_failure(own):
    project = own("def extract(self):\n    sys.exit(3)\n")
    report = sync(project)
    assert {o.connection: o.error for o in report.outcomes if o.error} == {
        "own": "the connector called sys.exit(3)"
    }
    assert len(report.outcomes) == len(project.connections)
    assert open_store(project.storage).graph().resources()


def test_sys_exit_at_import_is_that_connections_failure(own):
    project = own("def extract(self): ...", top="import sys\nsys.exit()\n")
    report = sync(project)
    (error,) = [o.error for o in report.outcomes if o.error]
    assert "own.py:2: cannot be loaded: the connector called sys.exit()" in error


def test_an_interruption_goes_through(own):
    project = own("def check(self):\n    raise KeyboardInterrupt\ndef extract(self): ...\n")
    before = sys.stdout
    assert run(["--project", str(project.folder), "check", "own"]) == 1
    with pytest.raises(KeyboardInterrupt):
        next(iter(open_own(project).check()), None)
    assert sys.stdout is before


def open_own(project):
    from connectors import Window
    from lineage.store import SnapshotWriter

    now = datetime.now(UTC)
    window, log = Window("k", now, now), logging.getLogger("test")
    resolved = resolve_connection(project, "own")
    return open_connector(project, resolved, window=window, ingest=SnapshotWriter(None), log=log)


def test_an_extract_that_yields_is_refused(own):
    (outcome,) = sync(own("def extract(self):\n    yield Resource\n"), "own").outcomes
    assert outcome.status == "FAILED"
    assert "Own.extract must not yield in this version" in outcome.error


# -- variables in names

NAMED = '    instance: "${OWN_INSTANCE}-x"\n    defaults: {database: "${OWN_DB:-shop}", schema: "${OWN_SCHEMA}"}\n'


def test_variables_in_instance_and_defaults_are_filled(own, monkeypatch):
    monkeypatch.setenv("OWN_INSTANCE", "prod")
    monkeypatch.setenv("OWN_SCHEMA", "sales")
    project = own("def extract(self): ...", NAMED)
    spec = next(spec for spec in connection_specs(project) if spec.name == "own")
    assert (spec.instance, dict(spec.defaults)) == ("prod-x", {"database": "shop", "schema": "sales"})
    assert open_own(project).context.instance == "prod-x"
    (outcome,) = sync(project, "own").outcomes
    assert outcome.header.instance == "prod-x"


def test_a_missing_variable_there_is_the_connections_fault_and_not_given_to_the_graph(own, capsys):
    project = own("def extract(self): ...", NAMED)
    with pytest.raises(ConfigError, match="connection own needs OWN_INSTANCE, OWN_SCHEMA"):
        resolve_connection(project, "own")
    spec = next(spec for spec in connection_specs(project) if spec.name == "own")
    assert (spec.instance, dict(spec.defaults)) == ("own", {"database": "shop"})
    assert run(["--project", str(project.folder), "check", "own"]) == 1
    assert "needs OWN_INSTANCE, OWN_SCHEMA" in capsys.readouterr().out


# -- names that nobody has


def test_unresolved_of_a_connection_that_is_not_there_is_wrong_use(project, capsys):
    assert run(["--project", str(project.folder), "lineage", "unresolved", "--connection", "nobody"]) == 2
    assert "no connection is named nobody; there are app, scripts, hand" in capsys.readouterr().err


def test_a_dialect_that_nobody_knows_is_wrong_use(tmp_path, capsys):
    (tmp_path / "q.sql").write_text("select a from t")
    for dialect, said in (("klingon", "no dialect is named klingon"), ("postgrs", "did you mean postgres")):
        assert run(["sql", str(tmp_path / "q.sql"), "--dialect", dialect]) == 2
        assert said in capsys.readouterr().err
    for dialect in ("generic", "ansi", "Postgre-SQL", "snowflake", "mssql"):
        assert run(["sql", str(tmp_path / "q.sql"), "--dialect", dialect]) == 0


def test_a_secret_that_is_declared_is_stored_masked_and_names_stay(tmp_path, monkeypatch):
    from pipelines.sync import run_sync
    from tests.pipelines.conftest import write_project

    secret = 'Zq"S3c\\ret/é'
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TELLING_KEY", secret)
    folder = write_project(
        tmp_path / "project",
        "partitions: {start: 2026-11-01}\nconnections:\n  own:\n    connector: ./own.py\n"
        '    credential: {api_key: "${TELLING_KEY}", user: reporting}\n',
    )
    (folder / "own.py").write_text(
        "from connectors import Connector, DeclaredLineage, InternalResource, Resource, TablesFromSQLQuery\n"
        "class Own(Connector):\n"
        "    merges_credential = False\n"
        "    def extract(self):\n"
        "        key, user = self.credentials['api_key'], self.credentials['user']\n"
        "        self.declare_resource(Resource(entity_type='chart', databuilder_id='c', title=user,\n"
        "                                       description='dblink(' + key + ')'))\n"
        "        sql = f\"select * from dblink('password={key}')\"\n"
        "        self.declare_lineage(DeclaredLineage(from_identifier=TablesFromSQLQuery(sql=sql),\n"
        "                                             to_identifier=InternalResource(databuilder_id='c')))\n"
    )
    project = read_project(folder)
    report = run_sync(project, ["own"], [key_at(project.model.partitions, datetime.now(UTC))])
    assert report.ok
    graph = open_store(project.storage).graph()
    assert graph.resource("own/c")["title"] == "reporting"
    assert graph.resource("own/c")["description"] == "dblink(**********)"
    assert not [sql for sql in graph.queries.values() if "S3c" in str(sql)]


def test_secrets_are_masked_in_every_type_of_a_batch():
    secret = "pa/ss-w0rd-1234"
    escaped = secret.replace("/", "\\/")
    pair = pa.struct([("a", pa.string()), ("n", pa.int64())])
    columns = {
        "text": pa.array([f"x {secret} y", "plain", None]),
        "large": pa.array([secret, "plain", None], pa.large_string()),
        "bytes": pa.array([secret.encode() + b"\xff", b"\xfe", None]),
        "list": pa.array([[secret], [], None]),
        "struct": pa.array([{"a": secret, "n": 1}, {"a": "b", "n": 2}, None], pair),
        "map": pa.array([[("k", secret)], [], None], pa.map_(pa.string(), pa.string())),
        "json": pa.ExtensionArray.from_storage(JSONType(), pa.array([f'{{"a":"{escaped}"}}', "{}", None])),
        "number": pa.array([1, 2, None]),
    }
    batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    clean = masked(batch, Redactor([secret]))
    assert clean.schema == batch.schema
    assert "w0rd" not in str(clean.to_pylist())
    assert clean.slice(1).equals(batch.slice(1))
    assert clean["bytes"][0].as_py() == b"**********\xff"
    assert masked(batch, Redactor()) is batch
    assert masked(batch, Redactor(["another"])) is batch
