"""A real HTTP server on this machine, answered by a function of the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import stamina

from connectors import Connector, ConnectorConfig, Context
from connectors.config.secrets import Redactor
from connectors.http import HttpClient, HttpPolicy
from connectors.testing import Extract, today


@dataclass
class Asked:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What to send back; `hang_up` closes the connection without a word."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


class Server:
    """Runs until the test ends; `asked` holds what came in."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(answer))
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def _handler(self, answer: Callable[[Asked], Answer]) -> type[BaseHTTPRequestHandler]:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                one = Asked(self.command, self.path, headers, body)
                asked.append(one)
                given = answer(one)
                if given.hang_up:
                    self.close_connection = True
                    return
                self.send_response(given.status)
                length = (
                    {} if "Transfer-Encoding" in given.headers else {"Content-Length": str(len(given.body))}
                )
                for name, value in {**length, **given.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(given.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        return Handler


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Asked], Answer]], Server]]:
    """Starts servers."""
    servers: list[Server] = []

    def start(answer: Callable[[Asked], Answer]) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def in_turn(serve):
    """Starts a server that gives these answers in turn, the last one again and again."""

    def start(*answers: Answer) -> Server:
        left = list(answers)
        return serve(lambda asked: left.pop(0) if len(left) > 1 else left[0])

    return start


@pytest.fixture
def answer() -> type[Answer]:
    return Answer


@pytest.fixture
def no_waits():
    """Requests are sent again at once."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


class Api(Connector):
    """A connector whose relative addresses are of one API."""

    class Config(ConnectorConfig):
        url: str = "https://api.test/v1"


@pytest.fixture
def connect():
    """Makes connectors that a transport answers, or where there is none the network; and closes them."""
    made: list[Connector] = []

    def make(transport: httpx.BaseTransport | None = None, url: str = "https://api.test/v1", **policy) -> Api:
        client = HttpClient(
            HttpPolicy(**policy), connection="api", redact=Redactor(["s3cret-key"]), transport=transport
        )
        made.append(Api(Api.Config(url=url), Context("api", today(), Extract(), lambda: client)))
        return made[-1]

    yield make
    for one in made:
        one.close()
