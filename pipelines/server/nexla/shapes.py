"""The objects of Nexla's API, in the shapes that its client reads (reference: its models, version 1.0.8).

What is not known is null. No value of a configuration or a credential is in any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import pyarrow as pa

from connectors import Connector
from connectors.registry import is_path
from connectors.sinks import load_sink
from pipelines.project import usable_class
from pipelines.project.derived import DerivedDataset
from pipelines.server.nexla.estate import (
    CREDENTIALS,
    SETS,
    SINKS,
    SOURCES,
    TRANSFORMS,
    DataSet,
    Destination,
    Estate,
)
from pipelines.surrogates import surrogate_id

ORG_ID = OWNER_ID = 1  # of the project, which is the organisation; who owns what is not known
_ACTIVE, _PAUSED = "ACTIVE", "PAUSED"
# Kinds of ours that the client's list of destinations has under the same name. Of others it takes none but null.
_KNOWN_SINKS = frozenset({"postgres"})
_FORMATS = frozenset({"json", "csv", "parquet", "avro", "xml", "delimited", "fixed_width"})
Json = dict[str, Any]


@dataclass(frozen=True)
class Shapes:
    """Over an estate. `is_active` says of a connection whether its schedule is on, `runs` gives its newest runs."""

    estate: Estate
    is_active: Callable[[str], bool]
    runs: Callable[[str], Sequence[Json]]
    verified: Callable[[str], bool | None]

    def of(self, kind: str, one: Any, *, expand: bool = False) -> Json:
        """One of the things that `Estate.things` gives of a kind; `expand` adds what it refers to."""
        if kind == CREDENTIALS:
            return self.credential(one)
        if kind == TRANSFORMS:
            return self.transform(one)
        of: dict[str, Callable[..., Json]] = {SOURCES: self.source, SETS: self.data_set, SINKS: self.sink}
        return of[kind](one, expand=expand)

    # -- sources

    def source(self, name: str, *, expand: bool = False) -> Json:
        model, cls = self.estate.project.connections[name], usable_class(self.estate.project, name)
        kind = _kind(model.connector, cls)
        credential = model.credential if isinstance(model.credential, str) else None
        shown = self._common(surrogate_id("connection", name), "connection", name, name) | {
            "status": self._status(name),
            "source_type": kind,
            "connector_type": kind,
            "connector": _connector(kind, cls),
            "ingest_method": "SCHEDULED" if model.schedule else "BATCH",
            "flow_type": "batch",
            "managed": False,
            "auto_generated": False,
            "source_config": {"start.cron": model.schedule} if model.schedule else {},
            "poll_schedule": model.schedule,
            "data_credentials_id": None if credential is None else surrogate_id("credential", credential),
            "data_sets": [_brief(one) for one in self.estate.detected_by(name)],
            "run_ids": self.runs(name),
            "api_keys": [],
        }
        if expand and credential is not None:
            shown["data_credentials"] = self.credential(credential)
        return shown

    def _status(self, connection: str) -> str:
        return _ACTIVE if self.is_active(connection) else _PAUSED

    # -- data sets

    def data_set(self, one: DataSet, *, expand: bool = False) -> Json:
        derived = one.derived
        shown = self._common(one.id, "dataset", one.name, one.name) | {
            "description": derived.model.description if derived else None,
            "status": self._status(self.estate.origins(one.key)[0]),
            "flow_type": "batch",
            "data_source_id": surrogate_id("connection", one.connection) if one.connection else None,
            "parent_data_sets": [_brief(self.estate.set_by_key[parent]) for parent in one.parents],
            "parent_data_set_id": self.estate.set_by_key[one.parents[0]].id if one.parents else None,
            "data_sinks": [self._sink_of_set(self.estate.sink_by_key[key]) for key in one.sinks],
            "output_schema": None if one.columns is None else json_schema(one.columns),
            **_transform_of(derived),
            **_validation_of(derived),
        }
        if expand and one.connection:
            shown["data_source"] = self.source(one.connection)
        return shown

    def _sink_of_set(self, one: Destination) -> Json:
        connector = self.estate.project.model.sinks[one.sink].connector
        return {
            "id": one.id,
            "owner_id": OWNER_ID,
            "org_id": ORG_ID,
            "name": one.key,
            "status": _ACTIVE,
            "sink_type": connector if connector in _KNOWN_SINKS else None,
            "connector_type": connector,
        }

    # -- destinations

    def sink(self, one: Destination, *, expand: bool = False) -> Json:
        model = self.estate.project.model.sinks[one.sink]
        data_set = self.estate.set_by_key[one.data_set] if one.data_set else None
        credential = model.credential if isinstance(model.credential, str) else None
        written = model.config.get("format")
        shown = self._common(one.id, "sink", one.sink, one.key) | {
            "status": self._status(self.estate.origins(data_set.key)[0]) if data_set else _ACTIVE,
            "sink_type": model.connector,
            "connector_type": model.connector,
            "connector": _connector(model.connector, load_sink(model.connector)),
            "data_set_id": data_set.id if data_set else None,
            "data_set": None if data_set is None else _short(data_set),
            "data_credentials_id": None if credential is None else surrogate_id("credential", credential),
            "sink_format": written if written in _FORMATS else None,
            "sink_config": {name: model.config[name] for name in ("mode", "format") if name in model.config},
            "flow_type": "batch",
            "in_memory": False,
            "managed": False,
        }
        if expand and credential is not None:
            shown["data_credentials"] = self.credential(credential)
        return shown

    # -- credentials

    def credential(self, name: str) -> Json:
        project = self.estate.project
        sources = [one for one, model in project.connections.items() if model.credential == name]
        sinks = [
            one for one in self.estate.sinks.values() if project.model.sinks[one.sink].credential == name
        ]
        kinds: list[tuple[str, type[Any] | None]] = [
            (_kind(project.connections[one].connector, cls), cls)
            for one in sources
            for cls in (usable_class(project, one),)
        ]
        kinds += [
            (kind, load_sink(kind)) for one in sinks for kind in (project.model.sinks[one.sink].connector,)
        ]
        kind, cls = kinds[0] if kinds else ("generic", None)
        more: Mapping[str, Any] = project.overlay.get(("credential", name), {}).get("more", {})
        kind = more.get("type", kind)
        verified = [self.verified(one) for one in sources]
        return self._common(surrogate_id("credential", name), "credential", name, name) | {
            "credentials_type": kind,
            "credentials_version": "1",
            "connector": _connector(kind, cls),
            # What a run has logged in with, it has verified.
            "verified_status": "FAILED"
            if False in verified
            else "VERIFIED"
            if True in verified
            else "UNVERIFIED",
            "managed": False,
            "credentials_non_secure_data": more.get("non_secure", {}),
            "referenced_resource_ids": {
                SOURCES: [surrogate_id("connection", one) for one in sources],
                SINKS: [one.id for one in sinks],
            },
        }

    # -- transforms

    def transform(self, name: str) -> Json:
        written = self.estate.project.model.transforms[name]
        used_by = [one for one in self.estate.project.datasets.values() if one.model.transform == name]
        return self._common(surrogate_id("transform", name), "transform", name, name) | {
            "access_roles": None,
            "resource_type": "transform",
            "reusable": True,
            "code_type": "jolt_custom",
            "output_type": "record",
            "code_encoding": "none",
            "managed": False,
            "data_sets": [self.estate.set_by_key[f"datasets/{one.name}"].id for one in used_by],
            "code": [{"operation": kind, "spec": spec} for kind, spec in _operations(written)],
        }

    def _common(self, number: int, kind: str, key: str, name: str) -> Json:
        """What every object has; of one that the API made what it was given, and when."""
        made: Mapping[str, Any] = self.estate.project.overlay.get((kind, key), {})
        more = made.get("more", {})
        return {
            "id": number,
            "name": made.get("name", name),
            "description": more.get("description"),
            "owner": None,
            "org": {"id": ORG_ID, "name": self.estate.project.name},
            "access_roles": ["owner"],
            "tags": more.get("tags", []),
            "copied_from_id": made.get("copied_from"),
            "created_at": made.get("created_at"),
            "updated_at": made.get("updated_at"),
        }

    # -- everything

    def all(self) -> Json:
        """Every object, by kind, as a flow's answer carries them."""
        kinds = (SOURCES, SETS, SINKS, CREDENTIALS)
        return {
            **{kind: [self.of(kind, one) for one in self.estate.things(kind).values()] for kind in kinds},
            "code_containers": [],
            "shared_data_sets": [],
            "orgs": [{"id": ORG_ID, "name": self.estate.project.name}],
            "users": [],
            "projects": [],
        }


