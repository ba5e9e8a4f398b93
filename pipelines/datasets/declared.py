"""What a derived dataset and a sink's target are in the catalogue, and where their columns come from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import orjson
import pyarrow as pa

from connectors.datasets.plan import Plan
from connectors.model import Clause, DeclaredLineage, ExternalTable, InternalResource, Resource
from connectors.model.naming import dotted, quoted
from connectors.sinks import Target
from lineage.sql import analyze
from lineage.store import DATASETS, SnapshotWriter
from pipelines.project import DatasetRef, Project, usable_class
from pipelines.project.derived import DerivedDataset


class Origin(NamedTuple):
    """One use of a dataset's column (of the dataset as a whole, where None) in a column that is made, or in which
    records there are, where None. `clause` says by what, where it is in none of the values.
    """

    made: str | None
    ref: DatasetRef
    column: str | None
    clause: Clause | None = None
    expression: str | None = None


def find_origins(dataset: DerivedDataset, plan: Plan, columns: Mapping[str, Sequence[str]]) -> list[Origin]:
    """Where a dataset's columns come from, as the SQL engine reads its transform. `columns` are those of each relation
    that it reads.
    """
    relations = {"input": dataset.source}
    relations |= {name.lower(): DatasetRef.read(text) for name, text in dataset.transform.sources.items()}
    schemas = {name: dict.fromkeys(names, "") for name, names in columns.items()}
    made = analyze(f"CREATE TABLE _headwater_made AS {plan.sql}", dialect="duckdb", schemas=schemas).to_dict()
    bare = {text for names in columns.values() for name in names for text in (name, quoted(name))}
    plain = bare | {f"{relation}.{text}" for relation in columns for text in bare}
    found = [
        Origin(None, relations[name.lower()], None) for name in made["in_tables"] if name.lower() in relations
    ]
    for flow in made["column_lineage"]:
        name = flow["downstream"]["column"]
        told = plan.expressions.get(name) or flow["expression"]
        if told in plain:  # handed on as it is
            told = None
        found += [
            Origin(name, relations[one["table"].lower()], one["column"], expression=told)
            for one in flow["upstreams"]
        ]
    found += [
        Origin(use["downstream"]["column"], relations[use["table"].lower()], use["column"], use["clause"])
        for use in made["indirect"]
    ]
    return found


def personal_columns(
    dataset: DerivedDataset,
    names: Sequence[str],
    origins: Sequence[Origin],
    known: Mapping[DatasetRef, Collection[str]],
) -> list[str]:
    """Of the columns `names` those that are personal: those declared so, in the dataset or what it is made of; what is
    made of such ones; and, where there are any, what is made of nobody knows what.
    """
    declared = {name.casefold() for name in dataset.model.personal}  # as DuckDB tells names apart
    valued = [one for one in origins if one.made and one.column and not one.clause]
    personal = {name for name in names if name.casefold() in declared}
    personal |= {
        str(one.made)
        for one in valued
        if str(one.column).casefold() in declared or one.column in known.get(one.ref, ())
    }
    if declared or any(known.values()):
        personal |= set(names) - {str(one.made) for one in valued}
    return sorted(personal)


def dataset_rows(
    project: Project, dataset: DerivedDataset, schema: pa.Schema, origins: Sequence[Origin]
) -> pa.Table:
    """A dataset's resources and lineage, as a snapshot's rows. Ends of lineage are whole ids."""
    writer = SnapshotWriter(None)
    table = Resource(
        entity_type="table",
        databuilder_id=dotted(dataset.name),
        title=dataset.name,
        description=dataset.model.description,
        definition=_definition(dataset),
        native_type="dataset",
    )
    _declare(writer, table, schema)
    me = f"{DATASETS}/{table.databuilder_id}"
    location = ".".join(dataset.transform_path) if dataset.model.transform else None
    for one in origins:
        start = column_id(project, one.ref, one.column) if one.column else table_id(one.ref)
        writer.declaration(
            DeclaredLineage(
                from_identifier=InternalResource(databuilder_id=start),
                to_identifier=InternalResource(databuilder_id=f"{me}.{dotted(one.made)}" if one.made else me),
                kind="indirect" if one.clause else "direct",
                clauses=[one.clause] if one.clause else [],
                expression=one.expression,
                location=location,
            )
        )
    return writer.rows()


def sink_rows(sink: str, dataset: str, target: Target, schema: pa.Schema) -> pa.Table:
    """A sink's target as a resource, another's description where that is a connection's table; and what flows into it,
    as a snapshot's rows.
    """
    writer = SnapshotWriter(None)
    key = dotted(f"{sink}/{dataset}")
    same = None
    if target.address and target.table:
        same = ExternalTable(
            cluster=target.address, database=target.database, schema=target.schema, table=target.table
        )
    properties = {"uri": target.uri}
    _declare(
        writer,
        Resource(
            entity_type="table",
            databuilder_id=key,
            title=dataset,
            native_type=target.platform,
            database=target.database,
            schema=target.schema,
            same_as=same,
            properties=properties,
        ),
        schema,
    )
    source = f"{DATASETS}/{dotted(dataset)}"
    ends = [(source, f"sinks/{key}")]
    ends += [(f"{source}.{dotted(name)}", f"sinks/{key}.{dotted(name)}") for name in schema.names]
    for start, end in ends:
        writer.declaration(
            DeclaredLineage(
                from_identifier=InternalResource(databuilder_id=start),
                to_identifier=InternalResource(databuilder_id=end),
            )
        )
    return writer.rows()


def table_id(ref: DatasetRef) -> str:
    """The whole id of a dataset's resource."""
    return f"{DATASETS}/{dotted(ref.table)}" if ref.is_derived else ref.id


def column_id(project: Project, ref: DatasetRef, column: str) -> str:
    """The whole id of a dataset's column: databases quote what is no plain name, other connectors do not."""
    plain = not ref.is_derived and not usable_class(project, ref.connection).copies_records
    return f"{table_id(ref)}.{column if plain else dotted(column)}"


def _declare(writer: SnapshotWriter, table: Resource, schema: pa.Schema) -> None:
    writer.resource(table)
    for order, column in enumerate(schema):
        writer.resource(
            Resource(
                entity_type="column",
                databuilder_id=f"{table.databuilder_id}.{dotted(column.name)}",
                parent_databuilder_id=table.databuilder_id,
                title=column.name,
                type=str(column.type),
                sort_order=order + 1,
            )
        )


def _definition(dataset: DerivedDataset) -> str:
    """The transform as it was written: its SQL, or its operations as JSON."""
    text = dataset.written.get("sql")
    return text if isinstance(text, str) else orjson.dumps(dataset.written).decode()
