"""From a connection's entry in the file to a connector that can run."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ValidationError

from connectors import Connector, Context, Ingest, Window
from connectors.config.secrets import Redactor, may_be_secret, secrets_of
from connectors.connector import first_fault
from connectors.errors import ConfigError
from connectors.http import HttpPolicy
from connectors.registry import configure, load_connector
from lineage.graph.inputs import ConnectionSpec
from lineage.store import DATASETS, SINKS, dataset_scope, sink_scope
from pipelines.project.filling import Filling, named_credential, refuse_servers_login
from pipelines.project.loader import Project
from pipelines.project.model import ConnectionModel

if TYPE_CHECKING:
    from connectors.http import HttpClient


SHORTEST_STORED = 6  # a shorter secret would mask common words in what is stored


@dataclass(frozen=True)
class ResolvedConnection:
    """A connection whose variables are filled and whose configuration is valid.

    `redact` masks every value that may be secret, for logs and messages; `certain` those that are secret by their type
    or their name, for what is stored: a user's or a database's name must stay readable there.
    """

    name: str
    cls: type[Connector]
    config: BaseModel
    credentials: Mapping[str, str]
    policy: HttpPolicy
    redact: Redactor
    certain: Redactor


def connector_class(project: Project, name: str) -> type[Connector]:
    """The connection's connector. Raises ConfigError naming the line."""
    text = project.connections[name].connector
    if text in project.classes:
        return project.classes[text]
    try:
        cls = project.classes[text] = load_connector(text, project.folder)
        return cls
    except ConfigError as error:
        where = project.where("connections", name, "connector")
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from error


def usable_class(project: Project, name: str) -> type[Connector]:
    """The connection's connector, or the bare base class when it cannot be loaded.

    Definitions must load for the sake of the other connections; this one's runs fail and say why.
    """
    try:
        return connector_class(project, name)
    except ConfigError:
        return Connector


def resolve_connection(project: Project, name: str) -> ResolvedConnection:
    """Fills variables and validates. Raises ConfigError that names what is missing or wrong, and no value."""
    model = project.connections[name]
    cls = connector_class(project, name)
    _, missing = model.expanded(os.environ)
    filled = Filling(missing)
    where = project.where("connections", name)
    credentials = filled(named_credential(project, model.credential, f"{where}: connection {name}"))
    config = filled({**model.config, **_own_keys(model, cls, f"{where}: connection {name}")})
    http = filled({"endpoints": _endpoints(model.endpoints, cls), "transport": model.transport, **model.http})
    if clash := sorted({"endpoints", "transport"} & set(model.http)):
        named = " and ".join(clash)
        raise ConfigError(f"{where}: connection {name}: {named} stands under http; write it beside http")
    if model.records and not cls.copies_records:
        raise ConfigError(
            f"{project.where('connections', name, 'records')}: {model.connector} copies no records",
            hint="remove records; what a connector reads of its own tables is chosen with `tables`",
        )
    if missing:
        names = ", ".join(sorted(set(missing)))
        raise ConfigError(f"{where}: connection {name} needs {names}", hint="set it in the environment")
    redact = Redactor([*filled.secrets, *secrets_of(credentials)])
    try:
        valid = configure(cls, config, credentials)
        policy = _policy({k: v for k, v in http.items() if v is not None})
    except ConfigError as error:
        raise ConfigError(redact(f"{where}: connection {name}: {error.message}"), hint=error.hint) from None
    refuse_servers_login(project, "connection", name, valid, credentials)
    redact.add(*cls.secrets(valid))
    by_name = [
        s for key, value in credentials.items() if may_be_secret(key) for s in secrets_of({key: value})
    ]
    sure = [*cls.secrets(valid), *by_name]
    sure += [password for url in sure if (password := _password_of(url))]
    redact.add(*sure)
    certain = Redactor(one for one in sure if len(one) >= SHORTEST_STORED)
    texts = {key: str(value) for key, value in credentials.items()}
    return ResolvedConnection(name, cls, valid, texts, policy, redact, certain)


def _own_keys(model: ConnectionModel, cls: type[Connector], named: str) -> dict[str, Any]:
    """What the file says beside `config` and is part of it. Raises ConfigError for what the connector does not know."""
    given = {key: value for key in ("plugin", "python", "spec") if (value := getattr(model, key)) is not None}
    for key in given:
        if key not in cls.Config.model_fields:
            raise ConfigError(f"{named}: {key} is for CloudQuery plugins", hint="remove it")
        if key in model.config:
            raise ConfigError(f"{named}: {key} stands beside config and in it", hint="keep the one beside it")
    return given


def _password_of(url: str) -> str | None:
    """The password within a URL."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return None
    return unquote(password) if password else None


def _endpoints(given: list[str] | None, cls: type[Connector]) -> list[str] | None:
    if given is not None or cls.default_endpoints is None:
        return given
    return list(cls.default_endpoints)


def _policy(settings: Mapping[str, Any]) -> HttpPolicy:
    try:
        return HttpPolicy.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(f"http: {first_fault(error)}") from None


def open_connector(
    project: Project,
    resolved: ResolvedConnection,
    *,
    window: Window,
    ingest: Ingest,
    log: logging.Logger,
    state: dict[str, Any] | None = None,
    cursors: Mapping[str, Mapping[str, str]] | None = None,
    stored_rows: Mapping[str, int] | None = None,
    accept_drop: bool = False,
) -> Connector:
    """The connector, ready to run; close it afterwards."""
    model = project.connection(resolved.name)

    def open_http() -> HttpClient:
        from connectors.http import HttpClient

        return HttpClient(
            resolved.policy, connection=resolved.name, folder=project.folder, redact=resolved.redact, log=log
        )

    context = Context(
        connection=resolved.name,
        window=window,
        ingest=ingest,
        open_http=open_http,
        folder=project.folder,
        instance=model.instance or resolved.name,
        log=log,
        redact=resolved.redact,
        state=state if state is not None else {},
        tables=model.tables,
        skip_tables=model.skip_tables,
        skip_dependent_tables=model.skip_dependent_tables,
        records=model.records,
        cursors=cursors or {},
        stored_rows=stored_rows or {},
        accept_drop=accept_drop,
        concurrency=model.concurrency,
    )
    return resolved.cls(resolved.config, context, resolved.credentials)


def connection_specs(project: Project) -> Iterator[ConnectionSpec]:
    """What the graph's build must know of each connection, derived dataset and delivery."""
    for name in project.connections:
        model = project.connection(name)
        yield ConnectionSpec(
            name=name,
            instance=model.instance or name,
            defaults=model.defaults.given(),
            lookback_days=model.lookback,
            infer_tables=model.infer_tables,
            emit_lineage=model.emit_lineage,
            renamed_from=model.renamed_from,
        )
    for name, one in project.model.datasets.items():
        yield ConnectionSpec(DATASETS, scope=dataset_scope(name))
        for sink in one.sinks:
            yield ConnectionSpec(SINKS, scope=sink_scope(sink, name))
