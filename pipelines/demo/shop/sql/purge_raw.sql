-- Run by hand once a year. On purpose: what a statement does that is put together at run time is not known
-- (sql_unsupported).
execute immediate 'delete from raw.' || target || ' where paid_at < ' || before;
