"""From a sink's entry in the file to a sink that can write."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from connectors.config.secrets import Redactor, secrets_of
from connectors.connector import first_fault
from connectors.errors import ConfigError
from connectors.sinks import Sink, load_sink
from pipelines.project.filling import Filling, named_credential
from pipelines.project.loader import Project


@dataclass(frozen=True)
class ResolvedSink:
    """A sink ready to write. `redact` masks every value that may be secret."""

    name: str
    sink: Sink
    redact: Redactor


def resolve_sink(project: Project, name: str) -> ResolvedSink:
    """Fills variables and validates. Raises ConfigError that names what is missing or wrong, and no value."""
    model = project.model.sinks[name]
    where = project.where("sinks", name)
    filled = Filling([])
    credential = filled(named_credential(project, model.credential))
    config = filled(model.config)
    if filled.missing:
        names = ", ".join(sorted(set(filled.missing)))
        raise ConfigError(f"{where}: sink {name} needs {names}", hint="set it in the environment")
    if clash := sorted(set(credential) & set(config)):
        raise ConfigError(
            f"{where}: sink {name}: {', '.join(clash)}: given in the configuration and in the credential",
            hint="keep one of them",
        )
    redact = Redactor([*filled.secrets, *secrets_of(credential)])
    cls = load_sink(model.connector)
    known = {field.alias or name for name, field in cls.Config.model_fields.items()} | set(
        cls.Config.model_fields
    )
    try:
        valid = cls.Config.model_validate({**{k: v for k, v in credential.items() if k in known}, **config})
    except ValidationError as error:
        raise ConfigError(redact(f"{where}: sink {name}: {first_fault(error)}")) from None
    redact.add(*secrets_of(valid))
    return ResolvedSink(name, cls(valid, project.folder), redact)