def json_schema(columns: pa.Schema) -> Json:
    """A record's columns as a JSON Schema."""
    return {"type": "object", "properties": {field.name: _json_type(field.type) for field in columns}}


def _json_type(kind: pa.DataType) -> Json:
    if pa.types.is_boolean(kind):
        return {"type": "boolean"}
    if pa.types.is_integer(kind):
        return {"type": "integer"}
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return {"type": "number"}
    if pa.types.is_timestamp(kind):
        return {"type": "string", "format": "date-time"}
    if pa.types.is_date(kind):
        return {"type": "string", "format": "date"}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return {"type": "array", "items": _json_type(kind.value_type)}
    if pa.types.is_struct(kind):
        return {"type": "object", "properties": {field.name: _json_type(field.type) for field in kind}}
    if pa.types.is_map(kind):
        return {"type": "object"}
    return {"type": "string"}


def _brief(one: DataSet) -> Json:
    return {"id": one.id, "owner_id": OWNER_ID, "org_id": ORG_ID, "name": one.name, "version": 1}


def _short(one: DataSet) -> Json:
    return {"id": one.id, "name": one.name, "status": _ACTIVE, "version": 1}


def _kind(connector: str, cls: type[Connector]) -> str:
    """What a connector is called: one of a file by the platform that it says it is, else by the file."""
    if not is_path(connector):
        return connector
    return cls.platform if cls.platform != Connector.platform else PurePath(connector).stem


