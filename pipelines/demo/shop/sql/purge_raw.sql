-- Run by hand once a year. On purpose: what a prepared statement does is not read, it is understood as a command
-- only (sql_unsupported).
prepare purge_payments as
delete from raw.payments where paid_at < $before;
