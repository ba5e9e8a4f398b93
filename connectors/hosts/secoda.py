"""Hosts an unmodified Secoda integration: a script that imports `secodadk`, in a child process.

Follows the SDK's own contract: the script's class is found, built with its credentials, and started; what it
declares is validated here, and its HTTP verbs are answered by the connection's client.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

import connectors
from connectors.config.secrets import secrets_of
from connectors.connector import Connector, ConnectorConfig
from connectors.errors import AccessDenied, ConfigError, HeadwaterError, ScriptFailed
from connectors.hosts.process import HostedProcess, Limits
from connectors.model import CheckResult

_ROOT = Path(connectors.__file__).resolve().parent.parent
_CHILD = Path(__file__).with_name("secoda_child.py").resolve()
_UNDER_WAY = 256
_SHOWN = 4000  # characters of a script's message
_ISOLATION = {
    "network": "the script reaches the network through its HTTP verbs only",
    "processes": "the script sees no other process, and none of its own outlives it",
    "files": "the script does not see the project's files, nor its user's",
    "limits": "the script's processes are held to its limits",
    "user": "the script runs as a user of its own",
}


class SecodaScript(Connector):
    """Runs a Secoda integration as it is, isolated. `script` is its file, from the project's folder on."""

    kinds: ClassVar[frozenset[str]] = frozenset({"secoda"})
    default_endpoints = ()
    merges_credential: ClassVar[bool] = False  # the script's own, whatever their names

    class Config(ConnectorConfig):
        """`class_name` is needed when a script holds several integrations."""

        script: str = Field(description="the integration's Python file")
        class_name: str | None = Field(default=None, description="which class, when the file has several")
        limits: Limits = Field(default_factory=Limits, description="time, memory and size that it may use")
        own_sdk: bool = Field(
            default=False, description="use headwater's own `secodadk`, also where the real one is installed"
        )

    def extract(self) -> None:
        """Runs the script. Raises `ScriptFailed` when it raises, crashes or goes beyond its limits; what it
        declared before is kept."""
        with self._child(check_only=False) as child:
            self._follow(child)

    def check(self) -> Iterable[CheckResult]:
        """Loads the script without starting it, and says what the kernel lets us enforce."""
        try:
            with self._child(check_only=True) as child:
                name, missing = self._inspect(child)
        except HeadwaterError as error:
            yield CheckResult("load script", False, error.message, error.hint)
            return
        yield CheckResult("load script", True, f"found {name}")
        for capability, meaning in _ISOLATION.items():
            cause = missing.get(capability)
            message = f"not enforced: {cause}" if cause else meaning
            hint = "run headwater where the kernel permits namespaces" if cause else None
            yield CheckResult(f"isolate {capability}", True, message, hint)

    # -- the child

    @contextmanager
    def _child(self, *, check_only: bool) -> Iterator[HostedProcess]:
        script = self.path(self.config.script)
        if not script.is_file():
            raise ConfigError(
                f"{script} is not a file", hint="`connector` names the integration's Python file"
            )
        self.context.redact.add(*secrets_of(self.credentials))
        task = {
            "script": script.name,
            "class_name": self.config.class_name,
            "credentials": {} if check_only else self.credentials,
            "check_only": check_only,
            "own_sdk": self.config.own_sdk,
        }
        with HostedProcess(
            script.name,
            [str(_CHILD), str(_ROOT)],
            secret=task,
            code=script.parent,
            hide=self._hidden(),
            limits=self.config.limits,
            log=self.log,
            redact=self.context.redact,
        ) as child:
            yield child

    def _hidden(self) -> list[Path]:
        """Folders that may hold what belongs to others: the project, the user's own files, Dagster's."""
        named = [self.context.folder, Path.cwd(), Path(os.path.expanduser("~"))]
        if home := os.environ.get("DAGSTER_HOME"):
            named.append(Path(home))
        return [folder for folder in named if folder.resolve() != Path("/")]

    def _follow(self, child: HostedProcess) -> None:
        failed: ScriptFailed | None = None
        exchange = _Exchange(self, child)
        for message, body in child.messages():
            match message:
                case {"kind": "resource", "value": value}:
                    self.declare_resource(value)
                case {"kind": "lineage", "value": value}:
                    self.declare_lineage(value)
                case {"kind": "request"}:
                    exchange.take(message, body)
                case {"kind": "hello", "missing": dict(missing)}:
                    self._say_missing(missing)
                case {"kind": "error", "lines": list()}:
                    failed = self._raised(message)
                case {"kind": "done"}:
                    break
                case {"kind": "found"}:
                    self.log.debug("found the class %s", message.get("name"))
                case _:
                    raise _broken(child)
        else:
            raise child.early_end()
        if failed:
            raise failed

    def _inspect(self, child: HostedProcess) -> tuple[str, dict[str, str]]:
        missing: dict[str, str] = {}
        for message, _ in child.messages():
            match message:
                case {"kind": "hello", "missing": dict(missing)}:
                    pass
                case {"kind": "found", "name": str(name)}:
                    return name, missing
                case {"kind": "error", "lines": list()}:
                    raise self._raised(message)
                case _:
                    raise _broken(child)
        raise child.early_end()

    def _say_missing(self, missing: dict[str, str]) -> None:
        for capability, cause in missing.items():
            self.log.debug("isolation of %s is not enforced: %s", capability, cause)

    def _raised(self, message: dict[str, Any]) -> ScriptFailed:
        redact = self.context.redact
        kind, place = str(message.get("type")), message.get("place")
        lines = tuple(redact(str(line)) for line in message.get("lines", ()))
        for line in lines:
            self.log.error(line)
        name = Path(self.config.script).name
        text = redact(str(message.get("message")))
        return ScriptFailed(
            f"{name} raised {kind}: {text if len(text) <= _SHOWN else text[:_SHOWN] + '...'}",
            hint=f"at {place}" if place else None,
            type=kind,
            last_lines=lines,
        )


