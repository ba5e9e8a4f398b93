"""Statements for the SQL benchmark: short ones as applications and analysts write them, in twelve dialects.

The bare parser reads each of them: with one that it gives up on, nothing could be compared.
"""

SHORT: list[tuple[str, str]] = [
    (
        "SELECT o.id, o.total * 1.2 AS gross, c.name FROM orders o JOIN customers c ON c.id = "
        "o.customer_id WHERE o.created_at > now() - interval '7 days' AND o.status <> 'cancelled' ORDER "
        "BY o.created_at DESC LIMIT 100",
        "postgres",
    ),
    (
        "INSERT INTO daily_sales (day, region, amount, orders) SELECT date_trunc('day', o.created_at), "
        "c.region, sum(o.total), count(*) FROM orders o JOIN customers c ON c.id = o.customer_id GROUP "
        "BY 1, 2",
        "postgres",
    ),
    (
        "UPDATE accounts a SET balance = a.balance - t.amount, updated_at = now() FROM transfers t WHERE "
        "t.account_id = a.id AND t.state = 'done'",
        "postgres",
    ),
    (
        "DELETE FROM sessions WHERE expires_at < now() AND user_id NOT IN (SELECT id FROM users WHERE "
        "keep_sessions)",
        "postgres",
    ),
    (
        "CREATE OR REPLACE TABLE analytics.customer_ltv AS WITH o AS (SELECT customer_id, sum(amount) AS "
        "total, max(ordered_at) AS last_order FROM raw.orders GROUP BY customer_id) SELECT c.id, "
        "c.email, o.total, o.last_order FROM raw.customers c LEFT JOIN o ON o.customer_id = c.id QUALIFY "
        "row_number() OVER (PARTITION BY c.email ORDER BY o.last_order DESC) = 1",
        "snowflake",
    ),
    (
        "MERGE INTO dim_customer t USING stg_customer s ON t.id = s.id WHEN MATCHED AND s.deleted THEN "
        "DELETE WHEN MATCHED THEN UPDATE SET t.name = s.name, t.city = s.city WHEN NOT MATCHED THEN "
        "INSERT (id, name, city) VALUES (s.id, s.name, s.city)",
        "snowflake",
    ),
    (
        "SELECT v.value:id::int AS id, v.value:sku::string AS sku, e.received_at FROM raw.events e, "
        "LATERAL FLATTEN(input => e.payload:items) v WHERE e.kind = 'order'",
        "snowflake",
    ),
    (
        "SELECT user_id, ARRAY_AGG(STRUCT(event_name, event_timestamp) ORDER BY event_timestamp LIMIT "
        "10) AS events, COUNTIF(event_name = 'purchase') AS purchases FROM "
        "`shop.analytics.events_20240101` WHERE _TABLE_SUFFIX BETWEEN '20240101' AND '20240131' GROUP BY "
        "user_id",
        "bigquery",
    ),
    (
        "SELECT * EXCEPT (raw_payload), CAST(price AS NUMERIC) AS price_num FROM shop.raw.items LEFT "
        "JOIN UNNEST(tags) AS tag WHERE tag IN ('new', 'sale')",
        "bigquery",
    ),
    (
        "INSERT OVERWRITE TABLE mart.page_views PARTITION (ds = '2024-01-01') SELECT page, country, "
        "count(DISTINCT visitor) AS visitors FROM raw.hits LATERAL VIEW explode(pages) p AS page WHERE "
        "ds = '2024-01-01' GROUP BY page, country",
        "spark",
    ),
    (
        "SELECT TOP 50 e.EmployeeId, e.Name, d.Name AS Department, IIF(e.Salary > 100000, 'high', "
        "'normal') AS Band FROM dbo.Employees e INNER JOIN dbo.Departments d ON d.Id = e.DepartmentId "
        "WHERE e.Active = 1 ORDER BY e.Salary DESC",
        "tsql",
    ),
    (
        "SELECT a.id, x.total FROM dbo.accounts a CROSS APPLY (SELECT SUM(amount) AS total FROM "
        "dbo.entries e WHERE e.account_id = a.id) x",
        "tsql",
    ),
    (
        "SELECT p.id, p.title, GROUP_CONCAT(t.name ORDER BY t.name SEPARATOR ', ') AS tags FROM posts p "
        "LEFT JOIN post_tags pt ON pt.post_id = p.id LEFT JOIN tags t ON t.id = pt.tag_id GROUP BY p.id, "
        "p.title HAVING COUNT(t.id) > 2",
        "mysql",
    ),
    (
        "INSERT INTO stats (k, v) SELECT concat(host, ':', port), avg(latency) FROM probes GROUP BY "
        "host, port ON DUPLICATE KEY UPDATE v = VALUES(v)",
        "mysql",
    ),
    (
        "SELECT listid, sellerid, LAG(qtysold, 1) OVER (PARTITION BY sellerid ORDER BY saletime) AS "
        "previous FROM sales WHERE saletime BETWEEN '2008-01-01' AND '2008-02-01'",
        "redshift",
    ),
    (
        "SELECT employee_id, last_name, LEVEL, SYS_CONNECT_BY_PATH(last_name, '/') AS path FROM "
        "employees START WITH manager_id IS NULL CONNECT BY PRIOR employee_id = manager_id",
        "oracle",
    ),
    (
        "SELECT toStartOfHour(ts) AS hour, uniqExact(user_id) AS users, quantile(0.95)(duration) AS p95 "
        "FROM events PREWHERE date = today() WHERE status = 200 GROUP BY hour ORDER BY hour",
        "clickhouse",
    ),
    (
        "SELECT region, sum(amount) FILTER (WHERE paid) AS paid, sum(amount) AS total FROM "
        "read_parquet('sales/*.parquet') GROUP BY ALL",
        "duckdb",
    ),
    (
        "SELECT o.orderkey, l.quantity FROM tpch.tiny.orders o JOIN tpch.tiny.lineitem l USING "
        "(orderkey) WHERE o.totalprice > (SELECT avg(totalprice) FROM tpch.tiny.orders)",
        "trino",
    ),
    (
        "CREATE VIEW v_active AS SELECT u.id, u.name, COALESCE(l.last_seen, u.created) AS seen FROM "
        "users u LEFT JOIN (SELECT user_id, max(at) AS last_seen FROM logins GROUP BY user_id) l ON "
        "l.user_id = u.id",
        "sqlite",
    ),
    (
        "CREATE OR REPLACE VIEW gold.orders AS SELECT *, row_number() OVER (PARTITION BY customer_id "
        "ORDER BY ordered_at) AS n FROM silver.orders WHERE NOT is_test",
        "databricks",
    ),
    (
        "SELECT id FROM users WHERE email = 'a@example.com'",
        "postgres",
    ),
    (
        "SELECT count(*) FROM events WHERE user_id = 42 AND kind IN ('a', 'b', 'c')",
        "postgres",
    ),
    (
        "SELECT name FROM t WHERE id = 1",
        "mysql",
    ),
]
