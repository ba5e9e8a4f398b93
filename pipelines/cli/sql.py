"""`headwater sql`: lineage of SQL text."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Any

import click

from pipelines.cli.console import err, escape, json_option, out_json, rich_console


@click.command("sql")
@click.argument("file", default="-", type=click.Path(allow_dash=True))
@click.option("--dialect", metavar="D", help="postgres, snowflake, bigquery, duckdb ...")
@click.option("--default-database", metavar="X", help="Where names without a database are looked up.")
@click.option("--default-schema", metavar="Y", help="Where names without a schema are looked up.")
@click.option(
    "--schemas", type=click.Path(dir_okay=False), help='JSON: {"db.schema.table": {"column": "type"}}'
)
@json_option
def command(
    file: str,
    dialect: str | None,
    default_database: str | None,
    default_schema: str | None,
    schemas: str | None,
    as_json: bool,
) -> int:
    """What the SQL in FILE (or on standard input) reads and writes, column by column. Exit code 1 on SQL
    errors.
    """
    from lineage.sql import analyze

    _known_dialect(dialect)
    known = _schemas(schemas) if schemas else None
    text = (sys.stdin.read() if file == "-" else _read(file)).removeprefix("\ufeff")
    found = analyze(
        text, dialect, default_database=default_database, default_schema=default_schema, schemas=known
    ).to_dict()
    if as_json:
        out_json(found)
    else:
        _show(found)
    return 1 if found["errors"] else 0


def _known_dialect(dialect: str | None) -> None:
    from lineage.sql.dialects import dialect_names, is_known

    if not is_known(dialect):
        near = difflib.get_close_matches(str(dialect).lower(), dialect_names(), 3, 0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(dialect_names())}"
        raise click.UsageError(f"no dialect is named {dialect}; {hint}")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path} is not UTF-8 text (byte {error.start})") from None


def _schemas(path: str) -> dict[str, Any]:
    import orjson

    try:
        known = orjson.loads(_read(path))
    except orjson.JSONDecodeError as error:
        raise click.UsageError(f"{path} is not JSON: {error}") from None
    if not isinstance(known, dict) or not all(isinstance(columns, dict) for columns in known.values()):
        raise click.UsageError(f'{path}: wanted {{"db.schema.table": {{"column": "type"}}}}')
    return known


def _show(found: dict[str, Any]) -> None:
    from rich.tree import Tree

    console = rich_console()
    if found["dialect"]["detected"]:
        console.print(f"[dim]read as {found['dialect']['name']}[/dim]")
    for statement in found["statements"]:
        index = statement["index"]
        head = f"[bold]{index}: {escape(statement['kind'])}[/bold]"
        writes = ", ".join(statement["out_tables"])
        reads = ", ".join(statement["in_tables"])
        tree = Tree(f"{head}  {escape(f'{writes} <- {reads}' if writes else reads)}")
        for line in found["column_lineage"]:
            if line["statement"] == index:
                name = line["downstream"]["column"]
                expression = f"  [dim]{escape(line['expression'])}[/dim]" if line["expression"] else ""
                branch = tree.add(f"{escape(str(name))}{expression}")
                for up in line["upstreams"]:
                    branch.add(escape(f"{up['table']}.{up['column']}" if up["table"] else str(up["column"])))
        by_clause: dict[str, list[str]] = {}
        for one in found["indirect"]:
            if one["statement"] == index:
                by_clause.setdefault(one["clause"], []).append(f"{one['table']}.{one['column']}")
        for clause, columns in by_clause.items():
            tree.add(f"[dim]{clause.replace('_', ' ')}[/dim]  {escape(', '.join(dict.fromkeys(columns)))}")
        for one in found["ambiguous"]:
            if one["statement"] == index:
                tree.add(
                    f"[yellow]{escape(one['column'])} could be of {escape(', '.join(one['candidates']))}[/yellow]"
                )
        console.print(tree)
    for error in found["errors"]:
        where = f"line {error['line']}, column {error['column']}: " if error["line"] else ""
        err(f"{error['reason']}: {where}{error['message']}")
