"""`headwater overlay`: what the API created."""

from __future__ import annotations

import click

from pipelines.cli.console import err, escape, json_option, out, out_json, project_of, rich_console

KINDS = ("credential", "connection", "transform", "dataset", "sink")


@click.group("overlay")
def command() -> None:
    """What the API created. It lies in the store, under headwater.yaml, which wins."""


@command.command("list")
@json_option
@click.pass_context
def list_objects(ctx: click.Context, as_json: bool) -> int:
    """Show the objects, and why some are left out of the project."""
    from pipelines.project.loader import may_have_objects
    from pipelines.project.overlay import objects_of, of_overlay

    project = project_of(ctx)
    known = of_overlay(objects_of(project).all()) if may_have_objects(project.storage) else {}
    told = [
        {
            "kind": kind,
            "key": key,
            "left_out": project.left_out.get((kind, key)),
            **{part: value for part, value in body.items() if part != "sealed"},
        }
        for (kind, key), body in known.items()
    ]
    if as_json:
        out_json(told)
        return 0
    if not told:
        out("the API has created nothing")
        return 0
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("kind", "key", "name", "updated", "left out because"):
        table.add_column(column, no_wrap=True)
    for one in told:
        table.add_row(
            one["kind"], one["key"], escape(one["name"]), one["updated_at"], escape(one["left_out"] or "")
        )
    rich_console().print(table)
    return 0


@command.command("export")
@click.pass_context
def export(ctx: click.Context) -> int:
    """Print the objects as YAML to be merged into headwater.yaml; secrets as variables."""
    import yaml

    from pipelines.overlay.export import exported

    project = project_of(ctx)
    found = exported(project)
    if not project.overlay:
        out("# the API has created nothing that is part of the project")
        return 0
    if found.variables:
        out(f"# set in the environment: {', '.join(found.variables)}")
    for dataset, sinks in found.sinks.items():
        out(f"# write at datasets.{dataset}:  sinks: [{', '.join(sinks)}]")
    click.echo(yaml.safe_dump(dict(found.data), sort_keys=False, width=110), nl=False)
    if project.left_out:
        err(f"{len(project.left_out)} are left out; see `headwater overlay list`")
    return 0


@command.command("delete")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.pass_context
def delete(ctx: click.Context, kind: str, name: str) -> int:
    """Delete an object that nothing needs. A running server takes it up by itself."""
    from pipelines.overlay import OverlayEditor

    OverlayEditor(project_of(ctx).folder).delete(kind, name)
    out(f"the {kind} {name} is deleted")
    return 0
