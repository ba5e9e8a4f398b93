"""Runs the server: one process, until it is told to stop."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable

import uvicorn

from connectors.errors import ConfigError, HeadwaterError
from pipelines.project import Project
from pipelines.project.overlay import objects_of
from pipelines.server.access import has_valid_token, is_loopback
from pipelines.server.app import create_app
from pipelines.server.tokens import Tokens

_GRACE_S = 10
_BACKLOG = 2048


def serve(
    project: Project, host: str, port: int, *, insecure: bool = False, tell: Callable[[str], None]
) -> None:
    """Serves a project until SIGTERM or SIGINT; requests under way are answered, for at most 10 s. `tell` is given the
    address when it is answered.

    Raises ConfigError for an address that others can reach while no token is valid, unless `insecure`; HeadwaterError
    where the port cannot be had.
    """
    loopback = is_loopback(host)
    if not loopback and not insecure and not has_valid_token(Tokens(objects_of(project))):
        raise ConfigError(
            f"{host} can be reached by others, and there is no valid token",
            hint="run `headwater token create --scope read`, or serve with --insecure",
        )
    app = create_app(project, loopback=loopback, insecure=insecure)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    with listening(host, port) as listener:
        # uvicorn raises the signal again when it has stopped, for whoever else waits for it: nobody does.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        _Server(config, lambda: tell(_address(listener))).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Tells when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises HeadwaterError where that cannot be."""
    name = host.strip("[]")
    try:
        family = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((name, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise HeadwaterError(
                f"port {port} of {host} is in use", hint="choose another with --port"
            ) from None
        raise HeadwaterError(f"{host}:{port} cannot be listened to: {error.strerror or error}") from None


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
