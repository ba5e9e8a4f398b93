"""Runs another SQL lineage library over texts, a round for each line of standard input, and prints CPU seconds.

A program of its own, which imports nothing of headwater: `python serve.py LIBRARY TEXTS`. TEXTS is a JSON file:
[[sql, dialect], ...].
"""

import json
import sys
import time
import warnings


def sqllineage(sql, dialect):
    from sqllineage.runner import LineageRunner

    LineageRunner(sql, dialect="non-validating").get_column_lineage()


def datahub(sql, dialect):
    from datahub.sql_parsing.sqlglot_lineage import create_lineage_sql_parsed_result

    platform = {"tsql": "mssql", "spark": "spark", "": "ansi"}.get(dialect, dialect)
    create_lineage_sql_parsed_result(
        query=sql, default_db=None, platform=platform, platform_instance=None, env="PROD", graph=None
    )


def openlineage(sql, dialect):
    from openlineage_sql import parse

    known = {
        "postgres",
        "mysql",
        "bigquery",
        "snowflake",
        "redshift",
        "hive",
        "clickhouse",
        "databricks",
        "oracle",
    }
    parse([sql], dialect=dialect if dialect in known else "generic")


def main(library, texts):
    warnings.simplefilter("ignore")
    answer = {"sqllineage": sqllineage, "datahub": datahub, "openlineage": openlineage}[library]
    with open(texts) as file:
        given = json.load(file)
    for _ in sys.stdin:
        failed = 0
        begun = time.process_time()
        for sql, dialect in given:
            try:
                answer(sql, dialect)
            except Exception:  # noqa: BLE001 - what a library cannot read is counted
                failed += 1
        print(json.dumps([time.process_time() - begun, failed]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
