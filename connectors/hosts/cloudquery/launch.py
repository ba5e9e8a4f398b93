"""From a configured plugin to one that serves: which program, where it runs, and at which addresses."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from urllib.parse import urlsplit

from connectors.config.secrets import Redactor
from connectors.errors import ConfigError, ConnectorError
from connectors.hosts.cloudquery.limits import Limits
from connectors.hosts.cloudquery.logs import PluginLog
from connectors.hosts.cloudquery.plugin import Plugin
from connectors.hosts.cloudquery.process import PluginProcess, make_folder, remove_folder, socket_in

_GRPC = "grpc://"
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Source:
    """A configured plugin. `program` is its command line, empty for one that runs already, at `address`."""

    name: str
    program: tuple[str, ...] = ()
    cwd: Path = Path()
    address: str = ""
    of_python: bool = False


@dataclass(frozen=True)
class Running:
    """A plugin that runs. `state_socket` is where it can be served its state, None for a port of this machine;
    one that is elsewhere (`is_local` is false) reaches neither.
    """

    plugin: Plugin
    state_socket: str | None
    is_local: bool


def find_source(plugin: str, python: str | None, folder: Path) -> Source:
    """What a configuration means, its paths starting at the project's folder. Raises ConfigError when it leads
    nowhere.
    """
    folder = folder.absolute()
    if plugin.startswith(_GRPC):
        return _at_address(plugin)
    path = folder / Path(plugin).expanduser()
    if path.is_dir():
        if not (path / "main.py").is_file():
            raise ConfigError(
                f"plugin: {path} has no main.py", hint="a plugin's folder has one that serves it"
            )
        return Source(path.name, (_interpreter(python, folder), "main.py"), path, of_python=True)
    if python is not None:
        raise ConfigError(
            f"plugin: {path} is not a folder", hint="`python` is for a folder; a command line names its own"
        )
    try:
        words = [plugin] if path.is_file() else shlex.split(plugin)
    except ValueError as error:
        raise ConfigError(f"plugin: not a command line: {error}") from None
    if not words:
        raise ConfigError("plugin: nothing is named", hint="a folder, a command line, or grpc://host:port")
    return Source(Path(words[0]).name, (_program(words[0], folder), *words[1:]), folder)


@contextmanager
def run_plugin(
    source: Source, environment: Mapping[str, str], *, limits: Limits, log: Logger, redact: Redactor
) -> Iterator[Running]:
    """Starts or connects to a plugin; at the end nothing is left of it. Raises ConnectorError when it cannot."""
    lines = PluginLog(
        source.name, log=log, redact=redact, lines=limits.output_lines, output_bytes=limits.output_bytes
    )
    process, address, state_socket = None, source.address, None
    if source.program:
        folder = make_folder()
        # A Python plugin serves at a socket in a folder that nobody else can enter. How another wants a socket to be
        # named is not known (Go's SDK differs): it gets a port, which every user of this machine can reach.
        taken = socket_in(folder, "plugin.sock") if source.of_python else None
        state_socket = socket_in(folder, "state.sock") if taken else None
        address = taken or f"127.0.0.1:{_free_port()}"
        serve = ["serve", "--network", "unix" if taken else "tcp", "--address", address]
        try:
            process = PluginProcess(
                [*source.program, *serve, "--log-format", "json", "--log-level", "info"],
                cwd=source.cwd,
                folder=folder,
                environment=environment,
                limits=limits,
                log=lines,
            )
        except OSError as error:
            remove_folder(folder)
            raise ConnectorError(f"{source.name} cannot be started: {error}") from None
    try:
        plugin = Plugin(source.name, address, process, limits=limits, log=lines, redact=redact)
    except BaseException:
        if process:
            process.close()
        raise
    with plugin:
        yield Running(plugin, state_socket, bool(source.program) or _is_local(address))


def _at_address(plugin: str) -> Source:
    try:
        parts = urlsplit(plugin)
        good = bool(parts.hostname and parts.port) and not (parts.path or parts.query or parts.username)
    except ValueError:
        good = False
    if not good:
        raise ConfigError("plugin: not an address", hint="it reads grpc://host:port")
    return Source(parts.netloc, address=parts.netloc)


def _is_local(address: str) -> bool:
    return urlsplit(f"//{address}").hostname in _LOCAL


def _interpreter(python: str | None, folder: Path) -> str:
    if python is None:
        return sys.executable
    found = str(folder / Path(python).expanduser()) if "/" in python else shutil.which(python)
    # Not resolved: an environment's interpreter is a link, and knows its environment by where that lies.
    if not found or not os.access(found, os.X_OK):
        raise ConfigError(
            f"python: {found or python} is no program",
            hint="the interpreter where the plugin's SDK is installed",
        )
    return found


def _program(word: str, folder: Path) -> str:
    found = str(folder / Path(word).expanduser()) if "/" in word else shutil.which(word)
    if not found or not os.access(found, os.X_OK):
        raise ConfigError(
            f"plugin: {found or word} is no program",
            hint="a folder with a main.py, a command line, or grpc://host:port",
        )
    return found


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
