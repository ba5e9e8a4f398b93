"""What a database's catalogue is asked for, and the resources that its rows become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import RowMapping

from connectors.model import Resource
from connectors.model.naming import dotted

TABLE, VIEW, MATERIALIZED = "table", "view", "materialized view"
VIEWS = frozenset({VIEW, MATERIALIZED})


@dataclass(frozen=True)
class Query:
    """One question to the catalogue. `what` names its answer in messages.

    `each`, where given, asks the same for one `:schema_name` and `:table_name`: it is used, table by table,
    when the bulk query fails, because some systems fail the whole of it for one broken view.
    """

    what: str
    bulk: str
    each: str | None = None


@dataclass(frozen=True)
class Queries:
    """The fixed set of questions. Every answer has `schema_name`; all but schemas have `table_name`.

    schemas: comment. tables: kind, comment, owner, row_estimate, readable. definitions: definition, of views.
    keys: column_name, and for a foreign key to_schema, to_table, to_column. columns: column_name, position,
    data_type, nullable, default_value, generated, comment.
    """

    database: Query
    schemas: Query
    tables: Query
    definitions: Query
    keys: Query
    columns: Query


class TableKey(NamedTuple):
    """A table within its database."""

    schema: str
    table: str


@dataclass
class ColumnKeys:
    """What the keys of a table say of one of its columns."""

    primary: bool = False
    references: Sequence[str] = ()


def database_resource(database: str) -> Resource:
    return Resource(entity_type="database", databuilder_id=dotted(database), title=database)


def schema_resource(database: str, row: RowMapping) -> Resource:
    name = row["schema_name"]
    return Resource(
        entity_type="schema",
        databuilder_id=dotted(database, name),
        parent_databuilder_id=dotted(database),
        title=name,
        description=row["comment"],
        database=database,
    )


def table_resource(database: str, row: RowMapping, definition: str | None) -> Resource:
    schema, table = row["schema_name"], row["table_name"]
    return Resource(
        entity_type="table",
        databuilder_id=dotted(database, schema, table),
        parent_databuilder_id=dotted(database, schema),
        title=table,
        description=row["comment"],
        definition=definition,
        native_type=row["kind"],
        database=database,
        schema=schema,
        properties=_properties(
            owner=row["owner"], row_estimate=row["row_estimate"], readable=None if row["readable"] else False
        ),
    )


def column_resource(database: str, row: RowMapping, keys: ColumnKeys) -> Resource:
    schema, table, column = row["schema_name"], row["table_name"], row["column_name"]
    return Resource(
        entity_type="column",
        databuilder_id=dotted(database, schema, table, column),
        parent_databuilder_id=dotted(database, schema, table),
        title=column,
        description=row["comment"],
        database=database,
        schema=schema,
        sort_order=row["position"],
        type=row["data_type"] or None,
        is_pk=keys.primary,
        properties=_properties(
            nullable=bool(row["nullable"]),
            default=row["default_value"],
            generated=True if row["generated"] else None,
            references=", ".join(keys.references) or None,
        ),
    )


def _properties(**facts: Any) -> dict[str, str]:
    """The facts that are known, as text."""
    return {
        name: str(fact).lower() if isinstance(fact, bool) else str(fact)
        for name, fact in facts.items()
        if fact is not None
    }
