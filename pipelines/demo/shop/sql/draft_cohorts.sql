-- A draft that somebody saved half-way. On purpose: it does not parse (sql_parse_error), and nothing runs it.
create table reporting.cohorts as
select date_trunc('month', registered_at as cohort, count(*) as customers
from marts.dim_customers
group by cohort;
