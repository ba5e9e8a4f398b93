"""headwater.yaml and its faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import ConfigError
from pipelines.project import find_project, read_project, resolve_connection

HEAD = "partitions: {every: day, start: 2026-11-01}\n"


def faults(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "headwater.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_project(tmp_path)
    return list(caught.value.faults)


def test_every_fault_at_once_each_with_its_line(tmp_path):
    text = (
        "name: shop\n"
        "partitions: {every: week, start: 2026-11-01}\n"
        "conections: {}\n"
        "connections:\n"
        "  bi:\n"
        "    connector: jsonl\n"
        "    credential: nobody\n"
        "    max_drop: 3\n"
        "    alow_late: true\n"
        "  Bad-Name:\n"
        "    connector: jsonl\n"
    )
    found = faults(tmp_path, text)
    assert [fault.split(":")[1] for fault in found] == ["2", "3", "7", "8", "9", "10"]
    assert all(fault.startswith("headwater.yaml:") for fault in found)
    joined = "\n".join(found)
    assert "did you mean connections?" in joined
    assert "did you mean allow_late?" in joined
    assert "begins with a small letter" in joined


def test_a_dangling_credential_is_named_with_the_nearest_one(tmp_path):
    text = HEAD + (
        "credentials:\n  login: {url: x}\nconnections:\n  bi: {connector: jsonl, credential: logn}\n"
    )
    assert faults(tmp_path, text) == ["headwater.yaml:5: no credential is named logn; did you mean login?"]


def test_same_as_must_name_connections(tmp_path):
    text = HEAD + "connections:\n  bi: {connector: jsonl}\nsame_as:\n  - [bi/a, wh/b]\n"
    (fault,) = faults(tmp_path, text)
    assert fault.startswith("headwater.yaml:5: same_as: wh/b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("", "a project is a mapping"),
        ("- a\n- b\n", "a project is a mapping"),
        (HEAD, "connections is missing"),
        ("connections: {}\n", "partitions is missing"),
        (HEAD + "connections:\n  a: {connector: jsonl}\n  a: {connector: jsonl}\n", "written twice"),
        (HEAD + "connections:\n  datasets: {connector: jsonl}\n", "reserved"),
        (HEAD + "connections:\n  a: {connector: jsonl, schedule: often}\n", "not a cron expression"),
        ("partitions: {start: 2026-11-01, timezone: Mars/Base}\nconnections: {}\n", "not a time zone"),
        (HEAD + "connections:\n  a: {connector: sqlite, records: x}\n", "connections.a.records"),
        (HEAD + "transforms: {a: {operatoins: []}}\nconnections: {}\n", "did you mean operations"),
        (HEAD + "connections:\n  a: 7\n", "connections.a"),
        (HEAD + "connections: {}\nchecks: {sql_covrage: {min: 1}}\n", "did you mean sql_coverage?"),
        (HEAD + "connections: {}\nchecks: {sql_coverage: {mim: 1}}\n", "did you mean min?"),
        (HEAD + "connections: {}\nchecks: {sql_coverage: {min: 95}}\n", "checks.sql_coverage.min"),
        (HEAD + "connections: {}\nchecks: {unresolved_references: {severity: loud}}\n", "'warn' or 'error'"),
        ("name: !!python/object:os.system x\n" + HEAD, "not YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, said):
    assert said in "\n".join(faults(tmp_path, text))


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "headwater.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_project(tmp_path)


def test_no_message_holds_a_value(tmp_path):
    text = (
        HEAD + "connections:\n  bi:\n    connector: jsonl\n    credential: {api_key: hunter2hunter2}\n"
        "    max_drop: hunter2hunter2\n"
    )
    assert "hunter2" not in "\n".join(faults(tmp_path, text))


def test_no_project_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADWATER_PROJECT", raising=False)
    with pytest.raises(ConfigError, match="headwater init"):
        find_project()


def test_the_project_is_found_by_option_then_environment_then_folder(tmp_path, monkeypatch):
    folders = []
    for name in ("option", "environment", "here"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "headwater.yaml").write_text(HEAD + "connections: {}\n")
        folders.append(folder)
    monkeypatch.chdir(folders[2])
    monkeypatch.setenv("HEADWATER_PROJECT", str(folders[1]))
    assert find_project(folders[0]) == folders[0]
    assert find_project() == folders[1]
    monkeypatch.delenv("HEADWATER_PROJECT")
    assert find_project() == folders[2]


def resolved(tmp_path: Path, entry: str, credentials: str = ""):
    (tmp_path / "headwater.yaml").write_text(HEAD + credentials + f"connections:\n  bi: {entry}\n")
    return resolve_connection(read_project(tmp_path), "bi")


def test_a_missing_variable_is_the_connections_fault_and_named(tmp_path, monkeypatch):
    monkeypatch.delenv("BI_URL", raising=False)
    with pytest.raises(ConfigError, match=r"headwater.yaml:3: connection bi needs BI_URL"):
        resolved(tmp_path, '{connector: postgres, credential: {url: "${BI_URL}"}}')


def test_variables_defaults_and_dollars(tmp_path, monkeypatch):
    monkeypatch.setenv("WHERE", "here")
    found = resolved(
        tmp_path, '{connector: sql_files, config: {path: "${WHERE}/${NOT_SET:-sql}/$$x", dialect: duckdb}}'
    )
    assert found.config.path == "here/sql/$x"


def test_a_credential_fills_fields_and_a_clash_is_an_error(tmp_path):
    login = 'credentials:\n  login: {url: "postgresql://u:topsecretpw@h/d"}\n'
    found = resolved(tmp_path, "{connector: postgres, credential: login}", login)
    assert "topsecretpw" not in repr(found.config)
    assert found.redact("x topsecretpw y postgresql://u:topsecretpw@h/d") != "x topsecretpw y"
    with pytest.raises(ConfigError, match="given in the configuration and in the credential") as caught:
        resolved(
            tmp_path,
            "{connector: postgres, credential: login, config: {url: 'postgresql://u:other@h/d'}}",
            login,
        )
    assert "topsecretpw" not in str(caught.value)


def test_a_wrong_configuration_names_its_field(tmp_path):
    with pytest.raises(ConfigError, match="pth") as caught:
        resolved(tmp_path, "{connector: sql_files, config: {pth: x, dialect: duckdb}}")
    assert "did you mean path?" in str(caught.value)


def test_an_unknown_connector_names_the_nearest(tmp_path):
    text = HEAD + "connections:\n  a: {connector: postgers}\n  b: {connector: ./gone.py}\n"
    first, second = faults(tmp_path, text)
    assert first == "headwater.yaml:3: no connector is named postgers; did you mean postgres?"
    assert second.startswith("headwater.yaml:4: there is no file ./gone.py")


def test_a_missing_variable_of_the_storage_is_a_fault_of_the_file(tmp_path, monkeypatch):
    monkeypatch.delenv("NOBODY_SET_THIS", raising=False)
    text = HEAD + 'storage: "${NOBODY_SET_THIS}"\nconnections: {}\n'
    assert faults(tmp_path, text) == [
        "headwater.yaml:2: storage needs NOBODY_SET_THIS; set it in the environment"
    ]


def test_a_script_without_endpoints_may_reach_none(tmp_path):
    (tmp_path / "tool.py").write_text("import secodadk\n")
    assert resolved(tmp_path, "{connector: ./tool.py}").policy.endpoints == []
    found = resolved(tmp_path, '{connector: ./tool.py, endpoints: ["https://a.example"]}')
    assert found.policy.endpoints == ["https://a.example"]


def test_endpoints_stand_beside_http(tmp_path):
    with pytest.raises(ConfigError, match="endpoints stands under http"):
        resolved(
            tmp_path, '{connector: jsonl, config: {resources: x}, http: {endpoints: ["https://a.example"]}}'
        )
