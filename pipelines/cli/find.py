"""`headwater find`: resources by words and by fields."""

from __future__ import annotations

from collections.abc import Sequence

import click

from connectors.errors import LineageError
from pipelines.cli.console import as_of_option, escape, json_option, out, out_json, project_of, rich_console


@click.command("find")
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", default=50, show_default=True, help="At most so many.")
@as_of_option
@json_option
@click.pass_context
def command(ctx: click.Context, words: Sequence[str], limit: int, as_of: str | None, as_json: bool) -> int:
    """Resources that hold every one of WORDS in their name, id, description, owners or tags.

    A word may name a field: type:chart, owner:ada, column:amount (what has such a column), tag:pii, connection:bi,
    schema:sales, database:shop, title:orders, id:..., text:... A `*` in a value stands for anything.
    """
    project = project_of(ctx)
    from lineage import open_store
    from lineage.graph.search import parse_words

    try:
        parse_words(words)
    except LineageError as error:
        raise click.UsageError(str(error), ctx) from None
    graph = open_store(project.storage, project.storage_options).graph(as_of)
    found = graph.find(words, limit=limit)
    if as_json:
        out_json(found)
        return 0
    if not found:
        out("nothing found")
        return 1
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "kind", "description"):
        table.add_column(column, no_wrap=column != "description")
    for one in found:
        native = one.get("native_type")
        kind = (
            f"{one['entity_type']} ({native})"
            if native not in (None, one["entity_type"])
            else one["entity_type"]
        )
        table.add_row(escape(one["id"]), escape(str(kind)), escape(str(one.get("description") or "")))
    rich_console().print(table)
    return 0
