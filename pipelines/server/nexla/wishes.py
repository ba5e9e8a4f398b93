"""What a client of the Nexla-compatible API asks to be made, as it would stand in headwater.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.project import Project
from pipelines.project.filling import Filling
from pipelines.project.overlay import FILLED
from pipelines.server.nexla.estate import Estate
from pipelines.server.problems import ApiProblem

Json = dict[str, Any]
CRON = "start.cron"
# What a source's configuration may say of the connection itself, and not of what its connector reads.
_OF_CONNECTION = ("records", "instance", "defaults", "allow_late", "on_error", "remove_missing", "store_sql")
_LONGEST = 10_000  # of a description
_MOST_TAGS = 100


def kept(body: Mapping[str, Any]) -> Json:
    """What is kept of an object as it was given. Raises ApiProblem 400 for what no client could read again."""
    description, tags = body.get("description"), body.get("tags")
    if description is not None and not (isinstance(description, str) and len(description) <= _LONGEST):
        raise ApiProblem(400, f"description has to be a text of at most {_LONGEST:,} characters")
    if tags is not None and not (
        isinstance(tags, list)
        and len(tags) <= _MOST_TAGS
        and all(isinstance(one, str) and len(one) <= _LONGEST for one in tags)
    ):
        raise ApiProblem(400, f"tags have to be a list of at most {_MOST_TAGS} texts")
    return {name: body[name] for name in ("description", "tags") if body.get(name) is not None}


def unchanged(body: Mapping[str, Any], name: str, before: Any) -> None:
    """Raises ApiProblem 400 where a body asks for another value of what an object has for good."""
    if body.get(name) not in (None, before):
        raise ApiProblem(400, f"{name} cannot be changed: create another")


def text(body: Mapping[str, Any], name: str) -> str:
    """A field that has to be a text. Raises ApiProblem 400."""
    found = body.get(name)
    if not isinstance(found, str) or not found.strip():
        raise ApiProblem(400, f"{name} is required, a text")
    return found


def mapping(body: Mapping[str, Any], name: str) -> Json:
    """A field that is an object, an empty one where it is left out. Raises ApiProblem 400."""
    found = body.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ApiProblem(400, f"{name} has to be an object")
    return found


def credential_of(estate: Estate, body: Mapping[str, Any], before: str | None = None) -> str | None:
    """The name of the credential that a body names by its id. Raises ApiProblem 400 for one that there is not."""
    if "data_credentials_id" not in body:
        return before
    number = body["data_credentials_id"]
    return (
        None
        if number is None
        else estate.credentials[_named(number, estate.credentials, "data_credentials_id")]
    )


def source(estate: Estate, body: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Json:
    """A connection; what the body leaves out is as before."""
    settings = dict(before or {"connector": text(body, "source_type")})
    unchanged(body, "source_type", settings["connector"])
    if (credential := credential_of(estate, body, settings.get("credential"))) is not None:
        settings["credential"] = credential
    else:
        settings.pop("credential", None)
    if "source_config" in body or before is None:
        config = dict(mapping(body, "source_config"))
        cron = config.pop(CRON, None)
        for name in _OF_CONNECTION:
            settings.pop(name, None)
            if name in config:
                settings[name] = config.pop(name)
        settings.pop("schedule", None)
        if cron:
            settings["schedule"] = cron
        settings["config"] = config
    return settings


def data_set(estate: Estate, body: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Json:
    """A derived dataset; what the body leaves out is as before."""
    settings = dict(before or {})
    if before is None:
        parent = estate.sets[_named(body.get("parent_data_set_id"), estate.sets, "parent_data_set_id")]
        settings["from"] = parent.key
    elif isinstance(settings["from"], str) and settings["from"] in estate.set_by_key:
        unchanged(body, "parent_data_set_id", estate.set_by_key[settings["from"]].id)
    given = [name for name in ("transform", "transform_id") if body.get(name)]
    if len(given) > 1 or (before is None and not given):
        raise ApiProblem(400, "exactly one of transform and transform_id is required")
    if given == ["transform_id"]:
        settings["transform"] = estate.transforms[
            _named(body["transform_id"], estate.transforms, "transform_id")
        ]
    elif given:
        listed = mapping(body, "transform").get("operations")
        settings["transform"] = transform(listed, "transform.operations")
    is_validated = body.get("output_schema_validation_enabled")
    if not isinstance(is_validated, bool | None):
        raise ApiProblem(400, "output_schema_validation_enabled is true or false")
    if is_validated is False:
        settings.pop("validation", None)
    elif is_validated:
        schema = mapping(body, "output_validation_schema")
        settings["validation"] = {"schema": schema, "on_invalid": "quarantine"}
    if body.get("description") is not None:
        settings["description"] = text(body, "description")
    return settings


def transform(operations: Any, where: str) -> Json:
    """Operations, each `{operation, ...}` or `{operation, spec: {...}}`. Raises ApiProblem 400 for what is none."""
    if not isinstance(operations, Sequence) or isinstance(operations, str) or not operations:
        raise ApiProblem(400, f"{where} has to be a list of operations")
    found: list[Json] = []
    for operation in operations:
        if not isinstance(operation, Mapping) or not isinstance(operation.get("operation"), str):
            raise ApiProblem(400, f"{where}: each has an `operation`")
        kind = operation["operation"]
        spec = {name: value for name, value in operation.items() if name != "operation"}
        if isinstance(spec.get("spec"), Mapping):
            spec = dict(spec["spec"])
        if kind == "sql":
            if len(operations) > 1:
                raise ApiProblem(400, f"{where}: a query is a transform of its own")
            return spec
        found.append(_operation(kind, spec))
    return {"operations": found}


def _operation(kind: str, spec: Json) -> Json:
    """In the words of headwater.yaml; which operations there are, and what they want, is judged there."""
    if kind in ("rename", "map"):
        return {"rename": spec.get("fields", {})}
    if kind == "filter":
        return {"filter": spec.get("condition", spec)}
    if kind == "typecast":
        return {"cast": spec.get("fields", spec)}
    if kind == "nexla.custom":
        raise ApiProblem(
            400, "code of others is not run: write the transform as operations, or as a query (sql)"
        )
    return {kind: spec["value"] if set(spec) == {"value"} else spec}


def sink(estate: Estate, body: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Json:
    """A sink of one dataset; what the body leaves out is as before."""
    settings = dict(before or {"connector": text(body, "sink_type")})
    unchanged(body, "sink_type", settings["connector"])
    if before is None or "data_set_id" in body:
        one = estate.sets[_named(body.get("data_set_id"), estate.sets, "data_set_id")]
        if one.derived is None:
            raise ApiProblem(
                400, f"data_set_id {one.id} is a source's own: derive a data set of it, and deliver that"
            )
        settings["of"] = one.derived.name
    if (credential := credential_of(estate, body, settings.get("credential"))) is not None:
        settings["credential"] = credential
    else:
        settings.pop("credential", None)
    if "sink_config" in body or before is None:
        settings["config"] = dict(mapping(body, "sink_config"))
    if body.get("sink_format"):
        settings["config"] = {**settings["config"], "format": body["sink_format"]}
    return settings


def of_file(project: Project, kind: str, name: str) -> Json:
    """The settings of an object that stands in the file, as the API would be given them: a `$$` there is a dollar.

    Raises ApiProblem 409 where they hold variables.
    """
    sections: Mapping[str, Mapping[str, Any]] = {
        "connection": project.model.connections,
        "dataset": project.model.datasets,
        "sink": project.model.sinks,
    }
    if kind == "transform":
        return dict(project.model.transforms[name])
    settings: Json = sections[kind][name].model_dump(mode="json", by_alias=True, exclude_unset=True)
    filled = {part: value for part, value in settings.items() if part in FILLED}
    if "${" in str(filled).replace("$$", ""):
        raise ApiProblem(409, f"{name} stands in headwater.yaml with variables: copy it there")
    return {**settings, **Filling([])(filled)}


def _named(number: Any, things: Mapping[int, Any], field: str) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number not in things:
        raise ApiProblem(400, f"{field} {number} is unknown")
    return number
