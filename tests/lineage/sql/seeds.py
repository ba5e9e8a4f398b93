"""Statements of all dialects, to be broken by the tests of odd texts."""

SEEDS: list[tuple[str | None, str]] = [
    (
        "bigquery",
        "select s.a.b, array(select x from unnest(t.items) x where x > 1) xs from `p.d.t` s, unnest(s.items)",
    ),
    (
        "bigquery",
        "create or replace table d.t partition by date(ts) as select * except (k) replace (a + 1 as "
        "a) from d.u",
    ),
    (
        "bigquery",
        "merge d.t using d.s on t.id = s.id when matched then update set a = s.a when not matched "
        "then insert row",
    ),
    ("bigquery", "from d.t |> where a > 1 |> aggregate sum(b) as s group by c |> order by s desc"),
    ("bigquery", "begin declare x int64 default 1; insert d.t (a) select a from d.u where b = x; end"),
    (
        "clickhouse",
        "with 5 as n select sumIf(a, b = n) from t final array join xs as x prewhere c settings "
        "max_threads = 1",
    ),
    (
        "clickhouse",
        "create materialized view v to t as select toStartOfHour(ts) h, count() c from e group by h",
    ),
    (
        "clickhouse",
        "insert into t select dictGet('d.x', 'name', id), arrayMap(x -> x + 1, xs) from remote('h', d.u)",
    ),
    (
        "databricks",
        "create table c.s.t using delta as select a:b.c::int, explode(xs) as x from c.s.u version as of 3",
    ),
    ("databricks", "copy into c.s.t from 's3://bucket/a' fileformat = parquet"),
    (
        "duckdb",
        "select columns('a.*'), list_transform(xs, lambda x: x + 1) from read_parquet('a/*.parquet') t",
    ),
    ("duckdb", "from t select a, b qualify row_number() over (partition by a order by b) = 1"),
    ("duckdb", "pivot t on year using sum(a) as s group by country"),
    (
        "duckdb",
        "create table t as select {'a': 1, 'b': [x, 2]} as s, x[1:2] as y from u asof join v using (k, ts)",
    ),
    (
        "hive",
        "from t insert overwrite table u partition (d = '1') select a, b insert into table v select "
        "c where c > 1",
    ),
    (
        "hive",
        "select a, x from t lateral view outer explode(xs) e as x where b rlike 'c+' distribute by "
        "a sort by x",
    ),
    ("mysql", "insert into t (a, b) select a, b from u on duplicate key update a = values(a), b = b + 1"),
    ("mysql", "update t join u on t.id = u.id set t.a = u.a, t.b = ifnull(u.b, 0) where u.c in (1, 2)"),
    ("mysql", "replace into t select straight_join `a b`, c from `d`.`e` group by 1 with rollup"),
    ("mysql", "delete t from t inner join u using (id) where u.gone = 1"),
    (
        "oracle",
        "select a, level from t start with p is null connect by nocycle prior id = p order siblings by a",
    ),
    (
        "oracle",
        "insert all when a > 1 then into t (x) values (a) else into u (y) values (b) select a, b from v",
    ),
    (
        "oracle",
        "merge into t using (select * from u) s on (t.id = s.id) when matched then update set t.a = "
        "s.a delete where b = 1",
    ),
    (
        "oracle",
        "select * from t match_recognize (partition by a order by b measures x.b as m pattern (x "
        "y+) define y as y.b > x.b)",
    ),
    (
        "postgres",
        "with x as (delete from t where a < now() - interval '1 day' returning *) insert into u "
        "select * from x",
    ),
    (
        "postgres",
        "with recursive r as (select id, p from t union all select t.id, t.p from t join r on t.p = "
        "r.id) select * from r",
    ),
    (
        "postgres",
        "insert into t (a, b) select a, b from u on conflict (a) do update set b = excluded.b where t.c",
    ),
    (
        "postgres",
        "select distinct on (a) a, b->'c'->>'d' as e, u.* from t left join lateral (select * from "
        "f(t.a)) u on true",
    ),
    (
        "postgres",
        "create function f() returns int language plpgsql as $$ begin insert into a select b from "
        "c; return 1; end $$",
    ),
    (
        "postgres",
        "select sum(a) filter (where b) over w, grouping sets from t window w as (partition by c) "
        "group by grouping sets ((a), ())",
    ),
    ("redshift", "unload ('select a from s.t') to 's3://b/p' iam_role 'r' format parquet"),
    (
        "redshift",
        "create table s.t distkey(a) sortkey(b) as select a, listagg(b, ',') within group (order by "
        "c) from s.u group by a",
    ),
    ("redshift", "alter table s.t append from s.u; select top 5 a from #tmp"),
    (
        "snowflake",
        "select value:a.b::string as x, f.index from d.s.t, lateral flatten(input => v:items) f "
        "qualify rank() over (order by x) = 1",
    ),
    (
        "snowflake",
        "create or replace dynamic table d.s.t target_lag = '1 hour' warehouse = w as select $1, $2 "
        "from @stage/p (file_format => f)",
    ),
    ("snowflake", "insert overwrite first when a > 1 then into t values (a, b) else into u select * from v"),
    ("snowflake", "select * from t pivot (sum(a) for m in ('jan', 'feb')) as p (id, jan, feb) order by id"),
    (
        "snowflake",
        "create procedure p() returns string language sql as $$ begin insert into a select * from b; end $$",
    ),
    ("snowflake", "use schema d.s; create temp table x clone y; alter table x swap with z; drop table y"),
    (
        "spark",
        "cache table x as select /*+ broadcast(t) */ transform(xs, (x, i) -> x + i) y from t "
        "tablesample (5 percent)",
    ),
    (
        "spark",
        "insert into t select a, struct(b as c, named_struct('d', e)) s from u lateral view "
        "posexplode(m) p as i, v",
    ),
    (
        "sqlite",
        'insert or replace into t select a, "b", [c], `d` from u where rowid in (select max(rowid) from v)',
    ),
    (
        "teradata",
        "sel a, b (date) from t qualify row_number() over (order by a) = 1; ins into u sel * from v",
    ),
    (
        "trino",
        "select try(a), cast(row(b, 1) as row(x int, y int)).x from t cross join unnest(xs) with "
        "ordinality as u (v, n)",
    ),
    ("trino", "insert into c.s.t select * from json_table(j, 'lax $' columns (a int path 'lax $.a'))"),
    (
        "tsql",
        "select top (5) a, b into #x from [d].[s].[t t] with (nolock) cross apply f(a) g outer "
        "apply (select 1 z) h",
    ),
    (
        "tsql",
        "declare @x int = 1 update t set a += @x output inserted.a into u from t join v on t.k = "
        "v.k where v.b = @x",
    ),
    (
        "tsql",
        "create procedure p @a int as begin if @a = 1 insert into t select b from u else delete "
        "from t end\ngo\nexec p 1",
    ),
    ("tsql", "begin tran insert t (a) exec q update u set b = 1 where c = 'x''y' commit"),
    (
        "tsql",
        "select * from (select a, m from t) s pivot (max(a) for m in ([1], [2])) p unpivot (v for k "
        "in ([1], [2])) q",
    ),
    (
        None,
        "select case when a > 1 then b else (select max(c) from u where u.k = t.k) end as x from t "
        "where exists (select 1 from v)",
    ),
    (
        None,
        "create view v (a, b) as select a, sum(b) over (partition by c order by d rows between 1 "
        "preceding and current row) from t",
    ),
    (None, "insert into t (a, b) values (1, 'x'), (2, (select b from u))"),
    (None, "select * from {{ ref('a') }} {% if x %} where {{ y }} = 1 {% else %} where 1 = 2 {% endif %}"),
    (
        None,
        "select a from t union select b from u intersect (select c from v except all select d from "
        "w) order by 1 limit 5",
    ),
    (
        None,
        "explain select t.*, u.a as b from t natural join u full outer join v on t.x = v.x and t.y "
        "between 1 and 2",
    ),
    (
        "athena",
        "create external table t (a array<struct<b: map<string, int>>>) partitioned by (d string) "
        "location 's3://b/p'",
    ),
    ("doris", "insert into t select bitmap_union(to_bitmap(a)) from u group by b"),
    ("exasol", "import into t from jdbc at c statement 'select a from u'; export v into csv at d file 'f'"),
    (
        "fabric",
        "create table t as select a from u option (label = 'x'); select * from openrowset(bulk 'p', "
        "format = 'csv') r",
    ),
    (
        "risingwave",
        "create materialized view v as select window_start, count(*) from tumble(t, ts, interval "
        "'1' minute) group by 1",
    ),
]
