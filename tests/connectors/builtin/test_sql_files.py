from __future__ import annotations

import os

import pytest
from pydantic import ValidationError

from connectors.builtin.sql_files import SqlFiles
from connectors.errors import Unreachable


@pytest.fixture
def scripts(tmp_path):
    """Writes files below the project's folder, and gives the name of theirs."""

    def write(**files: str | bytes) -> str:
        for name, content in files.items():
            path = tmp_path / "sql" / name.replace("__", "/").replace("_sql", ".sql")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return "sql"

    return write


def test_each_script_is_one_statement_with_its_place(scripts, extract):
    script = "create temp table t as select 1 as a;\ninsert into u select a from t;\n"
    path = scripts(b_sql="select 1", deep__er__a_sql=script, notes="not sql")
    found = extract(SqlFiles, path=path, dialect="duckdb", default_database="shop", default_schema="main")
    assert [s.location for s in found.statements] == ["b.sql", "deep/er/a.sql"]
    assert found.statements[1].sql == script
    assert {(s.dialect, s.default_database, s.default_schema) for s in found.statements} == {
        ("duckdb", "shop", "main")
    }
    assert found.report.complete


def test_one_file_may_be_named(scripts, extract):
    scripts(a_sql="select 1", b_sql="select 2")
    assert [s.location for s in extract(SqlFiles, path="sql/b.sql").statements] == ["b.sql"]


def test_the_pattern_chooses_and_hidden_files_are_left_out(scripts, extract):
    path = scripts(a_sql="select 1", **{"jobs__b.ddl": "select 2", ".git__c.ddl": "select 3"})
    assert [s.location for s in extract(SqlFiles, path=path, glob="**/*.ddl").statements] == ["jobs/b.ddl"]


def test_a_byte_order_mark_is_no_sql(scripts, extract):
    (found,) = extract(SqlFiles, path=scripts(a_sql=b"\xef\xbb\xbfselect 1")).statements
    assert found.sql == "select 1"


def test_another_encoding_can_be_named(scripts, extract):
    (found,) = extract(
        SqlFiles, path=scripts(a_sql="select 'é'".encode("latin-1")), encoding="latin-1"
    ).statements
    assert found.sql == "select 'é'"


def test_a_file_that_does_not_decode_is_refused_and_the_others_go_on(scripts, extract):
    found = extract(SqlFiles, path=scripts(a_sql=b"select '\xff'", b_sql="select 2"))
    assert [s.location for s in found.statements] == ["b.sql"]
    assert [(r.location, r.cause) for r in found.report.rejects] == [
        ("a.sql", "is not utf-8 at byte 8; look at `encoding`")
    ]
    assert (found.report.attempted, found.report.succeeded, found.report.failed) == (2, 1, 1)


def test_a_file_over_the_limit_is_refused(scripts, extract):
    path = scripts(a_sql="select 1 -- " + "x" * 2000, b_sql="select 2")
    found = extract(SqlFiles, path=path, max_file_mib=0.001)
    assert [s.location for s in found.statements] == ["b.sql"]
    assert "larger than 0.001 MiB" in found.report.rejects[0].cause


def test_a_dangling_link_is_no_file_and_an_empty_file_no_statement(scripts, extract, tmp_path):
    path = scripts(a_sql="  \n", b_sql="select 2")
    (tmp_path / "sql" / "c.sql").symlink_to(tmp_path / "gone.sql")
    found = extract(SqlFiles, path=path)
    assert [s.location for s in found.statements] == ["b.sql"]
    assert found.report.complete


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_closed_file_and_a_closed_folder_are_named(scripts, extract, tmp_path):
    path = scripts(a_sql="select 1", closed__b_sql="select 2", c_sql="select 3")
    (tmp_path / "sql" / "a.sql").chmod(0)
    (tmp_path / "sql" / "closed").chmod(0)
    try:
        found = extract(SqlFiles, path=path)
    finally:
        (tmp_path / "sql" / "closed").chmod(0o700)
    assert [s.location for s in found.statements] == ["c.sql"]
    assert found.report.rejects[0].location == "a.sql"
    assert "closed" in found.report.warnings[0]


def test_no_file_at_all_is_a_warning(scripts, extract, failed):
    path = scripts(notes="x")
    assert "no file matches" in extract(SqlFiles, path=path).report.warnings[0]
    assert failed(SqlFiles, path=path) == {"find files": "0 files"}


def test_a_missing_folder_is_named(extract, failed, connect):
    with pytest.raises(Unreachable, match=r"nowhere is not there.*look at `path`"):
        extract(SqlFiles, path="nowhere")
    assert list(failed(SqlFiles, path="nowhere")) == ["reach"]
    assert connect(SqlFiles, path="nowhere").fingerprint() == "absent"


def test_the_check_counts_the_files(scripts, connect):
    assert [(r.capability, r.message) for r in connect(SqlFiles, path=scripts(a_sql="x")).check()][1] == (
        "find files",
        "1 files",
    )


def test_the_fingerprint_changes_with_names_and_contents_only(scripts, connect, tmp_path):
    def fingerprint() -> str:
        return connect(SqlFiles, path="sql").fingerprint()

    scripts(a_sql="select 1")
    first = fingerprint()
    os.utime(tmp_path / "sql" / "a.sql", (1, 1))
    assert fingerprint() == first
    scripts(a_sql="select 2")
    second = fingerprint()
    (tmp_path / "sql" / "a.sql").rename(tmp_path / "sql" / "b.sql")
    assert len({first, second, fingerprint()}) == 3


@pytest.mark.parametrize(
    "wrong", [{"glob": "/etc/*"}, {"glob": "../*.sql"}, {"glob": ""}, {"encoding": "utf-99"}]
)
def test_a_pattern_or_encoding_that_cannot_work_is_a_fault(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SqlFiles.Config(path="sql", **wrong)
