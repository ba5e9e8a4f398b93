"""The adapter that the acceptance kit calls, on a script of our own."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.contract.kits import secoda_host

SCRIPT = """
from secodadk import *
class Listing(SecodaIntegration):
    def extract(self):
        for row in self.http_get("https://list.example.test/old", follow_redirects=True).json():
            self.declare_resource(Resource(entity_type="table", databuilder_id=row))
        self.declare_lineage(DeclaredLineage(from_identifier=ExternalTable(table="a"),
                                             to_identifier=InternalResource(databuilder_id="x")))
        self.http_get("https://elsewhere.example.test/")
"""


class Rows(BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None: ...

    def do_GET(self) -> None:
        moved = self.path == "/old"
        body = b"" if moved else json.dumps(["x", "y"]).encode()
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/new")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def base():
    server = HTTPServer(("127.0.0.1", 0), Rows)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_it_gives_what_was_declared_and_refuses_other_origins(tmp_path, base):
    (tmp_path / "listing.py").write_text(SCRIPT)
    found = secoda_host(str(tmp_path / "listing.py"), {}, {"https://list.example.test": base}, [])
    assert [r["databuilder_id"] for r in found["resources"]] == ["x", "y"]
    assert found["lineages"] == [
        {
            "from_identifier": {"type": "external_table", "table": "a"},
            "to_identifier": {"type": "internal_resource", "databuilder_id": "x"},
        }
    ]
    assert "https://elsewhere.example.test is not among" in found["error"]
