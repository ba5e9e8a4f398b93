"""Who gets the events: what headwater.yaml says, else what the OpenLineage client's own variables say."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors.config.secrets import expand
from pipelines.project import Project
from pipelines.project.model import OpenLineageModel

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

_ENDPOINT = "api/v1/lineage"
_NO_RETRY = {"total": 0, "connect": 0, "read": 0, "status_forcelist": []}
log = logging.getLogger("headwater.openlineage")


@dataclass(frozen=True)
class Receiver:
    """Where events go, and the namespace of their jobs. `shown` names it in messages, without any secret.

    `transport` is the client's configuration of one; None leaves it to the client's variables and files.
    """

    namespace: str
    shown: str
    transport: Mapping[str, Any] | None = field(default=None, repr=False)

    def client(self) -> OpenLineageClient:
        """A client of OpenLineage. Raises what the client raises for a configuration that it cannot use."""
        from openlineage.client import OpenLineageClient
        from openlineage.client.transport import get_default_factory

        # The git repository of the current folder need not be the project's, and its address may hold a token.
        settings = {"facets": {"source_code_location": {"disabled": True}}}
        if self.transport is None:
            with _environment_kept():
                return OpenLineageClient(config=settings)
        transport = get_default_factory().create(dict(self.transport))
        return OpenLineageClient(transport=transport, config=settings)


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Takes out again what the client writes into the environment: its key, under names that children would get."""
    before = set(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - before:
            if name.startswith("OPENLINEAGE__"):
                del os.environ[name]


def receiver_of(project: Project, environment: Mapping[str, str] = os.environ) -> Receiver | None:
    """The project's receiver, or None where nothing is to be sent; that a variable is missing is said."""
    if environment.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return None
    own = f"headwater://{project.name}"
    section = project.model.openlineage
    if section is not None:
        return _of_section(section, project.folder, own, environment)
    given = any(
        environment.get(name)
        for name in environment
        if name in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG") or name.startswith("OPENLINEAGE__TRANSPORT__")
    )
    if not given:
        return None
    return Receiver(environment.get("OPENLINEAGE_NAMESPACE") or own, "the receiver of OPENLINEAGE_*")


def _of_section(
    section: OpenLineageModel, folder: Path, own: str, environment: Mapping[str, str]
) -> Receiver | None:
    key = section.api_key.get_secret_value() if section.api_key else ""
    given = {"url": section.url, "file": section.file, "namespace": section.namespace, "api_key": key}
    filled, missing = {}, []
    for name, text in given.items():
        filled[name], absent = expand(text or "", environment)
        missing += [f"openlineage.{name} needs {one}" for one in absent]
    if missing:
        log.warning("no OpenLineage events are sent: %s; set it in the environment", ", ".join(missing))
        return None
    namespace = filled["namespace"] or own
    if section.file is not None:
        path = folder / Path(filled["file"]).expanduser()
        return Receiver(namespace, str(path), {"type": "file", "log_file_path": str(path), "append": True})
    parts = urlsplit(filled["url"])
    # The client takes an address's path for a folder, and would append to one that is whole already.
    endpoint = f"{parts.path.lstrip('/')}{'?' if parts.query else ''}{parts.query}" or _ENDPOINT
    transport: dict[str, Any] = {
        "type": "http",
        "url": f"{parts.scheme}://{parts.netloc}",
        "endpoint": endpoint,
        "timeout": section.timeout_s,
        "retry": _NO_RETRY,
    }
    if filled["api_key"]:
        transport["auth"] = {"type": "api_key", "apiKey": filled["api_key"]}
    host = parts.netloc.rpartition("@")[2]
    return Receiver(namespace, f"{parts.scheme}://{host}", transport)
