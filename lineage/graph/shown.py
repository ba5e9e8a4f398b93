"""A graph's rows in the JSON of `headwater lineage export`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from lineage.store.graphs import GraphHeader


def node_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    """A resource with every set field."""
    body = orjson.loads(row["body"]) if row["body"] else {}
    body.pop("parent_databuilder_id", None)
    fixed = {"id": row["key"], "aliases": row["aliases"], "connection": row["connection"]}
    names = ("entity_type", "databuilder_id", "parent_id", "title", "database", "schema")
    more = {name: orjson.loads(row[name]) for name in ("facets", "usage") if row[name]}
    return body | fixed | {name: row[name] for name in names} | {"inferred": bool(row["inferred"])} | more


def owners_of(resource: Mapping[str, Any]) -> list[str]:
    """A resource's owners, those that its describers name included."""
    described = [resource, *resource.get("facets", {}).values()]
    return sorted({str(owner) for one in described for owner in one.get("owners") or ()})


def edge_dict(
    row: Mapping[str, Any], header: GraphHeader, queries: Mapping[str, str | None]
) -> dict[str, Any]:
    """An edge with every reason for it."""
    return {
        "from": row["from_id"],
        "to": row["to_id"],
        "level": row["level"],
        "kind": row["edge_kind"],
        "clauses": row["clauses"],
        "expression": row["expression"],
        "provenance": [_provenance_dict(one, header, queries) for one in row["provenance"]],
    }


def _provenance_dict(
    row: Mapping[str, Any], header: GraphHeader, queries: Mapping[str, str | None]
) -> dict[str, Any]:
    source = header.sources[row["source"]]
    return {
        "origin": row["origin"],
        "connection": source["connection"],
        "partition": source["partition"],
        "run_id": source["run_id"],
        "declaration": row["declaration"],
        "sql": queries.get(row["query"]) if row["query"] else None,
        "location": row["location"],
        "matched_by": row["matched_by"],
    }


def unresolved_dict(
    entry: Mapping[str, Any], header: GraphHeader, queries: Mapping[str, str | None]
) -> dict[str, Any]:
    """A reference without an edge, with its reason and candidates."""
    number = entry["source"]
    source = header.sources[number] if number is not None else {}
    return {
        "reference": entry["reference"],
        "sql": queries.get(entry["query"]) if entry["query"] else None,
        "side": entry["side"],
        "counterpart": entry["counterpart"],
        "reason": entry["reason"],
        "candidates": entry["candidates"],
        "guessed": entry["guessed"],
        "message": entry["message"],
        "declaration": entry["declaration"],
        "connection": source.get("connection"),
        "partition": source.get("partition"),
    }


def reference_name(entry: Mapping[str, Any]) -> str:
    """What an unresolved reference asks for; of SQL that was not understood its message."""
    reference = entry["reference"]
    if "databuilder_id" in reference:
        key = str(reference["databuilder_id"])
        return f"{entry['connection']}/{key}" if entry["connection"] else key
    parts = (reference.get(part) for part in ("cluster", "database", "schema", "table", "column"))
    return ".".join(str(part) for part in parts if part) or str(entry["message"])
