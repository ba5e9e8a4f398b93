"""What an analysis leaves behind: no tree, and nothing else that only the garbage collector could free."""

from __future__ import annotations

import gc

import pytest

from lineage.sql import analyze

_ATTEMPTS = 10  # objects of what the parser tried first, and let go


@pytest.mark.parametrize(
    "sql",
    [
        "select a, sum(b) as s from t join u using (k) where c in (select c from v) group by a order by 1",
        "create table x as with w as (select a from t) select * from w union all select b from u",
        "merge into t using s on t.id = s.id when matched then update set a = s.a when not matched then insert *",
        "update t set a = (select max(b) from u); delete from t where a is null; select $$ from t",
    ],
)
def test_a_text_leaves_no_cycles(sql: str):
    analyze(sql, "snowflake")  # the first time makes what stays
    gc.collect()
    gc.disable()
    try:
        analyze(sql, "snowflake")
        assert gc.collect() <= _ATTEMPTS
    finally:
        gc.enable()
