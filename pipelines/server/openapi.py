"""The API's own description: the OpenAPI document, and a page that shows it without any script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from html import escape
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from pipelines.server.access import OPEN
from pipelines.server.answers import Problem

PATH, PAGE = "/api/v1/openapi.json", "/api/v1/docs"
_DESCRIPTION = (
    "Where does this come from, and what breaks if it changes? Lists come in pages: while `next_cursor` is not "
    "null, ask again with it as `cursor`. Errors are application/problem+json (RFC 9457)."
)
_NO_FRAMES = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a2330; }
code, .path { font-family: ui-monospace, monospace; font-size: 0.95em; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #d5dbe3; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
details { margin: 0.6rem 0; } summary { cursor: pointer; }
table { border-collapse: collapse; margin: 0.5rem 0; } td { padding: 0.15rem 1rem 0.15rem 0; vertical-align: top; }
@media (prefers-color-scheme: dark) { body { background: #11161d; color: #dde4ee; } a { color: #8ab4f8; } }
"""


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an app's routes."""
    told = get_openapi(title="headwater", version="1", description=_DESCRIPTION, routes=app.routes)
    components = told.setdefault("components", {})
    problem = TypeAdapter(Problem).json_schema()
    components.setdefault("schemas", {})["Problem"] = problem
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "`headwater token create --scope S`"}
    }
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            if path not in OPEN:
                # On a loopback address reading needs no token.
                operation["security"] = [{"token": []}, *([{}] if method == "get" else [])]
    return told


def add_document(app: FastAPI) -> None:
    """Serves the document and its page; to be called when all routes are there."""
    told = document(app)
    text, page = orjson.dumps(told), "".join(_page(told)).encode()
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; {_NO_FRAMES}"

    async def show_document(_: Request) -> Response:
        return Response(text, media_type="application/json")

    async def show_page(_: Request) -> Response:
        return Response(page, media_type="text/html", headers={"Content-Security-Policy": policy})

    app.add_api_route(PATH, show_document, include_in_schema=False)
    app.add_api_route(PAGE, show_page, include_in_schema=False)


def _page(told: dict[str, Any]) -> Iterator[str]:
    yield "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>headwater API</title>"
    yield "<meta name='viewport' content='width=device-width, initial-scale=1'>"
    yield f"<style>{_STYLE}</style></head><body><h1>headwater API</h1>"
    yield f"<p>{_prose(told['info']['description'])} <a href='{PATH}'>OpenAPI document</a></p>"
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation.get("tags", ["other"])[0], []).append((method, path, operation))
    for tag, found in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>"
        for method, path, operation in found:
            yield from _operation(method, path, operation)
    yield "</body></html>"


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<details><summary><span class='method'>{method.upper()}</span><span class='path'>{escape(path)}</span>"
    yield f" &mdash; {_prose(operation.get('summary', ''))}</summary><p>{_prose(operation.get('description', ''))}</p>"
    if parameters := operation.get("parameters"):
        yield "<table>"
        for one in parameters:
            needed = "required" if one.get("required") else ""
            said = _prose(one.get("description", ""))
            yield f"<tr><td><code>{escape(one['name'])}</code></td><td>{needed}</td><td>{said}</td></tr>"
        yield "</table>"
    yield "<table>"
    for status, answer in operation["responses"].items():
        yield f"<tr><td>{escape(str(status))}</td><td>{_prose(answer.get('description', ''))}</td></tr>"
    yield "</table></details>"


def _prose(text: str) -> str:
    """HTML of a text in which code stands in backticks."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))
