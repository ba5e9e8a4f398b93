"""`headwater init`: a first project."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from pipelines.cli.console import out

_FILES = {
    "headwater.yaml": """\
# What headwater reads. Every key is described in docs/project.md; `headwater connectors` lists what can be
# connected.
name: "{name}"
partitions: {{every: day, start: {start}, timezone: UTC}}

# Secrets come from the environment, or are named here and used by several connections:
# credentials:
#   warehouse_login: {{url: "${{WAREHOUSE_URL}}"}}

connections:
  # A catalogue written by hand: resources and lineage, one JSON object a line.
  handmade:
    connector: jsonl
    config: {{resources: ./catalog/resources.jsonl, lineage: ./catalog/lineage.jsonl}}

  # A folder of SQL scripts; what they write and read becomes lineage.
  scripts:
    connector: sql_files
    config: {{path: ./sql, dialect: postgres}}
    defaults: {{database: shop, schema: public}}
    infer_tables: true          # tables that no connection owns become nodes all the same

  # A database: uncomment, set WAREHOUSE_URL, and try `headwater check warehouse`.
  # warehouse:
  #   connector: postgres
  #   credential: warehouse_login
  #   config: {{schemas: [public]}}
  #   schedule: "0 * * * *"
""",
    "catalog/resources.jsonl": """\
{{"entity_type": "dashboard", "databuilder_id": "revenue", "title": "Revenue", "owners": ["finance@example.com"]}}
""",
    "catalog/lineage.jsonl": """\
{{"from_identifier": {{"type": "external_table", "schema": "public", "table": "revenue_by_day"}}, \
"to_identifier": {{"type": "internal_resource", "databuilder_id": "revenue"}}}}
""",
    "sql/revenue_by_day.sql": """\
create table revenue_by_day as
select cast(ordered_at as date) as day, sum(amount) as revenue
from orders
where status <> 'cancelled'
group by 1;
""",
    ".gitignore": ".headwater/\n",
}


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))
def command(folder: str) -> int:
    """Write a commented project into DIR that syncs at once. Never overwrites a file."""
    from datetime import UTC, datetime

    target = Path(folder)
    there = [name for name in _FILES if (target / name).exists() and name != ".gitignore"]
    if there:
        raise click.UsageError(f"{target} has {', '.join(there)} already, and nothing is overwritten")
    from lineage import open_store

    open_store(target.absolute() / ".headwater")  # refuses a path that the store cannot have
    start = datetime.now(UTC).date().replace(day=1)
    name = "".join(c if c.isalnum() else "_" for c in target.absolute().name) or "project"
    for path, text in _FILES.items():
        file = target / path
        if file.exists():
            out(f"{file} is left as it is; add .headwater/ to it")
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(name=name, start=start), encoding="utf-8")
    out(
        f"a project is in {target}; next:\n\n  cd {shlex.quote(str(target))}\n  headwater sync\n"
        "  headwater lineage upstream revenue --columns"
    )
    return 0
