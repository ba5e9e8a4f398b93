"""What `headwater lineage export` writes, form by form."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.console import err, printable, project_of

if TYPE_CHECKING:
    from lineage.graph.traverse import LineageGraph

FORMS = ("json", "csv", "openlineage", "mermaid", "dot", "svg", "parquet")
_DRAWN = frozenset({"mermaid", "dot", "svg"})  # names of the catalogue stand in them as they are
_OF_LEVELS = ("json", "mermaid", "dot", "svg")


def export_graph(
    ctx: click.Context,
    form: str,
    graph: LineageGraph,
    whole: Mapping[str, Any],
    output: Path | None,
    *,
    columns: bool,
) -> None:
    """Writes a graph (`whole` is all of it, or a part) to a file or to standard output."""
    if form == "parquet":
        from lineage.formats.parquet import write_parquet

        if output is None:
            raise click.UsageError("parquet is three files; name their folder with --output")
        write_parquet(whole, output)
    else:
        _write(form, _text(ctx, form, graph, whole, columns=columns), output)
    if output is not None:
        err(f"wrote {output}")


def export_level(form: str, part: Mapping[str, Any], output: Path | None) -> None:
    """Writes a graph of schemas, databases or connections, in the forms that need no reasons."""
    if form not in _OF_LEVELS:
        raise click.UsageError(f"at this --level, --format is one of {', '.join(_OF_LEVELS)}")
    drawn = {"resources": part["nodes"], "edges": [{**edge, "level": "resource"} for edge in part["edges"]]}
    _write(form, _drawn(form, part if form == "json" else drawn, columns=False), output)
    if output is not None:
        err(f"wrote {output}")


def _write(form: str, texts: Iterator[str], output: Path | None) -> None:
    if output is None:
        for text in texts:
            shown = "\n".join(map(printable, text.split("\n"))) if form in _DRAWN else text
            sys.stdout.buffer.write(shown.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
    else:
        with output.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.writelines(texts)


def _text(
    ctx: click.Context, form: str, graph: LineageGraph, whole: Mapping[str, Any], *, columns: bool
) -> Iterator[str]:
    if form == "csv":
        from lineage.formats.table import edges_csv

        yield edges_csv(whole["edges"])
    elif form == "openlineage":
        yield from _events(ctx, graph, whole)
    else:
        yield from _drawn(form, whole, columns=columns)


def _drawn(form: str, whole: Mapping[str, Any], *, columns: bool) -> Iterator[str]:
    if form == "json":
        import orjson

        yield orjson.dumps(whole, option=orjson.OPT_INDENT_2, default=str).decode() + "\n"
    elif form == "svg":
        from lineage.formats.svg import picture

        yield picture(whole["resources"], whole["edges"], columns=columns)
    elif form == "mermaid":
        from lineage.formats.mermaid import flowchart

        yield flowchart(whole["resources"], whole["edges"]) + "\n"
    else:
        from lineage.formats.dot import digraph

        yield digraph(whole["resources"], whole["edges"]) + "\n"


def _events(ctx: click.Context, graph: LineageGraph, whole: Mapping[str, Any]) -> Iterator[str]:
    from lineage import open_store
    from lineage.formats.openlineage import PRODUCER, graph_events, own_namespace, to_line
    from lineage.platforms import place_of

    project = project_of(ctx)
    store = open_store(project.storage, project.storage_options)
    namespaces: dict[str, str] = {}
    for name, keys in graph.header.partitions.items():
        header = store.snapshots.newest(name, max(keys))
        for place in map(place_of, header.addresses if header else ()):
            if place is not None and place.path is None:  # a file system is not the connection's alone
                namespaces.setdefault(name, place.namespace)
    events = graph_events(
        whole,
        producer=PRODUCER,
        namespaces=namespaces,
        job_namespace=own_namespace(project.name),
        at=graph.header.built_at or None,
    )
    for event in events:
        yield to_line(event) + "\n"
