"""What DuckDB's plans of the TPC-DS queries read, as JSON. Runs in an environment with DuckDB's TPC-DS extension.

A program of its own, which imports nothing of headwater: `python tpcds_plans.py`.
"""

import json
from pathlib import Path

import duckdb
import duckdb_extension_tpcds

NEEDED = "unused_columns"  # the optimizer that leaves each scan with the columns that the query needs


def reads(connection, sql):
    """The columns that the scans of a query's plan read, by table."""
    found = {}
    plan = connection.execute("EXPLAIN (FORMAT json) " + sql).fetchall()[0][1]
    nodes = json.loads(plan)
    while nodes:
        node = nodes.pop()
        nodes += node.get("children", [])
        info = node.get("extra_info", {})
        if "Table" in info:
            columns = info.get("Projections", [])
            own = found.setdefault(info["Table"].rpartition(".")[2], [])
            own += filter(None, [columns] if isinstance(columns, str) else columns)
    return {table: sorted(set(columns)) for table, columns in found.items()}


def main():
    connection = duckdb.connect()
    extensions = Path(duckdb_extension_tpcds.__file__).parent.rglob("tpcds.duckdb_extension")
    connection.execute(f"LOAD '{next(extensions)}'")
    connection.execute("CALL dsdgen(sf = 0)")
    optimizers = [name for (name,) in connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()]
    connection.execute(f"SET disabled_optimizers = '{','.join(o for o in optimizers if o != NEEDED)}'")
    columns = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() ORDER BY table_name, column_index"
    )
    schemas = {}
    for table, column in columns.fetchall():
        schemas.setdefault(table, []).append(column)
    queries = connection.execute("SELECT query_nr, query FROM tpcds_queries()").fetchall()
    plans = [{"number": number, "sql": sql, "reads": reads(connection, sql)} for number, sql in queries]
    print(json.dumps({"schemas": schemas, "queries": plans}))


if __name__ == "__main__":
    main()
