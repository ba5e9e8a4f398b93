"""A small API with pages, over real HTTP, that grows and misbehaves as a test wants it to."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class PagedApi:
    """Serves `/items?after=N&limit=L`, and `/items/N/parts`. `faults(path)` names what goes wrong with a call, or None.

    `answered` counts calls that were answered well, by path; `failed` those that were not, by fault.
    """

    def __init__(self, *, pause_s=0.0, faults=lambda path: None):
        self.size = 0
        self.pause_s = pause_s
        self.faults = faults
        self.answered: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._lock = threading.Lock()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                api.answer(self)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler):
        time.sleep(self.pause_s)
        parts = urlsplit(handler.path)
        with self._lock:
            fault = self.faults(parts.path)
            (self.failed if fault else self.answered)[fault or parts.path] += 1
        body = json.dumps(self.body(parts)).encode()
        status, headers = 200, {"content-type": "application/json"}
        if fault == "429":
            status, headers["retry-after"], body = 429, "0", b"{}"
        elif fault == "500":
            status, body = 500, b'{"error": "oops"}'
        elif fault == "slow":
            time.sleep(1.0)
        elif fault == "html":
            body = b"<html>Bad gateway</html>"
        try:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[: len(body) // 2] if fault == "torn" else body)
            if fault == "torn":
                handler.close_connection = True
        except (BrokenPipeError, ConnectionResetError):
            pass  # the caller did not wait

    def body(self, parts):
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/items":
            after, limit = int(asked.get("after", 0)), int(asked.get("limit", 20))
            found = [
                {"id": at, "name": f"item {at}"} for at in range(after + 1, min(after + limit, self.size) + 1)
            ]
            following = found[-1]["id"] if found and found[-1]["id"] < self.size else None
            return {"data": found, "next": following}
        item = int(parts.path.split("/")[2])
        return {"data": [{"id": item * 10 + at} for at in range(2)]}


def one_in_ten(seed=0, kinds=("429", "500", "slow", "torn", "html")):
    """Faults for a tenth of the calls, in turn, never two for one path in a row... at random places."""
    chance, turn, last = random.Random(seed), iter(range(10**9)), {}

    def fault(path):
        if last.get(path) or chance.random() >= 0.1:
            last[path] = None
        else:
            last[path] = kinds[next(turn) % len(kinds)]
        return last[path]

    return fault


SOURCE = '''
import pyarrow as pa
from connectors import Column, Connector, ConnectorConfig, Table, TableResolver
from connectors.tables import parent


class ItemResolver(TableResolver):
    def resolve(self, client, parent_resource):
        since = self.get_cursor() or "0"
        pages = client.pages("/items", params={"after": since}, items="data", cursor="next", cursor_param="after")
        for item in pages:
            yield item
            self.set_cursor(None, str(item["id"]))


class Items(Table):
    def __init__(self, keyed, relations=()):
        columns = [Column("id", pa.int64(), primary_key=keyed), Column("name", pa.string())]
        super().__init__("items" if keyed else "log", columns, relations=relations, is_incremental=True)

    @property
    def resolver(self):
        return ItemResolver(self)


def parts_of(client, item):
    yield from client.pages("/items/" + str(item.get("id")) + "/parts", items="data")


class Api(Connector):
    """Reads a paged API."""

    class Config(ConnectorConfig):
        url: str
        parts: bool = False

    def tables(self):
        columns = [Column("id", pa.int64(), primary_key=True), Column("item", pa.int64(), resolver=parent("id"))]
        parts = [Table("parts", columns, resolve=parts_of, is_incremental=True)] if self.config.parts else []
        return [Items(True, parts), Items(False)]
'''
