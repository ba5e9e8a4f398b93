"""Text that could take long, much memory or the process down: read elsewhere or refused, and the rest runs."""

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.sql import analyze, bind, compile_sql
from lineage.sql.isolated import STATEMENT_CPU_S

DEEP = "select " + "(" * 1000 + "a" + ")" * 1000 + " as x from deep"
ENDLESS = "select " + "array[" * 30 + "1" + "]" * 30 + " from endless"  # read twice at every level


def children(of: int | None = None) -> list[int]:
    """The processes that compile for a process."""
    found = []
    for task in Path(f"/proc/{of or os.getpid()}/task").iterdir():
        with contextlib.suppress(
            FileNotFoundError, ProcessLookupError
        ):  # a thread or a process has just ended
            for pid in map(int, (task / "children").read_text().split()):
                if b"isolated_child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
    return found


def is_gone(pid: int, within_s: float = 10) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True  # its parent is gone; whoever reaps it there is no concern of ours
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def child() -> int:
    """The child that waits for the next text."""
    assert analyze(DEEP).to_dict()["in_tables"] == ["deep"]
    return children()[-1]


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("select " + "(" * 3000 + "a" + ")" * 3000 + " as x from t", None),
        ("select " + "f(" * 3000 + "a" + ")" * 3000 + " as x from t", "snowflake"),
        ("select " + "case when b then " * 2000 + "a" + " end" * 2000 + " as x from t", "postgres"),
        ("select a as x from " + "(select a from " * 500 + "t" + ") q" * 500, "hive"),
        ("select a as x from t" + " union all (select a from t" * 2000 + ")" * 2000, "duckdb"),
        ("select " + "not " * 5000 + "a as x from t", "spark"),
    ],
)
def test_deep_text_is_read(sql: str, dialect: str | None):
    found = analyze(sql, dialect, schemas={"t": ["a", "b"]}).to_dict()
    assert (found["errors"], found["in_tables"]) == ([], ["t"])
    assert {"table": "t", "column": "a"} in found["column_lineage"][0]["upstreams"]


def test_what_runs_over_its_budget_is_refused_and_the_statements_around_it_run():
    started = time.monotonic()
    found = analyze(f"use s;\n{DEEP};\n{ENDLESS};\ninsert into y select b from u").to_dict()
    assert [(e["statement"], e["line"], e["reason"]) for e in found["errors"]] == [(2, 3, "sql_budget")]
    assert f"{STATEMENT_CPU_S} s" in found["errors"][0]["message"]
    assert (found["in_tables"], found["out_tables"]) == (["s.deep", "s.u"], ["s.y"])
    assert time.monotonic() - started < 10 * STATEMENT_CPU_S


@pytest.mark.skipif(not os.environ.get("HEADWATER_LONG"), reason="10 s: `make test-long`")
def test_the_statement_after_one_that_needs_too_much_memory_runs():
    copies = "select " + "div0null(a, " * 20 + "b" + ")" * 20 + " from copies"
    found = analyze(f"{copies};\nselect a from t", "snowflake").to_dict()
    assert [(e["statement"], e["reason"]) for e in found["errors"]] == [(0, "sql_budget")]
    assert found["in_tables"] == ["t"]


def test_ordinary_text_starts_no_child():
    script = """
        import os
        from pathlib import Path
        from lineage.sql import analyze
        sql = "select a, (select max(b) from u where f(g(h(b))) in (1, 2)) from t join v on t.k = v.k;" * 50
        assert not analyze(sql, "snowflake").errors
        print(Path(f"/proc/self/task/{os.getpid()}/children").read_text().strip())
    """
    done = _run(script)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_a_child_of_a_large_process_stays_for_the_next_text():
    script = """
        from lineage.sql import analyze
        ballast = bytearray(b"x") * (700 * 1024 * 1024)
        deep = "select " + "(" * 1000 + "a" + ")" * 1000 + " as x from deep"
        from lineage.sql import isolated
        found = []
        for _ in range(2):
            assert not analyze(deep).errors
            found.append([child._process.pid for child in isolated._pool._idle])
        assert len(found[0]) == 1 and found[0] == found[1], found
    """
    done = _run(script)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_child_that_was_killed_between_two_texts_is_replaced(child: int):
    os.kill(child, signal.SIGKILL)
    assert analyze(DEEP).errors == ()
    assert child not in children()


def test_a_text_whose_child_is_killed_once_is_read_by_another(child: int):
    text = "select 1 union all (" * 3000 + "select a from t" + ")" * 3000
    killer = threading.Timer(0.01, os.kill, (child, signal.SIGKILL))
    killer.start()
    found = analyze(text)
    killer.join()
    assert (found.errors, found.to_dict()["in_tables"]) == ((), ["t"])


def test_a_child_that_stands_still_is_no_zombie_after_its_kill(child: int):
    os.kill(child, signal.SIGKILL)
    analyze(DEEP)
    assert not Path(f"/proc/{child}").exists()


