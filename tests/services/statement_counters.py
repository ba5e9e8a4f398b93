"""A PostgreSQL server that counts statements, and a stand-in for what the wheel's newer one lacks."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.services.conftest import PostgresServer

# Where Debian's packages put servers. The wheel that other tests use is built without the extension.
INSTALLED = Path("/usr/lib/postgresql")

# The columns of version 1.11, of PostgreSQL 17, and none of the counting: tests say what was counted.
STAND_IN = """
    create table @extschema@.pg_stat_statements (userid oid default 10, dbid oid, toplevel bool default true,
        queryid bigint, query text, calls bigint, total_exec_time double precision, stats_since timestamptz);
    create table @extschema@.pg_stat_statements_info (dealloc bigint, stats_reset timestamptz);
"""


def _bin() -> Path:
    found = sorted(
        folder
        for folder in INSTALLED.glob("*/bin")
        if (folder.parent / "lib" / "pg_stat_statements.so").exists()
    )
    if not found:
        pytest.skip("needs a PostgreSQL server with pg_stat_statements, such as Debian's postgresql")
    return found[-1]


@pytest.fixture(scope="session")
def counting():
    """A real server that counts statements; it ends with the test session."""
    programs = _bin()
    # Outside of pytest's folder: the server does not run as root, and must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="counting"))
    as_nobody: list[str] = []
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_nobody = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    data = folder / "data"

    def run(program: str, *options: str) -> None:
        command = [*as_nobody, programs / program, "-D", data, *options]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
    settings = f"-k {folder} -h '' -c shared_preload_libraries=pg_stat_statements -c fsync=off"
    run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", settings)
    try:
        yield PostgresServer(f"postgresql://postgres@/postgres?host={folder}", data)
    finally:
        run("pg_ctl", "stop", "-w", "-m", "immediate")
        shutil.rmtree(folder)


@pytest.fixture
def stand_in(postgres):
    """A database of the newer server with a stand-in for the extension, in a schema of an odd name: its URL."""
    folder = postgres.folder / "stand_in" / "extension"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pg_stat_statements.control").write_text("default_version = '1.11'\n")
    (folder / "pg_stat_statements--1.11.sql").write_text(STAND_IN)
    for path in (folder, folder.parent, *folder.iterdir()):
        path.chmod(0o755)
    return postgres.database(f"""
        set extension_control_path = '{folder.parent}';
        create schema "odd: x";
        create extension pg_stat_statements schema "odd: x"
    """)
