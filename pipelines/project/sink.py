"""From a sink's entry in the file to a sink that can write."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.config.secrets import Redactor, secrets_of
from connectors.errors import ConfigError
from connectors.registry import fill_config
from connectors.sinks import Sink, load_sink
from pipelines.project.filling import Filling, named_credential, refuse_servers_login
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
    credential = filled(named_credential(project, model.credential, f"{where}: sink {name}"))
    config = filled(model.config)
    if filled.missing:
        names = ", ".join(sorted(set(filled.missing)))
        raise ConfigError(f"{where}: sink {name} needs {names}", hint="set it in the environment")
    redact = Redactor([*filled.secrets, *secrets_of(credential)])
    cls = load_sink(model.connector)
    try:
        valid = fill_config(cls.Config, config, credential)
    except ConfigError as error:
        raise ConfigError(redact(f"{where}: sink {name}: {error.message}"), hint=error.hint) from None
    refuse_servers_login(project, "sink", name, valid, credential)
    redact.add(*secrets_of(valid))
    return ResolvedSink(name, cls(valid, project.folder), redact)
