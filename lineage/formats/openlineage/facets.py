"""What a graph knows of a table, as OpenLineage facets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openlineage.client.facet_v2 import (
    DatasetFacet,
    dataset_type_dataset,
    documentation_dataset,
    ownership_dataset,
    schema_dataset,
    symlinks_dataset,
    tags_dataset,
)

from lineage.formats.openlineage.naming import Names

Field = schema_dataset.SchemaDatasetFacetFields
Columns = Mapping[str, Sequence[Mapping[str, Any]]]


def columns_by_parent(resources: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The columns of each table, and of each column that has some, in their order."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in resources:
        if one["entity_type"] == "column" and one["parent_id"]:
            found.setdefault(one["parent_id"], []).append(one)
    for columns in found.values():
        columns.sort(key=lambda one: (one.get("sort_order") is None, one.get("sort_order") or 0, one["id"]))
    return found


def dataset_facets(
    item: Mapping[str, Any], columns: Columns, names: Names, producer: str
) -> dict[str, DatasetFacet]:
    """The facets of what the graph knows, and no empty ones."""
    kind, native = item["entity_type"].upper(), (item.get("native_type") or "").upper()
    facets: dict[str, DatasetFacet] = {
        "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(
            datasetType=kind, subType=native if native not in ("", kind) else None, producer=producer
        )
    }
    if fields := _fields(item["id"], columns, frozenset()):
        facets["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields, producer=producer)
    if text := item.get("description"):
        facets["documentation"] = documentation_dataset.DocumentationDatasetFacet(
            description=text, producer=producer
        )
    if owners := item.get("owners"):
        facets["ownership"] = ownership_dataset.OwnershipDatasetFacet(
            owners=[ownership_dataset.Owner(name=one) for one in owners], producer=producer
        )
    if tags := item.get("tags"):
        told = [
            tags_dataset.TagsDatasetFacetFields(key=one, value="true", source="HEADWATER") for one in tags
        ]
        facets["tags"] = tags_dataset.TagsDatasetFacet(tags=told, producer=producer)
    if aliases := item["aliases"]:
        others = [names.of_key(*_parts(alias)) for alias in aliases]
        facets["symlinks"] = symlinks_dataset.SymlinksDatasetFacet(
            identifiers=[symlinks_dataset.Identifier(*one, type="TABLE") for one in others], producer=producer
        )
    return facets


def _fields(parent: str, columns: Columns, above: frozenset[str]) -> list[Field]:
    # A column that is within itself, by way of others, is not gone into again.
    within = above | {parent}
    return [
        Field(
            name=str(one["title"] or one["databuilder_id"]),
            type=one.get("type"),
            description=one.get("description"),
            ordinal_position=at,
            fields=_fields(one["id"], columns, within) if one["id"] not in within else [],
        )
        for at, one in enumerate(columns.get(parent, ()), 1)
    ]


def _parts(alias: str) -> tuple[str, str]:
    connection, _, key = alias.partition("/")
    return connection, key