def test_several_threads_share_the_children():
    results: dict[int, list[str]] = {}

    def work(number: int) -> None:
        for i in range(5):
            sql = f"select {'(' * 200}a{')' * 200} from t{number}_{i}"
            results.setdefault(number, []).extend(analyze(sql).to_dict()["in_tables"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: [f"t{number}_{i}" for i in range(5)] for number in range(4)}
    assert len(children()) <= 2


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(0)", "sys.exit(0)"])
def test_a_child_ends_with_its_parent(end: str):
    done = _run(f"""
        import os, sys
        from pathlib import Path
        from lineage.sql import analyze
        analyze("select " + "(" * 500 + "1" + ")" * 500)
        print(Path(f"/proc/self/task/{{os.getpid()}}/children").read_text(), flush=True)
        {end}
    """)
    assert done.stderr == ""
    assert is_gone(int(done.stdout))


def test_a_fork_of_the_process_has_children_of_its_own(child: int):
    done = _run("""
        import os
        from lineage.sql import analyze
        sql = "select " + "(" * 500 + "a" + ")" * 500 + " from t"
        assert not analyze(sql).errors
        pid = os.fork()
        assert analyze(sql).to_dict()["in_tables"] == ["t"]
        if pid:
            assert os.waitpid(pid, 0)[1] == 0
    """)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_child_gets_nothing_of_the_environment(child: int):
    names = {
        entry.split(b"=")[0] for entry in Path(f"/proc/{child}/environ").read_bytes().split(b"\0") if entry
    }
    assert names <= {b"PYTHONPATH", b"LD_LIBRARY_PATH"}
    assert b"select" not in Path(f"/proc/{child}/cmdline").read_bytes()


def _run(script: str) -> subprocess.CompletedProcess[str]:
    lines = script.split("\n")
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    code = "\n".join(line[indent:] for line in lines)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def _billion_columns(union: bool) -> Iterator[str]:
    yield "with a0 as (select x, y from t)"
    for i in range(1, 40):
        both = f"select * from a{i - 1} union all select * from a{i - 1}" if union else ""
        yield f", a{i} as ({both or f'select * from a{i - 1} p, a{i - 1} q'})"
    yield " select * from a39"


def test_stars_over_stars_are_given_up_and_the_next_statement_runs():
    found = analyze("".join(_billion_columns(False)) + "; select b from u").to_dict()
    assert [(e["statement"], e["reason"]) for e in found["errors"]] == [(0, "sql_budget")]
    assert found["in_tables"] == ["t", "u"]
    assert [entry["statement"] for entry in found["column_lineage"]] == [1]


def test_unions_of_unions_are_read():
    found = analyze("".join(_billion_columns(True))).to_dict()
    assert (found["errors"], len(found["column_lineage"])) == ([], 2)


def test_stars_over_an_unknown_table_end():
    sql = "with a0 as (select * from t)" + "".join(
        f", a{i} as (select * from a{i - 1} union all select * from a{i - 1})" for i in range(1, 60)
    )
    found = analyze(sql + " select x from a59").to_dict()
    assert [e["reason"] for e in found["errors"]] == ["sql_budget"]


def test_every_output_of_everything_ends():
    columns = ", ".join(f"c{i}" for i in range(2000))
    sql = f"with a as (select {columns} from t) select " + ", ".join(["a.*"] * 2000) + " from a"
    assert [error.reason for error in analyze(sql).errors] == ["sql_budget"]


@pytest.mark.parametrize(
    "join", ["join", "left join", "straight_join", "jOiN", "inner join", "full outer join"]
)
def test_joins_without_conditions_are_read(join: str):
    sql = "select * from t" + "".join(f" {join} t{i}" for i in range(60))
    found = analyze(sql + " join u on u.a = t.a where t.b > 1 and t.c in (select d from v)").to_dict()
    assert found["errors"] == []
    assert {"t", "t59", "u", "v"} <= set(found["in_tables"])


def test_conditions_elsewhere_do_not_hide_joins_without_one():
    other = " union all select 1 from a" + "".join(f" join b{i} on a.x = b{i}.x" for i in range(60))
    sql = "select * from t" + "".join(f" join t{i}" for i in range(60)) + other
    assert analyze(sql).errors == ()


def test_statements_without_semicolons_are_read_in_linear_time():
    sql = "select a from t\nupdate u set b = 1\n" * 1000
    found = analyze(sql, "tsql").to_dict()
    assert len(found["statements"]) == 2000
    assert found["errors"] == []


def test_the_places_of_statements_beside_a_broken_quote_are_true():
    found = analyze("select a from t;\n  select from where;\nselect 1; select 'x", "postgres").to_dict()
    places = [(e["statement"], e["line"], e["column"]) for e in found["errors"]]
    assert places == [(1, 2, 15), (3, 3, 11)]


def test_a_program_of_the_child_is_the_one_of_this_process():
    sql = "create temp table x as select a as b, a + 1 as c from t where d;\nselect * from x"
    ours, theirs = compile_sql(sql), compile_sql(f"{sql};\n{DEEP}")
    there = bind(theirs, {}).statements
    for one, other in zip(bind(ours, {}).statements, there[:2], strict=True):
        assert (one.reads, one.flows, one.indirect) == (other.reads, other.flows, other.indirect)
    gc.collect()
    json.dumps(analyze(f"{sql};\n{DEEP}").to_dict())