def _connector(kind: str, cls: type[Any] | None) -> Json:
    described = (cls.__doc__ or "").strip().splitlines() if cls is not None else []
    return {
        "id": surrogate_id("connector", kind),
        "type": kind,
        "connection_type": kind,
        "name": cls.__name__ if cls is not None and cls is not Connector else kind,
        "description": described[0] if described else "",
        "nexset_api_compatible": True,
    }


def _transform_of(derived: DerivedDataset | None) -> Json:
    given = derived.model.transform if derived else None
    if isinstance(given, str):
        return {
            "transform_id": surrogate_id("transform", given),
            "transform": None,
            "has_custom_transform": True,
        }
    operations = [{"operation": kind, **spec} for kind, spec in _operations(given or {})]
    embedded = {"version": 1, "operations": operations} if derived else None
    return {"transform_id": None, "transform": embedded, "has_custom_transform": False}


def _operations(written: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    """The operations of a transform as headwater.yaml has it: kind and specification, in Nexla's words where it has
    them.
    """
    if "sql" in written:
        yield "sql", {name: written[name] for name in ("sql", "inputs") if name in written}
        return
    for operation in written.get("operations", ()):
        for kind, given in operation.items():
            if kind == "rename":
                yield kind, {"fields": given}
            elif kind == "filter" and isinstance(given, str):
                yield kind, {"condition": given}
            else:
                yield kind, dict(given) if isinstance(given, Mapping) else {"value": given}


def _validation_of(derived: DerivedDataset | None) -> Json:
    schema = derived.rules.json_schema if derived and derived.rules else None
    document = schema.document if schema else None
    return {
        "output_schema_validation_enabled": document is not None,
        "output_validation_schema": document if isinstance(document, Mapping) else None,
    }
