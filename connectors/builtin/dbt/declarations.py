"""What the nodes of a dbt project become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from connectors.builtin.dbt.artifacts import (
    CatalogColumn,
    CatalogTable,
    DocumentedColumn,
    Node,
    Owner,
    RunResult,
)
from connectors.model import ExternalTable, Resource
from connectors.model.naming import dotted


def relation_resource(node: Node, owners: list[str], result: RunResult | None) -> Resource:
    """A model, seed, snapshot or source. It describes its relation, which the database's connection owns."""
    database, schema = node.database or None, node.schema_name or None
    relation = ExternalTable(database=database, schema=schema, table=node.relation)
    return Resource(
        entity_type="table",
        databuilder_id=node.unique_id,
        title=node.relation,
        description=node.description or None,
        definition=node.compiled_code,
        native_type=node.resource_type,
        owners=owners or None,
        database=database,
        schema=schema,
        same_as=None if node.ephemeral else relation,
        tags=node.tags,
        properties=_properties(
            name=node.name,
            package=node.package_name,
            path=node.original_file_path,
            materialized=node.config.materialized,
            group=node.group or node.config.group,
            **_run(result),
        ),
    )


def column_resources(node: Node, catalog: CatalogTable | None) -> Iterator[Resource]:
    """The columns that the database has, then those that are only documented."""
    documented = dict(node.columns)
    for position, column in enumerate(_in_order(catalog), start=1):
        documentation = _take(documented, column.name)
        yield _column(
            node,
            column.name,
            sort_order=position if column.index is None else column.index,
            type=column.type or (documentation.data_type if documentation else None),
            description=(documentation.description if documentation else None) or column.comment,
            tags=documentation.tags if documentation else [],
        )
    for position, rest in enumerate(documented.values(), start=1):
        yield _column(
            node,
            rest.name,
            sort_order=None if catalog else position,
            type=rest.data_type,
            description=rest.description,
            tags=rest.tags,
        )


def exposure_resource(node: Node, owners: list[str]) -> Resource:
    """What a project says its models are used for: a dashboard, a notebook, an application."""
    return Resource(
        entity_type=node.type or "dashboard",
        databuilder_id=node.unique_id,
        title=node.label or node.name,
        description=node.description or None,
        native_type="exposure",
        owners=owners or None,
        tags=node.tags,
        properties=_properties(
            name=node.name, path=node.original_file_path, url=node.url, maturity=node.maturity
        ),
    )


def test_resource(
    node: Node, owners: list[str], result: RunResult | None, declared: Mapping[str, Node]
) -> Resource:
    """A test, below what it tests where that is one thing."""
    tested = [node.attached_node] if node.attached_node else node.depends_on.nodes
    parent = tested[0] if len(tested) == 1 and tested[0] in declared else None
    return Resource(
        entity_type="test",
        databuilder_id=node.unique_id,
        parent_databuilder_id=parent,
        title=node.name,
        description=node.description or None,
        definition=node.compiled_code,
        native_type=(node.test_metadata and node.test_metadata.name) or "singular",
        owners=owners or None,
        tags=node.tags,
        properties=_properties(
            path=node.original_file_path,
            column=node.column_name,
            severity=node.config.severity,
            tests=", ".join(node.depends_on.nodes) or None,
            **_run(result),
        ),
    )


def owners_of(node: Node, group_owners: Mapping[str, list[str]]) -> list[str]:
    """Who answers for a node: named in its meta, as an exposure's owner, or by its group."""
    meta = _names(node.config.meta.get("owner") or node.meta.get("owner"))
    exposure = node.owner.names if node.owner else []
    return meta or exposure or group_owners.get(node.group or node.config.group or "", [])


def _names(owner: Any) -> list[str]:
    """`meta` is the project's own; an owner there is a text, several, or a name and an e-mail address."""
    if isinstance(owner, str):
        return [owner]
    if isinstance(owner, list):
        return [name for entry in owner for name in _names(entry)]
    try:
        return Owner.model_validate(owner).names
    except ValidationError:
        return []


def _column(node: Node, name: str, **fields: Any) -> Resource:
    return Resource(
        entity_type="column",
        databuilder_id=f"{node.unique_id}.{dotted(name)}",
        parent_databuilder_id=node.unique_id,
        title=name,
        database=node.database or None,
        schema=node.schema_name or None,
        **{**fields, "description": fields["description"] or None},
    )


def _in_order(catalog: CatalogTable | None) -> list[CatalogColumn]:
    columns = catalog.columns.values() if catalog else ()
    return sorted(columns, key=lambda column: column.index or 0)


def _take(documented: dict[str, DocumentedColumn], name: str) -> DocumentedColumn | None:
    """Removes and gives the documentation of a column: of the same name, or the same but for case."""
    if name in documented:
        return documented.pop(name)
    folded = [key for key in documented if key.casefold() == name.casefold()]
    return documented.pop(folded[0]) if len(folded) == 1 else None


def _run(result: RunResult | None) -> dict[str, Any]:
    if result is None:
        return {}
    completed = result.completed_at
    return {
        "run_status": result.status,
        "run_seconds": result.execution_time,
        "run_completed_at": completed.isoformat() if completed else None,
        "run_failures": result.failures,
    }


def _properties(**facts: Any) -> dict[str, str]:
    """The facts that are known, as text."""
    return {name: str(fact) for name, fact in facts.items() if fact is not None}
