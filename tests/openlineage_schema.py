"""What OpenLineage demands of an event.

The official schemas come in no package. The events' is written here after OpenLineage.json 2-0-2; a facet's is made of
the official client's class, which is generated from the facet's schema, and allows nothing beside what that declares.
"""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any

import attr
import jsonschema_rs
from openlineage.client import facet_v2

TEXT = {"type": "string"}
URI = {"type": "string", "format": "uri"}
SCHEMA = {
    "type": "string",
    "pattern": r"^https://openlineage\.io/spec/(facets/)?\d+-\d+-\d+/\w+\.json#/\$defs/\w+$",
}
TIME = {"type": "string", "format": "date-time"}
FACETS = {"type": "object", "additionalProperties": {"$ref": "#/$defs/BaseFacet"}}
NAMED = {"namespace": TEXT, "name": TEXT}


def _one(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


EVENT = {"eventTime": TIME, "producer": URI, "schemaURL": SCHEMA}
STATES = {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]}
ENDS = {
    side: {"type": "array", "items": {"$ref": f"#/$defs/{side.title()[:-1]}Dataset"}}
    for side in ("inputs", "outputs")
}
DEFS = {
    "BaseFacet": {
        "type": "object",
        "properties": {"_producer": URI, "_schemaURL": SCHEMA},
        "required": ["_producer", "_schemaURL"],
    },
    "Run": _one({"runId": {"type": "string", "format": "uuid"}}, facets=FACETS),
    "Job": _one(NAMED, facets=FACETS),
    "StaticDataset": _one(NAMED, facets=FACETS),
    "InputDataset": _one(NAMED, facets=FACETS, inputFacets=FACETS),
    "OutputDataset": _one(NAMED, facets=FACETS, outputFacets=FACETS),
    "RunEvent": _one(
        EVENT | {"run": {"$ref": "#/$defs/Run"}, "job": {"$ref": "#/$defs/Job"}}, eventType=STATES, **ENDS
    ),
    "JobEvent": _one(EVENT | {"job": {"$ref": "#/$defs/Job"}}, **ENDS),
    "DatasetEvent": _one(EVENT | {"dataset": {"$ref": "#/$defs/StaticDataset"}}),
}
# Under which name each facet stands, by its schema; the facets that are sent.
PLACES = {
    "schema": "SchemaDatasetFacet",
    "columnLineage": "ColumnLineageDatasetFacet",
    "symlinks": "SymlinksDatasetFacet",
    "ownership": "OwnershipDatasetFacet",
    "documentation": "DocumentationDatasetFacet",
    "datasetType": "DatasetTypeDatasetFacet",
    "version": "DatasetVersionDatasetFacet",
    "outputStatistics": "OutputStatisticsOutputDatasetFacet",
    "sql": "SQLJobFacet",
    "jobType": "JobTypeJobFacet",
    "parent": "ParentRunFacet",
    "nominalTime": "NominalTimeRunFacet",
    "processing_engine": "ProcessingEngineRunFacet",
    "errorMessage": "ErrorMessageRunFacet",
}
TAGS = {"dataset": "TagsDatasetFacet", "job": "TagsJobFacet", "run": "TagsRunFacet"}


def validate(event: dict[str, Any]) -> None:
    """Raises when the event, or a facet of it, is not what OpenLineage demands."""
    kind = event["schemaURL"].rpartition("/")[2]
    _validator(kind).validate(event)
    for part, of in [
        ("dataset", event.get("dataset")),
        ("job", event.get("job")),
        ("run", event.get("run")),
        *(("dataset", one) for side in ("inputs", "outputs") for one in event.get(side, [])),
    ]:
        for group in ("facets", "inputFacets", "outputFacets"):
            for name, facet in ((of or {}).get(group) or {}).items():
                cls = facet["_schemaURL"].rpartition("/")[2]
                assert cls == (TAGS[part] if name == "tags" else PLACES[name]), (name, cls)
                _facet_validator(facet["_schemaURL"]).validate(facet)


@cache
def _validator(kind: str) -> Any:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": f"#/$defs/{kind}",
        "$defs": DEFS,
    }
    return jsonschema_rs.validator_for(schema, validate_formats=True)


@cache
def _facet_validator(url: str) -> Any:
    return jsonschema_rs.validator_for(_schema_of(_classes()[url]), validate_formats=True)


@cache
def _classes() -> dict[str, type]:
    modules = [one for one in vars(facet_v2).values() if isinstance(one, types.ModuleType)]
    found = [
        cls for module in modules for cls in vars(module).values() if isinstance(cls, type) and attr.has(cls)
    ]
    return {cls._get_schema(): cls for cls in found if "_get_schema" in vars(cls)}


def _schema_of(kind: Any) -> dict[str, Any]:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return {"anyOf": [_schema_of(one) for one in typing.get_args(kind) if one is not type(None)]}
    if typing.get_origin(kind) is list:
        return {"type": "array", "items": _schema_of(*typing.get_args(kind))}
    if typing.get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": _schema_of(typing.get_args(kind)[1])}
    if attr.has(kind):
        if kind.__name__ == "SchemaDatasetFacetFields":  # holds itself
            of = {one.name: TEXT for one in attr.fields(kind)} | {"ordinal_position": {"type": "integer"}}
            return _one(
                {"name": TEXT}, **{k: v for k, v in of.items() if k not in ("name", "fields")}, fields={}
            )
        hints = typing.get_type_hints(kind)
        parts = {one.name: _schema_of(hints[one.name]) for one in attr.fields(kind)}
        needed = {one.name for one in attr.fields(kind) if one.default is attr.NOTHING}
        needed |= parts.keys() & {"_producer", "_schemaURL"}
        return _one(
            {n: s for n, s in parts.items() if n in needed},
            **{n: s for n, s in parts.items() if n not in needed},
        )
    return {"type": {str: "string", int: "integer", bool: "boolean", float: "number"}[kind]}