def _broken(child: HostedProcess) -> ScriptFailed:
    return ScriptFailed(f"{child.name} broke the protocol between it and headwater")


class _Exchange:
    """Answers a child's requests with the connection's client, each in a thread of its own."""

    def __init__(self, connector: SecodaScript, child: HostedProcess) -> None:
        self._connector = connector
        self._child = child
        self._lock = threading.Lock()
        self._under_way = 0

    def take(self, message: dict[str, Any], body: bytes) -> None:
        """Begins to answer one request. The client bounds how many are sent at once."""
        with self._lock:
            self._under_way += 1
            if self._under_way > _UNDER_WAY:
                raise ScriptFailed(f"{self._child.name} asked for more than {_UNDER_WAY} answers at once")
        # A thread that still waits for an answer must not keep headwater from ending.
        threading.Thread(target=self._answer, args=(message, body), daemon=True).start()

    def _answer(self, message: dict[str, Any], body: bytes) -> None:
        number = message.get("id")
        try:
            answer, content = self._ask(message, body)
        except HeadwaterError as error:
            if isinstance(error, AccessDenied):
                with self._lock:
                    self._connector.warn(str(error))
            kind = str(error.context.get("cause", "ConnectError"))
            answer, content = {"error": {"type": kind, "message": str(error)}}, b""
        except Exception as error:  # the script must get an answer, or it waits for ever
            self._connector.log.exception("a request of the script could not be made")
            text = self._connector.context.redact(f"{type(error).__name__}: {error}")
            answer, content = {"error": {"type": "ConnectError", "message": text}}, b""
        self._child.send({**answer, "id": number}, content)
        with self._lock:
            self._under_way -= 1

    def _ask(self, message: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            self._connector.report.requests += 1
        response = self._connector.http.request(
            message["method"],
            message["url"],
            headers=[(str(name), str(value)) for name, value in message["headers"]],
            content=body or None,
            follow_redirects=message["follow_redirects"],
            verify=message["verify"],
        )
        answer = {
            "status": response.status_code,
            "headers": response.headers.multi_items(),
            "method": response.request.method,
            "url": str(response.request.url),
            "elapsed_s": response.elapsed.total_seconds(),
            "history": [
                {
                    "status": hop.status_code,
                    "headers": hop.headers.multi_items(),
                    "method": hop.request.method,
                    "url": str(hop.request.url),
                }
                for hop in response.history
            ],
        }
        return answer, response.content
